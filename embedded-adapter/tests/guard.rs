//! Guards awaited on embassy's mock clock: what a call returns, and at which moment.

use core::cell::{Cell, RefCell};
use core::future::{pending, poll_fn, ready};
use core::task::Poll;
use core::time::Duration;

use embassy_time::{Duration as Ticks, Timer};
use seawall_embassy::core::circuit_breaker::{self, State};
use seawall_embassy::core::guard::Classify;
use seawall_embassy::core::rate_limiter::Quota;
use seawall_embassy::core::retry::{self, GiveUp};
use seawall_embassy::core::{Backoff, Clock, Outcome, bulkhead};
use seawall_embassy::{Attempt, EmbassyClock, Error, Guard, Options, Policy, Rejected, Report};

#[path = "guard/around.rs"]
mod around;
#[path = "guard/cancellation.rs"]
mod cancellation;
#[cfg(feature = "chaos")]
#[path = "guard/chaos.rs"]
mod chaos;
#[path = "guard/recording.rs"]
mod recording;
#[path = "guard/tasks.rs"]
mod tasks;
#[path = "guard/world.rs"]
mod world;

use world::{Task, World};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const RETRY: Policy = Policy::new().retry(retry::Config::attempts(3, Backoff::exponential(millis(100))));
const BREAKER: Policy = Policy::new().circuit_breaker(
    circuit_breaker::Config::consecutive_failures(2).open_for(millis(1000)).successes_to_close(1),
);
const QUEUE: Policy = Policy::new().bulkhead(bulkhead::Config::new(1).max_wait(millis(50)));

/// An operation that takes `duration` of virtual time.
async fn takes(duration: u64) -> Result<u64, &'static str> {
    Timer::after(Ticks::from_millis(duration)).await;
    Ok(duration)
}

#[test]
fn an_operation_that_is_ready_at_once_arms_no_timer() {
    let world = World::new();
    let guard: Guard = Guard::new(RETRY.timeout(millis(100)).deadline(millis(500)));
    let mut task = Task::new(guard.call(|_| ready(Ok::<_, ()>(7))));
    assert_eq!(task.poll(), Poll::Ready(Ok(7)));
    assert_eq!((task.wakers_out(), world.millis()), (0, 0));

    // Its counterpart is armed by its first pending poll.
    let mut task = Task::new(guard.call(|_| pending::<Result<(), ()>>()));
    assert!(task.poll().is_pending());
    assert_eq!(task.wakers_out(), 1, "the timer of the attempt");
}

#[test]
fn without_a_limit_a_pending_operation_arms_no_timer_either() {
    let _world = World::new();
    let guard: Guard = Guard::new(RETRY);
    let mut task = Task::new(guard.call(|_| pending::<Result<(), ()>>()));
    assert!(task.poll().is_pending());
    assert_eq!(task.wakers_out(), 0);
}

#[test]
fn retries_pause_as_the_schedule_says() {
    let world = World::new();
    let guard: Guard = Guard::new(RETRY);
    let started = RefCell::new(Vec::new());
    let result = world.run(guard.call(async |attempt: Attempt| {
        started.borrow_mut().push((attempt.number(), EmbassyClock.now().as_nanos() / 1_000_000));
        if attempt.number() < 3 { Err("busy") } else { Ok("sent") }
    }));
    assert_eq!(result, Ok("sent"));
    assert_eq!(*started.borrow(), [(1, 0), (2, 100), (3, 300)]);
    assert_eq!((guard.decisions().stats().successes, guard.decisions().stats().retries), (1, 2));

    let result = world.run(guard.call(async |_| Err::<(), _>("busy")));
    assert_eq!(result, Err(Error::Failed { error: "busy", attempts: 3, gave_up: Some(GiveUp::Attempts) }));
    assert_eq!((world.millis(), guard.decisions().stats().failures), (600, 1));
}

