//! Patterns that admit or refuse.

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use seawall_core::keyed::Config as Keys;
use seawall_core::load_shedder::{LoadShedder, Priority};
use seawall_core::rate_limiter::Quota;
use seawall_core::retry::Decision;
use seawall_core::{
    Backoff, Bulkhead, CircuitBreaker, Deadline, Instant, KeyedRateLimiter, Outcome, RateLimiter, Ratio,
    Retry, bulkhead, circuit_breaker, load_shedder, retry,
};

use crate::{THREADS, sum, threads};

/// Never more than the burst and the rate, and at one moment exactly the burst.
pub(crate) fn rate_limiter(round: u32) {
    let limiter = RateLimiter::new(Quota::per_second(1000).burst(100));
    let now = Instant::from_secs(u64::from(round));
    let admitted = sum(|_| (0..100).map(|_| u32::from(limiter.try_acquire(now).is_ok())).sum());
    assert_eq!(admitted, 100);
    let later = sum(|thread| {
        (0..200_u64)
            .map(|i| {
                let at = now.saturating_add(Duration::from_micros(i * 500 + u64::from(thread)));
                let Ok(grant) = limiter.try_acquire(at) else { return 0 };
                let gives_back = i % 3 == 0;
                if gives_back {
                    limiter.refund(grant, at);
                }
                u32::from(!gives_back)
            })
            .sum()
    });
    assert!(later <= 101, "{later} in 100 ms at 1000 a second");
}

/// Each key has a bucket of its own, at any number of threads.
pub(crate) fn keyed_rate_limiter(round: u32) {
    let limiter: KeyedRateLimiter<64> =
        KeyedRateLimiter::new(Quota::per_second(10).burst(5), Keys::seeded(round.into()));
    let now = Instant::from_secs(9);
    let admitted = [(); 8].map(|()| AtomicU32::new(0));
    threads(|thread| {
        for i in 0..80 {
            let key = (i + thread) % 8;
            if limiter.try_acquire(&key, now).is_ok() {
                // ORDERING: none is needed, the threads are joined before it is read.
                admitted[key as usize].fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    for count in &admitted {
        assert!(count.load(Ordering::Relaxed) <= 5, "{admitted:?}");
    }
    assert!(limiter.len() <= 64);
    threads(|thread| {
        for i in 0..100 {
            let _ = limiter.try_acquire(&(i * THREADS + thread), now.saturating_add(Duration::from_secs(3)));
        }
    });
    assert!(limiter.len() <= 64, "a flood of keys takes no more room");
}

/// Wakes a thread that is parked.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

/// No more calls run than there are permits, each waiter has its turn, and everything comes back.
pub(crate) fn bulkhead(_round: u32) {
    let bulkhead: Bulkhead<4> = Bulkhead::new(bulkhead::Config::new(2));
    let running = AtomicU32::new(0);
    let now = Instant::from_secs(1);
    let work = |permit: bulkhead::Permit<'_, 4>| {
        let before = running.fetch_add(1, Ordering::AcqRel);
        assert!(before < 2, "{before} calls run beside this one");
        thread::yield_now();
        running.fetch_sub(1, Ordering::AcqRel);
        drop(permit);
    };
    threads(|thread| {
        let waker = Waker::from(std::sync::Arc::new(Unpark(thread::current())));
        for i in 0..50 {
            match bulkhead.enqueue(1, now) {
                Ok(bulkhead::Entry::Admitted(permit)) => work(permit),
                // Some give up at once.
                Ok(bulkhead::Entry::Waiting(waiter)) if (i + thread) % 7 == 0 => drop(waiter),
                Ok(bulkhead::Entry::Waiting(mut waiter)) => loop {
                    match waiter.poll(&waker, now) {
                        Poll::Ready(permit) => {
                            break work(permit.expect("nothing is closed, and no time passes"));
                        }
                        Poll::Pending => thread::park_timeout(Duration::from_secs(60)),
                    }
                },
                Err(_) => thread::yield_now(),
            }
        }
    });
    let left = bulkhead.snapshot();
    assert_eq!((left.in_use, left.waiting), (0, 0));
}

/// Exactly as many probes are admitted as configured when all come at the deadline; then results come in any order.
pub(crate) fn circuit_breaker(round: u32) {
    let breaker: CircuitBreaker<0> = CircuitBreaker::new(
        circuit_breaker::Config::consecutive_failures(2)
            .open_for(Duration::from_secs(1))
            .probes(2)
            .successes_to_close(2),
    );
    breaker.trip(Instant::ZERO);
    let deadline = Instant::from_secs(1);
    let probes = threads(|_| (0..5).filter_map(|_| breaker.try_acquire(deadline).ok()).collect::<Vec<_>>());
    let probes: Vec<_> = probes.into_iter().flatten().collect();
    assert_eq!(probes.len(), 2);
    for probe in probes {
        probe.record(Outcome::Success, deadline);
    }
    assert_eq!(breaker.status(deadline).state, circuit_breaker::State::Closed);
    threads(|thread| {
        for i in 0..200_u64 {
            let now = Instant::from_secs(2 + i / 2);
            let Ok(permit) = breaker.try_acquire(now) else { continue };
            match (u64::from(round) + i + u64::from(thread)) % 5 {
                0 | 1 => drop(permit.record(Outcome::Failure, now)),
                2 | 3 => drop(permit.record(Outcome::Success, now)),
                _ => drop(permit),
            }
            assert!(breaker.status(now).probes <= 2);
        }
    });
    let end = Instant::from_secs(1_000);
    breaker.reset(end);
    assert!(breaker.try_acquire(end).is_ok());
}

/// The shares of the priorities hold in sum, and nothing is counted twice.
pub(crate) fn load_shedder(round: u32) {
    let shedder: LoadShedder<4> =
        LoadShedder::new(load_shedder::Config::new(100, Duration::from_secs(4)).seed(round));
    let now = Instant::from_secs(3);
    let admitted =
        sum(|_| (0..100).map(|i| u32::from(shedder.try_admit(Priority::Normal, 100 + i, now).is_ok())).sum());
    let stats = shedder.stats(Priority::Normal);
    assert_eq!(stats.admitted, u64::from(admitted));
    assert_eq!(stats.admitted + stats.shed, u64::from(THREADS * 100));
}

/// What is drawn from the budget was in it or paid in.
pub(crate) fn retry_budget(_round: u32) {
    let config =
        retry::Config::attempts(2, Backoff::constant(Duration::ZERO)).budget(Ratio::percent(20), 10, 0);
    let retry = Retry::new(config);
    let now = Instant::from_secs(1);
    let granted = sum(|_| {
        (0..100)
            .map(|draw| {
                retry.call_started();
                let decision = retry.decide(1, Duration::ZERO, Deadline::NONE, draw, now);
                u32::from(matches!(decision, Decision::RetryAfter(_)))
            })
            .sum()
    });
    assert!(granted <= 10 + THREADS * 100 / 5, "{granted} retries");
    assert!(granted >= THREADS * 100 / 5, "{granted} retries");
}
