//! A rate over the last calls of each key.

use core::time::Duration;

use super::super::{Entry, KeyedCircuitBreaker};
use super::{KEYS, call, s};
use crate::admission::circuit_breaker::{Cause, Config, Settlement, State};
use crate::atomic::sync::{Wide, probe};
use crate::config::ConfigError;
use crate::measure::window::Span;
use crate::outcome::Outcome;
use crate::ratio::Ratio;

const HALF: Ratio = Ratio::percent(50);
const SLOW: Duration = Duration::from_secs(2);

/// Opens for ten seconds at half of the last `calls`, and closes after one success.
fn rate(calls: u32, minimum: u32) -> Config {
    Config::failure_rate(HALF, Span::calls(calls), minimum)
        .open_for(Duration::from_secs(10))
        .successes_to_close(1)
}

fn keyed<const N: usize>(config: Config) -> KeyedCircuitBreaker<N> {
    KeyedCircuitBreaker::new(config, KEYS)
}

/// Ends a call for each letter: S success, F failure. Tells what became of the last one.
fn calls<const N: usize>(keyed: &KeyedCircuitBreaker<N>, key: u64, letters: &str) -> Settlement {
    let mut last = Settlement::Stale;
    for letter in letters.chars() {
        let outcome = if letter == 'F' { Outcome::Failure } else { Outcome::Success };
        last = call(keyed, key, outcome, s(1)).expect("it is admitted");
    }
    last
}

fn cause(settlement: Settlement) -> Option<Cause> {
    settlement.transition().map(|transition| transition.cause)
}

#[test]
fn the_share_of_the_last_calls_opens_a_key() {
    let keyed = keyed::<8>(rate(4, 4));
    assert_eq!(calls(&keyed, 1, "FFF"), Settlement::Counted, "three are too few");
    assert_eq!(cause(calls(&keyed, 1, "S")), Some(Cause::FailureRate { calls: 4, failures: 3 }));
    assert_eq!(calls(&keyed, 2, "FSSSFSSSFSS"), Settlement::Counted, "one in four at any time");
    let status = keyed.breaker_of_hash(2).status().unwrap();
    assert_eq!((status.calls, status.failures, status.consecutive_failures), (4, 1, 0));
    assert_eq!(cause(calls(&keyed, 2, "F")), Some(Cause::FailureRate { calls: 4, failures: 2 }));
    let status = keyed.breaker_of_hash(2).status().unwrap();
    assert_eq!((status.state, status.calls, status.failures), (State::Open, 0, 0));
}

#[test]
fn the_window_begins_empty_after_each_phase() {
    let keyed = keyed::<8>(rate(4, 2));
    calls(&keyed, 1, "FF");
    assert!(call(&keyed, 1, Outcome::Success, s(11)).is_ok(), "the probe closes it");
    let status = keyed.breaker_of_hash(1).status().unwrap();
    assert_eq!((status.state, status.calls), (State::Closed, 0));
    assert_eq!(calls(&keyed, 1, "SSF"), Settlement::Counted);
}

#[test]
fn a_row_and_a_rate_look_at_one_window() {
    let keyed = keyed::<8>(rate(17, 17).or_consecutive_failures(3));
    assert_eq!(calls(&keyed, 1, "FFSFFSFFSFFSFF"), Settlement::Counted);
    assert_eq!(keyed.breaker_of_hash(1).status().unwrap().consecutive_failures, 2);
    assert_eq!(cause(calls(&keyed, 1, "F")), Some(Cause::ConsecutiveFailures { failures: 3 }));
}

#[test]
fn a_row_as_long_as_the_window_is_met_by_failures_alone() {
    let whole = Config::failure_rate(Ratio::ONE, Span::calls(17), 17).or_consecutive_failures(17);
    let keyed = keyed::<8>(whole);
    assert_eq!(calls(&keyed, 1, "FFFFFFFFFFFFFFFF"), Settlement::Counted);
    assert_eq!(cause(calls(&keyed, 1, "F")), Some(Cause::ConsecutiveFailures { failures: 17 }));
}

#[test]
fn a_success_opens_nothing_if_it_is_told_so() {
    let keyed = keyed::<8>(rate(4, 4).evaluate_on_failure_only());
    assert_eq!(calls(&keyed, 1, "FFFS"), Settlement::Counted);
    assert_eq!(cause(calls(&keyed, 1, "F")), Some(Cause::FailureRate { calls: 4, failures: 3 }));
}

#[test]
fn a_slow_call_counts_as_failed_if_it_is_told_so() {
    let (limit, below) = (s(3), s(1).saturating_add(Duration::from_millis(1999)));
    let keyed = keyed::<8>(rate(4, 2).slow_calls_fail(SLOW));
    let begin = || keyed.breaker_of_hash(1).try_acquire(s(1)).unwrap();
    let late = [(); 4].map(|()| begin());
    let [quick, called_slow, slow, failed] = late;
    assert_eq!(quick.record(Outcome::Success, below), Settlement::Counted);
    assert_eq!(failed.record(Outcome::Cancelled, s(9)), Settlement::Uncounted);
    assert_eq!(begin().record(Outcome::Success, below), Settlement::Counted);
    assert_eq!(called_slow.record(Outcome::Slow, below), Settlement::Counted, "one in three");
    let opened = slow.record(Outcome::Success, limit);
    assert_eq!(cause(opened), Some(Cause::FailureRate { calls: 4, failures: 2 }));
    let probe = keyed.breaker_of_hash(1).try_acquire(s(13)).unwrap();
    let again = probe.record(Outcome::Success, s(15));
    assert_eq!(cause(again), Some(Cause::ProbesFailed { failures: 1 }), "a slow probe has failed");
}

