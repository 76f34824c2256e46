//! What an entry keeps of its key, and when another key gets it.

extern crate std;

use super::*;
use crate::atomic::sync::probe::interrupted;
use crate::measure::window::Span;
use std::sync::{Arc, Mutex};

#[test]
fn a_probe_that_is_dropped_gives_its_place_back() {
    let keyed = keyed::<1>(1);
    fail(&keyed, 1, 1);
    for _ in 0..3 {
        let probe = keyed.breaker_of_hash(1).try_acquire(s(11)).unwrap();
        assert!(keyed.breaker_of_hash(1).try_acquire(s(11)).is_err(), "one at a time");
        drop(probe);
    }
}

#[test]
fn what_comes_after_its_key_was_forgotten_is_stale() {
    let keyed = keyed::<2>(1);
    let [one, other] = [(); 2].map(|()| keyed.breaker_of_hash(1).try_acquire(s(1)).unwrap());
    assert!(keyed.breaker_of_hash(1).forget());
    assert_eq!(one.record(Outcome::Failure, s(1)), Settlement::Stale);
    assert_eq!(other.record(Outcome::Ignored, s(1)), Settlement::Stale);
}

/// Its own sealed entry stands behind one that is free by now.
#[test]
fn a_key_that_comes_back_finds_its_sealed_entry_in_the_way_of_nobody() {
    let keyed = keyed::<2>(1);
    for key in [1, 2] {
        assert!(call(&keyed, key, Outcome::Success, s(1)).is_ok());
    }
    assert!(keyed.breaker_of_hash(1).forget() && keyed.breaker_of_hash(2).forget());
    fail(&keyed, 2, 1);
    assert_eq!((keyed.len(), keyed.breaker_of_hash(2).status().unwrap().entry), (1, 0));
    fail(&keyed, 1, 1);
    assert_eq!((keyed.len(), keyed.evictions()), (2, 0));
}

#[test]
fn a_breaker_that_never_closes_has_its_entry_for_ever() {
    let keyed = KeyedCircuitBreaker::<1>::new(rules(1).open_for(Duration::MAX), KEYS);
    fail(&keyed, 1, 1);
    let full = keyed.breaker_of_hash(2).try_acquire(s(9)).unwrap_err();
    assert_eq!(full, Rejected::TableFull { retry_after: None });
}

/// Until the ramp is over it refuses a share of the calls; then it is as closed as any.
#[test]
fn a_breaker_that_ramps_stays_and_one_that_has_ramped_is_as_new() {
    let ramp = rules(1).ramp(Duration::from_secs(10), Ratio::ONE);
    let keyed = KeyedCircuitBreaker::<1>::new(ramp, KEYS);
    fail(&keyed, 1, 1);
    assert!(call(&keyed, 1, Outcome::Success, s(11)).is_ok());
    assert!(matches!(call(&keyed, 2, Outcome::Success, s(20)), Err(Rejected::TableFull { .. })));
    assert!(call(&keyed, 2, Outcome::Success, s(21)).is_ok());
    assert_eq!((keyed.evictions(), keyed.snapshot().forgiven), (1, 0));
}

/// In the state of an open breaker, and of one without a rule for rates, the bits of results mean something else.
#[test]
fn results_are_told_only_where_they_are_kept_and_while_the_breaker_is_closed() {
    let by_row = keyed::<1>(4);
    fail(&by_row, 1, 3);
    let told = |keyed: &KeyedCircuitBreaker<1>| {
        let status = keyed.breaker_of_hash(1).status().unwrap();
        (status.consecutive_failures, status.calls, status.failures)
    };
    assert_eq!(told(&by_row), (3, 0, 0));
    let by_rate = circuit_breaker::Config::failure_rate(Ratio::percent(60), Span::calls(4), 4);
    let by_rate = KeyedCircuitBreaker::<1>::new(by_rate.open_for(Duration::from_secs(10)), KEYS);
    assert!(call(&by_rate, 1, Outcome::Success, s(1)).is_ok());
    fail(&by_rate, 1, 2);
    assert_eq!(told(&by_rate), (2, 3, 2));
    fail(&by_rate, 1, 1);
    assert_eq!(told(&by_rate), (0, 0, 0), "it opened");
    for _ in 0..2 {
        assert!(call(&by_rate, 1, Outcome::Success, s(11)).is_ok());
        assert_eq!(told(&by_rate), (0, 0, 0), "half-open");
    }
}

#[test]
fn a_breaker_that_is_forced_open_while_another_key_comes_keeps_its_entry() {
    let holds = |n| {
        let keyed = Arc::new(keyed::<1>(1));
        assert!(call(&keyed, 1, Outcome::Success, s(1)).is_ok());
        let table = keyed.clone();
        let handler = move || assert!(table.breaker_of_hash(1).force_open(s(1)).is_ok());
        let reached = interrupted(n, handler, || _ = call(&keyed, 2, Outcome::Success, s(1)));
        let status = keyed.breaker_of_hash(1).status();
        assert!(status.is_some_and(|status| status.forced), "access {n}");
        reached
    };
    let accesses = (0..1000).take_while(|&n| holds(n)).count();
    assert!((10..1000).contains(&accesses));
}

/// Wherever another key is on its way into the entry.
#[test]
fn a_breaker_that_opens_while_another_key_comes_keeps_its_entry() {
    let opens = |n| {
        let keyed = Arc::new(keyed::<1>(1));
        assert!(call(&keyed, 1, Outcome::Success, s(1)).is_ok());
        let (table, opened) = (keyed.clone(), Arc::new(Mutex::new(false)));
        let tell = opened.clone();
        let handler = move || {
            let settled = call(&table, 1, Outcome::Failure, s(1));
            *tell.lock().unwrap() = settled.is_ok_and(|settled| settled.transition().is_some());
        };
        let reached = interrupted(n, handler, || _ = call(&keyed, 2, Outcome::Success, s(1)));
        assert!(*opened.lock().unwrap(), "access {n}");
        let status = keyed.breaker_of_hash(1).status();
        assert!(status.is_some_and(|status| status.state == State::Open), "access {n}");
        reached
    };
    let accesses = (0..1000).take_while(|&n| opens(n)).count();
    assert!((10..1000).contains(&accesses));
}
