//! Keeps the account of a service level objective: how many failures are left to spend?
//!
//! The objective says which share of calls succeeds; the rest is the budget that failures spend.
//! It is exhausted when the share of successes over the rolling window falls below the objective, and recovers when the
//! failures have left the window; it refuses nothing by itself.
//! How fast the budget is being spent is what [`burn_rate`](super::burn_rate) looks at; for a pattern that stops calls see
//! [`circuit_breaker`](crate::admission::circuit_breaker).
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::health::error_budget::{Config, Edge, ErrorBudget};
//! use seawall_core::{Instant, Ratio};
//!
//! static SEND: ErrorBudget = ErrorBudget::new(
//!     Config::new(Ratio::percent(90), Duration::from_secs(60)).minimum_calls(2),
//! );
//!
//! assert_eq!(SEND.record(true, Instant::from_secs(1)), None);
//! assert_eq!(SEND.record(false, Instant::from_secs(2)), Some(Edge::Exhausted));
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
//! 1: `record`, `check` – at least the minimum of calls, and the share of successes is below the objective.
//! 2: `record`, `check` – not so. An objective that is met exactly is met.
//!
//! # Memory layout
//!
//! ```text
//! 31 …… 1 EDGES │ 0 EXHAUSTED
//! ```
//!
//! One word besides the [window](crate::measure::window) and the configuration: 328 bytes for ten slots (64-bit host).
//! The edges wrap after 2³¹.
//!
//! # Ordering
//!
//! (a) The word is where threads agree on the state: each edge is one exchange, told to one caller, and edges alternate.
//! (b) The sums are read after the word and before the exchange, which fails if another edge came in between.
//! (c) Between the last event and the next call the word may lag behind the sums, if two calls overlapped;
//! [`is_exhausted`](ErrorBudget::is_exhausted) and [`snapshot`](ErrorBudget::snapshot) look at the sums and never lag.
//! (d) The number of edges keeps an exchange from succeeding on an old state, but for a wrap in between.
//! (e) Loom: `loom-tests/tests/error_budget.rs`.
//!
//! # Progress
//!
//! Lock-free: an exchange is repeated only if another edge came.
//!
//! # Trade-offs
//!
//! The window moves by whole buckets, and its sums hold below 2³² calls of a kind; a span with more of them wants a
//! budget for each shard.
//!
//! # Cost
//!
//! Of a `record` without an edge: that of [`Window::record`] and one load; asserted by the tests.

use core::fmt;
use core::time::Duration;

use crate::atomic::word::{Packed, Word};
use crate::config::ConfigError;
use crate::measure::window::{Sample, Span, Totals, Window};
use crate::ratio::Ratio;
use crate::time::Instant;

const MILLION: u32 = 1_000_000;

/// The configuration of an [`ErrorBudget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    objective: Ratio,
    span: Duration,
    minimum_calls: u32,
}

wire_struct!(Config { objective, span, minimum_calls });

impl Config {
    /// The objective that `objective` of the calls within `span` succeed.
    ///
    /// The least number of calls to judge by is the one of which the objective lets one fail: 1000 for 99.9 %.
    /// For an objective of 100 % it is 1.
    pub const fn new(objective: Ratio, span: Duration) -> Self {
        let spare = objective.complement();
        let minimum_calls = match spare.numerator() {
            0 => 1,
            parts => spare.denominator().div_ceil(parts),
        };
        Self { objective, span, minimum_calls }
    }

    /// With fewer than `n` calls in the window the budget is not exhausted, whatever failed.
    #[must_use = "the configuration is returned"]
    pub const fn minimum_calls(mut self, n: u32) -> Self {
        self.minimum_calls = n;
        self
    }

    /// The share of calls that is to succeed.
    pub const fn objective(&self) -> Ratio {
        self.objective
    }

    /// The span over which calls are counted.
    pub const fn span(&self) -> Duration {
        self.span
    }
}

/// The budget crossed the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The objective is no longer met.
    Exhausted,
    /// The objective is met again, or there are too few calls to say that it is not.
    Recovered,
}

/// The account of one moment: every number of it follows from one reading of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The calls in the window.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// How many of the calls may fail, rounded down.
    pub allowed_failures: u32,
    /// The share of calls that succeeded; the whole if there were none.
    pub availability: Ratio,
    /// The share of the budget that is left.
    pub remaining: Ratio,
    /// How much of the budget is spent, in millionths: more than a million if it is overspent, and at most `u32::MAX`.
    pub spent_millionths: u32,
    /// Whether the objective is missed, by at least the minimum of calls.
    pub exhausted: bool,
}

/// What the word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(u32);

impl State {
    const EXHAUSTED: u32 = 1;
    const ONE_EDGE: u32 = 2;

    pub(super) const fn is_exhausted(self) -> bool {
        self.0 & Self::EXHAUSTED != 0
    }

    /// The other side of the line.
    pub(super) const fn cross(self) -> Self {
        Self(self.0.wrapping_add(Self::ONE_EDGE) ^ Self::EXHAUSTED)
    }
}

