//! Metrics of guards for Prometheus.
//!
//! Nothing is counted for the metrics: a [`GuardCollector`] reads the guards when somebody asks, so a call pays nothing.
//! There is no global state; a guard that is gone takes its series with it.
//! For the same numbers as JSON see the feature `serde`.
//!
//! # Examples
//!
//! ```
//! use seawall::core::circuit_breaker;
//! use seawall::metrics::{Format, GuardCollector, Metrics};
//! use seawall::{Guard, Policy};
//!
//! let policy = Policy::new().circuit_breaker(circuit_breaker::Config::consecutive_failures(5));
//! let storage = Guard::new("storage", policy)?;
//! let guards = vec![storage.clone()];
//! let metrics = Metrics::new(GuardCollector::new(move || guards.clone()));
//!
//! storage.call_blocking(|_| Ok::<_, &str>(())).unwrap();
//! let text = metrics.encode(Format::Text);
//! assert!(text.contains("dwcp_circuit_breaker_state{name=\"storage\"} 0\n"));
//! assert!(text.contains("dwcp_calls_total{name=\"storage\",outcome=\"success\"} 1\n"));
//! # Ok::<(), seawall::core::ConfigError>(())
//! ```
//!
//! # Families
//!
//! All names begin with the namespace, `dwcp_` unless another is given. A pattern that a guard does not have has no series.
//!
//! | name | type | labels | counts |
//! |---|---|---|---|
//! | `circuit_breaker_state` | gauge | `name` | 0 closed, 1 half-open, 2 open |
//! | `circuit_breaker_requests_total` | counter | `name`, `result` | attempts: `success`, `failure`, `rejected` |
//! | `circuit_breaker_failures_total` | counter | `name` | attempts that failed |
//! | `circuit_breaker_state_changes_total` | counter | `name`, `from_state`, `to_state` | `closed`, `half-open`, `open` |
//! | `circuit_breaker_request_duration_seconds` | histogram | `name` | attempts |
//! | `retry_attempts_total` | counter | `policy`, `attempt` | attempts by number, `1` to `6+` |
//! | `retry_success_total` | counter | `policy` | calls that a retry saved |
//! | `retry_failures_total` | counter | `policy`, `reason` | calls that failed, by why there was no further attempt |
//! | `retry_backoff_delay_seconds` | histogram | `policy` | pauses before retries |
//! | `retry_budget_balance` | gauge | `policy` | retries that the budget still holds |
//! | `rate_limiter_allowed_total` | counter | `limiter` | calls that the limiter let through |
//! | `rate_limiter_rejected_total` | counter | `limiter` | calls that it did not |
//! | `rate_limiter_current_rate` | gauge | `limiter` | tokens a second |
//! | `rate_limiter_available_tokens` | gauge | `limiter` | tokens now |
//! | `bulkhead_concurrent` | gauge | `bulkhead` | calls that run |
//! | `bulkhead_queued` | gauge | `bulkhead` | calls that wait |
//! | `bulkhead_capacity` | gauge | `bulkhead` | calls that can run |
//! | `bulkhead_rejected_total` | counter | `bulkhead` | calls that found no slot |
//! | `bulkhead_wait_duration_seconds` | histogram | `bulkhead` | waits of calls that had to wait and got a slot |
//! | `error_budget_remaining` | gauge | `budget` | share that is left |
//! | `error_budget_consumed` | gauge | `budget` | share that is spent, at most 1 |
//! | `error_budget_exhausted_total` | counter | `budget` | how often the objective came to be missed |
//! | `latency_budget_p50_seconds` | gauge | `budget` | median of the attempts in the window |
//! | `latency_budget_p95_seconds` | gauge | `budget` | their 95th percentile |
//! | `latency_budget_p99_seconds` | gauge | `budget` | their 99th percentile |
//! | `latency_budget_violations_total` | counter | `budget` | attempts that took longer than the target |
//! | `adaptive_rate_per_second` | gauge | `limiter` | present rate, which follows the latency |
//! | `adaptive_rate_adjustments_total` | counter | `limiter`, `direction` | its changes: `raise`, `lower` |
//! | `adaptive_rate_rejected_total` | counter | `limiter` | calls that it refused |
//! | `adaptive_concurrency_limit` | gauge | `limiter` | calls that may run, which follows their results |
//! | `adaptive_concurrency_in_flight` | gauge | `limiter` | calls that run |
//! | `adaptive_concurrency_rejected_total` | counter | `limiter` | calls that it refused |
//! | `load_shedder_calls_total` | counter | `name`, `priority`, `result` | calls: `admitted`, `shed` |
//! | `guard_shadow` | gauge | `name` | 1 while calls are only watched; of guards that are in shadow mode, or would have refused something in it |
//! | `calls_would_be_rejected_total` | counter | `name`, `pattern` | calls in shadow mode that a pattern would have refused |
//! | `chaos_armed` | gauge | `name` | 1 while faults are injected; this and the next three of guards on which chaos was ever armed |
//! | `chaos_checks_total` | counter | `name` | attempts that chaos decided on |
//! | `chaos_strikes_total` | counter | `name` | attempts that it struck, with one fault or several |
//! | `chaos_injections_total` | counter | `name`, `fault` | injected faults by kind |
//! | `degradation_level` | gauge | `component` | 0 normal to 3 emergency; named after the guard that drives it |
//! | `calls_total` | counter | `name`, `outcome` | `success`, `failure`, `ignored`, `cancelled`, `rejected` |
//! | `calls_rejected_total` | counter | `name`, `pattern` | refused calls, by the pattern that refused |
//! | `attempt_timeouts_total` | counter | `name` | attempts that ended by their timeout |
//!
//! A call is counted when it has ended, so `rate_limiter_allowed_total` lags behind by the calls under way.
//! An attempt after which the caller gave up during the pause is in the histogram, and in no counter of failures.
//!
//! # Keyed tables
//!
//! A [`KeyedCollector`] shows tables of keyed limiters and breakers, in sums: a series for each key would have no bound.
//!
//! ```
//! use seawall::core::keyed::Config;
//! use seawall::core::{Clock as _, KeyedCircuitBreaker, KeyedRateLimiter, circuit_breaker, rate_limiter::Quota};
//! use seawall::metrics::{Format, GuardCollector, KeyedCollector, Metrics, NAMESPACE};
//! use seawall::{Guard, Policy, SystemClock};
//!
//! static CLIENTS: KeyedRateLimiter<64> = KeyedRateLimiter::new(Quota::per_second(10), Config::seeded(0x5EA));
//! static HOSTS: KeyedCircuitBreaker<64> =
//!     KeyedCircuitBreaker::new(circuit_breaker::Config::consecutive_failures(5), Config::seeded(0x5EB));
//!
//! let guards = vec![Guard::new("storage", Policy::new())?];
//! let mut metrics = Metrics::new(GuardCollector::new(move || guards.clone()));
//! let tables = KeyedCollector::new()
//!     .rate_limiter("clients", || CLIENTS.snapshot(SystemClock.now()))
//!     .circuit_breaker("hosts", || HOSTS.snapshot());
//! metrics.add(NAMESPACE, tables).expect("it holds guards, and no tables yet");
//!
//! let now = SystemClock.now();
//! assert!(CLIENTS.try_acquire("10.0.0.1", now).is_ok() && HOSTS.try_acquire("alpha", now).is_ok());
//! let text = metrics.encode(Format::Text);
//! assert!(text.contains("dwcp_keyed_rate_limiter_entries{limiter=\"clients\"} 1\n"));
//! assert!(text.contains("dwcp_keyed_circuit_breaker_entries{name=\"hosts\",state=\"closed\"} 1\n"));
//! # Ok::<(), seawall::core::ConfigError>(())
//! ```
//!
//! | name | type | labels | counts |
//! |---|---|---|---|
//! | `keyed_rate_limiter_capacity` | gauge | `limiter` | entries of the table |
//! | `keyed_rate_limiter_entries` | gauge | `limiter` | entries that a key holds |
//! | `keyed_rate_limiter_in_debt` | gauge | `limiter` | keys whose bucket is not full |
//! | `keyed_rate_limiter_denied` | gauge | `limiter` | keys that would be denied one token now |
//! | `keyed_rate_limiter_evictions_total` | counter | `limiter` | keys that lost their entry to another one |
//! | `keyed_rate_limiter_forgiven_total` | counter | `limiter` | those of them that were in debt |
//! | `keyed_rate_limiter_turned_away_total` | counter | `limiter` | calls of keys that found no entry: refused, or in the shared bucket |
//! | `keyed_circuit_breaker_capacity` | gauge | `name` | entries of the table |
//! | `keyed_circuit_breaker_entries` | gauge | `name`, `state` | entries that a key holds, by the state of its breaker |
//! | `keyed_circuit_breaker_forced` | gauge | `name` | breakers that are held open or closed by hand |
//! | `keyed_circuit_breaker_evictions_total` | counter | `name` | keys that lost their entry to another one |
//! | `keyed_circuit_breaker_forgiven_total` | counter | `name` | those of them that had failures, or were not closed and their time was over |
//! | `keyed_circuit_breaker_turned_away_total` | counter | `name` | calls of keys that found no entry |
//!
//! Admitted and denied calls are in no table: core counts nothing for a call of a key, so that it stays one write.
//!
//! # Accuracy
//!
//! Counters are exact, and never decrease.
//! The histograms come from finer ones: a duration less than 3 % below a boundary may be counted above it, never the other
//! way round.
//! Sums are taken from the middles of the fine buckets, which is right to 1.6 %, and mostly much better; durations above
//! 18 minutes enter the sum as 18 minutes.
//! A sum kept by the calls would cost each of them one more atomic write.
//!
//! # Labels
//!
//! The number of series is bounded by that of the guards: at most 90 for each, and 132 with everything around it, in shadow mode
//! and with chaos.
//! A guard that is listed twice is shown once; of two guards with one name, the one listed later is shown as `name#2`.

