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
//! 1: `observe` – the value is above the level's bound: the threshold, one and a half times it, or twice it.
//! 2: `observe` – the value is at or below the level's lower bound, and was above it for the last time long enough ago;
//! so each level lasts that long at least, and the way back takes it for every level.
//!
//! # Memory layout
//!
//! ```text
//! 64 bits:  HELD 62 │ LEVEL 2        32 bits:  HELD 30 │ LEVEL 2
//! ```
//!
//! HELD is when a value last held the level, in ticks: 1, 2 or 5 times a power of ten of nanoseconds, the smallest for
//! which the time to be calm is at most 2⁴⁸ ticks (2²² on 32 bits).
//! Ticks wrap after 256 times that time at least. After a pause of a whole wrap the level may be kept for twice the time
//! once more.
//!
//! 40 bytes (64-bit host).
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

use crate::atomic::sync::Wide;
use crate::atomic::timer::tick_for;
use crate::atomic::word::{Packed, WideWord};
use crate::config::ConfigError;
use crate::health::degradation::{Level, LevelChange};
use crate::ratio::Ratio;
use crate::time::{Instant, nanos};

const LEVEL_BITS: u32 = 2;
const TICK_BITS: u32 = Wide::BITS - LEVEL_BITS;
const TICK_MAX: Wide = Wide::MAX >> LEVEL_BITS;
/// The most ticks that the time to be calm takes.
const CALM_BITS: u32 = if Wide::BITS == 64 { 48 } else { 22 };

const _: () = assert!(CALM_BITS + 8 <= TICK_BITS);
// A fresh word is a component that works.
const _: () = assert!(Level::Normal as u32 == 0);

/// The configuration of an [`AutoDegradation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    threshold: u64,
    recovery: Ratio,
    calm_for: Duration,
}

impl Config {
    /// A measure that should stay at or below `threshold`. The lower bounds are four fifths of the upper ones, and a level
    /// is left after half a minute of calm.
    pub const fn new(threshold: u64) -> Self {
        Self { threshold, recovery: Ratio::percent(80), calm_for: Duration::from_secs(30) }
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
}

/// A moment of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    level: Level,
    /// When a value last held the level, in ticks.
    held: Wide,
}

impl State {
    /// Edge 2.
    const fn better(self, now: Wide) -> Self {
        let level = match self.level {
            Level::Emergency => Level::SeverelyDegraded,
            Level::SeverelyDegraded => Level::Degraded,
            Level::Degraded | Level::Normal => Level::Normal,
        };
        Self { level, held: now }
    }
}

impl Packed for State {
    type Raw = Wide;

    #[inline]
    fn unpack(raw: Wide) -> Self {
        Self { level: Level::from_bits(raw as u32), held: raw >> LEVEL_BITS }
    }

    #[inline]
    fn pack(self) -> Wide {
        self.held << LEVEL_BITS | self.level as Wide
    }
}

/// The level of one component by a measure of it; see the [module](self).
pub struct AutoDegradation {
    threshold: u64,
    recovery: Ratio,
    /// Nanoseconds.
    tick: u64,
    /// The ticks after which a level is left.
    calm: Wide,
    state: WideWord,
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
        /// If the lower bounds are none of the upper ones: a level above zero would never be left.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            require!(config.recovery.numerator() > 0, "auto_degradation.recovery", "greater than zero");
            let calm = nanos(config.calm_for);
            let tick = tick_for(calm, CALM_BITS);
            Ok(Self {
                threshold: config.threshold,
                recovery: config.recovery,
                tick,
                calm: (calm / tick) as Wide,
                state: WideWord::new(0),
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
        let now = (now.as_nanos() / self.tick) as Wide & TICK_MAX;
        let step = |state: State| {
            let next = if reached > state.level {
                State { level: reached, held: now }
            } else if state.level == Level::Normal {
                state
            } else if held >= state.level {
                // A thread that comes late does not take the moment back.
                let ahead = state.held.wrapping_sub(now) & TICK_MAX;
                if ahead <= self.calm { state } else { State { held: now, ..state } }
            } else if self.is_calm(state, now) {
                state.better(now)
            } else {
                state
            };
            let change =
                (next.level != state.level).then_some(LevelChange { from: state.level, to: next.level });
            ((next != state).then_some(next), change)
        };
        if mutant!("auto_degradation_change_in_two_steps") {
            let (next, change) = step(self.state.load());
            self.state.transition(|_: State| (next, ()));
            return change;
        }
        self.state.transition(step)
    }

    /// Whether the level was held for the last time long enough ago.
    const fn is_calm(&self, state: State, now: Wide) -> bool {
        let behind = now.wrapping_sub(state.held) & TICK_MAX;
        let ahead = state.held.wrapping_sub(now) & TICK_MAX;
        behind >= self.calm && ahead > self.calm || self.calm == 0
    }

    /// The level.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub fn level(&self) -> Level {
        self.state.load::<State>().level
    }
}

impl fmt::Debug for AutoDegradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: State = self.state.load();
        f.debug_struct("AutoDegradation")
            .field("threshold", &self.threshold)
            .field("recovery", &self.recovery)
            .field("level", &state.level)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
