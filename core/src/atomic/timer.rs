//! A deadline that belongs to a generation, in one word.
//!
//! A pattern's state word says *which* phase holds; this word says *until when*.
//! The deadline carries the generation of the phase that it ends, so that a thread which was delayed between changing the
//! phase and setting its deadline can neither overwrite a later generation's deadline nor leave its own unset: whoever
//! finds the deadline missing sets it.
//!
//! # Memory layout
//!
//! ```text
//! 64 bits:  TICKS 54 | STAMP 10        32 bits:  TICKS 22 | STAMP 10
//! ```
//!
//! A tick is 1, 2 or 5 times a power of ten of nanoseconds, the smallest for which the longest interval fits 2⁵¹ ticks (2¹⁴ on
//! 32 bits).
//! So deadlines are exact to the nanosecond for intervals up to 26 days on 64 bits; on 32 bits they may be early by less than
//! a tick, one part in 6500 of the longest interval (5 ms for a minute).
//!
//! Deadlines are *bounded ahead*: a stored value that seems to be further ahead than twice the longest interval is in the
//! past. So a clock that steps back by up to one interval keeps the deadline, and one that steps back further ends it.
//! On 64 bits a [patient](Scale::patient) scale keeps it for 4.29 s, too, if that is more.
//! The ticks wrap after 208 days (on 32 bits after 256 longest intervals at least).
//! A deadline that nobody looked at for that long may seem to be ahead again, with a chance of that bound in one wrap (1 in
//! 128 at most on 32 bits; 1 in 150 000 for a minute on 64); it costs one decision that is late by at most that bound.

use core::time::Duration;

use super::sync::Wide;
use super::word::{Packed, WideWord};
use crate::divisor::Divisor;
use crate::time::{Instant, duration, nanos};

/// The bits of a generation, here and in the state words.
pub(crate) const STAMP_BITS: u32 = 10;
const STAMP_MAX: Wide = (1 << STAMP_BITS) - 1;
const TICK_BITS: u32 = Wide::BITS - STAMP_BITS;
/// All ticks set: the deadline that is never reached.
const NEVER: Wide = Wide::MAX >> STAMP_BITS;
/// A step back of so many nanoseconds keeps a deadline of a patient scale, however short its interval is; where words are short
/// there is no room.
const STEP_BACK: u64 = if Wide::BITS == 64 { 1 << 32 } else { 0 };
/// The most ticks that an interval takes.
const INTERVAL_BITS: u32 = if Wide::BITS == 64 { 51 } else { 14 };

// Twice the longest interval must be well below the wrap of the ticks.
const _: () = assert!(INTERVAL_BITS + 1 < TICK_BITS);

/// A deadline with the generation that it belongs to.
#[derive(Clone, Copy)]
struct Armed {
    stamp: u32,
    ticks: Wide,
}

impl Packed for Armed {
    type Raw = Wide;

    #[inline]
    fn unpack(raw: Wide) -> Self {
        Self { stamp: (raw & STAMP_MAX) as u32, ticks: raw >> STAMP_BITS }
    }

    #[inline]
    fn pack(self) -> Wide {
        (self.ticks << STAMP_BITS) | (Wide::from(self.stamp) & STAMP_MAX)
    }
}

/// What the timer knows about a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remaining {
    /// The generation's deadline has come.
    Reached,
    /// The deadline is this far ahead; `None` is never.
    Ahead(Option<Duration>),
    /// The generation's deadline is not set yet.
    Unset,
    /// A later generation has set its deadline: the caller's view is old.
    Superseded,
}

/// What timers count in, for any number of them.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    /// Nanoseconds.
    tick: Divisor,
    /// Deadlines seemingly further ahead than this many ticks are in the past.
    horizon: Wide,
}

impl Scale {
    /// A scale for intervals up to `longest`.
    pub(crate) const fn new(longest: Duration) -> Self {
        Self::keeping(longest, 0)
    }

