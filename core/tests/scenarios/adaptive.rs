//! Concurrency limits that find themselves.

use core::time::Duration;

use seawall_core::adaptive_concurrency::{AdaptiveConcurrency, Config, Permit, Reason};
use seawall_core::{Instant, Outcome};

use super::support::{SECOND, ms, s};

/// Calls that the limiter admits at once, up to as many as the array has room for, end together after `latency` of their
/// number.
fn round(limiter: &AdaptiveConcurrency, now: &mut Instant, latency: impl Fn(u32) -> Duration) {
    let mut permits: [Option<Permit<'_>>; 64] = [const { None }; 64];
    let mut running = 0;
    for place in &mut permits {
        *place = limiter.try_acquire(*now).ok();
        running += u32::from(place.is_some());
    }
    *now = now.saturating_add(latency(running));
    for permit in permits.into_iter().flatten() {
        permit.record(Outcome::Success, *now);
    }
}

/// A dependency that does ten calls at once in ten milliseconds each, and queues the others.
fn ten_at_once(running: u32) -> Duration {
    Duration::from_millis(u64::from(running.max(10)))
}

#[cfg_attr(test, test)]
pub(crate) fn b53_the_limit_keeps_its_bounds_whatever_calls_take() {
    let limiter =
        AdaptiveConcurrency::new(Config::gradient(8).between(2, 20).samples(1).window(Duration::ZERO));
    for nanos in [0, u64::MAX, 1, 1_000_000, u64::MAX, 0] {
        for _ in 0..50 {
            let permit = limiter.try_acquire(Instant::ZERO).unwrap();
            permit.record(Outcome::Success, Instant::from_nanos(nanos));
            let now = limiter.snapshot();
            assert!((2..=20).contains(&now.limit) && now.in_flight == 0);
        }
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b53_a_limit_that_a_congestion_took_down_comes_back() {
    let limiter = AdaptiveConcurrency::new(Config::gradient(10).between(1, 40).window(Duration::ZERO));
    let mut now = s(1);
    for _ in 0..200 {
        round(&limiter, &mut now, ten_at_once);
    }
    let healthy = limiter.snapshot().limit;
    assert!((10..=25).contains(&healthy), "{healthy}");
    for _ in 0..40 {
        round(&limiter, &mut now, |_| SECOND);
    }
    assert!(limiter.snapshot().limit < healthy);
    let mut windows = 0;
    while limiter.snapshot().limit * 10 < healthy * 9 {
        (0..2).for_each(|_| round(&limiter, &mut now, ten_at_once));
        windows += 1;
        assert!(windows <= 64, "{limiter:?}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b54_a_limit_that_is_not_in_use_does_not_grow() {
    for config in [Config::aimd(10), Config::gradient(10)] {
        let limiter = AdaptiveConcurrency::new(config.samples(1).window(Duration::ZERO));
        for _ in 0..1000 {
            assert!(limiter.try_acquire(s(1)).unwrap().record(Outcome::Success, s(2)).is_none());
        }
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b56_ignored_calls_free_their_place() {
    let limiter = AdaptiveConcurrency::new(Config::aimd(1).samples(1));
    for outcome in [Outcome::Ignored, Outcome::Cancelled, Outcome::Ignored] {
        assert!(limiter.try_acquire(s(1)).unwrap().record(outcome, s(2)).is_none());
    }
    drop(limiter.try_acquire(s(1)).unwrap());
    let ticket = limiter.try_acquire(s(1)).unwrap().into_ticket();
    assert!(limiter.try_acquire(s(1)).is_err());
    let change = limiter.settle(ticket, Outcome::Success, s(2)).unwrap();
    assert_eq!((change.from, change.to, change.reason), (1, 2, Reason::Room));
}

#[cfg_attr(test, test)]
pub(crate) fn a_window_takes_its_time() {
    let limiter = AdaptiveConcurrency::new(Config::aimd(1).samples(2).window(SECOND));
    let call =
        |millis| limiter.try_acquire(ms(millis)).unwrap().record(Outcome::Success, ms(millis)).is_some();
    assert_eq!([call(100_000), call(100_000)], [false, true]);
    assert_eq!([call(100_100), call(100_900), call(101_000)], [false, false, true]);
}
