//! A rate and a burst, and the units in which the limiter counts them.

use core::time::Duration;

use crate::atomic::sync::Wide;
use crate::config::ConfigError;
use crate::time::{Instant, nanos};

/// So many tokens a period, at most a burst of them at once.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::rate_limiter::Quota;
///
/// const STEADY: Quota = Quota::per_second(1000);
/// const SLOW: Quota = Quota::new(3, Duration::from_secs(60)).burst(1);
/// assert_eq!(STEADY.burst_size(), 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    tokens: u32,
    burst: u32,
    /// Nanoseconds: half the size of a [`Duration`].
    period: u64,
}

wire_struct!(Quota { tokens, burst, period });

impl Quota {
    /// `tokens` each `period`, and as many in a burst (at least one).
    ///
    /// With no tokens the bucket never refills: a burst once, then nothing.
    pub const fn new(tokens: u32, period: Duration) -> Self {
        Self { tokens, period: nanos(period), burst: if tokens == 0 { 1 } else { tokens } }
    }

    /// `tokens` a second, and as many in a burst.
    pub const fn per_second(tokens: u32) -> Self {
        Self::new(tokens, Duration::from_secs(1))
    }

    /// The same rate with a bucket of `burst` tokens.
    #[must_use = "the quota is returned"]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// Tokens a period.
    pub const fn tokens(&self) -> u32 {
        self.tokens
    }

    /// The period.
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.period)
    }

    /// Tokens of a full bucket.
    pub const fn burst_size(&self) -> u32 {
        self.burst
    }

    /// The units for this quota; see the limiter's documentation.
    pub(super) const fn scale(&self) -> Result<Scale, ConfigError> {
        self.scale_in(Wide::BITS)
    }

    /// The same for arrival times of so many bits.
    pub(in crate::admission) const fn scale_in(&self, bits: u32) -> Result<Scale, ConfigError> {
        require!(self.burst > 0, "rate_limiter.burst", "greater than zero");
        require!(self.period > 0, "rate_limiter.period", "greater than zero");
        if self.tokens == 0 {
            return Ok(Scale::standing_still(self.burst));
        }
        require!(
            self.burst as u64 <= (Wide::MAX >> 4) as u64,
            "rate_limiter.burst",
            "at most 268435455 where words have 32 bits"
        );
        let divisor = gcd(self.period, self.tokens as u64);
        let (period, tokens) = (self.period / divisor, (self.tokens as u64 / divisor) as u32);
        Ok(Scale::choose(period, tokens, self.burst, bits))
    }
}

/// The arrival time of a bucket that is as new.
pub(super) const FULL: Wide = 0;

/// How durations become units: a unit is `unit` nanoseconds, or a nanosecond is `per_nano` units.
#[derive(Clone, Copy, Debug)]
pub(in crate::admission) struct Scale {
    /// Zero if time stands still.
    per_nano: u32,
    unit: u64,
    /// Units of one token, rounded up.
    pub(in crate::admission) interval: Wide,
    /// Units of a full bucket: `burst` times the interval.
    pub(in crate::admission) tolerance: Wide,
    /// Arrival times that seem to be further ahead are in the past.
    pub(in crate::admission) horizon: Wide,
}

impl Scale {
    /// The most units of a full bucket where an arrival time has so many bits.
    const fn most(bits: u32) -> u64 {
        match bits {
            64 => (1 << 60) - 1,
            32.. => 1 << (bits - 14),
            _ => 1 << (bits - 6),
        }
    }

    /// The same where the units are finer than a nanosecond and wrap.
    const fn most_fine(bits: u32) -> u64 {
        if bits == 64 { 1 << 52 } else { Self::most(bits) }
    }

    /// How far ahead of a full burst an arrival time may seem to be, where it has fewer than 64 bits.
    const fn step_back(bits: u32) -> u64 {
        Self::most(bits) * if bits >= 32 { 16 } else { 2 }
    }

    /// The most units of a nanosecond.
    const FINEST: u32 = 1024;
    /// How far a clock may step back unnoticed where the wide units wrap: 2⁴² ns, 73 minutes.
    const STEP_BACK_BITS: u32 = 42;
    /// How many coarser units are tried to find one that divides the interval.
    const TRIES: u64 = 4096;

