//! The guard: one call through all patterns.

mod books;
mod by_hand;
mod looks;
mod table;
mod whole_call;

use super::answers::{OUTCOME_PARAM, admit, edge, outcome, reject, state, transition};
use super::composition::{self, Composition};
use super::keyed::NUMBERED;
use super::load_shedder::PRIORITY;
use super::{
    bulkhead, by_slots, circuit_breaker, event_ring, keyed_circuit_breaker, keyed_rate_limiter, policy,
    rate_limiter, retry,
};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{ADMISSION, Group, Info, Instance, Kind, Operation, Param, Pattern, Spec};
use crate::replay::value::Args;
use seawall::core::guard::{self, Attempt, Begin, Rejected, Report, Settled, Verdict, Waiting};
use seawall::core::{Deadline, Instant};
use seawall::guard::WAITERS;
use std::task::{Poll, Waker};

/// A guard whose windows have so many slots.
type Decisions<const SLOTS: usize> = guard::Guard<WAITERS, SLOTS>;
type Admitted<const SLOTS: usize> = guard::Call<'static, WAITERS, SLOTS>;
type Started<const SLOTS: usize> = Attempt<'static, SLOTS>;
type Queued<const SLOTS: usize> = Waiting<'static, WAITERS, SLOTS>;

const CALL: &str = "guard call";
const ATTEMPT: &str = "guard attempt";
const WAITING: &str = "guard waiting call";

const DEADLINE: Param = Param::or(
    "deadline",
    Kind::Moment,
    "\"never\"",
    "when the call must be over; the policy's own holds, too",
);
const THE_CALL: Param = Param::required("call", Kind::Held(&[CALL]), "what try_begin or begin gave");
const THE_WAITING: Param = Param::required("waiting", Kind::Held(&[WAITING]), "what begin gave");

/// What the caller says of an attempt, besides its outcome.
const RETRY_AFTER: Param = Param::optional(
    "retry_after",
    Kind::Duration,
    "the delay before another attempt that the peer asked for",
);
const RETRYABLE: Param = Param::optional(
    "retryable",
    Kind::Flag,
    "false: no other attempt makes sense. By default a failure is worth another one, everything else is not",
);
const TIMED_OUT: Param =
    Param::or("timed_out", Kind::Flag, "false", "the attempt ran into its timeout: a failure");

const SETTLED: Group = &["verdict", "retry_after+ns", "gave_up", "transition", "edge"];

