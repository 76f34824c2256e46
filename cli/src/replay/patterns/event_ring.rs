//! The event ring.

use super::adaptive_concurrency::{REASONS, adjustment};
use super::answers::{LEVEL, edge, level, level_change, transition};
use super::by_slots;
use super::health_check::print_transition;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::check::{self, Status};
use seawall::core::degradation::LevelChange;
use seawall::core::error_budget::Edge;
use seawall::core::events::{Cursor, EventKind};
use seawall::core::guard::Notes;
use seawall::core::rate_limiter::Quota;
use seawall::core::{Event, EventRing, adaptive_concurrency, adaptive_rate, burn_rate, composite};
use std::any::Any;
use std::time::Duration;

const CURSOR: &str = "event_ring cursor";

const STATUS: Kind = Kind::Word(&["unknown", "healthy", "unhealthy"]);

const HEALTH: Kind = Kind::Table(&[
    Param::required("from", STATUS, "the status before"),
    Param::required("to", STATUS, "the status since"),
    Param::required("cause", Kind::Word(&["successes", "failures", "success_rate", "stale", "reset"]), "why"),
    Param::or("successes", U32, "0", "in a row, or of a rate"),
    Param::or("failures", U32, "0", "in a row"),
    Param::or("results", U32, "0", "of a rate"),
]);

const RATE: Kind = Kind::Table(&[
    Param::required("from", U32, "tokens of a period before"),
    Param::required("to", U32, "tokens of a period since"),
    Param::or("p95", Kind::Duration, "\"0s\"", "the latency that it was judged by, to the microsecond below"),
]);

const CONCURRENCY: Kind = Kind::Table(&[
    Param::required("from", U32, "the limit before"),
    Param::required("to", U32, "the limit since"),
    Param::required("reason", Kind::Word(&["bad", "room", "latency", "probe", "probe_over"]), "why"),
]);

/// A ring of so many events.
struct Of<const N: usize>;

impl<const N: usize> Of<N> {
    const SPEC: Spec<EventRing<N>> = Spec {
        info: INFO,
        operations: &[
            Operation::new(
                "push",
                "appends an event of now: the edge of a budget, of an alert or of a whole, a change of the level or of health, or an \
                 adjustment of a rate or a limit. A guard notes its own",
                &[
                    Param::optional("budget", Kind::Word(&["exhausted", "recovered"]), "the edge of an error budget"),
                    Param::optional("latency_budget", Kind::Word(&["exhausted", "recovered"]), "the edge of a promise about latency"),
                    Param::optional("from", LEVEL, "the level before"),
                    Param::optional("to", LEVEL, "the level since"),
                    Param::optional("burn_rate", Kind::Word(&["raised", "cleared"]), "the edge of an alert on a burn rate"),
                    Param::optional("composite", Kind::Word(&["healthy", "unhealthy"]), "the edge of a whole"),
                    Param::optional("health", HEALTH, "a change of a dependency's health"),
                    Param::optional("rate", RATE, "an adjustment of a rate, of which an event keeps this"),
                    Param::optional("concurrency", CONCURRENCY, "an adjustment of a limit"),
                ],
                push,
            ),
            Operation::new("cursor", "begins to read with the oldest event", &[], cursor).gives(&[CURSOR]),
            Operation::new("cursor_at_end", "begins to read with the next event to come", &[], cursor_at_end)
                .gives(&[CURSOR]),
            Operation::new(
                "read",
                "prints the next event that the reader has not seen, null if there is none, and how many it missed",
                &[Param::required("cursor", Kind::Held(&[CURSOR]), "of the reader")],
                read,
            )
            .prints(&[&["event", "missed"]]),
            Operation::new(
                "missed",
                "prints how many events a reader has missed so far",
                &[Param::required("cursor", Kind::Held(&[CURSOR]), "of the reader")],
                missed,
            )
            .prints(&[&["missed"]]),
            Operation::new("last", "prints the newest event", &[], |ring, call| {
                let event = EventRing::<N>::last(ring).map(print);
                call.out().put("event", event);
                Ok(())
            })
            .prints(&[&["event"]]),
            Operation::new("dropped", "prints how many events have left the ring", &[], |_, _| Ok(())),
        ],
        state: |ring, _, out| out.put("dropped", EventRing::<N>::dropped(ring)),
        configure,
    };

    fn bind() -> Result<Box<dyn Instance>, Vec<String>> {
        Ok(const { &Self::SPEC }.bind(EventRing::new()))
    }
}

