//! The circuit breaker.

mod table;

use super::answers::{OUTCOME_PARAM, admit, outcome, reject, state, transition};
use super::by_slots;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{ADMISSION, Group, Info, Instance, Kind, Operation, Param, Pattern, Spec};
use crate::replay::value::Args;
use seawall::core::circuit_breaker::{
    Config, Permit, Reason, Rejected, Settlement, Status, Tally, Ticket, Transition,
};
use seawall::core::guard::{self, Admit, Took};
use seawall::core::{CircuitBreaker, Instant};
use std::cell::{Cell, RefCell};
use std::time::Duration;
pub(super) use table::configured;
pub(super) use table::{
    FAILED_SHARE, FAILING_SLOW, FAILURES, GROWING, KEYS, ON_FAILURE_ONLY, PROBES, RESULTS,
};
use table::{WITH_SLOTS, config};

/// A breaker that can be put in the place of another one, with what was counted since its state last changed.
pub(super) struct Station<const SLOTS: usize> {
    breaker: Cell<&'static CircuitBreaker<SLOTS>>,
    /// The table of the present breaker, if it is not the first one.
    resumed: RefCell<Option<Args>>,
    tally: Tally,
}

impl<const SLOTS: usize> Station<SLOTS> {
    /// Settles a call with the present breaker, whichever admitted it.
    fn settle(&self, ticket: Ticket, call: &mut Call<'_>) {
        let args = call.args();
        let outcome = outcome(args, "outcome");
        let settlement =
            self.breaker.get().settle_with(ticket, outcome, args.duration("retry_after"), call.now());
        self.tally.note(outcome, settlement);
        print_settlement(call.out(), settlement);
    }

    /// A change of state by hand.
    fn by_hand(&self, change: Transition, call: &mut Call<'_>) -> Result<(), Fault> {
        self.tally.clear();
        call.out().put("transition", transition(change));
        Ok(())
    }
}

/// As a part of a composition it is its breaker, and what ended is counted here, too.
impl<const SLOTS: usize> Admit for Station<SLOTS> {
    type Permit<'a> = Permit<'static, SLOTS>;
    type Change = Settlement;

    fn try_acquire(&self, now: Instant) -> Result<Permit<'static, SLOTS>, guard::Rejected> {
        Admit::try_acquire(self.breaker.get(), now)
    }

    fn check(&self, now: Instant) -> Result<(), guard::Rejected> {
        Admit::check(self.breaker.get(), now)
    }

    fn give_back(&self, permit: Permit<'static, SLOTS>, now: Instant) {
        self.breaker.get().give_back(permit, now);
    }

    fn settle(&self, permit: Permit<'static, SLOTS>, took: Took, now: Instant) -> Settlement {
        let settlement = Admit::settle(self.breaker.get(), permit, took, now);
        self.tally.note(took.outcome(), settlement);
        settlement
    }
}

const PERMIT: &str = "circuit_breaker permit";
const TICKET: &str = "circuit_breaker ticket";
const THE_PERMIT: Param = Param::required("permit", Kind::Held(&[PERMIT]), "what try_acquire gave");
const THE_TICKET: Param = Param::required("ticket", Kind::Held(&[TICKET]), "what into_ticket gave");
/// What an admission prints in shadow mode.
const WOULD_REJECT: Group = &["would_reject"];
const TRANSITION: Group = &["transition"];
const SETTLED: Group = &["settlement", "transition"];
const RETRY_AFTER: Param =
    Param::optional("retry_after", Kind::Duration, "after what time the peer wants to be asked again");

