//! Rate limiters, as the suites of peers tell it.

use core::time::Duration;

use seawall_core::RateLimiter;
use seawall_core::rate_limiter::{Quota, Rejected};

use super::support::{burst, ms, s};

const NANO: Duration = Duration::from_nanos(1);

/// Steps of time, cost, and whether it is admitted.
fn story(limiter: &RateLimiter, steps: &[(u64, u32, bool)]) {
    for (step, &(millis, cost, admitted)) in steps.iter().enumerate() {
        assert_eq!(
            limiter.try_acquire_many(cost, ms(millis)).is_ok(),
            admitted,
            "step {step}, at {millis} ms"
        );
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t32_one_token_each_hundred_milliseconds() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(1));
    story(&limiter, &[(0, 1, true), (0, 1, false), (0, 1, false)]);
    story(&limiter, &[(100, 1, true), (100, 1, false), (100, 1, false)]);
    story(&limiter, &[(200, 2, false), (200, 1, true), (200, 1, false)]);
}

#[cfg_attr(test, test)]
pub(crate) fn t32_a_burst_of_three() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(3));
    for (millis, available, cost, admitted) in [
        (0, 3, 2, true),
        (0, 1, 2, false),
        (0, 1, 1, true),
        (0, 0, 1, false),
        (100, 1, 4, false),
        (200, 2, 1, true),
        (300, 2, 1, true),
        (400, 2, 1, true),
        (400, 1, 1, true),
        (400, 0, 1, false),
        (400, 0, 1, false),
        (900, 3, 3, true),
        (900, 0, 0, true),
    ] {
        assert_eq!(limiter.available(ms(millis)), available, "at {millis} ms");
        assert_eq!(limiter.try_acquire_many(cost, ms(millis)).is_ok(), admitted, "{cost} at {millis} ms");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t34_requests_at_one_moment_and_over_a_long_run() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(5));
    assert_eq!(burst(&limiter, 15, s(0)), 5);

    let limiter = RateLimiter::new(Quota::per_second(100));
    let admitted: u32 = (0..2500).map(|ask| burst(&limiter, 1, ms(ask * 2))).sum();
    assert_eq!(admitted, 599, "a hundred at once and one each 10 ms, the last at 4990 ms");
}

#[cfg_attr(test, test)]
pub(crate) fn t36_governors_stories() {
    let limiter = RateLimiter::new(Quota::per_second(2));
    story(&limiter, &[(0, 1, true), (1, 1, true), (2, 1, false)]);
    story(&limiter, &[(1002, 1, true), (1003, 1, true), (1004, 1, false)]);

    let limiter = RateLimiter::new(Quota::per_second(4));
    story(&limiter, &[(0, 2, true), (0, 2, true), (1, 2, false)]);
    story(&limiter, &[(1001, 2, true), (1002, 2, true), (1003, 2, false)]);

    let limiter = RateLimiter::new(Quota::per_second(5));
    for cost in [15, 7, 6] {
        assert_eq!(limiter.try_acquire_many(cost, s(0)), Err(Rejected::ExceedsBurst { cost, burst: 5 }));
    }
    assert!(limiter.try_acquire_many(5, s(0)).is_ok(), "what was refused took nothing");
    assert_eq!(burst(&limiter, 1, s(0)), 0);
    assert_eq!(burst(&limiter, 6, s(2)), 5, "no extra token after a longer pause");
}

#[cfg_attr(test, test)]
pub(crate) fn t38_the_wait_is_exact_to_the_nanosecond() {
    let cycle = Duration::from_millis(250);
    let limiter = RateLimiter::new(Quota::new(1, cycle));
    assert_eq!(burst(&limiter, 1, ms(250)), 1);
    assert_eq!(limiter.try_acquire(ms(250)), Err(Rejected::Limited { retry_after: Some(cycle) }));
    let just_before = seawall_core::Instant::from_nanos(500_000_000 - 1);
    assert_eq!(limiter.try_acquire(just_before), Err(Rejected::Limited { retry_after: Some(NANO) }));
    assert_eq!(burst(&limiter, 2, ms(500)), 1);
}

#[cfg_attr(test, test)]
pub(crate) fn t40_one_more_each_interval() {
    for seconds in [1, 2, 5] {
        for capacity in [1, 10] {
            let interval = Duration::from_secs(seconds);
            let limiter = RateLimiter::new(Quota::new(1, interval).burst(capacity));
            let mut now = s(1000);
            assert_eq!(burst(&limiter, capacity + 1, now), capacity);
            for _ in 0..3 * capacity {
                now = now.saturating_add(interval.saturating_sub(NANO));
                let rejected = limiter.try_acquire(now).unwrap_err();
                assert_eq!(rejected.retry_after(), Some(NANO), "one each {seconds} s, {capacity} at most");
                now = now.saturating_add(NANO);
                assert_eq!(burst(&limiter, 2, now), 1);
            }
        }
    }
    let limiter = RateLimiter::new(Quota::per_second(1).burst(100));
    for pauses in [2, 5] {
        assert_eq!(burst(&limiter, 101, s(1000 * pauses)), 100);
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b25_fast_polling_loses_no_fraction() {
    let limiter = RateLimiter::new(Quota::per_second(1000).burst(1));
    let admitted: u32 =
        (0..20_000).map(|step| burst(&limiter, 1, seawall_core::Instant::from_nanos(step * 4_850))).sum();
    assert!((97..=98).contains(&admitted), "{admitted}");
}

#[cfg_attr(test, test)]
pub(crate) fn b35_no_interval_passes_more_than_burst_and_rate() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(5));
    let mut admitted = [0_u64; 256];
    let mut n = 0;
    for step in 0..3000 {
        if n < admitted.len() && limiter.try_acquire(ms(step * 7)).is_ok() {
            admitted[n] = step * 7;
            n += 1;
        }
    }
    for first in 0..n {
        for last in first..n {
            let most = 5 + (admitted[last] - admitted[first]) / 100;
            assert!((last - first + 1) as u64 <= most, "{first}..{last}");
        }
    }
    assert_eq!(n, 214, "five at once and one each 100 ms over 20993 ms");
}

#[cfg_attr(test, test)]
pub(crate) fn refunds_come_back_exactly() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(3));
    let grant = limiter.try_acquire_many(2, ms(1000)).unwrap();
    assert_eq!(limiter.available(ms(1000)), 1);
    limiter.refund(&grant, ms(1050));
    assert_eq!(burst(&limiter, 9, ms(1050)), 3);
}