const INFO: Info = Info {
    name: "guard",
    about: "One call through rate limit, bulkhead, breaker, timeout and retries, as the policy of one operation says. \
                The fields of a pattern that takes no part are not printed. Changes by hand are counted and noted, too. \
                With `slots` the windows of its breaker and of its error budget have so many",
    keys: table::KEYS,
    prints: &[&["available", "in_use", "waiting", "state", "balance", "exhausted", "shadow"]],
    example: r#"
{"policy": {"guard": {"timeout": "200ms", "deadline": "1s", "note_into": "ring", "bulkhead": {"max_concurrent": 1, "max_waiting": 1}, "circuit_breaker": {"consecutive_failures": 3, "open_for": "10s"}, "retry": {"max_attempts": 3, "backoff": "constant", "initial_delay": "50ms"}}, "ring": {"pattern": "event_ring"}, "door": {"pattern": "composition", "parts": ["node"]}, "node": {"pattern": "rate_limiter", "rate": 1, "per": "1h"}, "gate": {"pattern": "composition", "parts": ["tenants"]}, "tenants": {"pattern": "keyed_rate_limiter", "rate": 1, "per": "1h", "entries": 1}, "watched": {"pattern": "guard", "slots": 100, "adaptive_timeout": {"initial": "1s"}, "error_budget": {"slo": "50%", "window": "10s", "minimum_calls": 1}}}}
{"at": "0s", "op": "guard.call", "outcomes": ["failure", "success"], "took": "10ms", "expect": {"result": "success", "attempts_made": 2, "ended_at": "70ms"}}
{"at": "1s", "op": "guard.call", "attempts": [{"outcome": "success", "took": "300ms"}, {"outcome": "failure", "retryable": false}], "expect": {"result": "failure", "gave_up": "not_retryable", "attempts": [{"timed_out": true, "took": "200ms"}, {"outcome": "failure"}]}}
{"at": "2s", "op": "guard.try_begin", "as": "a", "expect": {"admitted": true, "in_use": 1}}
{"op": "guard.begin", "as": "b", "expect": {"admitted": false, "waits": true}}
{"op": "guard.since", "waiting": "b", "expect": {"since": "2s"}}
{"op": "guard.deadline", "waiting": "b", "expect": {"deadline": "3s", "remaining": "1s"}}
{"op": "guard.timeout_at", "expect": {"timeout": "200ms"}}
{"op": "guard.try_attempt", "call": "a", "as": "a1", "expect": {"attempt": 1, "remaining": "200ms"}}
{"op": "guard.about", "attempt": "a1", "expect": {"attempt": 1, "deadline": "2.2s", "remaining": "200ms", "probe": false}}
{"op": "guard.number", "attempt": "a1", "expect": {"attempt": 1}}
{"op": "guard.is_probe", "attempt": "a1", "expect": {"probe": false}}
{"op": "guard.transition", "attempt": "a1", "expect": {"transition": null}}
{"at": "2.05s", "op": "guard.started", "attempt": "a1", "expect": {"started": "2s"}}
{"op": "guard.deadline", "attempt": "a1", "expect": {"deadline": "2.2s", "remaining": "150ms"}}
{"at": "2.1s", "op": "guard.settle", "call": "a", "attempt": "a1", "outcome": "failure", "expect": {"verdict": "give_up", "gave_up": "breaker_open", "state": "open"}}
{"op": "guard.began", "call": "a", "expect": {"began": "2s"}}
{"op": "guard.attempts", "call": "a", "expect": {"attempts_made": 1}}
{"op": "guard.budget_edge", "call": "a", "expect": {"edge": null}}
{"op": "drop", "what": "a"}
{"op": "guard.poll", "waiting": "b", "expect": {"admitted": true}}
{"op": "guard.try_attempt", "call": "b", "expect": {"rejected": "open", "rejected_by": "circuit_breaker", "retry_after": "10s"}}
{"op": "guard.reset", "expect": {"state": "closed"}}
{"op": "guard.trip", "expect": {"state": "open"}}
{"op": "guard.force_open"}
{"op": "guard.force_closed", "expect": {"state": "closed"}}
{"at": "3s", "op": "guard.begin", "as": "c", "expect": {"waits": true}}
{"op": "guard.cancel", "waiting": "c"}
{"op": "guard.cancel", "call": "b"}
{"op": "guard.resize", "max_concurrent": 2}
{"op": "guard.reset"}
{"op": "guard.shadow", "on": true}
{"op": "guard.trip", "expect": {"state": "open"}}
{"op": "guard.try_begin", "as": "d", "expect": {"admitted": true}}
{"op": "guard.try_attempt", "call": "d", "expect": {"admitted": true}}
{"op": "guard.reset"}
{"op": "guard.force_closed"}
{"op": "guard.close"}
{"op": "guard.try_begin", "expect": {"rejected": "closed"}}
{"op": "guard.set_shadow", "on": true, "expect": {"was_shadow": false, "shadow": true}}
{"op": "guard.is_shadow"}
{"op": "guard.config", "expect": {"config": {"timeout": "0.2s", "bulkhead": {"max_concurrent": 2, "max_waiting": 1}, "retry": {"max_attempts": 3, "initial_delay": "50ms"}}}}
{"op": "guard.snapshot", "expect": {"bulkhead": {"capacity": 2, "closed": true}, "breaker": {"forced": true}, "timeout": "200ms"}}
{"op": "guard.stats", "expect": {"stats": {"successes": 1, "failures": 2, "rejected_by_circuit_breaker": 1, "cancelled": 1, "retries": 2}}}
{"op": "ring.last", "expect": {"event": {"kind": "breaker", "at": "3s", "transition": {"cause": "manual"}}}}
{"op": "ring.cursor_at_end", "as": "end"}
{"op": "guard.note", "change": "reset", "expect": {"transition": {"to": "closed"}}}
{"op": "ring.read", "cursor": "end", "expect": {"event": null}}
{"op": "guard.note_at", "change": "trip", "expect": {"state": "open"}}
{"op": "ring.read", "cursor": "end", "expect": {"event": {"transition": {"from": "closed", "to": "open"}}}}
{"op": "guard.stats", "expect": {"stats": {"transitions": {"closed_to_open": 4}}}}
{"op": "watched.heed", "around": "door", "as": "token", "expect": {"admitted": true}}
{"op": "door.give_back", "permit": "token"}
{"op": "watched.heed", "around": "door", "times": 2, "expect_admitted": 1}
{"op": "watched.set_shadow", "on": true}
{"op": "watched.heed", "around": "door", "expect": {"admitted": true, "would_reject": "limited"}}
{"op": "watched.stats", "expect": {"stats": {"rejected_by_rate_limiter": 1, "shadow": {"reject_by_rate_limiter": 1}}}}
{"op": "watched.set_shadow", "on": false}
{"op": "watched.heed", "around": "gate", "key": "alice", "expect": {"admitted": true}}
{"op": "watched.heed", "around": "gate", "key": "bob", "expect": {"rejected": "table_full", "rejected_by": "rate_limiter"}}
{"op": "watched.call", "outcome": "failure", "expect": {"edge": "exhausted"}}
{"at": "20s", "op": "watched.refresh", "expect": {"edge": "recovered"}}
{"op": "watched.call", "outcome": "failure", "expect": {"edge": "exhausted"}}
{"op": "watched.reset_budget", "expect": {"edge": "recovered", "exhausted": false}}
{"op": "watched.set_timeout", "timeout": "20ms"}
{"op": "watched.timeout_at", "expect": {"timeout": "20ms"}}
{"op": "watched.resume_timeout"}
"#,
};

