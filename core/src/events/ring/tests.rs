extern crate std;
use std::thread;
use std::vec::Vec;

use super::*;

/// A record whose words are all the same, so that a torn one shows.
fn record(n: u32) -> [u32; WORDS] {
    [n; WORDS]
}

fn read_all<const N: usize>(ring: &Ring<N>, cursor: &mut Cursor) -> Vec<u32> {
    core::iter::from_fn(|| ring.read(cursor)).map(|words| words[0]).collect()
}

/// As if the ring had been used until just before the wrap of its positions.
fn about_to_wrap() -> Ring<4> {
    let ring = Ring::<4>::new();
    let end = 0_u32.wrapping_sub(4);
    ring.end.store(end, Ordering::Relaxed);
    for back in 1..=4 {
        let position = end.wrapping_sub(back);
        ring.slot(position).stamp.store((position % LAP) << 1, Ordering::Relaxed);
    }
    ring
}

#[test]
fn the_order_is_kept_and_the_oldest_go() {
    let ring = Ring::<4>::new();
    let mut cursor = ring.oldest();
    assert_eq!((ring.read(&mut cursor), ring.last()), (None, None));
    for n in 0..3 {
        ring.push(record(n));
    }
    assert_eq!(read_all(&ring, &mut cursor), [0, 1, 2]);
    for n in 3..12 {
        ring.push(record(n));
    }
    assert_eq!(read_all(&ring, &mut cursor), [8, 9, 10, 11]);
    assert_eq!((cursor.missed, ring.dropped()), (5, 8));
    assert_eq!(ring.last(), Some(record(11)));
}

#[test]
fn each_reader_has_its_own_place() {
    let ring = Ring::<4>::new();
    for n in 0..6 {
        ring.push(record(n));
    }
    let (mut old, mut new) = (ring.oldest(), ring.newest());
    ring.push(record(6));
    assert_eq!(read_all(&ring, &mut new), [6]);
    assert_eq!(read_all(&ring, &mut old), [3, 4, 5, 6]);
    assert_eq!((old.missed, new.missed), (1, 0));
}

#[test]
fn positions_wrap_without_a_seam() {
    let ring = about_to_wrap();
    let mut cursor = ring.newest();
    for n in 0..20 {
        ring.push(record(n));
        assert_eq!(read_all(&ring, &mut cursor), [n]);
        assert_eq!(ring.last(), Some(record(n)));
    }
    for n in 20..30 {
        ring.push(record(n));
    }
    assert_eq!(read_all(&ring, &mut cursor), [26, 27, 28, 29]);
}

#[test]
fn a_position_is_newer_by_less_than_half_a_lap() {
    for other in [0, 7, LAP - 1] {
        let newer = [0, 1, LAP / 2 - 1, LAP / 2, LAP - 1].map(|by| is_newer((other + by) % LAP, other));
        assert_eq!(newer, [false, true, true, false, false]);
    }
}

#[test]
fn an_event_that_is_being_written_hides_those_after_it_until_the_ring_has_gone_round() {
    let ring = Ring::<4>::new();
    let mut cursor = ring.oldest();
    // A writer took its position and sleeps.
    let slow = ring.end.fetch_add(1, Ordering::Relaxed);
    ring.push(record(1));
    assert_eq!(ring.read(&mut cursor), None);
    assert_eq!(ring.last(), Some(record(1)));
    for n in 2..5 {
        ring.push(record(n));
    }
    assert_eq!(read_all(&ring, &mut cursor), [1, 2, 3, 4]);
    assert_eq!(cursor.missed, 1);
    // It wakes up when its slot has a newer event.
    ring.slot(slow).write(slow % LAP, record(0));
    assert_eq!(read_all(&ring, &mut ring.oldest()), [1, 2, 3, 4]);
}

#[test]
fn a_writer_that_meets_another_in_its_slot_drops_its_own_event() {
    let ring = Ring::<2>::new();
    ring.push(record(0));
    let stamp = &ring.slots[0].stamp;
    stamp.store(stamp.load(Ordering::Relaxed) | BUSY, Ordering::Relaxed);
    ring.push(record(1));
    ring.push(record(2));
    assert_eq!(ring.last(), Some(record(1)));
    assert_eq!(ring.slots[0].words[0].load(Ordering::Relaxed), 0);
}

#[test]
fn many_writers_and_readers_see_no_torn_event_and_no_event_twice() {
    const WRITERS: u32 = 3;
    const EVENTS: u32 = 5_000;
    let ring = Ring::<8>::new();
    let seen = thread::scope(|scope| {
        for writer in 0..WRITERS {
            let ring = &ring;
            scope.spawn(move || {
                for n in 0..EVENTS {
                    ring.push(record(writer * EVENTS + n));
                }
            });
        }
        let mut cursor = ring.oldest();
        let mut seen = Vec::new();
        while cursor.missed + seen.len() as u32 != WRITERS * EVENTS {
            match ring.read(&mut cursor) {
                Some(words) => {
                    assert_eq!(words, record(words[0]));
                    seen.push(words[0]);
                }
                // The last ones may have been dropped behind a writer that slept: nobody writes over them any more.
                None if ring.end().wrapping_sub(16) == WRITERS * EVENTS => break,
                None => thread::yield_now(),
            }
        }
        seen
    });
    for writer in 0..WRITERS {
        let of_writer: Vec<u32> = seen.iter().copied().filter(|n| n / EVENTS == writer).collect();
        assert!(of_writer.is_sorted_by(|a, b| a < b));
    }
}