const INFO: Info = Info {
    name: "event_ring",
    about: "The last events, in order; the oldest go first, and they are counted",
    keys: &[Param::or("slots", U32, "64", "how many events it keeps: 0, 1, 2, 4, 8, 16, 64, 256 or 1024")],
    prints: &[&["dropped"]],
    example: r#"
{"policy": {"event_ring": {"slots": 2}}}
{"op": "event_ring.cursor", "as": "reader"}
{"op": "event_ring.cursor_at_end", "as": "late"}
{"at": "1s", "op": "event_ring.push", "budget": "exhausted", "expect": {"dropped": 0}}
{"at": "2s", "op": "event_ring.push", "from": "normal", "to": "degraded", "times": 2, "every": "1s"}
{"op": "event_ring.read", "cursor": "reader", "expect": {"event": {"at": "2s", "kind": "level"}, "missed": 1}}
{"op": "event_ring.missed", "cursor": "reader", "expect": {"missed": 1}}
{"op": "event_ring.last", "expect": {"event": {"at": "3s", "change": {"to": "degraded"}}}}
{"op": "event_ring.dropped", "expect": {"dropped": 1}}
{"op": "event_ring.push", "latency_budget": "recovered"}
{"op": "event_ring.last", "expect": {"event": {"kind": "latency", "edge": "recovered"}}}
{"op": "event_ring.push", "budget": "exhausted"}
{"op": "event_ring.last", "expect": {"event": {"kind": "budget", "edge": "exhausted"}}}
{"op": "event_ring.push", "burn_rate": "raised"}
{"op": "event_ring.last", "expect": {"event": {"kind": "burn_rate", "edge": "raised"}}}
{"op": "event_ring.push", "burn_rate": "cleared"}
{"op": "event_ring.last", "expect": {"event": {"edge": "cleared"}}}
{"op": "event_ring.push", "composite": "unhealthy"}
{"op": "event_ring.last", "expect": {"event": {"kind": "composite", "edge": "unhealthy"}}}
{"op": "event_ring.push", "composite": "healthy"}
{"op": "event_ring.last", "expect": {"event": {"edge": "healthy"}}}
{"op": "event_ring.push", "health": {"from": "healthy", "to": "unhealthy", "cause": "success_rate", "successes": 3, "results": 9}}
{"op": "event_ring.last", "expect": {"event": {"kind": "health", "health": {"to": "unhealthy", "cause": "success_rate", "figures": {"successes": 3, "results": 9}}}}}
{"op": "event_ring.push", "rate": {"from": 100, "to": 90, "p95": "30ms"}}
{"op": "event_ring.last", "expect": {"event": {"kind": "rate", "adjustment": {"to": 90, "raise": false, "p95": "30ms"}}}}
{"op": "event_ring.push", "concurrency": {"from": 10, "to": 9, "reason": "bad"}}
{"op": "event_ring.last", "expect": {"event": {"kind": "concurrency", "adjustment": {"from": 10, "reason": "bad"}}}}
"#,
};

pub(super) const PATTERN: &dyn Pattern = &Of::<64>::SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    by_slots!(args.u32("slots").unwrap_or(64), Of::bind(), 0 1 2 4 8 16 64 256 1024)
}

fn push<const N: usize>(ring: &'static EventRing<N>, call: &mut Call<'_>) -> Result<(), Fault> {
    let args = call.args();
    let edge = |word| if word == "exhausted" { Edge::Exhausted } else { Edge::Recovered };
    let level = match (args.word("from"), args.word("to")) {
        (Some(_), Some(_)) => Some(LevelChange { from: level(args, "from"), to: level(args, "to") }.into()),
        (None, None) => None,
        _ => return Err(Fault::new("from and to must be given together")),
    };
    let kinds: [Option<EventKind>; 8] = [
        args.word("budget").map(|word| EventKind::Budget(edge(word))),
        args.word("latency_budget").map(|word| EventKind::Latency(edge(word))),
        level,
        args.word("burn_rate").map(|word| {
            if word == "raised" { burn_rate::Edge::Raised } else { burn_rate::Edge::Cleared }.into()
        }),
        args.word("composite").map(|word| {
            if word == "healthy" { composite::Edge::Healthy } else { composite::Edge::Unhealthy }.into()
        }),
        args.table("health").map(|table| health(&table).into()),
        args.table("rate").map(|table| rate(&table).into()),
        args.table("concurrency").map(|table| concurrency(&table).into()),
    ];
    let mut kinds = kinds.into_iter().flatten();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return Err(Fault::new("one event must be given, and only one"));
    };
    ring.push(Event { at: call.now(), kind });
    Ok(())
}