    const fn choose(period: u64, tokens: u32, burst: u32, bits: u32) -> Self {
        // Finer than a nanosecond if that makes the interval exact (or nearly so) and the bucket still fits well below the
        // wrap; otherwise nanoseconds, or as many of them as it takes.
        let finest = if tokens <= Self::FINEST { tokens } else { Self::FINEST };
        if let Some(fine) = Self::with(period, tokens, burst, finest, 1, bits) {
            if fine.tolerance as u64 <= Self::most_fine(bits) {
                return fine;
            }
        }
        let smallest = (period as u128 * burst as u128).div_ceil(tokens as u128 * Self::most(bits) as u128);
        if smallest > (u64::MAX / 2) as u128 {
            // It takes longer than 292 years to refill by one unit.
            return Self::standing_still(burst);
        }
        let smallest = smallest as u64;
        let mut unit = smallest;
        while unit < smallest * 2 && unit - smallest < Self::TRIES {
            let divides = (period as u128).is_multiple_of(tokens as u128 * unit as u128);
            if divides {
                if let Some(scale) = Self::with(period, tokens, burst, 1, unit, bits) {
                    return scale;
                }
            }
            unit += 1;
        }
        // Round units divide the usual periods, and may lie beyond those that were tried one by one.
        let mut power = 1;
        while power < smallest {
            power *= 10;
        }
        let round = if power / 5 >= smallest {
            power / 5
        } else if power / 2 >= smallest {
            power / 2
        } else {
            power
        };
        let divides = (period as u128).is_multiple_of(tokens as u128 * round as u128);
        if divides && round < smallest * 2 {
            if let Some(scale) = Self::with(period, tokens, burst, 1, round, bits) {
                return scale;
            }
        }
        let mut unit = smallest;
        while unit < u64::MAX / 4 {
            if let Some(scale) = Self::with(period, tokens, burst, 1, unit, bits) {
                return scale;
            }
            // Rounding the interval up can ask for a little more than the smallest unit.
            unit += unit / 8 + 1;
        }
        Self::standing_still(burst)
    }

    /// The scale with these units, if the bucket fits.
    const fn with(period: u64, tokens: u32, burst: u32, per_nano: u32, unit: u64, bits: u32) -> Option<Self> {
        let interval = (period as u128 * per_nano as u128).div_ceil(tokens as u128 * unit as u128);
        let tolerance = interval * burst as u128;
        // A token costs one unit at least, so the largest bursts fit the narrow word only as they are.
        let most = if interval == 1 { u128::MAX >> (132 - bits) } else { Self::most(bits) as u128 };
        if tolerance > most {
            return None;
        }
        let wraps = per_nano > 1 || bits < 64;
        let horizon = if !wraps {
            Wide::MAX
        } else if bits == 64 {
            tolerance as Wide + ((per_nano as u64) << Self::STEP_BACK_BITS) as Wide
        } else {
            (tolerance as Wide).saturating_add(Self::step_back(bits) as Wide)
        };
        Some(Self { per_nano, unit, interval: interval as Wide, tolerance: tolerance as Wide, horizon })
    }

    /// Units in which no time passes, so that nothing comes back.
    const fn standing_still(burst: u32) -> Self {
        Self { per_nano: 0, unit: 1, interval: 1, tolerance: burst as Wide, horizon: Wide::MAX }
    }

    /// The units of `cost` tokens, which are no more than a burst.
    #[inline]
    pub(in crate::admission) const fn units_of(&self, cost: u32) -> Wide {
        self.interval * cost as Wide
    }

    /// The whole tokens in `units`.
    pub(in crate::admission) const fn tokens_in(&self, units: Wide) -> u32 {
        (units / self.interval) as u32
    }

    /// The present moment in units.
    #[inline]
    pub(in crate::admission) const fn present(&self, now: Instant) -> Wide {
        if self.per_nano != 1 {
            return now.as_nanos().wrapping_mul(self.per_nano as u64) as Wide;
        }
        let units = if self.unit == 1 { now.as_nanos() } else { now.as_nanos() / self.unit };
        if Wide::BITS == 64 {
            // Time stands still at the very end, so that an arrival time never wraps.
            let last = u64::MAX - self.tolerance as u64;
            return (if units > last { last } else { units }) as Wide;
        }
        units as Wide
    }

    /// How far the arrival time is ahead of the present; zero if it is past.
    #[inline]
    pub(super) const fn ahead(&self, arrival: Wide, present: Wide) -> Wide {
        if self.horizon == Wide::MAX {
            return arrival.saturating_sub(present);
        }
        let ahead = arrival.wrapping_sub(present);
        if ahead > self.horizon { 0 } else { ahead }
    }

    /// An arrival time as it is stored.
    ///
    /// Where units wrap, one that would read as a full bucket is stored a unit later; elsewhere it is the clock's origin, at
    /// which the bucket was full indeed.
    #[inline]
    pub(super) const fn stored(&self, arrival: Wide) -> Wide {
        if arrival == FULL && self.horizon != Wide::MAX { FULL + 1 } else { arrival }
    }

    /// The time after `now` until `units` more have passed; `None` if that is beyond the end of time.
    #[cold]
    pub(in crate::admission) const fn wait_for(&self, units: Wide, now: Instant) -> Option<Duration> {
        let nanos = match self.per_nano {
            0 => return None,
            1 if self.unit == 1 => units as u64,
            // From the beginning of the present unit. What does not fit 64 bits is beyond the end of time.
            1 => match (units as u64).checked_mul(self.unit) {
                Some(nanos) => nanos - now.as_nanos() % self.unit,
                None => return None,
            },
            per_nano => (units as u64).div_ceil(per_nano as u64),
        };
        if nanos > u64::MAX - now.as_nanos() { None } else { Some(Duration::from_nanos(nanos)) }
    }
}

/// The greatest common divisor; of zero and `b` it is `b`.
const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
