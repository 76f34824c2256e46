//! The retry budget under every interleaving: what is taken out was paid in.
#![cfg(loom)]

use core::time::Duration;

use seawall_core::retry::{Config, Decision};
use seawall_core::{Backoff, Deadline, Instant, Ratio, Retry};
use seawall_loom::{leak, race, race3};

type Budget = &'static Retry;

/// A budget into which each call pays one retry; every thread of the model may borrow it.
fn budget(cap: u32) -> Budget {
    let config = Config::attempts(9, Backoff::constant(Duration::ZERO)).budget(Ratio::ONE, cap, 0);
    leak(Retry::new(config))
}

fn retries(budget: Budget) -> bool {
    let decision = budget.decide(1, Duration::ZERO, Deadline::NONE, 0, Instant::ZERO);
    matches!(decision, Decision::RetryAfter(_))
}

// Mutant: retry_overdraws, word_stores_instead_of_exchanging, word_takes_a_lost_exchange_for_won
#[test]
fn budget_is_never_overdrawn() {
    loom::model(|| {
        let budget = budget(2);
        let granted = race3(move || retries(budget));
        assert_eq!(granted.into_iter().filter(|&granted| granted).count(), 2);
        assert_eq!(budget.balance(), 0);
    });
}

// Mutant: retry_checks_the_cap_before_the_deposit
#[test]
fn deposits_never_exceed_the_cap() {
    loom::model(|| {
        let budget = budget(1);
        assert!(retries(budget));
        race3(move || budget.call_started());
        assert_eq!(budget.balance(), 1);
    });
}

// Mutant: word_stores_instead_of_exchanging, word_takes_a_lost_exchange_for_won
#[test]
fn a_deposit_races_with_a_withdrawal_and_neither_is_lost() {
    loom::model(|| {
        let budget = budget(2);
        assert!(retries(budget));
        let ((), granted) = race(move || budget.call_started(), || retries(budget));
        assert!(granted, "one retry was paid for all the time");
        assert_eq!(budget.balance(), 1);
    });
}

// Mutant: retry_judges_before_it_drains, word_stores_instead_of_exchanging
#[test]
fn two_failures_at_the_threshold_of_a_throttle_get_one_retry() {
    loom::model(|| {
        let config = Config::attempts(9, Backoff::constant(Duration::ZERO)).throttle(Ratio::ONE, 4);
        let throttle: Budget = leak(Retry::new(config));
        let (one, other) = race(move || retries(throttle), || retries(throttle));
        assert_eq!(u32::from(one) + u32::from(other), 1, "3 is more than half of 4, and 2 is not");
        assert_eq!(throttle.balance(), 2);
    });
}
