extern crate std;

mod joins;

use core::task::{Poll, Waker};
use core::time::Duration;

use super::{Begin, Call, Guard, Pattern, Policy, Rejected, Report, Stats, Verdict, Waiting};
use crate::admission::circuit_breaker::{self, State};
use crate::admission::rate_limiter::Quota;
use crate::admission::{bulkhead, circuit_breaker::Cause};
use crate::atomic::sync::probe::{Accesses, count};
use crate::attempt::adaptive_timeout;
use crate::attempt::backoff::Backoff;
use crate::attempt::deadline::Deadline;
use crate::attempt::retry::{self, GiveUp};
use crate::health::error_budget::{self, Edge};
use crate::measure::window::Span;
use crate::outcome::Outcome;
use crate::ratio::Ratio;
use crate::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const T: Instant = Instant::from_secs(100);

const FULL: Policy = Policy::new()
    .rate_limit(Quota::per_second(1000).burst(100))
    .bulkhead(bulkhead::Config::new(2).max_wait(SECOND))
    .circuit_breaker(circuit_breaker::Config::consecutive_failures(3).open_for(SECOND).successes_to_close(1))
    .retry(retry::Config::attempts(3, Backoff::constant(MILLI)))
    .timeout(Duration::from_millis(100))
    .deadline(Duration::from_secs(10))
    .error_budget(error_budget::Config::new(Ratio::percent(99), Duration::from_secs(60)).minimum_calls(10));

/// The whole guard in a `static`: a failing constant would not compile.
static IN_A_STATIC: Guard = Guard::new(FULL);
static PRESETS: [Guard; 4] = [
    Guard::new(Policy::dwcp_send()),
    Guard::new(Policy::dwcp_receive()),
    Guard::new(Policy::dwcp_sync()),
    Guard::new(Policy::dwcp_consensus()),
];

/// One call whose attempts end as `outcomes` say, the last of them again and again.
fn run(guard: &Guard, outcomes: &[Outcome], mut now: Instant) -> Result<(Verdict, u32), Rejected> {
    let mut call = guard.try_begin(Deadline::NONE, now)?;
    let mut left = outcomes.iter();
    let mut outcome = Outcome::Success;
    loop {
        let attempt = call.try_attempt(now)?;
        outcome = left.next().copied().unwrap_or(outcome);
        match call.settle(attempt, Report::new(outcome), now).verdict {
            Verdict::RetryAfter(pause) => now = now.saturating_add(pause),
            verdict => return Ok((verdict, call.attempts())),
        }
    }
}

fn sum(stats: &Stats) -> u64 {
    stats.successes + stats.failures + stats.ignored + stats.cancelled + stats.rejected()
}

#[test]
fn a_guard_lives_in_a_static() {
    assert_eq!(run(&IN_A_STATIC, &[Outcome::Success], T), Ok((Verdict::Done, 1)));
    for guard in &PRESETS {
        assert_eq!(run(guard, &[Outcome::Success], T), Ok((Verdict::Done, 1)));
    }
}

#[test]
fn without_patterns_every_call_is_admitted_once() {
    let guard: Guard = Guard::new(Policy::new());
    assert_eq!(run(&guard, &[Outcome::Success], T), Ok((Verdict::Done, 1)));
    assert_eq!(run(&guard, &[Outcome::Failure], T), Ok((Verdict::GaveUp(GiveUp::Attempts), 1)));
    assert_eq!((guard.stats().successes, guard.stats().failures), (1, 1));
}

#[test]
fn rm1_every_failure_reaches_the_caller_with_its_pattern() {
    let guard: Guard = Guard::new(FULL.rate_limit(Quota::per_second(1).burst(1)));
    assert_eq!(run(&guard, &[Outcome::Failure, Outcome::Success], T), Ok((Verdict::Done, 2)));
    assert!(matches!(run(&guard, &[Outcome::Success], T), Err(Rejected::RateLimiter(_))));
    let guard: Guard = Guard::new(FULL);
    let held = [0, 1].map(|_| guard.try_begin(Deadline::NONE, T).unwrap());
    assert!(matches!(guard.try_begin(Deadline::NONE, T), Err(Rejected::Bulkhead(_))));
    drop(held);
    assert_eq!(run(&guard, &[Outcome::Failure], T), Ok((Verdict::GaveUp(GiveUp::Attempts), 3)));
    let rejected = run(&guard, &[Outcome::Success], T).unwrap_err();
    assert!(matches!(rejected, Rejected::CircuitBreaker(_)));
    assert_eq!(rejected.retry_after(), Some(SECOND + 2 * MILLI));
    assert_eq!(guard.try_begin(Deadline::at(T), T).unwrap_err(), Rejected::DeadlineExpired);
}

