//! The adaptive rate under every interleaving: one caller judges a window, once.
#![cfg(loom)]

use core::time::Duration;

use seawall_core::adaptive_rate::{AdaptiveRate, Config};
use seawall_core::rate_limiter::Quota;
use seawall_core::{Instant, Outcome};
use seawall_loom::{leak, race};

type Rate = &'static AdaptiveRate;

const TARGET: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_millis(200);

fn at(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

/// Ten a second, in windows of a second of which one sample is enough; the first window has a slow one.
fn slow_window() -> Rate {
    let rate = AdaptiveRate::new(Config::new(Quota::per_second(10), TARGET).samples(1));
    assert_eq!(rate.record(Outcome::Success, SLOW, at(0)), None);
    leak(rate)
}

fn thousandths(rate: Rate) -> u64 {
    rate.snapshot().quota.rate_in_thousandths()
}

// Mutant: adaptive_rate_elects_everybody
#[test]
fn one_of_two_results_judges_the_window_before() {
    loom::model(|| {
        let rate = slow_window();
        let record = move || rate.record(Outcome::Success, SLOW, at(1));
        let (one, other) = race(record, record);
        assert!(one.is_some() != other.is_some(), "{one:?}, {other:?}");
        assert_eq!(thousandths(rate), 9000, "they are of the window that just began");
    });
}

// Mutant: adaptive_rate_judges_a_sample_twice
#[test]
fn a_sample_is_judged_once() {
    loom::model(|| {
        let rate = slow_window();
        let record = move || rate.record(Outcome::Success, TARGET, at(1));
        race(record, record);
        assert_eq!(rate.record(Outcome::Success, TARGET, at(2)), None);
        assert_eq!(thousandths(rate), 9000);
    });
}

// Mutant: quota_ignores_other_changes
#[test]
fn whoever_judges_late_moves_the_rate_that_it_meets() {
    loom::model(|| {
        let rate = slow_window();
        let record = move |second| u32::from(rate.record(Outcome::Success, SLOW, at(second)).is_some());
        let (one, other) = race(move || record(1), move || record(1) + record(2));
        let steps = one + other;
        assert_eq!(thousandths(rate), [10_000, 9000, 8100][steps as usize], "{one} and {other}");
    });
}

// Mutant: quota_keeps_its_generation
#[test]
fn an_adjustment_races_with_a_call_and_both_hold() {
    loom::model(|| {
        let rate = slow_window();
        let (adjusted, granted) = race(
            move || rate.record(Outcome::Success, TARGET, at(1)).is_some(),
            || rate.try_acquire_many(5, at(1)).is_ok(),
        );
        assert!(adjusted && granted);
        // Nine of ten fit the new burst; who took five before the change left five, else four.
        assert!([4, 5].contains(&rate.available(at(1))), "{}", rate.available(at(1)));
    });
}
