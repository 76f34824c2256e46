//! Keeps the account of a promise about latency: how many calls may still be slow?
//!
//! The promise says which share of the calls takes no longer than the target: "95 % within 100 ms".
//! A call that takes longer is a violation, and violations spend the budget of the rest, as failures spend an
//! [`error_budget`]. Failed calls are for that one; whether they count here too is for the caller to
//! say. It refuses nothing by itself.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::health::latency_budget::{Config, Edge, LatencyBudget};
//! use seawall_core::{Instant, Ratio};
//!
//! const TARGET: Duration = Duration::from_millis(100);
//! static SEND: LatencyBudget = LatencyBudget::new(
//!     Config::new(Ratio::percent(95), TARGET, Duration::from_secs(60)).minimum_calls(2),
//! );
//!
//! assert_eq!(SEND.record(TARGET, Instant::from_secs(1)), None);
//! assert_eq!(SEND.record(TARGET * 2, Instant::from_secs(2)), Some(Edge::Exhausted));
//! let seen = SEND.snapshot(Instant::from_secs(2));
//! assert_eq!((seen.calls, seen.violations), (2, 1));
//! assert!(seen.latency.unwrap() >= TARGET * 2);
//! assert_eq!(SEND.check(Instant::from_secs(62)), Some(Edge::Recovered));
//! ```
//!
//! # States
//!
//! ```text
//!            1
//! within ────────► exhausted
//!    ▲       2        │
//!    └────────────────┘
//! ```
//!
//! 1: `record`, `check` – at least the minimum of calls, and the share of calls within the target is below what was
//! promised; that is, the promised percentile is above the target.
//! 2: `record`, `check` – not so. A latency that equals the target is within it.
//!
//! # Memory layout
//!
//! An [`ErrorBudget`] whose failures are the violations, and a [`RotatingHistogram`] of microseconds for the figure that
//! is shown; no word of its own. By default the histogram reaches to a minute, to one part in 16: 9 KiB (64-bit host).
//!
//! # Ordering
//!
//! That of [`error_budget`]: each edge is told to one caller, and edges alternate.
//! The histogram takes part in no decision.
//!
//! # Progress
//!
//! Lock-free: an exchange is repeated only if another edge came.
//!
//! # Trade-offs
//!
//! The decision is exact: it compares each latency with the target, and counts.
//! The percentile in a [`Snapshot`] is that of the histogram, above the true one by less than its relative error, and of
//! the last half to whole span; so near the target it may seem to contradict the decision, which is what holds.
//!
//! # Cost
//!
//! Of a `record`: those of [`ErrorBudget::record`] and [`RotatingHistogram::record`]; asserted by the tests.

use core::fmt;
use core::time::Duration;

use crate::config::ConfigError;
use crate::health::error_budget::{self, ErrorBudget};
use crate::measure::histogram::buckets_for;
use crate::measure::rotating::RotatingHistogram;
use crate::ratio::Ratio;
use crate::time::Instant;

pub use crate::health::error_budget::Edge;

/// The buckets of a histogram of microseconds up to a minute, to one part in 16.
pub const BUCKETS_TO_A_MINUTE: usize = buckets_for(4, 60_000_000);

/// The configuration of a [`LatencyBudget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    target: Duration,
    span: Duration,
    budget: error_budget::Config,
}

impl Config {
    /// The promise that `share` of the calls within `span` take `target` at most.
    ///
    /// The least number of calls to judge by is the one of which the promise lets one be slow: 20 for 95 %.
    /// For a promise of 100 % it is 1.
    pub const fn new(share: Ratio, target: Duration, span: Duration) -> Self {
        Self { target, span, budget: error_budget::Config::new(share, span) }
    }

    /// With fewer than `n` calls in the span the budget is not exhausted, however slow they were.
    #[must_use = "the configuration is returned"]
    pub const fn minimum_calls(mut self, n: u32) -> Self {
        self.budget = self.budget.minimum_calls(n);
        self
    }
}

