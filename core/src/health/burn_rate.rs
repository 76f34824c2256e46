//! Is the error budget being spent so fast that somebody should act?
//!
//! A burn rate of 1 spends the budget exactly over its period; 14.4 spends a month's budget in two days.
//! An alert is raised while the rate reaches a factor over a long window *and* over a short one: the long one keeps a
//! few failures from raising it, the short one clears it soon after they end (*The Site Reliability Workbook*, chapter 5).
//! For whether the budget is exhausted see [`error_budget`](super::error_budget). Users of several rules keep one of these
//! for each.
//!
//! # Examples
//!
//! ```
//! use seawall_core::health::burn_rate::{BurnRate, Config, Edge, Rule};
//! use seawall_core::{Instant, Ratio};
//!
//! // 14.4 times too fast over an hour and over five minutes.
//! static PAGE: BurnRate = BurnRate::new(Config::new(Ratio::percent(99), Rule::FAST).minimum_calls(10));
//!
//! let at = Instant::from_secs;
//! assert!((0..9).all(|_| PAGE.record(true, at(1)).is_none()));
//! assert_eq!(PAGE.record(false, at(2)), None, "ten times too fast");
//! assert_eq!(PAGE.record(false, at(3)), Some(Edge::Raised));
//! assert_eq!(PAGE.check(at(310)), Some(Edge::Cleared));
//! ```
//!
//! # States
//!
//! ```text
//!          1
//! calm ────────► raised
//!   ▲      2        │
//!   └───────────────┘
//! ```
//!
//! 1: `record`, `check` – at least the minimum of calls in the long window, and both rates reach the factor.
//! 2: `record`, `check` – not so. Without a failure nothing burns, whatever the objective.
//!
//! # Memory layout
//!
//! ```text
//! 31 …… 1 EDGES │ 0 RAISED
//! ```
//!
//! One word besides two [windows](crate::measure::window) and the configuration: 640 bytes for ten slots each (64-bit
//! host). The edges wrap after 2³¹.
//!
//! # Ordering
//!
//! (a) The word is where threads agree on the state: each edge is one exchange, told to one caller, and edges alternate.
//! (b) The sums are read after the word and before the exchange, which fails if another edge came in between.
//! (c) A call is counted in one window after the other, so for a moment they may differ by it.
//! (d) The number of edges keeps an exchange from succeeding on an old state, but for a wrap in between.
//! (e) Loom: `loom-tests/tests/burn_rate.rs`.
//!
//! # Progress
//!
//! Lock-free: an exchange is repeated only if another edge came.
//!
//! # Trade-offs
//!
//! The windows move by whole buckets. Sums hold below 2³² calls in the long window.
//!
//! # Cost
//!
//! Of a `record` without an edge: those of [`Window::record`] for both windows, and one load; asserted by the tests.
//! While the long window is below the factor, the sums of the short one are not read.

use core::fmt;
use core::time::Duration;

use super::error_budget::State;
use crate::atomic::word::Word;
use crate::config::ConfigError;
use crate::measure::window::{Sample, Span, Totals, Window};
use crate::ratio::Ratio;
use crate::time::{Instant, nanos};

/// How fast is too fast, and over which two windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    factor_tenths: u32,
    long: Duration,
    short: Duration,
}

impl Rule {
    /// 14.4 over an hour and five minutes: a fiftieth of a month's budget in an hour.
    pub const FAST: Self = Self::tenths(144, Duration::from_secs(3_600));
    /// 6 over six hours and half an hour: a twentieth of a month's budget in six hours.
    pub const MEDIUM: Self = Self::tenths(60, Duration::from_secs(6 * 3_600));
    /// 1 over three days and six hours: a tenth of a month's budget in three days.
    pub const SLOW: Self = Self::tenths(10, Duration::from_secs(72 * 3_600));

    /// So many tenths over `long`, and over a twelfth of it.
    pub const fn tenths(factor_tenths: u32, long: Duration) -> Self {
        Self { factor_tenths, long, short: Duration::from_nanos(nanos(long) / 12) }
    }

    /// Takes another short window.
    #[must_use = "the rule is returned"]
    pub const fn short(mut self, short: Duration) -> Self {
        self.short = short;
        self
    }
}

/// The configuration of a [`BurnRate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    objective: Ratio,
    rule: Rule,
    minimum_calls: u32,
}

impl Config {
    /// The rule for the budget that the objective leaves: that `objective` of the calls succeed.
    ///
    /// The least number of calls in the long window to judge by is the one of which the objective lets one fail: 1000 for
    /// 99.9 %. For an objective of 100 % it is 1.
    pub const fn new(objective: Ratio, rule: Rule) -> Self {
        let spare = objective.complement();
        let minimum_calls = match spare.numerator() {
            0 => 1,
            parts => spare.denominator().div_ceil(parts),
        };
        Self { objective, rule, minimum_calls }
    }

    /// With fewer than `n` calls in the long window no alert is raised.
    #[must_use = "the configuration is returned"]
    pub const fn minimum_calls(mut self, n: u32) -> Self {
        self.minimum_calls = n;
        self
    }

