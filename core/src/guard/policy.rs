//! Which patterns take part in a guard, and how they are set.

use core::time::Duration;

use crate::admission::{bulkhead, circuit_breaker, rate_limiter};
use crate::attempt::{adaptive_timeout, retry, timeout::Timeout};
use crate::health::error_budget;
use crate::time::nanos;

/// The configuration of a [`Guard`](super::Guard). A pattern that is not named takes no part.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::guard::Policy;
/// use seawall_core::{bulkhead, circuit_breaker, retry, Backoff};
///
/// const STORAGE: Policy = Policy::new()
///     .bulkhead(bulkhead::Config::new(20).max_wait(Duration::from_millis(50)))
///     .circuit_breaker(circuit_breaker::Config::consecutive_failures(5))
///     .retry(retry::Config::attempts(3, Backoff::exponential(Duration::from_millis(10))))
///     .timeout(Duration::from_millis(200))
///     .deadline(Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) rate_limit: Option<rate_limiter::Quota>,
    pub(super) bulkhead: Option<bulkhead::Config>,
    pub(super) circuit_breaker: Option<circuit_breaker::Config>,
    pub(super) retry: retry::Config,
    pub(super) timeout: Timeout,
    pub(super) adaptive_timeout: Option<adaptive_timeout::Config>,
    pub(super) deadline: Duration,
    pub(super) error_budget: Option<error_budget::Config>,
    pub(super) seed: Option<u32>,
    pub(super) shadow: bool,
}

wire_struct!(Policy {
    rate_limit,
    bulkhead,
    circuit_breaker,
    retry,
    timeout,
    adaptive_timeout,
    deadline,
    error_budget,
    seed,
    shadow
});

impl Policy {
    /// No pattern at all: every call is admitted once and has all the time in the world.
    pub const fn new() -> Self {
        Self {
            rate_limit: None,
            bulkhead: None,
            circuit_breaker: None,
            retry: retry::Config::never(),
            timeout: Timeout::NONE,
            adaptive_timeout: None,
            deadline: Duration::MAX,
            error_budget: None,
            seed: None,
            shadow: false,
        }
    }

    /// Limits how many calls start in a time.
    #[must_use = "the policy is returned"]
    pub const fn rate_limit(mut self, quota: rate_limiter::Quota) -> Self {
        self.rate_limit = Some(quota);
        self
    }

    /// Limits how many calls run at a time.
    #[must_use = "the policy is returned"]
    pub const fn bulkhead(mut self, config: bulkhead::Config) -> Self {
        self.bulkhead = Some(config);
        self
    }

    /// Stops calling a dependency that fails.
    #[must_use = "the policy is returned"]
    pub const fn circuit_breaker(mut self, config: circuit_breaker::Config) -> Self {
        self.circuit_breaker = Some(config);
        self
    }

    /// Tries again.
    #[must_use = "the policy is returned"]
    pub const fn retry(mut self, config: retry::Config) -> Self {
        self.retry = config;
        self
    }

    /// Each attempt is given this time.
    #[must_use = "the policy is returned"]
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Timeout::fixed(limit);
        self
    }

    /// Each attempt is given a time that is learned from the attempts before; a fixed [`timeout`](Policy::timeout) beside it
    /// still holds if it is shorter.
    #[must_use = "the policy is returned"]
    pub const fn adaptive_timeout(mut self, config: adaptive_timeout::Config) -> Self {
        self.adaptive_timeout = Some(config);
        self
    }

    /// The whole call is given this time: waiting, attempts and pauses.
    #[must_use = "the policy is returned"]
    pub const fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = limit;
        self
    }

    /// Watches the share of calls that fail in the end.
    #[must_use = "the policy is returned"]
    pub const fn error_budget(mut self, config: error_budget::Config) -> Self {
        self.error_budget = Some(config);
        self
    }

    /// The seed of the jitter. Nodes that must not act in step need different ones: a serial number, a noise reading.
    /// Without one it is 0.
    #[must_use = "the policy is returned"]
    pub const fn seed(mut self, seed: u32) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The breaker's configuration, with a lease that covers what an attempt may take.
    pub(super) const fn breaker_of_guard(&self) -> Option<circuit_breaker::Config> {
        let Some(config) = self.circuit_breaker else { return None };
        let mut longest = shorter(self.timeout.limit(), self.deadline);
        if let Some(learned) = &self.adaptive_timeout {
            longest = shorter(longest, learned.bounds().1);
        }
        if let Some(probe) = config.probe_limit() {
            longest = shorter(longest, probe);
        }
        // Without any limit an attempt may take for ever, and a lease must end.
        Some(if nanos(longest) == u64::MAX { config } else { config.lease_covers(longest) })
    }

    /// The seed of the jitter, unless the policy has one already.
    #[must_use = "the policy is returned"]
    pub const fn or_seed(self, seed: u32) -> Self {
        if self.seed.is_none() { self.seed(seed) } else { self }
    }

    /// Begins in [shadow mode](super#shadow-mode), where nothing is refused; [`Guard::set_shadow`](super::Guard::set_shadow)
    /// turns it off and on.
    #[must_use = "the policy is returned"]
    pub const fn shadow(mut self, on: bool) -> Self {
        self.shadow = on;
        self
    }

    /// Whether the guard begins in shadow mode.
    pub const fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// The rate limit, if there is one.
    pub const fn rate_limit_config(&self) -> Option<&rate_limiter::Quota> {
        self.rate_limit.as_ref()
    }

    /// The bulkhead's configuration, if there is one.
    pub const fn bulkhead_config(&self) -> Option<&bulkhead::Config> {
        self.bulkhead.as_ref()
    }

    /// The breaker's configuration, if there is one.
    pub const fn circuit_breaker_config(&self) -> Option<&circuit_breaker::Config> {
        self.circuit_breaker.as_ref()
    }

    /// The time of one attempt.
    pub const fn timeout_config(&self) -> &Timeout {
        &self.timeout
    }

    /// How the time of one attempt is learned, if it is.
    pub const fn adaptive_timeout_config(&self) -> Option<&adaptive_timeout::Config> {
        self.adaptive_timeout.as_ref()
    }

    /// The time of a whole call; [`Duration::MAX`] if there is no limit.
    pub const fn deadline_limit(&self) -> Duration {
        self.deadline
    }

    /// The seed of the jitter, if the policy has one.
    pub const fn jitter_seed(&self) -> Option<u32> {
        self.seed
    }

    /// The retry configuration.
    pub const fn retry_config(&self) -> &retry::Config {
        &self.retry
    }

    /// The error budget's configuration, if there is one.
    pub const fn error_budget_config(&self) -> Option<&error_budget::Config> {
        self.error_budget.as_ref()
    }
}

const fn shorter(one: Duration, other: Duration) -> Duration {
    if one.as_nanos() < other.as_nanos() { one } else { other }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}
