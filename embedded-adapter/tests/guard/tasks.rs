//! Guards in real embassy tasks, and whose waker it is that timers and queues are given.

use core::cell::RefCell;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::task::{Poll, Waker};

use embassy_executor::raw::Executor;
use embassy_futures::join::join3;
use embassy_time::Timer;
use seawall_embassy::core::guard::Pattern;
use seawall_embassy::core::{Backoff, bulkhead, circuit_breaker, retry};
use seawall_embassy::{Attempt, Error, Guard, Policy};

use crate::world::{Task, World};
use crate::{QUEUE, millis, takes};

/// What a firmware writes: a guard without any set-up code.
static UPLINK: Guard<4> = Guard::new(
    Policy::new()
        .bulkhead(bulkhead::Config::new(1).max_wait(millis(60)))
        .circuit_breaker(circuit_breaker::Config::consecutive_failures(5))
        .retry(retry::Config::attempts(3, Backoff::constant(millis(10))))
        .timeout(millis(100)),
);

static SENT: AtomicU32 = AtomicU32::new(0);
static ENDED: AtomicU32 = AtomicU32::new(0);

#[embassy_executor::task(pool_size = 3)]
async fn report() {
    let result = UPLINK
        .call(async |attempt: Attempt| {
            Timer::after_millis(20).await;
            if attempt.number() == 1 { Err("collision") } else { Ok(1) }
        })
        .await;
    match result {
        Ok(n) => SENT.fetch_add(n, Ordering::Relaxed),
        Err(error) => {
            assert!(error.is_rejected(), "{error:?}");
            0
        }
    };
    ENDED.fetch_add(1, Ordering::Relaxed);
}

static ASKED: AtomicBool = AtomicBool::new(false);

/// The executor asks to be polled.
#[unsafe(export_name = "__pender")]
fn pender(_context: *mut ()) {
    ASKED.store(true, Ordering::Relaxed);
}

#[test]
fn a_static_guard_serves_the_tasks_of_an_executor() {
    let world = World::new();
    let executor: &'static Executor = Box::leak(Box::new(Executor::new(core::ptr::null_mut())));
    let spawner = executor.spawner();
    for _ in 0..3 {
        spawner.spawn(report().unwrap());
    }
    // Each call holds the slot for 20 + 10 + 20 ms, so the third waits longer than it may.
    let mut ended = Vec::new();
    for _ in 0..200 {
        while ASKED.swap(false, Ordering::Relaxed) {
            // SAFETY: the executor is polled by this thread only, and never from within a task.
            unsafe { executor.poll() };
        }
        ended.push(ENDED.load(Ordering::Relaxed));
        world.advance(1);
    }
    assert_eq!(SENT.load(Ordering::Relaxed), 2);
    assert_eq!([49, 50, 59, 60, 99, 100].map(|millis: usize| ended[millis]), [0, 1, 1, 2, 2, 3]);
    let stats = UPLINK.decisions().stats();
    assert_eq!((stats.successes, stats.retries, stats.rejected_by(Pattern::Bulkhead)), (2, 2, 1));
}

#[test]
fn calls_joined_in_one_task_share_a_guard() {
    let world = World::new();
    let guard: Guard = Guard::new(QUEUE);
    let all = join3(guard.call(|_| takes(20)), guard.call(|_| takes(20)), guard.call(|_| takes(20)));
    assert_eq!(world.run(all), (Ok(20), Ok(20), Ok(20)));
    assert_eq!(world.millis(), 60, "one after another");
}

/// A firmware without a generic timer queue accepts no other waker than the task's own.
#[test]
fn the_tasks_own_waker_goes_through_unwrapped() {
    let world = World::new();
    let policy = QUEUE.retry(retry::Config::attempts(2, Backoff::constant(millis(10)))).timeout(millis(30));
    let guard: Guard = Guard::new(policy);
    let seen = RefCell::new(Vec::new());
    let mut task = Task::new(guard.call(|attempt: Attempt| {
        let seen = &seen;
        poll_fn(move |cx| {
            seen.borrow_mut().push(cx.waker().clone());
            if attempt.number() == 1 { Poll::Ready(Err(())) } else { Poll::Pending }
        })
    }));
    let waker = task.waker().clone();
    assert!(task.poll().is_pending());
    world.advance(10);
    assert!(task.was_woken());
    for _ in 0..20 {
        assert!(task.poll().is_pending());
    }
    world.advance(30);
    let result: Poll<Result<(), _>> = task.poll();
    assert!(matches!(result, Poll::Ready(Err(Error::TimedOut { attempts: 2, .. }))), "{result:?}");
    assert_eq!(seen.borrow().len(), 1 + 20 + 1);
    assert!(seen.borrow().iter().all(|seen: &Waker| seen.will_wake(&waker)));
}

/// A timer queue tells tasks apart by their wakers: a wrapped one would take a new entry with each poll.
#[test]
fn a_task_takes_one_entry_of_the_timer_queue_however_often_it_is_polled() {
    let _world = World::new();
    let guard: Guard = Guard::new(QUEUE.timeout(millis(30)));
    let mut task = Task::new(guard.call(|_| takes(20)));
    let mut waiter = Task::new(guard.call(|_| takes(20)));
    for _ in 0..20 {
        assert!(task.poll().is_pending() && waiter.poll().is_pending());
    }
    assert_eq!(task.wakers_out(), 1, "the operation's timer and the attempt's share an entry");
    assert_eq!(waiter.wakers_out(), 2, "the end of its wait, and its place in the bulkhead's queue");
}