impl Packed for State {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self(raw)
    }

    fn pack(self) -> u32 {
        self.0
    }
}

/// The error budget of a service level objective over a rolling window; see the [module](self).
pub struct ErrorBudget<const SLOTS: usize = 10> {
    config: Config,
    state: Word,
    window: Window<SLOTS>,
}

impl<const SLOTS: usize> ErrorBudget<SLOTS> {
    const_fn! {
        /// A budget of which nothing is spent.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "error_budget")
        }
    }

    const_fn! {
        /// A budget of which nothing is spent.
        ///
        /// # Errors
        ///
        /// If there is no slot, or the slots do not divide the span.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            require!(SLOTS > 0, "error_budget.span", "counted by at least one slot");
            match Window::try_new(Span::time(config.span)) {
                Ok(window) => Ok(Self { config, state: Word::new(0), window }),
                Err(error) => Err(ConfigError::new("error_budget.span", error.bound)),
            }
        }
    }

    /// Counts a call, and says if it took the budget over the line.
    ///
    /// # Complexity
    ///
    /// That of [`Window::record`].
    #[inline]
    pub fn record(&self, success: bool, now: Instant) -> Option<Edge> {
        self.cross(self.window.count_and_watch(if success { Sample::SUCCESS } else { Sample::FAILURE }, now))
    }

    /// Says if time took the budget over the line; a caller who wants to hear of it while nothing is called asks now and
    /// then.
    ///
    /// # Complexity
    ///
    /// That of [`Window::totals`].
    #[inline]
    pub fn check(&self, now: Instant) -> Option<Edge> {
        self.cross(|| self.window.totals(now))
    }

    /// Crosses the line if it lies between the state and the sums.
    #[inline]
    fn cross(&self, totals: impl Fn() -> Totals) -> Option<Edge> {
        let is_exhausted = || self.config.is_exhausted_by(totals());
        if mutant!("error_budget_edge_in_two_steps") {
            let before: State = self.state.load();
            let exhausted = is_exhausted();
            if before.is_exhausted() == exhausted {
                return None;
            }
            self.state.transition(|state: State| (Some(state.cross()), ()));
            return Some(Edge::to(exhausted));
        }
        self.state.transition(|state: State| {
            let exhausted = is_exhausted();
            if state.is_exhausted() == exhausted {
                (None, None)
            } else {
                (Some(state.cross()), Some(Edge::to(exhausted)))
            }
        })
    }

    /// Whether the objective is missed at `now`, by at least the minimum of calls.
    ///
    /// # Complexity
    ///
    /// That of [`Window::totals`].
    #[inline]
    pub fn is_exhausted(&self, now: Instant) -> bool {
        self.config.is_exhausted_by(self.window.totals(now))
    }

    /// The account at `now`.
    ///
    /// # Complexity
    ///
    /// That of [`Window::totals`].
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        self.config.account(self.window.totals(now))
    }

    /// Forgets every call, and says if that took the budget over the line.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn reset(&self, now: Instant) -> Option<Edge> {
        self.window.clear(now);
        self.check(now)
    }

    /// The share of calls that is to succeed.
    pub const fn objective(&self) -> Ratio {
        self.config.objective
    }
}

impl Edge {
    const fn to(exhausted: bool) -> Self {
        if exhausted { Self::Exhausted } else { Self::Recovered }
    }
}

impl Config {
    #[inline]
    const fn is_exhausted_by(&self, totals: Totals) -> bool {
        let successes = totals.calls - totals.failures;
        totals.calls >= self.minimum_calls && !self.objective.is_reached_by(successes, totals.calls)
    }

    fn account(&self, totals: Totals) -> Snapshot {
        let Totals { calls, failures, .. } = totals;
        let spare = self.objective.complement();
        // Both fit 64 bits, being products of two 32-bit numbers.
        let budget = u64::from(calls) * u64::from(spare.numerator());
        let spent = u64::from(failures) * u64::from(spare.denominator());
        let spent_millionths = match (spent, budget) {
            (0, _) => 0,
            (_, 0) => u32::MAX,
            _ => {
                let exact = u128::from(spent) * u128::from(MILLION) / u128::from(budget);
                u32::try_from(exact).unwrap_or(u32::MAX)
            }
        };
        Snapshot {
            calls,
            failures,
            allowed_failures: spare.of(calls),
            availability: Ratio::try_new(calls - failures, calls).unwrap_or(Ratio::ONE),
            remaining: Ratio::per_million(MILLION.saturating_sub(spent_millionths)),
            spent_millionths,
            exhausted: self.is_exhausted_by(totals),
        }
    }
}

impl<const SLOTS: usize> fmt::Debug for ErrorBudget<SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: State = self.state.load();
        f.debug_struct("ErrorBudget")
            .field("config", &self.config)
            .field("exhausted", &state.is_exhausted())
            .field("window", &self.window)
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
