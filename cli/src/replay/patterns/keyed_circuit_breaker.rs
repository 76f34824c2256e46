//! The circuit breaker for each key.

use super::answers::{OUTCOME_PARAM, admit, outcome, reject, state, wrong};
use super::circuit_breaker::{self, print_settlement};
use super::keyed::{self, ENTRIES, HASH_SEED, KEY, NUMBERED, WHEN_FULL, key};
use super::policy;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{
    ADMISSION, Group, Info, Instance, Kind, Operation, Param, Pattern, STATE, Spec, U32,
};
use crate::replay::value::Args;
use seawall::core::Instant;
use seawall::core::keyed::circuit_breaker::{
    Breaker, Entry, KeyedCircuitBreaker, Permit, Rejected, Status, Ticket,
};
use std::time::Duration;

type Table = KeyedCircuitBreaker<0, Vec<Entry>>;

type Keyed = keyed::Keyed<Table>;

const PERMIT: &str = "keyed_circuit_breaker permit";
const TICKET: &str = "keyed_circuit_breaker ticket";
const THE_PERMIT: Param = Param::required("permit", Kind::Held(&[PERMIT]), "what try_acquire gave");
const SETTLED: Group = &["settlement", "transition"];

static SPEC: Spec<Keyed> = Spec {
    info: Info {
        name: "keyed_circuit_breaker",
        about: "A breaker for each key, all with one configuration, in a table of `entries`. \
                It trips by failures in a row; a breaker that is not closed keeps its entry. \
                In a table of more than 1024 only state, len, is_empty, evictions and snapshot print the state, \
                which is a walk over all of it",
        keys: &[
            Param::required("consecutive_failures", circuit_breaker::FAILURES, "opens after so many failures in a row"),
            Param::or("open_for", Kind::Duration, "\"60s\"", "how long it stays open"),
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
        prints: &[&["held", "not_closed", "evictions", "forgiven", "turned_away"]],
        example: r#"
{"policy": {"keyed_circuit_breaker": {"consecutive_failures": 2, "open_for": "30s", "successes_to_close": 1, "entries": 8}}}
{"at": "0s", "op": "keyed_circuit_breaker.call", "key": "east", "outcome": "failure", "times": 2, "expect": {"admitted": true}}
{"op": "keyed_circuit_breaker.try_acquire", "key": "east", "expect": {"rejected": "open", "retry_after": "30s", "not_closed": 1}}
{"op": "keyed_circuit_breaker.try_acquire", "key": "west", "as": "p", "expect": {"admitted": true}}
{"op": "keyed_circuit_breaker.is_shared", "permit": "p", "expect": {"shared": false}}
{"op": "keyed_circuit_breaker.record", "permit": "p", "outcome": "success", "expect": {"settlement": "counted"}}
{"op": "keyed_circuit_breaker.status", "key": "east", "expect": {"known": true, "state": "open"}}
{"op": "keyed_circuit_breaker.hot", "expect": {"hot": [{"state": "open"}]}}
{"op": "keyed_circuit_breaker.call", "key": "flood", "numbered": true, "outcome": "success", "times": 100}
{"op": "keyed_circuit_breaker.check", "key": "east", "expect": {"admitted": false}}
{"at": "30s", "op": "keyed_circuit_breaker.try_acquire", "key": "east", "as": "probe"}
{"op": "keyed_circuit_breaker.into_ticket", "permit": "probe"}
{"op": "keyed_circuit_breaker.settle", "ticket": "probe", "outcome": "success", "expect": {"not_closed": 0}}
{"op": "keyed_circuit_breaker.forget", "key": "east"}
{"op": "keyed_circuit_breaker.len"}
{"op": "keyed_circuit_breaker.is_empty"}
{"op": "keyed_circuit_breaker.evictions"}
{"op": "keyed_circuit_breaker.snapshot"}
"#,
    },
    operations: &[
        Operation::new("try_acquire", "asks whether a call of a key may start", &[KEY, NUMBERED], try_acquire)
            .gives(&[PERMIT])
            .prints(&[ADMISSION]),
        Operation::new("check", "says whether try_acquire would reject a call", &[KEY, NUMBERED], check)
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
                NUMBERED,
                OUTCOME_PARAM,
                Param::or("took", Kind::Duration, "\"0s\"", "how long the call took"),
            ],
            whole_call,
        )
        .prints(&[ADMISSION, SETTLED, &["ended_at+ns"]]),
        Operation::new("status", "prints how the breaker of a key is doing, if it has an entry", &[KEY, NUMBERED], status)
            .prints(&[&["known", "entry", "state", "consecutive_failures"]]),
        Operation::new("forget", "takes the entry of a key away, and says whether it had one", &[KEY, NUMBERED], forget)
            .prints(&[&["known"]]),
        Operation::new("hot", "prints the breakers that are not closed", &[], hot).prints(&[&["hot"]]),
        Operation::new("len", "prints how many keys have an entry", &[], print_sums),
        Operation::new("is_empty", "says whether no key has an entry", &[], |keyed: &'static Keyed, call| {
            call.out().put("empty", keyed.is_empty());
            print_sums(keyed, call)
        })
        .prints(&[&["empty"]]),
        Operation::new("evictions", "prints how many keys lost their entry", &[], print_sums),
        Operation::new("state", STATE.about, &[], print_sums),
        Operation::new("snapshot", "prints all breakers in sums", &[], print_sums),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let table =
        args.only(&["consecutive_failures", "open_for", "probes", "successes_to_close", "probe_lease"]);
    let breaker = policy::with_table("circuit_breaker", &table)?;
    let Some(breaker) = breaker.circuit_breaker_config() else {
        return Err(vec!["consecutive_failures is missing".to_owned()]);
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
    out.put("not_closed", sums.not_closed as u64);
    out.put("evictions", sums.evictions);
    out.put("forgiven", sums.forgiven);
    out.put("turned_away", sums.turned_away);
}

fn breaker<'k>(keyed: &'k Keyed, call: &Call<'_>) -> Breaker<'k> {
    keyed.breaker(&key(call))
}

fn refuse(out: &mut Fields, rejected: &Rejected) {
    let reason = match rejected {
        Rejected::Refused(rejected) => circuit_breaker::reason(rejected),
        _ => "table_full",
    };
    reject(out, "keyed_circuit_breaker", reason, rejected.retry_after());
}

fn try_acquire(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    match breaker(keyed, call).try_acquire(call.now()) {
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
    match breaker(keyed, call).check(call.now()) {
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
    match breaker(keyed, call).try_acquire(call.now()) {
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
    fields.put("consecutive_failures", status.consecutive_failures);
    fields
}

fn status(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let status = breaker(keyed, call).status();
    call.out().put("known", status.is_some());
    if let Some(status) = status {
        call.out().extend(status_fields(status));
    }
    Ok(())
}

fn forget(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let known = breaker(keyed, call).forget();
    call.out().put("known", known);
    Ok(())
}

fn hot(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let hot: Vec<Fields> = keyed.hot().map(status_fields).collect();
    call.out().put("hot", hot);
    Ok(())
}
