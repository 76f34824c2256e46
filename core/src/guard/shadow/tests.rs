use core::time::Duration;

use crate::admission::circuit_breaker::{self, State};
use crate::admission::load_shedder::Priority;
use crate::admission::{bulkhead, rate_limiter::Quota};
use crate::attempt::backoff::Backoff;
use crate::attempt::deadline::Deadline;
use crate::attempt::retry;
use crate::guard::{Begin, Guard, Pattern, Policy, Rejected, Report, Verdict, Would};
use crate::health::degradation::Level;
use crate::health::error_budget;
use crate::outcome::Outcome;
use crate::ratio::Ratio;
use crate::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const T: Instant = Instant::from_secs(100);

const POLICY: Policy = Policy::new()
    .rate_limit(Quota::per_second(1).burst(2))
    .bulkhead(bulkhead::Config::new(1).max_wait(SECOND))
    .circuit_breaker(circuit_breaker::Config::consecutive_failures(3).open_for(SECOND).successes_to_close(1))
    .retry(retry::Config::attempts(3, Backoff::constant(MILLI)))
    .timeout(Duration::from_millis(100))
    .deadline(Duration::from_secs(10))
    .error_budget(error_budget::Config::new(Ratio::percent(99), Duration::from_secs(60)).minimum_calls(10))
    .shadow(true);

/// One call that takes `time` and ends as `report` says.
fn run(guard: &Guard, report: Report, time: Duration, now: Instant) -> Verdict {
    let Ok(Begin::Started(mut call)) = guard.begin(Deadline::NONE, now) else { panic!("nothing is refused") };
    let attempt = call.try_attempt(now).expect("nothing is refused");
    assert_eq!(attempt.deadline(), Deadline::NONE, "no timeout cuts it");
    call.settle(attempt, report, now.saturating_add(time)).verdict
}

#[test]
fn every_pattern_counts_and_none_refuses() {
    let guard: Guard = Guard::new(POLICY);
    let held = guard.try_begin(Deadline::NONE, T).unwrap();
    for _ in 0..20 {
        assert_eq!(run(&guard, Report::new(Outcome::Failure), MILLI, T), Verdict::Done, "no retry");
    }
    drop(held);
    let stats = guard.stats();
    assert_eq!((stats.failures, stats.cancelled, stats.rejected(), stats.retries), (20, 1, 0, 0));
    assert_eq!(stats.transitions(State::Closed, State::Open), 1);
    let would = stats.shadow;
    assert_eq!((would.reject_by(Pattern::RateLimiter), would.reject_by(Pattern::Bulkhead)), (19, 20));
    assert_eq!((would.reject_by(Pattern::CircuitBreaker), would.reject_by(Pattern::Deadline)), (17, 0));
    assert_eq!((would.retry, would.time_out), (2, 0), "not after the breaker opened");
    assert_eq!(would.reject(), 19 + 20 + 17);
    assert_eq!(guard.error_budget().unwrap().snapshot(T).failures, 20);
    assert_eq!(guard.bulkhead().unwrap().snapshot().in_use, 0);

    let later = T.saturating_add(2 * SECOND);
    assert_eq!(run(&guard, Report::new(Outcome::Success), MILLI, later), Verdict::Done);
    assert_eq!(guard.breaker().unwrap().status(later).state, State::Closed, "its probe closes it");
}

#[test]
fn an_attempt_that_its_timeout_would_have_cut_is_a_failure_to_the_breaker_only() {
    let guard: Guard = Guard::new(POLICY);
    let in_time = Duration::from_millis(100);
    for time in [in_time, in_time + MILLI, in_time + MILLI] {
        assert_eq!(run(&guard, Report::new(Outcome::Success), time, T), Verdict::Done);
    }
    let stats = guard.stats();
    assert_eq!((stats.successes, stats.failures, stats.timeouts), (3, 0, 0));
    assert_eq!((stats.shadow.time_out, stats.shadow.retry), (2, 2));
    assert_eq!(guard.breaker().unwrap().status(T).consecutive_failures, 2);
    assert_eq!(guard.error_budget().unwrap().snapshot(T).failures, 0);
}

/// What the caller asks for itself is no policy: the operation is told of it, and it refuses nothing.
#[test]
fn a_deadline_of_the_call_is_passed_on() {
    let guard: Guard = Guard::new(POLICY);
    let own = Deadline::after(T, SECOND);
    let mut call = guard.try_begin(own, T).unwrap();
    let attempt = call.try_attempt(T).unwrap();
    assert_eq!((call.deadline(), attempt.deadline()), (own, own));
    let _ = call.settle(attempt, Report::timed_out(), T.saturating_add(SECOND));
    assert!(call.try_attempt(T).is_err_and(|rejected| rejected == Rejected::CallOver));
    assert_eq!((guard.stats().timeouts, guard.stats().shadow.time_out), (1, 1));
    assert!(guard.try_begin(Deadline::at(T), T).is_ok());
    assert_eq!(guard.stats().shadow.reject_by(Pattern::Deadline), 1);
}

