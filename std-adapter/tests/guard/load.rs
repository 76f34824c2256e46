//! Many calls at once on many threads, as a server makes them.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;

use seawall::core::{Backoff, bulkhead, circuit_breaker, rate_limiter::Quota, retry};
use seawall::{Attempt, Guard, Policy};
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::RETRY;

/// What the futures must be so that a server can spawn them; that this compiles is the test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_forms_of_closures_run_in_spawned_tasks() {
    let guard = Guard::new("spawned", RETRY.timeout(Duration::from_secs(60))).unwrap();
    let peer: Arc<str> = "peer".into();

    let (own, name) = (guard.clone(), Arc::clone(&peer));
    let moving = tokio::spawn(async move {
        own.call(|attempt| {
            let name = Arc::clone(&name);
            async move {
                tokio::task::yield_now().await;
                Ok::<_, String>((name.len(), attempt.number()))
            }
        })
        .await
    });
    let (own, name) = (guard.clone(), Arc::clone(&peer));
    let borrowing = tokio::spawn(async move {
        own.call(async |attempt: Attempt| {
            tokio::task::yield_now().await;
            Ok::<_, String>((name.len(), attempt.number()))
        })
        .await
    });
    assert_eq!(moving.await.unwrap(), Ok((4, 1)));
    assert_eq!(borrowing.await.unwrap(), Ok((4, 1)));
}

#[derive(Default)]
struct InFlight {
    asked: AtomicU32,
    now: AtomicU32,
    most: AtomicU32,
}

impl InFlight {
    fn enter(&self) -> Inside<'_> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        Inside(self)
    }
}

/// An operation that is aborted leaves as well.
struct Inside<'a>(&'a InFlight);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_calls_ten_run_at_once_and_the_books_balance() {
    let policy = Policy::new()
        .rate_limit(Quota::per_second(1_000_000).burst(900))
        .bulkhead(bulkhead::Config::new(10).max_waiting(200).max_wait(Duration::from_secs(60)))
        .circuit_breaker(circuit_breaker::Config::consecutive_failures(100_000))
        .retry(retry::Config::attempts(2, Backoff::constant(Duration::from_micros(1))))
        .timeout(Duration::from_secs(60));
    let guard = Guard::new("crowded", policy).unwrap();
    let in_flight = Arc::new(InFlight::default());
    let tasks: Vec<_> = (0..1000)
        .map(|n| {
            let (guard, in_flight) = (guard.clone(), Arc::clone(&in_flight));
            tokio::spawn(async move {
                in_flight.asked.fetch_add(1, Ordering::Relaxed);
                guard
                    .call(async |attempt: Attempt| {
                        let inside = in_flight.enter();
                        for _ in 0..n % 5 {
                            tokio::task::yield_now().await;
                        }
                        drop(inside);
                        if n % 7 == 0 || (n % 3 == 0 && attempt.number() == 1) { Err(n) } else { Ok(n) }
                    })
                    .await
            })
        })
        .collect();
    let (mut succeeded, mut failed, mut rejected, mut aborted) = (0, 0, 0, 0);
    for (n, task) in tasks.into_iter().enumerate() {
        if n % 50 == 49 {
            task.abort();
        }
        match task.await {
            Ok(Ok(_)) => succeeded += 1,
            Ok(Err(error)) if error.is_rejected() => rejected += 1,
            Ok(Err(_)) => failed += 1,
            Err(_) => aborted += 1,
        }
    }
    assert!(in_flight.most.load(Ordering::Relaxed) <= 10, "never more than the bulkhead allows");
    let stats = guard.stats();
    assert_eq!((stats.successes, stats.failures, stats.rejected()), (succeeded, failed, rejected));
    // A task that was aborted before its first poll never asked.
    let asked = u64::from(in_flight.asked.load(Ordering::Relaxed));
    assert_eq!(succeeded + failed + rejected + stats.cancelled, asked, "{stats:?}");
    assert!(stats.cancelled <= aborted, "{stats:?}");
    assert_eq!(succeeded + failed + rejected + aborted, 1000);
    assert!(succeeded >= 10 && failed >= 1, "{stats:?}");
    let slots = guard.decisions().bulkhead().unwrap().snapshot();
    assert_eq!((slots.in_use, slots.waiting), (0, 0));
}

/// Ten meet at the barrier again and again: fewer slots at once, or a lost wake, and the test hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_call_that_may_wait_gets_its_turn() {
    let guard = Guard::new("queue", Policy::new().bulkhead(bulkhead::Config::new(10))).unwrap();
    let in_flight = Arc::new(InFlight::default());
    let barrier = Arc::new(Barrier::new(10));
    let tasks: Vec<_> = (0..260)
        .map(|_| {
            let (guard, in_flight, barrier) = (guard.clone(), Arc::clone(&in_flight), Arc::clone(&barrier));
            tokio::spawn(async move {
                guard
                    .call(async |_| {
                        let inside = in_flight.enter();
                        barrier.wait().await;
                        drop(inside);
                        Ok::<_, ()>(())
                    })
                    .await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(timeout(Duration::from_secs(60), task).await.expect("a hang").unwrap(), Ok(()));
    }
    assert_eq!((guard.stats().successes, in_flight.most.load(Ordering::Relaxed)), (260, 10));
}
