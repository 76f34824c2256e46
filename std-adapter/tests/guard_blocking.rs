//! Guards around operations that block their thread.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, mpsc};
use std::thread;

use seawall::core::circuit_breaker::{self, State};
use seawall::core::guard::Pattern;
use seawall::core::{Backoff, Ratio, bulkhead, rate_limiter::Quota, retry};
use seawall::{Attempt, Error, GiveUp, Guard, Options, Policy, Rejected, Report};

/// So long that no test ever waits for it to be over.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(2);

#[expect(clippy::large_types_passed_by_value, reason = "most policies are built in the argument")]
fn guard(policy: Policy) -> Guard {
    Guard::new("blocking", policy).unwrap()
}

fn waiting(guard: &Guard) -> u32 {
    guard.decisions().bulkhead().unwrap().snapshot().waiting
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

#[test]
fn retries_pause_and_a_result_comes_back() {
    let guard = guard(Policy::new().retry(retry::Config::attempts(3, Backoff::constant(SHORT))));
    let began = guard.now();
    let result =
        guard.call_blocking(|attempt| if attempt.number() < 3 { Err("busy") } else { Ok(attempt.number()) });
    assert_eq!(result, Ok(3));
    assert!(guard.now().saturating_since(began) >= 2 * SHORT);
    let result = guard.call_blocking(|_| Err::<(), _>("busy"));
    assert_eq!(result, Err(Error::Failed { error: "busy", attempts: 3, gave_up: Some(GiveUp::Attempts) }));
    let (stats, tallies) = (guard.stats(), guard.retry_tallies());
    assert_eq!((stats.successes, stats.failures, stats.retries, tallies.recovered), (1, 1, 4, 1));
    assert_eq!((guard.latencies().count(), guard.pauses().count()), (6, 4));
}

#[test]
fn the_operation_is_told_its_time() {
    let guard = guard(Policy::new().timeout(Duration::from_secs(20)));
    let remaining = |attempt: Attempt| Ok::<_, ()>(attempt.remaining());
    assert_eq!(guard.call_blocking(remaining), Ok(Duration::from_secs(20)));
    let options = Options::new().deadline(Duration::from_secs(5));
    assert_eq!(guard.call_blocking_with(options, remaining), Ok(Duration::from_secs(5)));
    assert_eq!(
        guard.call_blocking_with(options.deadline(Duration::ZERO), remaining),
        Err(Error::Rejected(Rejected::DeadlineExpired))
    );
}

#[test]
fn it_does_not_pause_beyond_its_deadline() {
    let guard = guard(Policy::new().retry(retry::Config::attempts(3, Backoff::constant(LONG))));
    let options = Options::new().deadline(LONG / 2);
    let result = guard.call_blocking_with(options, |_| Err::<(), _>("busy"));
    assert_eq!(result, Err(Error::Failed { error: "busy", attempts: 1, gave_up: Some(GiveUp::Deadline) }));
}

#[test]
fn a_thread_waits_for_its_slot_and_is_woken_in_order() {
    let guard = guard(Policy::new().bulkhead(bulkhead::Config::new(1).max_wait(LONG)));
    let order = Mutex::new(Vec::new());
    let (release, held) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let holder = guard.clone();
        scope.spawn(move || holder.call_blocking(|_| held.recv()).unwrap());
        until(|| guard.decisions().bulkhead().unwrap().snapshot().in_use == 1);
        for n in 0..3 {
            let (guard, order) = (&guard, &order);
            scope.spawn(move || {
                guard.call_blocking(|_| {
                    order.lock().unwrap().push(n);
                    Ok::<_, ()>(())
                })
            });
            until(|| waiting(guard) == n + 1);
        }
        assert!(order.lock().unwrap().is_empty());
        release.send(()).unwrap();
    });
    assert_eq!(order.into_inner().unwrap(), [0, 1, 2]);
    assert_eq!((guard.stats().successes, guard.waits().count()), (4, 3));
}

#[test]
fn a_wait_that_is_over_is_a_rejection_and_its_token_comes_back() {
    let quota = Quota::new(1, LONG).burst(2);
    let guard = guard(Policy::new().rate_limit(quota).bulkhead(bulkhead::Config::new(1).max_wait(SHORT)));
    let nested = guard.call_blocking(|_| {
        let refused = guard.call_blocking(|_| -> Result<(), ()> { unreachable!("it never had a slot") });
        assert_eq!(guard.decisions().limiter().unwrap().available(guard.now()), 1);
        Ok::<_, ()>(refused)
    });
    let Ok(Err(Error::Rejected(Rejected::Bulkhead(bulkhead::Rejected::WaitTimeout { waited })))) = nested
    else {
        panic!("{nested:?}")
    };
    assert!(waited >= SHORT);
    assert_eq!((guard.waits().count(), guard.stats().rejected_by(Pattern::Bulkhead)), (0, 1));
}

