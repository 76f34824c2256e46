//! Breakers that are held by hand.

use core::time::Duration;

use super::super::{KeyedCircuitBreaker, Rejected, Snapshot};
use super::{KEYS, call, fail, keyed, knows, rules, s};
use crate::admission::circuit_breaker::{Cause, Reason, Settlement, State};
use crate::admission::keyed::WhenFull;
use crate::outcome::Outcome;

fn reason(rejected: Rejected) -> Option<Reason> {
    match rejected {
        Rejected::Refused(rejected) => Some(rejected.reason),
        Rejected::TableFull { .. } => None,
    }
}

#[test]
fn a_key_that_is_held_open_is_refused_until_it_is_reset() {
    let keyed = keyed::<8>(1);
    let held = keyed.breaker_of_hash(1).force_open(s(1)).unwrap();
    assert_eq!((held.from, held.to, held.cause), (State::Closed, State::Open, Cause::Manual));
    let refused = keyed.breaker_of_hash(1).try_acquire(s(500)).unwrap_err();
    assert_eq!((reason(refused), refused.retry_after()), (Some(Reason::ForcedOpen), None));
    assert_eq!(keyed.breaker_of_hash(1).check(s(500)), Err(refused));
    let status = keyed.breaker_of_hash(1).status().unwrap();
    assert_eq!((status.state, status.forced), (State::Open, true));
    assert!(call(&keyed, 2, Outcome::Success, s(500)).is_ok(), "another key is not held");
    let reset = keyed.breaker_of_hash(1).reset().unwrap();
    assert_eq!((reset.from, reset.to), (State::Open, State::Closed));
    assert!(call(&keyed, 1, Outcome::Success, s(500)).is_ok());
    assert_eq!(keyed.breaker_of_hash(3).reset(), None, "it is as new");
}

#[test]
fn a_key_that_is_held_closed_counts_nothing() {
    let keyed = keyed::<8>(1);
    let late = keyed.breaker_of_hash(1).try_acquire(s(1)).unwrap();
    let held = keyed.breaker_of_hash(1).force_closed(s(1)).unwrap();
    assert_eq!((held.from, held.to), (State::Closed, State::Closed));
    assert_eq!(call(&keyed, 1, Outcome::Failure, s(1)), Ok(Settlement::Uncounted));
    assert_eq!(late.record(Outcome::Failure, s(1)), Settlement::Uncounted);
    let status = keyed.breaker_of_hash(1).status().unwrap();
    assert_eq!((status.state, status.forced, status.consecutive_failures), (State::Closed, true, 0));
    let before = keyed.breaker_of_hash(1).try_acquire(s(1)).unwrap();
    keyed.breaker_of_hash(1).reset();
    assert_eq!(before.record(Outcome::Failure, s(1)), Settlement::Stale);
    assert!(matches!(call(&keyed, 1, Outcome::Failure, s(1)), Ok(Settlement::Changed(_))));
}

#[test]
fn a_trip_opens_for_the_open_time_and_ends_what_is_forced() {
    let keyed = keyed::<8>(3);
    for force in [false, true] {
        if force {
            keyed.breaker_of_hash(1).force_closed(s(20)).unwrap();
        }
        let tripped = keyed.breaker_of_hash(1).trip(s(20)).unwrap();
        assert_eq!((tripped.from, tripped.to), (State::Closed, State::Open));
        let refused = keyed.breaker_of_hash(1).check(s(21)).unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(9)));
        assert!(call(&keyed, 1, Outcome::Success, s(30)).is_ok(), "a probe");
        let status = keyed.breaker_of_hash(1).status().unwrap();
        assert_eq!((status.state, status.forced), (State::Closed, false));
    }
}

#[test]
fn what_is_forced_stays_and_what_is_reset_goes() {
    let keyed = keyed::<2>(1);
    keyed.breaker_of_hash(1).force_closed(s(1)).unwrap();
    for stranger in 10..1100 {
        assert!(call(&keyed, stranger, Outcome::Success, s(1)).is_ok(), "the other entry");
    }
    assert!(knows(&keyed, 1));
    keyed.breaker_of_hash(2).force_open(s(1)).unwrap();
    let full = Rejected::TableFull { retry_after: None };
    assert_eq!(call(&keyed, 3, Outcome::Success, s(999)).unwrap_err(), full, "all are forced");
    assert_eq!(keyed.breaker_of_hash(3).force_open(s(999)), Err(full));
    assert_eq!(keyed.breaker_of_hash(3).trip(s(999)), Err(full));
    assert!(call(&keyed, 1, Outcome::Success, s(999)).is_ok());
    keyed.breaker_of_hash(2).reset();
    assert!(call(&keyed, 3, Outcome::Success, s(999)).is_ok());
    assert!(keyed.breaker_of_hash(1).forget(), "what is forced, too, can be forgotten");
    assert!(call(&keyed, 4, Outcome::Success, s(999)).is_ok());
    assert!(!knows(&keyed, 1));
}

#[test]
fn a_full_table_says_when_the_first_that_is_not_forced_can_go() {
    let keyed = keyed::<2>(1);
    keyed.breaker_of_hash(1).force_open(s(1)).unwrap();
    fail(&keyed, 2, 1);
    let full = call(&keyed, 3, Outcome::Success, s(2)).unwrap_err();
    assert_eq!(full, Rejected::TableFull { retry_after: Some(Duration::from_millis(9001)) });
}

#[test]
fn nobody_holds_the_breaker_that_keys_without_an_entry_share() {
    let keyed = KeyedCircuitBreaker::<1>::new(rules(1), KEYS.when_full(WhenFull::Share));
    keyed.breaker_of_hash(1).force_open(s(1)).unwrap();
    assert!(matches!(keyed.breaker_of_hash(2).force_open(s(1)), Err(Rejected::TableFull { .. })));
    assert!(keyed.breaker_of_hash(3).try_acquire(s(1)).unwrap().is_shared());
    assert_eq!(keyed.breaker_of_hash(3).reset(), None);
    assert_eq!(keyed.snapshot().turned_away, 1, "a hand is no call");
}

#[test]
fn a_hand_brings_its_key_in_and_takes_no_probe() {
    let keyed = keyed::<8>(1);
    fail(&keyed, 1, 1);
    keyed.breaker_of_hash(2).force_open(s(1)).unwrap();
    keyed.breaker_of_hash(3).trip(s(1)).unwrap();
    assert!(keyed.breaker_of_hash(4).try_acquire(s(1)).is_ok());
    keyed.breaker_of_hash(5).force_closed(s(1)).unwrap();
    let probe = keyed.breaker_of_hash(1).try_acquire(s(11)).unwrap();
    let expected = Snapshot {
        capacity: 8,
        held: 5,
        closed: 2,
        half_open: 1,
        open: 2,
        forced: 2,
        evictions: 0,
        forgiven: 0,
        turned_away: 0,
    };
    assert_eq!(keyed.snapshot(), expected);
    assert_eq!((keyed.statuses().count(), keyed.hot().count()), (5, 3));
    assert_eq!(keyed.statuses().filter(|status| status.forced).count(), 2);
    keyed.breaker_of_hash(1).trip(s(11)).unwrap();
    assert_eq!(probe.record(Outcome::Success, s(11)), Settlement::Stale);
    assert_eq!(keyed.breaker_of_hash(1).status().unwrap().state, State::Open);
}
