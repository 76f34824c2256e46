//! The circuit breaker for each key.

use super::answers::{OUTCOME_PARAM, admit, outcome, reject, state, transition, wrong};
use super::circuit_breaker::{self, FAILED_SHARE, FAILING_SLOW, GROWING, ON_FAILURE_ONLY, print_settlement};
use super::keyed::{self, Asked, ENTRIES, HASH, HASH_SEED, KEY, NUMBERED, WHEN_FULL, asked};
use super::policy::{self, MINIMUM_CALLS};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{
    ADMISSION, Group, Info, Instance, Kind, Operation, Param, Pattern, STATE, Spec, U32,
};
use crate::replay::value::Args;
use seawall::core::Instant;
use seawall::core::circuit_breaker::Transition;
use seawall::core::keyed::circuit_breaker::{
    Breaker, Entry, KeyedCircuitBreaker, Permit, Rejected, Status, Ticket,
};
use std::time::Duration;

type Table = KeyedCircuitBreaker<0, Vec<Entry>>;

pub(super) type Keyed = keyed::Keyed<Table>;

const PERMIT: &str = "keyed_circuit_breaker permit";
const TICKET: &str = "keyed_circuit_breaker ticket";
const THE_PERMIT: Param = Param::required("permit", Kind::Held(&[PERMIT]), "what try_acquire gave");
const SETTLED: Group = &["settlement", "transition"];
const CHANGED: Group = &["transition"];