#[test]
fn rm4_the_breaker_records_each_attempt_so_retries_stop_when_it_opens() {
    let policy = FULL.retry(retry::Config::attempts(10, Backoff::constant(MILLI)));
    let guard: Guard = Guard::new(policy);
    assert_eq!(run(&guard, &[Outcome::Failure], T), Ok((Verdict::GaveUp(GiveUp::BreakerOpen), 3)));
    assert_eq!((guard.stats().failures, guard.stats().retries), (1, 2));
    assert_eq!(guard.stats().transitions(State::Closed, State::Open), 1);
}

#[test]
fn an_open_breaker_takes_no_token_no_slot_and_no_error_budget() {
    let guard: Guard = Guard::new(FULL);
    let _ = run(&guard, &[Outcome::Failure], T);
    let tokens = guard.limiter().unwrap().available(T);
    for _ in 0..1000 {
        assert!(run(&guard, &[Outcome::Success], T).is_err());
    }
    assert_eq!(guard.limiter().unwrap().available(T), tokens);
    assert_eq!(guard.bulkhead().unwrap().snapshot().in_use, 0);
    assert_eq!(guard.error_budget().unwrap().snapshot(T).calls, 1);
    assert_eq!(guard.stats().rejected_by(Pattern::CircuitBreaker), 1000);
}

#[test]
fn the_order_of_the_patterns_holds_for_what_the_caller_is_told() {
    let guard: Guard = Guard::new(FULL.rate_limit(Quota::per_second(1).burst(1)));
    let _ = run(&guard, &[Outcome::Failure], T);
    assert!(guard.breaker().unwrap().check(T).is_err());
    assert!(matches!(run(&guard, &[], T), Err(Rejected::RateLimiter(_))), "the limiter comes first");
}

#[test]
fn b3_a_refusal_by_a_later_pattern_gives_back_what_an_earlier_one_took() {
    let guard: Guard = Guard::new(FULL.bulkhead(bulkhead::Config::new(0)));
    for _ in 0..1000 {
        assert!(matches!(run(&guard, &[], T), Err(Rejected::Bulkhead(_))));
    }
    assert_eq!(guard.limiter().unwrap().available(T), 100);

    // The probe that is out is the only one: the next call passes the first look and is refused at its attempt.
    let guard: Guard = Guard::new(FULL);
    let _ = run(&guard, &[Outcome::Failure], T);
    let later = T.saturating_add(2 * SECOND);
    let mut first = guard.try_begin(Deadline::NONE, later).unwrap();
    let mut second = guard.try_begin(Deadline::NONE, later).unwrap();
    let probe = first.try_attempt(later).unwrap();
    assert!(probe.is_probe());
    assert_eq!(probe.transition().unwrap().cause, Cause::OpenTimeOver);
    let tokens = guard.limiter().unwrap().available(later);
    assert!(second.try_attempt(later).is_err());
    assert_eq!(guard.limiter().unwrap().available(later), tokens + 1);
    drop(second);
    assert_eq!(guard.stats().rejected_by(Pattern::CircuitBreaker), 1);
    let settled = first.settle(probe, Report::new(Outcome::Success), later);
    assert_eq!(settled.transition.unwrap().to, State::Closed);
}

#[test]
fn one_deadline_covers_waiting_attempts_and_pauses() {
    let policy = FULL.retry(retry::Config::attempts(100, Backoff::constant(SECOND))).deadline(3 * SECOND);
    let guard: Guard =
        Guard::new(policy.circuit_breaker(circuit_breaker::Config::consecutive_failures(1000)));
    assert_eq!(run(&guard, &[Outcome::Failure], T), Ok((Verdict::GaveUp(GiveUp::Deadline), 3)));
    let mut call = guard.try_begin(Deadline::after(T, 50 * MILLI), T).unwrap();
    let attempt = call.try_attempt(T).unwrap();
    assert_eq!(attempt.deadline(), Deadline::after(T, 50 * MILLI), "the call's own deadline is the earlier");
    drop(attempt);
    let late = T.saturating_add(50 * MILLI);
    assert_eq!(call.try_attempt(late).unwrap_err(), Rejected::DeadlineExpired);
}

