//! Whole guards, as firmware has them: in a `static`, through an outage and out of it.

use core::task::{Poll, Waker};
use core::time::Duration;

use seawall_core::circuit_breaker::{self, State};
use seawall_core::error_budget::{self, Edge};
use seawall_core::guard::{Begin, Pattern, Policy, Rejected, Report, Verdict};
use seawall_core::rate_limiter::Quota;
use seawall_core::retry::{self, GiveUp};
use seawall_core::{Backoff, Deadline, Guard, Instant, Outcome, Ratio, bulkhead};

use super::support::{MINUTE, SECOND, WRAP_OF_MILLIS, before, ms, s};

const MILLI: Duration = Duration::from_millis(1);

const UPLINK: Policy = Policy::new()
    .rate_limit(Quota::per_second(10).burst(10))
    .bulkhead(bulkhead::Config::new(2).max_wait(SECOND))
    .circuit_breaker(
        circuit_breaker::Config::consecutive_failures(5)
            .open_for(Duration::from_secs(30))
            .successes_to_close(2),
    )
    .retry(retry::Config::attempts(3, Backoff::constant(Duration::from_millis(10))).budget(
        Ratio::percent(20),
        4,
        0,
    ))
    .timeout(Duration::from_millis(200))
    .deadline(Duration::from_secs(10))
    .error_budget(error_budget::Config::new(Ratio::percent(90), MINUTE).minimum_calls(10));

/// What one call met with: its verdict, its attempts and the budget's edge, or who refused it.
type Ended = Result<(Verdict, u32, Option<Edge>), Rejected>;

/// One call whose attempts all end as `outcome`.
fn run<const W: usize, const N: usize>(guard: &Guard<W, N>, outcome: Outcome, mut now: Instant) -> Ended {
    let mut call = guard.try_begin(Deadline::NONE, now)?;
    loop {
        let attempt = call.try_attempt(now)?;
        let settled = call.settle(attempt, Report::new(outcome), now);
        match settled.verdict {
            Verdict::RetryAfter(pause) => now = now.saturating_add(pause),
            verdict => return Ok((verdict, call.attempts(), settled.budget)),
        }
    }
}

fn refused_by(ended: &Ended) -> Option<Pattern> {
    ended.as_ref().err().map(Rejected::pattern)
}

/// Healthy traffic, an outage, and recovery, told by a guard at `start`.
fn outage_and_recovery<const W: usize, const N: usize>(guard: &Guard<W, N>, start: Instant) {
    let at = |seconds| start.saturating_add(Duration::from_secs(seconds));
    for second in 0..20 {
        assert_eq!(run(guard, Outcome::Success, at(second)), Ok((Verdict::Done, 1, None)));
    }
    // The dependency dies: two calls with three attempts each are enough to open the breaker.
    let first = run(guard, Outcome::Failure, at(20)).unwrap();
    assert_eq!((first.0, first.1), (Verdict::GaveUp(GiveUp::Attempts), 3));
    let second = run(guard, Outcome::Failure, at(21)).unwrap();
    assert_eq!((second.0, second.1), (Verdict::GaveUp(GiveUp::BreakerOpen), 2));
    assert_eq!(guard.breaker().unwrap().status(at(21)).state, State::Open);
    // What the breaker refuses costs neither tokens nor slots nor error budget.
    let tokens = guard.limiter().unwrap().available(at(22));
    for _ in 0..50 {
        let refused = run(guard, Outcome::Success, at(22));
        assert_eq!(refused_by(&refused), Some(Pattern::CircuitBreaker));
        // The breaker opened ten milliseconds after the call began.
        assert_eq!(refused.unwrap_err().retry_after(), Some(29 * SECOND + 10 * MILLI));
    }
    assert_eq!(guard.limiter().unwrap().available(at(22)), tokens);
    assert_eq!(guard.bulkhead().unwrap().snapshot().in_use, 0);
    assert_eq!(guard.error_budget().unwrap().snapshot(at(22)).failures, 2);
    // One probe fails, and the breaker opens anew; then two succeed.
    let probe = run(guard, Outcome::Failure, at(52)).unwrap();
    assert_eq!((probe.1, probe.2), (1, Some(Edge::Exhausted)), "3 of 23 calls failed");
    assert_eq!(refused_by(&run(guard, Outcome::Success, at(81))), Some(Pattern::CircuitBreaker));
    for edge in [Some(Edge::Recovered), None] {
        assert_eq!(run(guard, Outcome::Success, at(83)), Ok((Verdict::Done, 1, edge)));
    }
    assert_eq!(guard.breaker().unwrap().status(at(83)).state, State::Closed);

    let stats = guard.stats();
    assert_eq!((stats.successes, stats.failures, stats.rejected_by(Pattern::CircuitBreaker)), (22, 3, 51));
    assert_eq!(stats.retries, 3);
    assert_eq!(stats.transitions(State::Closed, State::Open), 1);
    assert_eq!(stats.transitions(State::Open, State::HalfOpen), 2);
    assert_eq!(stats.transitions(State::HalfOpen, State::Open), 1);
    assert_eq!(stats.transitions(State::HalfOpen, State::Closed), 1);
}

