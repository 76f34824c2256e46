//! A breaker that refuses nothing and says what it would do.

use super::*;

#[test]
fn a_shadow_goes_through_all_states_and_refuses_no_call() {
    let breaker = opened(consecutive(2).probes(1).successes_to_close(2).in_shadow());
    assert!(breaker.status(s(0)).shadow && !breaker.status(s(0)).forced);
    assert_eq!(breaker.status(s(10)).retry_after, Some(Duration::from_secs(50)));
    assert!(breaker.check(s(10)).is_ok());
    let refused = breaker.try_acquire(s(10)).unwrap();
    let answer = refused.would_reject().unwrap();
    assert_eq!((answer.state, answer.reason), (State::Open, Reason::Open));
    assert_eq!(answer.retry_after, Some(Duration::from_secs(50)));
    assert_eq!(refused.record(Outcome::Success, s(10)), Settlement::Uncounted);

    let probe = breaker.try_acquire(s(60)).unwrap();
    assert!(probe.is_probe() && probe.would_reject().is_none());
    assert_eq!(probe.transition().unwrap().to, State::HalfOpen);
    let second = breaker.try_acquire(s(60)).unwrap();
    assert_eq!(second.would_reject().unwrap().reason, Reason::ProbesOut);
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        assert_eq!(call(&breaker, outcome, s(60)).unwrap(), Settlement::Uncounted);
    }
    drop(second);
    assert_eq!((breaker.status(s(60)).probes, breaker.status(s(60)).successes), (1, 0));
    assert_eq!(probe.record(Outcome::Success, s(60)), Settlement::Counted);
    let closed = call(&breaker, Outcome::Success, s(60)).unwrap().transition().unwrap();
    assert_eq!((closed.to, closed.cause), (State::Closed, Cause::ProbesSucceeded { successes: 2 }));
    calls(&breaker, "FF", s(60));
    assert_eq!((state(&breaker, s(60)), breaker.status(s(60)).shadow), (State::Open, true));
}

#[test]
fn a_real_breaker_and_a_shadow_say_the_same_of_the_same_calls() {
    let config = consecutive(3)
        .probes(2)
        .successes_to_close(2)
        .probe_failures_to_open(2)
        .ramp(MINUTE, Ratio::percent(30))
        .seed(11);
    let (real, shadow) = (CircuitBreaker::<0>::new(config), CircuitBreaker::<0>::new(config.in_shadow()));
    for i in 0..3000_u64 {
        let now = Instant::from_millis(i * 500);
        let bad = (i / 97) % 2 == 1;
        let outcome = if bad && i % 5 != 0 { Outcome::Failure } else { Outcome::Success };
        let expected = real.try_acquire(now);
        let permit = shadow.try_acquire(now).unwrap();
        match expected {
            Ok(expected) => {
                assert_eq!((permit.would_reject(), permit.is_probe()), (None, expected.is_probe()));
                assert_eq!(permit.record(outcome, now), expected.record(outcome, now));
            }
            Err(rejected) => {
                assert_eq!(permit.would_reject(), Some(rejected));
                assert_eq!(permit.record(outcome, now), Settlement::Uncounted);
            }
        }
        let (a, b) = (real.status(now), shadow.status(now));
        assert_eq!((a.state, a.generation, a.retry_after), (b.state, b.generation, b.retry_after));
    }
    assert!(real.status(s(1500)).generation > 20, "the story has every state");
}

#[test]
fn shadow_mode_begins_and_ends_within_a_phase() {
    let breaker = opened(consecutive(1));
    let begun = breaker.shadow(true);
    assert_eq!((begun.from, begun.to, begun.cause), (State::Open, State::Open, Cause::Manual));
    assert_eq!(begun.generation, breaker.status(s(0)).generation);
    let refused = breaker.try_acquire(s(1)).unwrap();
    breaker.shadow(false);
    assert!(breaker.try_acquire(s(1)).is_err());
    assert_eq!(refused.record(Outcome::Success, s(1)), Settlement::Uncounted);
    let probe = breaker.try_acquire(s(60)).unwrap();
    breaker.shadow(true);
    assert_eq!(probe.record(Outcome::Success, s(60)).transition().unwrap().to, State::Closed);
    assert!(breaker.status(s(60)).shadow);
}

#[test]
fn forced_modes_are_stronger_and_give_way_to_the_configured_one() {
    for in_shadow in [false, true] {
        let config = if in_shadow { consecutive(1).in_shadow() } else { consecutive(1) };
        let breaker = CircuitBreaker::<0>::new(config);
        breaker.shadow(true);
        breaker.force_open();
        let rejected = breaker.try_acquire(s(0)).unwrap_err();
        assert_eq!((rejected.reason, rejected.retry_after), (Reason::ForcedOpen, None));
        let unchanged = breaker.shadow(false);
        assert_eq!(unchanged.from, unchanged.to);
        assert!(breaker.status(s(0)).forced, "the end of shadow mode ends no other");
        breaker.reset(s(0));
        assert_eq!(breaker.status(s(0)).shadow, in_shadow);
        breaker.force_closed();
        breaker.trip(s(0));
        assert_eq!((breaker.status(s(0)).shadow, state(&breaker, s(0))), (in_shadow, State::Open));
        breaker.force_open();
        let ended = breaker.shadow(true);
        assert_eq!((ended.from, ended.to), (State::Open, State::Closed));
        calls(&breaker, "F", s(0));
        assert_eq!(breaker.status(s(0)).retry_after, Some(MINUTE));
        breaker.reset(s(0));
        assert!(breaker.status(s(0)).shadow, "a reset leaves a shadow one");
    }
}

#[test]
fn an_open_time_without_end_is_told_as_none() {
    let breaker = opened(consecutive(1).open_for(Duration::MAX).in_shadow());
    assert_eq!(breaker.try_acquire(s(9)).unwrap().would_reject().unwrap().retry_after, None);
}
