//! The retry decision with its budget.

use super::policy::{self, BACKOFF, INCREMENT, INITIAL_DELAY, JITTER, MAX_DELAY, MULTIPLIER};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::retry::{Config, Decision, GiveUp, Kind as FailureKind};
use seawall::core::{Deadline, Retry};
use std::time::Duration;

/// The keys of its table.
pub(super) const KEYS: &[Param] = &[
    Param::or("max_attempts", U32, "1", "the first one counted"),
    BACKOFF,
    INITIAL_DELAY,
    INCREMENT,
    MULTIPLIER,
    MAX_DELAY,
    JITTER,
    Param::optional(
        "budget",
        Kind::Table(&[
            Param::optional("ratio", Kind::Share, "what each call pays in, of a retry; 20 % by default"),
            Param::optional("cap", U32, "retries that the budget holds, and starts with; 10 by default"),
            Param::optional("per_second", U32, "free retries a second, one at a time; 10 by default"),
        ]),
        "bounds the retries of all calls together",
    ),
    Param::optional(
        "throttle",
        Kind::Table(&[
            Param::required("ratio", Kind::Share, "what each success puts in, of a token"),
            Param::required("max_tokens", U32, "tokens at most; retries stop at half of them"),
        ]),
        "in place of budget: the retry throttling of gRPC",
    ),
    Param::optional(
        "cost",
        Kind::Table(&[
            Param::optional("failure", BYTE, "of a retry after a failure; 1 by default"),
            Param::optional("timeout", BYTE, "after a timeout; 1 by default"),
            Param::optional(
                "throttled",
                BYTE,
                "after a peer that asked for less, or for a delay; 1 by default",
            ),
        ]),
        "tokens of a retry, by the kind of the failure",
    ),
];

/// Where the budget stands among the keys.
pub(super) const BUDGET: usize = 7;
const BYTE: Kind = Kind::Between(1, 255);
const KIND: Param =
    Param::required("kind", Kind::Word(&["failure", "timeout", "throttled"]), "of the failure");
const PREVIOUS: Param = Param::or("previous", Kind::Duration, "\"0s\"", "the delay before the last attempt");
const DRAW: Param = Param::optional("draw", U32, "what the jitter depends on; by default drawn");

const ATTEMPTS: Param = Param::required("attempts", U32, "that the call has made");
const DEADLINE: Param = Param::or("deadline", Kind::Moment, "\"never\"", "when the call must be over");

static SPEC: Spec<Retry> = Spec {
    info: Info {
        name: "retry",
        about: "Is it worth another try, and when? `balance` is what the budget holds, without the free retries",
        keys: KEYS,
        prints: &[&["balance"]],
        example: r#"
{"policy": {"retry": {"max_attempts": 3, "backoff": "exponential", "initial_delay": "100ms", "max_delay": "1s", "budget": {"ratio": 0.5, "cap": 1, "per_second": 0}}, "grpc": {"pattern": "retry", "max_attempts": 3, "throttle": {"ratio": "10%", "max_tokens": 10}}}}
{"op": "retry.call_started"}
{"op": "retry.decide", "attempts": 1, "expect": {"decision": "retry", "retry_after": "100ms", "balance": 0}}
{"op": "retry.decide", "attempts": 1, "expect": {"decision": "give_up", "gave_up": "budget"}}
{"op": "retry.call_started", "times": 2}
{"at": "5s", "op": "retry.decide", "attempts": 1, "deadline": "5.1s", "expect": {"gave_up": "deadline", "balance": 1}}
{"op": "retry.decide_with_delay", "attempts": 2, "delay": "2s", "expect": {"gave_up": "delay"}}
{"op": "retry.decide", "attempts": 3, "expect": {"gave_up": "attempts"}}
{"op": "retry.decide_as", "kind": "timeout", "attempts": 1, "expect": {"decision": "retry"}}
{"op": "retry.call_succeeded"}
{"op": "retry.balance", "expect": {"balance": 0}}
{"op": "grpc.call_failed", "kind": "failure", "expect": {"balance": 9}}
{"op": "retry.call_failed", "kind": "failure", "expect": {"balance": 0}}
{"op": "retry.config", "expect": {"config": {"max_attempts": 3, "budget": {"ratio": "50%", "per_second": 0}, "cost": {"timeout": 1}}}}
"#,
    },
    operations: &[
        Operation::new("call_started", "pays the share of a call into the budget", &[], |retry, _| {
            retry.call_started();
            Ok(())
        }),
        Operation::new(
            "decide",
            "says whether a call whose last attempt failed gets another one; a retry is taken from the budget",
            &[ATTEMPTS, PREVIOUS, DEADLINE, DRAW],
            decide,
        )
        .prints(DECISION),
        Operation::new(
            "decide_as",
            "is decide after a failure of this kind",
            &[KIND, ATTEMPTS, PREVIOUS, DEADLINE, DRAW],
            decide,
        )
        .prints(DECISION),
        Operation::new(
            "decide_with_delay",
            "is decide after a delay that the peer asked for",
            &[ATTEMPTS, Param::required("delay", Kind::Duration, "that the peer asked for"), DEADLINE],
            decide,
        )
        .prints(DECISION),
        Operation::new("call_succeeded", "pays the share of a success into a throttle", &[], |retry, _| {
            Retry::call_succeeded(retry);
            Ok(())
        }),
        Operation::new(
            "call_failed",
            "takes the cost of a failure for which nobody asks a retry out of a throttle",
            &[KIND],
            |retry: &'static Retry, call| {
                retry.call_failed(kind(call));
                Ok(())
            },
        ),
        Operation::config(|retry, call| {
            configured(Retry::config(retry), call.config());
            Ok(())
        }),
        Operation::new("balance", "prints the retries that the budget holds", &[], |_, _| Ok(())),
    ],
    state: |retry, _, out| out.put("balance", retry.balance()),
    configure,
};

