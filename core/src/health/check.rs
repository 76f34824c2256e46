//! Is a dependency healthy, by the results of its checks?
//!
//! One result proves little: so many successes in a row make it healthy, so many failures in a row unhealthy, and silence
//! makes it unknown. A success rate over a window can be asked for besides.
//! It runs no check; the caller does, with a timeout of its own, and reports the result.
//! For several dependencies as one see [`composite`](super::composite), for a measured value
//! [`threshold`](super::threshold), for calls that are to stop
//! [`circuit_breaker`](crate::admission::circuit_breaker).
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::health::check::{Config, HealthCheck, Status};
//! use seawall_core::Instant;
//!
//! static STORE: HealthCheck =
//!     HealthCheck::new(Config::new().rise(1).fall(2).stale_after(Duration::from_secs(30)));
//!
//! let at = Instant::from_secs;
//! assert_eq!(STORE.status(at(0)), Status::Unknown);
//! // A check began at 1 s and succeeded at 2 s.
//! assert_eq!(STORE.record(true, at(1), at(2)).unwrap().to, Status::Healthy);
//! assert_eq!(STORE.record(false, at(11), at(12)), None);
//! assert_eq!(STORE.record(false, at(21), at(22)).unwrap().to, Status::Unhealthy);
//! assert_eq!(STORE.status(at(51)), Status::Unknown);
//! ```
//!
//! # States
//!
//! ```text
//!             1
//!   ┌──────────────────► healthy ──┐
//!   │              1 ▲     │ 2     │ 3
//! unknown ◄──────────┼─────┼───────┤
//!   │      2         │     ▼       │ 3
//!   └──────────────────► unhealthy ┘
//! ```
//!
//! 1: `record` – enough successes in a row, and the success rate is not too low.
//! 2: `record` – enough failures in a row, or the success rate is too low.
//! 3: `expire`, `record` – the newest check began too long ago; `reset`.
//!
//! Results follow the order in which their checks *began*: a result of a check that began before the newest one that
//! was recorded is late, and takes part in the success rate only.
//! Of two that began at the same tick both count. A check that began as long ago as makes a result stale counts nowhere.
//! In a row is counted anew once the status is unknown.
//!
//! # Memory layout
//!
//! ```text
//! 64 bits:  BEGAN 53 │ STREAK 8 │ FAILED 1 │ PHASE 2        32 bits:  BEGAN 21 │ STREAK 8 │ FAILED 1 │ PHASE 2
//! ```
//!
//! BEGAN is when the newest check began, in ticks: 1, 2 or 5 times a power of ten of nanoseconds, the smallest for which
//! the time to become stale is at most 2⁴⁸ ticks (2¹⁴ on 32 bits). So it is exact to the nanosecond where stale is up to
//! three days on 64 bits; on 32 bits order and staleness are known to one part in 6500 of that time.
//!
//! Ticks wrap after 32 times the time to become stale at least (128 times on 32 bits; 104 days for ticks of a nanosecond).
//! If for a whole wrap nothing was recorded and [`expire`](HealthCheck::expire) not called, [`status`](HealthCheck::status)
//! may say once in each wrap what held before, for at most twice the time to become stale; and one result may be
//! taken for late. Whoever calls `expire` now and then never meets this: it keeps what it found.
//!
//! 168 bytes without slots (64-bit host), most of which are the configuration and an empty window.
//!
//! # Ordering
//!
//! (a) The word is where threads agree on status, row and order: every edge is one exchange, told to one caller, and what
//! it tells is true of that exchange.
//! (b) The success rate is read after the word and before the exchange, which fails if another result came in between.
//! (c) Two callers who were each told an edge may act on them in either order; [`status`](HealthCheck::status) is what
//! holds. (d) For the wrap of the ticks see above. (e) Loom: `loom-tests/tests/health_check.rs`.
//!
//! # Progress
//!
//! Lock-free: an exchange is repeated only if another result was recorded.
//!
//! # Trade-offs
//!
//! *The clock steps back.* A newest check that began after now cannot make others late: results count at once, in the new
//! time. The status is kept for a step of up to the time to become stale, and unknown after a longer one until the next
//! result.
//! Rows are counted up to 255.
//!
//! # Cost
//!
//! `status`: one load. `record`: one load and one exchange, and those of [`Window::record`] if there are slots; asserted
//! by the tests.