struct Of<const SLOTS: usize>;

impl<const SLOTS: usize> Of<SLOTS> {
    const SPEC: Spec<Decisions<SLOTS>> = Spec {
    info: INFO,
    operations: &[
        Operation::new(
            "try_begin",
            "admits a call or refuses it; it waits for no slot. \
             The call holds its slot until it is dropped or cancelled",
            &[DEADLINE],
            try_begin,
        )
        .gives(&[CALL])
        .prints(&[ADMISSION]),
        Operation::new("begin", "admits a call, refuses it, or lets it wait for a slot", &[DEADLINE], begin)
            .gives(&[CALL, WAITING])
            .prints(&[ADMISSION, &["waits", "deadline+ns"]]),
        Operation::new(
            "poll",
            "asks whether the slot is there; if it is, its name is the name of the call from now on",
            &[THE_WAITING],
            poll,
        )
        .gives(&[CALL])
        .prints(&[ADMISSION, &["waits"]]),
        Operation::new("try_attempt", "asks the breaker for an attempt of a call", &[THE_CALL], try_attempt)
            .gives(&[ATTEMPT])
            .prints(&[ADMISSION, &["attempt", "deadline+ns", "remaining+ns", "probe", "transition", "edge"]]),
        Operation::new(
            "settle",
            "settles an attempt, and the call with it unless there is another one",
            &[
                THE_CALL,
                Param::required("attempt", Kind::Held(&[ATTEMPT]), "what try_attempt gave"),
                OUTCOME_PARAM,
                RETRY_AFTER,
                RETRYABLE,
                TIMED_OUT,
            ],
            settle,
        )
        .prints(&[SETTLED]),
        Operation::new(
            "cancel",
            "gives a call up, or its place in the line",
            &[
                Param::optional("call", Kind::Held(&[CALL]), "what try_begin gave; this or waiting"),
                Param::optional("waiting", Kind::Held(&[WAITING]), "what begin gave"),
            ],
            cancel,
        ),
        Self::CALL,
        Operation::new(
            "heed",
            "asks a composition for a call that has not begun, as something that stands before the guard, and takes its word into the \
             guard's books. What it gives is the composition's: settle it there. A refusal is counted \
             here, and in shadow mode the call passes without a permit",
            &[
                Param::required("around", Kind::Instance(&["composition"]), "the composition"),
                PRIORITY,
                composition::LOAD,
                composition::KEY,
                composition::HASH,
                NUMBERED,
            ],
            heed,
        )
        .gives(&[composition::PERMIT])
        .prints(&[ADMISSION, &["would_reject"]]),
        Operation::new("refresh", "says if time took the error budget over the line", &[], |guard, call| {
            let crossed = Decisions::<SLOTS>::refresh(guard, call.now());
            call.out().put("edge", crossed.map(edge));
            Ok(())
        })
        .prints(&[&["edge"]]),
        Self::BEGAN,
        Self::ATTEMPTS,
        Self::BUDGET_EDGE,
        Self::DEADLINE,
        Self::SINCE,
        Self::ABOUT,
        Self::NUMBER,
        Self::STARTED,
        Self::IS_PROBE,
        Self::TRANSITION,
        Self::TIMEOUT_AT,
        Self::TRIP,
        Self::FORCE_OPEN,
        Self::FORCE_CLOSED,
        Self::RESET,
        Self::SHADOW,
        Self::NOTE,
        Self::NOTE_AT,
        Self::RESIZE,
        Self::CLOSE,
        Self::SET_TIMEOUT,
        Self::RESUME_TIMEOUT,
        Self::RESET_BUDGET,
        Self::SET_SHADOW,
        Operation::new("is_shadow", "says whether calls that begin now are only watched", &[], |_, _| Ok(())),
        Self::STATS,
        Self::SNAPSHOT,
        Self::CONFIG,
    ],
    state: print_state,
    configure,
    };