    /// Whether this many failures of this many calls reach the factor.
    const fn is_too_fast(&self, Totals { calls, failures, .. }: Totals) -> bool {
        let spare = self.objective.complement();
        // Each side is a product of three numbers of 32 bits.
        let burnt = failures as u128 * spare.denominator() as u128 * 10;
        let allowed = calls as u128 * spare.numerator() as u128 * self.rule.factor_tenths as u128;
        failures > 0 && burnt >= allowed
    }

    /// The burn rate in thousandths, at most `u32::MAX`.
    fn thousandths(&self, Totals { calls, failures, .. }: Totals) -> u32 {
        let spare = self.objective.complement();
        let burnt = u128::from(failures) * u128::from(spare.denominator()) * 1_000;
        let budget = u128::from(calls) * u128::from(spare.numerator());
        match (burnt, budget) {
            (0, _) => 0,
            (_, 0) => u32::MAX,
            _ => u32::try_from(burnt / budget).unwrap_or(u32::MAX),
        }
    }
}

/// The alert crossed the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The budget burns too fast.
    Raised,
    /// It does no longer.
    Cleared,
}

/// The rates of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The calls in the long window.
    pub calls: u32,
    /// The burn rate over the long window in thousandths, at most `u32::MAX`.
    pub long_thousandths: u32,
    /// The burn rate over the short window in thousandths, at most `u32::MAX`.
    pub short_thousandths: u32,
    /// Whether both are too fast, by at least the minimum of calls.
    pub raised: bool,
}

/// The alert of one rule; see the [module](self).
pub struct BurnRate<const SLOTS: usize = 10> {
    config: Config,
    state: Word,
    long: Window<SLOTS>,
    short: Window<SLOTS>,
}

impl<const SLOTS: usize> BurnRate<SLOTS> {
    const_fn! {
        /// An alert that is not raised.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "burn_rate")
        }
    }

    const_fn! {
        /// An alert that is not raised.
        ///
        /// # Errors
        ///
        /// If there is no slot, the slots do not divide both windows, the short one is longer than the long one, or the factor is
        /// zero.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            let rule = config.rule;
            require!(SLOTS > 0, "burn_rate.long", "counted by at least one slot");
            require!(rule.factor_tenths > 0, "burn_rate.factor_tenths", "greater than zero");
            require!(
                rule.short.as_nanos() <= rule.long.as_nanos(),
                "burn_rate.short",
                "at most the long window"
            );
            let long = match Window::try_new(Span::time(rule.long)) {
                Ok(window) => window,
                Err(error) => return Err(ConfigError::new("burn_rate.long", error.bound)),
            };
            match Window::try_new(Span::time(rule.short)) {
                Ok(short) => Ok(Self { config, state: Word::new(0), long, short }),
                Err(error) => Err(ConfigError::new("burn_rate.short", error.bound)),
            }
        }
    }

    /// Counts a call, and says if it raised or cleared the alert.
    ///
    /// # Complexity
    ///
    /// That of [`Window::record`].
    #[inline]
    pub fn record(&self, success: bool, now: Instant) -> Option<Edge> {
        let sample = if success { Sample::SUCCESS } else { Sample::FAILURE };
        self.long.record_only(sample, now);
        self.short.record_only(sample, now);
        self.check(now)
    }

    /// Says if time raised or cleared the alert; a caller who wants to hear of it while nothing is called asks now and
    /// then.
    ///
    /// # Complexity
    ///
    /// That of [`Window::totals`].
    #[inline]
    pub fn check(&self, now: Instant) -> Option<Edge> {
        if mutant!("burn_rate_edge_in_two_steps") {
            let before: State = self.state.load();
            let raised = self.is_raised(now);
            if before.is_exhausted() == raised {
                return None;
            }
            self.state.transition(|state: State| (Some(state.cross()), ()));
            return Some(Edge::to(raised));
        }
        self.state.transition(|state: State| {
            let raised = self.is_raised(now);
            if state.is_exhausted() == raised {
                (None, None)
            } else {
                (Some(state.cross()), Some(Edge::to(raised)))
            }
        })
    }

    /// Whether the budget burns too fast at `now`.
    ///
    /// # Complexity
    ///
    /// That of [`Window::totals`].
    #[inline]
    pub fn is_raised(&self, now: Instant) -> bool {
        let long = self.long.totals(now);
        long.calls >= self.config.minimum_calls
            && self.config.is_too_fast(long)
            && self.config.is_too_fast(self.short.totals(now))
    }

    /// The rates at `now`.
    ///
    /// # Complexity
    ///
    /// That of [`Window::totals`].
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let (long, short) = (self.long.totals(now), self.short.totals(now));
        Snapshot {
            calls: long.calls,
            long_thousandths: self.config.thousandths(long),
            short_thousandths: self.config.thousandths(short),
            raised: long.calls >= self.config.minimum_calls
                && self.config.is_too_fast(long)
                && self.config.is_too_fast(short),
        }
    }
}

impl Edge {
    const fn to(raised: bool) -> Self {
        if raised { Self::Raised } else { Self::Cleared }
    }
}

impl<const SLOTS: usize> fmt::Debug for BurnRate<SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: State = self.state.load();
        f.debug_struct("BurnRate")
            .field("config", &self.config)
            .field("raised", &state.is_exhausted())
            .field("long", &self.long)
            .field("short", &self.short)
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
