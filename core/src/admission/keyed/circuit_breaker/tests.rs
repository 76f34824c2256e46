mod by_hand;
mod by_rate;

use core::time::Duration;

use super::{Entry, KeyedCircuitBreaker, Rejected};
use crate::admission::circuit_breaker::{self, Cause, Reason, Settlement, State};
use crate::admission::keyed::{Config, WhenFull};
use crate::atomic::sync::{Wide, probe};
use crate::config::ConfigError;
use crate::outcome::Outcome;
use crate::ratio::Ratio;
use crate::time::Instant;

mod entries;

const KEYS: Config = Config::seeded(7);

fn s(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

/// Opens for ten seconds after so many failures in a row, and closes after one success.
fn rules(failures: u32) -> circuit_breaker::Config {
    circuit_breaker::Config::consecutive_failures(failures)
        .open_for(Duration::from_secs(10))
        .successes_to_close(1)
}

fn keyed<const N: usize>(failures: u32) -> KeyedCircuitBreaker<N> {
    KeyedCircuitBreaker::new(rules(failures), KEYS)
}

fn call<const N: usize>(
    keyed: &KeyedCircuitBreaker<N>,
    key: u64,
    outcome: Outcome,
    now: Instant,
) -> Result<Settlement, Rejected> {
    keyed.breaker_of_hash(key).try_acquire(now).map(|permit| permit.record(outcome, now))
}

fn fail<const N: usize>(keyed: &KeyedCircuitBreaker<N>, key: u64, times: u32) {
    for _ in 0..times {
        assert!(call(keyed, key, Outcome::Failure, s(1)).is_ok());
    }
}

fn knows<const N: usize>(keyed: &KeyedCircuitBreaker<N>, key: u64) -> bool {
    keyed.breaker_of_hash(key).status().is_some()
}

#[test]
fn each_key_has_a_breaker_of_its_own() {
    let keyed = keyed::<16>(2);
    fail(&keyed, 1, 2);
    fail(&keyed, 2, 1);
    let rejected = keyed.breaker_of_hash(1).try_acquire(s(2)).unwrap_err();
    assert_eq!(rejected.retry_after(), Some(Duration::from_secs(9)));
    assert!(matches!(rejected, Rejected::Refused(rejected) if rejected.reason == Reason::Open));
    assert_eq!(keyed.breaker_of_hash(1).check(s(2)), Err(rejected));
    assert!(keyed.breaker_of_hash(2).check(s(2)).is_ok());
    assert_eq!(keyed.breaker_of_hash(2).status().unwrap().consecutive_failures, 1);
    assert_eq!(keyed.breaker_of_hash(3).status(), None);
    let closed = call(&keyed, 1, Outcome::Success, s(11)).unwrap().transition().unwrap();
    assert_eq!((closed.to, closed.cause), (State::Closed, Cause::ProbesSucceeded { successes: 1 }));
    assert_eq!((keyed.len(), keyed.evictions(), keyed.hot().count()), (2, 0, 0));
}

#[test]
fn the_healthiest_goes_first_and_what_refuses_never() {
    let keyed = keyed::<4>(4);
    for (key, failures) in [(1, 2), (2, 4), (3, 0), (4, 1)] {
        fail(&keyed, key, failures);
        drop(keyed.breaker_of_hash(key).try_acquire(s(1)));
    }
    assert_eq!(keyed.len(), 4);
    for (new, gone, forgiven) in [(5, 3, 0), (6, 5, 0)] {
        assert!(call(&keyed, new, Outcome::Success, s(2)).is_ok());
        assert!(!knows(&keyed, gone) && knows(&keyed, new), "{new}");
        assert_eq!(keyed.snapshot().forgiven, forgiven);
    }
    fail(&keyed, 6, 4);
    assert!(call(&keyed, 7, Outcome::Success, s(2)).is_ok());
    assert!(!knows(&keyed, 4), "one failure in a row");
    fail(&keyed, 7, 4);
    assert!(call(&keyed, 8, Outcome::Success, s(2)).is_ok());
    assert!(!knows(&keyed, 1), "two failures in a row");
    fail(&keyed, 8, 4);
    let sums = keyed.snapshot();
    assert_eq!((sums.capacity, sums.held, sums.open), (4, 4, 4));
    assert_eq!((sums.evictions, sums.forgiven, sums.turned_away), (4, 2, 0));
    let full = keyed.breaker_of_hash(9).try_acquire(s(2)).unwrap_err();
    assert_eq!(full, Rejected::TableFull { retry_after: Some(Duration::from_millis(9001)) });
    assert_eq!(keyed.breaker_of_hash(9).check(s(2)), Err(full));
    assert!(call(&keyed, 9, Outcome::Success, s(11)).is_ok(), "one of them would admit a probe now");
    assert_eq!((keyed.snapshot().turned_away, keyed.snapshot().forgiven), (1, 3));
    assert_eq!(keyed.evictions(), 5);
}

#[test]
fn a_half_open_breaker_stays_until_its_probes_are_lost() {
    let keyed = keyed::<1>(1);
    fail(&keyed, 1, 1);
    let probe = keyed.breaker_of_hash(1).try_acquire(s(11)).unwrap();
    assert_eq!(keyed.breaker_of_hash(1).status().unwrap().state, State::HalfOpen);
    assert!(matches!(call(&keyed, 2, Outcome::Success, s(12)), Err(Rejected::TableFull { .. })));
    assert!(call(&keyed, 2, Outcome::Success, s(22)).is_ok(), "its lease is over");
    assert_eq!(probe.record(Outcome::Success, s(22)), Settlement::Stale);
    assert_eq!(keyed.breaker_of_hash(2).status().unwrap().state, State::Closed);
}

#[test]
fn what_comes_late_is_stale_and_harms_no_other_key() {
    let keyed = keyed::<1>(1);
    let late = [(); 3].map(|()| keyed.breaker_of_hash(1).try_acquire(s(1)).unwrap());
    let [failed, dropped, ticket] = late;
    let ticket = ticket.into_ticket();
    let of_two = keyed.breaker_of_hash(2).try_acquire(s(1)).unwrap();
    assert_eq!(failed.record(Outcome::Failure, s(1)), Settlement::Stale);
    drop(dropped);
    assert_eq!(keyed.settle(ticket, Outcome::Failure, s(1)), Settlement::Stale);
    assert_eq!(keyed.breaker_of_hash(2).status().unwrap().state, State::Closed);
    assert!(matches!(of_two.record(Outcome::Failure, s(1)), Settlement::Changed(_)));
    assert!(matches!(call(&keyed, 1, Outcome::Success, s(1)), Err(Rejected::TableFull { .. })));
}

#[test]
fn a_key_that_comes_back_begins_as_new() {
    let keyed = keyed::<1>(3);
    fail(&keyed, 1, 2);
    let late = keyed.breaker_of_hash(1).try_acquire(s(1)).unwrap();
    assert!(call(&keyed, 2, Outcome::Success, s(1)).is_ok());
    fail(&keyed, 1, 2);
    assert_eq!(late.record(Outcome::Failure, s(1)), Settlement::Stale);
    assert_eq!(keyed.breaker_of_hash(1).status().unwrap().consecutive_failures, 2);
}

#[test]
fn a_thousand_keys_in_one_entry_leave_no_trace() {
    let keyed = keyed::<1>(1);
    let late = keyed.breaker_of_hash(1).try_acquire(s(1)).unwrap();
    for key in 2..1030 {
        assert!(call(&keyed, key, Outcome::Success, s(1)).is_ok());
    }
    fail(&keyed, 1, 1);
    assert_eq!(late.record(Outcome::Failure, s(1)), Settlement::Stale);
    let status = keyed.breaker_of_hash(1).status().unwrap();
    assert_eq!(status.state, State::Open, "and its deadline is its own");
    assert!(keyed.breaker_of_hash(1).check(s(10)).is_err());
    assert!(keyed.breaker_of_hash(1).check(s(11)).is_ok());
}

#[test]
fn forgetting_closes_as_new() {
    let keyed = keyed::<8>(1);
    fail(&keyed, 1, 1);
    assert!(keyed.breaker_of_hash(1).forget());
    assert!(!keyed.breaker_of_hash(1).forget());
    assert_eq!((keyed.len(), keyed.is_empty()), (0, true));
    assert!(call(&keyed, 1, Outcome::Success, s(1)).is_ok());
    assert_eq!((keyed.len(), keyed.is_empty(), keyed.evictions()), (1, false, 0));
}

#[test]
fn what_finds_no_room_shares_a_breaker_if_it_is_set() {
    let keyed = KeyedCircuitBreaker::<1>::new(rules(1), KEYS.when_full(WhenFull::Share));
    assert!(!keyed.breaker_of_hash(1).try_acquire(s(1)).unwrap().is_shared());
    fail(&keyed, 1, 1);
    let shared = keyed.breaker_of_hash(2).try_acquire(s(1)).unwrap();
    assert!(shared.is_shared());
    assert!(matches!(shared.record(Outcome::Failure, s(1)), Settlement::Changed(_)));
    let open = call(&keyed, 3, Outcome::Success, s(1)).unwrap_err();
    assert!(matches!(open, Rejected::Refused(rejected) if rejected.reason == Reason::Open));
    assert_eq!(keyed.breaker_of_hash(3).check(s(1)), Err(open));
    assert_eq!(keyed.len(), 1);
}

#[test]
fn what_a_breaker_for_each_key_would_not_do_is_refused() {
    let second = Duration::from_secs(1);
    for (config, field) in [
        (rules(1).probe_timeout(second), "circuit_breaker.probe_timeout"),
        (rules(1).probe_timeout(Duration::MAX), "circuit_breaker.probe_timeout"),
        (rules(1).honor_retry_after(second), "circuit_breaker.honor_retry_after"),
        (rules(1).in_shadow(), "circuit_breaker.shadow"),
    ] {
        let expected = ConfigError::new(field, "left out where each key has a breaker");
        assert_eq!(KeyedCircuitBreaker::<8>::try_new(config, KEYS).unwrap_err(), expected);
        let entries = [const { Entry::new() }; 2];
        assert_eq!(KeyedCircuitBreaker::over(config, KEYS, entries).unwrap_err(), expected);
    }
    let ramped =
        rules(1).probe_lease_of(second).ramp(second, Ratio::percent(10)).close_below(Ratio::percent(50), 2);
    assert!(KeyedCircuitBreaker::<8>::try_new(ramped, KEYS).is_ok());
}

#[test]
fn bad_configuration_names_its_field_and_bound() {
    let error = KeyedCircuitBreaker::<9>::try_new(rules(1), KEYS).unwrap_err();
    assert_eq!(error.field, "keyed.entries");
    assert!(KeyedCircuitBreaker::<8>::try_new(rules(0), KEYS).is_err());
    assert!(KeyedCircuitBreaker::over(rules(1), KEYS, [const { Entry::new() }; 2]).is_ok());
}

#[test]
fn cost_of_a_call_and_size_of_an_entry() {
    assert_eq!(size_of::<Entry>(), if Wide::BITS == 64 { 24 } else { 12 });
    let of_one = keyed::<8>(1);
    drop(of_one.breaker_of_hash(1).try_acquire(s(1)));
    let (accesses, _) = probe::count(|| call(&of_one, 1, Outcome::Success, s(1)));
    assert_eq!((accesses.loads, accesses.writes), (8, 0), "in the first entry");
    let keyed = keyed::<8>(1);
    fail(&keyed, 1, 1);
    drop(keyed.breaker_of_hash(2).try_acquire(s(1)));
    let cost = |key, outcome| {
        let (accesses, _) = probe::count(|| call(&keyed, key, outcome, s(1)));
        (accesses.loads, accesses.writes)
    };
    assert_eq!(cost(2, Outcome::Success), (12, 0), "in the second entry");
    assert_eq!(cost(1, Outcome::Success), (8, 0), "open");
}

#[test]
fn spurious_failures_change_nothing() {
    let keyed = keyed::<4>(2);
    probe::with_spurious_failures(2, || {
        for key in (1..40).map(|call| call % 6 + 1) {
            fail(&keyed, key, 1);
            assert!(call(&keyed, key, Outcome::Success, s(1)).is_ok());
        }
    });
    assert_eq!(keyed.hot().count(), 0);
}
