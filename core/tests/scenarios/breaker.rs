//! Circuit breakers, as the suites of peers tell it.
//!
//! Names begin with the number of the scenario or of the bug that they replay.

use core::time::Duration;

use seawall_core::circuit_breaker::{Cause, CircuitBreaker, Config, Settlement, State};
use seawall_core::window::Span;
use seawall_core::{Instant, Outcome, Ratio};

use super::support::{MINUTE, SECOND, call, calls, consecutive, s, state};

fn rate(percent: u32, span: Span, minimum: u32) -> Config {
    Config::failure_rate(Ratio::percent(percent), span, minimum).open_for(MINUTE)
}

/// A breaker that trips on one failure and has tripped at the clock's origin.
fn opened(config: Config) -> CircuitBreaker {
    let breaker = CircuitBreaker::new(config);
    calls(&breaker, "F", s(0));
    assert_eq!(state(&breaker, s(0)), State::Open);
    breaker
}

#[cfg_attr(test, test)]
pub(crate) fn t01_six_failures_in_a_row() {
    let breaker = CircuitBreaker::<0>::new(consecutive(6));
    let row = |now| (state(&breaker, now), breaker.status(now).consecutive_failures);
    calls(&breaker, "FFFFF", s(0));
    assert_eq!(row(s(0)), (State::Closed, 5));
    calls(&breaker, "S", s(0));
    assert_eq!(row(s(0)), (State::Closed, 0));
    calls(&breaker, "F", s(0));
    assert_eq!(row(s(0)), (State::Closed, 1));
    calls(&breaker, "FFFFF", s(0));
    assert_eq!(row(s(0)), (State::Open, 0));
    for _ in 0..2 {
        assert!(call(&breaker, Outcome::Success, s(0)).is_err());
        assert_eq!(row(s(0)), (State::Open, 0));
    }
    assert!(call(&breaker, Outcome::Success, s(59)).is_err());
    let reopened = call(&breaker, Outcome::Failure, s(60)).unwrap().transition().unwrap();
    assert_eq!(
        (reopened.from, reopened.to, reopened.cause),
        (State::HalfOpen, State::Open, Cause::ProbesFailed { failures: 1 })
    );
    assert!(call(&breaker, Outcome::Success, s(119)).is_err());
    let closed = call(&breaker, Outcome::Success, s(120)).unwrap().transition().unwrap();
    assert_eq!((closed.from, closed.to), (State::HalfOpen, State::Closed));
    assert_eq!(closed.cause, Cause::ProbesSucceeded { successes: 1 });
    assert_eq!(row(s(120)), (State::Closed, 0));
}