#[test]
fn an_attempt_that_takes_too_long_is_dropped_at_its_timeout() {
    let world = World::new();
    let guard: Guard = Guard::new(RETRY.timeout(millis(30)));
    let starts = Cell::new(0);
    let result = world.run(guard.call(async |attempt: Attempt| {
        starts.set(starts.get() + 1);
        assert_eq!(attempt.remaining(), millis(30));
        takes(31).await
    }));
    let timed_out = Error::TimedOut { limit: millis(30), attempts: 3, gave_up: Some(GiveUp::Attempts) };
    assert_eq!(result, Err(timed_out));
    assert_eq!((starts.get(), world.millis()), (3, 30 + 100 + 30 + 200 + 30));
    assert_eq!(guard.decisions().stats().timeouts, 3);
}

#[test]
fn a_result_and_the_timeout_in_one_tick_is_a_result() {
    let world = World::new();
    let guard: Guard = Guard::new(Policy::new().timeout(millis(30)));
    assert_eq!(world.run(guard.call(|_| takes(30))), Ok(30));
    assert_eq!(world.millis(), 30);

    // Time may have gone far beyond the timeout before the task runs again.
    let mut task = Task::new(guard.call(|_| takes(10)));
    assert!(task.poll().is_pending());
    world.advance(60_000);
    assert_eq!(task.poll(), Poll::Ready(Ok(10)));
    assert_eq!((guard.decisions().stats().timeouts, guard.decisions().stats().successes), (0, 2));
}

#[test]
fn a_slot_and_the_end_of_the_wait_in_one_tick_is_a_slot() {
    let world = World::new();
    let guard: Guard = Guard::new(QUEUE);
    let mut holder = Task::new(guard.call(|_| takes(50)));
    let mut waiter = Task::new(guard.call(|_| ready(Ok::<_, ()>(()))));
    assert!(holder.poll().is_pending() && waiter.poll().is_pending());
    world.advance(50);
    assert!(holder.poll().is_ready());
    assert_eq!(waiter.poll(), Poll::Ready(Ok(())));
}

#[test]
fn the_breaker_opens_refuses_probes_and_closes() {
    let world = World::new();
    let guard: Guard = Guard::new(BREAKER);
    let starts = Cell::new(0);
    let call = |result: Result<(), ()>| {
        let starts = &starts;
        world.run(guard.call(|attempt: Attempt| {
            starts.set(starts.get() + 1);
            ready(result.map(|()| attempt.is_probe()))
        }))
    };
    let state = || guard.decisions().breaker().unwrap().status(EmbassyClock.now()).state;
    assert_eq!(call(Ok(())), Ok(false));
    assert!(call(Err(())).is_err() && call(Err(())).is_err());
    assert_eq!(state(), State::Open);
    world.advance(400);
    let refused = call(Ok(())).unwrap_err();
    assert!(matches!(refused, Error::Rejected(Rejected::CircuitBreaker(_))), "{refused:?}");
    assert!(refused.retry_after().unwrap() <= millis(600) && refused.retry_after().unwrap() > millis(500));
    assert_eq!(starts.get(), 3, "a refused operation does not run");
    world.advance(700);
    assert_eq!(call(Ok(())), Ok(true), "a probe");
    assert_eq!(state(), State::Closed);
    assert_eq!(guard.decisions().stats().transitions(State::HalfOpen, State::Closed), 1);
}

