//! Models of the ring of events: readers see whole events in order, and know what they missed.
#![cfg(loom)]
#![allow(missing_docs)]

use loom::sync::Arc;
use loom::thread;
use seawall_core::Instant;
use seawall_core::events::{Event, EventKind, EventRing};
use seawall_core::health::degradation::{Level, LevelChange};

/// An event whose time says what its kind must be.
fn event(n: usize) -> Event {
    let change = LevelChange { from: Level::ALL[n % 4], to: Level::ALL[(n + 1) % 4] };
    Event { at: Instant::from_nanos((n as u64) << 32 | n as u64), kind: EventKind::Level(change) }
}

fn number(event_read: Event) -> usize {
    let n = event_read.at.as_nanos() as u32 as usize;
    assert_eq!(event_read, event(n), "a torn event");
    n
}

// Mutant: events_torn_read
// Mutant: events_words_relaxed
#[test]
fn a_reader_never_sees_a_torn_event() {
    loom::model(|| {
        let ring = Arc::new(EventRing::<1>::new());
        ring.push(event(1));
        let mut cursor = ring.cursor();
        let writer = {
            let ring = ring.clone();
            thread::spawn(move || ring.push(event(2)))
        };
        let mut seen = Vec::new();
        seen.extend(ring.read(&mut cursor).map(number));
        seen.extend(ring.read(&mut cursor).map(number));
        writer.join().unwrap();
        seen.extend(ring.read(&mut cursor).map(number));
        assert!(seen == [1, 2] || seen == [2], "{seen:?}");
        assert_eq!(seen.len() + cursor.missed() as usize, 2);
    });
}

// Mutant: events_write_over_a_writer
#[test]
fn two_writers_in_one_slot_do_not_mix_their_events() {
    loom::model(|| {
        let ring = Arc::new(EventRing::<1>::new());
        let writer = {
            let ring = ring.clone();
            thread::spawn(move || ring.push(event(1)))
        };
        ring.push(event(2));
        writer.join().unwrap();
        if let Some(last) = ring.last() {
            assert!([1, 2].contains(&number(last)));
        }
        ring.push(event(3));
        assert_eq!(ring.last().map(number), Some(3));
    });
}

// Mutant: events_position_in_two_steps
#[test]
fn two_writers_lose_nothing_while_there_is_room() {
    loom::model(|| {
        let ring = Arc::new(EventRing::<2>::new());
        let mut cursor = ring.cursor();
        let writer = {
            let ring = ring.clone();
            thread::spawn(move || ring.push(event(1)))
        };
        ring.push(event(2));
        let early = ring.read(&mut cursor).map(number);
        writer.join().unwrap();
        let mut seen: Vec<_> = early.into_iter().collect();
        seen.extend(core::iter::from_fn(|| ring.read(&mut cursor)).map(number));
        seen.sort_unstable();
        assert_eq!((seen, cursor.missed(), ring.dropped()), (vec![1, 2], 0, 0));
    });
}
