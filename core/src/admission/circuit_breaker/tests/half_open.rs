//! How probes close the breaker or open it again.

use super::*;

/// Calls from half-open on, of a breaker that opened at 0 s; the last one's settlement.
fn story(config: Config, letters: &str) -> (State, Settlement) {
    let breaker = opened(config);
    let mut last = Settlement::Stale;
    for letter in letters.chars() {
        assert_ne!(state(&breaker, s(60)), State::Closed, "{letters}");
        last = call(&breaker, outcome_of(letter), s(60)).unwrap();
    }
    (state(&breaker, s(60)), last)
}

fn cause(settlement: Settlement) -> Cause {
    settlement.transition().unwrap().cause
}

#[test]
fn t17_a_share_decides_when_all_probes_are_in() {
    let four = consecutive(1).probes(4).close_below(Ratio::percent(50), 4);
    assert_eq!(story(four, "SSSX"), (State::HalfOpen, Settlement::Uncounted));
    let (closed, last) = story(four, "SSSXF");
    assert_eq!((closed, cause(last)), (State::Closed, Cause::ProbeRate { calls: 4, failures: 1 }));
    assert_eq!(story(four, "XXXXSSSS").0, State::Closed);
    let (opened, last) = story(four, "SFSF");
    assert_eq!((opened, cause(last)), (State::Open, Cause::ProbeRate { calls: 4, failures: 2 }));
    assert_eq!(story(four, "FFF").0, State::HalfOpen, "three of four are not all");
    let hasty = four.probe_failures_to_open(2);
    assert_eq!(cause(story(hasty, "FF").1), Cause::ProbesFailed { failures: 2 });
}

#[test]
fn t17_an_ignored_probe_leaves_its_place_to_the_one_that_decides() {
    let breaker = opened(consecutive(1).probes(4).close_below(Ratio::percent(50), 4));
    let probes = [0; 4].map(|_| breaker.try_acquire(s(60)).unwrap());
    assert!(breaker.try_acquire(s(60)).is_err());
    for (probe, outcome) in
        probes.into_iter().zip([Outcome::Success; 3].into_iter().chain([Outcome::Ignored]))
    {
        assert!(probe.record(outcome, s(61)).transition().is_none());
    }
    let status = breaker.status(s(61));
    assert_eq!((status.state, status.successes, status.probes), (State::HalfOpen, 3, 0));
    calls(&breaker, "F", s(61));
    assert_eq!(state(&breaker, s(61)), State::Closed);
}

#[test]
fn t19_counts_of_failsafe_go() {
    let a = consecutive(1).probe_failures_to_open(3);
    assert_eq!(story(a.successes_to_close(3), "FF").0, State::HalfOpen);
    let (state, last) = story(a.successes_to_close(3), "FFF");
    assert_eq!((state, cause(last)), (State::Open, Cause::ProbesFailed { failures: 3 }));
    let b = consecutive(1).probe_failures_to_open(2).successes_to_close(2);
    assert_eq!(story(b, "FS").0, State::HalfOpen);
    assert_eq!(story(b, "FSF").0, State::Open);
    assert_eq!(story(b, "FSS").0, State::Closed);
    let c = consecutive(1).successes_to_close(3);
    assert_eq!(story(c, "SSF").0, State::Open);
    let d = consecutive(1).probe_failures_to_open(2).successes_to_close(3);
    assert_eq!(story(d, "SFS").0, State::HalfOpen);
    assert_eq!(story(d, "SFSF").0, State::Open);
    assert_eq!(story(d, "SFSS").0, State::Closed);
}

#[test]
fn the_largest_counts_fit_the_word() {
    let most = consecutive(1).probes(15).successes_to_close(31).probe_failures_to_open(31);
    let mixed = "SF".repeat(30);
    for (last, end, cause_of_it) in [
        ("S", State::Closed, Cause::ProbesSucceeded { successes: 31 }),
        ("F", State::Open, Cause::ProbesFailed { failures: 31 }),
    ] {
        let (state, settlement) = story(most, &std::format!("{mixed}{last}"));
        assert_eq!((state, cause(settlement)), (end, cause_of_it));
    }
    let (state, last) =
        story(consecutive(1).close_below(Ratio::ONE, 31), &std::format!("{}S", "F".repeat(30)));
    assert_eq!((state, cause(last)), (State::Closed, Cause::ProbeRate { calls: 31, failures: 30 }));
    let breaker = opened(most);
    let probes = [0; 15].map(|_| breaker.try_acquire(s(60)).unwrap());
    assert!(breaker.try_acquire(s(60)).is_err());
    assert_eq!((breaker.status(s(60)).probes, breaker.status(s(60)).successes), (15, 0));
    drop(probes);
}

#[test]
fn each_cycle_counts_anew() {
    let breaker = opened(consecutive(1).probe_failures_to_open(2).successes_to_close(2));
    calls(&breaker, "FSF", s(60));
    assert_eq!(state(&breaker, s(60)), State::Open);
    calls(&breaker, "FS", s(120));
    let status = breaker.status(s(120));
    assert_eq!((status.state, status.successes, status.failed_probes), (State::HalfOpen, 1, 1));
    // A lost probe begins another cycle within half-open.
    let lost = breaker.try_acquire(s(120)).unwrap().into_ticket();
    calls(&breaker, "F", s(180));
    let status = breaker.status(s(180));
    assert_eq!((status.state, status.successes, status.failed_probes), (State::HalfOpen, 0, 1));
    assert_eq!(breaker.settle(lost, Outcome::Failure, s(181)), Settlement::Stale);
}

