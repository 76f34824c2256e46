//! What a limiter answers.

use core::fmt;
use core::time::Duration;

use crate::atomic::sync::Wide;
use crate::time::Instant;

/// What a call took from the bucket, so that it can be given back. Dropping it keeps the tokens spent.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    pub(super) units: Wide,
    /// When the bucket would be full again had nobody else taken anything.
    pub(super) until: Wide,
}

impl Grant {
    /// In place of the units of a grant of a limiter in shadow mode, which would have refused.
    const REFUSED: Wide = Wide::MAX;

    /// A grant of nothing, which changes nothing when it is given back.
    pub(super) const fn nothing(present: Wide) -> Self {
        Self { units: 0, until: present }
    }

    pub(super) const fn refused(present: Wide) -> Self {
        Self { units: Self::REFUSED, until: present }
    }

    /// Whether there is something to give back.
    pub(super) const fn is_taken(&self) -> bool {
        self.units != 0 && self.units != Self::REFUSED
    }

    /// Whether the limiter would have refused the call, were it not in shadow mode. Then no tokens were taken.
    pub const fn would_reject(&self) -> bool {
        self.units == Self::REFUSED
    }
}

/// Tokens that are taken already, for a call that may start when they are there.
///
/// Whoever does not start gives it to the limiter's `cancel`. Dropping it keeps the tokens spent.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the call may start at `ready_at`, and not before"]
pub struct Reservation {
    pub(super) grant: Grant,
    pub(super) ready_at: Instant,
}

impl Reservation {
    /// When the call may start.
    pub const fn ready_at(&self) -> Instant {
        self.ready_at
    }

    /// How long it has to wait from now on: nothing once its time has come.
    pub const fn wait(&self, now: Instant) -> Duration {
        self.ready_at.saturating_since(now)
    }

    /// Whether the limiter would have refused, were it not in shadow mode. Then no tokens were taken.
    pub const fn would_reject(&self) -> bool {
        self.grant.would_reject()
    }

    /// The tokens as those of a call that starts.
    pub fn into_grant(self) -> Grant {
        self.grant
    }
}

/// The limiter refused the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// There are not enough tokens now.
    Limited {
        /// When there will be, if nobody else takes them; `None` is never.
        retry_after: Option<Duration>,
    },
    /// There never will be: the call costs more than a full bucket holds.
    ExceedsBurst {
        /// The tokens that were asked for.
        cost: u32,
        /// The tokens of a full bucket.
        burst: u32,
    },
}

impl Rejected {
    /// When another try makes sense; `None` is never.
    ///
    /// For a reservation it is the wait that would have been needed.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { retry_after } => *retry_after,
            Self::ExceedsBurst { .. } => None,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limited { .. } => f.pad("rate limit exceeded"),
            Self::ExceedsBurst { cost, burst } => {
                write!(f, "cost of {cost} tokens exceeds the burst of {burst}")
            }
        }
    }
}

impl core::error::Error for Rejected {}