#[test]
fn a_report_says_whether_another_attempt_makes_sense() {
    let guard: Guard = Guard::new(FULL);
    let verdict = |report: Report| {
        let mut call = guard.try_begin(Deadline::NONE, T).unwrap();
        let attempt = call.try_attempt(T).unwrap();
        call.settle(attempt, report, T).verdict
    };
    assert_eq!(verdict(Report::new(Outcome::Success)), Verdict::Done);
    assert_eq!(verdict(Report::new(Outcome::Failure)), Verdict::RetryAfter(MILLI));
    assert_eq!(verdict(Report::new(Outcome::Success)), Verdict::Done);
    assert_eq!(verdict(Report::new(Outcome::Failure).not_retryable()), Verdict::GaveUp(GiveUp::NotRetryable));
    assert_eq!(verdict(Report::new(Outcome::Ignored)), Verdict::Done);
    let busy = Report::new(Outcome::Ignored).retry_after(SECOND);
    assert_eq!(verdict(busy), Verdict::RetryAfter(SECOND), "the peer's own delay");
    assert_eq!(verdict(Report::timed_out()), Verdict::RetryAfter(MILLI));
    assert_eq!(guard.stats().timeouts, 1);
}

#[test]
fn an_operation_is_told_its_attempt_and_what_is_left_of_its_time_when_it_starts() {
    let guard: Guard = Guard::new(FULL);
    let mut call = guard.try_begin(Deadline::NONE, T).unwrap();
    for number in 1..=2 {
        let attempt = call.try_attempt(T).unwrap();
        let about = attempt.about();
        assert_eq!((about.number(), about.remaining()), (number, 100 * MILLI));
        let late = about.starting_at(T.saturating_add(60 * MILLI));
        assert_eq!((late.number(), late.remaining()), (number, 40 * MILLI));
        assert_eq!(late.starting_at(T), late, "it never grows again");
        let _ = call.settle(attempt, Report::new(Outcome::Failure), T);
    }
}

#[test]
fn a_change_by_hand_is_counted_as_any_other() {
    let guard: Guard = Guard::new(FULL);
    let breaker = guard.breaker().unwrap();
    guard.note(breaker.trip(T));
    guard.note(breaker.reset(T));
    guard.note(breaker.reset(T));
    let stats = guard.stats();
    assert_eq!(stats.transitions(State::Closed, State::Open), 1);
    assert_eq!(stats.transitions(State::Open, State::Closed), 1);
}

#[test]
fn the_edge_of_a_call_that_a_refused_retry_ends_is_not_lost() {
    let budget = error_budget::Config::new(Ratio::percent(99), Duration::from_secs(60)).minimum_calls(1);
    let guard: Guard = Guard::new(FULL.error_budget(budget));
    let mut call = guard.try_begin(Deadline::NONE, T).unwrap();
    let attempt = call.try_attempt(T).unwrap();
    let settled = call.settle(attempt, Report::new(Outcome::Failure), T);
    assert_eq!((settled.verdict, settled.budget), (Verdict::RetryAfter(MILLI), None));
    guard.note(guard.breaker().unwrap().force_open());
    assert_eq!(call.budget_edge(), None);
    assert!(call.try_attempt(T.saturating_add(MILLI)).is_err());
    assert_eq!(call.budget_edge(), Some(Edge::Exhausted));
}

/// What the peer says is no failure of ours, also when the next attempt is refused.
#[test]
fn a_refused_retry_counts_as_what_the_last_attempt_was() {
    let policy = FULL.deadline(Duration::from_millis(100));
    for (outcome, counts) in
        [(Outcome::Ignored, (0, 0, 1)), (Outcome::Success, (1, 0, 0)), (Outcome::Failure, (0, 1, 0))]
    {
        let guard: Guard = Guard::new(policy);
        let mut call = guard.try_begin(Deadline::NONE, T).unwrap();
        let attempt = call.try_attempt(T).unwrap();
        let settled = call.settle(attempt, Report::new(outcome).retry_after(50 * MILLI), T);
        assert_eq!(settled.verdict, Verdict::RetryAfter(50 * MILLI));
        let late = T.saturating_add(101 * MILLI);
        assert_eq!(call.try_attempt(late).unwrap_err(), Rejected::DeadlineExpired);
        let stats = guard.stats();
        assert_eq!((stats.successes, stats.failures, stats.ignored), counts, "{outcome:?}");
        assert_eq!(sum(&stats), 1);
    }
}