const INFO: Info = Info {
    name: "circuit_breaker",
    about: "Stops calling a dependency that fails. Give it `consecutive_failures`, a rate, or several of them. \
            `window` has the sums that a rate looks at, `counts` what ended since the state last changed",
    keys: &WITH_SLOTS,
    prints: &[&[
        "state",
        "forced",
        "generation",
        "consecutive_failures",
        "probes",
        "successes",
        "failed_probes",
        "shadow",
        "ramping",
        "window",
        "counts",
    ]],
    example: r#"
{"policy": {"circuit_breaker": {"consecutive_failures": 2, "open_for": "30s", "successes_to_close": 1}, "last20": {"pattern": "circuit_breaker", "failure_rate": {"share": "50%", "calls": 20, "minimum_calls": 20}, "slots": 20}}}
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
{"op": "circuit_breaker.try_acquire", "expect": {"rejected": "forced_open"}}
{"op": "circuit_breaker.reset", "expect": {"state": "closed", "forced": false}}
{"op": "circuit_breaker.shadow", "on": true, "expect": {"shadow": true}}
{"op": "circuit_breaker.call", "outcome": "failure", "times": 2}
{"op": "circuit_breaker.try_acquire", "as": "s", "expect": {"admitted": true, "would_reject": "open", "state": "open"}}
{"op": "circuit_breaker.would_reject", "permit": "s", "expect": {"would_reject": "open"}}
{"op": "circuit_breaker.record_with", "permit": "s", "outcome": "failure", "retry_after": "5s", "expect": {"settlement": "uncounted"}}
{"op": "circuit_breaker.try_resuming", "consecutive_failures": 9, "expect": {"state": "open"}}
{"op": "circuit_breaker.config", "expect": {"config": {"consecutive_failures": 9, "open_for": "60s", "slots": 10}}}
{"op": "circuit_breaker.try_acquire", "as": "u"}
{"op": "circuit_breaker.into_ticket", "permit": "u"}
{"op": "circuit_breaker.settle_with", "ticket": "u", "outcome": "slow"}
{"op": "last20.config", "expect": {"config": {"failure_rate": {"share": 0.5, "calls": 20, "minimum_calls": 20}, "probes": 1, "slots": 20}}}
{"op": "last20.call", "outcome": "success", "times": 19}
{"op": "last20.call", "outcome": "failure", "times": 9, "expect": {"state": "closed"}}
{"op": "last20.call", "outcome": "failure", "expect": {"state": "open", "transition": {"figures": {"calls": 20, "failures": 10}}}}
"#,
};

/// A breaker whose window has so many slots.
struct Of<const SLOTS: usize>;

impl<const SLOTS: usize> Of<SLOTS> {
    const SPEC: Spec<Station<SLOTS>> = Spec {
        info: INFO,
        operations: &[
            Operation::new("try_acquire", "asks whether a call may start", &[], try_acquire)
                .gives(&[PERMIT])
                .prints(&[ADMISSION, WOULD_REJECT, &["probe", "transition"]]),
            Operation::new("check", "says whether try_acquire would reject a call, and changes nothing", &[], check)
                .prints(&[ADMISSION]),
            Operation::new(
                "record",
                "settles a permit; the call took from try_acquire until now",
                &[THE_PERMIT, OUTCOME_PARAM],
                record,
            )
            .prints(&[SETTLED]),
            Operation::new(
                "record_with",
                "is record with the time that the peer asked for",
                &[THE_PERMIT, OUTCOME_PARAM, RETRY_AFTER],
                record,
            )
            .prints(&[SETTLED]),
            Operation::new(
                "would_reject",
                "prints what the breaker would have answered to the call of a permit if it were not in shadow mode",
                &[THE_PERMIT],
                would_reject,
            )
            .prints(&[WOULD_REJECT]),
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
                &[THE_TICKET, OUTCOME_PARAM],
                settle,
            )
            .prints(&[SETTLED]),
            Operation::new(
                "settle_with",
                "is settle with the time that the peer asked for",
                &[THE_TICKET, OUTCOME_PARAM, RETRY_AFTER],
                settle,
            )
            .prints(&[SETTLED]),
            Operation::new(
                "call",
                "is try_acquire, and if the call is admitted record after it `took` so long; the clock moves on with it",
                &[OUTCOME_PARAM, Param::or("took", Kind::Duration, "\"0s\"", "how long the call took"), RETRY_AFTER],
                whole_call,
            )
            .prints(&[ADMISSION, WOULD_REJECT, &["probe", "half_opened", "settlement", "transition", "ended_at+ns"]]),
            Operation::new("trip", "opens the breaker by hand, for the open time; ends what is forced", &[], trip).prints(&[TRANSITION]),
            Operation::new("force_open", "rejects every call until reset, trip or another mode", &[], force_open).prints(&[TRANSITION]),
            Operation::new("force_closed", "admits every call, uncounted, until reset, trip or another mode", &[], force_closed)
                .prints(&[TRANSITION]),
            Operation::new(
                "shadow",
                "switches shadow mode, in which the breaker counts as if and refuses nothing; ends what is forced",
                &[Param::required("on", Kind::Flag, "true: it refuses nothing")],
                shadow,
            )
            .prints(&[TRANSITION]),
            Operation::new("reset", "closes the breaker as new", &[], reset).prints(&[TRANSITION]),
            Operation::new(
                "try_resuming",
                "puts a breaker with another configuration in its place, which goes on from where it is; the window begins empty",
                KEYS,
                try_resuming,
            ),
            Operation::config(print_config),
            Operation::new("status", "prints the state, and how long calls are rejected while it is open", &[], status)
                .prints(&[&["retry_after+ns"]]),
        ],
        state: print_state,
        configure,
    };

    fn bind(config: Config) -> Result<Box<dyn Instance>, Vec<String>> {
        match CircuitBreaker::<SLOTS>::try_new(config) {
            Ok(breaker) => {
                let breaker = Cell::new(&*Box::leak(Box::new(breaker)));
                Ok(const { &Self::SPEC }.bind(Station {
                    breaker,
                    resumed: RefCell::new(None),
                    tally: Tally::new(),
                }))
            }
            Err(error) => Err(vec![super::answers::wrong(&error)]),
        }
    }
}