#[cfg_attr(test, test)]
pub(crate) fn t07_a_success_breaks_the_row() {
    let breaker = CircuitBreaker::<0>::new(consecutive(3));
    calls(&breaker, "FSFF", s(0));
    assert_eq!(state(&breaker, s(0)), State::Closed);
    calls(&breaker, "F", s(0));
    assert_eq!(state(&breaker, s(0)), State::Open);

    let breaker = CircuitBreaker::<0>::new(consecutive(2));
    for _ in 0..20 {
        calls(&breaker, "SF", s(0));
        assert_eq!(state(&breaker, s(0)), State::Closed);
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t09_a_success_that_completes_the_minimum_trips() {
    let breaker = CircuitBreaker::<10>::new(rate(50, Span::time(20 * SECOND), 5));
    for (letter, calls_so_far, failures) in [("F", 1, 1), ("F", 2, 2), ("F", 3, 3), ("S", 4, 3)] {
        calls(&breaker, letter, s(1));
        let status = breaker.status(s(1));
        assert_eq!(
            (status.state, status.window.calls, status.window.failures),
            (State::Closed, calls_so_far, failures)
        );
    }
    let opened = call(&breaker, Outcome::Success, s(1)).unwrap().transition().unwrap();
    assert_eq!(opened.cause, Cause::FailureRate { calls: 5, failures: 3 });
    assert!(breaker.try_acquire(s(1)).is_err());
}

#[cfg_attr(test, test)]
pub(crate) fn t13_on_request_only_a_failure_trips() {
    let config = rate(75, Span::time(10 * SECOND), 4);
    let on_failure = CircuitBreaker::<10>::new(config.evaluate_on_failure_only());
    calls(&on_failure, "FFFS", s(1));
    assert_eq!(state(&on_failure, s(1)), State::Closed);
    let on_every_outcome = CircuitBreaker::<10>::new(config);
    calls(&on_every_outcome, "FFFS", s(1));
    assert_eq!(state(&on_every_outcome, s(1)), State::Open);
}

#[cfg_attr(test, test)]
pub(crate) fn t14_two_of_three_and_three_of_four() {
    let two_of_three = Config::failure_rate(Ratio::try_new(2, 3).unwrap(), Span::calls(3), 3);
    let breaker = CircuitBreaker::<3>::new(two_of_three);
    calls(&breaker, "FS", s(0));
    assert_eq!(state(&breaker, s(0)), State::Closed);
    calls(&breaker, "F", s(0));
    assert_eq!(state(&breaker, s(0)), State::Open);

    let breaker = CircuitBreaker::<4>::new(rate(75, Span::calls(4), 4));
    for _ in 0..20 {
        calls(&breaker, "SF", s(0));
        assert_eq!(state(&breaker, s(0)), State::Closed);
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t15_a_window_of_calls_that_must_be_full() {
    for (first, last) in [("FFFFFFFFF", "S"), ("SSSSSFFFF", "F")] {
        let breaker = CircuitBreaker::<10>::new(rate(50, Span::calls(10), 10));
        calls(&breaker, first, s(0));
        assert_eq!(state(&breaker, s(0)), State::Closed);
        calls(&breaker, last, s(0));
        assert!(breaker.try_acquire(s(0)).is_err());
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t17_an_ignored_probe_gives_its_place_back() {
    let breaker = opened(consecutive(1).probes(4).successes_to_close(4));
    calls(&breaker, "SSSX", s(60));
    let status = breaker.status(s(60));
    assert_eq!((status.state, status.successes, status.probes), (State::HalfOpen, 3, 0));
    calls(&breaker, "S", s(60));
    assert_eq!(state(&breaker, s(60)), State::Closed);

    let breaker = opened(consecutive(1).probes(4).successes_to_close(4));
    calls(&breaker, "XXXXSSSS", s(60));
    assert_eq!(state(&breaker, s(60)), State::Closed);
}

/// The peer waits for a third failure (T19a); here any failed probe opens the breaker, as in T19c.
#[cfg_attr(test, test)]
pub(crate) fn t19_a_failed_probe_opens_at_once() {
    for story in ["F", "SF", "SSF"] {
        let breaker = opened(consecutive(1).probes(3).successes_to_close(3));
        calls(&breaker, story, s(60));
        assert_eq!(state(&breaker, s(60)), State::Open, "{story}");
        assert_eq!(breaker.status(s(60)).retry_after, Some(MINUTE), "{story}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t20_one_probe_an_open_time_when_probes_are_lost() {
    let lost = rate(50, Span::time(10 * SECOND), 2).open_for(Duration::from_secs(30));
    let breaker = CircuitBreaker::<10>::new(lost);
    calls(&breaker, "FF", s(0));
    assert!(breaker.try_acquire(s(29)).is_err());
    let first = breaker.try_acquire(s(30)).unwrap().into_ticket();
    assert_eq!(state(&breaker, s(30)), State::HalfOpen);
    let rejected = breaker.try_acquire(s(30)).unwrap_err();
    assert_eq!((rejected.state, rejected.retry_after), (State::HalfOpen, Some(30 * SECOND)));
    let third = breaker.try_acquire(s(60)).unwrap();
    assert!(breaker.try_acquire(s(60)).is_err(), "exactly one new probe");
    assert_eq!(breaker.settle(first, Outcome::Failure, s(61)), Settlement::Stale);
    assert_eq!(state(&breaker, s(61)), State::HalfOpen);
    assert_eq!(third.record(Outcome::Success, s(62)), Settlement::Counted);
}

#[cfg_attr(test, test)]
pub(crate) fn t22_a_late_failure_moves_no_deadline() {
    let breaker = CircuitBreaker::<0>::new(consecutive(2));
    let late = breaker.try_acquire(s(0)).unwrap();
    calls(&breaker, "FF", s(0));
    assert_eq!(late.record(Outcome::Failure, s(40)), Settlement::Stale);
    assert_eq!(breaker.status(s(40)).retry_after, Some(20 * SECOND));
    assert_eq!(breaker.status(s(40)).generation, 1);
}

#[cfg_attr(test, test)]
pub(crate) fn b1_ten_thousand_dropped_probes_leave_the_quota_at_one() {
    let breaker = opened(consecutive(1));
    for _ in 0..10_000 {
        drop(breaker.try_acquire(s(60)).unwrap());
    }
    let probe = breaker.try_acquire(s(60)).unwrap();
    assert!(breaker.try_acquire(s(60)).is_err());
    assert_eq!(breaker.status(s(60)).successes, 0);
    drop(probe);
}

#[cfg_attr(test, test)]
pub(crate) fn b5_a_stale_result_changes_nothing() {
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored, Outcome::Cancelled] {
        let breaker = CircuitBreaker::<0>::new(consecutive(1).probes(3).successes_to_close(3));
        let old = breaker.try_acquire(s(0)).unwrap();
        calls(&breaker, "F", s(0));
        let probes = [0, 1].map(|_| breaker.try_acquire(s(60)).unwrap());
        let before = breaker.status(s(60));
        assert!(matches!(old.record(outcome, s(60)), Settlement::Stale | Settlement::Uncounted));
        assert_eq!(breaker.status(s(60)), before);
        let third = breaker.try_acquire(s(60)).unwrap();
        assert!(breaker.try_acquire(s(60)).is_err(), "three probes are out");
        drop((probes, third));
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b13_a_hundred_cycles_recover() {
    let breaker = CircuitBreaker::<0>::new(consecutive(1));
    for cycle in 0..100 {
        let now = s(1000 + cycle * 60);
        calls(&breaker, "SF", now);
        assert!(breaker.try_acquire(now).is_err());
        assert_eq!(breaker.status(now).generation, if cycle == 0 { 1 } else { (3 * cycle + 1) as u32 });
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b14_an_open_time_without_end() {
    for now in [s(0), Instant::from_nanos(u64::MAX - 1), Instant::NEVER] {
        let breaker = CircuitBreaker::<0>::new(consecutive(3).open_for(Duration::MAX));
        calls(&breaker, "FFF", now);
        assert_eq!(breaker.try_acquire(Instant::NEVER).unwrap_err().retry_after, None);
    }
}
