//! The word of a health check, and the time in it.

use core::time::Duration;

use super::{Cause, Status, Transition};
use crate::atomic::sync::Wide;
use crate::atomic::timer::tick_for;
use crate::atomic::word::Packed;
use crate::time::Instant;

const PHASE_BITS: u32 = 2;
const FAILED_BITS: u32 = 1;
const ROW_BITS: u32 = 8;
const TICK_BITS: u32 = Wide::BITS - PHASE_BITS - FAILED_BITS - ROW_BITS;
/// The most ticks that the time to become stale takes.
const STALE_BITS: u32 = if Wide::BITS == 64 { 48 } else { 14 };

const PHASE_MAX: Wide = (1 << PHASE_BITS) - 1;
const TICK_MAX: Wide = (1 << TICK_BITS) - 1;
/// The longest row that is counted.
pub(super) const MAX_ROW: u32 = (1 << ROW_BITS) - 1;

// The stale time, ahead and behind, must be well below the wrap of the ticks.
const _: () = assert!(STALE_BITS + 4 < TICK_BITS);
// A fresh word is one of which nothing is known.
const _: () = assert!(Phase::Unchecked as u32 == 0);

/// The phase that the word is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No result was ever recorded, so BEGAN means nothing.
    Unchecked = 0,
    Unknown = 1,
    Healthy = 2,
    Unhealthy = 3,
}

impl Phase {
    pub(super) const fn status(self) -> Status {
        match self {
            Self::Unchecked | Self::Unknown => Status::Unknown,
            Self::Healthy => Status::Healthy,
            Self::Unhealthy => Status::Unhealthy,
        }
    }

    /// The phase after a result that changes no status.
    pub(super) const fn seen(self) -> Self {
        match self {
            Self::Unchecked => Self::Unknown,
            phase => phase,
        }
    }
}

/// The last results of one kind in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) failed: bool,
    pub(super) length: u32,
}

impl Row {
    pub(super) const NONE: Self = Self { failed: false, length: 0 };

    /// The row after one more result.
    pub(super) const fn extend(self, success: bool) -> Self {
        let failed = !success;
        if self.failed == failed && self.length == MAX_ROW {
            self
        } else if self.failed == failed {
            Self { failed, length: self.length + 1 }
        } else {
            Self { failed, length: 1 }
        }
    }
}

/// A moment of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) row: Row,
    /// When the newest check began, in ticks.
    pub(super) began: Wide,
}

impl State {
    pub(super) fn transition_to(self, next: Self, cause: Cause) -> Option<Transition> {
        let (from, to) = (self.phase.status(), next.phase.status());
        (from != to).then_some(Transition { from, to, cause })
    }
}

impl Packed for State {
    type Raw = Wide;

    #[inline]
    fn unpack(raw: Wide) -> Self {
        let phase = match raw & PHASE_MAX {
            0 => Phase::Unchecked,
            1 => Phase::Unknown,
            2 => Phase::Healthy,
            _ => Phase::Unhealthy,
        };
        let above = raw >> PHASE_BITS;
        let row = Row { failed: above & 1 != 0, length: (above >> FAILED_BITS) as u32 & MAX_ROW };
        Self { phase, row, began: raw >> (Wide::BITS - TICK_BITS) }
    }

    #[inline]
    fn pack(self) -> Wide {
        let above = (self.began << ROW_BITS | Wide::from(self.row.length)) << FAILED_BITS;
        (above | Wide::from(self.row.failed)) << PHASE_BITS | self.phase as Wide
    }
}

/// Time as the word knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    /// Nanoseconds.
    tick: u64,
    /// The ticks after which a result is stale.
    stale: Wide,
}

impl Ticks {
    pub(super) const fn new(stale_after: u64) -> Self {
        let tick = tick_for(stale_after, STALE_BITS);
        Self { tick, stale: (stale_after / tick) as Wide }
    }

    #[inline]
    pub(super) const fn of(self, moment: Instant) -> Wide {
        let nanos = moment.as_nanos();
        (if self.tick == 1 { nanos } else { nanos / self.tick }) as Wide & TICK_MAX
    }

    /// Whether a newer check than the one of `started` was recorded. It must have begun since, and not in the future.
    pub(super) fn is_late(self, state: State, started: Instant, now: Instant) -> bool {
        let started = self.of(started);
        let newer_by = since(state.began, started);
        state.phase != Phase::Unchecked && 0 < newer_by && newer_by <= since(self.of(now), started)
    }

    /// How long ago the newest check began, if that is not stale; zero if the clock stepped back a little since.
    pub(super) fn age(self, state: State, now: Instant) -> Option<Duration> {
        let now = self.of(now);
        let (behind, ahead) = (since(now, state.began), since(state.began, now));
        if behind < self.stale {
            Some(Duration::from_nanos(behind as u64 * self.tick))
        } else if ahead <= self.stale {
            Some(Duration::ZERO)
        } else {
            None
        }
    }

    #[inline]
    pub(super) fn is_fresh(self, state: State, now: Instant) -> bool {
        self.age(state, now).is_some()
    }
}

/// `later` less `earlier`, modulo the wrap.
const fn since(later: Wide, earlier: Wide) -> Wide {
    later.wrapping_sub(earlier) & TICK_MAX
}
