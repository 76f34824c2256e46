//! How guards are doing, as plain data for JSON, a terminal or a log.
//!
//! Reading it costs the calls nothing: the numbers are those that the guard keeps anyway.
//! Counts count from the making of the guard and only grow; the rest is of the moment at which it was read.
//! Durations are seconds in JSON, and their names say so there.
//! For Prometheus see the feature `metrics`.
//!
//! # Examples
//!
//! ```
//! use seawall::stats::GuardStats;
//! use seawall::core::circuit_breaker::{self, State};
//! use seawall::{Guard, Policy};
//!
//! let policy = Policy::new().circuit_breaker(circuit_breaker::Config::consecutive_failures(1));
//! let guard = Guard::new("storage", policy)?;
//! let _ = guard.call_blocking(|_| Err::<(), _>("disk on fire"));
//!
//! let stats = GuardStats::of(&guard);
//! let breaker = stats.circuit_breaker.unwrap();
//! assert_eq!((stats.calls.failures, breaker.state), (1, State::Open));
//! assert_eq!(breaker.last_transition.unwrap().cause, "1 failure in a row");
//! # Ok::<(), seawall::core::ConfigError>(())
//! ```

mod encode;
mod event;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use seawall_core::circuit_breaker::State;
use seawall_core::degradation::Level;
use seawall_core::{Clock, Ratio};
use serde::{Deserialize, Serialize};

pub use event::{Happened, TransitionStats};

use crate::guard::{DurationsSnapshot, Guard};

/// All guards of a node, and how the whole is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// The worst level of degradation that any of the guards takes part in.
    #[serde(with = "encode::LevelName")]
    pub degradation_level: Level,
    /// The guards, in the order in which they were given.
    pub guards: Vec<GuardStats>,
}

impl Stats {
    /// Reads all of `guards`.
    pub fn of<'a, C: Clock + 'a>(guards: impl IntoIterator<Item = &'a Guard<C>>) -> Self {
        let guards: Vec<_> = guards.into_iter().map(GuardStats::of).collect();
        let overall = guards.iter().filter_map(|guard| guard.degradation.as_ref()).map(|level| level.overall);
        Self { degradation_level: overall.max().unwrap_or_default(), guards }
    }

    /// The guard with this name.
    pub fn guard(&self, name: &str) -> Option<&GuardStats> {
        self.guards.iter().find(|guard| guard.name == name)
    }
}

/// How one guard is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GuardStats {
    /// Its name.
    pub name: String,
    /// When this was read, on the guard's clock since its origin.
    #[serde(rename = "now_seconds", with = "encode::seconds")]
    pub now: Duration,
    /// Calls by how they ended.
    pub calls: CallStats,
    /// The latencies of attempts.
    pub latency: LatencyStats,
    /// Attempts that ended by their timeout.
    pub timeouts: u64,
    /// What the policy would have done to calls in shadow mode.
    pub shadow: ShadowStats,
    /// The breaker, if there is one.
    pub circuit_breaker: Option<BreakerStats>,
    /// The rate limiter, if there is one.
    pub rate_limiter: Option<LimiterStats>,
    /// The bulkhead, if there is one.
    pub bulkhead: Option<BulkheadStats>,
    /// Retries.
    pub retry: RetryStats,
    /// The error budget, if there is one.
    pub error_budget: Option<ErrorBudgetStats>,
    /// The promise about latency, if the guard watches one.
    pub latency_budget: Option<LatencyBudgetStats>,
    /// The rate that follows the latency, if the guard has one.
    pub adaptive_rate: Option<AdaptiveRateStats>,
    /// The limit on concurrent calls that follows their results, if the guard has one.
    pub adaptive_concurrency: Option<AdaptiveConcurrencyStats>,
    /// The load shedder by priority, if the guard has one.
    pub load_shedder: Option<BTreeMap<String, ShedStats>>,
    /// Injected faults, if chaos was ever armed on the guard.
    #[cfg(feature = "chaos")]
    pub chaos: Option<ChaosStats>,
    /// The level of degradation, if the guard drives one.
    pub degradation: Option<DegradationStats>,
    /// What happened last, the oldest first; at most 64 entries.
    pub events: Vec<Happened>,
}

