//! The last events of a guard.

use std::time::Duration;

use seawall_core::adaptive_concurrency::Reason;
use seawall_core::check::{self, Status};
use seawall_core::circuit_breaker::{Cause, State, Transition};
use seawall_core::degradation::Level;
use seawall_core::error_budget::Edge;
use seawall_core::events::{Event, EventKind};
use seawall_core::{Clock, Instant, burn_rate, composite};
use serde::{Deserialize, Serialize};

use super::encode;
use crate::guard::Guard;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "pattern", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happened {
    /// The breaker changed its state.
    CircuitBreaker(TransitionStats),
    /// The error budget crossed the line.
    ErrorBudget {
        /// When, on the guard's clock since its origin.
        #[serde(rename = "at_seconds", with = "encode::seconds")]
        at: Duration,
        /// Whether the objective is missed since.
        exhausted: bool,
    },
    /// The latency budget crossed the line.
    LatencyBudget {
        /// When, on the guard's clock since its origin.
        #[serde(rename = "at_seconds", with = "encode::seconds")]
        at: Duration,
        /// Whether the promise is broken since.
        exhausted: bool,
    },
    /// The guard's budget changed the level of the whole.
    Degradation {
        /// When, on the guard's clock since its origin.
        #[serde(rename = "at_seconds", with = "encode::seconds")]
        at: Duration,
        /// The level before.
        #[serde(with = "encode::LevelName")]
        from: Level,
        /// The level since.
        #[serde(with = "encode::LevelName")]
        to: Level,
    },
    /// The health of a dependency changed. This event and those below are of the program, which wrote them into the guard's ring.
    HealthCheck {
        /// When, on the guard's clock since its origin.
        #[serde(rename = "at_seconds", with = "encode::seconds")]
        at: Duration,
        /// The status before.
        #[serde(with = "encode::StatusName")]
        from: Status,
        /// The status since.
        #[serde(with = "encode::StatusName")]
        to: Status,
        /// Why, in words: `3 failures in a row`.
        cause: String,
    },
    /// An alert on a burn rate was raised or cleared.
    BurnRate {
        /// When, on the guard's clock since its origin.
        #[serde(rename = "at_seconds", with = "encode::seconds")]
        at: Duration,
        /// Whether it is raised since.
        raised: bool,
    },
    /// The health of a whole crossed the line.
    Composite {
        /// When, on the guard's clock since its origin.
        #[serde(rename = "at_seconds", with = "encode::seconds")]
        at: Duration,
        /// Whether enough members are healthy since.
        healthy: bool,
    },
    /// A rate that follows the latency changed.
    AdaptiveRate {
        /// When, on the guard's clock since its origin.
        #[serde(rename = "at_seconds", with = "encode::seconds")]
        at: Duration,
        /// The tokens of a period before.
        from: u32,
        /// The tokens of a period since.
        to: u32,
        /// The 95th percentile that it was judged by.
        #[serde(rename = "p95_seconds", with = "encode::seconds")]
        p95: Duration,
    },
    /// A limit on concurrent calls that follows their results changed.
    AdaptiveConcurrency {
        /// When, on the guard's clock since its origin.
        #[serde(rename = "at_seconds", with = "encode::seconds")]
        at: Duration,
        /// The limit before.
        from: u32,
        /// The limit since.
        to: u32,
        /// Why, in words: `calls failed or took too long`.
        reason: String,
    },
}

/// A change of a breaker's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TransitionStats {
    /// When, on the guard's clock since its origin.
    #[serde(rename = "at_seconds", with = "encode::seconds")]
    pub at: Duration,
    /// The state before.
    #[serde(with = "encode::StateName")]
    pub from: State,
    /// The state since.
    #[serde(with = "encode::StateName")]
    pub to: State,
    /// Why, in words: `5 failures in a row`.
    pub cause: String,
}

impl TransitionStats {
    /// A transition at a moment.
    pub fn of(transition: &Transition, at: Instant) -> Self {
        Self {
            at: at.saturating_since(Instant::ZERO),
            from: transition.from,
            to: transition.to,
            cause: describe(transition.cause),
        }
    }
}