/// The account of one moment.
///
/// Every number of it but the percentile follows from one reading of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The calls in the span.
    pub calls: u32,
    /// Those that took longer than the target.
    pub violations: u32,
    /// How many of the calls may, rounded down.
    pub allowed_violations: u32,
    /// The share of calls within the target; the whole if there were none.
    pub compliance: Ratio,
    /// The share of the budget that is left.
    pub remaining: Ratio,
    /// How much of the budget is spent, in millionths: more than a million if it is overspent, and at most `u32::MAX`.
    pub spent_millionths: u32,
    /// Whether the promise is broken, by at least the minimum of calls.
    pub exhausted: bool,
    /// The latency that the promised share of the recent calls did not exceed; `None` if there were none.
    pub latency: Option<Duration>,
}

/// The budget of a promise about latency over a rolling window; see the [module](self).
///
/// `PRECISION` and `BUCKETS` are those of the [histogram](crate::measure::histogram) of microseconds, `SLOTS` is the
/// number of buckets of the [window](crate::measure::window).
pub struct LatencyBudget<
    const PRECISION: u32 = 4,
    const BUCKETS: usize = BUCKETS_TO_A_MINUTE,
    const SLOTS: usize = 10,
> {
    target: Duration,
    budget: ErrorBudget<SLOTS>,
    micros: RotatingHistogram<PRECISION, BUCKETS>,
}

impl<const PRECISION: u32, const BUCKETS: usize, const SLOTS: usize>
    LatencyBudget<PRECISION, BUCKETS, SLOTS>
{
    const_fn! {
        /// A budget of which nothing is spent.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "latency_budget")
        }
    }

    const_fn! {
        /// A budget of which nothing is spent.
        ///
        /// # Errors
        ///
        /// If there is no slot, the slots do not divide the span, or it is less than two nanoseconds.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            let budget = match ErrorBudget::try_new(config.budget) {
                Ok(budget) => budget,
                Err(error) => return Err(ConfigError::new("latency_budget.span", error.bound)),
            };
            match RotatingHistogram::try_new(config.span) {
                Ok(micros) => Ok(Self { target: config.target, budget, micros }),
                Err(error) => Err(ConfigError::new("latency_budget.span", error.bound)),
            }
        }
    }

    /// Counts a call that took `latency`, and says if it took the budget over the line.
    ///
    /// # Complexity
    ///
    /// O(1) under steady traffic, O(`SLOTS` + `BUCKETS`) at worst.
    #[inline]
    pub fn record(&self, latency: Duration, now: Instant) -> Option<Edge> {
        self.micros.record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), now);
        self.budget.record(latency <= self.target, now)
    }

    /// Says if time took the budget over the line; a caller who wants to hear of it while nothing is called asks now and
    /// then.
    ///
    /// # Complexity
    ///
    /// That of [`ErrorBudget::check`].
    #[inline]
    pub fn check(&self, now: Instant) -> Option<Edge> {
        self.budget.check(now)
    }

    /// Whether the promise is broken at `now`, by at least the minimum of calls.
    ///
    /// # Complexity
    ///
    /// That of [`ErrorBudget::is_exhausted`].
    #[inline]
    pub fn is_exhausted(&self, now: Instant) -> bool {
        self.budget.is_exhausted(now)
    }

    /// The latency that `share` of the recent calls did not exceed; `None` if there were none.
    ///
    /// # Complexity
    ///
    /// O(`BUCKETS`).
    pub fn percentile(&self, share: Ratio, now: Instant) -> Option<Duration> {
        self.micros.percentile(share, now).map(Duration::from_micros)
    }

    /// The account at `now`.
    ///
    /// # Complexity
    ///
    /// O(`SLOTS` + `BUCKETS`).
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let account = self.budget.snapshot(now);
        Snapshot {
            calls: account.calls,
            violations: account.failures,
            allowed_violations: account.allowed_failures,
            compliance: account.availability,
            remaining: account.remaining,
            spent_millionths: account.spent_millionths,
            exhausted: account.exhausted,
            latency: self.percentile(self.share(), now),
        }
    }

    /// The latency that a call should not exceed.
    pub const fn target(&self) -> Duration {
        self.target
    }

    /// The share of calls that is to keep the target.
    pub const fn share(&self) -> Ratio {
        self.budget.objective()
    }
}

impl<const PRECISION: u32, const BUCKETS: usize, const SLOTS: usize> fmt::Debug
    for LatencyBudget<PRECISION, BUCKETS, SLOTS>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatencyBudget")
            .field("target", &self.target)
            .field("budget", &self.budget)
            .field("micros", &self.micros)
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
