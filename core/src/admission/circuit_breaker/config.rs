//! When a breaker trips, for how long, and what it takes to close.

use core::time::Duration;

use super::state::{MAX_FAILURES, MAX_PROBES};
use crate::attempt::backoff::Backoff;
use crate::config::ConfigError;
use crate::measure::window::Span;
use crate::ratio::Ratio;

/// The configuration of a [`CircuitBreaker`](super::CircuitBreaker).
///
/// It begins with a trip rule; the rest has defaults: open for 60 s, one probe at a time, three successes to close.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::{circuit_breaker::Config, window::Span, Ratio};
///
/// const RULE: Config = Config::failure_rate(Ratio::percent(50), Span::time(Duration::from_secs(60)), 10)
///     .or_consecutive_failures(5)
///     .open_for(Duration::from_secs(10))
///     .probes(3)
///     .successes_to_close(3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Zero if this is no rule.
    pub(super) consecutive_failures: u32,
    pub(super) rates: Option<Rates>,
    pub(super) evaluates_on_failure_only: bool,
    pub(super) open: Backoff,
    pub(super) seed: u32,
    pub(super) probes: u32,
    pub(super) successes: u32,
    pub(super) lease: Option<Duration>,
}

wire_struct!(Config {
    consecutive_failures,
    rates,
    evaluates_on_failure_only,
    open,
    seed,
    probes,
    successes,
    lease,
});

/// The rate rules, which look at one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) failures: Option<Ratio>,
    /// The share, and how long a call takes that is slow.
    pub(super) slow: Option<(Ratio, Duration)>,
    pub(super) minimum_calls: u32,
    pub(super) span: Span,
}

wire_struct!(Rates { failures, slow, minimum_calls, span });

impl Config {
    const DEFAULT: Self = Self {
        consecutive_failures: 0,
        rates: None,
        evaluates_on_failure_only: false,
        open: Backoff::constant(Duration::from_secs(60)).at_most(Duration::from_secs(60)),
        seed: 0,
        probes: 1,
        successes: 3,
        lease: None,
    };

    /// Trips after `n` failures in a row, between 1 and 262143.
    pub const fn consecutive_failures(n: u32) -> Self {
        // An explicit zero must not read as "no rule".
        Self { consecutive_failures: if n == 0 { u32::MAX } else { n }, ..Self::DEFAULT }
    }

    /// Trips when the share of failures over `span` reaches `share` and there were at least `minimum_calls`.
    pub const fn failure_rate(share: Ratio, span: Span, minimum_calls: u32) -> Self {
        Self::DEFAULT.or_failure_rate(share, span, minimum_calls)
    }

    /// Trips when the share of calls over `span` that took `slow` or longer, failed or not, reaches `share` and there were at
    /// least `minimum_calls`.
    pub const fn slow_call_rate(share: Ratio, slow: Duration, span: Span, minimum_calls: u32) -> Self {
        Self {
            rates: Some(Rates { failures: None, slow: Some((share, slow)), minimum_calls, span }),
            ..Self::DEFAULT
        }
    }

    /// Trips also after `n` failures in a row, between 1 and 262143.
    #[must_use = "the configuration is returned"]
    pub const fn or_consecutive_failures(mut self, n: u32) -> Self {
        self.consecutive_failures = if n == 0 { u32::MAX } else { n };
        self
    }

    /// Trips also when the share of failures over `span` reaches `share` and there were at least `minimum_calls`.
    ///
    /// A breaker has one window: a slow-call rate that was set before looks at this span from now on.
    #[must_use = "the configuration is returned"]
    pub const fn or_failure_rate(mut self, share: Ratio, span: Span, minimum_calls: u32) -> Self {
        let slow = match self.rates {
            Some(rates) => rates.slow,
            None => None,
        };
        self.rates = Some(Rates { failures: Some(share), slow, minimum_calls, span });
        self
    }

    /// Trips also when the share of calls that took `slow` or longer reaches `share`, over the window of the failure rate and
    /// with its minimum of calls; without a failure rate it does nothing, see [`Config::slow_call_rate`].
    #[must_use = "the configuration is returned"]
    pub const fn or_slow_call_rate(mut self, share: Ratio, slow: Duration) -> Self {
        if let Some(mut rates) = self.rates {
            rates.slow = Some((share, slow));
            self.rates = Some(rates);
        }
        self
    }