/// Calls by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallStats {
    /// Succeeded in the end.
    pub successes: u64,
    /// Failed in the end.
    pub failures: u64,
    /// Ended with a result that says nothing about the dependency.
    pub ignored: u64,
    /// Given up by the caller.
    pub cancelled: u64,
    /// Refused, by the pattern that refused.
    pub rejected: RejectionStats,
}

impl CallStats {
    /// All calls that have ended.
    pub const fn total(&self) -> u64 {
        self.successes + self.failures + self.ignored + self.cancelled + self.rejected.total()
    }
}

/// Refused calls, by the pattern that refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RejectionStats {
    /// There was too much load for the call's priority.
    pub load_shedder: u64,
    /// The service was too far degraded for the call's priority.
    pub degradation: u64,
    /// The rate that follows the latency was used up.
    pub adaptive_rate: u64,
    /// As many calls ran as the limit that follows their results allowed.
    pub adaptive_concurrency: u64,
    /// The rate limit was used up.
    pub rate_limiter: u64,
    /// There was no slot.
    pub bulkhead: u64,
    /// The breaker was open.
    pub circuit_breaker: u64,
    /// The deadline came before the call could start.
    pub deadline: u64,
}

impl RejectionStats {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.load_shedder
            + self.degradation
            + self.adaptive_rate
            + self.adaptive_concurrency
            + self.rate_limiter
            + self.bulkhead
            + self.circuit_breaker
            + self.deadline
    }
}

/// What the policy would have done to calls in [shadow mode](seawall_core::guard#shadow-mode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShadowStats {
    /// Whether calls that begin now are only watched.
    pub on: bool,
    /// Calls that would have been refused; one that two patterns would have refused counts at both.
    pub would_reject: RejectionStats,
    /// Attempts that would have been made again.
    pub would_retry: u64,
    /// Attempts that would have been cut at their timeout.
    pub would_time_out: u64,
}

/// Durations that were counted, at most 3 % above the true values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LatencyStats {
    /// How many.
    pub count: u64,
    /// The median; none if there were none.
    #[serde(rename = "p50_seconds", with = "encode::optional_seconds")]
    pub p50: Option<Duration>,
    /// The duration that 95 % do not exceed.
    #[serde(rename = "p95_seconds", with = "encode::optional_seconds")]
    pub p95: Option<Duration>,
    /// The duration that 99 % do not exceed.
    #[serde(rename = "p99_seconds", with = "encode::optional_seconds")]
    pub p99: Option<Duration>,
}

impl LatencyStats {
    /// Reads a histogram at rest: one of [`Guard::latencies`], or the difference of two for what was between them.
    pub fn of(durations: &DurationsSnapshot) -> Self {
        let percentile = |n| durations.percentile(Ratio::percent(n)).map(Duration::from_nanos);
        Self { count: durations.count(), p50: percentile(50), p95: percentile(95), p99: percentile(99) }
    }
}

/// How a circuit breaker is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BreakerStats {
    /// Its state: `closed`, `half-open` or `open` in JSON.
    #[serde(with = "encode::StateName")]
    pub state: State,
    /// Whether the state is held by hand.
    pub forced: bool,
    /// Failures in a row, while closed.
    pub consecutive_failures: u32,
    /// Probes that are out, while half-open.
    pub probes: u32,
    /// Probes that succeeded, while half-open.
    pub probe_successes: u32,
    /// The calls in the window of the rate rule.
    pub window_calls: u32,
    /// The failed ones among them.
    pub window_failures: u32,
    /// The slow ones among them.
    pub window_slow: u32,
    /// How long it still rejects; none while calls pass, or if only a reset helps.
    #[serde(rename = "retry_after_seconds", with = "encode::optional_seconds")]
    pub retry_after: Option<Duration>,
    /// The last change of state.
    pub last_transition: Option<TransitionStats>,
}