mod collector;
mod families;
mod format;
mod histogram;
mod keyed;
#[cfg(test)]
mod tests;
mod writer;

use std::any::{Any, TypeId};
use std::fmt;

pub use collector::GuardCollector;
#[cfg(feature = "admin")]
pub(crate) use collector::Source;
pub use format::Format;
pub use keyed::KeyedCollector;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

/// The namespace of the metrics, unless another is given.
pub const NAMESPACE: &str = "dwcp";

/// The page that Prometheus reads. The [module](self) has an example.
///
/// Whoever has a [`Registry`] already registers a [`GuardCollector`] there instead.
#[derive(Debug)]
pub struct Metrics {
    namespaces: Vec<Namespace>,
}

#[derive(Debug)]
struct Namespace {
    name: String,
    registry: Registry,
    /// Whether there are keyed tables, and whether there is something else.
    holds: [bool; 2],
}

/// A namespace cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NamespaceError {
    /// It is no name of a metric: letters, digits and underscores, no digit first.
    Invalid(String),
    /// It is in use; guards that belong together go into one collector by [`GuardCollector::and`], and so do keyed tables.
    Taken(String),
}

impl fmt::Display for NamespaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(namespace) => write!(
                f,
                "metrics namespace `{namespace}` must consist of letters, digits and underscores, and begin with no digit"
            ),
            Self::Taken(namespace) => write!(f, "metrics namespace `{namespace}` is used already"),
        }
    }
}

