//! A future that is dropped gives everything back, wherever it was.

use core::cell::Cell;
use core::future::{pending, ready};
use core::task::Poll;
use core::time::Duration;

use seawall::clock::TokioClock;
use seawall::core::circuit_breaker::{self, State};
use seawall::core::{Backoff, bulkhead, rate_limiter::Quota, retry};
use seawall::{Attempt, Guard, Policy};
use tokio::time::advance;

use crate::{guard, millis, poll_once};

/// One slot, five tokens that hardly come back by themselves, one probe.
pub(crate) const ALL: Policy = Policy::new()
    .rate_limit(Quota::new(1, Duration::from_secs(3600)).burst(5))
    .bulkhead(bulkhead::Config::new(1))
    .circuit_breaker(
        circuit_breaker::Config::consecutive_failures(2).open_for(millis(1000)).successes_to_close(1),
    )
    .retry(retry::Config::attempts(2, Backoff::constant(millis(10))))
    .timeout(millis(500));

#[derive(Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) slots: u32,
    pub(crate) waiting: u32,
    pub(crate) tokens: u32,
    pub(crate) probes: u32,
    pub(crate) failures: u32,
    pub(crate) cancelled: u64,
}

pub(crate) const NOTHING: Held =
    Held { slots: 0, waiting: 0, tokens: 5, probes: 0, failures: 0, cancelled: 0 };

pub(crate) fn held(guard: &Guard<TokioClock>) -> Held {
    let decisions = guard.decisions();
    let slots = decisions.bulkhead().unwrap().snapshot();
    let breaker = decisions.breaker().unwrap().status(guard.now());
    Held {
        slots: slots.in_use,
        waiting: slots.waiting,
        tokens: decisions.limiter().unwrap().available(guard.now()),
        probes: breaker.probes,
        failures: breaker.consecutive_failures,
        cancelled: decisions.stats().cancelled,
    }
}

#[tokio::test(start_paused = true)]
async fn before_its_first_poll_it_holds_nothing() {
    let guard = guard(ALL);
    drop(guard.call(|_| pending::<Result<(), ()>>()));
    assert_eq!(held(&guard), NOTHING);
}

#[tokio::test(start_paused = true)]
async fn in_the_queue_it_gives_its_place_and_its_token_back() {
    let guard = guard(ALL);
    let mut holder = Box::pin(guard.call(|_| pending::<Result<(), ()>>()));
    let mut second = Box::pin(guard.call(|_| pending::<Result<(), ()>>()));
    let mut third = Box::pin(guard.call(|_| ready(Ok::<_, ()>(3))));
    assert!(poll_once(holder.as_mut()).await.is_pending());
    assert!(poll_once(second.as_mut()).await.is_pending());
    assert!(poll_once(third.as_mut()).await.is_pending());
    assert_eq!(held(&guard), Held { slots: 1, waiting: 2, tokens: 2, ..NOTHING });
    advance(millis(100)).await;
    drop(second);
    assert_eq!(held(&guard), Held { slots: 1, waiting: 1, tokens: 3, cancelled: 1, ..NOTHING });
    drop(holder);
    assert_eq!(third.await, Ok(3), "woken by the slot");
    assert_eq!(held(&guard), Held { tokens: 3, cancelled: 2, ..NOTHING });
}

#[tokio::test(start_paused = true)]
async fn with_a_slot_that_it_did_not_collect_it_passes_its_turn_on() {
    let guard = guard(ALL);
    let mut holder = Box::pin(guard.call(|_| pending::<Result<(), ()>>()));
    let mut granted = Box::pin(guard.call(|_| pending::<Result<(), ()>>()));
    let mut next = Box::pin(guard.call(|_| ready(Ok::<_, ()>(()))));
    assert!(poll_once(holder.as_mut()).await.is_pending());
    assert!(poll_once(granted.as_mut()).await.is_pending());
    assert!(poll_once(next.as_mut()).await.is_pending());
    drop(holder);
    assert!(poll_once(next.as_mut()).await.is_pending(), "it is not its turn");
    drop(granted);
    assert_eq!(poll_once(next.as_mut()).await, Poll::Ready(Ok(())));
    assert_eq!(held(&guard), Held { tokens: 3, cancelled: 2, ..NOTHING });
}

#[tokio::test(start_paused = true)]
async fn in_an_attempt_it_gives_its_slot_back_after_the_operation_was_dropped() {
    struct InFlight<'a>(&'a Guard<TokioClock>, &'a Cell<u32>);
    impl Drop for InFlight<'_> {
        fn drop(&mut self) {
            self.1.set(held(self.0).slots);
        }
    }
    let guard = guard(ALL);
    let slots_at_drop = Cell::new(u32::MAX);
    let mut call = Box::pin(guard.call(async |_| {
        let _work = InFlight(&guard, &slots_at_drop);
        pending::<Result<(), ()>>().await
    }));
    assert!(poll_once(call.as_mut()).await.is_pending());
    drop(call);
    assert_eq!(slots_at_drop.replace(u32::MAX), 1, "the slot is held until the work has ended");
    assert_eq!(held(&guard), Held { tokens: 4, cancelled: 1, ..NOTHING }, "it may have used its token");

    // So it is when its time is over.
    let timed_out = guard.call(async |attempt: Attempt| {
        let _work = (attempt.number() == 1).then(|| InFlight(&guard, &slots_at_drop));
        pending::<Result<(), ()>>().await
    });
    assert!(timed_out.await.is_err());
    assert_eq!((slots_at_drop.get(), held(&guard).slots), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn as_a_probe_it_gives_the_probe_back_and_counts_nothing() {
    let guard = guard(ALL);
    assert!(guard.call(|_| ready(Err::<(), _>(()))).await.is_err());
    advance(millis(1001)).await;
    let mut probe = Box::pin(guard.call(|attempt: Attempt| {
        assert!(attempt.is_probe());
        pending::<Result<(), ()>>()
    }));
    assert!(poll_once(probe.as_mut()).await.is_pending());
    assert_eq!(held(&guard).probes, 1);
    drop(probe);
    assert_eq!(held(&guard), Held { tokens: 3, cancelled: 1, ..NOTHING });
    let status = guard.decisions().breaker().unwrap().status(guard.now());
    assert_eq!(status.state, State::HalfOpen, "neither success nor failure");
    assert_eq!(guard.call(async |attempt| Ok::<_, ()>(attempt.is_probe())).await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn in_a_pause_it_gives_its_slot_back() {
    let guard = guard(ALL);
    let mut call = Box::pin(guard.call(|_| ready(Err::<(), _>("busy"))));
    assert!(poll_once(call.as_mut()).await.is_pending());
    assert_eq!(held(&guard), Held { slots: 1, tokens: 4, failures: 1, ..NOTHING }, "in the pause");
    advance(millis(5)).await;
    drop(call);
    assert_eq!(held(&guard), Held { tokens: 4, failures: 1, cancelled: 1, ..NOTHING });
}

#[tokio::test(start_paused = true)]
async fn an_aborted_task_gives_everything_back() {
    let guard = guard(ALL);
    let owned = guard.clone();
    let task = tokio::spawn(async move { owned.call(|_| pending::<Result<(), ()>>()).await });
    tokio::task::yield_now().await;
    assert_eq!(held(&guard), Held { slots: 1, tokens: 4, ..NOTHING });
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(held(&guard), Held { tokens: 4, cancelled: 1, ..NOTHING });
}