    /// Evaluates the rate when a failure is recorded and not when a success is.
    ///
    /// Without it a success that completes the minimum of calls can trip the breaker, as in resilience4j; with it none
    /// does, as in Polly.
    #[must_use = "the configuration is returned"]
    pub const fn evaluate_on_failure_only(mut self) -> Self {
        self.evaluates_on_failure_only = true;
        self
    }

    /// How long the breaker stays open; [`Duration::MAX`] is for ever. The default is 60 s.
    #[must_use = "the configuration is returned"]
    pub const fn open_for(mut self, duration: Duration) -> Self {
        self.open = Backoff::constant(duration).at_most(duration);
        self
    }

    /// The breaker stays open for a delay of `schedule`: the first one when it trips, the next one each time that a probe
    /// fails, and the first one again after it was closed. No delay is longer than `longest`. A decorrelated schedule does
    /// not grow here, since the delay before is not kept.
    ///
    /// Its jitter spreads the probes of many breakers that tripped together; see [`Config::seed`].
    #[must_use = "the configuration is returned"]
    pub const fn open_for_growing(mut self, schedule: Backoff, longest: Duration) -> Self {
        self.open = schedule.at_most(longest);
        self
    }

    /// The seed of the open time's jitter. Nodes that must not act in step need different ones.
    #[must_use = "the configuration is returned"]
    pub const fn seed(mut self, seed: u32) -> Self {
        self.seed = seed;
        self
    }

    /// How many probes may be out at a time while half-open, between 1 and 63. The default is 1.
    #[must_use = "the configuration is returned"]
    pub const fn probes(mut self, n: u32) -> Self {
        self.probes = n;
        self
    }

    /// How many probes must succeed to close, between 1 and 63. The default is 3.
    #[must_use = "the configuration is returned"]
    pub const fn successes_to_close(mut self, n: u32) -> Self {
        self.successes = n;
        self
    }

    /// After what time a probe that did not report counts as lost. The default is the open time.
    #[must_use = "the configuration is returned"]
    pub const fn probe_lease_of(mut self, duration: Duration) -> Self {
        self.lease = Some(duration);
        self
    }

    pub(super) const fn probe_lease(&self) -> Duration {
        match self.lease {
            Some(lease) => lease,
            None => self.open.delay(0, Duration::ZERO, u32::MAX),
        }
    }

    pub(super) const fn longest_interval(&self) -> Duration {
        let lease = self.probe_lease();
        let open = self.open.cap();
        if lease.as_nanos() > open.as_nanos() { lease } else { open }
    }

    /// The span for a window of `slots` slots; without a rate rule it is not used.
    pub(super) const fn window_span(&self, slots: usize) -> Span {
        match self.rates {
            Some(rates) => rates.span,
            None => Span::time(Duration::from_secs(if slots == 0 { 1 } else { slots as u64 })),
        }
    }

    pub(super) const fn validate(&self, slots: usize) -> Result<(), ConfigError> {
        require!(
            self.consecutive_failures <= MAX_FAILURES,
            "circuit_breaker.consecutive_failures",
            "between 1 and 262143"
        );
        if let Some(rates) = self.rates {
            if let Some(share) = rates.failures {
                require!(share.numerator() > 0, "circuit_breaker.failure_rate", "greater than zero");
            }
            if let Some((share, slow)) = rates.slow {
                require!(share.numerator() > 0, "circuit_breaker.slow_call_rate", "greater than zero");
                require!(!slow.is_zero(), "circuit_breaker.slow_call_duration", "greater than zero");
            }
            require!(rates.minimum_calls > 0, "circuit_breaker.minimum_calls", "greater than zero");
            if let Some(calls) = rates.span.as_calls() {
                require!(
                    rates.minimum_calls <= calls,
                    "circuit_breaker.minimum_calls",
                    "at most the calls of the window"
                );
            }
            require!(
                slots > 0,
                "circuit_breaker.failure_rate",
                "left out, or the breaker given window slots"
            );
        }
        if let Err(error) = self.open.validate() {
            return Err(error);
        }
        let first = self.open.delay(0, Duration::ZERO, 0);
        require!(!first.is_zero(), "circuit_breaker.open_for", "greater than zero");
        require!(!self.probe_lease().is_zero(), "circuit_breaker.probe_lease", "greater than zero");
        require!(self.probes >= 1 && self.probes <= MAX_PROBES, "circuit_breaker.probes", "between 1 and 63");
        require!(
            self.successes >= 1 && self.successes <= MAX_PROBES,
            "circuit_breaker.successes_to_close",
            "between 1 and 63"
        );
        Ok(())
    }
}
