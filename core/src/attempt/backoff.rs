//! How long to wait before the next attempt.
//!
//! A backoff is a pure function of the retry's number, the delay before it and a random draw; it keeps no state.
//! Use it through [`retry`](super::retry), which also decides *whether* to try again.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{backoff::Jitter, Backoff};
//!
//! const BACKOFF: Backoff = Backoff::exponential(Duration::from_millis(100))
//!     .at_most(Duration::from_secs(5))
//!     .jitter(Jitter::PERCENT_10);
//! let third = BACKOFF.delay(2, Duration::ZERO, u32::MAX / 2);
//! assert!(third > Duration::from_millis(399) && third < Duration::from_millis(401));
//! ```
//!
//! # Schedules
//!
//! Delays before retry 0, 1, 2, 3 … for a base of one second:
//!
//! | schedule | delays | source |
//! |---|---|---|
//! | constant | 1 1 1 1 | |
//! | linear, step 1 s | 1 2 3 4 | S2: base + increment × attempt |
//! | exponential, factor 2 | 1 2 4 8 | S0 |
//! | Fibonacci | 1 1 2 3 | the original's code |
//! | decorrelated | a draw from 1 … 3 × the delay before | Brooker, *Exponential Backoff and Jitter*, AWS, 2015 |
//!
//! The cap applies after the jitter, so no delay exceeds it; a delay is zero only if the base is.
//!
//! # Conventions
//!
//! Peers count and spread in different ways; this is how their settings are written here.
//!
//! - *Retries are numbered from 0*: the delay before retry 0 is the base. resilience4j and Polly number attempts from 1, so
//!   their attempt *n* is retry *n* − 1 here; there is no attempt 0 to refuse.
//! - *The draw is the whole of the jitter*: a draw of 0 is the shortest delay, the largest draw the longest, and in between it
//!   is linear. Polly's jitter of constant and linear delays, 0.75 for a random number of 0 to 1.25 for 1, is
//!   [`Jitter::PERCENT_25`]; the documents that Seawall comes from have that and [`Jitter::PERCENT_10`].
//! - Polly spreads its exponential delays by a formula of its own; full jitter, or the decorrelated schedule, does here what
//!   that is for.
//! - *A factor is at least 1.1*, in thousandths, and cannot be negative. resilience4j refuses factors below 1.
//!
//! # Cost
//!
//! No atomic access.
//! The exponential schedule takes one multiplication for each retry so far until it reaches the cap, never more than 500.

use core::time::Duration;

use crate::config::ConfigError;
use crate::time::nanos;

/// A schedule of delays with a cap and jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    growth: Growth,
    /// Nanoseconds, as the other durations here: half the size of a [`Duration`].
    base: u64,
    cap: u64,
    jitter: Jitter,
}

wire_struct!(Backoff { growth, base, cap, jitter });

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    Constant,
    Linear {
        step: u64,
    },
    /// Thousandths.
    Exponential {
        factor: u32,
    },
    Fibonacci,
    Decorrelated,
}

wire_enum!(Growth {
    0: Constant,
    1: Linear { step },
    2: Exponential { factor },
    3: Fibonacci,
    4: Decorrelated,
});

/// How a delay is spread, so that clients which failed together do not come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// The delay itself.
    None,
    /// Anything from the delay less this many percent to the delay and as many percent more.
    PlusMinus(u8),
    /// Anything from half the delay to the whole.
    Equal,
    /// Anything up to the delay. It is the default of this type, for a fleet; a [`Backoff`] that is not told has none.
    #[default]
    Full,
}

impl Jitter {
    /// Ten percent less to ten percent more: what the presets of a [`Policy`](crate::Policy) take, as the documents do from which
    /// Seawall comes.
    pub const PERCENT_10: Self = Self::PlusMinus(10);
    /// A quarter less to a quarter more: what Polly takes, and the retry schedules of those documents.
    pub const PERCENT_25: Self = Self::PlusMinus(25);
}

wire_enum!(Jitter { 0: None, 1: PlusMinus(percent), 2: Equal, 3: Full });

impl Backoff {
    const fn with(growth: Growth, base: Duration) -> Self {
        Self { growth, base: nanos(base), cap: u64::MAX, jitter: Jitter::None }
    }

    /// The same delay each time.
    pub const fn constant(delay: Duration) -> Self {
        Self::with(Growth::Constant, delay)
    }

    /// `base`, and `step` more each time.
    pub const fn linear(base: Duration, step: Duration) -> Self {
        Self::with(Growth::Linear { step: nanos(step) }, base)
    }

    /// `base`, and twice as long each time; see [`Backoff::factor`].
    pub const fn exponential(base: Duration) -> Self {
        Self::with(Growth::Exponential { factor: 2000 }, base)
    }

    /// `base` times 1, 1, 2, 3, 5 …
    pub const fn fibonacci(base: Duration) -> Self {
        Self::with(Growth::Fibonacci, base)
    }

    /// A draw between `base` and three times the delay before. It carries its own jitter.
    pub const fn decorrelated(base: Duration) -> Self {
        Self::with(Growth::Decorrelated, base)
    }

