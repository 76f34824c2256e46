//! One call through all of it: the patterns joined in the order that keeps each of them honest.
//!
//! A guard is what most programs use: it is made from a [`Policy`] that says which patterns take part, it admits a call in
//! one place and settles it in one place.
//! Use the patterns alone, or a tuple of them by [`Admit`], for another order.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::guard::{Policy, Report, Verdict};
//! use seawall_core::{circuit_breaker, rate_limiter::Quota, Deadline, Guard, Instant};
//!
//! static UPLINK: Guard = Guard::new(
//!     Policy::new()
//!         .rate_limit(Quota::per_second(100))
//!         .circuit_breaker(circuit_breaker::Config::consecutive_failures(5)),
//! );
//!
//! fn send(now: Instant, radio: impl Fn() -> Result<(), ()>) -> Result<(), seawall_core::guard::Rejected> {
//!     let mut call = UPLINK.try_begin(Deadline::NONE, now)?;
//!     loop {
//!         let attempt = call.try_attempt(now)?;
//!         let report = Report::from(&radio());
//!         match call.settle(attempt, report, now).verdict {
//!             Verdict::RetryAfter(_delay) => continue, // After waiting for the delay.
//!             _ => return Ok(()),
//!         }
//!     }
//! }
//! assert!(send(Instant::from_secs(1), || Ok(())).is_ok());
//! ```
//!
//! # States
//!
//! ```text
//! begin ─► rate limit ─► bulkhead (may wait) ─► ┌ breaker ─► timeout ─► operation ─► settle ┐ ─► error budget
//!                                               └──────── retry: backoff, budget ◄──────────┘
//! ```
//!
//! This is the order of the documents that Seawall comes from (S2), with three things settled:
//! every rejection and every failure reaches the caller with the pattern that caused it;
//! the breaker checks and records each attempt and not each call, so retries stop when it opens;
//! one deadline covers waiting, attempts and pauses, and the slot is held until the work has ended.
//!
//! An open breaker refuses a call before it takes anything, so a rejection spends no token and no slot.
//! A rejection by any of our own patterns spends no error budget.
//!
//! # Shadow mode
//!
//! A guard in shadow mode refuses nothing: to try a policy on live traffic, or to take a guard out of the way without taking
//! it out of the program. [`Policy::shadow`] begins with it, [`Guard::set_shadow`] turns it on and off; a call that began
//! in it ends in it.
//! Each pattern takes part as it would, and what it would have done is counted by pattern in [`Stats::shadow`]: a call that
//! finds no token, no slot or an open breaker goes on without, nothing waits, no attempt is cut at its timeout and none is
//! made again.
//! The breaker counts an attempt that its timeout would have cut as the failure that it would have been.
//! A deadline that the caller set for the call itself is still what the operation is told.
//!
//! # Memory layout
//!
//! The words of the patterns, side by side; the guard adds statistics and the switch of the shadow mode.
//! On a 64-bit host a guard without waiters and windows is 1024 bytes, most of them configuration, and the default one 1680.
//!
//! # Ordering
//!
//! Each pattern decides on its own word, in the order above; what an earlier one took is given back if a later one refuses.
//!
//! # Progress
//!
//! As the patterns; nothing waits but the caller's own task for a slot.
//!
//! # Cost
//!
//! Atomic accesses of an admitted, successful call, counted by `cost_of_a_call` in the tests:
//!
//! | policy | writes | of which |
//! |---|---:|---|
//! | breaker (consecutive) | 1 | statistics 1 |
//! | rate limit, bulkhead, breaker (consecutive), retry, error budget | 5 | limiter 1, bulkhead 2, budget 1, statistics 1 |
//! | the same, breaker by rate | 6 | window 1 more |
//! | any, breaker open, rejected | 1 | statistics 1 |

mod call;
mod classify;
pub mod compose;
mod error;
mod notes;
mod options;
mod policy;
mod presets;
mod rejected;
mod shadow;
mod snapshot;
mod stats;
#[cfg(feature = "chaos")]
mod struck;
#[cfg(all(test, not(loom)))]
mod tests;
mod waiting;

use core::fmt;
use core::time::Duration;