#[test]
fn a_slow_probe_fails_only_where_slow_calls_trip() {
    let by_row = consecutive(1);
    assert_eq!(story(by_row, "L").0, State::Closed);
    let span = Span::time(Duration::from_secs(100));
    let by_slowness =
        Config::slow_call_rate(Ratio::percent(50), Duration::from_secs(4), span, 1).successes_to_close(1);
    for (outcome, took, end) in [
        (Outcome::Success, 3, State::Closed),
        (Outcome::Success, 4, State::Open),
        (Outcome::Slow, 0, State::Open),
    ] {
        let breaker = CircuitBreaker::<10>::new(by_slowness.open_for(MINUTE));
        breaker.trip(s(0));
        let probe = breaker.try_acquire(s(60)).unwrap();
        probe.record(outcome, s(60 + took));
        assert_eq!(state(&breaker, s(60 + took)), end, "{outcome:?} after {took} s");
    }
}

#[test]
fn a_call_that_is_called_slow_is_a_success_and_a_slow_call() {
    let breaker = CircuitBreaker::<0>::new(consecutive(2));
    calls(&breaker, "FLF", s(0));
    assert_eq!(state(&breaker, s(0)), State::Closed, "it ends the row");
    let span = Span::time(Duration::from_secs(10));
    let breaker = CircuitBreaker::<10>::new(rate(50, span, 2).or_slow_call_rate(Ratio::ONE, MINUTE));
    calls(&breaker, "L", s(0));
    let opened = call(&breaker, Outcome::Slow, s(0)).unwrap().transition().unwrap();
    assert_eq!(opened.cause, Cause::SlowCallRate { calls: 2, slow: 2 });
    // Without a rule for slow calls it is counted as slow all the same, and trips nothing.
    let breaker = CircuitBreaker::<10>::new(rate(50, span, 2));
    calls(&breaker, "LLL", s(0));
    let window = breaker.status(s(0)).window;
    assert_eq!((window.calls, window.failures, window.slow), (3, 0, 3));
}

#[test]
fn the_peer_says_how_long_the_breaker_stays_open() {
    let honoring = consecutive(2).honor_retry_after(5 * MINUTE);
    let open_time = |config: Config, asked: Option<Duration>| {
        let breaker = CircuitBreaker::<0>::new(config);
        calls(&breaker, "F", s(0));
        let failing = breaker.try_acquire(s(0)).unwrap();
        assert!(failing.record_with(Outcome::Failure, asked, s(0)).transition().is_some());
        breaker.status(s(0)).retry_after
    };
    assert_eq!(open_time(honoring, Some(2 * MINUTE)), Some(2 * MINUTE));
    assert_eq!(open_time(honoring, Some(MINUTE / 2)), Some(MINUTE / 2));
    assert_eq!(open_time(honoring, Some(Duration::MAX)), Some(5 * MINUTE));
    assert_eq!(open_time(honoring, Some(Duration::ZERO)), Some(MINUTE));
    assert_eq!(open_time(honoring, None), Some(MINUTE));
    assert_eq!(open_time(consecutive(2), Some(2 * MINUTE)), Some(MINUTE), "not asked to");
    assert_eq!(open_time(consecutive(2).honor_retry_after(Duration::MAX), Some(Duration::MAX)), None);

    // A failed probe asks as well; a success or a failure that opens nothing does not.
    let breaker = CircuitBreaker::<0>::new(honoring);
    let record = |outcome, now| breaker.try_acquire(now).unwrap().record_with(outcome, Some(3 * MINUTE), now);
    assert_eq!(record(Outcome::Failure, s(0)), Settlement::Counted);
    calls(&breaker, "F", s(0));
    assert_eq!(breaker.status(s(0)).retry_after, Some(MINUTE));
    assert!(record(Outcome::Failure, s(60)).transition().is_some());
    assert_eq!(breaker.status(s(60)).retry_after, Some(3 * MINUTE));
    assert_eq!(record(Outcome::Success, s(240)).transition().unwrap().to, State::Closed);
    assert!(breaker.try_acquire(s(240)).is_ok());
}

#[test]
fn b18_the_limits_of_recovery_are_named() {
    let field = |config: Config| CircuitBreaker::<0>::try_new(config).unwrap_err().field;
    let one = consecutive(1);
    let half = Ratio::percent(50);
    for n in [0, 32, 256, 257, u32::MAX] {
        assert_eq!(field(one.successes_to_close(n)), "circuit_breaker.successes_to_close");
        assert_eq!(field(one.probe_failures_to_open(n)), "circuit_breaker.probe_failures_to_open");
        assert_eq!(field(one.close_below(half, n)), "circuit_breaker.close_below.of");
    }
    assert_eq!(field(one.probes(256)), "circuit_breaker.probes");
    assert_eq!(field(one.close_below(Ratio::ZERO, 4)), "circuit_breaker.close_below.share");
    assert_eq!(field(one.probe_timeout(Duration::ZERO)), "circuit_breaker.probe_timeout");
    assert_eq!(field(one.honor_retry_after(Duration::ZERO)), "circuit_breaker.honor_retry_after");
    assert_eq!(field(one.ramp(Duration::ZERO, half)), "circuit_breaker.ramp");
    let limit = |config: Config| CircuitBreaker::<0>::new(config).config().probe_limit();
    assert_eq!(limit(one), None);
    assert_eq!(limit(one.probe_timeout(MINUTE)), Some(MINUTE));
    assert_eq!(limit(one.probe_timeout(Duration::MAX)), Some(Duration::MAX));
}