    /// A scale for intervals up to `longest` that one low reading of the clock must not end, where it may also last longer by as
    /// much after a high one.
    pub(crate) const fn patient(longest: Duration) -> Self {
        Self::keeping(longest, STEP_BACK)
    }

    /// A scale of which a step back by so many nanoseconds, or by the longest interval if that is more, keeps a deadline.
    const fn keeping(longest: Duration, back: u64) -> Self {
        let longest = nanos(longest);
        let tick = tick_for(longest, INTERVAL_BITS);
        let back = if longest > back { longest } else { back };
        let ahead = longest / tick + back / tick;
        Self { tick: Divisor::new(tick), horizon: ahead as Wide + 2 }
    }

    /// When an interval that begins at `now` ends: one that is shorter than a tick lasts until the next tick begins, and not no time
    /// at all.
    pub(crate) fn end(self, now: Instant, interval: Duration) -> Instant {
        let tick = self.tick.get();
        let short = !interval.is_zero() && nanos(interval) < tick;
        now.saturating_add(if short { Duration::from_nanos(tick) } else { interval })
    }

    /// Whether a deadline at `ticks` is later than one at `other`.
    fn is_later(self, ticks: Wide, other: Wide) -> bool {
        if ticks == NEVER || other == NEVER {
            return ticks == NEVER;
        }
        let ahead = ticks.wrapping_sub(other) & NEVER;
        ahead != 0 && ahead <= self.horizon
    }

    /// The ticks until `moment`, and the nanoseconds since the last of them.
    fn ticks(self, moment: Instant) -> (Wide, u64) {
        let (ticks, since) = self.tick.divide(moment.as_nanos());
        (ticks as Wide & NEVER, since)
    }

    fn ticks_of(self, deadline: Instant) -> Wide {
        if deadline == Instant::NEVER {
            return NEVER;
        }
        let (ticks, _) = self.ticks(deadline);
        // The highest value means "never"; a deadline that falls on it comes one tick early.
        if ticks == NEVER { NEVER - 1 } else { ticks }
    }
}

/// The word.
///
/// Whoever keeps it keeps its [`Scale`] too, and passes the same one each time.
pub(crate) struct Timer {
    word: WideWord,
}

impl Timer {
    const_fn! {
        /// A timer without a deadline.
        pub(crate) const fn new() -> Self {
            Self { word: WideWord::new(0) }
        }
    }

    /// A timer with the deadline of generation `stamp`.
    pub(crate) fn armed(scale: Scale, stamp: u32, deadline: Instant) -> Self {
        Self { word: WideWord::new(Armed { stamp, ticks: scale.ticks_of(deadline) }.pack()) }
    }

    /// Sets the deadline of generation `stamp` if it has none yet.
    pub(crate) fn arm(&self, scale: Scale, stamp: u32, deadline: Instant) {
        self.set(scale, stamp, deadline, false);
    }

    /// Sets the deadline of generation `stamp`, whatever it was.
    pub(crate) fn replace(&self, scale: Scale, stamp: u32, deadline: Instant) {
        let ticks = scale.ticks_of(deadline);
        self.word.transition(|_: Armed| (Some(Armed { stamp, ticks }), ()));
    }

    /// Sets the deadline of generation `stamp`, or moves it to a later moment if it has one.
    pub(crate) fn rearm(&self, scale: Scale, stamp: u32, deadline: Instant) {
        self.set(scale, stamp, deadline, true);
    }

    fn set(&self, scale: Scale, stamp: u32, deadline: Instant, replace: bool) {
        let ticks = scale.ticks_of(deadline);
        self.word.transition(|armed: Armed| {
            let age = distance(armed.stamp, stamp);
            let keep = if mutant!("timer_overwrites_later_generation") {
                false
            } else if age == 0 && replace {
                scale.is_later(armed.ticks, ticks) && !mutant!("timer_lets_an_earlier_lease_win")
            } else {
                age <= 0
            };
            (if keep { None } else { Some(Armed { stamp, ticks }) }, ())
        });
    }

