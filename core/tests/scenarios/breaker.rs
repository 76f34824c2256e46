//! Circuit breakers, as the suites of peers tell it.
//!
//! Names begin with the number of the scenario or of the bug that they replay.

use core::time::Duration;

use seawall_core::circuit_breaker::{Cause, CircuitBreaker, Config, Reason, Settlement, State, Tally};
use seawall_core::window::Span;
use seawall_core::{Backoff, Instant, Outcome, Ratio};

use super::support::{MINUTE, SECOND, WIDE, call, calls, consecutive, ms, outcome_of, s, state};

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

/// Calls of a breaker with a tally; the successes, failures, excluded ones and both rows since the state changed.
fn counted(breaker: &CircuitBreaker, tally: &Tally, letters: &str, now: Instant) -> [u64; 5] {
    for letter in letters.chars() {
        let outcome = outcome_of(letter);
        tally.note(outcome, call(breaker, outcome, now).unwrap());
    }
    let counts = tally.counts();
    assert_eq!(counts.requests(), counts.successes + counts.failures + counts.excluded);
    let rows = [counts.consecutive_successes, counts.consecutive_failures];
    [counts.successes, counts.failures, counts.excluded, rows[0], rows[1]]
}

#[cfg_attr(test, test)]
pub(crate) fn t01_the_counts_of_each_phase() {
    let (breaker, tally) = (CircuitBreaker::new(consecutive(6)), Tally::new());
    let counts = |letters, now| counted(&breaker, &tally, letters, now);
    assert_eq!(counts("FFFFF", s(0)), [0, 5, 0, 0, 5]);
    assert_eq!(counts("S", s(0)), [1, 5, 0, 1, 0]);
    assert_eq!(counts("F", s(0)), [1, 6, 0, 0, 1]);
    assert_eq!(counts("FFFFF", s(0)), [0; 5]);
    assert!(call(&breaker, Outcome::Success, s(0)).is_err());
    assert_eq!(counts("", s(59)), [0; 5]);
    assert_eq!(counts("F", s(60)), [0; 5]);
    assert_eq!(counts("S", s(120)), [0; 5]);
    assert_eq!(state(&breaker, s(120)), State::Closed);
}

/// The panic itself is the adapter's, which reports it as a failure.
#[cfg_attr(test, test)]
pub(crate) fn t04_a_panic_is_one_failure() {
    let (breaker, tally) = (CircuitBreaker::new(consecutive(6)), Tally::new());
    assert_eq!(counted(&breaker, &tally, "F", s(0)), [0, 1, 0, 0, 1]);
}