/// How a rate limiter is doing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimiterStats {
    /// The tokens that are there.
    pub available: u32,
    /// How many tokens come back in a second.
    pub rate_per_second: f64,
    /// The tokens of a full bucket.
    pub burst: u32,
}

/// How a bulkhead is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BulkheadStats {
    /// Calls that run.
    pub in_use: u32,
    /// Calls that wait.
    pub waiting: u32,
    /// How many can run.
    pub capacity: u32,
    /// How many can wait.
    pub max_waiting: u32,
    /// Whether nobody is admitted any more.
    pub closed: bool,
    /// The times that calls waited for a slot, of those that had to and got one.
    pub wait: LatencyStats,
}

/// What was retried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetryStats {
    /// The attempts that a call has at most.
    pub max_attempts: u32,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Calls that a retry saved.
    pub recovered: u64,
    /// Failed calls, by the reason why there was no further attempt.
    pub gave_up: BTreeMap<String, u64>,
    /// The retries that the budget still holds.
    pub balance: u32,
    /// The pauses before retries.
    pub pause: LatencyStats,
}

/// The account of an error budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorBudgetStats {
    /// The share of calls that is to succeed.
    pub objective: f64,
    /// The share that succeeded over the window.
    pub availability: f64,
    /// The calls in the window.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// How many of them may fail.
    pub allowed_failures: u32,
    /// The share of the budget that is left.
    pub remaining: f64,
    /// The share that is spent: above 1 if it is overspent.
    pub spent: f64,
    /// Whether the objective is missed.
    pub exhausted: bool,
    /// How often it came to be.
    pub exhausted_total: u64,
}

/// The account of a promise about latency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LatencyBudgetStats {
    /// The latency that an attempt should not exceed.
    #[serde(rename = "target_seconds", with = "encode::seconds")]
    pub target: Duration,
    /// The share of attempts that is to keep it.
    pub objective: f64,
    /// The share that kept it over the window.
    pub compliance: f64,
    /// The attempts in the window.
    pub calls: u32,
    /// Those that took longer.
    pub violations: u32,
    /// The share of the budget that is left.
    pub remaining: f64,
    /// Whether the promise is broken.
    pub exhausted: bool,
    /// How often it came to be.
    pub exhausted_total: u64,
    /// Attempts that took longer, since the guard was made.
    pub violations_total: u64,
}

/// A rate that follows the latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AdaptiveRateStats {
    /// The present rate.
    pub rate_per_second: f64,
    /// The latency that is aimed at.
    #[serde(rename = "target_seconds", with = "encode::seconds")]
    pub target: Duration,
    /// The 95th percentile of the window that was judged last, zero before the first.
    #[serde(rename = "p95_seconds", with = "encode::seconds")]
    pub p95: Duration,
    /// How often the rate was raised.
    pub raised: u64,
    /// How often it was lowered.
    pub lowered: u64,
}

/// A limit on concurrent calls that follows their results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AdaptiveConcurrencyStats {
    /// Calls that run.
    pub in_flight: u32,
    /// Calls that may.
    pub limit: u32,
}

/// What became of the calls of one priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShedStats {
    /// The calls that passed.
    pub admitted: u64,
    /// The calls that were turned away.
    pub shed: u64,
}

/// What chaos did to a guard.
#[cfg(feature = "chaos")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChaosStats {
    /// Whether faults are injected.
    pub armed: bool,
    /// How often it was armed.
    pub armings: u64,
    /// Attempts that were decided on while it was armed.
    pub checks: u64,
    /// Attempts that were struck.
    pub strikes: u64,
    /// Injected faults, by kind.
    pub injections: BTreeMap<String, u64>,
}

/// The level of degradation that a guard takes part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DegradationStats {
    /// The number of the component that the guard drives.
    pub component: u8,
    /// The level of that component.
    #[serde(with = "encode::LevelName")]
    pub level: Level,
    /// The level of the whole.
    #[serde(with = "encode::LevelName")]
    pub overall: Level,
}
