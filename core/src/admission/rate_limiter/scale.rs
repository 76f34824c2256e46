//! The units in which a bucket is counted, and the algorithm in these units.
//!
//! The word of a bucket is its arrival time with `TAG` bits below, so everything here is a multiple of 2^`TAG`: sums and
//! differences of arrival times wrap with the word, and the bits below stay free.

#[cfg(all(test, not(loom)))]
mod tests;

use core::time::Duration;

use crate::atomic::era::Length;
use crate::atomic::sync::Wide;
use crate::divisor::Divisor;
use crate::time::{Instant, duration};

/// The arrival time of a bucket that is as new.
pub(in crate::admission) const FULL: Wide = 0;

/// In place of the length of an era where units do not wrap within the time of a clock, of which it is half.
pub(in crate::admission) const NO_ERAS: u32 = u64::BITS - 1;

/// What there is room for where an arrival time is kept.
#[derive(Clone, Copy)]
pub(in crate::admission) struct Room {
    /// The most units of a full bucket.
    most: u64,
    /// The same where the units are finer than a nanosecond.
    most_fine: u64,
    /// The most tokens of a full bucket where a unit is a token.
    pub(in crate::admission) most_tokens: u64,
    step_back: StepBack,
    /// Units are no shorter than so many nanoseconds, unless a token would be fewer than `WHOLE` of them; zero is no such bound.
    shortest: u64,
}

/// How far a clock may step back, and a reservation go ahead, unnoticed.
#[derive(Clone, Copy)]
enum StepBack {
    /// Two to the power of so many nanoseconds, where units are so fine that they wrap.
    NanosLog2(u32),
    /// Full buckets.
    Bursts(u64),
    Units(u64),
}

impl Room {
    /// How many units a token is at least where units are made longer so that more time fits; that rounds by 0.4 % at most.
    const WHOLE: u64 = 250;

    /// In a word with `tag` bits below: 2⁴² ns are 73 minutes, 2⁴⁰ ns 18 minutes.
    pub(in crate::admission) const fn of_word(tag: u32) -> Self {
        let most_tokens = (Wide::MAX >> (4 + tag)) as u64;
        match (Wide::BITS, tag) {
            (64, 0 | 1) => Self {
                most: ((1 << 60) - 1) >> tag,
                most_fine: 1 << 52,
                most_tokens,
                step_back: StepBack::NanosLog2(42),
                shortest: 0,
            },
            (64, _) => Self {
                most: ((1 << 60) - 1) >> tag,
                most_fine: 1 << 48,
                most_tokens,
                step_back: StepBack::NanosLog2(40),
                shortest: 0,
            },
            (_, tag) => {
                let most = if tag > 1 { 1 << 16 } else { 1 << 18 };
                Self { most, most_fine: most, most_tokens, step_back: StepBack::Bursts(16), shortest: 0 }
            }
        }
    }

    /// In so many bits, fewer than 64: of 40 bits 2³⁰ units are left to a step back, so 4.3 s of 4 ns; of 20 bits 2¹⁵ units, so
    /// 131 ms of 4 µs.
    pub(in crate::admission) const fn of_bits(bits: u32) -> Self {
        let (most, bursts, shortest) =
            if bits >= 32 { (1 << (bits - 14), 16, 4) } else { (1 << (bits - 6), 2, 4000) };
        let most_tokens = u64::MAX >> (68 - bits);
        Self { most, most_fine: most, most_tokens, step_back: StepBack::Units(most * bursts), shortest }
    }

    /// The shortest unit in nanoseconds; zero if it may be shorter than one.
    const fn shortest_unit(&self, period: u64, tokens: u32) -> u64 {
        match (self.shortest, period / (tokens as u64 * Self::WHOLE)) {
            (0, _) => 0,
            (_, 0) => 1,
            (shortest, whole) if whole < shortest => whole,
            (shortest, _) => shortest,
        }
    }