#[test]
fn a_call_that_is_over_starts_nothing_and_spends_nothing() {
    let guard: Guard = Guard::new(FULL);
    let mut call = guard.try_begin(Deadline::NONE, T).unwrap();
    let attempt = call.try_attempt(T).unwrap();
    let spare = call.try_attempt(T).unwrap();
    assert_eq!(call.settle(attempt, Report::new(Outcome::Success), T).verdict, Verdict::Done);
    assert_eq!(call.try_attempt(T).unwrap_err(), Rejected::CallOver);
    let balance = guard.retry().balance();
    assert_eq!(call.settle(spare, Report::new(Outcome::Failure), T).verdict, Verdict::Done);
    assert_eq!(guard.retry().balance(), balance);
    drop(call);
    assert_eq!(sum(&guard.stats()), 1);
}

fn waiting(guard: &Guard, now: Instant) -> Waiting<'_, 8, 10> {
    match guard.begin(Deadline::NONE, now).unwrap() {
        Begin::Waiting(waiting) => waiting,
        Begin::Started(_) => panic!("there is no free slot"),
    }
}

#[test]
fn a_call_waits_for_a_slot_for_as_long_as_the_bulkhead_allows() {
    let guard: Guard = Guard::new(FULL);
    let mut held: std::vec::Vec<Call<'_>> =
        (0..2).map(|_| guard.try_begin(Deadline::NONE, T).unwrap()).collect();
    let mut first = waiting(&guard, T);
    let mut second = waiting(&guard, T);
    assert_eq!(first.deadline(), T.saturating_add(SECOND));
    assert!(first.poll(Waker::noop(), T).is_pending());
    assert!(second.poll(Waker::noop(), T).is_pending());
    drop(held.pop());
    let Poll::Ready(Ok(call)) = first.poll(Waker::noop(), T) else { panic!("the slot is there") };
    assert!(second.poll(Waker::noop(), T).is_pending(), "in order");
    let tokens = guard.limiter().unwrap().available(T);
    let over = T.saturating_add(SECOND);
    let Poll::Ready(Err(rejected)) = second.poll(Waker::noop(), over) else { panic!("the wait is over") };
    assert!(matches!(rejected, Rejected::Bulkhead(bulkhead::Rejected::WaitTimeout { .. })), "{rejected:?}");
    assert!(second.poll(Waker::noop(), over).is_pending(), "after its answer it stays pending");
    assert!(guard.limiter().unwrap().available(over) >= tokens);
    drop((call, held));
    assert_eq!(guard.bulkhead().unwrap().snapshot().in_use, 0);
}

#[test]
fn a_deadline_ends_a_wait_and_the_slot_of_that_moment_is_not_lost() {
    let guard: Guard = Guard::new(FULL);
    let held = [0, 1].map(|_| guard.try_begin(Deadline::NONE, T).unwrap());
    let Begin::Waiting(mut short) = guard.begin(Deadline::after(T, MILLI), T).unwrap() else { panic!() };
    assert_eq!(short.deadline(), T.saturating_add(MILLI));
    let Poll::Ready(Err(rejected)) = short.poll(Waker::noop(), T.saturating_add(MILLI)) else { panic!() };
    assert_eq!(rejected, Rejected::DeadlineExpired);
    drop(held);
    let both = [0, 1].map(|_| guard.try_begin(Deadline::NONE, T).is_ok());
    assert_eq!(both, [true, true]);
}

#[test]
fn whatever_is_dropped_gives_everything_back() {
    let guard: Guard = Guard::new(FULL.rate_limit(Quota::per_second(1).burst(4)));
    let tokens = || guard.limiter().unwrap().available(T);
    let held = [0, 1].map(|_| guard.try_begin(Deadline::NONE, T).unwrap());
    drop(waiting(&guard, T));
    assert_eq!(tokens(), 2, "a place in the queue");
    waiting(&guard, T).cancel(T);
    assert_eq!(tokens(), 2);
    let [first, second] = held;
    first.cancel(T);
    drop(second);
    assert_eq!(tokens(), 4, "two calls without an attempt");
    let mut call = guard.try_begin(Deadline::NONE, T).unwrap();
    let attempt = call.try_attempt(T).unwrap();
    drop(attempt);
    drop(call);
    assert_eq!(tokens(), 3, "what was tried has used its token");
    assert_eq!((guard.stats().cancelled, guard.bulkhead().unwrap().snapshot().in_use), (5, 0));
    assert_eq!(
        guard.breaker().unwrap().status(T).consecutive_failures,
        0,
        "a cancelled attempt is no failure"
    );
}

