//! Models of the learned timeouts: each attempt is one step, and one caller adjusts a batch.
#![cfg(loom)]
#![allow(missing_docs)]

use core::time::Duration;

use seawall_core::adaptive_timeout::{AdaptiveTimeout, Config, Growth, PercentileTimeout};
use seawall_core::{Instant, Outcome};
use seawall_loom::{leak, race, race3};

const NOW: Instant = Instant::ZERO;

fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

fn timeout() -> &'static AdaptiveTimeout {
    leak(AdaptiveTimeout::new(Config::new(us(1000)).at_least(us(1)).grow_on(Growth::Failures)))
}

/// Two microseconds from one bucket each.
fn percentile(initial: u64) -> &'static PercentileTimeout<0, 3> {
    leak(PercentileTimeout::new(Config::new(us(initial)).at_least(us(1))))
}

// Mutant: adaptive_timeout_in_two_steps, word_stores_instead_of_exchanging, word_takes_a_lost_exchange_for_won
#[test]
fn a_success_beside_a_failure_is_one_of_the_serial_results() {
    loom::model(|| {
        let timeout = timeout();
        let (shorter, longer) =
            race(move || timeout.record(Outcome::Success, us(1)), || timeout.record(Outcome::Failure, us(1)));
        let (shorter, longer) = (shorter.unwrap(), longer.unwrap());
        let chain = if shorter.from == us(1000) { [shorter, longer] } else { [longer, shorter] };
        assert_eq!((chain[0].from, chain[0].to), (us(1000), chain[1].from));
        assert_eq!(timeout.current(NOW), chain[1].to);
        assert!([us(1045), us(1046)].contains(&timeout.current(NOW)));
    });
}

// Mutant: adaptive_timeout_in_two_steps
#[test]
fn three_failures_at_once_are_three_steps() {
    loom::model(|| {
        let timeout = timeout();
        race3(move || timeout.record(Outcome::Failure, us(1)).unwrap());
        assert_eq!(timeout.current(NOW), us(1331));
    });
}

// Mutant: adaptive_timeout_forgets_that_it_was_set
#[test]
fn what_is_set_by_hand_is_not_adapted_by_an_attempt_that_ends_then() {
    loom::model(|| {
        let timeout = timeout();
        race(move || timeout.record(Outcome::Failure, us(1)), || timeout.set(us(7)).unwrap());
        assert_eq!(timeout.current(NOW), us(7));
        assert!(timeout.is_set());
    });
}

// Mutant: percentile_timeout_counts_in_two_steps
#[test]
fn one_caller_adjusts_a_batch() {
    loom::model(|| {
        let timeout = percentile(100);
        let (one, other) =
            race(move || timeout.record(Outcome::Success, us(1)), || timeout.record(Outcome::Success, us(1)));
        assert_eq!(u32::from(one.is_some()) + u32::from(other.is_some()), 1);
        assert_eq!(timeout.samples(), 2);
        let adjustment = one.or(other).unwrap();
        assert_eq!((adjustment.from, timeout.current(NOW)), (us(100), adjustment.to));
    });
}