static SPEC: Spec<Keyed> = Spec {
    info: Info {
        name: "keyed_circuit_breaker",
        about: "A breaker for each key, all with one configuration, in a table of `entries`. \
                It trips by failures in a row, by the share of failures among the last calls, or by both; a breaker that \
                refuses calls or is forced keeps its entry. \
                In a table of more than 1024 only state, len, is_empty, evictions and snapshot print the state, \
                which is a walk over all of it",
        keys: &[
            Param::optional(
                "consecutive_failures",
                circuit_breaker::FAILURES,
                "opens after so many failures in a row; this or a rate",
            ),
            Param::optional(
                "failure_rate",
                Kind::Table(&[
                    FAILED_SHARE,
                    Param::required("calls", Kind::Between(1, 17), "over the last calls of the key"),
                    MINIMUM_CALLS,
                    FAILING_SLOW,
                ]),
                "opens by the share of failures",
            ),
            ON_FAILURE_ONLY,
            Param::or("open_for", Kind::Duration, "\"60s\"", "how long it stays open"),
            GROWING,
            Param::or("probes", circuit_breaker::PROBES, "1", "how many probes may be out at a time while half-open"),
            Param::or("successes_to_close", circuit_breaker::RESULTS, "3", "how many probes must succeed to close"),
            Param::optional("probe_lease", Kind::Duration, "a probe that does not report for so long is lost"),
            ENTRIES,
            WHEN_FULL,
            Param::or(
                "forgiving",
                U32,
                "1",
                "an entry may go although its key failed so often in a row, if no other is as new",
            ),
            HASH_SEED,
        ],
        prints: &[&["held", "closed", "half_open", "open", "forced_keys", "evictions", "forgiven", "turned_away"]],
        example: r#"
{"policy": {"keyed_circuit_breaker": {"consecutive_failures": 2, "open_for": "30s", "successes_to_close": 1, "entries": 8}, "last10": {"pattern": "keyed_circuit_breaker", "failure_rate": {"share": "60%", "calls": 10, "minimum_calls": 5, "slow": "2s"}}}}
{"at": "0s", "op": "keyed_circuit_breaker.call", "key": "east", "outcome": "failure", "times": 2, "expect": {"admitted": true}}
{"op": "keyed_circuit_breaker.try_acquire", "key": "east", "expect": {"rejected": "open", "retry_after": "30s", "open": 1}}
{"op": "keyed_circuit_breaker.try_acquire", "key": "west", "as": "p", "expect": {"admitted": true}}
{"op": "keyed_circuit_breaker.is_shared", "permit": "p", "expect": {"shared": false}}
{"op": "keyed_circuit_breaker.record", "permit": "p", "outcome": "success", "expect": {"settlement": "counted"}}
{"op": "keyed_circuit_breaker.status", "key": "east", "expect": {"known": true, "state": "open"}}
{"op": "keyed_circuit_breaker.hot", "expect": {"hot": [{"state": "open"}]}}
{"op": "keyed_circuit_breaker.call", "key": "flood", "numbered": true, "outcome": "success", "times": 100}
{"op": "keyed_circuit_breaker.check", "key": "east", "expect": {"admitted": false}}
{"at": "30s", "op": "keyed_circuit_breaker.try_acquire", "key": "east", "as": "probe"}
{"op": "keyed_circuit_breaker.into_ticket", "permit": "probe"}
{"op": "keyed_circuit_breaker.settle", "ticket": "probe", "outcome": "success", "expect": {"half_open": 0}}
{"op": "keyed_circuit_breaker.force_open", "key": "west", "expect": {"transition": {"to": "open", "cause": "manual"}, "forced_keys": 1}}
{"op": "keyed_circuit_breaker.try_acquire", "key": "west", "expect": {"rejected": "forced_open"}}
{"op": "keyed_circuit_breaker.status", "key": "west", "expect": {"state": "open", "forced": true}}
{"op": "keyed_circuit_breaker.statuses"}
{"op": "keyed_circuit_breaker.reset", "key": "west", "expect": {"known": true, "forced_keys": 0}}
{"op": "keyed_circuit_breaker.force_closed", "key": "north", "expect": {"transition": {"from": "closed", "to": "closed"}}}
{"op": "keyed_circuit_breaker.trip", "key": "north", "expect": {"open": 1, "forced_keys": 0}}
{"op": "last10.call", "key": "east", "outcome": "success", "times": 2}
{"op": "last10.call", "key": "east", "outcome": "success", "took": "2s", "times": 2}
{"op": "last10.call", "key": "east", "outcome": "failure", "expect": {"transition": {"cause": "failure_rate", "figures": {"calls": 5, "failures": 3}}}}
{"op": "keyed_circuit_breaker.forget", "key": "east"}
{"op": "keyed_circuit_breaker.len"}
{"op": "keyed_circuit_breaker.is_empty"}
{"op": "keyed_circuit_breaker.evictions"}
{"op": "keyed_circuit_breaker.snapshot"}
{"op": "last10.config", "expect": {"config": {"failure_rate": {"share": 0.6, "slow": "2000ms"}, "forgiving": 1}}}
{"op": "keyed_circuit_breaker.config", "expect": {"config": {"consecutive_failures": 2, "probes": 1}}}
{"op": "keyed_circuit_breaker.try_acquire", "hash": 7, "expect": {"admitted": true}}
{"op": "keyed_circuit_breaker.status", "hash": 7, "expect": {"known": true}}
"#,
    },
    operations: &[
        Operation::new("try_acquire", "asks whether a call of a key may start", &[KEY, HASH, NUMBERED], try_acquire)
            .gives(&[PERMIT])
            .prints(&[ADMISSION]),
        Operation::new("check", "says whether try_acquire would reject a call", &[KEY, HASH, NUMBERED], check)
            .prints(&[ADMISSION]),
        Operation::new("record", "settles a permit", &[THE_PERMIT, OUTCOME_PARAM], record).prints(&[SETTLED]),
        Operation::new(
            "is_shared",
            "says whether the permit is of the breaker that keys without an entry share",
            &[THE_PERMIT],
            is_shared,
        )
        .prints(&[&["shared"]]),
        Operation::new(
            "into_ticket",
            "turns a permit into a ticket, which keeps its name unless `as` says another one",
            &[THE_PERMIT],
            into_ticket,
        )
        .gives(&[TICKET]),
        Operation::new(
            "settle",
            "settles a ticket",
            &[Param::required("ticket", Kind::Held(&[TICKET]), "what into_ticket gave"), OUTCOME_PARAM],
            settle,
        )
        .prints(&[SETTLED]),
        Operation::new(
            "call",
            "is try_acquire, and if the call is admitted record after it `took` so long; the clock moves on with it",
            &[
                KEY,
                HASH,
                NUMBERED,
                OUTCOME_PARAM,
                Param::or("took", Kind::Duration, "\"0s\"", "how long the call took"),
            ],
            whole_call,
        )
        .prints(&[ADMISSION, SETTLED, &["ended_at+ns"]]),
        Operation::new("status", "prints how the breaker of a key is doing, if it has an entry", &[KEY, HASH, NUMBERED], status)
            .prints(&[&["known", "entry", "state", "forced", "consecutive_failures", "calls", "failures"]]),
        Operation::new(
            "trip",
            "opens the breaker of a key by hand, for the open time; a key without an entry gets one",
            &[KEY, HASH, NUMBERED],
            trip,
        )
        .prints(&[ADMISSION, CHANGED]),
        Operation::new(
            "force_open",
            "rejects every call of a key until reset, trip or forget; a key without an entry gets one",
            &[KEY, HASH, NUMBERED],
            force_open,
        )
        .prints(&[ADMISSION, CHANGED]),
        Operation::new(
            "force_closed",
            "admits every call of a key, uncounted, until reset, trip or forget; a key without an entry gets one",
            &[KEY, HASH, NUMBERED],
            force_closed,
        )
        .prints(&[ADMISSION, CHANGED]),
        Operation::new("reset", "closes the breaker of a key as new, if it has an entry", &[KEY, HASH, NUMBERED], reset)
            .prints(&[&["known", "transition"]]),
        Operation::new("forget", "takes the entry of a key away, and says whether it had one", &[KEY, HASH, NUMBERED], forget)
            .prints(&[&["known"]]),
        Operation::new("statuses", "prints how the breaker of each entry is doing", &[], statuses)
            .prints(&[&["statuses"]]),
        Operation::new("hot", "prints the breakers that are not closed", &[], hot).prints(&[&["hot"]]),
        Operation::new("len", "prints how many keys have an entry", &[], print_sums),
        Operation::new("is_empty", "says whether no key has an entry", &[], |keyed: &'static Keyed, call| {
            call.out().put("empty", keyed.is_empty());
            print_sums(keyed, call)
        })
        .prints(&[&["empty"]]),
        Operation::new("evictions", "prints how many keys lost their entry", &[], print_sums),
        Operation::config(|keyed: &'static Keyed, call| {
            circuit_breaker::configured(keyed.breaker_config(), call.config());
            Ok(())
        }),
        Operation::new("state", STATE.about, &[], print_sums),
        Operation::new("snapshot", "prints all breakers in sums", &[], print_sums),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let table = args.only(&[
        "consecutive_failures",
        "failure_rate",
        "evaluate_on_failure_only",
        "open_for",
        "open_for_growing",
        "probes",
        "successes_to_close",
        "probe_lease",
    ]);
    let breaker = policy::with_table("circuit_breaker", &table)?;
    let Some(breaker) = breaker.circuit_breaker_config() else {
        return Err(vec!["consecutive_failures is missing, and so is failure_rate".to_owned()]);
    };
    let (config, entries) = keyed::table(args, Entry::new);
    let length = entries.len();
    Table::over(*breaker, config, entries)
        .map(|table| SPEC.bind(Keyed::new(table, length)))
        .map_err(|error| vec![wrong(&error)])
}