#[cfg_attr(test, test)]
pub(crate) fn t05_excluded_calls_are_requests() {
    let (breaker, tally) = (CircuitBreaker::new(consecutive(6)), Tally::new());
    assert_eq!(counted(&breaker, &tally, "XXX", s(0)), [0, 0, 3, 0, 0]);
    assert_eq!(counted(&breaker, &tally, "SSS", s(0)), [3, 0, 3, 3, 0]);
    assert_eq!(counted(&breaker, &tally, "FF", s(0)), [3, 2, 3, 0, 2]);
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

/// How a breaker that was opened once stands after these probes.
fn after(config: Config, story: &str) -> State {
    let breaker = opened(config);
    calls(&breaker, story, s(60));
    state(&breaker, s(60))
}

#[cfg_attr(test, test)]
pub(crate) fn t11_slow_calls_trip() {
    let rule = Config::slow_call_rate(Ratio::percent(50), 4 * SECOND, Span::time(100 * SECOND), 5);
    let breaker = CircuitBreaker::<10>::new(rule);
    let mut cause = None;
    for (outcome, millis) in [
        (Outcome::Failure, 5000),
        (Outcome::Success, 5000),
        (Outcome::Failure, 100),
        (Outcome::Success, 100),
        (Outcome::Success, 5000),
    ] {
        assert_eq!(state(&breaker, s(1)), State::Closed);
        let permit = breaker.try_acquire(s(1)).unwrap();
        cause = permit.record(outcome, ms(1000 + millis)).transition().map(|opened| opened.cause);
    }
    assert_eq!(cause, Some(Cause::SlowCallRate { calls: 5, slow: 3 }));
}

/// The same calls where a slow one is as good as failed: four of five.
#[cfg_attr(test, test)]
pub(crate) fn t11_slow_calls_count_as_failed_if_they_are_told_to() {
    let rule = Config::failure_rate(Ratio::percent(80), Span::time(100 * SECOND), 5);
    for (rule, failures) in [(rule, None), (rule.slow_calls_fail(4 * SECOND), Some(4))] {
        let breaker = CircuitBreaker::<10>::new(rule);
        let mut cause = None;
        for (outcome, millis) in [
            (Outcome::Failure, 5000),
            (Outcome::Success, 4000),
            (Outcome::Failure, 100),
            (Outcome::Success, 3999),
            (Outcome::Slow, 100),
        ] {
            let permit = breaker.try_acquire(s(1)).unwrap();
            cause = permit.record(outcome, ms(1000 + millis)).transition().map(|opened| opened.cause);
        }
        assert_eq!(cause, failures.map(|failures| Cause::FailureRate { calls: 5, failures }));
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t17_an_ignored_probe_gives_its_place_back() {
    let rate = consecutive(1).probes(4).close_below(Ratio::percent(50), 4);
    let breaker = opened(rate);
    calls(&breaker, "SSSX", s(60));
    let status = breaker.status(s(60));
    assert_eq!((status.state, status.successes, status.probes), (State::HalfOpen, 3, 0));
    let closed = call(&breaker, Outcome::Failure, s(60)).unwrap().transition().unwrap();
    assert_eq!((closed.to, closed.cause), (State::Closed, Cause::ProbeRate { calls: 4, failures: 1 }));
    assert_eq!(after(rate, "XXXXSSSS"), State::Closed);
    assert_eq!(after(rate, "SSFF"), State::Open, "a share that is just reached");

    let counts = consecutive(1).probes(4).successes_to_close(4);
    assert_eq!(after(counts, "SSSX"), State::HalfOpen);
    assert_eq!(after(counts, "SSSXS"), State::Closed);
    assert_eq!(after(counts, "XXXXSSSS"), State::Closed);
}

#[cfg_attr(test, test)]
pub(crate) fn t19a_three_failures_open() {
    let three = consecutive(1).successes_to_close(3).probe_failures_to_open(3);
    assert_eq!(after(three, "FF"), State::HalfOpen);
    assert_eq!(after(three, "FFF"), State::Open);
}

#[cfg_attr(test, test)]
pub(crate) fn t19b_two_failures_of_three_open() {
    let two_of_three = consecutive(1).successes_to_close(2).probe_failures_to_open(2);
    assert_eq!(after(two_of_three, "FS"), State::HalfOpen);
    assert_eq!(after(two_of_three, "FSF"), State::Open);
    assert_eq!(after(two_of_three, "FSS"), State::Closed);
}

#[cfg_attr(test, test)]
pub(crate) fn t19c_one_failure_is_not_waited_for() {
    for story in ["F", "SF", "SSF"] {
        let breaker = opened(consecutive(1).probes(3).successes_to_close(3));
        calls(&breaker, story, s(60));
        assert_eq!(state(&breaker, s(60)), State::Open, "{story}");
        assert_eq!(breaker.status(s(60)).retry_after, Some(MINUTE), "{story}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t19d_two_failures_leave_no_three_successes_of_four() {
    let three_of_four = consecutive(1).successes_to_close(3).probe_failures_to_open(2);
    assert_eq!(after(three_of_four, "SFS"), State::HalfOpen);
    assert_eq!(after(three_of_four, "SFSF"), State::Open);
    assert_eq!(after(three_of_four, "SFSS"), State::Closed);
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
pub(crate) fn b2_an_ignored_probe_frees_its_place() {
    let breaker = opened(consecutive(1).probes(4).successes_to_close(4));
    let [one, two, three, fourth] = [0; 4].map(|_| breaker.try_acquire(s(60)).unwrap());
    assert!(breaker.try_acquire(s(60)).is_err());
    for probe in [one, two, three] {
        assert_eq!(probe.record(Outcome::Success, s(61)), Settlement::Counted);
    }
    assert_eq!(fourth.record(Outcome::Ignored, s(61)), Settlement::Uncounted);
    assert_eq!(state(&breaker, s(61)), State::HalfOpen);
    assert_eq!(call(&breaker, Outcome::Success, s(61)).unwrap().transition().unwrap().to, State::Closed);
}

#[cfg_attr(test, test)]
pub(crate) fn b4_a_probe_that_never_ends_costs_one_lease() {
    let breaker = opened(consecutive(1));
    let lost = breaker.try_acquire(s(60)).unwrap().into_ticket();
    assert!(breaker.try_acquire(s(119)).is_err());
    let next = breaker.try_acquire(s(120)).unwrap();
    assert!(breaker.try_acquire(s(120)).is_err(), "exactly one new probe");
    assert_eq!(breaker.settle(lost, Outcome::Success, s(121)), Settlement::Stale);
    assert_eq!(next.record(Outcome::Success, s(121)).transition().unwrap().to, State::Closed);
}

#[cfg_attr(test, test)]
pub(crate) fn b5_a_stale_result_changes_nothing() {
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored, Outcome::Cancelled] {
        let breaker = CircuitBreaker::<0>::new(consecutive(1).probes(3).successes_to_close(3));
        let old = breaker.try_acquire(s(0)).unwrap();
        calls(&breaker, "F", s(0));
        let probes = [0, 1].map(|_| breaker.try_acquire(s(60)).unwrap());
        let before = breaker.status(s(60));
        assert_eq!(old.record(outcome, s(60)), Settlement::Stale);
        assert_eq!(breaker.status(s(60)), before);
        let third = breaker.try_acquire(s(60)).unwrap();
        assert!(breaker.try_acquire(s(60)).is_err(), "three probes are out");
        drop((probes, third));
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b9_what_is_just_reached_counts() {
    let breaker = CircuitBreaker::<10>::new(rate(50, Span::time(10 * SECOND), 2));
    calls(&breaker, "SF", s(0));
    assert_eq!(state(&breaker, s(0)), State::Open);
    assert!(breaker.try_acquire(s(59)).is_err());
    assert!(breaker.try_acquire(s(60)).is_ok());
}

#[cfg_attr(test, test)]
pub(crate) fn b13_what_is_forced_open_stays_open() {
    let breaker = CircuitBreaker::<0>::new(consecutive(1));
    let before = breaker.try_acquire(s(0)).unwrap();
    breaker.force_open();
    assert!(breaker.try_acquire(s(600)).is_err());
    assert_eq!(before.record(Outcome::Success, s(601)), Settlement::Stale);
    assert!(breaker.status(s(6000)).forced && breaker.try_acquire(s(6000)).is_err());
    breaker.reset(s(6000));
    assert!(breaker.try_acquire(s(6000)).is_ok());
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

#[cfg_attr(test, test)]
pub(crate) fn b15_the_open_time_grows_a_step_a_cycle() {
    let growing = consecutive(2).open_for_growing(Backoff::exponential(10 * SECOND), MINUTE);
    let breaker = CircuitBreaker::<0>::new(growing);
    let mut now = 0;
    calls(&breaker, "FF", s(now));
    for open in [10, 20, 40, 60, 60] {
        assert_eq!(breaker.status(s(now)).retry_after, Some(open * SECOND));
        now += u64::from(open);
        calls(&breaker, "F", s(now));
    }
    calls(&breaker, "S", s(now + 60));
    calls(&breaker, "FF", s(now + 60));
    assert_eq!(breaker.status(s(now + 60)).retry_after, Some(10 * SECOND), "closed in between");
}

#[cfg_attr(test, test)]
pub(crate) fn b17_b18_shares_and_counts_of_nothing_are_no_configuration() {
    let field = |config: Config| CircuitBreaker::<10>::try_new(config).unwrap_err().field;
    let span = Span::time(10 * SECOND);
    assert_eq!(field(consecutive(0)), "circuit_breaker.consecutive_failures");
    assert_eq!(field(rate(0, span, 1)), "circuit_breaker.failure_rate");
    assert_eq!(field(rate(50, span, 0)), "circuit_breaker.minimum_calls");
    assert_eq!(field(rate(50, Span::calls(10), 11)), "circuit_breaker.minimum_calls");
    assert_eq!(field(consecutive(1).probes(0)), "circuit_breaker.probes");
    assert_eq!(field(consecutive(1).open_for(Duration::ZERO)), "circuit_breaker.open_for");
    assert_eq!(field(consecutive(1).close_below(Ratio::ONE, 0)), "circuit_breaker.close_below.of");
}

#[cfg_attr(test, test)]
pub(crate) fn b19_a_new_configuration_keeps_the_rest_of_the_open_time() {
    let before = opened(consecutive(1));
    let breaker =
        CircuitBreaker::<0>::try_resuming(consecutive(2).open_for(5 * MINUTE), &before, s(55)).unwrap();
    assert_eq!(breaker.status(s(55)).retry_after, Some(5 * SECOND));
    calls(&breaker, "SF", s(60));
    assert_eq!(state(&breaker, s(60)), State::Closed, "the new rule holds");
    calls(&breaker, "F", s(60));
    assert_eq!(breaker.status(s(60)).retry_after, Some(5 * MINUTE));
}

#[cfg_attr(test, test)]
pub(crate) fn b20_a_call_that_outlasts_a_thousand_phases_holds_up_nothing() {
    let breaker = CircuitBreaker::<0>::new(consecutive(1));
    let blocked = breaker.try_acquire(s(0)).unwrap();
    for cycle in 0..333 {
        calls(&breaker, "F", s(cycle * 60));
        calls(&breaker, "S", s(cycle * 60 + 60));
    }
    assert_eq!(breaker.status(s(20_000)).generation, 999);
    assert_eq!(blocked.record(Outcome::Failure, s(20_000)), Settlement::Stale);
    assert_eq!(state(&breaker, s(20_000)), State::Closed);
}

#[cfg_attr(test, test)]
pub(crate) fn the_peer_says_how_long_it_needs() {
    let breaker = CircuitBreaker::<0>::new(consecutive(1).honor_retry_after(10 * MINUTE));
    let fail = |asked, now| {
        let _ = breaker.try_acquire(now).unwrap().record_with(Outcome::Failure, asked, now);
        breaker.status(now).retry_after
    };
    // Every longest interval has its own tick on 32 bits; these are whole numbers of it.
    assert_eq!(fail(Some(5 * MINUTE), s(0)), Some(5 * MINUTE));
    assert_eq!(fail(Some(60 * MINUTE), s(300)), Some(10 * MINUTE));
    assert_eq!(fail(None, s(900)), Some(MINUTE));
}

#[cfg_attr(test, test)]
pub(crate) fn a_ramp_ends_with_every_call() {
    let breaker = opened(consecutive(1).ramp(100 * SECOND, Ratio::percent(10)));
    calls(&breaker, "S", s(60));
    let admitted = |now| (0..1000).filter(|_| call(&breaker, Outcome::Success, now).is_ok()).count();
    let shares = [60, 110, 150].map(|now| admitted(s(now)));
    assert!(shares.is_sorted() && shares[0] > 50 && shares[2] < 1000, "{shares:?}");
    assert!(breaker.status(s(150)).ramping);
    assert_eq!(admitted(s(160)), 1000);
    assert!(!breaker.status(s(160)).ramping);
}

#[cfg_attr(test, test)]
pub(crate) fn a_shadow_says_what_it_would_do() {
    let breaker = opened(consecutive(1).in_shadow());
    let refused = breaker.try_acquire(s(10)).unwrap();
    assert_eq!(refused.would_reject().unwrap().retry_after, Some(50 * SECOND));
    assert_eq!(refused.record(Outcome::Success, s(10)), Settlement::Uncounted);
    calls(&breaker, "S", s(60));
    let status = breaker.status(s(60));
    assert_eq!((status.state, status.shadow), (State::Closed, true));
}

/// gobreaker's `MaxRequests`, resilience4j's permitted calls: of a half-open phase in all, and not at a time.
#[cfg_attr(test, test)]
pub(crate) fn a_half_open_phase_admits_no_more_calls_than_it_may() {
    let config = Config::consecutive_failures(1).open_for(5 * SECOND).probes(3);
    let breaker = CircuitBreaker::<0>::new(config.successes_to_close(3).half_open_calls(3));
    breaker.trip(s(0));
    for _ in 0..2 {
        let probe = breaker.try_acquire(s(5)).unwrap();
        assert_eq!(probe.record(Outcome::Success, s(5)), Settlement::Counted);
    }
    let third = breaker.try_acquire(s(5)).unwrap();
    assert_eq!(breaker.try_acquire(s(5)).unwrap_err().reason, Reason::ProbesOut);
    assert!(breaker.check(s(5)).is_err());
    drop(third);
    let third = breaker.try_acquire(s(5)).expect("one that was given back does not count");
    assert_eq!(third.record(Outcome::Success, s(5)).transition().unwrap().to, State::Closed);

    let judged = config.probes(4).close_below(Ratio::percent(50), 4);
    let breaker = CircuitBreaker::<0>::new(judged.half_open_calls(4));
    breaker.trip(s(0));
    for _ in 0..3 {
        let _ = breaker.try_acquire(s(5)).unwrap().record(Outcome::Success, s(5));
    }
    let last = breaker.try_acquire(s(5)).unwrap();
    assert!(breaker.try_acquire(s(5)).is_err());
    assert_eq!(last.record(Outcome::Failure, s(5)).transition().unwrap().to, State::Closed, "1 of 4");

    for (config, least) in [(config, 3), (config.probe_failures_to_open(2), 4), (judged, 4)] {
        assert!(CircuitBreaker::<0>::try_new(config.half_open_calls(least)).is_ok());
        let error = CircuitBreaker::<0>::try_new(config.half_open_calls(least - 1)).unwrap_err();
        assert_eq!(error.field, "circuit_breaker.half_open_calls");
        assert!(CircuitBreaker::<0>::try_new(config.half_open_calls(47)).is_err());
    }
}

/// An open time that is tiny beside the lease is as short as the timer can tell, and not no time at all.
#[cfg_attr(test, test)]
pub(crate) fn an_open_time_that_is_tiny_beside_the_lease_is_some_time() {
    let century = 100 * 365 * 86_400 * SECOND;
    for (open, lease) in [(Duration::from_nanos(10), century), (Duration::from_millis(5), 60 * SECOND)] {
        let config = Config::consecutive_failures(1).open_for(open).probe_lease_of(lease);
        let breaker = CircuitBreaker::<0>::new(config);
        let _ = breaker.try_acquire(s(10)).unwrap().record(Outcome::Failure, s(10));
        assert_eq!(breaker.check(s(10)).unwrap_err().reason, Reason::Open);
        let wait = breaker.try_acquire(s(10)).unwrap_err().retry_after.unwrap();
        assert!(wait > Duration::ZERO && (wait < SECOND || !WIDE), "{wait:?}");
        assert!(breaker.try_acquire(s(10).saturating_add(wait)).is_ok());
    }
}

/// What has no end is no reason to count what has one in days.
#[cfg_attr(test, test)]
pub(crate) fn a_lease_and_a_ramp_without_an_end_leave_the_open_time_as_it_is() {
    let endless = Config::consecutive_failures(1).open_for(MINUTE).probe_lease_of(Duration::MAX);
    for config in [endless, endless.ramp(Duration::MAX, Ratio::percent(50))] {
        let breaker = CircuitBreaker::<0>::new(config);
        let _ = breaker.try_acquire(s(10)).unwrap().record(Outcome::Failure, s(10));
        assert_eq!(breaker.check(s(69)).unwrap_err().reason, Reason::Open);
        let _lost = breaker.try_acquire(s(70)).expect("a minute has passed").into_ticket();
        let refused = breaker.try_acquire(Instant::from_nanos(u64::MAX - 1)).unwrap_err();
        assert_eq!((refused.reason, refused.retry_after), (Reason::ProbesOut, None), "its lease has no end");
    }
}

/// Failures in a row after so many successes, until the breaker opens.
fn failures_to_open<const N: usize>(breaker: &CircuitBreaker<N>, successes: u32) -> Option<u32> {
    (0..successes).for_each(|_| calls(breaker, "S", s(1)));
    (1..=100).find(|_| {
        calls(breaker, "F", s(1));
        state(breaker, s(1)) == State::Open
    })
}

/// resilience4j's default: a hundred calls, of which there have to be a hundred. Fewer slots leave the oldest out of the sums, but
/// not out of the number of calls that there were.
#[cfg_attr(test, test)]
pub(crate) fn a_minimum_of_all_calls_of_the_window_is_met_by_each_call_from_then_on() {
    let config = || Config::failure_rate(Ratio::percent(50), Span::calls(100), 100).successes_to_close(1);
    for successes in 100..130 {
        let breaker = CircuitBreaker::<10>::new(config());
        assert_eq!(failures_to_open(&breaker, successes), Some(50), "after {successes} successes");
    }
    assert_eq!(failures_to_open(&CircuitBreaker::<100>::new(config()), 103), Some(50));
    // A window of one slot begins anew after each hundred calls, and no one call decides.
    assert_eq!(failures_to_open(&CircuitBreaker::<1>::new(config()), 100), Some(50));
    // Not before, neither at the start nor when it has closed again.
    let breaker = CircuitBreaker::<10>::new(config());
    for start in [1, 1000] {
        (0..99).for_each(|_| calls(&breaker, "F", s(start)));
        assert_eq!(state(&breaker, s(start)), State::Closed, "of 99 calls");
        calls(&breaker, "F", s(start));
        assert_eq!(state(&breaker, s(start)), State::Open);
        calls(&breaker, "S", s(start + 500));
        assert_eq!(state(&breaker, s(start + 500)), State::Closed);
    }
}