impl Happened {
    fn of(event: &Event) -> Option<Self> {
        let at = event.at.saturating_since(Instant::ZERO);
        Some(match event.kind {
            EventKind::Breaker(transition) => {
                Self::CircuitBreaker(TransitionStats::of(&transition, event.at))
            }
            EventKind::Budget(edge) => Self::ErrorBudget { at, exhausted: edge == Edge::Exhausted },
            EventKind::Latency(edge) => Self::LatencyBudget { at, exhausted: edge == Edge::Exhausted },
            EventKind::Level(change) => Self::Degradation { at, from: change.from, to: change.to },
            EventKind::Health(change) => {
                let cause = describe_health(change.cause);
                Self::HealthCheck { at, from: change.from, to: change.to, cause }
            }
            EventKind::BurnRate(edge) => Self::BurnRate { at, raised: edge == burn_rate::Edge::Raised },
            EventKind::Composite(edge) => Self::Composite { at, healthy: edge == composite::Edge::Healthy },
            EventKind::Rate(change) => {
                Self::AdaptiveRate { at, from: change.from, to: change.to, p95: change.p95() }
            }
            EventKind::Concurrency(change) => {
                let reason = describe_reason(change.reason);
                Self::AdaptiveConcurrency { at, from: change.from, to: change.to, reason }
            }
            _ => return None,
        })
    }
}

/// All events that the guard still has.
pub(super) fn all<C: Clock>(guard: &Guard<C>) -> Vec<Happened> {
    let ring = guard.events();
    let mut cursor = ring.cursor();
    // Busy writers could keep a reader going for ever.
    std::iter::from_fn(|| ring.read(&mut cursor)).take(64).filter_map(|event| Happened::of(&event)).collect()
}

fn describe(cause: Cause) -> String {
    match cause {
        Cause::ConsecutiveFailures { failures: 1 } => "1 failure in a row".to_owned(),
        Cause::ConsecutiveFailures { failures } => format!("{failures} failures in a row"),
        Cause::FailureRate { calls, failures } => format!("{failures} of {calls} calls failed"),
        Cause::SlowCallRate { calls, slow } => format!("{slow} of {calls} calls were slow"),
        Cause::OpenTimeOver => "the open time is over".to_owned(),
        Cause::ProbesFailed { failures: 1 } => "a probe failed".to_owned(),
        Cause::ProbesFailed { failures } => format!("{failures} probes failed"),
        Cause::ProbeRate { calls, failures } => format!("{failures} of {calls} probes failed"),
        Cause::ProbesSucceeded { successes: 1 } => "1 probe succeeded".to_owned(),
        Cause::ProbesSucceeded { successes } => format!("{successes} probes succeeded"),
        Cause::Manual => "by hand".to_owned(),
        other => format!("{other:?}"),
    }
}

fn describe_health(cause: check::Cause) -> String {
    match cause {
        check::Cause::Successes(1) => "1 success in a row".to_owned(),
        check::Cause::Successes(n) => format!("{n} successes in a row"),
        check::Cause::Failures(1) => "1 failure in a row".to_owned(),
        check::Cause::Failures(n) => format!("{n} failures in a row"),
        check::Cause::SuccessRate { successes, results } => {
            format!("{successes} of {results} checks succeeded")
        }
        check::Cause::Stale => "no check began for too long".to_owned(),
        check::Cause::Reset => "by hand".to_owned(),
        other => format!("{other:?}"),
    }
}

fn describe_reason(reason: Reason) -> String {
    let text = match reason {
        Reason::Bad => "calls failed or took too long",
        Reason::Room => "the limit was in use, and calls came back well",
        Reason::Latency => "calls take longer than without a queue",
        Reason::Probe => "the latency without a queue is measured",
        Reason::ProbeOver => "the latency without a queue is known",
        other => return format!("{other:?}"),
    };
    text.to_owned()
}