#[test]
fn retries_stop_when_the_breaker_opens() {
    let world = World::new();
    let policy = BREAKER.retry(retry::Config::attempts(10, Backoff::constant(millis(5))));
    let guard: Guard = Guard::new(policy);
    let result = world.run(guard.call(async |_| Err::<(), _>("down")));
    assert_eq!(result, Err(Error::Failed { error: "down", attempts: 2, gave_up: Some(GiveUp::BreakerOpen) }));

    // It opens by another hand, in the pause: the last result is what the caller sees.
    let guard: Guard = Guard::new(policy);
    let mut task = Task::new(guard.call(async |_| Err::<(), _>("down")));
    assert!(task.poll().is_pending());
    guard.decisions().breaker().unwrap().force_open();
    world.advance(5);
    let gave_up = Error::Failed { error: "down", attempts: 1, gave_up: Some(GiveUp::BreakerOpen) };
    assert_eq!(task.poll(), Poll::Ready(Err(gave_up)));
    assert_eq!(guard.decisions().stats().failures, 1);
}

#[test]
fn a_call_waits_for_its_slot_and_no_longer_than_it_may() {
    let world = World::new();
    let guard: Guard = Guard::new(QUEUE.rate_limit(Quota::per_second(1).burst(3)));
    let mut holder = Task::new(guard.call(|_| takes(80)));
    assert!(holder.poll().is_pending());
    let starts = Cell::new(0);
    let result = world.run(guard.call(async |_| {
        starts.set(starts.get() + 1);
        Ok::<_, ()>(())
    }));
    let Err(Error::Rejected(Rejected::Bulkhead(bulkhead::Rejected::WaitTimeout { waited }))) = result else {
        panic!("{result:?}")
    };
    assert_eq!((waited, world.millis(), starts.get()), (millis(50), 50, 0));
    assert_eq!(guard.decisions().limiter().unwrap().available(EmbassyClock.now()), 2, "its token came back");

    let mut patient = Task::new(guard.call(|_| ready(Ok::<_, ()>("in"))));
    assert!(patient.poll().is_pending());
    world.advance(30);
    assert!(holder.poll().is_ready());
    assert!(patient.was_woken(), "by the slot, not by a timer");
    assert_eq!(patient.poll(), Poll::Ready(Ok("in")));
    assert_eq!(world.millis(), 80);
}

#[test]
fn slots_are_given_in_the_order_of_asking() {
    let world = World::new();
    let guard: Guard<4> = Guard::new(Policy::new().bulkhead(bulkhead::Config::new(1)));
    let order = RefCell::new(Vec::new());
    let mut tasks: Vec<_> = (0..5)
        .map(|n| {
            let order = &order;
            Task::new(guard.call(move |_| {
                order.borrow_mut().push(n);
                takes(10)
            }))
        })
        .collect();
    assert!(tasks.iter_mut().all(|task| task.poll().is_pending()));
    assert!(matches!(
        world.run(guard.call(|_| takes(1))),
        Err(Error::Rejected(Rejected::Bulkhead(bulkhead::Rejected::QueueFull { waiting: 4, .. })))
    ));
    let mut done = Vec::new();
    for _ in 0..5 {
        world.advance(10);
        // The last are polled first: the order of polling must not matter.
        while let Some(task) = tasks.iter_mut().rev().find(|task| task.was_woken()) {
            if task.poll().is_ready() {
                done.push(world.millis());
            }
        }
    }
    assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
    assert_eq!(done, [10, 20, 30, 40, 50]);
}