    /// What remains at `now` until the deadline of generation `stamp`.
    #[inline]
    pub(crate) fn remaining(&self, scale: Scale, stamp: u32, now: Instant) -> Remaining {
        let armed: Armed = self.word.load();
        match distance(armed.stamp, stamp) {
            0 if armed.ticks == NEVER => Remaining::Ahead(None),
            0 => {
                let (present, since_tick) = scale.ticks(now);
                let ahead = armed.ticks.wrapping_sub(present) & NEVER;
                if ahead == 0 || ahead > scale.horizon {
                    Remaining::Reached
                } else {
                    // The deadline is the beginning of its tick.
                    Remaining::Ahead(Some(duration(ahead as u64 * scale.tick.get() - since_tick)))
                }
            }
            1.. => Remaining::Unset,
            _ => Remaining::Superseded,
        }
    }
}

/// The smallest 1, 2 or 5 times a power of ten of nanoseconds for which `longest` nanoseconds are at most 2^`bits` ticks.
pub(crate) const fn tick_for(longest: u64, bits: u32) -> u64 {
    let least = longest.div_ceil(1 << bits);
    let mut power = 1;
    loop {
        if least <= power {
            return power;
        }
        if least <= power * 2 {
            return power * 2;
        }
        if least <= power * 5 {
            return power * 5;
        }
        power *= 10;
    }
}

