//! What drives a component's level of degradation: a health check, a budget, an anomaly, or any reading of a level.
//!
//! A pattern that watches says how things are; a driver turns that into the level of one component of a
//! [`Degradation`], at once or after some readings in a row when it gets worse, and after a calm time when it gets better.
//! Nothing is driven unless a driver is asked to: each of the original's triggers (a budget that is exhausted, a failed
//! health check, a high error rate, a high latency) is one call.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::check::{self, HealthCheck};
//! use seawall_core::degradation::{Component, Degradation, Level};
//! use seawall_core::driver::{Config, Driver};
//! use seawall_core::Instant;
//!
//! static SERVICE: Degradation = Degradation::new();
//! static STORE: HealthCheck = HealthCheck::new(check::Config::new().rise(1).fall(2));
//! static DRIVER: Driver = Driver::new(
//!     Config::new(Component::new(0)).worst(Level::SeverelyDegraded).calm_for(Duration::from_secs(10)),
//! );
//!
//! let checked = |success, secs| {
//!     let now = Instant::from_secs(secs);
//!     STORE.record(success, now, now);
//!     DRIVER.observe(&STORE, &SERVICE, now);
//!     SERVICE.level()
//! };
//! assert_eq!(checked(false, 1), Level::Normal);
//! assert_eq!(checked(false, 2), Level::SeverelyDegraded);
//! assert_eq!(checked(true, 3), Level::SeverelyDegraded, "it is healthy, but not for long enough");
//! assert_eq!(checked(true, 12), Level::Degraded, "one level at a time");
//! assert_eq!(checked(true, 22), Level::Normal);
//! ```
//!
//! # What can drive
//!
//! | signal | the component's level |
//! |---|---|
//! | [`HealthCheck`], [`check::Status`] | [`Config::worst`] while it is unhealthy; unknown degrades nothing |
//! | [`Composite`] | [`Config::worst`] while too few of its members are healthy |
//! | [`ErrorBudget`], [`LatencyBudget`] | [`Config::worst`] while it is exhausted |
//! | [`change::Verdict`] | [`Config::worst`] at a value that is unlike the others; let it be several in a row |
//! | [`Level`] | the level itself: [`Level::for_rate`] of an error rate, [`Level::for_ratio`] of a latency |
//!
//! Several signals of one component are joined by as many components: the level of the whole is the worst of them.
//!
//! # Memory layout
//!
//! The word of [`auto_degradation`](super::auto_degradation): 40 bytes (64-bit host).
//!
//! # Ordering
//!
//! (a) The driver's word is where threads agree on the level. (b) Who changed it sets the component's, and looks at the word
//! again by an exchange until both are the same: so the component is left with the level that holds, in whatever order
//! the threads come to it. (c) A component has one driver; what else sets its level is overwritten at the next change.
//! (d) As [`auto_degradation`](super::auto_degradation). (e) Loom: `loom-tests/tests/driver.rs`.
//!
//! # Progress
//!
//! Lock-free: a step is repeated only if another reading changed the level.
//!
//! # Cost
//!
//! `observe`: that of the signal, one load, and one exchange if the level is held anew; a change costs three exchanges and
//! three loads. Asserted by the tests.

use core::fmt;
use core::time::Duration;

use super::check::{HealthCheck, Status};
use super::composite::Composite;
use super::degradation::{Component, Degradation, Level, LevelChange};
use super::error_budget::ErrorBudget;
use super::hold::{Hold, MAX_RUN};
use super::latency_budget::LatencyBudget;
use crate::config::ConfigError;
use crate::measure::change;
use crate::time::Instant;

#[cfg(doc)]
use super::check;

/// What can say how a component is doing; see [what can drive](self#what-can-drive).
pub trait Signal {
    /// The level that it calls for, where `worst` is that of something that is either well or not.
    fn level(&self, worst: Level, now: Instant) -> Level;
}

/// The level of something that is not well.
const fn unless(well: bool, worst: Level) -> Level {
    if well { Level::Normal } else { worst }
}

impl Signal for Level {
    fn level(&self, _worst: Level, _now: Instant) -> Level {
        *self
    }
}

