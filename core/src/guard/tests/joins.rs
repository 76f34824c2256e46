//! Where one pattern of a guard needs to know of another.

use super::*;

const SHADOWED_LIMIT: Policy = Policy::new()
    .rate_limit(Quota::per_second(1).burst(1))
    .circuit_breaker(circuit_breaker::Config::consecutive_failures(1).open_for(SECOND));

#[test]
fn a_probe_that_is_slower_than_the_open_time_closes_the_breaker() {
    let config = circuit_breaker::Config::consecutive_failures(1).open_for(SECOND).successes_to_close(1);
    let guard: Guard = Guard::new(Policy::new().circuit_breaker(config).timeout(SECOND * 5));
    run(&guard, &[Outcome::Failure], T).unwrap();
    let probing = T.saturating_add(SECOND);
    let mut call = guard.try_begin(Deadline::NONE, probing).unwrap();
    let probe = call.try_attempt(probing).unwrap();
    // The open time is over once more, and the probe may still come back.
    let later = probing.saturating_add(SECOND * 2);
    assert!(guard.try_begin(Deadline::NONE, later).is_err(), "the probe is out");
    assert_eq!(call.settle(probe, Report::new(Outcome::Success), later).verdict, Verdict::Done);
    assert_eq!(guard.breaker().unwrap().status(later).state, State::Closed);
}

#[test]
fn a_lease_that_is_set_holds_whatever_an_attempt_may_take() {
    let config = circuit_breaker::Config::consecutive_failures(1).open_for(SECOND).probe_lease_of(SECOND);
    let guard: Guard = Guard::new(Policy::new().circuit_breaker(config).timeout(SECOND * 5));
    run(&guard, &[Outcome::Failure], T).unwrap();
    let probing = T.saturating_add(SECOND);
    let mut lost = guard.try_begin(Deadline::NONE, probing).unwrap();
    let _probe = lost.try_attempt(probing).unwrap();
    assert!(guard.try_begin(Deadline::NONE, probing.saturating_add(MILLI * 999)).is_err());
    assert!(guard.try_begin(Deadline::NONE, probing.saturating_add(SECOND)).is_ok());
}

#[test]
fn a_throttle_hears_of_every_failure_that_a_retry_could_mend() {
    let throttle = retry::Config::attempts(3, Backoff::constant(MILLI)).throttle(Ratio::percent(10), 10);
    let breaker = circuit_breaker::Config::consecutive_failures(1).open_for(SECOND);
    let spent = |policy: Policy, report: Report| {
        let guard: Guard = Guard::new(policy.retry(throttle));
        let full = guard.retry().balance();
        let mut call = guard.try_begin(Deadline::NONE, T).unwrap();
        let attempt = call.try_attempt(T).unwrap();
        let verdict = call.settle(attempt, report, T).verdict;
        (verdict, full - guard.retry().balance())
    };
    let failure = Report::new(Outcome::Failure);
    assert_eq!(spent(Policy::new(), failure), (Verdict::RetryAfter(MILLI), 1));
    assert_eq!(spent(Policy::new(), failure.not_retryable()), (Verdict::GaveUp(GiveUp::NotRetryable), 0));
    let open = Policy::new().circuit_breaker(breaker);
    assert_eq!(spent(open, failure), (Verdict::GaveUp(GiveUp::BreakerOpen), 1));
    assert_eq!(spent(open, failure.retry_after(MILLI)), (Verdict::GaveUp(GiveUp::BreakerOpen), 1));
    assert_eq!(spent(Policy::new(), Report::new(Outcome::Ignored)), (Verdict::Done, 0));
}

#[test]
fn a_retry_whose_pause_outlasts_the_open_time_is_made() {
    let verdict = |open: Duration, pause: Duration| {
        let breaker = circuit_breaker::Config::consecutive_failures(1).open_for(open);
        let retry = retry::Config::attempts(2, Backoff::constant(pause));
        let guard: Guard = Guard::new(Policy::new().circuit_breaker(breaker).retry(retry));
        run(&guard, &[Outcome::Failure, Outcome::Success], T).unwrap()
    };
    assert_eq!(verdict(SECOND, SECOND), (Verdict::Done, 2));
    assert_eq!(verdict(SECOND, MILLI * 999), (Verdict::GaveUp(GiveUp::BreakerOpen), 1));
}

#[test]
fn a_limiter_in_shadow_mode_leaves_the_word_to_the_breaker() {
    let guard: Guard = Guard::new(SHADOWED_LIMIT);
    run(&guard, &[Outcome::Failure], T).unwrap();
    assert!(matches!(guard.try_begin(Deadline::NONE, T), Err(Rejected::RateLimiter(_))));
    guard.limiter().unwrap().set_shadow(true);
    assert!(matches!(guard.try_begin(Deadline::NONE, T), Err(Rejected::CircuitBreaker(_))));
}
