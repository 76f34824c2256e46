//! Tasks that wait, are cancelled, and are woken in the middle of a step.

use core::future::{pending, ready};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Wake;

use seawall::clock::TokioClock;
use seawall::core::Clock;
use seawall::core::record::{Decision, Entry, Input};
use seawall::{Guard, Options};
use tokio::time::{advance, sleep, timeout};

use crate::{FULL, QUEUE, replayed, taken, work};

/// One task's calls; some are dropped: in the queue, in an attempt, in a pause.
async fn traffic(guard: Guard<impl Clock>, task: u32, calls: u32) {
    for n in 0..calls {
        let call = guard.call(async |_| {
            match (n + task) % 5 {
                0 => sleep(Duration::from_millis(1)).await,
                1 => tokio::task::yield_now().await,
                _ => {}
            }
            if n % 25 == 24 {
                return pending().await;
            }
            work(n * 7 + task)
        });
        let patience = if n % 3 == 0 { 3 } else { 90 };
        let _ = timeout(Duration::from_millis(patience), call).await;
        sleep(Duration::from_millis(u64::from(n % 4))).await;
    }
}

/// The entries, which a replay decided as they are: as many were given up as were counted, each with its moment.
fn steps(guard: &Guard<impl Clock>) -> Vec<Entry> {
    assert_eq!(guard.recording().unwrap().lost(), 0);
    let entries = replayed(&taken(guard));
    let given_up = |it: &&Entry| matches!(it.input, Input::CancelWaiting { .. } | Input::Cancel { .. });
    assert_eq!(entries.iter().filter(given_up).count() as u64, guard.stats().cancelled);
    entries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_tasks_and_threads_decide_together_is_replayed_to_the_same_decisions() {
    let guard = Guard::recorded("tasks", FULL, vec![0; 1 << 22]).unwrap();
    let tasks: Vec<_> = (0..12).map(|task| tokio::spawn(traffic(guard.clone(), task, 50))).collect();
    let other = guard.clone();
    let blocking = tokio::task::spawn_blocking(move || {
        for n in 0..200 {
            let _ = other.call_blocking(|_| work(n));
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    blocking.await.unwrap();
    assert!(steps(&guard).len() >= 12 * 50 + 200);
}

/// Virtual time makes the same traffic each time, so each way through a call is sure to be among it.
#[tokio::test(start_paused = true)]
async fn every_way_through_a_call_is_replayed_to_the_same_decisions() {
    let clock = TokioClock::new();
    let guard = Guard::recorded_with_clock("virtual", FULL.seed(1), vec![0; 1 << 22], clock).unwrap();
    let tasks: Vec<_> = (0..12).map(|task| tokio::spawn(traffic(guard.clone(), task, 200))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (entries, stats) = (steps(&guard), guard.stats());
    assert!(stats.cancelled > 0 && stats.timeouts > 0 && stats.retries > 0, "{stats:?}");
    for (kind, there) in [
        ("waits", entries.iter().any(|it| matches!(it.decision, Decision::Waiting { .. }))),
        ("polls", entries.iter().any(|it| matches!(it.input, Input::Poll { .. }))),
        ("given up in the queue", entries.iter().any(|it| matches!(it.input, Input::CancelWaiting { .. }))),
        ("given up in an attempt", entries.iter().any(|it| matches!(it.input, Input::DropAttempt { .. }))),
        ("refusals", entries.iter().any(|it| matches!(it.decision, Decision::Rejected { .. }))),
    ] {
        assert!(there, "{kind}");
    }
}

/// The inputs of the log, without their numbers and moments.
fn kinds(guard: &Guard<TokioClock>) -> Vec<String> {
    let name = |entry: &Entry| {
        let text = format!("{:?}", entry.input);
        text.split([' ', '{']).next().unwrap_or_default().to_owned()
    };
    replayed(&taken(guard)).iter().map(name).collect()
}

async fn poll_once<F: Future>(mut future: core::pin::Pin<&mut F>) -> Poll<F::Output> {
    core::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_says_where_it_was() {
    let guard = Guard::recorded_with_clock("dropped", QUEUE, vec![0; 4096], TokioClock::new()).unwrap();
    let mut holder = Box::pin(guard.call(|_| pending::<Result<(), ()>>()));
    let mut queued = Box::pin(guard.call(|_| ready(Ok::<_, ()>(()))));
    assert!(poll_once(holder.as_mut()).await.is_pending());
    assert!(poll_once(queued.as_mut()).await.is_pending());
    advance(Duration::from_millis(3)).await;
    drop(queued);
    drop(holder);
    let expected = ["Begin", "Attempt", "Begin", "Poll", "CancelWaiting", "DropAttempt", "Cancel"];
    assert_eq!(kinds(&guard), expected);
    assert_eq!(guard.recording().unwrap().lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_the_callers_own_is_in_the_log() {
    let guard = Guard::recorded_with_clock("own", QUEUE, vec![0; 4096], TokioClock::new()).unwrap();
    let options = Options::new().deadline(Duration::from_millis(7));
    let ended = guard.call_with(options, |_| pending::<Result<(), ()>>()).await;
    assert!(ended.is_err());
    let log = taken(&guard);
    let entries = replayed(&log);
    assert!(matches!(entries[0].input, Input::Begin { deadline } if !deadline.is_none()));
    assert_eq!(entries[2].at.saturating_since(entries[0].at), Duration::from_millis(7));
}

type Woken = Box<dyn Fn() + Send + Sync>;

/// A waker that does what it is told, in the middle of the step that wakes it.
struct Calls(Woken);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// The slot of `guard` is given back while a call waits for it with this waker; what came of that.
fn woken_by_a_slot(guard: &Guard, woken: Woken) -> std::thread::Result<()> {
    let mut holder = Box::pin(guard.call(|_| pending::<Result<(), ()>>()));
    assert!(holder.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let waker = Waker::from(Arc::new(Calls(woken)));
    let mut waiter = pin!(guard.call(|_| ready(Ok::<_, ()>(()))));
    assert!(waiter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let result = catch_unwind(AssertUnwindSafe(|| drop(holder)));
    assert_eq!(waiter.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())));
    result
}

#[test]
fn a_waker_that_calls_back_neither_waits_for_itself_nor_spoils_the_log() {
    let guard = Guard::recorded("reentered", QUEUE, vec![0; 4096]).unwrap();
    let other = guard.clone();
    let called = woken_by_a_slot(
        &guard,
        Box::new(move || {
            let _ =
                pin!(other.call(|_| ready(Ok::<_, ()>(())))).poll(&mut Context::from_waker(Waker::noop()));
            let recording = other.recording().unwrap();
            assert!(recording.lost() > 0, "it is known at once");
            assert_eq!(recording.drain_to(std::io::sink()).unwrap(), 0, "nothing can be taken within a step");
        }),
    );
    called.unwrap();
    assert!(guard.recording().unwrap().lost() > 1);
    let entries = replayed(&taken(&guard));
    let last = entries.last().unwrap();
    assert!(
        matches!(last.input, Input::DropAttempt { .. }),
        "the log ends before the step that woke: {last:?}"
    );
    assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_ok(), "and the guard goes on");
    assert_eq!(taken(&guard).len(), 0);
}

#[test]
fn a_waker_that_panics_ends_the_log_and_not_the_guard() {
    let guard = Guard::recorded("panics", QUEUE, vec![0; 4096]).unwrap();
    let result = woken_by_a_slot(&guard, Box::new(|| panic!("a waker")));
    assert!(result.is_err(), "the panic goes on");
    assert!(guard.recording().unwrap().lost() > 0);
    let entries = replayed(&taken(&guard));
    assert!(matches!(entries.last().unwrap().input, Input::DropAttempt { .. }), "{entries:?}");
    assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_ok());
    assert_eq!(taken(&guard).len(), 0);
    // The thread is in no step any more: another guard's step waits for its lock as ever.
    let other = Guard::recorded("other", QUEUE, vec![0; 4096]).unwrap();
    assert!(other.call_blocking(|_| Ok::<_, ()>(())).is_ok());
    assert_eq!((replayed(&taken(&other)).len(), other.recording().unwrap().lost()), (4, 0));
}

#[test]
fn a_waker_may_call_another_guard_that_records() {
    let guard = Guard::recorded("first", QUEUE, vec![0; 4096]).unwrap();
    let second = Guard::recorded("second", QUEUE, vec![0; 4096]).unwrap();
    let other = second.clone();
    woken_by_a_slot(&guard, Box::new(move || assert!(other.call_blocking(|_| Ok::<_, ()>(())).is_ok())))
        .unwrap();
    for (guard, steps) in [(&guard, 8), (&second, 4)] {
        assert_eq!(guard.recording().unwrap().lost(), 0, "{}", guard.name());
        assert!(replayed(&taken(guard)).len() >= steps);
    }
}

/// Two threads, each within a step of one guard, whose wakers call the other one: they must not wait for each other.
#[test]
fn wakers_that_cross_from_guard_to_guard_do_not_wait_for_each_other() {
    let guards = [1, 2].map(|_| Guard::recorded("crossed", QUEUE, vec![0; 4096]).unwrap());
    let both = Arc::new(std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        for (own, other) in [(0, 1), (1, 0)] {
            let (guard, other, both) = (guards[own].clone(), guards[other].clone(), Arc::clone(&both));
            scope.spawn(move || {
                let cross = move || {
                    both.wait();
                    let _ = pin!(other.call(|_| ready(Ok::<_, ()>(()))))
                        .poll(&mut Context::from_waker(Waker::noop()));
                    both.wait();
                };
                woken_by_a_slot(&guard, Box::new(cross)).unwrap();
            });
        }
    });
    for guard in &guards {
        assert!(guard.recording().unwrap().lost() > 0, "each was entered while it was in use");
        assert!(!replayed(&taken(guard)).is_empty(), "up to there the log is whole");
    }
}