    /// The factor of the exponential schedule in thousandths, between 1100 and 100000. Other schedules ignore it.
    #[must_use = "the backoff is returned"]
    pub const fn factor(mut self, thousandths: u32) -> Self {
        if let Growth::Exponential { .. } = self.growth {
            self.growth = Growth::Exponential { factor: thousandths };
        }
        self
    }

    /// No delay is longer than `cap`.
    #[must_use = "the backoff is returned"]
    pub const fn at_most(mut self, cap: Duration) -> Self {
        self.cap = nanos(cap);
        self
    }

    /// Spreads the delays. Without it they are not spread: a schedule is what it says. [`Jitter::default`] is full jitter, and is
    /// not what a backoff begins with.
    #[must_use = "the backoff is returned"]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The delay that the schedule grows from.
    pub const fn base(&self) -> Duration {
        Duration::from_nanos(self.base)
    }

    /// No delay is longer; 584 years if there is no cap.
    pub const fn cap(&self) -> Duration {
        Duration::from_nanos(self.cap)
    }

    /// How the delays are spread.
    pub const fn spread(&self) -> Jitter {
        self.jitter
    }

    /// The same schedule from another delay on.
    #[must_use = "the backoff is returned"]
    pub const fn starting_at(mut self, base: Duration) -> Self {
        self.base = nanos(base);
        self
    }

    /// Checks the values.
    ///
    /// # Errors
    ///
    /// If the factor or the percentage lies outside its bound.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if let Growth::Exponential { factor } = self.growth {
            require!(factor >= 1100 && factor <= 100_000, "backoff.factor", "between 1.1 and 100");
        }
        if let Jitter::PlusMinus(percent) = self.jitter {
            require!(percent <= 100, "backoff.jitter", "at most 100 percent");
        }
        Ok(())
    }

    /// The delay before retry number `retry`, counted from 0.
    ///
    /// `previous` is the delay before the retry before, which only the decorrelated schedule uses; `draw` is uniformly random,
    /// and the delay depends on nothing else.
    pub const fn delay(&self, retry: u32, previous: Duration, draw: u32) -> Duration {
        let (base, cap) = (self.base, self.cap);
        let plain = match self.growth {
            Growth::Constant => base,
            Growth::Linear { step } => base.saturating_add(step.saturating_mul(retry as u64)),
            Growth::Exponential { factor } => grow(base, factor, retry, cap),
            Growth::Fibonacci => base.saturating_mul(fibonacci(retry)),
            Growth::Decorrelated => {
                let before = nanos(previous);
                let before = if before < base { base } else { before };
                between(base, before.saturating_mul(3), draw)
            }
        };
        let spread = match (self.growth, self.jitter) {
            (Growth::Decorrelated, _) | (_, Jitter::None) => plain,
            (_, Jitter::Full) => between(if plain == 0 { 0 } else { 1 }, plain, draw),
            (_, Jitter::Equal) => between(plain - plain / 2, plain, draw),
            (_, Jitter::PlusMinus(percent)) => {
                let share = if percent > 100 { 100 } else { percent as u64 };
                let part = plain / 100 * share + plain % 100 * share / 100;
                let low = if plain > 0 && part == plain { 1 } else { plain - part };
                between(low, plain.saturating_add(part), draw)
            }
        };
        Duration::from_nanos(if spread > cap { cap } else { spread })
    }
}

/// The value a share `draw` / (2³² − 1) of the way from `low` to `high`.
const fn between(low: u64, high: u64, draw: u32) -> u64 {
    let (span, draw) = (high - low, draw as u64);
    // As in `by_ones`, so that small processors need neither a product of 128 bits nor a division.
    let (upper, lower) = (span >> u32::BITS, span & ONES);
    let (whole, rest) = by_ones(upper + lower);
    low + (upper + whole) * draw + by_ones(rest * draw).0
}

/// 2³² − 1.
const ONES: u64 = u32::MAX as u64;

/// `number`, which is not `u64::MAX`, divided by 2³² − 1, and the remainder.
///
/// Each 2³² in it is one 2³² − 1 and leaves a one.
const fn by_ones(number: u64) -> (u64, u64) {
    let (upper, lower) = (number >> u32::BITS, number & ONES);
    let left = upper + lower;
    if left < ONES { (upper, left) } else { (upper + 1, left - ONES) }
}

/// `base` times `factor` thousandths, `times` times over, or the first value that reaches the cap.
const fn grow(base: u64, factor: u32, times: u32, cap: u64) -> u64 {
    let factor = if factor < 1100 { 1100 } else { factor as u64 };
    let mut value = base;
    let mut left = times;
    while left > 0 && value > 0 && value < cap {
        let whole = (value / 1000).saturating_mul(factor);
        let next = whole.saturating_add(value % 1000 * factor / 1000);
        // Below ten nanoseconds the rounding could stand still.
        value = if next > value { next } else { value + 1 };
        left -= 1;
    }
    value
}

/// The Fibonacci number 1, 1, 2, 3, 5 …, or the highest that fits.
const fn fibonacci(n: u32) -> u64 {
    let (mut a, mut b) = (1_u64, 1_u64);
    let mut left = n;
    while left > 0 && b < u64::MAX {
        (a, b) = (b, a.saturating_add(b));
        left -= 1;
    }
    a
}

#[cfg(all(test, not(loom)))]
mod tests;
