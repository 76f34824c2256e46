//! The circuit breaker.

use super::answers::{OUTCOME_PARAM, admit, outcome, reject, state, transition};
use super::policy::{
    self, BACKOFF, INCREMENT, INITIAL_DELAY, JITTER, MAX_DELAY, MINIMUM_CALLS, MULTIPLIER, WINDOW_CALLS,
    WINDOW_SPAN,
};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{ADMISSION, Group, Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::circuit_breaker::{Permit, Rejected, Settlement, State, Status, Ticket};
use seawall::core::{CircuitBreaker, Instant};
use seawall::guard::SLOTS;
use std::time::Duration;

type Breaker = CircuitBreaker<SLOTS>;

/// The keys of its table.
pub(super) const KEYS: &[Param] = &[
    Param::optional("consecutive_failures", U32, "opens after so many failures in a row; this or a rate"),
    Param::optional(
        "failure_rate",
        Kind::Table(&[
            Param::required("share", Kind::Share, "opens when this share of the calls failed, or more"),
            WINDOW_SPAN,
            WINDOW_CALLS,
            MINIMUM_CALLS,
        ]),
        "opens by the share of failures",
    ),
    Param::optional(
        "slow_call_rate",
        Kind::Table(&[
            Param::required("share", Kind::Share, "opens when this share of the calls was slow, or more"),
            Param::required("slow", Kind::Duration, "a call that takes so long or longer is slow"),
            WINDOW_SPAN,
            WINDOW_CALLS,
            MINIMUM_CALLS,
        ]),
        "opens by the share of slow calls; with a failure rate it looks at that one's window and minimum",
    ),
    Param::or("evaluate_on_failure_only", Kind::Flag, "false", "a success opens no breaker"),
    Param::or("open_for", Kind::Duration, "\"60s\"", "how long it stays open"),
    Param::optional(
        "open_for_growing",
        Kind::Table(&[BACKOFF, INITIAL_DELAY, INCREMENT, MULTIPLIER, MAX_DELAY, JITTER]),
        "in place of open_for: a longer time each time that a probe fails",
    ),
    Param::or("probes", U32, "1", "how many probes may be out at a time while half-open"),
    Param::or("successes_to_close", U32, "3", "how many probes must succeed to close"),
    Param::optional(
        "probe_lease",
        Kind::Duration,
        "a probe that does not report for so long is lost; the first open time by default",
    ),
    Param::optional("seed", U32, "of the open time's jitter"),
];

const PERMIT: &str = "circuit_breaker permit";
const TICKET: &str = "circuit_breaker ticket";
const THE_PERMIT: Param = Param::required("permit", Kind::Held(&[PERMIT]), "what try_acquire gave");
const TRANSITION: Group = &["transition"];
const SETTLED: Group = &["settlement", "transition"];

static SPEC: Spec<Breaker> = Spec {
    info: Info {
        name: "circuit_breaker",
        about: "Stops calling a dependency that fails. Give it `consecutive_failures`, a rate, or several of them",
        keys: KEYS,
        prints: &[&[
            "state",
            "forced",
            "generation",
            "consecutive_failures",
            "probes",
            "successes",
            "window",
        ]],
        example: r#"
{"policy": {"circuit_breaker": {"consecutive_failures": 2, "open_for": "30s", "successes_to_close": 1}}}
{"at": "0s", "op": "circuit_breaker.try_acquire", "as": "late"}
{"at": "1s", "op": "circuit_breaker.call", "outcome": "failure", "took": "100ms", "expect": {"state": "closed"}}
{"at": "2s", "op": "circuit_breaker.call", "outcome": "failure", "expect": {"state": "open", "transition": {"cause": "consecutive_failures", "figures": {"failures": 2}}}}
{"at": "3s", "op": "circuit_breaker.call", "outcome": "success", "expect": {"admitted": false, "rejected": "open", "retry_after": "29s"}}
{"at": "4s", "op": "circuit_breaker.record", "permit": "late", "outcome": "success", "expect": {"settlement": "stale"}}
{"at": "32s", "op": "circuit_breaker.try_acquire", "as": "probe", "expect": {"probe": true, "state": "half_open"}}
{"op": "circuit_breaker.is_probe", "permit": "probe", "expect": {"probe": true}}
{"op": "circuit_breaker.transition", "permit": "probe", "expect": {"transition": {"from": "open", "to": "half_open", "cause": "open_time_over"}}}
{"op": "circuit_breaker.check", "expect": {"rejected": "probes_out"}}
{"at": "33s", "op": "circuit_breaker.record", "permit": "probe", "outcome": "success", "expect": {"state": "closed"}}
{"op": "circuit_breaker.try_acquire", "as": "p"}
{"op": "circuit_breaker.into_ticket", "permit": "p", "as": "t"}
{"op": "circuit_breaker.settle", "ticket": "t", "outcome": "failure", "expect": {"settlement": "counted", "consecutive_failures": 1}}
{"op": "circuit_breaker.trip", "expect": {"state": "open", "transition": {"cause": "manual"}}}
{"op": "circuit_breaker.status", "expect": {"retry_after": "30s"}}
{"op": "circuit_breaker.force_closed", "expect": {"state": "closed", "forced": true}}
{"op": "circuit_breaker.force_open", "expect": {"state": "open"}}
{"op": "circuit_breaker.reset", "expect": {"state": "closed", "forced": false}}
"#,
    },
    operations: &[
        Operation::new("try_acquire", "asks whether a call may start", &[], try_acquire)
            .gives(&[PERMIT])
            .prints(&[ADMISSION, &["probe", "transition"]]),
        Operation::new("check", "says whether try_acquire would reject a call, and changes nothing", &[], check)
            .prints(&[ADMISSION]),
        Operation::new(
            "record",
            "settles a permit; the call took from try_acquire until now",
            &[THE_PERMIT, OUTCOME_PARAM],
            record,
        )
        .prints(&[SETTLED]),
        Operation::new("is_probe", "says whether a permit is that of a probe", &[THE_PERMIT], is_probe)
            .prints(&[&["probe"]]),
        Operation::new(
            "transition",
            "prints the transition that admitted the call of a permit",
            &[THE_PERMIT],
            permit_transition,
        )
        .prints(&[TRANSITION]),
        Operation::new(
            "into_ticket",
            "turns a permit into a ticket, which keeps its name unless `as` says another one",
            &[THE_PERMIT],
            into_ticket,
        )
        .gives(&[TICKET]),
        Operation::new(
            "settle",
            "settles a ticket; dropping one loses a probe until its lease ends",
            &[Param::required("ticket", Kind::Held(&[TICKET]), "what into_ticket gave"), OUTCOME_PARAM],
            settle,
        )
        .prints(&[SETTLED]),
        Operation::new(
            "call",
            "is try_acquire, and if the call is admitted record after it `took` so long; the clock moves on with it",
            &[OUTCOME_PARAM, Param::or("took", Kind::Duration, "\"0s\"", "how long the call took")],
            whole_call,
        )
        .prints(&[ADMISSION, &["probe", "half_opened", "settlement", "transition", "ended_at+ns"]]),
        Operation::new("trip", "opens the breaker by hand, for the open time", &[], trip).prints(&[TRANSITION]),
        Operation::new("force_open", "rejects every call until reset", &[], force_open).prints(&[TRANSITION]),
        Operation::new("force_closed", "admits every call, uncounted, until reset", &[], force_closed)
            .prints(&[TRANSITION]),
        Operation::new("reset", "closes the breaker as new", &[], reset).prints(&[TRANSITION]),
        Operation::new("status", "prints the state, and how long calls are rejected while it is open", &[], status)
            .prints(&[&["retry_after+ns"]]),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let policy = policy::with_table("circuit_breaker", config)?;
    let Some(config) = policy.circuit_breaker_config() else {
        return Err(vec!["consecutive_failures is missing, and so is failure_rate".to_owned()]);
    };
    match Breaker::try_new(*config) {
        Ok(breaker) => Ok(SPEC.bind(breaker)),
        Err(error) => Err(vec![error.to_string()]),
    }
}

fn print_state(breaker: &Breaker, now: Instant, out: &mut Fields) {
    let Status { state: phase, forced, generation, consecutive_failures, probes, successes, window, .. } =
        breaker.status(now);
    out.put("state", state(phase));
    out.put("forced", forced);
    out.put("generation", generation);
    out.put("consecutive_failures", consecutive_failures);
    out.put("probes", probes);
    out.put("successes", successes);
    let mut sums = Fields::default();
    sums.put("calls", window.calls);
    sums.put("failures", window.failures);
    sums.put("slow", window.slow);
    out.put("window", sums);
}

/// What a breaker's refusal is called.
pub(super) fn reason(rejected: &Rejected) -> &'static str {
    match rejected.state {
        State::HalfOpen => "probes_out",
        _ => "open",
    }
}

fn refuse(out: &mut Fields, rejected: &Rejected) {
    reject(out, "circuit_breaker", reason(rejected), rejected.retry_after);
}

fn print_admitted(out: &mut Fields, permit: &Permit<'_, SLOTS>) {
    admit(out);
    out.put("probe", permit.is_probe());
}

fn try_acquire(breaker: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    match breaker.try_acquire(call.now()) {
        Ok(permit) => {
            print_admitted(call.out(), &permit);
            if let Some(change) = permit.transition() {
                call.out().put("transition", transition(change));
            }
            call.keep(PERMIT, permit)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn check(breaker: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    match breaker.check(call.now()) {
        Ok(()) => admit(call.out()),
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

fn print_settlement(out: &mut Fields, settlement: Settlement) {
    out.put(
        "settlement",
        match settlement {
            Settlement::Counted => "counted",
            Settlement::Uncounted => "uncounted",
            Settlement::Stale => "stale",
            Settlement::Changed(_) => "changed",
            _ => "other",
        },
    );
    if let Some(change) = settlement.transition() {
        out.put("transition", transition(change));
    }
}

fn record(_: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    let permit: Permit<'static, SLOTS> = call.take("permit", PERMIT)?;
    let settlement = permit.record(outcome(call.args(), "outcome"), call.now());
    print_settlement(call.out(), settlement);
    Ok(())
}

fn is_probe(_: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    let probe = call.look::<Permit<'static, SLOTS>>("permit", PERMIT)?.is_probe();
    call.out().put("probe", probe);
    Ok(())
}

fn permit_transition(_: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    let change = call.look::<Permit<'static, SLOTS>>("permit", PERMIT)?.transition();
    call.out().put("transition", change.map(transition));
    Ok(())
}

fn into_ticket(_: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    let permit: Permit<'static, SLOTS> = call.take("permit", PERMIT)?;
    call.keep_in_place("permit", TICKET, permit.into_ticket())
}

fn settle(breaker: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    let ticket: Ticket = call.take_any("ticket", TICKET)?;
    let settlement = breaker.settle(ticket, outcome(call.args(), "outcome"), call.now());
    print_settlement(call.out(), settlement);
    Ok(())
}

fn whole_call(breaker: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    match breaker.try_acquire(call.now()) {
        Ok(permit) => {
            print_admitted(call.out(), &permit);
            call.out().put("half_opened", permit.transition().is_some());
            call.pass(call.args().duration("took").unwrap_or(Duration::ZERO));
            let settlement = permit.record(outcome(call.args(), "outcome"), call.now());
            print_settlement(call.out(), settlement);
            let end = call.now();
            call.out().moment("ended_at", end);
        }
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

fn trip(breaker: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    let change = breaker.trip(call.now());
    call.out().put("transition", transition(change));
    Ok(())
}

fn force_open(breaker: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    call.out().put("transition", transition(breaker.force_open()));
    Ok(())
}

fn force_closed(breaker: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    call.out().put("transition", transition(breaker.force_closed()));
    Ok(())
}

fn reset(breaker: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    let change = breaker.reset(call.now());
    call.out().put("transition", transition(change));
    Ok(())
}

fn status(breaker: &'static Breaker, call: &mut Call<'_>) -> Result<(), Fault> {
    let status = breaker.status(call.now());
    call.out().duration("retry_after", status.retry_after);
    Ok(())
}