/// The sums of a table are a walk over all of it: after each decision only where that is short.
fn print_state(keyed: &Keyed, now: Instant, out: &mut Fields) {
    if keyed.is_short {
        sums(keyed, now, out);
    }
}

fn print_sums(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let now = call.now();
    sums(keyed, now, call.out());
    Ok(())
}

fn sums(keyed: &Keyed, _: Instant, out: &mut Fields) {
    let sums = keyed.snapshot();
    out.put("held", sums.held as u64);
    out.put("closed", sums.closed as u64);
    out.put("half_open", sums.half_open as u64);
    out.put("open", sums.open as u64);
    out.put("forced_keys", sums.forced as u64);
    out.put("evictions", sums.evictions);
    out.put("forgiven", sums.forgiven);
    out.put("turned_away", sums.turned_away);
}

fn breaker<'k>(keyed: &'k Keyed, call: &Call<'_>) -> Result<Breaker<'k>, Fault> {
    Ok(breaker_of(keyed, &asked(call)?))
}

/// The breaker of a key.
pub(super) fn breaker_of<'k>(keyed: &'k Keyed, asked: &Asked) -> Breaker<'k> {
    match asked {
        Asked::Key(key) => keyed.breaker(key),
        Asked::Hash(hash) => keyed.breaker_of_hash(*hash),
    }
}

