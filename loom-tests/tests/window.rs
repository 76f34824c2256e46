//! Models of the window: what threads record at a bucket's boundary is neither lost nor counted twice.
#![cfg(loom)]
#![allow(missing_docs)]

use core::time::Duration;

use loom::sync::Arc;
use loom::thread;
use seawall_core::Instant;
use seawall_core::measure::window::{Sample, Span, Totals, Window};

/// A window of buckets of one nanosecond.
fn window<const SLOTS: usize>() -> Arc<Window<SLOTS>> {
    Arc::new(Window::new(Span::time(Duration::from_nanos(SLOTS as u64))))
}

fn at(bucket: u64) -> Instant {
    Instant::from_nanos(bucket)
}

fn totals(calls: u32, failures: u32) -> Totals {
    Totals { calls, failures, slow: 0 }
}

// Mutant: window_lost_update
#[test]
fn no_event_of_two_threads_is_lost() {
    loom::model(|| {
        let window = window::<2>();
        let other = {
            let window = window.clone();
            thread::spawn(move || window.record_only(Sample::FAILURE, at(0)))
        };
        window.record_only(Sample::FAILURE, at(1));
        other.join().unwrap();
        assert_eq!(window.totals(at(1)), totals(2, 2));
    });
}

// Mutant: window_snapshot_after_claim
// Mutant: window_boundary_twice
#[test]
fn an_event_that_meets_a_rotation_counts_in_the_new_bucket() {
    loom::model(|| {
        let window = window::<2>();
        window.record_only(Sample::FAILURE, at(0));
        let rotating = {
            let window = window.clone();
            thread::spawn(move || window.record_only(Sample::FAILURE, at(10)))
        };
        window.record_only(Sample::SUCCESS, at(10));
        rotating.join().unwrap();
        assert_eq!(window.totals(at(10)), totals(2, 1));
        assert_eq!(window.totals(at(11)), totals(2, 1));
        assert_eq!(window.totals(at(12)), Totals::ZERO);
    });
}

// Mutant: window_boundary_out_of_order
// Mutant: window_count_relaxed
#[test]
fn a_late_thread_takes_no_boundary_after_events_of_a_newer_bucket() {
    loom::model(|| {
        let window = window::<2>();
        let late = {
            let window = window.clone();
            thread::spawn(move || window.record_only(Sample::SUCCESS, at(10)))
        };
        window.record_only(Sample::FAILURE, at(11));
        late.join().unwrap();
        assert_eq!(window.totals(at(11)), totals(2, 1));
        assert_eq!(window.totals(at(12)).failures, 1);
        assert_eq!(window.totals(at(13)), Totals::ZERO);
    });
}

// Mutant: window_torn_boundary
// Mutant: window_values_relaxed
#[test]
fn a_reader_sees_no_mixed_boundary() {
    loom::model(|| {
        let window = window::<1>();
        window.record_only(Sample::SUCCESS, at(0));
        window.record_only(Sample::FAILURE, at(0));
        let rotating = {
            let window = window.clone();
            thread::spawn(move || window.record_only(Sample::SUCCESS, at(1)))
        };
        let seen = window.totals(at(0));
        let legal = [totals(2, 1), totals(3, 1), totals(1, 0), Totals::ZERO];
        assert!(legal.contains(&seen), "{seen:?}");
        rotating.join().unwrap();
        assert_eq!(window.totals(at(1)), totals(1, 0));
    });
}

// Mutant: window_baseline_supersedes
#[test]
fn an_event_beside_a_clear_is_counted_once_or_forgotten() {
    loom::model(|| {
        let window = window::<2>();
        window.record_only(Sample::FAILURE, at(0));
        let recording = {
            let window = window.clone();
            thread::spawn(move || window.record_only(Sample::SUCCESS, at(1)))
        };
        window.clear(at(1));
        recording.join().unwrap();
        let seen = window.totals(at(1));
        assert!([totals(1, 0), Totals::ZERO].contains(&seen), "{seen:?}");
        window.record_only(Sample::FAILURE, at(1));
        assert_eq!(window.totals(at(1)), totals(seen.calls + 1, 1));
        window.record_only(Sample::SUCCESS, at(3));
        assert_eq!(window.totals(at(3)), totals(1, 0));
    });
}

// Mutant: window_counters_before_boundary
#[test]
fn a_reader_beside_two_writers_never_sees_more_than_was_recorded() {
    loom::model(|| {
        let window = window::<1>();
        let writers = [0, 1].map(|bucket| {
            let window = window.clone();
            thread::spawn(move || window.record_only(Sample::FAILURE, at(bucket)))
        });
        let seen = window.totals(at(1));
        assert!(seen.calls <= 2 && seen.failures == seen.calls, "{seen:?}");
        for writer in writers {
            writer.join().unwrap();
        }
        let seen = window.totals(at(1));
        assert!((1..=2).contains(&seen.calls), "{seen:?}");
    });
}

// Mutant: window_torn_baseline
// Mutant: window_reads_while_clearing
#[test]
fn a_reader_sees_all_or_nothing_of_what_is_cleared() {
    loom::model(|| {
        let window = window::<1>();
        window.clear(at(0));
        window.record_only(Sample::SUCCESS, at(0));
        window.record_only(Sample::FAILURE, at(0));
        let clearing = {
            let window = window.clone();
            thread::spawn(move || window.clear(at(0)))
        };
        let seen = window.totals(at(0));
        assert!([totals(2, 1), Totals::ZERO].contains(&seen), "{seen:?}");
        clearing.join().unwrap();
        assert_eq!(window.totals(at(0)), Totals::ZERO);
    });
}

// Mutant: window_clear_not_handed_over
#[test]
fn a_clear_that_meets_another_still_forgets_what_came_before_it() {
    loom::model(|| {
        let window = window::<1>();
        let clearing = {
            let window = window.clone();
            thread::spawn(move || window.clear(at(0)))
        };
        window.record_only(Sample::FAILURE, at(0));
        window.clear(at(0));
        clearing.join().unwrap();
        assert_eq!(window.totals(at(0)), Totals::ZERO);
    });
}

// Mutant: window_boundary_twice
#[test]
fn the_last_calls_of_two_threads_are_never_more_than_asked_for() {
    loom::model(|| {
        let window = Arc::new(Window::<2>::new(Span::calls(2)));
        window.record_only(Sample::FAILURE, at(0));
        let other = {
            let window = window.clone();
            thread::spawn(move || {
                window.record_only(Sample::SUCCESS, at(0));
            })
        };
        window.record_only(Sample::SUCCESS, at(0));
        other.join().unwrap();
        let seen = window.totals(at(0));
        assert!(seen.calls >= 2 && seen.calls <= 3, "{seen:?}");
        window.record_only(Sample::SUCCESS, at(0));
        window.record_only(Sample::SUCCESS, at(0));
        assert_eq!(window.totals(at(0)), totals(2, 0));
    });
}