pub(super) const PATTERN: &dyn Pattern = &Of::<10>::SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    by_slots!(args.u32("slots").unwrap_or(10), Of::bind(config(&args.without("slots"))?),
        1 2 3 4 5 6 8 10 12 15 16 20 24 30 32 50 60 64 100 120 128 256 1000)
}

fn print_state<const SLOTS: usize>(station: &Station<SLOTS>, now: Instant, out: &mut Fields) {
    status_fields(&station.breaker.get().status(now), out);
    let counts = station.tally.counts();
    let mut fields = Fields::default();
    fields.put("requests", counts.requests());
    fields.put("successes", counts.successes);
    fields.put("failures", counts.failures);
    fields.put("excluded", counts.excluded);
    fields.put("consecutive_successes", counts.consecutive_successes);
    fields.put("consecutive_failures", counts.consecutive_failures);
    out.put("counts", fields);
}

/// What is printed of a breaker's status.
pub(super) fn status_fields(status: &Status, out: &mut Fields) {
    out.put("state", state(status.state));
    out.put("forced", status.forced);
    out.put("generation", status.generation);
    out.put("consecutive_failures", status.consecutive_failures);
    out.put("probes", status.probes);
    out.put("successes", status.successes);
    out.put("failed_probes", status.failed_probes);
    out.put("shadow", status.shadow);
    out.put("ramping", status.ramping);
    let mut sums = Fields::default();
    sums.put("calls", status.window.calls);
    sums.put("failures", status.window.failures);
    sums.put("slow", status.window.slow);
    out.put("window", sums);
}

/// What a breaker's refusal is called.
pub(super) fn reason(rejected: &Rejected) -> &'static str {
    match rejected.reason {
        Reason::ForcedOpen => "forced_open",
        Reason::ProbesOut => "probes_out",
        Reason::Ramping => "ramping",
        _ => "open",
    }
}

fn refuse(out: &mut Fields, rejected: &Rejected) {
    reject(out, "circuit_breaker", reason(rejected), rejected.retry_after);
}

fn print_admitted<const SLOTS: usize>(out: &mut Fields, permit: &Permit<'_, SLOTS>) {
    admit(out);
    out.put("probe", permit.is_probe());
    if let Some(rejected) = permit.would_reject() {
        out.put("would_reject", reason(&rejected));
    }
}

