//! Words and fields that several patterns print.

use crate::replay::fields::Fields;
use crate::replay::schema::{Kind, Param};
use crate::replay::value::Args;
use seawall::core::circuit_breaker::{Cause, State, Transition};
use seawall::core::degradation::{Level, LevelChange};
use seawall::core::error_budget::Edge;
use seawall::core::window::Span;
use seawall::core::{ConfigError, Outcome};
use std::time::Duration;

/// The call may start.
pub(in crate::replay) fn admit(out: &mut Fields) {
    out.put("admitted", true);
}

/// The call may not start: why, whose word it is, and when to come back.
pub(super) fn reject(out: &mut Fields, pattern: &str, reason: &str, retry_after: Option<Duration>) {
    out.put("admitted", false);
    out.put("rejected", reason);
    out.put("rejected_by", pattern);
    out.duration("retry_after", retry_after);
}

/// How a call ended.
pub(super) const OUTCOME: Kind = Kind::Word(&["success", "failure", "slow", "ignored", "cancelled"]);

/// The argument `outcome`.
pub(super) const OUTCOME_PARAM: Param = Param::required("outcome", OUTCOME, "how the call ended");

/// The outcome of an argument.
pub(super) fn outcome(args: &Args, key: &str) -> Outcome {
    args.word(key).map_or(Outcome::Success, outcome_of)
}

/// The outcome of a word.
pub(super) fn outcome_of(word: &str) -> Outcome {
    match word {
        "failure" => Outcome::Failure,
        "slow" => Outcome::Slow,
        "ignored" => Outcome::Ignored,
        "cancelled" => Outcome::Cancelled,
        _ => Outcome::Success,
    }
}

/// What an outcome is called.
pub(in crate::replay) fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Slow => "slow",
        Outcome::Ignored => "ignored",
        Outcome::Cancelled => "cancelled",
        _ => "other",
    }
}

/// A breaker's state.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::HalfOpen => "half_open",
        State::Open => "open",
    }
}

/// A breaker's change of state.
pub(in crate::replay) fn transition(transition: Transition) -> Fields {
    let mut figures = Fields::default();
    let cause = match transition.cause {
        Cause::ConsecutiveFailures { failures } => {
            figures.put("failures", failures);
            "consecutive_failures"
        }
        Cause::FailureRate { calls, failures } => {
            figures.put("calls", calls);
            figures.put("failures", failures);
            "failure_rate"
        }
        Cause::SlowCallRate { calls, slow } => {
            figures.put("calls", calls);
            figures.put("slow", slow);
            "slow_call_rate"
        }
        Cause::OpenTimeOver => "open_time_over",
        Cause::ProbesFailed { failures } => {
            figures.put("failures", failures);
            "probes_failed"
        }
        Cause::ProbeRate { calls, failures } => {
            figures.put("calls", calls);
            figures.put("failures", failures);
            "probe_rate"
        }
        Cause::ProbesSucceeded { successes } => {
            figures.put("successes", successes);
            "probes_succeeded"
        }
        Cause::Manual => "manual",
        _ => "other",
    };
    let mut fields = Fields::default();
    fields.put("from", state(transition.from));
    fields.put("to", state(transition.to));
    fields.put("cause", cause);
    fields.put("figures", figures);
    fields.put("generation", transition.generation);
    fields
}

/// What is wrong with a value, without the pattern's name in front.
pub(super) fn wrong(error: &ConfigError) -> String {
    let key = error.field.split_once('.').map_or(error.field, |(_, key)| key);
    format!("{key} must be {}", error.bound)
}

/// The edge of a budget.
pub(in crate::replay) fn edge(edge: Edge) -> &'static str {
    match edge {
        Edge::Exhausted => "exhausted",
        Edge::Recovered => "recovered",
    }
}

/// A level of degradation.
pub(super) const LEVEL: Kind = Kind::Word(&["normal", "degraded", "severely_degraded", "emergency"]);

/// The level of an argument.
pub(super) fn level(args: &Args, key: &str) -> Level {
    let word = args.word(key);
    Level::ALL.into_iter().find(|level| Some(level.name()) == word).unwrap_or_default()
}

/// A change of the level.
pub(super) fn level_change(change: LevelChange) -> Fields {
    let mut fields = Fields::default();
    fields.put("from", change.from.name());
    fields.put("to", change.to.name());
    fields
}

/// The span of the keys `window` and `calls`.
pub(super) fn span(args: &Args, default: Span) -> Result<Span, Vec<String>> {
    match (args.duration("window"), args.u32("calls")) {
        (None, None) => Ok(default),
        (Some(window), None) => Ok(Span::time(window)),
        (None, Some(calls)) => Ok(Span::calls(calls)),
        (Some(_), Some(_)) => Err(vec!["window or calls must be given, and not both".to_owned()]),
    }
}
