//! An operation that panics counts as one failure and gives everything back, and the panic goes on unwinding.

use core::future::{pending, poll_fn, ready};
use core::pin::pin;
use core::task::Poll;
use std::panic::{AssertUnwindSafe, catch_unwind};

use seawall::guard::Classify;
use seawall::{Attempt, Options, Report};
use tokio::time::advance;

use crate::cancellation::{ALL, Held, NOTHING, held};
use crate::{guard, millis};

const AFTER: Held = Held { tokens: 4, failures: 1, ..NOTHING };

/// The message of the panic that a future ends with.
async fn message<F: Future>(future: F) -> String {
    let mut future = pin!(future);
    let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(|_| None),
        Err(payload) => Poll::Ready(Some(payload)),
    });
    let payload = caught.await.expect("it panics");
    payload.downcast_ref::<&str>().copied().map(String::from).expect("the payload goes through as it is")
}

#[tokio::test(start_paused = true)]
async fn in_the_closure() {
    let guard = guard(ALL);
    let call = guard.call(|_| -> core::future::Ready<Result<(), ()>> { panic!("closure") });
    assert_eq!(message(call).await, "closure");
    assert_eq!(held(&guard), AFTER);
    assert_eq!((guard.stats().failures, guard.stats().retries), (1, 0), "and it is not retried");
}

#[tokio::test(start_paused = true)]
async fn in_the_future_at_its_first_poll_and_later() {
    let at_once = guard(ALL);
    let call = at_once.call(|_| poll_fn(|_| -> Poll<Result<(), ()>> { panic!("first poll") }));
    assert_eq!(message(call).await, "first poll");
    assert_eq!((held(&at_once), at_once.stats().failures), (AFTER, 1));

    let later = guard(ALL);
    let call = later.call(async |_| -> Result<(), ()> {
        tokio::time::sleep(millis(20)).await;
        panic!("later")
    });
    assert_eq!(message(call).await, "later");
    assert_eq!((held(&later), later.stats().failures, later.latencies().count()), (AFTER, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn in_the_classifier() {
    let guard = guard(ALL);
    let options = Options::new().classify(|_: &Result<(), ()>| -> Report { panic!("classifier") });
    assert_eq!(message(guard.call_with(options, |_| ready(Ok(())))).await, "classifier");
    assert_eq!((held(&guard), guard.stats().failures, guard.stats().successes), (AFTER, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn in_the_classifier_of_a_timeout() {
    struct Panics;
    impl Classify<(), ()> for Panics {
        fn classify(&self, _: &Result<(), ()>) -> Report {
            unreachable!("it is always too late")
        }
        fn timed_out(&self) -> Report {
            panic!("timeout")
        }
    }
    let guard = guard(ALL);
    let options = Options::new().classify(Panics);
    assert_eq!(message(guard.call_with(options, |_| pending())).await, "timeout");
    assert_eq!((held(&guard), guard.stats().failures), (AFTER, 1));
}

#[tokio::test(start_paused = true)]
async fn in_a_retry_it_is_the_second_failure_and_opens_the_breaker() {
    let guard = guard(ALL);
    let call = guard.call(async |attempt: Attempt| -> Result<(), ()> {
        assert!(attempt.number() == 1, "retry");
        Err(())
    });
    assert_eq!(message(call).await, "retry");
    assert_eq!((guard.stats().failures, guard.stats().retries), (1, 1));
    assert!(guard.call(|_| ready(Ok::<_, ()>(()))).await.unwrap_err().is_rejected());

    // As a probe it opens the breaker again, and does not keep the probe.
    advance(millis(1001)).await;
    let call = guard.call(|_| poll_fn(|_| -> Poll<Result<(), ()>> { panic!("probe") }));
    assert_eq!(message(call).await, "probe");
    advance(millis(1001)).await;
    assert_eq!(guard.call(async |attempt| Ok::<_, ()>(attempt.is_probe())).await, Ok(true));
    assert_eq!(held(&guard).slots, 0);
}