#[test]
fn a_panic_gives_everything_back_and_goes_on() {
    let policy = Policy::new()
        .bulkhead(bulkhead::Config::new(1))
        .circuit_breaker(circuit_breaker::Config::consecutive_failures(2).open_for(LONG))
        .retry(retry::Config::attempts(3, Backoff::constant(SHORT)));
    let guard = guard(policy);
    let message = |call: &dyn Fn()| {
        let payload = catch_unwind(AssertUnwindSafe(call)).expect_err("it panics");
        payload.downcast_ref::<&str>().copied().expect("the payload goes through as it is")
    };
    let operation = || {
        let _ = guard.call_blocking(|_| -> Result<(), ()> { panic!("operation") });
    };
    assert_eq!(message(&operation), "operation");
    assert_eq!(guard.decisions().bulkhead().unwrap().snapshot().in_use, 0);
    assert_eq!((guard.stats().failures, guard.stats().retries), (1, 0));

    let options = Options::new().classify(|_: &Result<(), ()>| -> Report { panic!("classifier") });
    let classifier = || {
        let _ = guard.call_blocking_with(options, |_| Ok(()));
    };
    assert_eq!(message(&classifier), "classifier");
    assert_eq!(guard.decisions().bulkhead().unwrap().snapshot().in_use, 0);
    assert_eq!((guard.stats().failures, guard.stats().successes), (2, 0));
    let status = guard.decisions().breaker().unwrap().status(guard.now());
    assert_eq!(status.state, State::Open, "each counted as one failure");
}

#[test]
fn many_threads_never_hold_more_slots_than_there_are_and_the_books_balance() {
    let policy = Policy::new()
        .bulkhead(bulkhead::Config::new(3).max_wait(LONG))
        .circuit_breaker(circuit_breaker::Config::consecutive_failures(100_000))
        .retry(retry::Config::attempts(2, Backoff::constant(Duration::ZERO)).budget(
            Ratio::percent(50),
            500,
            0,
        ));
    let guard = guard(policy);
    let (now, most) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for thread in 0..8_u32 {
            let (guard, now, most) = (&guard, &now, &most);
            scope.spawn(move || {
                for n in 0..300 {
                    let result = guard.call_blocking(|attempt| {
                        most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                        thread::yield_now();
                        now.fetch_sub(1, Ordering::Relaxed);
                        match (n + thread) % 10 {
                            0 => Err(()),
                            1 if attempt.number() == 1 => Err(()),
                            _ => Ok(()),
                        }
                    });
                    assert_eq!(result.is_ok(), (n + thread) % 10 > 0, "{result:?}");
                }
            });
        }
    });
    assert!((1..=3).contains(&most.load(Ordering::Relaxed)));
    let stats = guard.stats();
    assert_eq!((stats.successes + stats.failures, stats.rejected(), stats.cancelled), (2400, 0, 0));
    assert_eq!((stats.successes, guard.retry_tallies().recovered), (2160, 240));
    assert_eq!(guard.decisions().bulkhead().unwrap().snapshot().in_use, 0);
}

/// A slot that a task gives back wakes a thread, and the other way round.
#[cfg(feature = "tokio")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_and_tasks_share_a_queue() {
    let guard = guard(Policy::new().bulkhead(bulkhead::Config::new(1).max_wait(LONG)));
    let (release, held) = tokio::sync::oneshot::channel::<()>();
    let own = guard.clone();
    let mut held = Some(held);
    let task = tokio::spawn(async move { own.call(|_| held.take().expect("one attempt")).await });
    until(|| guard.decisions().bulkhead().unwrap().snapshot().in_use == 1);
    let (hand_over, held) = mpsc::channel::<()>();
    let own = guard.clone();
    let thread = thread::spawn(move || own.call_blocking(|_| held.recv()));
    until(|| waiting(&guard) == 1);
    let own = guard.clone();
    let last = tokio::spawn(async move { own.call(async |_| Ok::<_, ()>(())).await });
    until(|| waiting(&guard) == 2);
    release.send(()).unwrap();
    task.await.unwrap().unwrap();
    hand_over.send(()).unwrap();
    thread.join().unwrap().unwrap();
    assert_eq!(last.await.unwrap(), Ok(()));
    assert_eq!((guard.stats().successes, guard.waits().count()), (3, 2));
}