fn health(args: &Args) -> check::Transition {
    let status = |key| match args.word(key) {
        Some("healthy") => Status::Healthy,
        Some("unhealthy") => Status::Unhealthy,
        _ => Status::Unknown,
    };
    let number = |key| args.u32(key).unwrap_or(0);
    let cause = match args.word("cause") {
        Some("successes") => check::Cause::Successes(number("successes")),
        Some("failures") => check::Cause::Failures(number("failures")),
        Some("success_rate") => {
            check::Cause::SuccessRate { successes: number("successes"), results: number("results") }
        }
        Some("stale") => check::Cause::Stale,
        _ => check::Cause::Reset,
    };
    check::Transition { from: status("from"), to: status("to"), cause }
}

fn rate(args: &Args) -> adaptive_rate::Adjustment {
    let quota = |key| Quota::per_second(args.u32(key).unwrap_or(0));
    let p95 = args.duration("p95").unwrap_or(Duration::ZERO);
    adaptive_rate::Adjustment { from: quota("from"), to: quota("to"), p95, samples: 0 }
}

fn concurrency(args: &Args) -> adaptive_concurrency::Adjustment {
    let word = args.word("reason");
    let reason = REASONS.iter().find(|(_, known)| Some(*known) == word);
    let reason = reason.map_or(adaptive_concurrency::Reason::Bad, |(reason, _)| *reason);
    let number = |key| args.u32(key).unwrap_or(0);
    adaptive_concurrency::Adjustment { from: number("from"), to: number("to"), reason }
}

fn cursor<const N: usize>(ring: &'static EventRing<N>, call: &mut Call<'_>) -> Result<(), Fault> {
    call.keep(CURSOR, ring.cursor())
}

fn cursor_at_end<const N: usize>(ring: &'static EventRing<N>, call: &mut Call<'_>) -> Result<(), Fault> {
    call.keep(CURSOR, ring.cursor_at_end())
}

fn read<const N: usize>(ring: &'static EventRing<N>, call: &mut Call<'_>) -> Result<(), Fault> {
    let cursor = call.look::<Cursor>("cursor", CURSOR)?;
    let event = ring.read(cursor);
    let missed = cursor.missed();
    call.out().put("event", event.map(print));
    call.out().put("missed", missed);
    Ok(())
}

fn missed<const N: usize>(_: &'static EventRing<N>, call: &mut Call<'_>) -> Result<(), Fault> {
    let missed = call.look::<Cursor>("cursor", CURSOR)?.missed();
    call.out().put("missed", missed);
    Ok(())
}

/// An instance as what a guard writes to.
pub(super) fn notes(it: &'static dyn Any) -> Option<&'static dyn Notes> {
    macro_rules! ring {
        ($($n:literal)*) => {
            $(if let Some(ring) = it.downcast_ref::<EventRing<$n>>() {
                return Some(ring);
            })*
        };
    }
    ring!(0 1 2 4 8 16 64 256 1024);
    None
}

/// An event as an object.
fn print(event: Event) -> Fields {
    let mut fields = Fields::default();
    fields.nanos("at", Some(event.at.as_nanos()));
    fields.put("kind", event.kind.name());
    match event.kind {
        EventKind::Breaker(change) => fields.put("transition", transition(change)),
        EventKind::Budget(crossed) | EventKind::Latency(crossed) => fields.put("edge", edge(crossed)),
        EventKind::Level(change) => fields.put("change", level_change(change)),
        EventKind::Health(change) => fields.put("health", print_transition(change)),
        EventKind::BurnRate(crossed) => fields.put("edge", super::burn_rate::word(crossed)),
        EventKind::Composite(crossed) => fields.put("edge", super::composite::word(crossed)),
        EventKind::Rate(change) => {
            let mut adjustment = Fields::default();
            adjustment.put("from", change.from);
            adjustment.put("to", change.to);
            adjustment.put("raise", change.is_raise());
            adjustment.duration("p95", change.p95());
            fields.put("adjustment", adjustment);
        }
        EventKind::Concurrency(change) => fields.put("adjustment", adjustment(change)),
        _ => {}
    }
    fields
}
