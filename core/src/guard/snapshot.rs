//! How a guard and its patterns are doing, in one call.

use core::time::Duration;

use super::{Guard, Stats};
use crate::admission::rate_limiter::Quota;
use crate::admission::{bulkhead, circuit_breaker};
use crate::health::error_budget;
use crate::time::Instant;

/// How a guard is doing: plain data, of one look at each of its patterns.
///
/// Figures of one pattern belong together as that pattern says; those of different patterns may be of slightly different
/// moments.
///
/// # Examples
///
/// ```
/// use seawall_core::circuit_breaker::{self, State};
/// use seawall_core::{Guard, Instant, Policy};
///
/// static UPLINK: Guard =
///     Guard::new(Policy::new().circuit_breaker(circuit_breaker::Config::consecutive_failures(5)));
///
/// let snapshot = UPLINK.snapshot(Instant::from_secs(1));
/// assert_eq!(snapshot.breaker.unwrap().state, State::Closed);
/// assert!(snapshot.bulkhead.is_none() && !snapshot.shadow);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken.
    pub at: Instant,
    /// What was counted.
    pub stats: Stats,
    /// Whether calls that begin now are only watched.
    pub shadow: bool,
    /// The rate limiter, if there is one.
    pub limiter: Option<Tokens>,
    /// The bulkhead, if there is one.
    pub bulkhead: Option<bulkhead::Snapshot>,
    /// The breaker, if there is one.
    pub breaker: Option<circuit_breaker::Status>,
    /// The whole retries that the retry budget holds, without the free ones; `None` if the policy has no retry.
    pub retries_left: Option<u32>,
    /// The time of one attempt that begins now; [`Duration::MAX`] if there is no limit.
    pub timeout: Duration,
    /// The time of a whole call; [`Duration::MAX`] if there is no limit.
    pub deadline: Duration,
    /// The error budget, if there is one.
    pub error_budget: Option<error_budget::Snapshot>,
}

/// How a rate limiter is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tokens {
    /// The tokens that are there.
    pub available: u32,
    /// The rate and the burst.
    pub quota: Quota,
}

impl<const WAITERS: usize, const SLOTS: usize> Guard<WAITERS, SLOTS> {
    /// The time that an attempt is given now, apart from the call's deadline: the fixed or the learned one, whichever is
    /// shorter; [`Duration::MAX`] if there is neither.
    pub fn timeout_at(&self, now: Instant) -> Duration {
        let learned = self.adaptive_timeout.as_ref().map(|timeout| timeout.current(now));
        self.timeout.limit().min(learned.unwrap_or(Duration::MAX))
    }

    /// Everything about the guard at `now`.
    ///
    /// # Complexity
    ///
    /// That of [`Window::totals`](crate::Window::totals) for each window, O(1) otherwise. It writes nothing that calls read.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            at: now,
            stats: self.stats(),
            shadow: self.is_shadow(),
            limiter: self
                .limiter
                .as_ref()
                .map(|limiter| Tokens { available: limiter.available(now), quota: *limiter.quota() }),
            bulkhead: self.bulkhead.as_ref().map(bulkhead::Bulkhead::snapshot),
            breaker: self.breaker.as_ref().map(|breaker| breaker.status(now)),
            retries_left: (self.retry.config().max_attempts() > 1).then(|| self.retry.balance()),
            timeout: self.timeout_at(now),
            deadline: self.deadline(),
            error_budget: self.error_budget.as_ref().map(|budget| budget.snapshot(now)),
        }
    }
}
