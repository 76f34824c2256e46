//! The event ring.

use super::answers::{LEVEL, edge, level, level_change, transition};
use super::by_slots;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::degradation::LevelChange;
use seawall::core::error_budget::Edge;
use seawall::core::events::{Cursor, EventKind};
use seawall::core::guard::Notes;
use seawall::core::{Event, EventRing};
use std::any::Any;

const CURSOR: &str = "event_ring cursor";

/// A ring of so many events.
struct Of<const N: usize>;

impl<const N: usize> Of<N> {
    const SPEC: Spec<EventRing<N>> = Spec {
        info: INFO,
        operations: &[
            Operation::new(
                "push",
                "appends an event of now: the edge of one budget or the other, or a change of the level. A guard notes its own",
                &[
                    Param::optional("budget", Kind::Word(&["exhausted", "recovered"]), "the edge of an error budget"),
                    Param::optional("latency_budget", Kind::Word(&["exhausted", "recovered"]), "the edge of a promise about latency"),
                    Param::optional("from", LEVEL, "the level before"),
                    Param::optional("to", LEVEL, "the level since"),
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
"#,
};

pub(super) const PATTERN: &dyn Pattern = &Of::<64>::SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    by_slots!(args.u32("slots").unwrap_or(64), Of::bind(), 0 1 2 4 8 16 64 256 1024)
}

fn push<const N: usize>(ring: &'static EventRing<N>, call: &mut Call<'_>) -> Result<(), Fault> {
    let args = call.args();
    let edge = |word| if word == "exhausted" { Edge::Exhausted } else { Edge::Recovered };
    let kind = match (args.word("budget"), args.word("latency_budget"), args.word("from"), args.word("to")) {
        (Some(word), None, None, None) => EventKind::Budget(edge(word)),
        (None, Some(word), None, None) => EventKind::Latency(edge(word)),
        (None, None, Some(_), Some(_)) => {
            EventKind::Level(LevelChange { from: level(args, "from"), to: level(args, "to") })
        }
        _ => {
            return Err(Fault::new(
                "budget, latency_budget, or from and to must be given, and only one of them",
            ));
        }
    };
    ring.push(Event { at: call.now(), kind });
    Ok(())
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
    match event.kind {
        EventKind::Breaker(change) => {
            fields.put("kind", "breaker");
            fields.put("transition", transition(change));
        }
        EventKind::Budget(crossed) => {
            fields.put("kind", "budget");
            fields.put("edge", edge(crossed));
        }
        EventKind::Latency(crossed) => {
            fields.put("kind", "latency");
            fields.put("edge", edge(crossed));
        }
        EventKind::Level(change) => {
            fields.put("kind", "level");
            fields.put("change", level_change(change));
        }
        _ => fields.put("kind", "other"),
    }
    fields
}
