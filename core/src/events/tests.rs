extern crate std;
use std::format;

use super::*;
use crate::atomic::sync::probe;
use crate::health::degradation::{Level, LevelChange};
use crate::health::error_budget::Edge;

fn event(second: u64) -> Event {
    Event { at: Instant::from_secs(second), kind: EventKind::Budget(Edge::Exhausted) }
}

#[test]
fn a_ring_stands_in_a_static_and_has_the_documented_size() {
    static EVENTS: EventRing<8> = EventRing::new();
    EVENTS.push(event(1));
    assert_eq!(EVENTS.last(), Some(event(1)));
    assert_eq!(size_of::<EventRing<8>>(), 8 * 28 + 4);
    assert!(format!("{EVENTS:?}").contains("slots: 8"));
}

#[test]
fn an_event_comes_back_with_its_time_and_reason() {
    let ring = EventRing::<2>::new();
    let change = LevelChange { from: Level::Emergency, to: Level::Degraded };
    let mut cursor = ring.cursor_at_end();
    for at in [Instant::ZERO, Instant::from_nanos(u64::from(u32::MAX) + 9), Instant::NEVER] {
        let event = Event { at, kind: EventKind::Level(change) };
        ring.push(event);
        assert_eq!(ring.read(&mut cursor), Some(event));
    }
    assert_eq!(ring.dropped(), 1);
}

#[test]
fn a_ring_without_slots_keeps_nothing_and_counts() {
    let ring = EventRing::<0>::new();
    ring.push(event(1));
    assert_eq!((ring.last(), ring.read(&mut ring.cursor()), ring.dropped()), (None, None, 1));
}

#[test]
fn costs_are_as_documented() {
    let ring = EventRing::<4>::default();
    let mut cursor = ring.cursor();
    let (push, ()) = probe::count(|| ring.push(event(1)));
    assert_eq!((push.loads, push.writes), (1, 9));
    let (read, _) = probe::count(|| ring.read(&mut cursor));
    assert_eq!((read.loads, read.writes), (9, 0));
    let (read, nothing) = probe::count(|| ring.read(&mut cursor));
    assert_eq!((read.loads, read.writes, nothing), (1, 0, None));
}
