//! The order in which rules are set, and slow calls without a window.

use super::*;
use crate::config::ConfigError;

const HALF: Ratio = Ratio::percent(50);
const SECOND: Duration = Duration::from_secs(1);

/// Calls that succeed after a second each, up to the one that changes something.
fn slow_calls<const N: usize>(breaker: &CircuitBreaker<N>, most: u64) -> Option<(u64, Cause)> {
    (1..=most).find_map(|n| {
        let permit = breaker.try_acquire(s(2 * n)).unwrap();
        let settled = permit.record(Outcome::Success, s(2 * n + 1));
        settled.transition().map(|transition| (n, transition.cause))
    })
}

#[test]
fn rules_are_the_same_in_each_order() {
    type Set = fn(Config) -> Config;
    let row: Set = |config| config.or_consecutive_failures(9);
    let failures: Set = |config| config.or_failure_rate(HALF, Span::calls(10), 5);
    let slow_share: Set = |config| config.or_slow_call_rate(HALF, SECOND);
    let slow_fails: Set = |config| config.slow_calls_fail(SECOND);
    for slow in [slow_share, slow_fails] {
        let start = Config::consecutive_failures(1);
        let expected = slow(failures(row(start)));
        for [a, b, c] in [
            [row, slow, failures],
            [failures, row, slow],
            [failures, slow, row],
            [slow, row, failures],
            [slow, failures, row],
        ] {
            assert_eq!(c(b(a(start))), expected);
        }
    }
    let by_slow_calls = Config::slow_call_rate(HALF, MINUTE, Span::calls(4), 2);
    let both = Config::failure_rate(HALF, Span::calls(10), 5).slow_calls_fail(SECOND);
    assert_eq!(slow_fails(failures(by_slow_calls)), both);
    assert_eq!(failures(slow_fails(by_slow_calls)), both);
}

#[test]
fn a_rate_that_comes_after_what_is_slow_looks_at_it() {
    let config = Config::consecutive_failures(9).or_slow_call_rate(HALF, SECOND);
    let breaker = CircuitBreaker::<10>::new(config.or_failure_rate(HALF, Span::calls(10), 5));
    assert_eq!(slow_calls(&breaker, 10), Some((5, Cause::SlowCallRate { calls: 5, slow: 5 })));
    let config = Config::consecutive_failures(99).slow_calls_fail(SECOND);
    let breaker = CircuitBreaker::<10>::new(config.or_failure_rate(HALF, Span::calls(4), 4));
    assert_eq!(slow_calls(&breaker, 10), Some((4, Cause::FailureRate { calls: 4, failures: 4 })));
}

#[test]
fn a_share_of_slow_calls_needs_a_window() {
    let error = CircuitBreaker::<10>::try_new(consecutive(9).or_slow_call_rate(HALF, SECOND)).unwrap_err();
    let window = "given a window: or_failure_rate or or_slow_call_rate_over";
    assert_eq!(error, ConfigError::new("circuit_breaker.slow_call_rate", window));
    let rule = consecutive(9).or_slow_call_rate_over(HALF, SECOND, Span::calls(10), 5);
    assert!(CircuitBreaker::<10>::try_new(rule).is_ok());
    assert!(CircuitBreaker::<0>::try_new(rule).is_err(), "a window needs slots");
    // Of a rate for slow calls alone, slow calls that fail leave nothing that trips.
    let none = Config::slow_call_rate(HALF, SECOND, Span::calls(4), 2).slow_calls_fail(SECOND);
    let error = CircuitBreaker::<10>::try_new(none).unwrap_err();
    assert_eq!(error.field, "circuit_breaker.slow_calls_fail");
    assert!(CircuitBreaker::<0>::try_new(none.or_consecutive_failures(1)).is_ok());
    let error = CircuitBreaker::<0>::try_new(consecutive(9).slow_calls_fail(Duration::ZERO)).unwrap_err();
    assert_eq!(error.field, "circuit_breaker.slow_call_duration");
}

#[test]
fn slow_calls_that_fail_are_failures_in_a_row_without_a_window() {
    let breaker = CircuitBreaker::<0>::new(consecutive(3).slow_calls_fail(SECOND));
    calls(&breaker, "LL", s(0));
    assert_eq!(breaker.status(s(0)).consecutive_failures, 2);
    calls(&breaker, "S", s(0));
    assert_eq!(slow_calls(&breaker, 9), Some((3, Cause::ConsecutiveFailures { failures: 3 })));
    let probe = breaker.try_acquire(s(100)).unwrap().record(Outcome::Success, s(101));
    assert_eq!(probe.transition().map(|transition| transition.to), Some(State::Open), "a slow probe failed");
    let quick = call(&breaker, Outcome::Success, s(200)).unwrap();
    assert_eq!(quick.transition().map(|transition| transition.to), Some(State::Closed));
    let (accesses, _) = count(|| call(&breaker, Outcome::Success, s(201)));
    assert_eq!(accesses, Accesses { loads: 2, writes: 0 });
}