/// A place that is given up at a moment gives its token back also when another call took one since.
#[test]
fn a_place_that_is_given_up_returns_its_token_whoever_took_one_since() {
    let guard: Guard = Guard::new(FULL.rate_limit(Quota::per_second(1).burst(9)));
    let _held = [0, 1].map(|_| guard.try_begin(Deadline::NONE, T).unwrap());
    let (early, _late) = (waiting(&guard, T), waiting(&guard, T));
    let tokens = guard.limiter().unwrap().available(T);
    early.cancel(T);
    assert_eq!(guard.limiter().unwrap().available(T), tokens + 1);
}

#[test]
fn the_error_budget_sees_calls_and_not_attempts() {
    let guard: Guard = Guard::new(FULL.circuit_breaker(circuit_breaker::Config::consecutive_failures(1000)));
    let mut edges = std::vec::Vec::new();
    for n in 0..20 {
        let now = T.saturating_add(n * MILLI);
        let mut call = guard.try_begin(Deadline::NONE, now).unwrap();
        let attempt = call.try_attempt(now).unwrap();
        edges.extend(call.settle(attempt, Report::new(Outcome::Failure).not_retryable(), now).budget);
    }
    assert_eq!(edges, [Edge::Exhausted]);
    let guard: Guard = Guard::new(FULL);
    let retried = run(&guard, &[Outcome::Failure, Outcome::Success], T);
    assert_eq!(retried, Ok((Verdict::Done, 2)));
    let account = guard.error_budget().unwrap().snapshot(T);
    assert_eq!((account.calls, account.failures), (1, 0));
}

#[test]
fn the_books_balance_over_many_threads() {
    let guard: Guard<8, 10> = Guard::new(FULL.rate_limit(Quota::per_second(1000).burst(500)));
    let asked = 4 * 2000;
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let guard = &guard;
            scope.spawn(move || {
                for n in 0..2000_u32 {
                    let now = T.saturating_add(n * MILLI);
                    let outcome = match (n + thread) % 7 {
                        0 => Outcome::Failure,
                        1 => Outcome::Ignored,
                        _ => Outcome::Success,
                    };
                    let _ = run(guard, &[outcome, Outcome::Success], now);
                }
            });
        }
    });
    assert_eq!(sum(&guard.stats()), asked, "{:?}", guard.stats());
    assert_eq!(guard.bulkhead().unwrap().snapshot().in_use, 0);
}

#[test]
fn a_value_outside_its_bound_is_named() {
    let field = |policy: Policy| Guard::<8, 10>::try_new(policy).unwrap_err().field;
    assert_eq!(field(FULL.timeout(Duration::ZERO)), "timeout");
    assert_eq!(field(FULL.deadline(Duration::ZERO)), "deadline");
    assert_eq!(field(FULL.rate_limit(Quota::per_second(1).burst(0))), "rate_limiter.burst");
    assert_eq!(field(FULL.bulkhead(bulkhead::Config::new(1).max_waiting(9))), "bulkhead.max_waiting");
    assert_eq!(field(FULL.retry(retry::Config::attempts(0, Backoff::constant(MILLI)))), "retry.max_attempts");
    let breaker = circuit_breaker::Config::consecutive_failures(0);
    assert_eq!(field(FULL.circuit_breaker(breaker)), "circuit_breaker.consecutive_failures");
    let counted = error_budget::Config::new(Ratio::percent(99), Duration::from_secs(60));
    let without_slots = Guard::<8, 0>::try_new(Policy::new().error_budget(counted)).unwrap_err();
    assert_eq!(
        (without_slots.field, without_slots.bound),
        ("error_budget.span", "counted by at least one slot")
    );
}

