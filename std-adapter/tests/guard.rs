//! Guards on tokio's paused clock: what a call returns, and at which moment.
#![cfg(feature = "tokio")]

use core::cell::{Cell, RefCell};
use core::future::{pending, poll_fn, ready};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use seawall::clock::TokioClock;
use seawall::core::circuit_breaker::{self, State};
use seawall::core::{Backoff, Outcome, bulkhead, rate_limiter::Quota, retry};
use seawall::{Attempt, Error, GiveUp, Guard, Options, Policy, Rejected, Report};
use tokio::time::{Instant, advance, sleep};

#[path = "guard/cancellation.rs"]
mod cancellation;
#[path = "guard/events.rs"]
mod events;
#[path = "guard/load.rs"]
mod load;
#[path = "guard/panics.rs"]
mod panics;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const RETRY: Policy = Policy::new().retry(retry::Config::attempts(3, Backoff::exponential(millis(100))));
const BREAKER: Policy = Policy::new().circuit_breaker(
    circuit_breaker::Config::consecutive_failures(2).open_for(millis(1000)).successes_to_close(1),
);
const QUEUE: Policy = Policy::new().bulkhead(bulkhead::Config::new(1).max_wait(millis(50)));

#[expect(clippy::large_types_passed_by_value, reason = "most policies are built in the argument")]
fn guard(policy: Policy) -> Guard<TokioClock> {
    Guard::with_clock("test", policy, TokioClock::new()).unwrap()
}

/// Polls once, in the task of the caller.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

async fn takes(duration: u64) -> Result<u64, &'static str> {
    sleep(millis(duration)).await;
    Ok(duration)
}

/// A timer that is armed outside of a runtime panics.
#[test]
fn what_is_ready_at_once_needs_no_runtime() {
    let guard = Guard::new("cache", QUEUE.timeout(millis(100)).deadline(millis(500))).unwrap();
    let mut call = Box::pin(guard.call(|_| ready(Ok::<_, ()>(7))));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(call.as_mut().poll(&mut cx), Poll::Ready(Ok(7)));
    drop(call);

    // Nor does a retry without a pause, or an attempt and a place in the queue without a limit.
    let unlimited = Policy::new()
        .bulkhead(bulkhead::Config::new(1))
        .retry(retry::Config::attempts(2, Backoff::constant(Duration::ZERO)));
    let guard = Guard::new("cache", unlimited).unwrap();
    let mut holder = Box::pin(guard.call(|attempt: Attempt| async move {
        if attempt.number() == 1 { Err(()) } else { pending().await }
    }));
    let polled: Poll<Result<(), _>> = holder.as_mut().poll(&mut cx);
    assert!(polled.is_pending());
    assert_eq!(guard.retry_tallies().attempts[1], 1);
    let mut waiter = Box::pin(guard.call(|_| ready(Ok::<_, ()>(8))));
    assert!(waiter.as_mut().poll(&mut cx).is_pending());
    drop(holder);
    assert_eq!(waiter.as_mut().poll(&mut cx), Poll::Ready(Ok(8)));
}

