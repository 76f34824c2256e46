//! When a call must be over, on this node and on the nodes behind it.
//!
//! A deadline covers everything: waiting for a slot, the attempts and the pauses between them.
//! Over a hop it travels as the time that remains, never as a clock reading, since no two nodes share a clock.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{Deadline, Instant};
//!
//! let start = Instant::from_secs(10);
//! let deadline = Deadline::after(start, Duration::from_millis(250));
//! let sent = start.saturating_add(Duration::from_micros(1_500));
//! assert_eq!(deadline.remaining_millis(sent), 248, "rounded down: the next node must not believe in time that is not there");
//! assert!(deadline.is_expired(start.saturating_add(Duration::from_millis(250))));
//! ```

use core::time::Duration;

use crate::time::Instant;

/// A moment by which a call must be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// The call may take for ever.
    pub const NONE: Self = Self(Instant::NEVER);

    /// The call must be over at `moment`.
    #[inline]
    pub const fn at(moment: Instant) -> Self {
        Self(moment)
    }

    /// The call must be over `duration` after `now`.
    #[inline]
    pub const fn after(now: Instant, duration: Duration) -> Self {
        Self(now.saturating_add(duration))
    }

    /// The moment.
    #[inline]
    pub const fn moment(self) -> Instant {
        self.0
    }

    /// Whether there is none.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0.as_nanos() == Instant::NEVER.as_nanos()
    }

    /// Whether it has come: a deadline that is reached counts.
    #[inline]
    pub const fn is_expired(self, now: Instant) -> bool {
        !self.is_none() && now.as_nanos() >= self.0.as_nanos()
    }

    /// The time that remains; [`Duration::MAX`] if there is no deadline.
    #[inline]
    pub const fn remaining(self, now: Instant) -> Duration {
        if self.is_none() { Duration::MAX } else { self.0.saturating_since(now) }
    }

    /// The time that remains in whole milliseconds, rounded down, as it goes over the wire; `u32::MAX` if there is no
    /// deadline or it is more than 49 days away.
    pub const fn remaining_millis(self, now: Instant) -> u32 {
        let millis = self.remaining(now).as_millis();
        if millis > u32::MAX as u128 { u32::MAX } else { millis as u32 }
    }

    /// The earlier of the two.
    #[inline]
    #[must_use = "the deadline itself does not change"]
    pub const fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }
}
