//! The arithmetic of a window: which bucket an event belongs to, and which boundaries are live.

use core::time::Duration;

use crate::config::ConfigError;
use crate::divisor::Divisor;
use crate::time::Instant;

/// The most calls that a window covers.
pub const MAX_CALLS: u32 = 1 << 24;

/// Numbers of buckets of time are taken modulo this.
const TIME_LAP: u32 = 1 << 31;

/// An event this many spans behind the newest bucket counts to it; one that is further behind starts the window anew.
const SPANS_BEHIND: u32 = 4;

/// What a window covers: a span of time, or a number of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span(Kind);

wire_struct!(Span(kind));

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Time(Duration),
    Calls(u32),
}

wire_enum!(Kind { 0: Time(span), 1: Calls(calls) });

impl Span {
    /// The last `span` of time.
    pub const fn time(span: Duration) -> Self {
        Self(Kind::Time(span))
    }

    /// The last `n` calls.
    pub const fn calls(n: u32) -> Self {
        Self(Kind::Calls(n))
    }

    /// The span of time, if it is one.
    pub const fn as_time(self) -> Option<Duration> {
        match self.0 {
            Kind::Time(span) => Some(span),
            Kind::Calls(_) => None,
        }
    }

    /// The number of calls, if it is one.
    pub const fn as_calls(self) -> Option<u32> {
        match self.0 {
            Kind::Time(_) => None,
            Kind::Calls(n) => Some(n),
        }
    }
}

/// A bucket: the slot that keeps its boundary, and its number modulo the lap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) slot: usize,
    pub(super) number: u32,
}

/// How a span is cut into buckets, of which the window keeps `SLOTS`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape<const SLOTS: usize> {
    pace: Pace,
    /// How many buckets the sums cover, at most `SLOTS`.
    live: u32,
    /// Numbers of buckets are taken modulo this.
    lap: u32,
    /// How far a boundary may be ahead of an event.
    ahead: u32,
}

#[derive(Clone, Copy, Debug)]
enum Pace {
    /// Nanoseconds a bucket.
    Time { width: Divisor },
    /// Calls a bucket, and the number that the user asked for.
    Calls { width: u32, asked: u32 },
}

impl<const SLOTS: usize> Shape<SLOTS> {
    /// The number of slots, which is at most [`MAX_SLOTS`](super::MAX_SLOTS).
    const SLOTS: u32 = SLOTS as u32;
    /// Buckets of time in a round through the slots; without slots nobody asks.
    const ROUND: Divisor = Divisor::new(if SLOTS == 0 { 1 } else { SLOTS as u64 });

    pub(super) const fn try_new(span: Span) -> Result<Self, ConfigError> {
        let slots = Self::SLOTS;
        if slots == 0 {
            let pace = match span.0 {
                Kind::Time(_) => Pace::Time { width: Divisor::new(1) },
                Kind::Calls(asked) => Pace::Calls { width: 1, asked },
            };
            return Ok(Self { pace, live: 0, lap: TIME_LAP, ahead: 0 });
        }
        match span.0 {
            Kind::Time(span) => {
                let nanos = span.as_nanos();
                require!(nanos <= u64::MAX as u128, "window.span", "at most 2^64 nanoseconds");
                let width = nanos as u64 / slots as u64;
                require!(
                    width > 0 && width * slots as u64 == nanos as u64,
                    "window.span",
                    "a whole, positive number of nanoseconds in each slot"
                );
                let pace = Pace::Time { width: Divisor::new(width) };
                Ok(Self { pace, live: slots, lap: TIME_LAP, ahead: SPANS_BEHIND * slots })
            }
            Kind::Calls(asked) => {
                require!(asked > 0 && asked <= MAX_CALLS, "window.calls", "between 1 and 16777216");
                let width = asked.div_ceil(slots);
                // A whole number of rounds through the slots, and no more than 2³¹ calls.
                let lap = (1 << 31) / (width * slots) * slots;
                let pace = Pace::Calls { width, asked };
                Ok(Self { pace, live: asked.div_ceil(width), lap, ahead: lap / 2 })
            }
        }
    }

    pub(super) const fn span(&self) -> Span {
        match self.pace {
            Pace::Time { width } => Span::time(Duration::from_nanos(width.get() * SLOTS as u64)),
            Pace::Calls { asked, .. } => Span::calls(asked),
        }
    }

    /// The bucket of `now`, if time is what makes the buckets.
    #[inline]
    pub(super) const fn at(&self, now: Instant) -> Option<Bucket> {
        let Pace::Time { width } = self.pace else { return None };
        let (number, _) = width.divide(now.as_nanos());
        let (_, slot) = Self::ROUND.divide(number);
        Some(Bucket { slot: slot as usize, number: (number % TIME_LAP as u64) as u32 })
    }

    /// The bucket of the call after `before` others, if calls are what makes the buckets.
    #[inline]
    pub(super) const fn bucket_of_call(&self, before: u32) -> Bucket {
        let number = match self.pace {
            Pace::Time { .. } => 0,
            Pace::Calls { width, .. } => before / width,
        };
        Bucket { slot: number as usize % SLOTS, number }
    }

    /// Whether sums of so many calls may be fewer than `minimum` only since the newest bucket has just begun.
    #[inline]
    pub(super) const fn leaves_out(&self, minimum: u32, calls: u32) -> bool {
        match self.pace {
            Pace::Time { .. } => false,
            Pace::Calls { width, asked } => minimum <= asked && calls + width > asked,
        }
    }

    /// The calls after which the numbers of buckets start over.
    pub(super) const fn calls_per_lap(&self) -> u32 {
        match self.pace {
            Pace::Time { .. } => TIME_LAP,
            Pace::Calls { width, .. } => self.lap * width,
        }
    }

    /// The oldest bucket that is live at `bucket`.
    pub(super) const fn first_live(&self, bucket: Bucket) -> Bucket {
        let back = self.live - 1;
        let slot = bucket.slot + SLOTS - back as usize;
        Bucket {
            slot: if slot >= SLOTS { slot - SLOTS } else { slot },
            number: self.since(bucket.number, back),
        }
    }

    /// How far the bucket `number` is after `first`, if a boundary of it is live.
    #[inline]
    pub(super) const fn position(&self, number: u32, first: u32) -> Option<u32> {
        let position = self.since(number, first);
        if position < self.live + self.ahead { Some(position) } else { None }
    }

    /// Whether the bucket `number` comes after `other`.
    pub(super) const fn is_newer(&self, number: u32, other: u32) -> bool {
        let ahead = self.since(number, other);
        0 < ahead && ahead <= self.ahead
    }

    /// Whether the bucket `number` is so far after `other` that the clock must have been set back.
    pub(super) const fn is_far_ahead(&self, number: u32, other: u32) -> bool {
        let ahead = self.since(number, other);
        self.ahead < ahead && ahead < self.lap / 2
    }

    /// Whether a baseline of the bucket `number` may be newer than a boundary that is live at `other`: the boundary is not so
    /// much newer, or the clock was set back since.
    pub(super) const fn is_recent(&self, number: u32, other: u32) -> bool {
        let range = (SPANS_BEHIND + 2) * Self::SLOTS;
        self.since(other, number) <= range || self.since(number, other) < self.lap / 2
    }

    /// `number` less `other`, modulo the lap.
    const fn since(&self, number: u32, other: u32) -> u32 {
        if number >= other { number - other } else { number + self.lap - other }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