    /// How far ahead arrival times may seem to be, in a scale without tag.
    const fn horizon(&self, tag: u32, per_nano: u32, tolerance: Wide) -> Wide {
        let slack = match self.step_back {
            // Whole nanoseconds wrap only where other bits take much of the word.
            StepBack::NanosLog2(_) if per_nano == 1 && tag <= 1 => return Wide::MAX,
            StepBack::NanosLog2(log2) => (per_nano as u64) << log2,
            StepBack::Bursts(bursts) => {
                let bucket = if tolerance as u64 > self.most { self.most } else { tolerance as u64 };
                bucket * bursts
            }
            StepBack::Units(units) => units,
        };
        tolerance.saturating_add(slack as Wide)
    }
}

/// How durations become units: a unit is `unit` nanoseconds, or a nanosecond is `per_nano` units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admission) struct Scale<const TAG: u32> {
    /// Zero if time stands still.
    pub(in crate::admission) per_nano: u16,
    pub(in crate::admission) unit: Divisor,
    /// Units of one token, rounded up.
    pub(in crate::admission) interval: Wide,
    /// Units of a full bucket: `burst` times the interval.
    pub(in crate::admission) tolerance: Wide,
    /// Arrival times that seem to be further ahead are in the past.
    pub(in crate::admission) horizon: Wide,
    /// Two to the power of so many nanoseconds are an [`Era`](crate::atomic::era::Era): a quarter of what the units take to
    /// wrap, or a little less.
    era_log2: u16,
}

/// What a bucket gives back.
pub(in crate::admission) struct Return {
    pub(in crate::admission) units: Wide,
    /// Whether somebody reserved tokens behind these, and is still to start.
    pub(in crate::admission) leaves_gap: bool,
}

impl<const TAG: u32> Scale<TAG> {
    /// The most units of a nanosecond.
    const FINEST: u32 = 1024;
    /// How many coarser units are tried to find one that divides the interval.
    const TRIES: u64 = 4096;

    /// The scale for `tokens` a `period` in nanoseconds, which have no common divisor.
    pub(in crate::admission) const fn choose(period: u64, tokens: u32, burst: u32, room: Room) -> Self {
        // Finer than a nanosecond if the room allows it, that makes the interval exact (or nearly so), and the bucket still fits
        // well below the wrap; otherwise nanoseconds, or as many of them as it takes.
        let finest = if tokens <= Self::FINEST { tokens } else { Self::FINEST };
        let shortest = room.shortest_unit(period, tokens);
        if shortest == 0 {
            if let Some(fine) = Self::with(period, tokens, burst, finest, 1, room) {
                if (fine.tolerance >> TAG) as u64 <= room.most_fine {
                    return fine;
                }
            }
        }
        let smallest = (period as u128 * burst as u128).div_ceil(tokens as u128 * room.most as u128);
        if smallest > (u64::MAX / 2) as u128 {
            // It takes longer than 292 years to refill by one unit.
            return Self::standing_still(burst);
        }
        let smallest = if smallest as u64 > shortest { smallest as u64 } else { shortest };
        // Coarse units divide the interval only where that is a whole number of nanoseconds.
        if tokens == 1 {
            let mut unit = smallest;
            while unit < smallest * 2 && unit - smallest < Self::TRIES {
                if period.is_multiple_of(unit) {
                    if let Some(scale) = Self::with(period, tokens, burst, 1, unit, room) {
                        return scale;
                    }
                }
                unit += 1;
            }
            // Round units divide the usual periods, and may lie beyond those that were tried one by one.
            let round = round_up(smallest);
            if round < smallest * 2 && period.is_multiple_of(round) {
                if let Some(scale) = Self::with(period, tokens, burst, 1, round, room) {
                    return scale;
                }
            }
        }
        let mut unit = smallest;
        while unit < u64::MAX / 4 {
            if let Some(scale) = Self::with(period, tokens, burst, 1, unit, room) {
                return scale;
            }
            // Rounding the interval up can ask for a little more than the smallest unit.
            unit += unit / 8 + 1;
        }
        Self::standing_still(burst)
    }