const DECISION: &[&[&str]] = &[&["decision", "retry_after+ns", "gave_up"]];

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let policy = policy::with_table("retry", config)?;
    Retry::try_new(*policy.retry_config())
        .map(|retry| SPEC.bind(retry))
        .map_err(|error| vec![super::answers::wrong(&error)])
}

/// Puts what holds of retries into their table.
pub(super) fn configured(config: &Config, table: &mut Fields) {
    table.put("max_attempts", config.max_attempts());
    policy::schedule(config.backoff(), table);
    budget(config, table);
    let costs = table.object("cost");
    for (key, kind) in [
        ("failure", FailureKind::Failure),
        ("timeout", FailureKind::Timeout),
        ("throttled", FailureKind::Throttled),
    ] {
        costs.put(key, u32::from(config.cost_of(kind)));
    }
}

/// Puts what holds of a budget into the table of what is paid from it.
pub(super) fn budget(config: &Config, table: &mut Fields) {
    let (ratio, cap, per_second) = config.budget_parts();
    if config.is_throttle() {
        let throttle = table.object("throttle");
        throttle.put("ratio", ratio);
        throttle.put("max_tokens", cap);
    } else {
        let budget = table.object("budget");
        budget.put("ratio", ratio);
        budget.put("cap", cap);
        budget.put("per_second", per_second);
    }
}

/// What a reason to give up is called.
pub(super) fn reason(reason: GiveUp) -> &'static str {
    match reason {
        GiveUp::NotRetryable => "not_retryable",
        GiveUp::Attempts => "attempts",
        GiveUp::Deadline => "deadline",
        GiveUp::Delay => "delay",
        GiveUp::Budget => "budget",
        GiveUp::BreakerOpen => "breaker_open",
        _ => "other",
    }
}

fn kind(call: &Call<'_>) -> FailureKind {
    match call.args().word("kind") {
        Some("timeout") => FailureKind::Timeout,
        Some("throttled") => FailureKind::Throttled,
        _ => FailureKind::Failure,
    }
}

fn decide(retry: &'static Retry, call: &mut Call<'_>) -> Result<(), Fault> {
    let now = call.now();
    let attempts = call.args().u32("attempts").unwrap_or(0);
    let deadline = call.moment("deadline").map_or(Deadline::NONE, Deadline::at);
    let decision = if let Some(delay) = call.args().duration("delay") {
        retry.decide_with_delay(attempts, delay, deadline, now)
    } else {
        let previous = call.args().duration("previous").unwrap_or(Duration::ZERO);
        retry.decide_as(kind(call), attempts, previous, deadline, call.draw_or_next(), now)
    };
    match decision {
        Decision::RetryAfter(delay) => {
            call.out().put("decision", "retry");
            call.out().duration("retry_after", delay);
        }
        Decision::GiveUp(why) => {
            call.out().put("decision", "give_up");
            call.out().put("gave_up", reason(why));
        }
    }
    Ok(())
}