pub use call::{About, Attempt, Call, Report, Settled, Verdict};
pub use classify::{Classify, ErrorsFail};
pub use compose::{Admit, Serve, Shed, Took};
pub use error::Error;
use notes::Book;
pub use notes::Notes;
pub use options::Options;
pub use policy::Policy;
pub use rejected::{Pattern, Rejected};
pub use snapshot::{Snapshot, Tokens};
use stats::Counters;
pub use stats::{Stats, Would};
#[cfg(feature = "chaos")]
pub use struck::Struck;
pub use waiting::Waiting;

use crate::admission::bulkhead::{self, Bulkhead};
use crate::admission::circuit_breaker::{CircuitBreaker, Transition};
use crate::admission::rate_limiter::{Grant, RateLimiter};
use crate::atomic::rng::Rng;
use crate::atomic::switch::Switch;
use crate::attempt::adaptive_timeout::AdaptiveTimeout;
use crate::attempt::deadline::Deadline;
use crate::attempt::retry::Retry;
use crate::attempt::timeout::Timeout;
use crate::config::ConfigError;
use crate::health::error_budget::ErrorBudget;
use crate::time::{Instant, nanos, without_end};

/// What an optional configuration makes, in a `const fn`.
macro_rules! optional {
    ($config:expr, $make:path) => {
        match $config {
            None => None,
            Some(config) => Some($make(config)),
        }
    };
}

/// Returns early with an error, in a `const fn`.
macro_rules! check {
    ($result:expr) => {
        if let Err(error) = $result {
            return Err(error);
        }
    };
}

/// A guard for one operation.
///
/// `WAITERS` is how many calls can wait for a slot of its bulkhead, `SLOTS` the number of buckets of its windows:
/// 0 if the policy has neither a rate of the breaker nor an error budget.
/// The [module](self) has an example.
pub struct Guard<const WAITERS: usize = 8, const SLOTS: usize = 10> {
    timeout: Timeout,
    adaptive_timeout: Option<AdaptiveTimeout>,
    /// Nanoseconds: half the size of a [`Duration`].
    deadline: u64,
    limiter: Option<RateLimiter>,
    bulkhead: Option<Bulkhead<WAITERS>>,
    breaker: Option<CircuitBreaker<SLOTS>>,
    retry: Retry,
    error_budget: Option<ErrorBudget<SLOTS>>,
    jitter: Rng,
    shadow: Switch,
    book: Book,
    counters: Counters,
}