impl Signal for Status {
    fn level(&self, worst: Level, _now: Instant) -> Level {
        Status::level(*self, worst)
    }
}

impl<const SLOTS: usize> Signal for HealthCheck<SLOTS> {
    fn level(&self, worst: Level, now: Instant) -> Level {
        self.status(now).level(worst)
    }
}

impl Signal for Composite {
    fn level(&self, worst: Level, _now: Instant) -> Level {
        unless(self.is_healthy(), worst)
    }
}

impl<const SLOTS: usize> Signal for ErrorBudget<SLOTS> {
    fn level(&self, worst: Level, now: Instant) -> Level {
        unless(!self.is_exhausted(now), worst)
    }
}

impl<const PRECISION: u32, const BUCKETS: usize, const SLOTS: usize> Signal
    for LatencyBudget<PRECISION, BUCKETS, SLOTS>
{
    fn level(&self, worst: Level, now: Instant) -> Level {
        unless(!self.is_exhausted(now), worst)
    }
}

impl Signal for change::Verdict {
    fn level(&self, worst: Level, _now: Instant) -> Level {
        unless(!self.is_anomalous(), worst)
    }
}

/// The configuration of a [`Driver`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    component: Component,
    worst: Level,
    worse_after: u32,
    calm_for: Duration,
}

impl Config {
    /// `component` is degraded at the first bad reading, and for half a minute after the last one.
    pub const fn new(component: Component) -> Self {
        Self { component, worst: Level::Degraded, worse_after: 1, calm_for: Duration::from_secs(30) }
    }

    /// The level of the component while a signal that knows no levels is bad.
    #[must_use = "the configuration is returned"]
    pub const fn worst(mut self, level: Level) -> Self {
        self.worst = level;
        self
    }

    /// It gets worse after `n` bad readings in a row.
    #[must_use = "the configuration is returned"]
    pub const fn worse_after(mut self, n: u32) -> Self {
        self.worse_after = n;
        self
    }

    /// It gets better by one level after each `calm` without a bad reading.
    #[must_use = "the configuration is returned"]
    pub const fn calm_for(mut self, calm: Duration) -> Self {
        self.calm_for = calm;
        self
    }
}

/// Sets the level of one component; see the [module](self).
pub struct Driver {
    component: Component,
    worst: Level,
    hold: Hold,
}

impl Driver {
    const_fn! {
        /// A driver that has seen nothing: its component is normal.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "driver")
        }
    }

    const_fn! {
        /// A driver that has seen nothing: its component is normal.
        ///
        /// # Errors
        ///
        /// If the worst level is the normal one, or the number of readings in a row is not between 1 and 15.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            let Config { component, worst, worse_after, calm_for } = config;
            require!(!matches!(worst, Level::Normal), "driver.worst", "worse than normal");
            require!(worse_after > 0 && worse_after <= MAX_RUN, "driver.worse_after", "between 1 and 15");
            Ok(Self { component, worst, hold: Hold::new(calm_for, worse_after) })
        }
    }

    /// Takes a reading of `signal`, and says if it changed the level of the whole of `degradation`.
    ///
    /// If several threads change the level at once, one of them may tell the changes of others as one step.
    ///
    /// # Complexity
    ///
    /// That of the signal, and O(1).
    pub fn observe(
        &self,
        signal: &impl Signal,
        degradation: &Degradation,
        now: Instant,
    ) -> Option<LevelChange> {
        let level = signal.level(self.worst, now);
        let mut set = self.hold.observe(level, level, now)?.to;
        let mut told: Option<LevelChange> = None;
        loop {
            if let Some(change) = degradation.set_level(self.component, set) {
                told = Some(LevelChange { from: told.map_or(change.from, |told| told.from), to: change.to });
            }
            let holds = self.hold.level_exchanged();
            if holds == set || mutant!("driver_does_not_look_again") {
                return told.filter(|change| change.from != change.to);
            }
            set = holds;
        }
    }

    /// The level that holds for the component.
    #[inline]
    pub fn level(&self) -> Level {
        self.hold.level()
    }

    /// The component that it drives.
    pub const fn component(&self) -> Component {
        self.component
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("component", &self.component)
            .field("level", &self.level())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
