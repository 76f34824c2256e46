//! Is this value unlike the ones before it?
//!
//! It keeps a moving mean and a moving mean absolute deviation, and calls a value anomalous that lies many deviations from
//! the mean. It knows nothing of seasons, trends or causes, and takes a change that lasts for the new normal after a
//! while: a hint to look, for [health](crate::health) or a person, not a proof.
//! For a promise in numbers see [`latency_budget`](crate::health::latency_budget).
//!
//! # Examples
//!
//! ```
//! use seawall_core::measure::change::{ChangeDetector, Config, Verdict};
//!
//! static LATENCY: ChangeDetector = ChangeDetector::new(Config::new().warm_up(8));
//!
//! for millis in [20, 22, 19, 21, 20, 18, 22, 20] {
//!     assert_eq!(LATENCY.observe(millis), Verdict::Learning);
//! }
//! assert_eq!(LATENCY.observe(23), Verdict::Normal);
//! assert!(matches!(LATENCY.observe(90), Verdict::Anomalous { above: true, .. }));
//! assert_eq!(LATENCY.observe(21), Verdict::Normal);
//! ```
//!
//! # The rule
//!
//! With the mean *m*, the deviation *v* but at least the least spread, the tolerance *t* and the weight 2⁻ᵏ, a value *x* is
//! anomalous if |*x* − *m*| > *t* · *v*. Then
//!
//! ```text
//! c = x − m, cut to ± t · v        m += c / 2ᵏ        v += (|c| − v) / 2ᵏ
//! ```
//!
//! Since a value is cut before it is learned, one outlier moves the mean by *t* · *v* / 2ᵏ at most, and a lasting change
//! is reported until mean and deviation have grown to it. While learning, the first values are averaged evenly, uncut, as far
//! as 2ᵏ of them.
//!
//! # Memory layout
//!
//! ```text
//! mean       31 …… 10 UNITS │ 9 … 0 FRACTION
//! deviation  31 …… 10 UNITS │ 9 … 6 FRACTION │ 5 … 0 SEEN
//! ```
//!
//! Two words and the configuration: 24 bytes. SEEN stays at its end; nothing wraps.
//!
//! # Ordering
//!
//! (a) Each word is one exchange, in which a value counts once; a verdict follows from the mean that the value met and
//! the deviation that it met. (b) Nothing is published with them. (c) Between the two exchanges of one value another may
//! come: the deviation that the cut of the mean is taken from may be older by as many values as there are threads.
//! First values that overlap may each become the mean. (d) An exchange that meets the same bits makes the same step.
//! (e) Loom: `loom-tests/tests/change.rs`.
//!
//! # Progress
//!
//! Lock-free: an exchange is repeated only if another value was observed.
//!
//! # Trade-offs
//!
//! Values are whole numbers up to [`MAX_VALUE`]; greater ones are taken for it. So the unit has to be chosen: microseconds
//! reach to four seconds, milliseconds to an hour.
//! Rounding leaves the mean within 2ᵏ / 2048 of a unit, and the deviation within 2ᵏ / 32, of where it would settle.
//!
//! # Cost
//!
//! `observe`: three loads and at most two exchanges; asserted by the tests.

use core::fmt;

use crate::atomic::bits::Field;
use crate::atomic::word::{Packed, Word};
use crate::config::ConfigError;

/// The greatest value that is told from greater ones.
pub const MAX_VALUE: u32 = UNITS.max();

const FRACTION: Field = Field::lowest(10);
const UNITS: Field = FRACTION.then(22);
const SEEN: Field = Field::lowest(6);
/// Units and the upper bits of the fraction.
const DEVIATION: Field = SEEN.then(26);
/// How many bits of a fraction the deviation lacks.
const COARSER: u32 = SEEN.end();

const _: () = assert!(UNITS.end() == u32::BITS && DEVIATION.end() == u32::BITS);

