//! How long one attempt may take, learned from how long attempts took.
//!
//! A fixed [`Timeout`](super::timeout::Timeout) is too long for a fast peer and too short for a slow one.
//! [`AdaptiveTimeout`] follows each attempt and is one word; [`PercentileTimeout`] follows a percentile of the latest attempts
//! and needs a histogram.
//! Either keeps within its bounds and never reaches past the call's [`Deadline`].
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::adaptive_timeout::{AdaptiveTimeout, Config};
//! use seawall_core::{Deadline, Instant, Outcome};
//!
//! static SEND: AdaptiveTimeout = AdaptiveTimeout::new(Config::new(Duration::from_millis(100)));
//!
//! let now = Instant::from_secs(1);
//! let attempt = SEND.limit(Deadline::NONE, now);
//! assert_eq!(attempt, Deadline::after(now, Duration::from_millis(100)));
//! let adjustment = SEND.record(Outcome::Failure, Duration::from_millis(100)).unwrap();
//! assert_eq!(adjustment.to, Duration::from_millis(110), "it ran into its timeout");
//! SEND.record(Outcome::Success, Duration::from_millis(3));
//! assert_eq!(SEND.current(now), Duration::from_micros(104_500));
//! ```
//!
//! # The rules
//!
//! With the timeout *t* and the time that an attempt took *e*:
//!
//! ```text
//!                     success               timed out      every 10 attempts
//! AdaptiveTimeout     max(0.95 t, 2 e)      1.10 t         –
//! PercentileTimeout   e is a sample         e is a sample  d = 2 · P95; t + (d − t) / 2 if d > t, else t − (t − d) / 10
//! ```
//!
//! An attempt *timed out* if it failed after at least fifteen sixteenths of the present timeout: clocks differ a little, and
//! an attempt that had been given a shorter timeout says nothing about the present one, so of many that time out
//! together the first lengthens it.
//! Attempts that time out are samples like the others. A rule that learns from successes alone shrinks to what is fast
//! and never sees again what is slow.
//! A failure that came sooner, as a refused connection does, changes nothing, unless [`Growth::Failures`] is asked for.
//! A slow success is a success. Ignored and cancelled attempts never count.
//!
//! From a timeout *t*, attempts that need *e* > *t* get through after at most ⌈ln(*e* / *t*) / ln 1.1⌉ that time out: 8 if
//! they take twice as long, 25 if ten times.
//!
//! # Memory layout
//!
//! ```text
//! 31      30 …………… 0
//! FIXED 1 | MICROS 31
//! ```
//!
//! 20 bytes with the configuration. Nothing wraps. For [`PercentileTimeout`] see there.
//!
//! # Ordering
//!
//! (a) Each adjustment is one exchange on the word, from the timeout that it replaces. (b) It publishes nothing else.
//! (c) Whoever reads the timeout may use it after it changed. (d) An exchange that meets the same bits makes the same step.
//! (e) Models: `loom-tests/tests/adaptive_timeout.rs`.
//!
//! # Progress
//!
//! Reading is wait-free. Recording is lock-free: an exchange is repeated only if another attempt was recorded.
//!
//! # Trade-offs
//!
//! Timeouts are whole microseconds up to 35 minutes.
//! One attempt in twenty that is slow keeps [`AdaptiveTimeout`] high: it forgets a slow success by a twentieth with each
//! fast one. It has no memory to tell a slow peer from one slow answer; [`PercentileTimeout`] has.
//!
//! # Cost
//!
//! Atomic accesses, asserted by the tests:
//!
//! | call | loads | writes |
//! |---|---:|---:|
//! | `current`, `limit` | 1 | 0 |
//! | `AdaptiveTimeout::record`, adjusted | 1 | 1 |
//! | `AdaptiveTimeout::record`, nothing to adjust | 1 | 0 |
//! | `PercentileTimeout::record`, nine times in ten | 1 | 2 |
//! | the same, after a failure that timed out | 2 | 2 |
//!
//! One sample in ten costs `PercentileTimeout` a look at its histogram in addition.

mod config;
mod percentile;
#[cfg(all(test, not(loom)))]
mod tests;

use core::fmt;
use core::time::Duration;

pub use config::{Config, Growth};
pub use percentile::PercentileTimeout;

use super::deadline::Deadline;
use crate::atomic::bits::Field;
use crate::atomic::word::{Packed, Word};
use crate::config::ConfigError;
use crate::divisor::Divisor;
use crate::outcome::Outcome;
use crate::time::{Instant, nanos};

const MICROS: Field = Field::lowest(31);
const FIXED: Field = MICROS.then(1);
const _: () = assert!(FIXED.end() == u32::BITS);

/// The longest timeout: 2³¹ − 1 microseconds, more than 35 minutes.
pub const MAX_TIMEOUT: Duration = Duration::from_micros(MICROS.max() as u64);

/// The duration in whole microseconds, rounded down, `u32::MAX` if there are more.
const fn micros(duration: Duration) -> u32 {
    const THOUSAND: Divisor = Divisor::new(1000);
    let (micros, _) = THOUSAND.divide(nanos(duration));
    if micros > u32::MAX as u64 { u32::MAX } else { micros as u32 }
}

/// The word.
#[derive(Clone, Copy)]
struct State {
    micros: u32,
    /// Set by hand: nothing that is recorded changes it.
    fixed: bool,
}

impl State {
    const fn raw(micros: u32) -> u32 {
        MICROS.set(0, micros)
    }
}

impl Packed for State {
    type Raw = u32;

    #[inline]
    fn unpack(raw: u32) -> Self {
        Self { micros: MICROS.get(raw), fixed: FIXED.get(raw) == 1 }
    }

