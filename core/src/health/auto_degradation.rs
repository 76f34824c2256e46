//! How far is a component degraded, by a measure of it: at once when it gets worse, patiently when it gets better?
//!
//! For a latency, a queue's length, or an error rate in parts of a million, against the value that it should stay at or
//! below. [`Level::for_ratio`] alone follows every wobble of its measure; this adds a lower bound for the way back and a
//! time that the measure has to keep it. The level is for one component of a
//! [`Degradation`](super::degradation::Degradation).
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::health::auto_degradation::{AutoDegradation, Config};
//! use seawall_core::health::degradation::{Component, Degradation, Level};
//! use seawall_core::Instant;
//!
//! const QUEUE: Component = Component::new(0);
//! static SERVICE: Degradation = Degradation::new();
//! static LENGTH: AutoDegradation = AutoDegradation::new(Config::new(100).calm_for(Duration::from_secs(10)));
//!
//! let mut level_at = |length, secs| {
//!     if LENGTH.observe(length, Instant::from_secs(secs)).is_some() {
//!         SERVICE.set_level(QUEUE, LENGTH.level());
//!     }
//!     SERVICE.level()
//! };
//! assert_eq!(level_at(160, 1), Level::SeverelyDegraded);
//! assert_eq!(level_at(10, 10), Level::SeverelyDegraded);
//! assert_eq!(level_at(10, 11), Level::Degraded);
//! assert_eq!(level_at(10, 21), Level::Normal);
//! ```
//!
//! # States
//!
//! ```text
//!        1              1                       1
//! normal ──► degraded ──► severely degraded ──► emergency        1 may skip levels
//!        ◄──          ◄──                   ◄──
//!        2              2                       2
//! ```
//!
//! 1: `observe` – the value is above the level's bound (the threshold, one and a half times it, or twice it), and so many
//! before it in a row were, too.
//! 2: `observe` – the value is at or below the level's lower bound, and was above it for the last time long enough ago;
//! so each level lasts that long at least, and the way back takes it for every level.
//!
//! # Memory layout
//!
//! ```text
//! 64 bits:  HELD 58 │ RUN 4 │ LEVEL 2        32 bits:  HELD 26 │ RUN 4 │ LEVEL 2
//! ```
//!
//! HELD is when a value last held the level, in ticks: 1, 2 or 5 times a power of ten of nanoseconds, the smallest for
//! which the time to be calm is at most 2⁴⁸ ticks (2¹⁸ on 32 bits). RUN counts the values in a row that were worse.
//! Ticks wrap after 256 times that time at least. After a pause of a whole wrap the level may be kept for twice the time
//! once more.
//!
//! 48 bytes (64-bit host).
//!
//! # Ordering
//!
//! (a) The word is where threads agree; a change is told to the one caller whose exchange made it, and the changes of all
//! callers, in the word's order, are a chain without a gap.
//! (b) It publishes nothing else. (c) Two callers who were each told a change may act on them in either order, so they
//! report [`level`](AutoDegradation::level), as in the example, and not what they were told.
//! (d) An exchange that meets the same bits again makes the same step.
//! (e) Loom: `loom-tests/tests/auto_degradation.rs`.
//!
//! # Progress
//!
//! Lock-free: an exchange is repeated only if another value was observed.
//!
//! # Trade-offs
//!
//! It judges when it is told a value; while it is told nothing, the level stays.
//! A clock that steps back by up to the time to be calm prolongs a level by the step; a longer step ends the wait.
//!
//! # Cost
//!
//! `level`: one load. `observe`: one load, and one exchange if the level changes or is held anew; asserted by the tests.

use core::fmt;
use core::time::Duration;

use super::hold::{Hold, MAX_RUN};
use crate::config::ConfigError;
use crate::health::degradation::{Level, LevelChange};
use crate::ratio::Ratio;
use crate::time::Instant;

/// The configuration of an [`AutoDegradation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    threshold: u64,
    recovery: Ratio,
    calm_for: Duration,
    worse_after: u32,
}

impl Config {
    /// A measure that should stay at or below `threshold`. The lower bounds are four fifths of the upper ones, and a level
    /// is left after half a minute of calm.
    pub const fn new(threshold: u64) -> Self {
        Self { threshold, recovery: Ratio::percent(80), calm_for: Duration::from_secs(30), worse_after: 1 }
    }

    /// The lower bounds are this share of the upper ones; with the whole of them there is no hysteresis.
    #[must_use = "the configuration is returned"]
    pub const fn recovery(mut self, share: Ratio) -> Self {
        self.recovery = share;
        self
    }

    /// A level is left after the measure has been at or below the lower bound for `calm`.
    #[must_use = "the configuration is returned"]
    pub const fn calm_for(mut self, calm: Duration) -> Self {
        self.calm_for = calm;
        self
    }

    /// It gets worse after `n` values in a row above the level's bound, to the level of the last one; 1 unless it is set.
    #[must_use = "the configuration is returned"]
    pub const fn worse_after(mut self, n: u32) -> Self {
        self.worse_after = n;
        self
    }
}

/// The level of one component by a measure of it; see the [module](self).
pub struct AutoDegradation {
    threshold: u64,
    recovery: Ratio,
    hold: Hold,
}

impl AutoDegradation {
    const_fn! {
        /// A component that works.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "auto_degradation")
        }
    }

    const_fn! {
        /// A component that works.
        ///
        /// # Errors
        ///
        /// If the lower bounds are none of the upper ones (a level above zero would never be left), or the number of values
        /// in a row is not between 1 and 15.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            require!(config.recovery.numerator() > 0, "auto_degradation.recovery", "greater than zero");
            require!(
                config.worse_after > 0 && config.worse_after <= MAX_RUN,
                "auto_degradation.worse_after",
                "between 1 and 15"
            );
            Ok(Self {
                threshold: config.threshold,
                recovery: config.recovery,
                hold: Hold::new(config.calm_for, config.worse_after),
            })
        }
    }

    /// Judges by `value`, and says if the level changed.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn observe(&self, value: u64, now: Instant) -> Option<LevelChange> {
        let reached = Level::for_ratio(value, self.threshold);
        let held = Level::for_wide(
            u128::from(value) * u128::from(self.recovery.denominator()),
            u128::from(self.threshold) * u128::from(self.recovery.numerator()),
        );
        self.hold.observe(reached, held, now)
    }

    /// The level.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub fn level(&self) -> Level {
        self.hold.level()
    }
}

impl fmt::Debug for AutoDegradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AutoDegradation")
            .field("threshold", &self.threshold)
            .field("recovery", &self.recovery)
            .field("level", &self.level())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