    fn bind(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
        let policy = policy::whole(&config.without("note_into").without("slots"))?;
        let guard = Decisions::<SLOTS>::try_new(policy).map_err(|error| vec![error.to_string()])?;
        let ring = config.instance("note_into").and_then(|shared| event_ring::notes(shared.it));
        Ok(const { &Self::SPEC }.bind(match ring {
            Some(ring) => guard.note_into(ring),
            None => guard,
        }))
    }
}

pub(super) const PATTERN: &dyn Pattern = &Of::<10>::SPEC;

fn configure(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    // Each of them is compiled for itself; a window of fewer calls than slots moves call by call, too.
    by_slots!(config.u32("slots").unwrap_or(10), Of::bind(config), 10 60 100 256 1000)
}

fn print_state<const SLOTS: usize>(guard: &Decisions<SLOTS>, now: Instant, out: &mut Fields) {
    if let Some(limiter) = guard.limiter() {
        out.put("available", limiter.available(now));
    }
    if let Some(bulkhead) = guard.bulkhead() {
        let counts = bulkhead.snapshot();
        out.put("in_use", counts.in_use);
        out.put("waiting", counts.waiting);
    }
    if let Some(breaker) = guard.breaker() {
        out.put("state", state(breaker.status(now).state));
    }
    out.put("balance", guard.retry().balance());
    if let Some(budget) = guard.error_budget() {
        out.put("exhausted", budget.is_exhausted(now));
    }
    out.put("shadow", guard.is_shadow());
}

/// What a refusal of a call or an attempt is called.
fn reason(rejected: &Rejected) -> &'static str {
    match rejected {
        Rejected::LoadShedder(_) => "shed",
        Rejected::Degraded { .. } => "degraded",
        Rejected::AdaptiveConcurrency(_) => "full",
        Rejected::AdaptiveRate(rejected) | Rejected::RateLimiter(rejected) => rate_limiter::reason(rejected),
        Rejected::Bulkhead(rejected) => bulkhead::reason(rejected),
        Rejected::CircuitBreaker(rejected) => circuit_breaker::reason(rejected),
        Rejected::KeyedRateLimiter(rejected) => keyed_rate_limiter::reason(rejected),
        Rejected::KeyedCircuitBreaker(rejected) => keyed_circuit_breaker::reason(rejected),
        Rejected::DeadlineExpired => "deadline_expired",
        Rejected::CallOver => "call_over",
        _ => "other",
    }
}

/// Why a call or an attempt was refused.
pub(in crate::replay) fn refuse(out: &mut Fields, rejected: &Rejected) {
    reject(out, rejected.pattern().name(), reason(rejected), rejected.retry_after());
}

fn deadline(call: &Call<'_>) -> Deadline {
    call.moment("deadline").map_or(Deadline::NONE, Deadline::at)
}

