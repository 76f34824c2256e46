//! The adaptive limit of concurrent calls.

use super::answers::{OUTCOME_PARAM, admit, outcome, reject, wrong};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{ADMISSION, Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::adaptive_concurrency::{Adjustment, Config, Permit, Reason, Ticket};
use seawall::core::{AdaptiveConcurrency, Instant};
use std::time::Duration;

const PERMIT: &str = "adaptive_concurrency permit";
const TICKET: &str = "adaptive_concurrency ticket";
const THE_PERMIT: Param = Param::required("permit", Kind::Held(&[PERMIT]), "what try_acquire gave");

static SPEC: Spec<AdaptiveConcurrency> = Spec {
    info: Info {
        name: "adaptive_concurrency",
        about: "Limits how many calls run at a time, by a limit that follows their results. \
                `adjustment` is its change: `from`, `to` and the `reason`",
        keys: &[
            Param::or("rule", Kind::Word(&["aimd", "gradient"]), "\"aimd\"", "how the limit follows"),
            Param::required("initial", U32, "the limit before the first result"),
            Param::or("min", U32, "1", "the lowest limit"),
            Param::or("max", U32, "1000", "the highest limit"),
            Param::or("samples", U32, "16", "results of a window at least, up to 31"),
            Param::or("window", Kind::Duration, "\"100ms\"", "how long a window lasts at least"),
            Param::optional("slow_after", Kind::Duration, "a success that takes so long is as bad as a failure"),
            Param::or("backoff", Kind::Share, "0.9", "a bad window leaves this share of the limit"),
            Param::or("increase", U32, "1", "aimd: what a good window adds"),
            Param::or("tolerance", U32, "1500", "gradient: thousandths of the baseline that are tolerated"),
            Param::optional("queue", U32, "gradient: calls that may queue; the square root of the limit by default"),
            Param::or("smoothing", Kind::Share, "0.25", "gradient: the share of its way in each window"),
            Param::or("probe_every", U32, "512", "gradient: busy windows between two baselines"),
            Param::optional("seed", U32, "spreads the probes"),
        ],
        prints: &[&["in_flight", "limit", "is_probing", "latency+ns", "baseline+ns"]],
        example: r#"
{"policy": {"adaptive_concurrency": {"initial": 2, "max": 10, "samples": 1, "window": "0s"}}}
{"at": "0s", "op": "adaptive_concurrency.try_acquire", "as": "p", "times": 3, "expect_admitted": 2}
{"op": "adaptive_concurrency.is_probe", "permit": "p1", "expect": {"probe": false}}
{"at": "1s", "op": "adaptive_concurrency.record", "permit": "p1", "outcome": "success", "expect": {"limit": 3, "adjustment": {"from": 2, "to": 3, "reason": "room"}}}
{"op": "adaptive_concurrency.into_ticket", "permit": "p2"}
{"op": "adaptive_concurrency.settle", "ticket": "p2", "outcome": "cancelled", "expect": {"in_flight": 0}}
{"op": "adaptive_concurrency.call", "outcome": "failure", "took": "1s", "expect": {"adjustment": {"reason": "bad"}}}
{"op": "adaptive_concurrency.check", "expect": {"admitted": true, "in_flight": 0}}
{"op": "adaptive_concurrency.try_acquire", "as": "q"}
{"op": "adaptive_concurrency.into_ticket", "permit": "q"}
{"op": "adaptive_concurrency.settle_after", "ticket": "q", "outcome": "ignored", "latency": "3ms", "expect": {"in_flight": 0, "adjustment": null}}
{"op": "adaptive_concurrency.config", "expect": {"config": {"rule": "aimd", "backoff": "90%", "max": 10}}}
{"op": "adaptive_concurrency.snapshot", "expect": {"at": "2s", "limit": {"max": 2}}}
"#,
    },
    operations: &[
        Operation::new("try_acquire", "admits a call if fewer than the limit run", &[], try_acquire)
            .gives(&[PERMIT])
            .prints(&[ADMISSION]),
        Operation::new("check", "says whether try_acquire would refuse a call now, and takes nothing", &[], check)
            .prints(&[ADMISSION]),
        Operation::new("record", "settles a permit", &[THE_PERMIT, OUTCOME_PARAM], record).prints(&[&["adjustment"]]),
        Operation::new("is_probe", "says whether the call helps to measure the baseline", &[THE_PERMIT], is_probe)
            .prints(&[&["probe"]]),
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
        .prints(&[&["adjustment"]]),
        Operation::new(
            "settle_after",
            "is settle with how long the operation took, in place of the time since its admission",
            &[
                Param::required("ticket", Kind::Held(&[TICKET]), "what into_ticket gave"),
                OUTCOME_PARAM,
                Param::required("latency", Kind::Duration, "how long it took"),
            ],
            settle,
        )
        .prints(&[&["adjustment"]]),
        Operation::new(
            "call",
            "is try_acquire, and if the call is admitted record after it `took` so long; the clock moves on with it",
            &[OUTCOME_PARAM, Param::or("took", Kind::Duration, "\"0s\"", "how long the call took")],
            whole_call,
        )
        .prints(&[ADMISSION, &["adjustment", "ended_at+ns"]]),
        Operation::config(|limit: &'static AdaptiveConcurrency, call| {
            let (held, table) = (limit.config(), call.config());
            let (min, max) = held.bounds();
            table.put("rule", if held.is_gradient() { "gradient" } else { "aimd" });
            table.put("initial", held.initial());
            table.put("min", min);
            table.put("max", max);
            Ok(())
        }),
        Operation::new("snapshot", "prints the counts and figures", &[], |_, _| Ok(())),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let number = |key| args.u32(key);
    let initial = number("initial").unwrap_or(0);
    let mut config =
        if args.word("rule") == Some("gradient") { Config::gradient(initial) } else { Config::aimd(initial) };
    config = config.between(number("min").unwrap_or(1), number("max").unwrap_or(1000));
    macro_rules! set {
        ($($key:ident: $get:ident;)*) => {
            $(if let Some(value) = args.$get(stringify!($key)) {
                config = config.$key(value);
            })*
        };
    }
    set!(
        samples: u32;
        window: duration;
        slow_after: duration;
        backoff: share;
        increase: u32;
        tolerance: u32;
        queue: u32;
        smoothing: share;
        probe_every: u32;
        seed: u32;
    );
    AdaptiveConcurrency::try_new(config).map(|limit| SPEC.bind(limit)).map_err(|error| vec![wrong(&error)])
}

fn print_state(limit: &AdaptiveConcurrency, _: Instant, out: &mut Fields) {
    let figures = limit.snapshot();
    out.put("in_flight", figures.in_flight);
    out.put("limit", figures.limit);
    out.put("is_probing", figures.is_probing);
    out.duration("latency", figures.latency);
    out.duration("baseline", figures.baseline);
}

/// A change of the limit.
/// Why a limit changed, and what that is called.
pub(super) const REASONS: &[(Reason, &str)] = &[
    (Reason::Bad, "bad"),
    (Reason::Room, "room"),
    (Reason::Latency, "latency"),
    (Reason::Probe, "probe"),
    (Reason::ProbeOver, "probe_over"),
];

pub(super) fn adjustment(change: Adjustment) -> Fields {
    let mut fields = Fields::default();
    fields.put("from", change.from);
    fields.put("to", change.to);
    let reason = REASONS.iter().find(|(reason, _)| *reason == change.reason);
    fields.put("reason", reason.map_or("other", |(_, word)| word));
    fields
}

fn print_adjustment(out: &mut Fields, change: Option<Adjustment>) {
    out.put("adjustment", change.map(adjustment));
}

fn try_acquire(limit: &'static AdaptiveConcurrency, call: &mut Call<'_>) -> Result<(), Fault> {
    let Ok(permit) = limit.try_acquire(call.now()) else {
        reject(call.out(), "adaptive_concurrency", "full", None);
        return Ok(());
    };
    admit(call.out());
    call.keep(PERMIT, permit)
}

fn check(limit: &'static AdaptiveConcurrency, call: &mut Call<'_>) -> Result<(), Fault> {
    match limit.check(call.now()) {
        Ok(()) => admit(call.out()),
        Err(_) => reject(call.out(), "adaptive_concurrency", "full", None),
    }
    Ok(())
}

fn record(_: &'static AdaptiveConcurrency, call: &mut Call<'_>) -> Result<(), Fault> {
    let permit: Permit<'static> = call.take("permit", PERMIT)?;
    let change = permit.record(outcome(call.args(), "outcome"), call.now());
    print_adjustment(call.out(), change);
    Ok(())
}

fn is_probe(_: &'static AdaptiveConcurrency, call: &mut Call<'_>) -> Result<(), Fault> {
    let probe = call.look::<Permit<'static>>("permit", PERMIT)?.is_probe();
    call.out().put("probe", probe);
    Ok(())
}

fn into_ticket(_: &'static AdaptiveConcurrency, call: &mut Call<'_>) -> Result<(), Fault> {
    let permit: Permit<'static> = call.take("permit", PERMIT)?;
    call.keep_in_place("permit", TICKET, permit.into_ticket())
}

fn settle(limit: &'static AdaptiveConcurrency, call: &mut Call<'_>) -> Result<(), Fault> {
    let ticket: Ticket = call.take_any("ticket", TICKET)?;
    let (outcome, now) = (outcome(call.args(), "outcome"), call.now());
    let change = match call.args().duration("latency") {
        Some(latency) => limit.settle_after(ticket, outcome, latency, now),
        None => limit.settle(ticket, outcome, now),
    };
    print_adjustment(call.out(), change);
    Ok(())
}

fn whole_call(limit: &'static AdaptiveConcurrency, call: &mut Call<'_>) -> Result<(), Fault> {
    let Ok(permit) = limit.try_acquire(call.now()) else {
        reject(call.out(), "adaptive_concurrency", "full", None);
        return Ok(());
    };
    admit(call.out());
    call.pass(call.args().duration("took").unwrap_or(Duration::ZERO));
    let change = permit.record(outcome(call.args(), "outcome"), call.now());
    print_adjustment(call.out(), change);
    let end = call.now();
    call.out().moment("ended_at", end);
    Ok(())
}