fn try_acquire<const SLOTS: usize>(
    station: &'static Station<SLOTS>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    match station.breaker.get().try_acquire(call.now()) {
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

fn check<const SLOTS: usize>(station: &'static Station<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    match station.breaker.get().check(call.now()) {
        Ok(()) => admit(call.out()),
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

/// Prints what became of a report.
pub(super) fn print_settlement(out: &mut Fields, settlement: Settlement) {
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

fn record<const SLOTS: usize>(station: &'static Station<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let permit: Permit<'static, SLOTS> = call.take("permit", PERMIT)?;
    station.settle(permit.into_ticket(), call);
    Ok(())
}

fn is_probe<const SLOTS: usize>(_: &'static Station<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let probe = call.look::<Permit<'static, SLOTS>>("permit", PERMIT)?.is_probe();
    call.out().put("probe", probe);
    Ok(())
}

fn permit_transition<const SLOTS: usize>(
    _: &'static Station<SLOTS>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    let change = call.look::<Permit<'static, SLOTS>>("permit", PERMIT)?.transition();
    call.out().put("transition", change.map(transition));
    Ok(())
}

fn would_reject<const SLOTS: usize>(_: &'static Station<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let rejected = call.look::<Permit<'static, SLOTS>>("permit", PERMIT)?.would_reject();
    call.out().put("would_reject", rejected.as_ref().map(reason));
    Ok(())
}

fn into_ticket<const SLOTS: usize>(_: &'static Station<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let permit: Permit<'static, SLOTS> = call.take("permit", PERMIT)?;
    call.keep_in_place("permit", TICKET, permit.into_ticket())
}

fn settle<const SLOTS: usize>(station: &'static Station<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let ticket: Ticket = call.take_any("ticket", TICKET)?;
    station.settle(ticket, call);
    Ok(())
}

fn whole_call<const SLOTS: usize>(
    station: &'static Station<SLOTS>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    match station.breaker.get().try_acquire(call.now()) {
        Ok(permit) => {
            print_admitted(call.out(), &permit);
            if let Some(change) = permit.transition() {
                call.out().put("half_opened", transition(change));
            }
            call.pass(call.args().duration("took").unwrap_or(Duration::ZERO));
            station.settle(permit.into_ticket(), call);
            let end = call.now();
            call.out().moment("ended_at", end);
        }
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

fn trip<const SLOTS: usize>(station: &'static Station<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    station.by_hand(station.breaker.get().trip(call.now()), call)
}

fn force_open<const SLOTS: usize>(
    station: &'static Station<SLOTS>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    station.by_hand(station.breaker.get().force_open(), call)
}

fn force_closed<const SLOTS: usize>(
    station: &'static Station<SLOTS>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    station.by_hand(station.breaker.get().force_closed(), call)
}

fn shadow<const SLOTS: usize>(station: &'static Station<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let on = call.args().flag("on").unwrap_or(true);
    station.by_hand(station.breaker.get().shadow(on), call)
}

fn reset<const SLOTS: usize>(station: &'static Station<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    station.by_hand(station.breaker.get().reset(call.now()), call)
}

fn try_resuming<const SLOTS: usize>(
    station: &'static Station<SLOTS>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    let config = config(call.args()).map_err(|wrong| Fault::new(wrong.join("; ")))?;
    let next = CircuitBreaker::try_resuming(config, station.breaker.get(), call.now());
    let next = next.map_err(|error| Fault::new(error.to_string()))?;
    station.breaker.set(Box::leak(Box::new(next)));
    station.resumed.replace(Some(call.args().clone()));
    Ok(())
}

fn print_config<const SLOTS: usize>(
    station: &'static Station<SLOTS>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    let table = call.config();
    if let Some(args) = &*station.resumed.borrow() {
        let slots = table.get("slots").cloned();
        *table = args.printed();
        if let Some(slots) = slots {
            table.put("slots", slots);
        }
    }
    configured(station.breaker.get().config(), table);
    Ok(())
}

fn status<const SLOTS: usize>(station: &'static Station<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let status = station.breaker.get().status(call.now());
    call.out().duration("retry_after", status.retry_after);
    Ok(())
}