#[tokio::test(start_paused = true)]
async fn retries_pause_as_the_schedule_says() {
    let guard = guard(RETRY);
    let began = Instant::now();
    let started = RefCell::new(Vec::new());
    let result = guard
        .call(async |attempt: Attempt| {
            started.borrow_mut().push((attempt.number(), began.elapsed().as_millis()));
            if attempt.number() < 3 { Err("busy") } else { Ok("sent") }
        })
        .await;
    assert_eq!(result, Ok("sent"));
    assert_eq!(*started.borrow(), [(1, 0), (2, 100), (3, 300)]);

    let result = guard.call(async |_| Err::<(), _>("busy")).await;
    assert_eq!(result, Err(Error::Failed { error: "busy", attempts: 3, gave_up: Some(GiveUp::Attempts) }));
    let (stats, tallies) = (guard.stats(), guard.retry_tallies());
    assert_eq!((stats.successes, stats.failures, stats.retries), (1, 1, 4));
    assert_eq!((tallies.attempts, tallies.recovered), ([2, 2, 2, 0, 0, 0], 1));
    assert_eq!(tallies.gave_up.iter().find(|(name, _)| *name == "attempts"), Some(("attempts", 1)));
    assert_eq!((guard.pauses().count(), guard.latencies().count()), (4, 6));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_dropped_at_its_timeout() {
    let guard = guard(RETRY.timeout(millis(30)));
    let began = Instant::now();
    let starts = Cell::new(0);
    let result = guard
        .call(async |attempt: Attempt| {
            starts.set(starts.get() + 1);
            assert_eq!(attempt.remaining(), millis(30));
            takes(31).await
        })
        .await;
    let timed_out = Error::TimedOut { limit: millis(30), attempts: 3, gave_up: Some(GiveUp::Attempts) };
    assert_eq!(result, Err(timed_out));
    assert_eq!((starts.get(), began.elapsed()), (3, millis(30 + 100 + 30 + 200 + 30)));
    assert_eq!((guard.stats().timeouts, guard.latencies().count()), (3, 3), "timed-out attempts are samples");
}

#[tokio::test(start_paused = true)]
async fn a_result_and_the_timeout_in_one_moment_is_a_result() {
    let guard = guard(Policy::new().timeout(millis(30)));
    assert_eq!(guard.call(|_| takes(30)).await, Ok(30));

    // The task runs again long after both.
    let mut call = Box::pin(guard.call(|_| takes(10)));
    assert!(poll_once(call.as_mut()).await.is_pending());
    advance(Duration::from_secs(60)).await;
    assert_eq!(poll_once(call.as_mut()).await, Poll::Ready(Ok(10)));
    assert_eq!((guard.stats().timeouts, guard.stats().successes), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_slot_and_the_end_of_the_wait_in_one_moment_is_a_slot() {
    let guard = guard(QUEUE);
    let mut holder = Box::pin(guard.call(|_| takes(50)));
    let mut waiter = Box::pin(guard.call(|_| ready(Ok::<_, ()>(()))));
    assert!(poll_once(holder.as_mut()).await.is_pending());
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    advance(millis(50)).await;
    assert!(poll_once(holder.as_mut()).await.is_ready());
    assert_eq!(poll_once(waiter.as_mut()).await, Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn retries_stop_when_the_breaker_opens() {
    let policy = BREAKER.retry(retry::Config::attempts(10, Backoff::constant(millis(5))));
    let own = guard(policy);
    let result = own.call(async |_| Err::<(), _>("down")).await;
    assert_eq!(result, Err(Error::Failed { error: "down", attempts: 2, gave_up: Some(GiveUp::BreakerOpen) }));
    let refused = own.call(async |_| Ok::<_, ()>(())).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected(Rejected::CircuitBreaker(_))), "{refused:?}");
    assert_eq!(refused.retry_after(), Some(millis(1000)));

    // It opens by another hand, in the pause: the last result is what the caller sees.
    let forced = guard(policy);
    let mut call = Box::pin(forced.call(async |_| Err::<(), _>("down")));
    assert!(poll_once(call.as_mut()).await.is_pending());
    forced.force_open();
    let gave_up = Error::Failed { error: "down", attempts: 1, gave_up: Some(GiveUp::BreakerOpen) };
    assert_eq!(call.await, Err(gave_up));
    assert_eq!((forced.stats().failures, forced.stats().cancelled), (1, 0));
    assert_eq!(forced.retry_tallies().gave_up.iter().map(|(_, n)| n).sum::<u64>(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_slot_and_no_longer_than_it_may() {
    let guard = guard(QUEUE.rate_limit(Quota::new(1, Duration::from_secs(3600)).burst(3)));
    let began = Instant::now();
    let mut holder = Box::pin(guard.call(|_| takes(80)));
    assert!(poll_once(holder.as_mut()).await.is_pending());
    let result = guard.call(async |_| -> Result<(), ()> { unreachable!("it never had a slot") }).await;
    let Err(Error::Rejected(Rejected::Bulkhead(bulkhead::Rejected::WaitTimeout { waited }))) = result else {
        panic!("{result:?}")
    };
    assert_eq!((waited, began.elapsed()), (millis(50), millis(50)));
    let limiter = guard.decisions().limiter().unwrap();
    assert_eq!(limiter.available(guard.now()), 2, "its token came back");
    assert_eq!(guard.waits().count(), 0);

    let (held, waited) = tokio::join!(holder, guard.call(|_| ready(Ok::<_, ()>("in"))));
    assert_eq!((held, waited, began.elapsed()), (Ok(80), Ok("in"), millis(80)));
    assert_eq!(guard.waits().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn slots_are_given_in_the_order_of_asking() {
    let guard = guard(Policy::new().bulkhead(bulkhead::Config::new(1).max_waiting(4)));
    let order = RefCell::new(Vec::new());
    let call = |n: u32| {
        let order = &order;
        guard.call(move |_| async move {
            order.borrow_mut().push(n);
            takes(10).await
        })
    };
    let began = Instant::now();
    let first_five = async { tokio::join!(call(0), call(1), call(2), call(3), call(4)) };
    let ((.., fifth), sixth) = tokio::join!(first_five, call(5));
    assert_eq!(fifth, Ok(10));
    let full = bulkhead::Rejected::QueueFull { waiting: 4, max_waiting: 4 };
    assert_eq!(sixth, Err(Error::Rejected(Rejected::Bulkhead(full))));
    assert_eq!((order.into_inner(), began.elapsed()), (vec![0, 1, 2, 3, 4], millis(50)));
}

#[tokio::test(start_paused = true)]
async fn one_deadline_covers_the_queue_the_attempts_and_the_pauses() {
    let guard = guard(RETRY.bulkhead(bulkhead::Config::new(1)).timeout(millis(200)));
    let began = Instant::now();
    let seen = RefCell::new(Vec::new());
    let options = Options::new().deadline(millis(260));
    let short = guard.call_with(options, async |attempt: Attempt| {
        seen.borrow_mut().push(attempt.remaining());
        if attempt.number() == 1 { Err::<(), _>("busy") } else { pending().await }
    });
    let (held, result) = tokio::join!(guard.call(|_| takes(100)), short);
    let timed_out = Error::TimedOut { limit: millis(60), attempts: 2, gave_up: Some(GiveUp::Deadline) };
    assert_eq!((held, result, began.elapsed()), (Ok(100), Err(timed_out), millis(260)));
    assert_eq!(*seen.borrow(), [millis(160), millis(60)], "what was left of it");

    // A deadline that comes in the queue, where the bulkhead itself has no limit.
    let began = Instant::now();
    let options = Options::new().deadline(millis(20));
    let (_, result) = tokio::join!(guard.call(|_| takes(100)), async {
        let result = guard.call_with(options, |_| ready(Ok::<_, ()>(()))).await;
        (result, began.elapsed())
    });
    assert_eq!(result, (Err(Error::Rejected(Rejected::DeadlineExpired)), millis(20)));

    // A task that runs again long after its pause.
    let mut late = Box::pin(guard.call_with(options.deadline(millis(150)), async |_| Err::<(), _>("busy")));
    assert!(poll_once(late.as_mut()).await.is_pending());
    advance(Duration::from_secs(1)).await;
    let gave_up = Error::Failed { error: "busy", attempts: 1, gave_up: Some(GiveUp::Deadline) };
    assert_eq!(poll_once(late.as_mut()).await, Poll::Ready(Err(gave_up)));
}

#[tokio::test(start_paused = true)]
async fn the_classifier_says_what_a_result_means() {
    let guard = guard(BREAKER.retry(retry::Config::attempts(2, Backoff::constant(millis(1)))));
    let options = Options::new().classify(|result: &Result<u8, u8>| match result {
        Ok(250..) => Report::new(Outcome::Failure).not_retryable(),
        Err(1) => Report::new(Outcome::Ignored).retry_after(millis(40)),
        Err(2) => Report::new(Outcome::Ignored),
        other => Report::from(other),
    });
    let malformed = Error::Failed { error: 2, attempts: 1, gave_up: None };
    assert_eq!(guard.call_with(options, async |_| Err(2)).await, Err(malformed));
    assert_eq!(guard.call_with(options, async |_| Ok(250)).await, Ok(250), "a value that is a failure");
    let began = Instant::now();
    let busy = |attempt: Attempt| ready(if attempt.number() == 1 { Err(1) } else { Ok(3) });
    assert_eq!(guard.call_with(options, busy).await, Ok(3));
    assert_eq!(began.elapsed(), millis(40), "the peer's own delay");
    let stats = guard.stats();
    assert_eq!((stats.ignored, stats.failures, stats.successes, stats.retries), (1, 1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn clones_share_all_state_and_a_bad_policy_is_named() {
    let first = guard(BREAKER);
    let second = first.clone();
    for _ in 0..2 {
        assert!(first.call(async |_| Err::<(), _>(())).await.is_err());
    }
    assert_eq!(second.decisions().breaker().unwrap().status(second.now()).state, State::Open);
    assert!(second.call(async |_| Ok::<_, ()>(())).await.unwrap_err().is_rejected());
    assert_eq!((first.name(), first.stats()), ("test", second.stats()));
    let error = Guard::new("bad", QUEUE.timeout(Duration::ZERO)).unwrap_err();
    assert_eq!(error.field, "timeout");
}
