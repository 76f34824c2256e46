//! What makes a dependency healthy and unhealthy.

use core::time::Duration;

use super::state::MAX_ROW;
use crate::config::ConfigError;
use crate::measure::window::Span;
use crate::ratio::Ratio;

/// The configuration of a [`HealthCheck`](super::HealthCheck).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) rise: u32,
    pub(super) fall: u32,
    pub(super) stale_after: Duration,
    pub(super) span: Span,
    pub(super) success_rate: Option<SuccessRate>,
}

/// The rule for the results in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SuccessRate {
    pub(super) minimum: Ratio,
    pub(super) minimum_results: u32,
}

impl Config {
    /// Two successes make healthy, three failures unhealthy, and 30 seconds of silence unknown: for a check every ten
    /// seconds with a timeout of five.
    pub const fn new() -> Self {
        Self {
            rise: 2,
            fall: 3,
            stale_after: Duration::from_secs(30),
            span: Span::time(Duration::from_secs(300)),
            success_rate: None,
        }
    }

    /// `n` successes in a row make it healthy.
    #[must_use = "the configuration is returned"]
    pub const fn rise(mut self, n: u32) -> Self {
        self.rise = n;
        self
    }

    /// `n` failures in a row make it unhealthy.
    #[must_use = "the configuration is returned"]
    pub const fn fall(mut self, n: u32) -> Self {
        self.fall = n;
        self
    }

    /// The status is unknown once the newest check began this long ago.
    ///
    /// It has to be more than the time between two checks and the longest check together.
    /// With [`Duration::MAX`] a status never gets stale.
    #[must_use = "the configuration is returned"]
    pub const fn stale_after(mut self, silence: Duration) -> Self {
        self.stale_after = silence;
        self
    }

    /// The results are counted over `span`; five minutes if nothing is said.
    #[must_use = "the configuration is returned"]
    pub const fn window(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// With at least `minimum_results` in the window, it is unhealthy while the share of successes is below `minimum`,
    /// whatever the last results in a row were.
    #[must_use = "the configuration is returned"]
    pub const fn success_rate(mut self, minimum: Ratio, minimum_results: u32) -> Self {
        self.success_rate = Some(SuccessRate { minimum, minimum_results });
        self
    }

    pub(super) const fn check(&self, slots: usize) -> Result<(), ConfigError> {
        require!(self.rise > 0 && self.rise <= MAX_ROW, "health_check.rise", "between 1 and 255");
        require!(self.fall > 0 && self.fall <= MAX_ROW, "health_check.fall", "between 1 and 255");
        require!(!self.stale_after.is_zero(), "health_check.stale_after", "greater than zero");
        require!(
            self.success_rate.is_none() || slots > 0,
            "health_check.success_rate",
            "counted by at least one slot"
        );
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