fn try_begin<const SLOTS: usize>(guard: &'static Decisions<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    match guard.try_begin(deadline(call), call.now()) {
        Ok(admitted) => {
            admit(call.out());
            call.keep(CALL, admitted)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn begin<const SLOTS: usize>(guard: &'static Decisions<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    match guard.begin(deadline(call), call.now()) {
        Ok(Begin::Started(admitted)) => {
            admit(call.out());
            call.out().put("waits", false);
            call.keep(CALL, admitted)
        }
        Ok(Begin::Waiting(waiting)) => {
            call.out().moment("deadline", waiting.deadline());
            call.out().put("admitted", false);
            call.out().put("waits", true);
            call.keep(WAITING, waiting)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            call.out().put("waits", false);
            Ok(())
        }
    }
}

fn poll<const SLOTS: usize>(_: &'static Decisions<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let name = call.name_of("waiting")?;
    let mut waiting: Queued<SLOTS> = call.take("waiting", WAITING)?;
    let polled = waiting.poll(Waker::noop(), call.now());
    call.out().put("waits", polled.is_pending());
    match polled {
        Poll::Pending => {
            call.out().put("admitted", false);
            call.keep_as(&name, WAITING, waiting)
        }
        Poll::Ready(Ok(admitted)) => {
            admit(call.out());
            call.keep_as(&name, CALL, admitted)
        }
        Poll::Ready(Err(rejected)) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn try_attempt<const SLOTS: usize>(_: &'static Decisions<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let now = call.now();
    let admitted: &mut Admitted<SLOTS> = call.look("call", CALL)?;
    match admitted.try_attempt(now) {
        Ok(attempt) => {
            let out = call.out();
            admit(out);
            out.put("attempt", attempt.number());
            out.moment("deadline", attempt.deadline().moment());
            out.duration("remaining", attempt.deadline().remaining(now));
            out.put("probe", attempt.is_probe());
            if let Some(change) = attempt.transition() {
                out.put("transition", transition(change));
            }
            call.keep(ATTEMPT, attempt)
        }
        Err(rejected) => {
            let crossed = admitted.budget_edge();
            refuse(call.out(), &rejected);
            call.out().put("edge", crossed.map(edge));
            Ok(())
        }
    }
}

/// The report that these arguments make.
fn report(args: &Args) -> Report {
    let mut report = if args.flag("timed_out") == Some(true) {
        Report::timed_out()
    } else {
        Report::new(outcome(args, "outcome"))
    };
    if args.flag("retryable") == Some(false) {
        report = report.not_retryable();
    }
    if let Some(delay) = args.duration("retry_after") {
        report = report.retry_after(delay);
    }
    report
}

/// What a settlement brought about.
pub(in crate::replay) fn print_settled(out: &mut Fields, settled: &Settled) {
    match settled.verdict {
        Verdict::Done => out.put("verdict", "done"),
        Verdict::RetryAfter(delay) => {
            out.put("verdict", "retry");
            out.duration("retry_after", delay);
        }
        Verdict::GaveUp(why) => {
            out.put("verdict", "give_up");
            out.put("gave_up", retry::reason(why));
        }
    }
    if let Some(change) = settled.transition {
        out.put("transition", transition(change));
    }
    out.put("edge", settled.budget.map(edge));
}

fn settle<const SLOTS: usize>(_: &'static Decisions<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let now = call.now();
    let report = report(call.args());
    // The call is looked at first, so that a wrong name uses up no attempt.
    call.look::<Admitted<SLOTS>>("call", CALL)?;
    let attempt: Started<SLOTS> = call.take("attempt", ATTEMPT)?;
    let settled = call.look::<Admitted<SLOTS>>("call", CALL)?.settle(attempt, report, now);
    print_settled(call.out(), &settled);
    Ok(())
}

fn cancel<const SLOTS: usize>(_: &'static Decisions<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let now = call.now();
    match (call.args().text("call"), call.args().text("waiting")) {
        (Some(_), None) => call.take::<Admitted<SLOTS>>("call", CALL)?.cancel(now),
        (None, Some(_)) => call.take::<Queued<SLOTS>>("waiting", WAITING)?.cancel(now),
        _ => return Err(Fault::new("call or waiting must be given, and not both")),
    }
    Ok(())
}

fn heed<const SLOTS: usize>(guard: &'static Decisions<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let around = call.args().instance("around");
    let Some((name, door)) =
        around.and_then(|shared| Some((shared.name, shared.it.downcast_ref::<Composition>()?)))
    else {
        return Err(Fault::new("around is no composition"));
    };
    let said = door.admit(&door.asked(call)?, call.now());
    let refused = said.as_ref().err().copied();
    match guard.heed(said) {
        Ok(permits) => {
            admit(call.out());
            if let Some(rejected) = refused {
                call.out().put("would_reject", reason(&rejected));
            }
            permits.map_or(Ok(()), |permits| call.keep_of(&name, composition::PERMIT, permits))
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}
