//! The tables of a policy file, as they are written.
//!
//! Durations are kept as texts and shares as numbers until they are applied, so that all that is wrong with them can be
//! said at once.

use serde::Deserialize;

/// The table of one operation; the [module](super) lists its keys.
///
/// It can be part of a configuration of your own.
///
/// # Examples
///
/// ```
/// use seawall::Policy;
/// use seawall::config::{OperationPolicy, PolicyTable};
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     storage: PolicyTable,
/// }
///
/// let settings: Settings = toml::from_str("[storage]\ntimeout = '200ms'")?;
/// let base = OperationPolicy::new(Policy::new());
/// let storage = settings.storage.apply("storage", &base)?;
/// assert_eq!(storage.policy, Policy::new().timeout(std::time::Duration::from_millis(200)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyTable {
    pub(super) deadline: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) seed: Option<u32>,
    pub(super) idempotent: Option<bool>,
    pub(super) shadow: Option<bool>,
    pub(super) rate_limiter: Option<RateLimiter>,
    pub(super) bulkhead: Option<Bulkhead>,
    pub(super) circuit_breaker: Option<CircuitBreaker>,
    pub(super) retry: Option<Retry>,
    pub(super) error_budget: Option<ErrorBudget>,
    pub(super) adaptive_timeout: Option<AdaptiveTimeout>,
    pub(super) adaptive_rate: Option<AdaptiveRate>,
    pub(super) adaptive_concurrency: Option<AdaptiveConcurrency>,
    pub(super) latency_budget: Option<LatencyBudget>,
    pub(super) load_shedder: Option<LoadShedder>,
    pub(super) chaos: Option<Chaos>,
}

/// A table of something that can be turned off.
pub(super) trait Part {
    /// Whether the table says so.
    fn enabled(&self) -> Option<bool>;
}

macro_rules! parts {
    ($($table:ty),*) => { $(impl Part for $table {
        fn enabled(&self) -> Option<bool> {
            self.enabled
        }
    })* };
}

