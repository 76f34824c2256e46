//! What an adjustable limiter answers.

use core::fmt;
use core::time::Duration;

use crate::admission::rate_limiter::{Grant as Taken, Reservation as Reserved};
use crate::config::ConfigError;
use crate::time::Instant;

/// What a call took from the bucket under one quota. Dropping it keeps the tokens spent.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    pub(super) taken: Taken,
    /// Which change of the quota it was taken under.
    pub(super) stamp: u32,
}

impl Grant {
    /// Whether the limiter would have refused the call, were it not in shadow mode. Then no tokens were taken.
    pub const fn would_reject(&self) -> bool {
        self.taken.would_reject()
    }
}

/// Tokens that are taken already, for a call that may start when they are there.
///
/// Whoever does not start gives it to [`cancel`](super::AdjustableRateLimiter::cancel). Dropping it keeps the tokens spent.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the call may start at `ready_at`, and not before"]
pub struct Reservation {
    pub(super) reserved: Reserved,
    pub(super) stamp: u32,
}

impl Reservation {
    /// When the call may start. A change of the quota does not move it.
    pub const fn ready_at(&self) -> Instant {
        self.reserved.ready_at()
    }

    /// How long it has to wait from now on: nothing once its time has come.
    pub const fn wait(&self, now: Instant) -> Duration {
        self.reserved.wait(now)
    }

    /// Whether the limiter would have refused, were it not in shadow mode. Then no tokens were taken.
    pub const fn would_reject(&self) -> bool {
        self.reserved.would_reject()
    }

    /// The tokens as those of a call that starts.
    pub fn into_grant(self) -> Grant {
        Grant { taken: self.reserved.into_grant(), stamp: self.stamp }
    }
}

/// The quota did not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuotaError {
    /// A value of the new quota lies outside its bound.
    Invalid(ConfigError),
    /// Another caller is changing the quota.
    Busy,
}

impl fmt::Display for QuotaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::Busy => f.pad("another caller is changing the quota"),
        }
    }
}

impl core::error::Error for QuotaError {}
