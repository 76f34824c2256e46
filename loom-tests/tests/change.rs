//! Models of the change detector: each value counts once, in the mean and in the deviation.
#![cfg(loom)]
#![allow(missing_docs)]

use seawall_core::measure::change::{ChangeDetector, Config, Verdict};
use seawall_loom::race;

fn detector(config: Config) -> &'static ChangeDetector {
    Box::leak(Box::new(ChangeDetector::new(config)))
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
