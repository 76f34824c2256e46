//! Models of the change detector: each value counts once, in the mean and in the deviation.
#![cfg(loom)]
#![allow(missing_docs)]

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use seawall_core::measure::change::{ChangeDetector, Config, Verdict};

fn detector(config: Config) -> &'static ChangeDetector {
    Box::leak(Box::new(ChangeDetector::new(config)))
}

/// Runs both at the same time, and returns what they return; see the models of the bulkhead for why each side begins with
/// an exchange of its own.
fn race<A: 'static, B>(one: impl FnOnce() -> A + 'static, other: impl FnOnce() -> B) -> (A, B) {
    let start: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(0)));
    let one = thread::spawn(move || {
        start.fetch_add(1, Ordering::Relaxed);
        one()
    });
    start.fetch_add(1, Ordering::Relaxed);
    let other = other();
    (one.join().unwrap(), other)
}

// Mutant: change_mean_in_two_steps
#[test]
fn two_values_at_once_both_move_the_mean() {
    loom::model(|| {
        let detector = detector(Config::new().weight_shift(1).warm_up(1).least_spread(1_000));
        detector.observe(0);
        race(move || detector.observe(100), || detector.observe(100));
        assert_eq!(detector.mean(), 75);
    });
}

// Mutant: change_spread_in_two_steps
#[test]
fn two_values_at_once_are_both_seen() {
    loom::model(|| {
        let detector = detector(Config::new().warm_up(3));
        assert_eq!(detector.observe(7), Verdict::Learning);
        let verdicts = race(move || detector.observe(7), || detector.observe(7));
        assert_eq!(verdicts, (Verdict::Learning, Verdict::Learning));
        assert_eq!(detector.observe(7), Verdict::Normal);
    });
}