#[test]
fn a_timeout_is_learned_from_attempts_and_the_fixed_one_still_holds() {
    let learned = adaptive_timeout::Config::new(Duration::from_millis(80));
    let guard: Guard = Guard::new(FULL.adaptive_timeout(learned));
    let attempt_of = |took: Duration, report: Report| {
        let mut call = guard.try_begin(Deadline::NONE, T).unwrap();
        let attempt = call.try_attempt(T).unwrap();
        let limit = attempt.about().remaining();
        assert_eq!(limit, guard.timeout_at(T));
        let _ = call.settle(attempt, report, T.saturating_add(took));
        limit
    };
    assert_eq!(attempt_of(80 * MILLI, Report::timed_out()), 80 * MILLI);
    assert_eq!(attempt_of(MILLI, Report::new(Outcome::Slow)), 88 * MILLI, "it timed out, so it has longer");
    assert_eq!(attempt_of(90 * MILLI, Report::new(Outcome::Success)), Duration::from_micros(83_600));
    assert_eq!(guard.snapshot(T).timeout, 100 * MILLI, "twice 90 ms is more than the fixed timeout");
    assert_eq!(guard.adaptive_timeout().unwrap().current(T), 180 * MILLI);
    let wrong = adaptive_timeout::Config::new(Duration::ZERO);
    assert_eq!(
        Guard::<8, 10>::try_new(FULL.adaptive_timeout(wrong)).unwrap_err().field,
        "adaptive_timeout.initial"
    );
}

#[test]
fn a_throttle_hears_of_every_failure_and_of_every_success() {
    let retry = retry::Config::attempts(2, Backoff::constant(MILLI)).throttle(Ratio::percent(50), 10);
    let breaker = circuit_breaker::Config::consecutive_failures(1000);
    let guard: Guard = Guard::new(FULL.retry(retry).circuit_breaker(breaker));
    let before = guard.retry().balance();
    let _ = run(&guard, &[Outcome::Failure], T);
    assert_eq!(guard.retry().balance(), before - 2, "the last attempt, too");
    let _ = run(&guard, &[Outcome::Success], T);
    let _ = run(&guard, &[Outcome::Success], T);
    assert_eq!(guard.retry().balance(), before - 1);
    // The breaker opens and stays so: nobody tries again, and the failure costs what its kind costs.
    let breaker = circuit_breaker::Config::consecutive_failures(1).open_for(60 * SECOND);
    let costs = retry.cost(retry::Kind::Throttled, 4).cost(retry::Kind::Timeout, 3);
    let reports = [
        (Report::new(Outcome::Failure).retry_after(SECOND), 4),
        (Report::timed_out().retry_after(SECOND), 4),
        (Report::timed_out(), 3),
        (Report::new(Outcome::Failure), 1),
    ];
    for (report, cost) in reports {
        let guard: Guard = Guard::new(FULL.retry(costs).circuit_breaker(breaker));
        let mut call = guard.try_begin(Deadline::NONE, T).unwrap();
        let attempt = call.try_attempt(T).unwrap();
        assert_eq!(call.settle(attempt, report, T).verdict, Verdict::GaveUp(GiveUp::BreakerOpen));
        assert_eq!(guard.retry().balance(), 10 - cost, "{report:?}");
    }
}

/// The table in the module's documentation.
#[test]
fn cost_of_a_call() {
    let writes = |guard: &Guard| {
        let _ = run(guard, &[Outcome::Success], T);
        let (accesses, result) = count(|| run(guard, &[Outcome::Success], T));
        assert!(result.is_ok());
        accesses.writes
    };
    let breaker = circuit_breaker::Config::consecutive_failures(3);
    assert_eq!(writes(&Guard::new(Policy::new().circuit_breaker(breaker))), 1);
    assert_eq!(writes(&Guard::new(FULL)), 5);
    let rate = circuit_breaker::Config::failure_rate(Ratio::percent(50), Span::time(10 * SECOND), 10);
    assert_eq!(writes(&Guard::new(FULL.circuit_breaker(rate))), 6);
    let open: Guard = Guard::new(FULL);
    let _ = run(&open, &[Outcome::Failure], T);
    let (Accesses { writes, loads }, rejected) = count(|| open.try_begin(Deadline::NONE, T).is_err());
    assert!(rejected);
    assert_eq!(writes, 1);
    let era = u32::from(crate::atomic::sync::Wide::BITS < 64);
    assert!(loads <= 5 + era, "{loads}");
}

#[test]
fn the_sizes_are_as_documented() {
    if size_of::<usize>() == 8 && crate::atomic::sync::Wide::BITS == 64 {
        assert_eq!((size_of::<Guard<0, 0>>(), size_of::<Guard>()), (1024, 1680));
    }
}