#[test]
fn it_is_turned_on_and_off_between_calls_and_a_call_stays_in_its_mode() {
    let guard: Guard = Guard::new(POLICY.shadow(false).rate_limit(Quota::per_second(1).burst(1)));
    assert!(!guard.is_shadow() && !guard.snapshot(T).shadow);
    let mut ruled = guard.try_begin(Deadline::NONE, T).unwrap();
    assert!(guard.try_begin(Deadline::NONE, T).is_err());
    assert!(!guard.set_shadow(true));
    assert!(guard.set_shadow(true) && guard.is_shadow());
    let attempt = ruled.try_attempt(T).unwrap();
    assert_eq!(attempt.deadline(), Deadline::after(T, Duration::from_millis(100)), "it began before");
    let verdict = ruled.settle(attempt, Report::new(Outcome::Failure), T).verdict;
    assert_eq!(verdict, Verdict::RetryAfter(MILLI));
    let mut watched = guard.try_begin(Deadline::NONE, T).unwrap();
    assert!(guard.set_shadow(false));
    let _ = guard.breaker().unwrap().force_open();
    let attempt = watched.try_attempt(T).unwrap();
    assert_eq!(watched.settle(attempt, Report::new(Outcome::Failure), T).verdict, Verdict::Done);
    assert!(ruled.try_attempt(T).is_err() && guard.try_begin(Deadline::NONE, T).is_err());
}

#[test]
fn the_word_of_a_pattern_before_the_guard_is_counted_and_in_shadow_mode_passes() {
    let guard: Guard = Guard::new(POLICY);
    let refused: Result<(), _> = Err(Rejected::Degraded { level: Level::Emergency, priority: Priority::Low });
    assert_eq!(guard.heed(refused), Ok(None));
    guard.set_shadow(false);
    assert_eq!((guard.heed(Ok(())), guard.heed(refused)), (Ok(Some(())), refused.map(Some)));
    let stats = guard.stats();
    assert_eq!((stats.rejected_by(Pattern::Degradation), stats.rejected()), (1, 1));
    assert_eq!((stats.shadow.reject_by(Pattern::Degradation), stats.shadow.reject()), (1, 1));
    for (level, served) in Level::ALL.into_iter().zip([4, 4, 3, 2]) {
        assert_eq!(Priority::ALL.into_iter().filter(|priority| level.admits(*priority)).count(), served);
    }
}

#[test]
fn what_a_watched_call_took_comes_back() {
    let guard: Guard = Guard::new(POLICY);
    drop(guard.try_begin(Deadline::NONE, T).unwrap());
    guard.try_begin(Deadline::NONE, T).unwrap().cancel(T);
    let snapshot = guard.snapshot(T);
    assert_eq!(snapshot.limiter.unwrap().available, 2);
    assert_eq!(snapshot.bulkhead.unwrap().in_use, 0);
    assert_eq!((snapshot.stats.cancelled, snapshot.stats.shadow), (2, Would::default()));
}

#[test]
fn a_snapshot_has_every_pattern_and_of_an_empty_policy_none() {
    let guard: Guard = Guard::new(POLICY);
    let _ = run(&guard, Report::new(Outcome::Failure), MILLI, T);
    let full = guard.snapshot(T);
    assert_eq!((full.at, full.shadow, full.stats), (T, true, guard.stats()));
    assert_eq!(full.limiter.unwrap().quota, Quota::per_second(1).burst(2));
    assert_eq!((full.limiter.unwrap().available, full.bulkhead.unwrap().capacity), (1, 1));
    assert_eq!(full.breaker.unwrap().consecutive_failures, 1);
    assert_eq!((full.timeout, full.deadline), (Duration::from_millis(100), Duration::from_secs(10)));
    assert_eq!(full.retries_left, Some(guard.retry().balance()));
    assert_eq!(full.error_budget.unwrap().failures, 1);
    let empty = Guard::<0, 0>::new(Policy::new()).snapshot(T);
    assert!(empty.limiter.is_none() && empty.bulkhead.is_none() && empty.breaker.is_none());
    assert!(empty.error_budget.is_none() && empty.retries_left.is_none());
    assert_eq!((empty.timeout, empty.deadline), (Duration::MAX, Policy::new().deadline_limit()));
}