/// What a refusal is called.
pub(super) fn reason(rejected: &Rejected) -> &'static str {
    match rejected {
        Rejected::Refused(rejected) => circuit_breaker::reason(rejected),
        _ => "table_full",
    }
}

fn refuse(out: &mut Fields, rejected: &Rejected) {
    reject(out, "keyed_circuit_breaker", reason(rejected), rejected.retry_after());
}

fn try_acquire(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    match breaker(keyed, call)?.try_acquire(call.now()) {
        Ok(permit) => {
            admit(call.out());
            call.keep(PERMIT, permit)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn check(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    match breaker(keyed, call)?.check(call.now()) {
        Ok(()) => admit(call.out()),
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

fn record(_: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let permit: Permit<'static> = call.take("permit", PERMIT)?;
    let settlement = permit.record(outcome(call.args(), "outcome"), call.now());
    print_settlement(call.out(), settlement);
    Ok(())
}

fn is_shared(_: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let shared = call.look::<Permit<'static>>("permit", PERMIT)?.is_shared();
    call.out().put("shared", shared);
    Ok(())
}

fn into_ticket(_: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let permit: Permit<'static> = call.take("permit", PERMIT)?;
    call.keep_in_place("permit", TICKET, permit.into_ticket())
}

fn settle(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let ticket: Ticket = call.take_any("ticket", TICKET)?;
    let settlement = keyed.settle(ticket, outcome(call.args(), "outcome"), call.now());
    print_settlement(call.out(), settlement);
    Ok(())
}

fn whole_call(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    match breaker(keyed, call)?.try_acquire(call.now()) {
        Ok(permit) => {
            admit(call.out());
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

fn status_fields(status: Status) -> Fields {
    let mut fields = Fields::default();
    fields.put("entry", status.entry);
    fields.put("state", state(status.state));
    fields.put("forced", status.forced);
    fields.put("consecutive_failures", status.consecutive_failures);
    fields.put("calls", status.calls);
    fields.put("failures", status.failures);
    fields
}

fn status(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let status = breaker(keyed, call)?.status();
    call.out().put("known", status.is_some());
    if let Some(status) = status {
        call.out().extend(status_fields(status));
    }
    Ok(())
}

/// A change by hand, or that there is no entry for it.
fn by_hand(change: Result<Transition, Rejected>, call: &mut Call<'_>) -> Result<(), Fault> {
    match change {
        Ok(change) => call.out().put("transition", transition(change)),
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

fn trip(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    by_hand(breaker(keyed, call)?.trip(call.now()), call)
}

fn force_open(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    by_hand(breaker(keyed, call)?.force_open(call.now()), call)
}

fn force_closed(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    by_hand(breaker(keyed, call)?.force_closed(call.now()), call)
}

fn reset(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let change = breaker(keyed, call)?.reset();
    call.out().put("known", change.is_some());
    if let Some(change) = change {
        call.out().put("transition", transition(change));
    }
    Ok(())
}

fn forget(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let known = breaker(keyed, call)?.forget();
    call.out().put("known", known);
    Ok(())
}

fn statuses(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let statuses: Vec<Fields> = keyed.statuses().map(status_fields).collect();
    call.out().put("statuses", statuses);
    Ok(())
}

fn hot(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let hot: Vec<Fields> = keyed.hot().map(status_fields).collect();
    call.out().put("hot", hot);
    Ok(())
}
