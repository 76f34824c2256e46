//! The bounds of an adaptive timeout.

use core::time::Duration;

use super::{MICROS, micros};
use crate::config::ConfigError;

/// Which failures lengthen an [`AdaptiveTimeout`](super::AdaptiveTimeout).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Growth {
    /// Those that ran into the timeout.
    #[default]
    Timeouts,
    /// Every failure, as the documents say that Seawall comes from: also a hundred refused connections, which take a
    /// second to the upper bound.
    Failures,
}

/// Where an adaptive timeout starts, and its bounds. In whole microseconds, rounded down.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::adaptive_timeout::Config;
///
/// const CONFIG: Config = Config::new(Duration::from_millis(250)).at_most(Duration::from_secs(10));
/// assert!(CONFIG.validate().is_ok());
/// let error = CONFIG.at_least(Duration::from_secs(1)).validate().unwrap_err();
/// assert_eq!(error.to_string(), "adaptive_timeout.initial must be between the bounds");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) initial: u32,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) growth: Growth,
}

wire_struct!(Config { initial, min, max, growth });
wire_enum!(Growth { 0: Timeouts, 1: Failures });

impl Config {
    /// A timeout that starts as `initial` and stays between 10 ms and 5 min.
    pub const fn new(initial: Duration) -> Self {
        Self { initial: micros(initial), min: 10_000, max: 300_000_000, growth: Growth::Timeouts }
    }

    /// The timeout never becomes shorter.
    #[must_use = "the configuration is returned"]
    pub const fn at_least(mut self, min: Duration) -> Self {
        self.min = micros(min);
        self
    }

    /// The timeout never becomes longer.
    #[must_use = "the configuration is returned"]
    pub const fn at_most(mut self, max: Duration) -> Self {
        self.max = micros(max);
        self
    }

    /// Which failures lengthen an [`AdaptiveTimeout`](super::AdaptiveTimeout). Only timeouts, unless this says otherwise.
    #[must_use = "the configuration is returned"]
    pub const fn grow_on(mut self, growth: Growth) -> Self {
        self.growth = growth;
        self
    }

    /// The timeout before the first attempt.
    pub const fn initial(&self) -> Duration {
        Duration::from_micros(self.initial as u64)
    }

    /// The shortest and the longest timeout.
    pub const fn bounds(&self) -> (Duration, Duration) {
        (Duration::from_micros(self.min as u64), Duration::from_micros(self.max as u64))
    }

    /// Which failures lengthen the timeout.
    pub const fn growth(&self) -> Growth {
        self.growth
    }

    /// Checks the values.
    ///
    /// # Errors
    ///
    /// If the lower bound is less than a microsecond, the upper one more than [`MAX_TIMEOUT`](super::MAX_TIMEOUT), or the
    /// initial timeout not between them.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        require!(self.min > 0, "adaptive_timeout.at_least", "at least 1 us");
        require!(self.max <= MICROS.max(), "adaptive_timeout.at_most", "at most 35 min");
        require!(self.min <= self.max, "adaptive_timeout.at_least", "at most the upper bound");
        require!(
            self.min <= self.initial && self.initial <= self.max,
            "adaptive_timeout.initial",
            "between the bounds"
        );
        Ok(())
    }
}
