//! Models of the histogram: values that are recorded while others look are neither lost nor seen twice.
#![cfg(loom)]
#![allow(missing_docs)]

use loom::sync::Arc;
use loom::thread;
use seawall_core::Ratio;
use seawall_core::measure::histogram::Histogram;

/// Buckets for 0 and 1; anything above is out of range.
type Two = Histogram<0, 2>;

// Mutant: histogram_lost_update
#[test]
fn no_value_of_two_threads_is_lost_and_no_snapshot_has_more() {
    loom::model(|| {
        let histogram = Arc::new(Two::new());
        let threads = [1, 5].map(|other| {
            let histogram = histogram.clone();
            thread::spawn(move || {
                histogram.record(1);
                histogram.record(other);
            })
        });
        let seen = histogram.snapshot();
        assert!(seen.count() <= 4 && seen.out_of_range() <= 1);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((histogram.count(), histogram.out_of_range()), (4, 1));
        assert_eq!(histogram.snapshot().since(&seen).count() + seen.count(), 4);
    });
}

// Mutant: histogram_take_in_two_steps
#[test]
fn a_value_beside_a_take_is_taken_or_stays() {
    loom::model(|| {
        let histogram = Arc::new(Two::new());
        let recording = {
            let histogram = histogram.clone();
            thread::spawn(move || {
                histogram.record(0);
                histogram.record(9);
            })
        };
        let taken = histogram.take();
        recording.join().unwrap();
        assert_eq!(taken.count() + histogram.count(), 2);
    });
}

// Mutant: histogram_rank_of_what_was_taken
#[test]
fn a_percentile_beside_a_take_is_a_value_that_was_recorded() {
    loom::model(|| {
        let histogram = Arc::new(Two::new());
        histogram.record(0);
        let taking = {
            let histogram = histogram.clone();
            thread::spawn(move || histogram.clear())
        };
        let seen = histogram.percentile(Ratio::ONE);
        assert!([None, Some(0)].contains(&seen), "{seen:?}");
        taking.join().unwrap();
    });
}
