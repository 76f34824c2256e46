//! The window with more threads and more buckets than loom can exhaust.
#![cfg(shuttle)]

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use seawall_core::Instant;
use seawall_core::measure::window::{Sample, Span, Totals, Window};
use seawall_shuttle::{explore, leak};
use shuttle::thread;

/// A window of buckets of one nanosecond.
fn window<const SLOTS: usize>() -> &'static Window<SLOTS> {
    leak(Window::new(Span::time(Duration::from_nanos(SLOTS as u64))))
}

fn at(bucket: u64) -> Instant {
    Instant::from_nanos(bucket)
}

// Mutant: window_lost_update
#[test]
fn no_event_of_many_threads_is_lost() {
    explore(|| {
        let window = window::<4>();
        let threads = [[0, 1, 3], [0, 2, 3], [1, 2, 3], [3, 1, 0]].map(|buckets| {
            thread::spawn(move || {
                for bucket in buckets {
                    window
                        .record_only(if bucket == 3 { Sample::FAILURE } else { Sample::SUCCESS }, at(bucket));
                }
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(window.totals(at(3)), Totals { calls: 12, failures: 4, slow: 0 });
    });
}

// Mutant: window_boundary_twice, window_snapshot_after_claim, window_boundary_out_of_order
#[test]
fn no_event_expires_early_or_stays_for_longer_than_one_bucket_more() {
    const SLOTS: u64 = 8;
    explore(|| {
        let window = window::<{ SLOTS as usize }>();
        // Not one of shuttle's: the clock adds no order.
        let clock = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let clock = clock.clone();
                thread::spawn(move || {
                    [(); 3].map(|()| {
                        thread::yield_now();
                        let began = clock.load(Ordering::Relaxed);
                        window.record_only(Sample::FAILURE, at(began));
                        (began, clock.load(Ordering::Relaxed))
                    })
                })
            })
            .collect();
        for now in 1..6 {
            thread::yield_now();
            clock.store(now, Ordering::Relaxed);
        }
        let events: Vec<(u64, u64)> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        for now in 5..18 {
            let seen = u64::from(window.totals(at(now)).calls);
            let least = events.iter().filter(|&&(began, _)| began + SLOTS > now).count() as u64;
            let most = events.iter().filter(|&&(_, ended)| ended + 1 + SLOTS > now).count() as u64;
            assert!((least..=most).contains(&seen), "{seen} at {now} of {events:?}");
        }
    });
}

// Mutant: window_clear_not_handed_over
#[test]
fn what_is_cleared_is_forgotten_whoever_else_clears_or_reads() {
    explore(|| {
        let window = window::<2>();
        let recorded = Arc::new(AtomicU32::new(0));
        let writers = [2, 1].map(|events| {
            let recorded = recorded.clone();
            thread::spawn(move || {
                for _ in 0..events {
                    recorded.fetch_add(1, Ordering::Relaxed);
                    window.record_only(Sample::FAILURE, at(0));
                }
                window.clear(at(0));
            })
        });
        for _ in 0..2 {
            let seen = window.totals(at(0));
            let written = recorded.load(Ordering::Relaxed);
            assert!(seen.failures <= written && seen.calls == seen.failures, "{seen:?}");
        }
        window.clear(at(0));
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(window.totals(at(0)), Totals::ZERO, "a clear began after each event");
    });
}

// Mutant: window_reads_while_clearing, window_torn_baseline
#[test]
fn a_reader_beside_two_clears_sees_all_or_nothing() {
    explore(|| {
        let window = window::<2>();
        window.clear(at(0));
        for sample in [Sample::SUCCESS, Sample::FAILURE, Sample::SLOW_SUCCESS] {
            window.record_only(sample, at(0));
        }
        let clears = [(); 2].map(|()| thread::spawn(move || window.clear(at(0))));
        let readers = [(); 2].map(|()| {
            thread::spawn(move || {
                let seen = window.totals(at(0));
                let all = Totals { calls: 3, failures: 1, slow: 1 };
                assert!([all, Totals::ZERO].contains(&seen), "{seen:?}");
            })
        });
        for thread in clears.into_iter().chain(readers) {
            thread.join().unwrap();
        }
        assert_eq!(window.totals(at(0)), Totals::ZERO);
    });
}