/// A call that may start, or one that waits for a slot.
#[derive(Debug)]
#[must_use = "dropping it cancels the call"]
pub enum Begin<'a, const WAITERS: usize, const SLOTS: usize> {
    /// It may start.
    Started(Call<'a, WAITERS, SLOTS>),
    /// It waits.
    Waiting(Waiting<'a, WAITERS, SLOTS>),
}

impl<const WAITERS: usize, const SLOTS: usize> Guard<WAITERS, SLOTS> {
    const_fn! {
        /// A guard for `policy`.
        ///
        /// # Panics
        ///
        /// If [`Guard::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(policy: Policy) -> Self {
            expect_valid!(Self::validate(&policy), "guard");
            Self::build(policy)
        }
    }

    const_fn! {
        /// A guard for `policy`.
        ///
        /// # Errors
        ///
        /// If a value of the policy lies outside its bound.
        pub const fn try_new(policy: Policy) -> Result<Self, ConfigError> {
            match Self::validate(&policy) {
                Ok(()) => Ok(Self::build(policy)),
                Err(error) => Err(error),
            }
        }
    }

    const_fn! {
        /// Checks the values of a policy for a guard of this size.
        ///
        /// # Errors
        ///
        /// The first value that lies outside its bound.
        pub const fn validate(policy: &Policy) -> Result<(), ConfigError> {
            if let Some(quota) = policy.rate_limit {
                check!(RateLimiter::try_new(quota));
            }
            if let Some(config) = policy.bulkhead {
                check!(config.seats_among(WAITERS));
            }
            if let Some(config) = policy.circuit_breaker {
                check!(CircuitBreaker::<SLOTS>::try_new(config));
            }
            if let Some(config) = policy.error_budget {
                check!(ErrorBudget::<SLOTS>::try_new(config));
            }
            check!(policy.retry.validate());
            check!(policy.timeout.validate());
            if let Some(config) = policy.adaptive_timeout {
                check!(config.validate());
            }
            require!(!policy.deadline.is_zero(), "deadline", "greater than zero");
            Ok(())
        }
    }

    const_fn! {
        /// The guard of a policy that was checked.
        const fn build(policy: Policy) -> Self {
            Self {
                limiter: optional!(policy.rate_limit, RateLimiter::new),
                bulkhead: optional!(policy.bulkhead, Bulkhead::new),
                breaker: match policy.breaker_of_guard() {
                    None => None,
                    Some(config) => Some(CircuitBreaker::new(config)),
                },
                retry: Retry::new(policy.retry),
                error_budget: optional!(policy.error_budget, ErrorBudget::new),
                jitter: Rng::new(match policy.seed {
                    Some(seed) => seed,
                    None => 0,
                }),
                shadow: Switch::new(policy.shadow),
                book: Book::NONE,
                counters: Counters::new(),
                timeout: policy.timeout,
                adaptive_timeout: optional!(policy.adaptive_timeout, AdaptiveTimeout::new),
                deadline: nanos(policy.deadline),
            }
        }
    }

    /// Admits a call, or refuses it; it does not wait for a slot.
    ///
    /// The call must be over by `deadline` and by the policy's own.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the pattern that refused and the time after which another try makes sense.
    #[inline]
    pub fn try_begin(&self, deadline: Deadline, now: Instant) -> Result<Call<'_, WAITERS, SLOTS>, Rejected> {
        if self.shadow.is_on() {
            return Ok(self.begin_in_shadow(deadline, now));
        }
        let (deadline, grant) = self.pass_limiter(deadline, now)?;
        let slot = match &self.bulkhead {
            None => None,
            Some(bulkhead) => match bulkhead.try_acquire(now) {
                Ok(slot) => Some(slot),
                Err(rejected) => return Err(self.refuse_slot(grant, rejected, now)),
            },
        };
        Ok(Call::new(self, grant, slot, deadline, now))
    }

    /// Admits a call, refuses it, or lets it wait for a slot for as long as the bulkhead allows.
    ///
    /// # Errors
    ///
    /// [`Rejected`], as [`Guard::try_begin`].
    #[inline]
    pub fn begin(&self, deadline: Deadline, now: Instant) -> Result<Begin<'_, WAITERS, SLOTS>, Rejected> {
        if self.shadow.is_on() {
            return Ok(Begin::Started(self.begin_in_shadow(deadline, now)));
        }
        let (deadline, grant) = self.pass_limiter(deadline, now)?;
        let Some(bulkhead) = &self.bulkhead else {
            return Ok(Begin::Started(Call::new(self, grant, None, deadline, now)));
        };
        match bulkhead.enqueue(1, now) {
            Ok(bulkhead::Entry::Admitted(slot)) => {
                Ok(Begin::Started(Call::new(self, grant, Some(slot), deadline, now)))
            }
            Ok(bulkhead::Entry::Waiting(waiter)) => {
                let waiter = Some(waiter);
                Ok(Begin::Waiting(Waiting { guard: self, grant, waiter, deadline, since: now }))
            }
            Err(rejected) => Err(self.refuse_slot(grant, rejected, now)),
        }
    }

    /// Takes the word of a pattern that stands before this guard into its books: what the pattern refused is counted here.
    ///
    /// In shadow mode it is counted as what would have been refused, and passes, without a permit.
    ///
    /// # Errors
    ///
    /// The refusal.
    ///
    /// # Examples
    ///
    /// ```
    /// use seawall_core::guard::{Admit, Guard, Pattern, Policy};
    /// use seawall_core::rate_limiter::{Quota, RateLimiter};
    /// use seawall_core::Instant;
    ///
    /// static NODE: RateLimiter = RateLimiter::new(Quota::per_second(1).burst(1));
    /// static UPLINK: Guard = Guard::new(Policy::new());
    ///
    /// let now = Instant::from_secs(1);
    /// let token = UPLINK.heed(Admit::try_acquire(&NODE, now)).unwrap();
    /// assert!(token.is_some() && UPLINK.heed(Admit::try_acquire(&NODE, now)).is_err());
    /// assert_eq!(UPLINK.stats().rejected_by(Pattern::RateLimiter), 1);
    /// ```
    pub fn heed<T>(&self, said: Result<T, Rejected>) -> Result<Option<T>, Rejected> {
        match said {
            Ok(permit) => Ok(Some(permit)),
            Err(rejected) if self.shadow.is_on() => {
                self.counters.would_reject(rejected.pattern());
                Ok(None)
            }
            Err(rejected) => Err(self.refuse(rejected)),
        }
    }

    /// The time of one attempt as it was learned, if the policy says so.
    pub const fn adaptive_timeout(&self) -> Option<&AdaptiveTimeout> {
        self.adaptive_timeout.as_ref()
    }

    /// The fixed time of one attempt.
    pub const fn timeout(&self) -> &Timeout {
        &self.timeout
    }

    /// The time of a whole call; [`Duration::MAX`] if there is no limit.
    pub const fn deadline(&self) -> Duration {
        without_end(self.deadline)
    }

    /// The rate limiter, if the policy has one.
    pub const fn limiter(&self) -> Option<&RateLimiter> {
        self.limiter.as_ref()
    }

    /// The bulkhead, if the policy has one.
    pub const fn bulkhead(&self) -> Option<&Bulkhead<WAITERS>> {
        self.bulkhead.as_ref()
    }

    /// The circuit breaker, if the policy has one. Transitions made by hand are counted with [`Guard::note`].
    pub const fn breaker(&self) -> Option<&CircuitBreaker<SLOTS>> {
        self.breaker.as_ref()
    }

    /// The retry budget.
    pub const fn retry(&self) -> &Retry {
        &self.retry
    }

    /// The error budget, if the policy has one.
    pub const fn error_budget(&self) -> Option<&ErrorBudget<SLOTS>> {
        self.error_budget.as_ref()
    }

    /// What was counted so far. Each number is exact; numbers of calls that run meanwhile may be of different moments.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Turns shadow mode on or off for calls that begin from now on, and says whether it was on.
    pub fn set_shadow(&self, on: bool) -> bool {
        self.shadow.set(on)
    }

    /// Whether calls that begin now are only watched.
    pub fn is_shadow(&self) -> bool {
        self.shadow.is_on()
    }

    /// Counts a transition that was made by hand; [`Guard::note_at`] writes it to the guard's ring, too.
    pub fn note(&self, transition: Transition) {
        self.counters.transition(transition);
    }

    /// What stands before the bulkhead: the deadline, the breaker's word if it is open, and the rate limit.
    #[inline]
    fn pass_limiter(&self, deadline: Deadline, now: Instant) -> Result<(Deadline, Option<Grant>), Rejected> {
        let deadline = Deadline::after(now, Duration::from_nanos(self.deadline)).min(deadline);
        if deadline.is_expired(now) {
            return Err(self.refuse(Rejected::DeadlineExpired));
        }
        if let Some(Err(rejected)) = self.breaker.as_ref().map(|breaker| breaker.check(now)) {
            // The order of the patterns holds for what the caller is told, too.
            if let Some(Err(limited)) = self.limiter.as_ref().map(|limiter| Admit::check(limiter, now)) {
                return Err(self.refuse(limited));
            }
            return Err(self.refuse(Rejected::CircuitBreaker(rejected)));
        }
        let grant = match &self.limiter {
            None => None,
            Some(limiter) => match limiter.try_acquire(now) {
                Ok(grant) => Some(grant),
                Err(rejected) => return Err(self.refuse(Rejected::RateLimiter(rejected))),
            },
        };
        Ok((deadline, grant))
    }

    #[cold]
    fn refuse_slot(&self, grant: Option<Grant>, rejected: bulkhead::Rejected, now: Instant) -> Rejected {
        if !mutant!("guard_keeps_the_token_of_a_call_without_a_slot") {
            self.refund(grant, now);
        }
        self.refuse(Rejected::Bulkhead(rejected))
    }

    fn refund(&self, grant: Option<Grant>, now: Instant) {
        if let (Some(limiter), Some(grant)) = (&self.limiter, grant) {
            limiter.refund(grant, now);
        }
    }

    fn undo(&self, grant: Option<Grant>) {
        if let (Some(limiter), Some(grant)) = (&self.limiter, grant) {
            limiter.undo(grant);
        }
    }

    fn refuse(&self, rejected: Rejected) -> Rejected {
        self.counters.rejected(&rejected);
        rejected
    }
}

impl<const WAITERS: usize, const SLOTS: usize> fmt::Debug for Guard<WAITERS, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("limiter", &self.limiter)
            .field("breaker", &self.breaker)
            .field("retry", &self.retry)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
