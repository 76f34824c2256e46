//! The keyed breaker under every interleaving: what opens stays, and nobody is judged by another key's breaker.
#![cfg(loom)]

use std::time::Duration;

use seawall_core::circuit_breaker::{Cause, Config, Settlement, State};
use seawall_core::keyed::circuit_breaker::{Permit, Rejected};
use seawall_core::window::Span;
use seawall_core::{Instant, KeyedCircuitBreaker, Outcome, Ratio, keyed};
use seawall_loom::{leak, race};

const NOW: Instant = Instant::from_secs(10);

type Keyed = &'static KeyedCircuitBreaker<1>;

/// One entry, and breakers that open at the first failure; the hash of a key is its number.
fn keyed() -> Keyed {
    let rules = Config::consecutive_failures(1).open_for(Duration::from_secs(60));
    leak(KeyedCircuitBreaker::new(rules, keyed::Config::seeded(0)))
}

fn state(keyed: Keyed, key: u64) -> Option<State> {
    keyed.breaker_of_hash(key).status().map(|status| status.state)
}

// Mutant: keyed_seals_what_changed
#[test]
fn a_breaker_that_opens_while_it_is_passed_on_stays() {
    loom::model(|| {
        let keyed = keyed();
        let permit = keyed.breaker_of_hash(1).try_acquire(NOW).unwrap();
        let (opened, new) = race(
            move || permit.record(Outcome::Failure, NOW).transition().is_some(),
            || keyed.breaker_of_hash(2).try_acquire(NOW).map(drop).is_ok(),
        );
        assert!(opened ^ new, "either it opened, or another key has the entry");
        assert_eq!(state(keyed, 1), opened.then_some(State::Open));
    });
}

// Mutant: keyed_evicts_the_open
#[test]
fn an_open_breaker_keeps_its_entry() {
    loom::model(|| {
        let keyed = keyed();
        keyed.breaker_of_hash(1).try_acquire(NOW).unwrap().record(Outcome::Failure, NOW);
        let ask = |key| move || keyed.breaker_of_hash(key).try_acquire(NOW).map(drop);
        let (known, new) = race(ask(1), ask(2));
        assert!(matches!(known, Err(Rejected::Refused(_))));
        assert!(matches!(new, Err(Rejected::TableFull { .. })));
        assert_eq!(state(keyed, 1), Some(State::Open));
    });
}

// Mutant: keyed_admits_by_a_breaker_that_was_passed_on
#[test]
fn nobody_is_refused_by_the_breaker_of_another_key() {
    loom::model(|| {
        let keyed = keyed();
        drop(keyed.breaker_of_hash(1).try_acquire(NOW).unwrap());
        let (known, opened) = race(
            move || keyed.breaker_of_hash(1).try_acquire(NOW).map(drop),
            || {
                let permit = keyed.breaker_of_hash(2).try_acquire(NOW).unwrap();
                permit.record(Outcome::Failure, NOW).transition().is_some()
            },
        );
        assert!(matches!(known, Ok(()) | Err(Rejected::TableFull { .. })), "{known:?}");
        assert_eq!(state(keyed, 2), opened.then_some(State::Open));
    });
}

// Mutant: word_takes_a_lost_exchange_for_won
#[test]
fn a_key_that_two_threads_bring_in_has_one_breaker() {
    loom::model(|| {
        let keyed = keyed();
        drop(keyed.breaker_of_hash(9).try_acquire(NOW).unwrap());
        let fail = move || {
            let permit = keyed.breaker_of_hash(1).try_acquire(NOW);
            permit.is_ok_and(|permit| permit.record(Outcome::Failure, NOW).transition().is_some())
        };
        let (one, other) = race(fail, fail);
        assert!(one ^ other, "it opens once");
        assert_eq!(state(keyed, 1), Some(State::Open));
    });
}

// Mutant: keyed_judges_by_an_old_window
#[test]
fn results_of_two_threads_are_both_among_the_last() {
    loom::model(|| {
        let rules = Config::failure_rate(Ratio::percent(50), Span::calls(4), 3);
        let keyed: Keyed = leak(KeyedCircuitBreaker::new(rules, keyed::Config::seeded(0)));
        let begin = || keyed.breaker_of_hash(1).try_acquire(NOW).unwrap();
        let (first, second, third) = (begin(), begin(), begin());
        first.record(Outcome::Success, NOW);
        let end = |permit: Permit<'static>| move || permit.record(Outcome::Failure, NOW).transition();
        let (one, other) = race(end(second), end(third));
        let opened = one.or(other).expect("two of three failed");
        assert_eq!(opened.cause, Cause::FailureRate { calls: 3, failures: 2 });
        assert!(one.is_none() || other.is_none(), "it opens once");
        assert_eq!(state(keyed, 1), Some(State::Open));
    });
}

// Mutant: keyed_evicts_what_is_forced, keyed_changes_the_breaker_of_another_key, keyed_seals_what_changed
// Preemptions: 2
#[test]
fn a_hand_holds_the_breaker_of_its_key_and_no_other() {
    loom::model(|| {
        let keyed = keyed();
        drop(keyed.breaker_of_hash(1).try_acquire(NOW).unwrap());
        let (held, new) = race(
            || keyed.breaker_of_hash(1).force_open(NOW).is_ok(),
            || keyed.breaker_of_hash(2).try_acquire(NOW).map(drop),
        );
        assert!(held, "a closed breaker makes room");
        assert!(matches!(new, Ok(()) | Err(Rejected::TableFull { .. })), "{new:?}");
        assert_eq!(state(keyed, 1), Some(State::Open));
        assert!(keyed.breaker_of_hash(2).try_acquire(NOW).is_err());
    });
}

// Mutant: keyed_seals_what_changed
#[test]
fn a_reset_and_a_result_are_one_after_the_other() {
    loom::model(|| {
        let keyed = keyed();
        let permit = keyed.breaker_of_hash(1).try_acquire(NOW).unwrap();
        let (settled, reset) = race(
            move || permit.record(Outcome::Failure, NOW),
            || keyed.breaker_of_hash(1).reset().expect("it has an entry"),
        );
        match settled {
            Settlement::Stale => assert_eq!(reset.from, State::Closed),
            settled => assert_eq!(settled.transition().map(|opened| opened.to), Some(reset.from)),
        }
        assert_eq!(state(keyed, 1), Some(State::Closed));
    });
}
