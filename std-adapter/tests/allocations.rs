//! A call allocates nothing: counted by the allocator of `allocation-counter`, for each thread by itself.

use core::time::Duration;

use seawall::core::{Backoff, Ratio, bulkhead, circuit_breaker, error_budget};
use seawall::core::{rate_limiter::Quota, retry, window::Span};
use seawall::{Error, Guard, Policy};

/// The allocations of this thread while `run` runs.
fn allocations<T>(run: impl FnOnce() -> T) -> (u64, T) {
    let mut result = None;
    let counted = allocation_counter::measure(|| result = Some(run()));
    (counted.count_total, result.expect("it ran"))
}

const FULL: Policy = Policy::new()
    .rate_limit(Quota::per_second(1_000_000).burst(100_000))
    .bulkhead(bulkhead::Config::new(1).max_wait(Duration::from_millis(1)))
    .circuit_breaker(
        circuit_breaker::Config::failure_rate(Ratio::percent(50), Span::time(Duration::from_secs(10)), 1000)
            .or_consecutive_failures(50),
    )
    .retry(retry::Config::attempts(3, Backoff::constant(Duration::ZERO)))
    .timeout(Duration::from_secs(60))
    .deadline(Duration::from_secs(600))
    .error_budget(error_budget::Config::new(Ratio::percent(99), Duration::from_secs(3600)));

#[test]
fn the_counter_counts() {
    let (count, kept) = allocations(|| Box::new(7));
    assert_eq!((count, *kept), (1, 7));
    assert_eq!(allocations(|| ()).0, 0);
}

#[test]
fn an_admitted_blocking_call_allocates_nothing() {
    let guard = Guard::new("full", FULL).unwrap();
    assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(1)), Ok(1));
    let (count, ()) = allocations(|| {
        for n in 0..1000_u64 {
            assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(n)), Ok(n));
        }
    });
    assert_eq!(count, 0);
    let (count, result) = allocations(|| {
        guard.call_blocking(|attempt| if attempt.number() < 3 { Err(()) } else { Ok(attempt.number()) })
    });
    assert_eq!((count, result), (0, Ok(3)), "with two retries");
}

#[test]
fn a_recorded_call_allocates_nothing() {
    let guard = Guard::recorded("full", FULL, vec![0; 1 << 12]).unwrap();
    assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(1)), Ok(1));
    let mut out = Vec::with_capacity(1 << 17);
    let (count, ()) = allocations(|| {
        for n in 0..1000_u64 {
            assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(n)), Ok(n));
            if n % 50 == 0 {
                guard.recording().unwrap().drain_to(&mut out).unwrap();
            }
        }
    });
    let lost = guard.recording().unwrap().lost();
    assert_eq!((count, lost, out.len() > 30_000), (0, 0, true));
    let (count, ()) = allocations(|| {
        for n in 0..1000_u64 {
            assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(n)), Ok(n));
        }
    });
    assert_eq!((count, guard.recording().unwrap().lost() > 0), (0, true), "with a full buffer");
}

#[test]
fn a_refused_call_allocates_nothing() {
    let guard = Guard::new("full", FULL).unwrap();
    let (count, refused) = allocations(|| {
        guard.force_open();
        guard.call_blocking(|_| Ok::<_, ()>(()))
    });
    assert!(refused.unwrap_err().is_rejected());
    assert_eq!(count, 0);
}

#[test]
fn a_wait_allocates_once_a_thread() {
    let guard = Guard::new("full", FULL).unwrap();
    let wait = || {
        let (count, result) = allocations(|| guard.call_blocking(|_| Ok::<_, ()>(())));
        assert!(matches!(result, Err(Error::Rejected(_))));
        count
    };
    let counts = guard.call_blocking(|_| Ok::<_, ()>([wait(), wait(), wait()])).unwrap();
    assert!(counts[0] > 0, "the thread's waker, and what the standard library keeps to park a thread");
    assert_eq!(counts[1..], [0, 0]);
}

#[test]
fn statistics_are_read_without_allocations() {
    let guard = Guard::new("full", FULL).unwrap();
    assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_ok());
    let (count, _) = allocations(|| {
        let percentile = guard.latencies().percentile(Ratio::percent(95));
        (guard.stats(), guard.retry_tallies(), percentile, guard.clone())
    });
    assert_eq!(count, 0);
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use core::future::poll_fn;
    use core::mem;
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};

    use super::{FULL, Guard, allocations};

    #[test]
    fn an_admitted_call_that_is_ready_allocates_nothing() {
        let guard = Guard::new("full", FULL).unwrap();
        let poll = |n: u64| {
            let mut call = pin!(guard.call(async |_| Ok::<_, ()>(n)));
            call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        assert_eq!(poll(0), Poll::Ready(Ok(0)));
        let (count, ()) = allocations(|| {
            for n in 0..1000 {
                assert_eq!(poll(n), Poll::Ready(Ok(n)));
            }
        });
        assert_eq!(count, 0);
    }

    /// The attempt's timer is armed, and it is no box of ours.
    #[tokio::test]
    async fn a_call_that_is_pending_allocates_nothing_in_the_guard() {
        let guard = Guard::new("full", FULL).unwrap();
        let run = || {
            let mut call = pin!(guard.call(|_| {
                let mut first = true;
                poll_fn(
                    move |_| {
                        if mem::take(&mut first) { Poll::Pending } else { Poll::Ready(Ok::<_, ()>(())) }
                    },
                )
            }));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(call.as_mut().poll(&mut cx).is_pending());
            assert_eq!(call.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
        };
        run();
        let (count, ()) = allocations(|| (0..100).for_each(|_| run()));
        assert_eq!(count, 0);
    }
}