    /// The scale with these units, if the bucket fits.
    const fn with(
        period: u64,
        tokens: u32,
        burst: u32,
        per_nano: u32,
        unit: u64,
        room: Room,
    ) -> Option<Self> {
        let interval = (period as u128 * per_nano as u128).div_ceil(tokens as u128 * unit as u128);
        let tolerance = interval * burst as u128;
        // A token costs one unit at least, so the largest bursts fit the narrow word only as they are.
        let most = if interval == 1 { room.most_tokens as u128 } else { room.most as u128 };
        if tolerance > most {
            return None;
        }
        let scale = Self::in_room(
            per_nano,
            Divisor::new(unit),
            (interval as Wide) << TAG,
            (tolerance as Wide) << TAG,
            room,
        );
        Some(Self { era_log2: scale.choose_era() as u16, ..scale })
    }

    /// How long an era is.
    ///
    /// It is longer than a bucket takes to fill, with all that can be reserved, so that the bucket is full after one.
    const fn choose_era(&self) -> u32 {
        if self.horizon == Wide::MAX {
            return NO_ERAS;
        }
        let quarter = (1_u128 << (Wide::BITS - TAG - 2)) * self.unit.get() as u128 / self.per_nano as u128;
        let log2 = u128::BITS - 1 - quarter.leading_zeros();
        if log2 > NO_ERAS { NO_ERAS } else { log2 }
    }

    /// Whether its units wrap within the time of a clock.
    #[inline]
    pub(in crate::admission) const fn has_eras(&self) -> bool {
        self.era_log2() != NO_ERAS
    }

    /// Two to the power of so many nanoseconds are an era.
    #[inline]
    pub(in crate::admission) const fn era_log2(&self) -> u32 {
        self.era_log2 as u32
    }

    /// How long an era is, where there are no other ones.
    #[inline]
    pub(in crate::admission) const fn era(&self) -> Length {
        Length { log2: self.era_log2(), mark: 0 }
    }

    /// Units in which no time passes, so that nothing comes back.
    pub(in crate::admission) const fn standing_still(burst: u32) -> Self {
        Self::of_parts(0, NO_ERAS, Divisor::new(1), 1 << TAG, (burst as Wide) << TAG)
    }

    /// The scale of which these are the parts that do not follow from each other, in a word.
    #[inline]
    pub(in crate::admission) const fn of_parts(
        per_nano: u32,
        era_log2: u32,
        unit: Divisor,
        interval: Wide,
        tolerance: Wide,
    ) -> Self {
        let scale = Self::in_room(per_nano, unit, interval, tolerance, Room::of_word(TAG));
        Self { era_log2: era_log2 as u16, ..scale }
    }

    #[inline]
    const fn in_room(per_nano: u32, unit: Divisor, interval: Wide, tolerance: Wide, room: Room) -> Self {
        let ahead = if per_nano == 0 { Wide::MAX } else { room.horizon(TAG, per_nano, tolerance >> TAG) };
        let horizon = if ahead > Wide::MAX >> TAG { Wide::MAX } else { ahead << TAG };
        // At most the finest, and 63: both fit.
        Self { per_nano: per_nano as u16, unit, interval, tolerance, horizon, era_log2: NO_ERAS as u16 }
    }

    /// By how many units reservations may go beyond a full bucket.
    ///
    /// The other half of what the word has room for is left to clocks that step back.
    pub(in crate::admission) const fn reach(&self) -> Wide {
        let slack = if self.horizon == Wide::MAX { Wide::MAX >> 1 } else { self.horizon - self.tolerance };
        (slack / 2) >> TAG << TAG
    }

    /// Whether the arrival time that follows stays below the end of time, where it does not wrap.
    pub(in crate::admission) const fn has_room(&self, present: Wide, debt: Wide, units: Wide) -> bool {
        self.horizon != Wide::MAX || units <= Wide::MAX.saturating_sub(present).saturating_sub(debt)
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
        let nanos = now.as_nanos();
        if self.per_nano != 1 {
            return (nanos.wrapping_mul(self.per_nano as u64) as Wide) << TAG;
        }
        let units = if self.unit.get() == 1 { nanos } else { self.unit.divide(nanos).0 };
        if Wide::BITS == 64 && TAG <= 1 {
            // Time stands still at the very end, so that an arrival time never wraps.
            let last = (Wide::MAX - self.tolerance) as u64 >> TAG;
            return ((if units > last { last } else { units }) as Wide) << TAG;
        }
        (units as Wide) << TAG
    }

