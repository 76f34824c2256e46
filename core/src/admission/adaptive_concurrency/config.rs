//! How a limit follows the results.

use core::time::Duration;

use super::state::{MAX_LIMIT, MAX_SAMPLES};
use crate::admission::adaptive_concurrency::gradient::MAX_WINDOWS;
use crate::config::ConfigError;
use crate::ratio::Ratio;
use crate::time::{duration, nanos};

/// A probe ends after so many windows, whatever results it has ...
const PROBE_WINDOWS: u64 = 8;
/// ... or, if that is longer, when calls had so many times the time that they take, ...
const PROBE_LATENCIES: u64 = 4;
/// ... but after so many windows at last.
const LONGEST_PROBE_WINDOWS: u64 = 256;

/// A probe that is needed soon comes after so many windows.
const SOON: u32 = 16;

/// The rule of a limit, its bounds and its windows.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::adaptive_concurrency::Config;
///
/// const CONFIG: Config = Config::gradient(20).between(4, 400).window(Duration::from_millis(500));
/// assert!(CONFIG.validate().is_ok());
/// let error = CONFIG.between(40, 400).validate().unwrap_err();
/// assert_eq!(error.to_string(), "adaptive_concurrency.initial must be between the bounds");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) rule: Rule,
    pub(super) initial: u32,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) samples: u32,
    /// Nanoseconds.
    pub(super) window: u64,
    pub(super) slow_after: u64,
    pub(super) backoff: Ratio,
    pub(super) seed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Aimd { increase: u32 },
    Gradient(GradientRule),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GradientRule {
    /// Thousandths.
    pub(super) tolerance: u32,
    /// Zero for the square root of the limit.
    pub(super) queue: u32,
    pub(super) smoothing: Ratio,
    probe_every: u32,
}

impl Config {
    /// The highest limit that there is.
    pub const MAX_LIMIT: u32 = MAX_LIMIT;

    const fn with(rule: Rule, initial: u32) -> Self {
        Self {
            rule,
            initial,
            min: 1,
            max: 1000,
            samples: 16,
            window: 100_000_000,
            slow_after: u64::MAX,
            backoff: Ratio::percent(90),
            seed: 0,
        }
    }

    /// One more after a good window, and a tenth less after a bad one, from `initial` on, between 1 and 1000.
    ///
    /// A window is 16 results and a tenth of a second at least.
    pub const fn aimd(initial: u32) -> Self {
        Self::with(Rule::Aimd { increase: 1 }, initial)
    }

    /// As much as the latency allows, from `initial` on, between 1 and 1000.
    ///
    /// Latencies up to half above the baseline are tolerated, the limit goes a quarter of its way in each window, and the
    /// baseline is probed after 512 of them. Windows and bad ones are as for [`aimd`](Self::aimd).
    pub const fn gradient(initial: u32) -> Self {
        let rule =
            GradientRule { tolerance: 1500, queue: 0, smoothing: Ratio::percent(25), probe_every: 512 };
        Self::with(Rule::Gradient(rule), initial)
    }

    /// The limit stays between these, both included.
    #[must_use = "the configuration is returned"]
    pub const fn between(mut self, min: u32, max: u32) -> Self {
        (self.min, self.max) = (min, max);
        self
    }

    /// A window has `n` results at least, up to 31.
    #[must_use = "the configuration is returned"]
    pub const fn samples(mut self, n: u32) -> Self {
        self.samples = n;
        self
    }

    /// A window lasts for so long at least; zero if its results are enough, as they are for the first one.
    #[must_use = "the configuration is returned"]
    pub const fn window(mut self, length: Duration) -> Self {
        self.window = nanos(length);
        self
    }

    /// A success that takes so long is as bad as a failure.
    #[must_use = "the configuration is returned"]
    pub const fn slow_after(mut self, latency: Duration) -> Self {
        self.slow_after = nanos(latency);
        self
    }

    /// A bad window leaves this share of the limit.
    #[must_use = "the configuration is returned"]
    pub const fn backoff(mut self, share: Ratio) -> Self {
        self.backoff = share;
        self
    }

    /// A good window adds `n`. The gradient ignores it.
    #[must_use = "the configuration is returned"]
    pub const fn increase(mut self, n: u32) -> Self {
        if let Rule::Aimd { .. } = self.rule {
            self.rule = Rule::Aimd { increase: n };
        }
        self
    }

    /// A latency up to so many thousandths of the baseline does not lower the limit. AIMD ignores it.
    #[must_use = "the configuration is returned"]
    pub const fn tolerance(mut self, thousandths: u32) -> Self {
        if let Rule::Gradient(rule) = self.rule {
            self.rule = Rule::Gradient(GradientRule { tolerance: thousandths, ..rule });
        }
        self
    }

