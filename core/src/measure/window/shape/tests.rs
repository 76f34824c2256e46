extern crate std;
use std::string::ToString;

use super::*;

#[test]
fn the_reciprocal_divides_exactly() {
    let mut nanos = [0_u64; 64];
    let mut x = 0x9E37_79B9_7F4A_7C15_u64;
    for (i, n) in nanos.iter_mut().enumerate() {
        x = x.rotate_left(13).wrapping_mul(0xD134_2543_DE82_EF95);
        *n = x >> (i % 64);
    }
    let widths = [1, 2, 3, 5, 10, 999, 1_000_000, 1_000_000_000, u64::MAX / 3, u64::MAX / 2, u64::MAX];
    for width in widths {
        let shape = Shape::<1>::try_new(Span::time(Duration::from_nanos(width))).unwrap();
        let near = [0, width - 1, width, width.saturating_add(1), width.saturating_mul(2), u64::MAX];
        for now in nanos.into_iter().chain(near).chain(near.map(|n| n.saturating_sub(1))) {
            let expected = (now / width % u64::from(TIME_LAP)) as u32;
            let bucket = shape.at(Instant::from_nanos(now)).unwrap();
            assert_eq!(bucket.number, expected, "{now} / {width}");
        }
    }
}

fn lap_of_calls_is_sound<const SLOTS: usize>() {
    let slots = SLOTS as u32;
    for calls in [1, 2, 5, 10, 11, 100, 4097, MAX_CALLS] {
        let shape = Shape::<SLOTS>::try_new(Span::calls(calls)).unwrap();
        assert_eq!(shape.lap % slots, 0);
        assert!(shape.lap >= 60 * slots, "{slots} {calls}");
        assert!(shape.calls_per_lap() <= 1 << 31);
        assert!(shape.live <= slots);
    }
}

#[test]
fn a_lap_of_calls_is_a_whole_number_of_rounds_and_long_enough() {
    lap_of_calls_is_sound::<1>();
    lap_of_calls_is_sound::<2>();
    lap_of_calls_is_sound::<3>();
    lap_of_calls_is_sound::<7>();
    lap_of_calls_is_sound::<10>();
    lap_of_calls_is_sound::<4096>();
}

#[test]
fn neighbors_across_the_lap_are_neighbors() {
    let shape = Shape::<10>::try_new(Span::time(Duration::from_secs(10))).unwrap();
    let last = TIME_LAP - 1;
    assert!(shape.is_newer(0, last) && !shape.is_newer(last, 0));
    assert!(shape.is_newer(39, last) && !shape.is_newer(40, last));
    assert!(!shape.is_newer(last, last));
    assert_eq!(shape.position(0, last), Some(1));
    assert_eq!(shape.position(last, 0), None);
    assert!(shape.is_far_ahead(100, 50) && !shape.is_far_ahead(50, 100));
    assert_eq!(shape.first_live(Bucket { slot: 3, number: 3 }), Bucket { slot: 4, number: last - 5 });
}

/// Of two buckets the one is newer, or so far ahead that the clock was set back, or not ahead at all; half a lap is behind.
#[test]
fn what_is_ahead_is_newer_or_far_ahead_and_half_a_lap_is_neither() {
    let seen = |shape: &Shape<10>, ahead| (shape.is_newer(7 + ahead, 7), shape.is_far_ahead(7 + ahead, 7));
    let (newer, far, behind) = ((true, false), (false, true), (false, false));
    let time = Shape::<10>::try_new(Span::time(Duration::from_secs(10))).unwrap();
    let half = TIME_LAP / 2;
    assert_eq!(
        [0, 1, 40, 41, half - 1, half].map(|n| seen(&time, n)),
        [behind, newer, newer, far, far, behind]
    );
    assert!(!time.is_recent(7 + half, 7) && time.is_recent(7 + half - 1, 7));
    let calls = Shape::<10>::try_new(Span::calls(1000)).unwrap();
    let half = calls.lap / 2;
    assert_eq!(
        [0, 1, half - 1, half, half + 1].map(|n| seen(&calls, n)),
        [behind, newer, newer, newer, behind]
    );
}

#[test]
fn a_span_is_told_as_it_was_asked_for() {
    for span in [Span::time(Duration::from_secs(10)), Span::time(Duration::from_nanos(30)), Span::calls(25)] {
        assert_eq!(Shape::<10>::try_new(span).unwrap().span(), span);
    }
}

#[test]
fn errors_name_the_field_and_the_bound() {
    let message = |span| Shape::<10>::try_new(span).unwrap_err().to_string();
    assert_eq!(
        message(Span::time(Duration::from_nanos(5))),
        "window.span must be a whole, positive number of nanoseconds in each slot"
    );
    assert_eq!(message(Span::calls(0)), "window.calls must be between 1 and 16777216");
    assert_eq!(message(Span::calls(MAX_CALLS + 1)), message(Span::calls(0)));
    assert_eq!(message(Span::time(Duration::MAX)), "window.span must be at most 2^64 nanoseconds");
}