#[cfg_attr(test, test)]
pub(crate) fn an_outage_and_the_recovery_in_a_static() {
    static GUARD: Guard<4, 10> = Guard::new(UPLINK);
    outage_and_recovery(&GUARD, s(1000));
}

#[cfg_attr(test, test)]
pub(crate) fn an_outage_while_the_milliseconds_wrap() {
    for ahead in [0, 1, 20, 21, 50, 52, 83] {
        let guard: Guard<4, 10> = Guard::new(UPLINK);
        outage_and_recovery(&guard, before(WRAP_OF_MILLIS, Duration::from_secs(ahead)));
    }
}

#[cfg_attr(test, test)]
pub(crate) fn each_pattern_refuses_by_its_name() {
    let guard: Guard<0, 10> = Guard::new(UPLINK);
    let mut first = guard.try_begin(Deadline::NONE, s(5)).unwrap();
    let second = guard.try_begin(Deadline::NONE, s(5)).unwrap();
    assert_eq!(refused_by(&run(&guard, Outcome::Success, s(5))), Some(Pattern::Bulkhead));
    assert_eq!(guard.limiter().unwrap().available(s(5)), 8, "the token of the refused call came back");
    drop(second);
    assert_eq!(guard.limiter().unwrap().available(s(5)), 9, "and that of the cancelled one");
    let attempt = first.try_attempt(s(5)).unwrap();
    assert_eq!(attempt.deadline(), Deadline::at(ms(5200)));
    assert_eq!(first.settle(attempt, Report::new(Outcome::Success), s(5)).verdict, Verdict::Done);
    drop(first);
    for _ in 0..9 {
        assert!(run(&guard, Outcome::Success, s(5)).is_ok());
    }
    assert_eq!(refused_by(&run(&guard, Outcome::Success, s(5))), Some(Pattern::RateLimiter));
    let late = guard.try_begin(Deadline::at(s(6)), s(6));
    assert_eq!(late.unwrap_err(), Rejected::DeadlineExpired);
    let stats = guard.stats();
    assert_eq!((stats.successes, stats.cancelled, stats.rejected()), (10, 1, 3));
}

#[cfg_attr(test, test)]
pub(crate) fn a_call_waits_for_its_slot_and_may_give_up() {
    let guard: Guard<2, 10> = Guard::new(UPLINK);
    let held = [(); 2].map(|()| guard.try_begin(Deadline::NONE, s(5)).unwrap());
    let waiting = || match guard.begin(Deadline::NONE, s(5)) {
        Ok(Begin::Waiting(waiting)) => waiting,
        other => panic!("{other:?} instead of a wait"),
    };
    let (mut first, second) = (waiting(), waiting());
    assert!(first.poll(Waker::noop(), s(5)).is_pending());
    assert!(matches!(
        guard.begin(Deadline::NONE, s(5)),
        Err(Rejected::Bulkhead(bulkhead::Rejected::QueueFull { .. }))
    ));
    second.cancel(s(5));
    drop(held);
    let Poll::Ready(Ok(mut call)) = first.poll(Waker::noop(), s(6)) else { panic!("the slots are free") };
    let attempt = call.try_attempt(s(6)).unwrap();
    assert_eq!(call.settle(attempt, Report::new(Outcome::Success), s(6)).verdict, Verdict::Done);
    drop(call);
    assert_eq!(guard.bulkhead().unwrap().snapshot().in_use, 0);
    let stats = guard.stats();
    assert_eq!((stats.successes, stats.cancelled, stats.rejected_by(Pattern::Bulkhead)), (1, 3, 1));
}