const MAX_SHIFT: u32 = 6;
const MAX_TOLERANCE: u32 = 1_000;

/// The configuration of a [`ChangeDetector`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    weight_shift: u32,
    warm_up: u32,
    tolerance: u32,
    least_spread: u32,
}

impl Config {
    /// A new value weighs a sixteenth, 32 values are learned first, and a value six deviations from the mean is anomalous;
    /// a deviation is at least one unit.
    pub const fn new() -> Self {
        Self { weight_shift: 4, warm_up: 32, tolerance: 6, least_spread: 1 }
    }

    /// A new value weighs 2⁻ᵏ: with a greater `k` it learns more slowly and steadily.
    #[must_use = "the configuration is returned"]
    pub const fn weight_shift(mut self, k: u32) -> Self {
        self.weight_shift = k;
        self
    }

    /// The first `n` values are learned without a verdict.
    #[must_use = "the configuration is returned"]
    pub const fn warm_up(mut self, n: u32) -> Self {
        self.warm_up = n;
        self
    }

    /// A value more than `n` deviations from the mean is anomalous.
    #[must_use = "the configuration is returned"]
    pub const fn tolerance(mut self, n: u32) -> Self {
        self.tolerance = n;
        self
    }

    /// A deviation below `units` is taken for it, so that values that hardly ever change may change a little.
    #[must_use = "the configuration is returned"]
    pub const fn least_spread(mut self, units: u32) -> Self {
        self.least_spread = units;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// What a value is, beside the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Too few values were seen to say.
    Learning,
    /// Like the others.
    Normal,
    /// Unlike the others.
    Anomalous {
        /// How many deviations it is from the mean, in tenths.
        score_tenths: u32,
        /// Whether it is above the mean.
        above: bool,
    },
}

impl Verdict {
    /// Whether the value is unlike the others.
    pub const fn is_anomalous(self) -> bool {
        matches!(self, Self::Anomalous { .. })
    }
}

/// The mean, in parts of 1024.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mean(u32);

/// The deviation, in parts of 16, and how many values were seen.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Spread {
    deviation: u32,
    seen: u32,
}

impl Packed for Mean {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self(raw)
    }

    fn pack(self) -> u32 {
        self.0
    }
}

impl Packed for Spread {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self { deviation: DEVIATION.get(raw), seen: SEEN.get(raw) }
    }

    fn pack(self) -> u32 {
        DEVIATION.set(SEEN.set(0, self.seen), self.deviation)
    }
}

/// Tells values that are unlike the ones before; see the [module](self).
pub struct ChangeDetector {
    config: Config,
    mean: Word,
    spread: Word,
}

