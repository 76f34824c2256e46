//! Whether it is armed, and since when: one word.

use core::time::Duration;

use crate::atomic::sync::Wide;
use crate::atomic::timer::{Remaining, STAMP_BITS, Scale, Timer, tick_for};
use crate::atomic::word::Packed;
use crate::time::Instant;

const STAMP_MAX: Wide = (1 << STAMP_BITS) - 1;
const FLAG_BITS: u32 = 2;
const TICK_BITS: u32 = Wide::BITS - STAMP_BITS - FLAG_BITS;
const TICK_MAX: Wide = (1 << TICK_BITS) - 1;
/// The most ticks that the phases take.
const HORIZON_BITS: u32 = if Wide::BITS == 64 { 46 } else { 14 };

/// How far before the arming a moment lies at most that still reads as such. The narrow word is of few ticks, which here take
/// little time, so more of them are spent on it.
const BACK_BITS: u32 = if Wide::BITS == 64 { HORIZON_BITS } else { TICK_BITS - 2 };

const _: () = assert!(HORIZON_BITS + 6 <= TICK_BITS);
const _: () = assert!(HORIZON_BITS <= BACK_BITS && BACK_BITS <= TICK_BITS - 2);

/// A moment of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) armed: bool,
    /// The last phase has begun or ended, so the time since arming says nothing any more.
    pub(super) over: bool,
    /// Which arming it is.
    pub(super) stamp: u32,
    /// When it was armed, in ticks.
    pub(super) since: Wide,
}

impl State {
    /// The next arming, or the end of this one.
    pub(super) const fn next(self, armed: bool, since: Wide) -> Self {
        Self { armed, over: false, stamp: (self.stamp + 1) & STAMP_MAX as u32, since }
    }
}

impl Packed for State {
    type Raw = Wide;

    #[inline]
    fn unpack(raw: Wide) -> Self {
        Self {
            armed: raw & 1 != 0,
            over: raw & 2 != 0,
            stamp: (raw >> FLAG_BITS & STAMP_MAX) as u32,
            since: raw >> (FLAG_BITS + STAMP_BITS),
        }
    }

    #[inline]
    fn pack(self) -> Wide {
        self.since << (FLAG_BITS + STAMP_BITS)
            | Wide::from(self.stamp) << FLAG_BITS
            | Wide::from(self.over) << 1
            | Wide::from(self.armed)
    }
}

/// The time since arming, in ticks.
#[derive(Clone, Copy)]
pub(super) struct Ticks {
    /// Nanoseconds.
    tick: u64,
    /// How many ticks the phases take.
    horizon: Wide,
}

impl Ticks {
    /// For phases that take so many nanoseconds altogether.
    pub(super) const fn new(horizon: u64) -> Self {
        let tick = tick_for(horizon, HORIZON_BITS);
        Self { tick, horizon: horizon.div_ceil(tick) as Wide }
    }

    pub(super) const fn of(self, now: Instant) -> Wide {
        (now.as_nanos() / self.tick) as Wide & TICK_MAX
    }

    /// The nanoseconds since it was armed, to the tick; `None` after the phases.
    ///
    /// A moment before the arming is the beginning, as far as [`BACK_BITS`] reach: a thread may have read its clock before
    /// another one armed. What lies further back cannot be told from the end.
    pub(super) const fn elapsed(self, state: State, now: Instant) -> Option<u64> {
        if state.over || self.horizon == 0 {
            return None;
        }
        let behind = self.of(now).wrapping_sub(state.since) & TICK_MAX;
        if behind < self.horizon {
            return Some(behind as u64 * self.tick);
        }
        let ahead = state.since.wrapping_sub(self.of(now)) & TICK_MAX;
        if ahead < 1 << BACK_BITS { Some(0) } else { None }
    }

    /// Whether the word has still to be told that the phases are over.
    pub(super) const fn ends(self, state: State) -> bool {
        self.horizon > 0 && !state.over
    }
}

/// The end of what has not begun lies so many times the longest of them before the arming. The ticks of the narrow layout wrap
/// after 256 times.
const BACK: u32 = 16;

/// Something that lasts for a time of one arming.
pub(super) struct Spell {
    longest: Duration,
    scale: Scale,
    end: Timer,
}

impl Spell {
    const_fn! {
        /// For times up to `longest`.
        pub(super) const fn new(longest: Duration) -> Self {
            Self { longest, scale: Scale::new(longest), end: Timer::new() }
        }
    }

    /// An arming begins, without it: also at a moment before the arming, as far back as [`BACK`] times the longest.
    pub(super) fn begin(&self, stamp: u32, now: Instant) {
        let back = Instant::ZERO.saturating_add(self.longest.saturating_mul(BACK));
        let over = Instant::ZERO.saturating_add(now.saturating_since(back));
        self.end.arm(self.scale, stamp, over);
    }

    /// It lasts until `end` at least.
    pub(super) fn prolong(&self, stamp: u32, end: Instant) {
        self.end.rearm(self.scale, stamp, end);
    }

    pub(super) fn is_on(&self, stamp: u32, now: Instant) -> bool {
        matches!(self.end.remaining(self.scale, stamp, now), Remaining::Ahead(_)) && !self.longest.is_zero()
    }
}