/// How many generations `to` is ahead of `from`, on the shorter way round.
const fn distance(from: u32, to: u32) -> i32 {
    // Shifted to the top, the sign bit of the difference is the sign of the distance.
    let shift = u32::BITS - STAMP_BITS;
    (to.wrapping_sub(from) << shift).cast_signed() >> shift
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Remaining, Scale, Timer, Wide, distance, tick_for};
    use crate::time::Instant;
    use core::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn distance_goes_the_shorter_way_round() {
        assert_eq!(distance(0, 1), 1);
        assert_eq!(distance(1, 0), -1);
        assert_eq!(distance(1023, 0), 1);
        assert_eq!(distance(0, 1023), -1);
        assert_eq!(distance(5, 5), 0);
    }

    #[test]
    fn a_deadline_that_is_reached_counts() {
        let (timer, scale) = (Timer::new(), Scale::new(SECOND));
        let start = Instant::from_secs(7);
        timer.arm(scale, 1, start.saturating_add(SECOND));
        assert_eq!(timer.remaining(scale, 1, start.saturating_add(SECOND)), Remaining::Reached);
        let Remaining::Ahead(Some(left)) = timer.remaining(scale, 1, start) else { panic!("must be ahead") };
        assert!(left <= SECOND && left >= SECOND * 6499 / 6500, "{left:?}");
        if Wide::BITS == 64 {
            let one_before = Instant::from_nanos(7_999_999_999);
            assert_eq!(
                timer.remaining(scale, 1, one_before),
                Remaining::Ahead(Some(Duration::from_nanos(1)))
            );
        }
    }

    #[test]
    fn an_earlier_generation_changes_nothing_and_a_missing_deadline_is_seen() {
        let (timer, scale) = (Timer::new(), Scale::new(SECOND));
        timer.arm(scale, 3, Instant::from_secs(1));
        timer.arm(scale, 2, Instant::NEVER);
        assert_eq!(timer.remaining(scale, 2, Instant::ZERO), Remaining::Superseded);
        assert_eq!(timer.remaining(scale, 4, Instant::ZERO), Remaining::Unset);
        timer.arm(scale, 3, Instant::NEVER);
        assert_eq!(timer.remaining(scale, 3, Instant::from_secs(1)), Remaining::Reached);
        timer.rearm(scale, 3, Instant::NEVER);
        assert_eq!(timer.remaining(scale, 3, Instant::from_secs(1)), Remaining::Ahead(None));
    }

    #[test]
    fn a_step_back_of_one_interval_keeps_the_deadline_and_a_longer_one_ends_it() {
        for (seconds, patient) in [(1, false), (1, true), (100, false), (100, true)] {
            let make = if patient { Scale::patient } else { Scale::new };
            let (timer, scale) = (Timer::new(), make(SECOND * seconds));
            let start = 1_000_000;
            timer.arm(scale, 1, Instant::from_millis(start + 1000 * u64::from(seconds)));
            let most = if Wide::BITS == 64 && patient { seconds.max(4) } else { seconds };
            let back = |millis| timer.remaining(scale, 1, Instant::from_millis(start - millis));
            assert!(matches!(back(u64::from(most) * 1000 - 100), Remaining::Ahead(Some(_))), "{seconds}");
            assert_eq!(back(u64::from(most) * 1000 + 1000), Remaining::Reached, "{seconds}");
        }
    }

    #[test]
    fn a_tick_is_the_smallest_of_its_series_for_which_the_interval_fits() {
        let series = (0..14).flat_map(|power| [1, 2, 5].map(|n| n * 10_u64.pow(power)));
        for (tick, next) in series.clone().zip(series.skip(1)) {
            assert_eq!(tick_for(tick << 14, 14), tick);
            assert_eq!(tick_for((tick << 14) + 1, 14), next);
        }
        assert_eq!((tick_for(0, 14), tick_for(u64::MAX, 51)), (1, 10_000));
    }

    #[test]
    fn what_remains_ends_with_the_tick_of_the_deadline() {
        // A tick is 2 ns, or 500 s on 32 bits, and both moments are one nanosecond after the beginning of theirs.
        let interval = Duration::from_secs(40 * 86_400);
        let (timer, scale) = (Timer::new(), Scale::new(interval));
        let start = Instant::from_nanos(7_000_000_000_000_001);
        timer.arm(scale, 1, start.saturating_add(interval));
        let left = interval.saturating_sub(Duration::from_nanos(1));
        assert_eq!(timer.remaining(scale, 1, start), Remaining::Ahead(Some(left)));
    }

    #[test]
    fn a_deadline_at_the_horizon_is_ahead_and_one_beyond_it_is_in_the_past() {
        let (timer, scale) = (Timer::new(), Scale::new(SECOND));
        let tick = if Wide::BITS == 64 { 1 } else { 100_000 };
        let horizon = 2_000_000_000 + 2 * tick;
        let ahead = |nanos| Instant::from_nanos(1_000_000_000_000 - nanos);
        timer.arm(scale, 1, ahead(0));
        let left = Duration::from_nanos(horizon);
        assert_eq!(timer.remaining(scale, 1, ahead(horizon)), Remaining::Ahead(Some(left)));
        assert_eq!(timer.remaining(scale, 1, ahead(horizon + tick)), Remaining::Reached);
    }

    /// The longest intervals, the end of time, and idling across the wrap of the ticks.
    #[test]
    fn no_interval_panics_and_a_wrap_costs_at_most_the_bound_ahead() {
        for interval in [
            Duration::ZERO,
            Duration::from_nanos(1),
            SECOND,
            Duration::from_secs(86_400 * 365),
            Duration::MAX,
        ] {
            for start in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
                let (timer, scale) = (Timer::new(), Scale::new(interval));
                let start = Instant::from_nanos(start);
                let deadline = start.saturating_add(interval);
                timer.arm(scale, 1, deadline);
                let at_deadline = timer.remaining(scale, 1, deadline);
                if deadline == Instant::NEVER {
                    assert_eq!(at_deadline, Remaining::Ahead(None));
                } else {
                    assert_eq!(at_deadline, Remaining::Reached);
                }
                let mut idle = start;
                for _ in 0..70 {
                    idle = idle.saturating_add(Duration::from_nanos(idle.as_nanos().max(1)));
                    if let Remaining::Ahead(Some(left)) = timer.remaining(scale, 1, idle) {
                        assert!(left <= interval.saturating_mul(2).saturating_add(SECOND / 8), "{left:?}");
                    }
                }
            }
        }
    }
}