impl std::error::Error for NamespaceError {}

impl Metrics {
    /// The metrics of a collector in the namespace [`NAMESPACE`].
    pub fn new(collector: impl Collector) -> Self {
        let mut metrics = Self { namespaces: Vec::new() };
        let fresh = metrics.insert(NAMESPACE, collector);
        debug_assert!(fresh, "there was no namespace");
        metrics
    }

    /// The metrics of a collector in a namespace of your choice.
    ///
    /// An underscore at the end is understood: `dwcp` and `dwcp_` are the same. The empty namespace is one, too.
    ///
    /// # Errors
    ///
    /// [`NamespaceError::Invalid`].
    pub fn with_namespace(namespace: &str, collector: impl Collector) -> Result<Self, NamespaceError> {
        let mut metrics = Self { namespaces: Vec::new() };
        metrics.add(namespace, collector)?;
        Ok(metrics)
    }

    /// Adds another collector in a namespace of its own, or a [`KeyedCollector`] in one that has none, or the other way round.
    ///
    /// # Errors
    ///
    /// [`NamespaceError`]; then nothing changes.
    pub fn add(&mut self, namespace: &str, collector: impl Collector) -> Result<(), NamespaceError> {
        let name = namespace.strip_suffix('_').unwrap_or(namespace);
        let legal = |char: char| char.is_ascii_alphanumeric() || char == '_';
        if name.starts_with(|char: char| char.is_ascii_digit()) || !name.chars().all(legal) {
            return Err(NamespaceError::Invalid(namespace.to_owned()));
        }
        if self.insert(name, collector) { Ok(()) } else { Err(NamespaceError::Taken(name.to_owned())) }
    }

    /// Registers the collector, unless its families could be in the namespace already.
    fn insert(&mut self, name: &str, collector: impl Collector) -> bool {
        let kind = usize::from(collector.type_id() == TypeId::of::<KeyedCollector>());
        let place = self.namespaces.iter().position(|namespace| namespace.name == name);
        let place = place.unwrap_or_else(|| {
            let registry = if name.is_empty() { Registry::default() } else { Registry::with_prefix(name) };
            self.namespaces.push(Namespace { name: name.to_owned(), registry, holds: [false; 2] });
            self.namespaces.len() - 1
        });
        let Namespace { registry, holds, .. } = &mut self.namespaces[place];
        if std::mem::replace(&mut holds[kind], true) {
            return false;
        }
        registry.register_collector(Box::new(collector));
        true
    }

    /// Reads everything, as text.
    ///
    /// # Panics
    ///
    /// If a collector fails to write into a string; that of this crate does not.
    pub fn encode(&self, format: Format) -> String {
        let mut text = String::new();
        for namespace in &self.namespaces {
            encode_registry(&mut text, &namespace.registry).expect("a string takes everything");
        }
        format.finish(text)
    }
}
