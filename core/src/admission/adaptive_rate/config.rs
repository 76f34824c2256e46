//! Bounds and windows of an adaptive rate.

use core::time::Duration;

use crate::admission::rate_limiter::Quota;
use crate::admission::rate_limiter::adjustable::AdjustableRateLimiter;
use crate::config::ConfigError;
use crate::time::nanos;

/// The rate to begin with, the latency to aim at, the bounds and the windows.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::{adaptive_rate::Config, rate_limiter::Quota};
///
/// const UPLINK: Config = Config::new(Quota::per_second(1000), Duration::from_millis(100))
///     .between(100, 10_000)
///     .window(Duration::from_secs(10));
/// assert!(UPLINK.validate().is_ok());
/// let error = UPLINK.between(2000, 10_000).validate().unwrap_err();
/// assert_eq!(error.to_string(), "adaptive_rate.initial must be between the bounds");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) initial: Quota,
    pub(super) min: u32,
    pub(super) max: u32,
    /// Nanoseconds.
    pub(super) target: u64,
    pub(super) window: u64,
    pub(super) samples: u32,
}

impl Config {
    /// A rate that begins as `initial` and aims at a 95th percentile of `target`, between a tenth and ten times of it, judged
    /// each second if there are twenty samples.
    ///
    /// The burst follows the rate; it is never less than one token.
    pub const fn new(initial: Quota, target: Duration) -> Self {
        let tenth = initial.tokens() / 10;
        Self {
            initial,
            min: if tenth == 0 { 1 } else { tenth },
            max: initial.tokens().saturating_mul(10),
            target: nanos(target),
            window: 1_000_000_000,
            samples: 20,
        }
    }

    /// The rate stays between so many tokens a period of the initial quota, both included.
    #[must_use = "the configuration is returned"]
    pub const fn between(mut self, min: u32, max: u32) -> Self {
        (self.min, self.max) = (min, max);
        self
    }

    /// How much time is judged at once: some latencies at least, or the calls that are judged were admitted at another rate.
    #[must_use = "the configuration is returned"]
    pub const fn window(mut self, length: Duration) -> Self {
        self.window = nanos(length);
        self
    }

    /// A window with fewer samples than `n` leaves the rate. Below twenty the percentile is the largest of them.
    #[must_use = "the configuration is returned"]
    pub const fn samples(mut self, n: u32) -> Self {
        self.samples = n;
        self
    }

    /// The lowest rate, in tokens a period of the initial quota.
    pub const fn min(&self) -> u32 {
        self.min
    }

    /// The highest rate, in tokens a period of the initial quota.
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// The latency that is aimed at.
    pub const fn target(&self) -> Duration {
        Duration::from_nanos(self.target)
    }

    /// Checks the bounds of each value.
    ///
    /// # Errors
    ///
    /// If the target, the window, the samples or the lower bound is zero, the target is longer than a year, the initial rate
    /// is not between the bounds, or the limiter refuses the initial or the highest rate.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        const YEAR: u64 = 365 * 86_400 * 1_000_000_000;
        require!(
            self.target > 0 && self.target <= YEAR,
            "adaptive_rate.target",
            "greater than zero, a year at most"
        );
        require!(self.window > 0, "adaptive_rate.window", "greater than zero");
        require!(self.samples > 0, "adaptive_rate.samples", "greater than zero");
        require!(self.min > 0, "adaptive_rate.min", "greater than zero");
        let initial = self.initial.tokens();
        require!(self.min <= initial && initial <= self.max, "adaptive_rate.initial", "between the bounds");
        require!(self.initial.burst_size() > 0, "rate_limiter.burst", "greater than zero");
        let highest = self.quota_of(self.max.saturating_mul(self.parts()));
        match AdjustableRateLimiter::validate(&highest) {
            Ok(()) => AdjustableRateLimiter::validate(&self.initial),
            error => error,
        }
    }

    /// Into how many parts a token of a period is cut, so that slow rates move too.
    pub(super) const fn parts(&self) -> u32 {
        const PARTS: u32 = 1000;
        let period = nanos(self.initial.period());
        if self.max <= u32::MAX / PARTS && period <= u64::MAX / PARTS as u64 { PARTS } else { 1 }
    }

    /// The quota of a rate in parts; the burst is as large a share of the rate as in the initial quota.
    pub(super) const fn quota_of(&self, rate: u32) -> Quota {
        let parts = self.parts();
        let initial = self.initial.tokens() as u64 * parts as u64;
        let burst =
            self.initial.burst_size() as u128 * rate as u128 / if initial == 0 { 1 } else { initial } as u128;
        let burst = if burst > u32::MAX as u128 { u32::MAX } else { burst as u32 };
        let period = Duration::from_nanos(nanos(self.initial.period()) * parts as u64);
        Quota::new(rate, period).burst(if burst == 0 { 1 } else { burst })
    }

    /// The initial quota, in parts.
    pub(super) const fn initial_quota(&self) -> Quota {
        self.quota_of(self.initial.tokens() * self.parts())
    }

    /// The bounds in parts.
    pub(super) const fn bounds(&self) -> (u32, u32) {
        (self.min * self.parts(), self.max * self.parts())
    }
}