    /// So many calls may queue at the dependency; zero for the square root of the limit. AIMD ignores it.
    #[must_use = "the configuration is returned"]
    pub const fn queue(mut self, n: u32) -> Self {
        if let Rule::Gradient(rule) = self.rule {
            self.rule = Rule::Gradient(GradientRule { queue: n, ..rule });
        }
        self
    }

    /// The limit goes this share of its way in each window. AIMD ignores it.
    #[must_use = "the configuration is returned"]
    pub const fn smoothing(mut self, share: Ratio) -> Self {
        if let Rule::Gradient(rule) = self.rule {
            self.rule = Rule::Gradient(GradientRule { smoothing: share, ..rule });
        }
        self
    }

    /// The baseline is measured after so many busy windows, or up to an eighth fewer; zero for never. AIMD ignores it.
    #[must_use = "the configuration is returned"]
    pub const fn probe_every(mut self, windows: u32) -> Self {
        if let Rule::Gradient(rule) = self.rule {
            self.rule = Rule::Gradient(GradientRule { probe_every: windows, ..rule });
        }
        self
    }

    /// Spreads the probes; each member of a fleet takes another seed.
    #[must_use = "the configuration is returned"]
    pub const fn seed(mut self, seed: u32) -> Self {
        self.seed = seed;
        self
    }

    /// The limit before the first result.
    pub const fn initial(&self) -> u32 {
        self.initial
    }

    /// The lowest and the highest limit.
    pub const fn bounds(&self) -> (u32, u32) {
        (self.min, self.max)
    }

    /// How long a probe lasts at most, when calls take `latency`.
    pub(super) fn probe_time(&self, latency: Option<Duration>) -> Duration {
        let latencies = nanos(latency.unwrap_or_default()).saturating_mul(PROBE_LATENCIES);
        let least = self.window.saturating_mul(PROBE_WINDOWS);
        duration(latencies.max(least)).min(self.longest_probe())
    }

    /// How long a probe lasts at most, whatever calls take.
    pub(super) const fn longest_probe(&self) -> Duration {
        duration(self.window.saturating_mul(LONGEST_PROBE_WINDOWS))
    }

    /// The windows between probes, zero for AIMD.
    pub(super) const fn windows_between_probes(&self) -> u32 {
        match self.rule {
            Rule::Gradient(rule) => rule.probe_every,
            Rule::Aimd { .. } => 0,
        }
    }

    /// The windows to the first probe, and to one that has to be repeated.
    pub(super) const fn soon(&self) -> u32 {
        let every = self.windows_between_probes();
        if every < SOON { every } else { SOON }
    }

    /// Whether the rule is the gradient.
    pub const fn is_gradient(&self) -> bool {
        matches!(self.rule, Rule::Gradient(_))
    }

    /// Checks the values.
    ///
    /// # Errors
    ///
    /// If a value lies outside its bound.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        require!(self.min > 0, "adaptive_concurrency.min", "greater than zero");
        require!(self.max <= MAX_LIMIT, "adaptive_concurrency.max", "at most 4095");
        require!(self.min <= self.max, "adaptive_concurrency.min", "at most the upper bound");
        require!(
            self.min <= self.initial && self.initial <= self.max,
            "adaptive_concurrency.initial",
            "between the bounds"
        );
        require!(
            self.samples > 0 && self.samples <= MAX_SAMPLES,
            "adaptive_concurrency.samples",
            "between 1 and 31"
        );
        require!(self.slow_after > 0, "adaptive_concurrency.slow_after", "greater than zero");
        require!(
            self.backoff.numerator() < self.backoff.denominator(),
            "adaptive_concurrency.backoff",
            "less than the whole"
        );
        match self.rule {
            Rule::Aimd { increase } => {
                require!(increase > 0, "adaptive_concurrency.increase", "greater than zero");
            }
            Rule::Gradient(rule) => {
                require!(
                    rule.tolerance >= 1000 && rule.tolerance <= 3000,
                    "adaptive_concurrency.tolerance",
                    "between 1000 and 3000 thousandths"
                );
                require!(
                    rule.smoothing.numerator() > 0,
                    "adaptive_concurrency.smoothing",
                    "greater than zero"
                );
                require!(
                    rule.probe_every <= MAX_WINDOWS,
                    "adaptive_concurrency.probe_every",
                    "at most 65535"
                );
            }
        }
        Ok(())
    }
}

const _: () = assert!(
    MAX_LIMIT == 4095 && MAX_SAMPLES == 31 && MAX_WINDOWS == 65535,
    "the errors above name these numbers"
);
