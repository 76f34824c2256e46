//! Models of the rotating histogram: an epoch begins once, and what is recent is never missing.
#![cfg(loom)]
#![allow(missing_docs)]

use core::time::Duration;

use seawall_core::Instant;
use seawall_core::measure::rotating::RotatingHistogram;
use seawall_loom::race;

/// One bucket, and epochs of one nanosecond.
type One = RotatingHistogram<0, 1>;

fn histogram() -> &'static One {
    Box::leak(Box::new(One::new(Duration::from_nanos(2))))
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

// Mutant: rotating_epoch_in_two_steps
#[test]
fn a_thread_that_comes_late_does_not_take_the_epoch_back() {
    loom::model(|| {
        let histogram = histogram();
        histogram.record(0, at(10));
        let ((), seen) = race(
            move || histogram.record(0, at(11)),
            || {
                histogram.record(0, at(14));
                histogram.count(at(14))
            },
        );
        histogram.record(0, at(14));
        assert!(histogram.count(at(14)) > seen.min(1), "what was recent is forgotten");
    });
}

// Mutant: rotating_torn_boundary, rotating_values_relaxed
#[test]
fn a_reader_beside_a_new_epoch_misses_nothing_that_is_recent() {
    loom::model(|| {
        let histogram = histogram();
        histogram.record(0, at(10));
        histogram.record(0, at(11));
        let ((), seen) = race(move || histogram.record(0, at(12)), || histogram.count(at(11)));
        assert!((1..=3).contains(&seen), "{seen}");
        assert!((1..=2).contains(&histogram.count(at(12))));
    });
}

// Mutant: rotating_overwrites_the_base
#[test]
fn the_epoch_before_counts_while_a_boundary_is_taken() {
    loom::model(|| {
        let histogram = histogram();
        histogram.record(0, at(10));
        let ((), seen) = race(move || histogram.record(0, at(11)), || histogram.count(at(11)));
        assert!((1..=2).contains(&seen), "{seen}");
        assert_eq!(histogram.count(at(11)), 2);
    });
}