mod config;
mod state;

use core::fmt;
use core::time::Duration;

pub use config::Config;
use state::{Phase, Row, State, Ticks};

use crate::atomic::word::WideWord;
use crate::config::ConfigError;
use crate::health::degradation::Level;
use crate::measure::window::{Sample, Totals, Window};
use crate::time::{Instant, nanos};

/// What is known of a dependency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// Nothing: there was no check yet, too few of them, or none for too long.
    #[default]
    Unknown,
    /// It works.
    Healthy,
    /// It does not work.
    Unhealthy,
}

impl Status {
    /// Whether it is known to work.
    pub const fn is_healthy(self) -> bool {
        matches!(self, Self::Healthy)
    }

    /// What to report to a [`Degradation`](super::degradation::Degradation): `unhealthy` if it is known not to work, and
    /// normal otherwise.
    ///
    /// What is unknown degrades nothing here; a service that must not trust it reports a level of its own.
    #[must_use = "the level is returned"]
    pub const fn level(self, unhealthy: Level) -> Level {
        match self {
            Self::Unhealthy => unhealthy,
            Self::Unknown | Self::Healthy => Level::Normal,
        }
    }

    /// The status's name, as in metrics: `unhealthy`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a status changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// So many checks in a row succeeded.
    Successes(u32),
    /// So many checks in a row failed.
    Failures(u32),
    /// Too few of the results in the window are successes.
    SuccessRate {
        /// The successes in the window.
        successes: u32,
        /// All results in the window.
        results: u32,
    },
    /// No check began for too long.
    Stale,
    /// By hand.
    Reset,
}

/// The status changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transition {
    /// The status before.
    pub from: Status,
    /// The status since.
    pub to: Status,
    /// Why.
    pub cause: Cause,
}

/// What is known at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The status.
    pub status: Status,
    /// The last successes in a row, at most 255.
    pub successes_in_row: u32,
    /// The last failures in a row, at most 255.
    pub failures_in_row: u32,
    /// How long ago the newest check began, to the tick; `None` if there was none, or none that is not stale.
    pub age: Option<Duration>,
    /// The results in the window.
    pub results: u32,
    /// Those that were failures.
    pub failures: u32,
}

/// The health of one dependency; `SLOTS` is the number of buckets of its window, 0 if no success rate is wanted.
///
/// The [module](self) has the states and an example.
pub struct HealthCheck<const SLOTS: usize = 0> {
    config: Config,
    ticks: Ticks,
    state: WideWord,
    window: Window<SLOTS>,
}

