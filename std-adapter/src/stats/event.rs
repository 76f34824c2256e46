//! The last events of a guard.

use std::time::Duration;

use seawall_core::circuit_breaker::{Cause, State, Transition};
use seawall_core::degradation::Level;
use seawall_core::error_budget::Edge;
use seawall_core::events::{Event, EventKind};
use seawall_core::{Clock, Instant};
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