    #[inline]
    fn pack(self) -> u32 {
        FIXED.set(Self::raw(self.micros), u32::from(self.fixed))
    }
}

/// A timeout that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// What it was.
    pub from: Duration,
    /// What it is.
    pub to: Duration,
}

/// The present timeout within its bounds; what both rules have in common.
struct Current {
    config: Config,
    word: Word,
}

impl Current {
    const_fn! {
        const fn new(config: Config) -> Self {
            Self { config, word: Word::new(State::raw(config.initial)) }
        }
    }

    #[inline]
    fn micros(&self) -> u32 {
        let state: State = self.word.load();
        state.micros
    }

    #[inline]
    fn get(&self) -> Duration {
        Duration::from_micros(self.micros().into())
    }

    /// Replaces the timeout by what `step` makes of it, within the bounds, unless it was set by hand.
    fn adjust(&self, step: impl Fn(u32) -> u32) -> Option<Adjustment> {
        let adapts_blindly = mutant!("adaptive_timeout_forgets_that_it_was_set") && {
            let state: State = self.word.load();
            !state.fixed
        };
        let change = |state: State| {
            let next = step(state.micros).clamp(self.config.min, self.config.max);
            if next == state.micros || state.fixed && !adapts_blindly {
                return (None, None);
            }
            let adjustment = Adjustment {
                from: Duration::from_micros(state.micros.into()),
                to: Duration::from_micros(next.into()),
            };
            (Some(State { micros: next, fixed: false }), Some(adjustment))
        };
        if mutant!("adaptive_timeout_in_two_steps") {
            let (next, adjustment) = change(self.word.load());
            self.word.transition(|_: State| (next, ()));
            return adjustment;
        }
        self.word.transition(change)
    }

    fn set(&self, timeout: Duration) -> Result<(), ConfigError> {
        let micros = micros(timeout);
        require!(micros > 0 && micros <= MICROS.max(), "adaptive_timeout.set", "between 1 us and 35 min");
        self.word.transition(|_: State| (Some(State { micros, fixed: true }), ()));
        Ok(())
    }

    fn resume(&self) {
        let Config { min, max, .. } = self.config;
        self.word.transition(|state: State| {
            let next = State { micros: state.micros.clamp(min, max), fixed: false };
            (state.fixed.then_some(next), ())
        });
    }

    fn is_set(&self) -> bool {
        let state: State = self.word.load();
        state.fixed
    }
}

/// A timeout that follows each attempt, in one word. The [module](self) has the rule and an example.
pub struct AdaptiveTimeout {
    current: Current,
}

impl AdaptiveTimeout {
    const_fn! {
        /// A timeout that has seen no attempt.
        ///
        /// # Panics
        ///
        /// If [`AdaptiveTimeout::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "adaptive_timeout")
        }
    }

    const_fn! {
        /// A timeout that has seen no attempt.
        ///
        /// # Errors
        ///
        /// As [`Config::validate`].
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            match config.validate() {
                Ok(()) => Ok(Self { current: Current::new(config) }),
                Err(error) => Err(error),
            }
        }
    }

    /// The time that an attempt is given now, apart from the call's deadline.
    ///
    /// `now` takes no part in it; all patterns of this crate are asked in the same way.
    #[inline]
    pub fn current(&self, _now: Instant) -> Duration {
        self.current.get()
    }

    /// When an attempt that starts now must be over: at its timeout or at the call's deadline, whichever comes first.
    #[inline]
    pub fn limit(&self, call: Deadline, now: Instant) -> Deadline {
        Deadline::after(now, self.current(now)).min(call)
    }

    /// An attempt ended so after `elapsed`; returns the timeout's change, if there is one.
    ///
    /// # Complexity
    ///
    /// O(1), at most one exchange.
    #[inline]
    pub fn record(&self, outcome: Outcome, elapsed: Duration) -> Option<Adjustment> {
        if matches!(outcome, Outcome::Ignored | Outcome::Cancelled) {
            return None;
        }
        let elapsed = micros(elapsed);
        let growth = self.current.config.growth;
        self.current.adjust(|current| step(current, outcome, elapsed, growth))
    }

    /// Sets the timeout by hand: it stays so, whatever is recorded, until [`resume`](Self::resume).
    ///
    /// It may lie outside the bounds.
    ///
    /// # Errors
    ///
    /// If it is less than a microsecond or more than [`MAX_TIMEOUT`]; then nothing changes.
    pub fn set(&self, timeout: Duration) -> Result<(), ConfigError> {
        self.current.set(timeout)
    }

    /// Adapts again, from the timeout that was set by hand, moved into the bounds.
    pub fn resume(&self) {
        self.current.resume();
    }

    /// Whether the timeout was set by hand.
    pub fn is_set(&self) -> bool {
        self.current.is_set()
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.current.config
    }
}

impl fmt::Debug for AdaptiveTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveTimeout")
            .field("current", &self.current.get())
            .field("is_set", &self.is_set())
            .field("config", &self.current.config)
            .finish()
    }
}

/// Whether an attempt that failed after `elapsed` ran into the timeout `current`.
const fn timed_out(elapsed: u32, current: u32) -> bool {
    elapsed >= current - current / 16
}

/// The timeout after `current`, before the bounds.
fn step(current: u32, outcome: Outcome, elapsed: u32, growth: Growth) -> u32 {
    match outcome {
        // 95 %, rounded down.
        Outcome::Success | Outcome::Slow => (current - current.div_ceil(20)).max(elapsed.saturating_mul(2)),
        // Rounded up, so that it always grows.
        _ if timed_out(elapsed, current) || growth == Growth::Failures => {
            current.saturating_add(current.div_ceil(10))
        }
        _ => current,
    }
}
