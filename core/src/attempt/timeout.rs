//! How long one attempt may take.
//!
//! An attempt ends at its timeout or at the call's [`Deadline`], whichever comes first.
//! A result and the deadline in one moment: the result wins, so an adapter looks for the result first.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{Deadline, Instant, Timeout};
//!
//! const TIMEOUT: Timeout = Timeout::fixed(Duration::from_millis(200));
//! let now = Instant::from_secs(1);
//! let call = Deadline::after(now, Duration::from_millis(150));
//! assert_eq!(TIMEOUT.deadline(now, call), call, "never past the call's own deadline");
//! ```

use core::time::Duration;

use super::deadline::Deadline;
use crate::config::ConfigError;
use crate::time::{Instant, nanos, without_end};

/// The time that one attempt is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// Nanoseconds: half the size of a [`Duration`].
    limit: u64,
}

wire_struct!(Timeout { limit });

impl Timeout {
    /// Only the call's deadline ends an attempt.
    pub const NONE: Self = Self { limit: u64::MAX };

    /// Each attempt is given `limit`.
    pub const fn fixed(limit: Duration) -> Self {
        Self { limit: nanos(limit) }
    }

    /// The time an attempt is given, apart from the call's deadline; [`Duration::MAX`] if there is no limit.
    pub const fn limit(&self) -> Duration {
        without_end(self.limit)
    }

    /// When an attempt that starts now must be over.
    #[inline]
    pub const fn deadline(&self, now: Instant, call: Deadline) -> Deadline {
        Deadline::after(now, Duration::from_nanos(self.limit)).min(call)
    }

    /// Checks the value.
    ///
    /// # Errors
    ///
    /// If the limit is zero.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        require!(self.limit > 0, "timeout", "greater than zero");
        Ok(())
    }
}