    /// Whether `now` lies between two units.
    pub(in crate::admission) const fn is_between_units(&self, now: Instant) -> bool {
        self.unit.divide(now.as_nanos()).1 > 0
    }

    /// How far the arrival time is ahead of the present; zero if it is past.
    #[inline]
    pub(in crate::admission) const fn ahead(&self, arrival: Wide, present: Wide) -> Wide {
        if self.horizon == Wide::MAX {
            return arrival.saturating_sub(present);
        }
        let ahead = arrival.wrapping_sub(present);
        if ahead > self.horizon { 0 } else { ahead }
    }

    /// The units that were taken and have not come back.
    #[inline]
    pub(in crate::admission) const fn debt(&self, arrival: Wide, present: Wide) -> Wide {
        if arrival == FULL { 0 } else { self.ahead(arrival, present) }
    }

    /// By how much `units` more than the debt exceed the bucket, if they do.
    ///
    /// Both differences are exact: the debt may exceed the tolerance after a reservation, or a clock that stepped back.
    #[cold]
    pub(in crate::admission) fn excess(&self, debt: Wide, units: Wide) -> Wide {
        debt.saturating_sub(self.tolerance)
            .saturating_add(units - self.tolerance.saturating_sub(debt).min(units))
    }

    /// What comes back of `units` that somebody took up to the arrival time `until`.
    ///
    /// No more than is still owed: with the rest the bucket would be more than full.
    /// While a reservation waits, also what others reserved behind does not come back: their starts stand, and tokens
    /// from before them would be gone by then if the bucket had been full in between.
    /// For the same reason nothing comes back from a bucket with a gap, where the arrival time no longer tells what was
    /// reserved behind.
    pub(in crate::admission) fn back(
        &self,
        arrival: Wide,
        gap: bool,
        units: Wide,
        until: Wide,
        present: Wide,
    ) -> Return {
        let debt = self.debt(arrival, present);
        let still_owed = self.ahead(until, present);
        let owed =
            if mutant!("limiter_refunds_what_lapsed") { units } else { still_owed.min(units).min(debt) };
        let later = if debt > self.tolerance { debt.saturating_sub(still_owed) } else { 0 };
        let kept = if mutant!("limiter_cancels_from_before_others") { 0 } else { later };
        let units = if gap { 0 } else { owed.saturating_sub(kept) };
        Return { units, leaves_gap: later > 0 }
    }

    /// An arrival time as it is stored.
    ///
    /// Where units wrap, one that would read as a full bucket is stored a unit later; elsewhere it is the clock's origin, at
    /// which the bucket was full indeed.
    #[inline]
    pub(in crate::admission) const fn stored(&self, arrival: Wide) -> Wide {
        if arrival == FULL && self.horizon != Wide::MAX { 1 << TAG } else { arrival }
    }

    /// The time after `now` until `units` more have passed; `None` if that is beyond the end of time.
    #[cold]
    pub(in crate::admission) const fn wait_for(&self, units: Wide, now: Instant) -> Option<Duration> {
        let units = units >> TAG;
        let nanos = match self.per_nano {
            0 => return None,
            // From the beginning of the present unit. What does not fit 64 bits is beyond the end of time.
            1 => match (units as u64).checked_mul(self.unit.get()) {
                Some(nanos) => nanos - self.unit.divide(now.as_nanos()).1,
                None => return None,
            },
            per_nano => (units as u64).div_ceil(per_nano as u64),
        };
        if nanos > u64::MAX - now.as_nanos() { None } else { Some(duration(nanos)) }
    }
}

/// The least of 1, 2 and 5 times a power of ten that is no less.
const fn round_up(least: u64) -> u64 {
    let mut power = 1;
    while power < least {
        power *= 10;
    }
    if power / 5 >= least {
        power / 5
    } else if power / 2 >= least {
        power / 2
    } else {
        power
    }
}