#[test]
fn slow_calls_that_fail_in_a_row_need_no_rate() {
    let keyed = keyed::<8>(Config::consecutive_failures(100).slow_calls_fail(SLOW));
    let slow = |n: u64| {
        let permit = keyed.breaker_of_hash(1).try_acquire(s(4 * n)).unwrap();
        cause(permit.record(Outcome::Success, s(4 * n + 2)))
    };
    assert!((1..100).all(|n| slow(n).is_none()), "a row without a window is not one of its 17 bits");
    assert_eq!(slow(100), Some(Cause::ConsecutiveFailures { failures: 100 }));
}

#[test]
fn the_open_time_of_each_key_grows_with_its_failed_probes() {
    use crate::attempt::backoff::Backoff;
    let growing = Backoff::exponential(Duration::from_secs(1));
    let keyed = keyed::<8>(rate(2, 2).open_for_growing(growing, Duration::from_secs(3)));
    let wait = |key, now| keyed.breaker_of_hash(key).check(now).unwrap_err().retry_after();
    calls(&keyed, 1, "FF");
    for (failed, open) in [(2, 2), (4, 3), (7, 3)] {
        assert!(call(&keyed, 1, Outcome::Failure, s(failed)).is_ok(), "a probe");
        assert_eq!(wait(1, s(failed)), Some(Duration::from_secs(open)));
    }
    calls(&keyed, 2, "FF");
    assert_eq!(wait(2, s(1)), Some(Duration::from_secs(1)), "another key has times of its own");
}

#[test]
fn the_fewest_failures_among_the_last_calls_go_first() {
    let keyed = keyed::<4>(rate(8, 8));
    for (key, letters) in [(1, "FFS"), (2, "FSS"), (3, "SSS"), (4, "SFF")] {
        calls(&keyed, key, letters);
    }
    let knows = |key| keyed.breaker_of_hash(key).status().is_some();
    for (new, gone) in [(5, 3), (6, 2), (7, 1)] {
        calls(&keyed, new, "FFF");
        assert!(!knows(gone) && knows(new), "{gone} should go");
    }
    assert!(knows(4));
}

#[test]
fn what_the_word_has_no_bits_for_is_refused() {
    let calls = |n| Config::failure_rate(HALF, Span::calls(n), 1);
    let window =
        ConfigError::new("circuit_breaker.window", "between 1 and 17 calls where each key has a breaker");
    let slow = ConfigError::new(
        "circuit_breaker.slow_call_rate",
        "left out where each key has a breaker; slow calls can count as failed",
    );
    let minimum = "circuit_breaker.minimum_calls";
    let span = Span::calls(10);
    for (config, expected) in [
        (calls(0), window),
        (calls(18), window),
        (Config::failure_rate(HALF, Span::time(SLOW), 1), window),
        (Config::slow_call_rate(HALF, SLOW, span, 5), slow),
        (calls(10).or_slow_call_rate(HALF, SLOW), slow),
        (Config::consecutive_failures(5).or_slow_call_rate(HALF, SLOW), slow),
        (rate(10, 11), ConfigError::new(minimum, "at most the calls of the window")),
        (rate(10, 0), ConfigError::new(minimum, "greater than zero")),
        (
            Config::failure_rate(Ratio::ZERO, span, 5),
            ConfigError::new("circuit_breaker.failure_rate", "greater than zero"),
        ),
        (
            rate(10, 5).slow_calls_fail(Duration::ZERO),
            ConfigError::new("circuit_breaker.slow_call_duration", "greater than zero"),
        ),
        (
            rate(10, 5).or_consecutive_failures(11),
            ConfigError::new(
                "circuit_breaker.consecutive_failures",
                "at most the calls of the window where each key has a breaker",
            ),
        ),
    ] {
        assert_eq!(KeyedCircuitBreaker::<8>::try_new(config, KEYS).unwrap_err(), expected, "{config:?}");
    }
    assert!(KeyedCircuitBreaker::<8>::try_new(calls(17), KEYS).is_ok());
    assert!(KeyedCircuitBreaker::<8>::try_new(calls(1), KEYS).is_ok());
}

#[test]
fn a_rate_takes_no_more_room_and_a_healthy_key_no_write() {
    assert_eq!(size_of::<Entry>(), if Wide::BITS == 64 { 24 } else { 12 });
    let keyed = keyed::<8>(rate(4, 4));
    calls(&keyed, 1, "FSSS");
    let success = || {
        let (accesses, _) = probe::count(|| call(&keyed, 1, Outcome::Success, s(1)));
        (accesses.loads, accesses.writes)
    };
    assert_eq!(success(), (9, 1), "the failure leaves the window");
    assert_eq!(success(), (9, 0));
}