parts!(AdaptiveRate, AdaptiveConcurrency, LatencyBudget, LoadShedder, Chaos);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdaptiveRate {
    pub(super) enabled: Option<bool>,
    pub(super) rate: Option<u32>,
    pub(super) per: Option<String>,
    pub(super) burst: Option<u32>,
    pub(super) target: Option<String>,
    pub(super) min: Option<u32>,
    pub(super) max: Option<u32>,
    pub(super) window: Option<String>,
    pub(super) samples: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdaptiveConcurrency {
    pub(super) enabled: Option<bool>,
    pub(super) rule: Option<Rule>,
    pub(super) initial: Option<u32>,
    pub(super) min: Option<u32>,
    pub(super) max: Option<u32>,
    pub(super) samples: Option<u32>,
    pub(super) window: Option<String>,
    pub(super) slow_after: Option<String>,
    pub(super) backoff: Option<Share>,
    pub(super) increase: Option<u32>,
    pub(super) tolerance: Option<u32>,
    pub(super) queue: Option<u32>,
    pub(super) smoothing: Option<Share>,
    pub(super) probe_every: Option<u32>,
    pub(super) seed: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Rule {
    #[default]
    Aimd,
    Gradient,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LatencyBudget {
    pub(super) enabled: Option<bool>,
    pub(super) slo: Option<Share>,
    pub(super) target: Option<String>,
    pub(super) window: Option<String>,
    pub(super) minimum_calls: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LoadShedder {
    pub(super) enabled: Option<bool>,
    pub(super) max_load: Option<u32>,
    pub(super) span: Option<String>,
    pub(super) seed: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdaptiveTimeout {
    pub(super) enabled: Option<bool>,
    pub(super) initial: Option<String>,
    pub(super) at_least: Option<String>,
    pub(super) at_most: Option<String>,
    pub(super) grow_on: Option<GrowOn>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum GrowOn {
    Timeouts,
    Failures,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RateLimiter {
    pub(super) enabled: Option<bool>,
    pub(super) rate: Option<u32>,
    pub(super) per: Option<String>,
    pub(super) burst: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Bulkhead {
    pub(super) enabled: Option<bool>,
    pub(super) max_concurrent: Option<u32>,
    pub(super) max_waiting: Option<u32>,
    pub(super) max_wait: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CircuitBreaker {
    pub(super) enabled: Option<bool>,
    pub(super) consecutive_failures: Option<u32>,
    pub(super) failure_rate: Option<FailureRate>,
    pub(super) slow_call_rate: Option<SlowCallRate>,
    pub(super) evaluate_on_failure_only: Option<bool>,
    pub(super) open_for: Option<String>,
    pub(super) open_for_growing: Option<Delays>,
    pub(super) probes: Option<u32>,
    pub(super) successes_to_close: Option<u32>,
    pub(super) probe_failures_to_open: Option<u32>,
    pub(super) half_open_calls: Option<u32>,
    pub(super) close_below: Option<CloseBelow>,
    pub(super) probe_lease: Option<String>,
    pub(super) probe_timeout: Option<String>,
    pub(super) honor_retry_after: Option<String>,
    pub(super) ramp: Option<Ramp>,
    pub(super) shadow: Option<bool>,
    pub(super) seed: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseBelow {
    pub(super) share: Share,
    pub(super) of: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ramp {
    pub(super) over: String,
    pub(super) from: Option<Share>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureRate {
    pub(super) share: Share,
    pub(super) slow: Option<String>,
    pub(super) window: Option<String>,
    pub(super) calls: Option<u32>,
    pub(super) minimum_calls: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlowCallRate {
    pub(super) share: Share,
    pub(super) slow: String,
    pub(super) window: Option<String>,
    pub(super) calls: Option<u32>,
    pub(super) minimum_calls: Option<u32>,
}

/// The keys of a schedule of delays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Delays {
    pub(super) backoff: Option<Schedule>,
    pub(super) initial_delay: Option<String>,
    pub(super) increment: Option<String>,
    pub(super) multiplier: Option<f64>,
    pub(super) max_delay: Option<String>,
    pub(super) jitter: Option<JitterKey>,
}

/// A share as a number from 0 to 1, or as a text such as `"50%"` or `"1/3"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a share is a number from 0 to 1, or a text such as \"50%\" or \"1/3\"")]
pub(super) enum Share {
    Number(f64),
    Text(String),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Retry {
    pub(super) enabled: Option<bool>,
    pub(super) max_attempts: Option<u32>,
    pub(super) backoff: Option<Schedule>,
    pub(super) initial_delay: Option<String>,
    pub(super) increment: Option<String>,
    pub(super) multiplier: Option<f64>,
    pub(super) max_delay: Option<String>,
    pub(super) jitter: Option<JitterKey>,
    pub(super) budget: Option<Budget>,
    pub(super) throttle: Option<Throttle>,
    pub(super) cost: Option<Cost>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Throttle {
    pub(super) ratio: Share,
    pub(super) max_tokens: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cost {
    pub(super) failure: Option<u8>,
    pub(super) timeout: Option<u8>,
    pub(super) throttled: Option<u8>,
}

impl Retry {
    /// The keys of its delays.
    pub(super) fn delays(&self) -> Delays {
        Delays {
            backoff: self.backoff,
            initial_delay: self.initial_delay.clone(),
            increment: self.increment.clone(),
            multiplier: self.multiplier,
            max_delay: self.max_delay.clone(),
            jitter: self.jitter,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Schedule {
    Constant,
    Linear,
    Exponential,
    Fibonacci,
    Decorrelated,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "jitter is \"none\", \"equal\", \"full\" or a number of percent from 0 to 100")]
pub(super) enum JitterKey {
    Named(JitterName),
    Percent(u8),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum JitterName {
    None,
    Equal,
    Full,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Budget {
    pub(super) ratio: Option<Share>,
    pub(super) cap: Option<u32>,
    pub(super) per_second: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ErrorBudget {
    pub(super) enabled: Option<bool>,
    pub(super) slo: Option<Share>,
    pub(super) window: Option<String>,
    pub(super) minimum_calls: Option<u32>,
}

/// It is read in every build, so that one without chaos can say that it has none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Chaos {
    pub(super) enabled: Option<bool>,
    pub(super) seed: Option<u32>,
    pub(super) wake: Option<String>,
    pub(super) rules: Vec<ChaosRule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "chaos"), expect(dead_code, reason = "only `enabled` matters there"))]
pub(super) struct ChaosRule {
    pub(super) fault: ChaosFault,
    pub(super) probability: Option<Share>,
    pub(super) along: Option<bool>,
    pub(super) raised_to: Option<Share>,
    pub(super) after: Option<String>,
    pub(super) lasting: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "chaos"), expect(dead_code, reason = "only `enabled` matters there"))]
pub(super) struct ChaosFault {
    pub(super) kind: FaultKind,
    pub(super) min: Option<String>,
    pub(super) max: Option<String>,
    pub(super) after: Option<String>,
    pub(super) time: Option<String>,
    pub(super) threads: Option<u32>,
    pub(super) share: Option<Share>,
    pub(super) bytes: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FaultKind {
    Latency,
    Error,
    Timeout,
    Panic,
    Partition,
    Cpu,
    Memory,
    Disk,
}

#[cfg(feature = "dwcp")]
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TransportTable {
    pub(super) node_id: Option<String>,
    pub(super) max_frame: Option<u32>,
    pub(super) max_inflight: Option<u32>,
    pub(super) max_inflight_bytes: Option<u32>,
    pub(super) writer_queue: Option<u32>,
    pub(super) connect_timeout: Option<String>,
    pub(super) handshake_timeout: Option<String>,
    pub(super) ping_interval: Option<String>,
    pub(super) missed_pings: Option<u32>,
    pub(super) frame_timeout: Option<String>,
    pub(super) write_timeout: Option<String>,
    pub(super) request_timeout: Option<String>,
    pub(super) reconnect_initial: Option<String>,
    pub(super) reconnect_max: Option<String>,
    pub(super) reconnect_reset: Option<String>,
    pub(super) max_connections: Option<u32>,
    pub(super) drain_limit: Option<String>,
}
