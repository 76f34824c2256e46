//! The bounds of a bulkhead, as a plain value.

use core::time::Duration;

use super::state::{MAX_CONCURRENT, MAX_WAITERS};
use crate::config::ConfigError;

/// How many calls run at once, and how many wait for how long.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::bulkhead::Config;
///
/// const CONFIG: Config = Config::new(20).max_waiting(5).max_wait(Duration::from_secs(5));
/// let error = Config::try_new(4096).unwrap_err();
/// assert_eq!(error.to_string(), "bulkhead.max_concurrent must be at most 4095");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) permits: u32,
    pub(super) max_wait: Duration,
    seats: Option<u32>,
}

wire_struct!(Config { permits, max_wait, seats } if |config| config.permits <= MAX_CONCURRENT);

impl Config {
    /// The largest number of permits.
    pub const MAX_CONCURRENT: u32 = MAX_CONCURRENT;
    /// The largest number of slots for waiters.
    pub const MAX_WAITERS: usize = MAX_WAITERS;

    /// `max_concurrent` permits, and waiters that wait until it is their turn.
    ///
    /// No permits at all is legal: then every call is rejected.
    ///
    /// # Panics
    ///
    /// If `max_concurrent` is more than [`Config::MAX_CONCURRENT`]; in a `const` this is a compile error.
    pub const fn new(max_concurrent: u32) -> Self {
        expect_valid!(Self::try_new(max_concurrent), "bulkhead")
    }

    /// As [`Config::new`], for a number that is known at run time only.
    pub const fn try_new(max_concurrent: u32) -> Result<Self, ConfigError> {
        require!(max_concurrent <= MAX_CONCURRENT, "bulkhead.max_concurrent", "at most 4095");
        Ok(Self { permits: max_concurrent, max_wait: Duration::MAX, seats: None })
    }

    /// The same with another number of permits.
    ///
    /// # Errors
    ///
    /// As [`Config::try_new`].
    pub const fn try_with_permits(self, max_concurrent: u32) -> Result<Self, ConfigError> {
        match Self::try_new(max_concurrent) {
            Ok(config) => Ok(Self { permits: config.permits, ..self }),
            Err(error) => Err(error),
        }
    }

    /// A waiter is rejected after `duration`; zero means that nobody waits.
    #[must_use = "the configuration itself does not change"]
    pub const fn max_wait(self, duration: Duration) -> Self {
        Self { max_wait: duration, ..self }
    }

    /// At most `n` wait at once; without this, as many as the bulkhead has slots.
    #[must_use = "the configuration itself does not change"]
    pub const fn max_waiting(self, n: u32) -> Self {
        Self { seats: Some(n), ..self }
    }

    /// The same, where a limit of waiters that was left out is `n`.
    pub(crate) const fn seated(self, n: u32) -> Self {
        if self.seats.is_none() { self.max_waiting(n) } else { self }
    }

    /// The number of seats in a queue of `waiters` slots.
    pub(crate) const fn seats_among(self, waiters: usize) -> Result<u32, ConfigError> {
        require!(waiters <= MAX_WAITERS, "bulkhead.WAITERS", "at most 1023");
        match self.seats {
            None => Ok(waiters as u32),
            Some(n) => {
                require!(n as usize <= waiters, "bulkhead.max_waiting", "at most WAITERS");
                Ok(n)
            }
        }
    }
}

const _: () = assert!(MAX_CONCURRENT == 4095 && MAX_WAITERS == 1023, "the errors above name these numbers");