#[cfg_attr(test, test)]
pub(crate) fn when_everything_fails_the_budget_exhausts_and_recovers() {
    let policy = Policy::new()
        .error_budget(error_budget::Config::new(Ratio::percent(90), MINUTE).minimum_calls(10))
        .retry(retry::Config::never());
    let guard: Guard<0, 10> = Guard::new(policy);
    for n in 0..20 {
        let edge = (n == 9).then_some(Edge::Exhausted);
        let ended = run(&guard, Outcome::Failure, s(100 + n)).unwrap();
        assert_eq!(ended, (Verdict::GaveUp(GiveUp::Attempts), 1, edge), "call {n}");
    }
    assert_eq!(guard.error_budget().unwrap().check(s(180)), Some(Edge::Recovered));
}

/// A breaker does not call back what it admitted; a bulkhead bounds how much that is.
#[cfg_attr(test, test)]
pub(crate) fn b16_failures_in_flight_at_the_trip_are_no_more_than_the_slots() {
    let policy = Policy::new().circuit_breaker(ONE_FAILURE).bulkhead(bulkhead::Config::new(3));
    let guard: Guard<0, 0> = Guard::new(policy);
    let mut calls = [0; 3].map(|_| guard.try_begin(Deadline::NONE, s(0)).unwrap());
    assert_eq!(guard.try_begin(Deadline::NONE, s(0)).unwrap_err().pattern(), Pattern::Bulkhead);
    let attempts = calls.each_mut().map(|call| call.try_attempt(s(0)).unwrap());
    for (call, attempt) in calls.iter_mut().zip(attempts) {
        let _ = call.settle(attempt, Report::new(Outcome::Failure), s(1));
    }
    drop(calls);
    assert_eq!(guard.stats().transitions(State::Closed, State::Open), 1);
    assert_eq!(guard.try_begin(Deadline::NONE, s(1)).unwrap_err().pattern(), Pattern::CircuitBreaker);
}

/// A guard whose breaker opens at the first failure, with this configuration besides.
fn fragile(config: circuit_breaker::Config) -> Guard<0, 10> {
    let policy = Policy::new().circuit_breaker(config.open_for(MINUTE)).timeout(10 * SECOND);
    Guard::new(policy.deadline(30 * SECOND))
}

const ONE_FAILURE: circuit_breaker::Config = circuit_breaker::Config::consecutive_failures(1);

#[cfg_attr(test, test)]
pub(crate) fn a_probe_is_given_the_shorter_of_its_times() {
    for (probe_timeout, given) in [(2 * SECOND, 2 * SECOND), (20 * SECOND, 10 * SECOND)] {
        let guard = fragile(ONE_FAILURE.probe_timeout(probe_timeout));
        let time_of_an_attempt = |now| {
            let mut call = guard.try_begin(Deadline::NONE, now).unwrap();
            let attempt = call.try_attempt(now).unwrap();
            let about = attempt.about();
            let _ = call.settle(attempt, Report::timed_out(), now);
            (about.is_probe(), about.remaining())
        };
        assert_eq!(time_of_an_attempt(s(0)), (false, 10 * SECOND));
        assert_eq!(time_of_an_attempt(s(60)), (true, given));
    }
}

#[cfg_attr(test, test)]
pub(crate) fn the_peers_retry_after_reaches_the_breaker() {
    let guard = fragile(ONE_FAILURE.honor_retry_after(5 * MINUTE));
    let mut call = guard.try_begin(Deadline::NONE, s(0)).unwrap();
    let attempt = call.try_attempt(s(0)).unwrap();
    let _ = call.settle(attempt, Report::new(Outcome::Failure).retry_after(3 * MINUTE), s(0));
    assert_eq!(guard.breaker().unwrap().status(s(0)).retry_after, Some(3 * MINUTE));
}

#[cfg_attr(test, test)]
pub(crate) fn a_breaker_in_shadow_refuses_no_call_and_is_counted() {
    let guard = fragile(ONE_FAILURE.in_shadow());
    for second in 0..5 {
        assert!(run(&guard, Outcome::Failure, s(second)).is_ok());
    }
    let stats = guard.stats();
    assert_eq!(
        (stats.failures, stats.rejected(), stats.shadow.reject_by(Pattern::CircuitBreaker)),
        (5, 0, 4)
    );
    assert_eq!(guard.breaker().unwrap().status(s(5)).state, State::Open);
}