#[test]
fn one_deadline_covers_the_queue_the_attempts_and_the_pauses() {
    let world = World::new();
    let policy = RETRY.bulkhead(bulkhead::Config::new(1)).timeout(millis(200));
    let guard: Guard = Guard::new(policy);
    let mut holder = Task::new(guard.call(|_| takes(100)));
    assert!(holder.poll().is_pending());
    let seen = RefCell::new(Vec::new());
    let options = Options::new().deadline(millis(260));
    let mut task = Task::new(guard.call_with(options, async |attempt: Attempt| {
        seen.borrow_mut().push(attempt.remaining());
        if attempt.number() == 1 { Err("busy") } else { pending().await }
    }));
    assert!(task.poll().is_pending());
    world.advance(100);
    assert!(holder.poll().is_ready() && task.poll().is_pending());
    world.advance(100);
    assert!(task.poll().is_pending());
    world.advance(59);
    assert!(task.poll().is_pending());
    world.advance(1);
    let result: Poll<Result<(), _>> = task.poll();
    let Poll::Ready(Err(Error::TimedOut { limit, attempts: 2, gave_up })) = result else {
        panic!("{result:?}")
    };
    assert_eq!((limit, gave_up), (millis(60), Some(GiveUp::Deadline)));
    assert_eq!(*seen.borrow(), [millis(160), millis(60)], "what was left of it");
    drop(task);

    // A task that runs again long after its pause, when the deadline is over.
    let mut late = Task::new(guard.call_with(options, async |_| Err::<(), _>("busy")));
    assert!(late.poll().is_pending());
    world.advance(1000);
    let gave_up = Error::Failed { error: "busy", attempts: 1, gave_up: Some(GiveUp::Deadline) };
    assert_eq!(late.poll(), Poll::Ready(Err(gave_up)));

    // A deadline that comes in the queue.
    let mut holder = Task::new(guard.call(|_| takes(100)));
    assert!(holder.poll().is_pending());
    let options = Options::new().deadline(millis(20));
    let start = world.millis();
    let result = world.run(guard.call_with(options, |_| ready(Ok::<_, ()>(()))));
    assert_eq!((result, world.millis() - start), (Err(Error::Rejected(Rejected::DeadlineExpired)), 20));
}

#[test]
fn the_classifier_says_what_a_result_means() {
    let world = World::new();
    let guard: Guard = Guard::new(BREAKER.retry(retry::Config::attempts(2, Backoff::constant(millis(1)))));
    let options = Options::new().classify(|result: &Result<u8, u8>| match result {
        Ok(250..) => Report::new(Outcome::Failure).not_retryable(),
        Err(1) => Report::new(Outcome::Ignored).retry_after(millis(40)),
        Err(2) => Report::new(Outcome::Ignored),
        other => Report::from(other),
    });
    let malformed = Error::Failed { error: 2, attempts: 1, gave_up: None };
    assert_eq!(world.run(guard.call_with(options, async |_| Err(2))), Err(malformed));
    assert_eq!(world.run(guard.call_with(options, async |_| Ok(250))), Ok(250), "a value that is a failure");
    let busy = world.run(guard.call_with(options, async |a: Attempt| Err(u8::from(a.number() == 1))));
    assert_eq!(world.millis(), 40, "the peer's own delay: {busy:?}");
    let stats = guard.decisions().stats();
    assert_eq!((stats.ignored, stats.failures, stats.retries), (1, 2, 1));
}

#[test]
fn what_must_not_run_twice_is_not_retried_after_its_timeout() {
    struct Once;
    impl Classify<u64, &'static str> for Once {
        fn classify(&self, result: &Result<u64, &'static str>) -> Report {
            Report::from(result)
        }
        fn timed_out(&self) -> Report {
            Report::timed_out().not_retryable()
        }
    }
    let world = World::new();
    let guard: Guard = Guard::new(RETRY.timeout(millis(30)));
    let result = world.run(guard.call_with(Options::new().classify(Once), |_| takes(31)));
    let gave_up = Some(GiveUp::NotRetryable);
    assert_eq!(result, Err(Error::TimedOut { limit: millis(30), attempts: 1, gave_up }));
    assert_eq!((guard.decisions().stats().timeouts, guard.decisions().stats().failures), (1, 1));
}

#[test]
fn a_policy_outside_its_bounds_is_an_error_that_names_the_field() {
    let error = Guard::<0>::try_new(QUEUE.bulkhead(bulkhead::Config::new(1).max_waiting(1))).unwrap_err();
    assert_eq!(error.field, "bulkhead.max_waiting");
    let ok = poll_fn(|_| Poll::Ready(Guard::<1>::try_new(QUEUE).is_ok()));
    assert!(World::new().run(ok));
}