impl<const SLOTS: usize> HealthCheck<SLOTS> {
    const_fn! {
        /// A dependency of which nothing is known.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "health_check")
        }
    }

    const_fn! {
        /// A dependency of which nothing is known.
        ///
        /// # Errors
        ///
        /// If a threshold is not between 1 and 255, results are stale at once, a success rate is asked for without a
        /// slot, or the slots do not divide the window.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            if let Err(error) = config.check(SLOTS) {
                return Err(error);
            }
            match Window::try_new(config.span) {
                Ok(window) => Ok(Self {
                    config,
                    ticks: Ticks::new(nanos(config.stale_after)),
                    state: WideWord::new(0),
                    window,
                }),
                Err(error) => Err(ConfigError::new("health_check.window", error.bound)),
            }
        }
    }

    /// Counts the result of a check that began at `started`, and says if the status changed.
    ///
    /// # Complexity
    ///
    /// O(1), and that of [`Window::record`] if there are slots.
    pub fn record(&self, success: bool, started: Instant, now: Instant) -> Option<Transition> {
        let started = started.min(now);
        if nanos(now.saturating_since(started)) >= nanos(self.config.stale_after) {
            return self.expire(now);
        }
        self.window.record_only(if success { Sample::SUCCESS } else { Sample::FAILURE }, now);
        let step = |state: State| {
            if self.ticks.is_late(state, started, now) && !mutant!("health_check_any_order") {
                return (None, None);
            }
            let fresh = self.ticks.is_fresh(state, now);
            let row = if fresh { state.row } else { Row::NONE }.extend(success);
            let (phase, cause) = match self.verdict(row, now) {
                Some((phase, cause)) => (phase, cause),
                None if fresh => (state.phase.seen(), Cause::Stale),
                None => (Phase::Unknown, Cause::Stale),
            };
            let next = State { phase, row, began: self.ticks.of(started) };
            (Some(next), state.transition_to(next, cause))
        };
        if mutant!("health_check_record_in_two_steps") {
            let (next, transition) = step(self.state.load());
            self.state.transition(|_: State| (next, ()));
            return transition;
        }
        self.state.transition(step)
    }

    /// What the row and the success rate say, if they say anything.
    fn verdict(&self, row: Row, now: Instant) -> Option<(Phase, Cause)> {
        if let Some(cause) = self.low_rate(now) {
            Some((Phase::Unhealthy, cause))
        } else if row.failed && row.length >= self.config.fall {
            Some((Phase::Unhealthy, Cause::Failures(row.length)))
        } else if !row.failed && row.length >= self.config.rise {
            Some((Phase::Healthy, Cause::Successes(row.length)))
        } else {
            None
        }
    }

    fn low_rate(&self, now: Instant) -> Option<Cause> {
        let rule = self.config.success_rate?;
        let sums = self.window.totals(now);
        let calls = self.window.judged(rule.minimum_results, sums)?;
        let successes = calls - sums.failures;
        (!rule.minimum.is_reached_by(successes, calls))
            .then_some(Cause::SuccessRate { successes, results: calls })
    }

    /// Says if silence made the status unknown; a caller who wants to hear of it while no result comes asks now and then.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn expire(&self, now: Instant) -> Option<Transition> {
        let step = |state: State| {
            if state.phase == Phase::Unchecked || self.ticks.is_fresh(state, now) {
                return (None, None);
            }
            let next = State { phase: Phase::Unknown, row: Row::NONE, ..state };
            ((next != state).then_some(next), state.transition_to(next, Cause::Stale))
        };
        if mutant!("health_check_expire_in_two_steps") {
            let (next, transition) = step(self.state.load());
            self.state.transition(|_: State| (next, ()));
            return transition;
        }
        self.state.transition(step)
    }

    /// What is known at `now`.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub fn status(&self, now: Instant) -> Status {
        let state: State = self.state.load();
        if self.ticks.is_fresh(state, now) { state.phase.status() } else { Status::Unknown }
    }

    /// Whether it is known to work at `now`.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub fn is_healthy(&self, now: Instant) -> bool {
        self.status(now).is_healthy()
    }

    /// Everything that is known at `now`: the status and its row of one moment, and the window beside it.
    ///
    /// # Complexity
    ///
    /// That of [`Window::totals`].
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let state: State = self.state.load();
        let age = self.ticks.age(state, now);
        let (status, row) =
            if age.is_some() { (state.phase.status(), state.row) } else { (Status::Unknown, Row::NONE) };
        let Totals { calls, failures, .. } = self.window.totals(now);
        Snapshot {
            status,
            successes_in_row: if row.failed { 0 } else { row.length },
            failures_in_row: if row.failed { row.length } else { 0 },
            age: age.filter(|_| row.length > 0),
            results: calls,
            failures,
        }
    }

    /// Forgets every result, and says if the status changed.
    ///
    /// Checks that began before `now` are late from now on.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn reset(&self, now: Instant) -> Option<Transition> {
        self.window.clear(now);
        let next = State { phase: Phase::Unknown, row: Row::NONE, began: self.ticks.of(now) };
        self.state.transition(|state: State| (Some(next), state.transition_to(next, Cause::Reset)))
    }
}

impl<const SLOTS: usize> fmt::Debug for HealthCheck<SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: State = self.state.load();
        f.debug_struct("HealthCheck")
            .field("config", &self.config)
            .field("state", &state)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