impl ChangeDetector {
    const_fn! {
        /// A detector that has seen nothing.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "change")
        }
    }

    const_fn! {
        /// A detector that has seen nothing.
        ///
        /// # Errors
        ///
        /// If the weight's shift is not between 1 and 6, the values to learn first not between 1 and 63, the tolerance not
        /// between 1 and 1000, or the least spread not between 1 and [`MAX_VALUE`].
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            let Config { weight_shift, warm_up, tolerance, least_spread } = config;
            require!(weight_shift > 0 && weight_shift <= MAX_SHIFT, "change.weight_shift", "between 1 and 6");
            require!(warm_up > 0 && warm_up <= SEEN.max(), "change.warm_up", "between 1 and 63");
            require!(tolerance > 0 && tolerance <= MAX_TOLERANCE, "change.tolerance", "between 1 and 1000");
            require!(
                least_spread > 0 && least_spread <= MAX_VALUE,
                "change.least_spread",
                "between 1 and 4194303"
            );
            Ok(Self { config, mean: Word::new(0), spread: Word::new(0) })
        }
    }

    /// Judges `value` by the ones before, and learns it.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn observe(&self, value: u32) -> Verdict {
        let value = i64::from(value.min(MAX_VALUE)) << FRACTION.end();
        let met: Spread = self.spread.load();
        let learn = |Mean(mean): Mean| {
            let off = if met.seen == 0 { 0 } else { value - i64::from(mean) };
            let next = if met.seen == 0 {
                value
            } else {
                // A mean moves towards a value, so it stays among the values.
                i64::from(mean) + part(self.cut(off, met), self.values(met.seen + 1, met))
            };
            (Some(Mean(next.unsigned_abs() as u32)), off)
        };
        let off = if mutant!("change_mean_in_two_steps") {
            let (next, off) = learn(self.mean.load());
            self.mean.transition(|_: Mean| (next, ()));
            off
        } else {
            self.mean.transition(learn)
        };
        let judge = |spread: Spread| {
            let verdict = self.verdict(off, spread);
            let distance = self.cut(off, spread).abs() >> COARSER;
            let deviation = i64::from(spread.deviation);
            let learned = deviation + part(distance - deviation, self.values(spread.seen, spread));
            let next = Spread {
                deviation: learned.unsigned_abs() as u32,
                seen: if spread.seen < SEEN.max() { spread.seen + 1 } else { spread.seen },
            };
            (Some(next), verdict)
        };
        if mutant!("change_spread_in_two_steps") {
            let (next, verdict) = judge(self.spread.load());
            self.spread.transition(|_: Spread| (next, ()));
            return verdict;
        }
        self.spread.transition(judge)
    }

    /// How many values the new one is averaged with, itself included: as many as there are while it learns.
    fn values(&self, there_are: u32, spread: Spread) -> i64 {
        let weight = 1 << self.config.weight_shift;
        i64::from(if spread.seen < self.config.warm_up { there_are.clamp(1, weight) } else { weight })
    }

    /// The deviation that a value is measured by, as parts of 1024.
    fn measure(&self, spread: Spread) -> i64 {
        let least = i64::from(self.config.least_spread) << FRACTION.end();
        (i64::from(spread.deviation) << COARSER).max(least)
    }

    /// As much of the distance from the mean as is learned.
    fn cut(&self, off: i64, spread: Spread) -> i64 {
        if spread.seen < self.config.warm_up {
            return off;
        }
        let most = self.measure(spread) * i64::from(self.config.tolerance);
        off.clamp(-most, most)
    }

    fn verdict(&self, off: i64, spread: Spread) -> Verdict {
        let measure = self.measure(spread);
        if spread.seen < self.config.warm_up {
            Verdict::Learning
        } else if off.abs() <= measure * i64::from(self.config.tolerance) {
            Verdict::Normal
        } else {
            // At most 2²² units of at least one each.
            Verdict::Anomalous { score_tenths: (off * 10 / measure).unsigned_abs() as u32, above: off > 0 }
        }
    }

    /// The moving mean, rounded to a unit; zero if nothing was seen.
    pub fn mean(&self) -> u32 {
        let spread: Spread = self.spread.load();
        if spread.seen == 0 {
            // What a reset left; the next value takes its place.
            return 0;
        }
        let Mean(mean) = self.mean.load();
        UNITS.get(mean) + (mean >> (FRACTION.end() - 1) & 1)
    }

    /// The moving mean absolute deviation, rounded to a unit.
    pub fn deviation(&self) -> u32 {
        let spread: Spread = self.spread.load();
        let fraction = FRACTION.end() - COARSER;
        (spread.deviation >> fraction) + (spread.deviation >> (fraction - 1) & 1)
    }

    /// Forgets what it learned.
    pub fn reset(&self) {
        self.spread.transition(|_: Spread| (Some(Spread { deviation: 0, seen: 0 }), ()));
    }
}

/// One of `n` parts of `whole`, rounded to the nearest.
const fn part(whole: i64, n: i64) -> i64 {
    (whole + whole.signum() * (n / 2)) / n
}

impl fmt::Debug for ChangeDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeDetector")
            .field("config", &self.config)
            .field("mean", &self.mean())
            .field("deviation", &self.deviation())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
