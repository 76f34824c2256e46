//! Rate limiters, as the suites of peers tell it.

use core::time::Duration;

use seawall_core::rate_limiter::{Quota, Rejected};
use seawall_core::{AdjustableRateLimiter, Instant, RateLimiter};

use super::support::{SECOND, WIDE, burst, ms, s};

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
    let just_before = Instant::from_nanos(500_000_000 - 1);
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
    let admitted: u32 = (0..20_000).map(|step| burst(&limiter, 1, Instant::from_nanos(step * 4_850))).sum();
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
    limiter.refund(grant, ms(1050));
    assert_eq!(burst(&limiter, 9, ms(1050)), 3);
}

/// The moment when a reservation of so many tokens may start, in tenths of a second; all of them wait at most nine seconds.
fn start(limiter: &RateLimiter, tenth: u64, cost: u32) -> u64 {
    let reserved = limiter.reserve(cost, 9 * SECOND, ms(100 * tenth)).unwrap();
    reserved.ready_at().as_nanos() / 100_000_000
}

#[cfg_attr(test, test)]
pub(crate) fn reservations_as_in_golang() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(2));
    assert_eq!([(0, 2), (0, 2), (3, 2)].map(|(tenth, cost)| start(&limiter, tenth, cost)), [0, 2, 4]);

    // The last one given back is as if it had never been.
    let limiter = RateLimiter::new(Quota::per_second(10).burst(2));
    assert_eq!(start(&limiter, 0, 2), 0);
    let last = limiter.reserve(2, SECOND, s(0)).unwrap();
    assert!(limiter.cancel(last, ms(100)));
    assert_eq!(start(&limiter, 1, 2), 2);

    // Too late.
    let limiter = RateLimiter::new(Quota::per_second(10).burst(2));
    assert_eq!(start(&limiter, 0, 2), 0);
    let late = limiter.reserve(2, SECOND, s(0)).unwrap();
    assert!(!limiter.cancel(late, ms(300)));
    assert_eq!(start(&limiter, 3, 2), 4);

    // One token of two comes back, since one is reserved behind.
    let limiter = RateLimiter::new(Quota::per_second(10).burst(2));
    assert_eq!(start(&limiter, 0, 2), 0);
    let first = limiter.reserve(2, SECOND, s(0)).unwrap();
    assert_eq!(start(&limiter, 0, 1), 3);
    assert!(!limiter.cancel(first, ms(200)));
    assert_eq!(start(&limiter, 2, 2), 4);

    let limiter = RateLimiter::new(Quota::per_second(10).burst(4));
    assert_eq!(start(&limiter, 0, 4), 0);
    let first = limiter.reserve(3, SECOND, s(0)).unwrap();
    assert_eq!(start(&limiter, 0, 1), 4);
    let last = limiter.reserve(1, SECOND, s(0)).unwrap();
    assert!(limiter.cancel(last, ms(100)));
    assert!(!limiter.cancel(first, ms(100)));
    assert_eq!(start(&limiter, 1, 3), 5);
}

#[cfg_attr(test, test)]
pub(crate) fn t36_a_thousand_million_a_second_is_never_short() {
    let limiter = RateLimiter::new(Quota::per_second(100_000_001));
    assert_eq!(burst(&limiter, 10_000, s(3)), 10_000);
}

/// Resilience4j refills all permits at the end of a cycle and here each comes alone, so the waits of several differ.
#[cfg_attr(test, test)]
pub(crate) fn t38_reservations_wait_for_their_tokens() {
    let cycle = Duration::from_millis(250);
    let limiter = RateLimiter::new(Quota::new(1, cycle));
    assert_eq!(burst(&limiter, 1, ms(250)), 1);
    assert_eq!(limiter.reserve(1, cycle, ms(250)).unwrap().wait(ms(250)), cycle);
    let third = limiter.reserve(1, cycle, ms(250)).unwrap_err();
    assert_eq!(third.retry_after(), Some(2 * cycle), "a refusal takes nothing");
    assert_eq!(limiter.available(ms(6 * 250 + 10)), 1);
    assert_eq!(limiter.reserve(1, cycle, ms(6 * 250 + 10)).unwrap().wait(ms(6 * 250 + 10)), Duration::ZERO);

    let limiter = RateLimiter::new(Quota::new(3, Duration::from_millis(10)));
    for (request, wait) in [0, 0, 0, 3_333_331, 6_666_663, 9_999_995].into_iter().enumerate() {
        let now = Instant::from_nanos(10_000_001 + request as u64);
        let reserved = limiter.reserve(1, Duration::from_millis(12), now).unwrap();
        let wait = Duration::from_nanos(wait);
        let unit = if WIDE { Duration::ZERO } else { Duration::from_nanos(200) };
        assert!(reserved.wait(now) >= wait.saturating_sub(unit) && reserved.wait(now) <= wait + unit);
    }
    for request in 6..9 {
        let now = Instant::from_nanos(10_000_001 + request);
        assert!(limiter.reserve(1, Duration::from_millis(12), now).is_err());
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t38_a_deficit_shrinks_by_the_new_rate() {
    let cycle = Duration::from_millis(250);
    let limiter = AdjustableRateLimiter::new(Quota::new(1, cycle));
    assert!(limiter.try_acquire(ms(250)).is_ok());
    assert_eq!(limiter.reserve(1, cycle, ms(250)).unwrap().ready_at(), ms(500));
    limiter.set_quota(Quota::new(2, cycle), ms(250)).unwrap();
    assert_eq!(limiter.available(ms(500)), 1);
}

#[cfg_attr(test, test)]
pub(crate) fn b27_who_waits_for_a_reservation_need_not_ask_again() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(1));
    let mut waiting = (0..8).map(|_| limiter.reserve(1, 60 * SECOND, s(10)).unwrap().ready_at());
    assert!(waiting.by_ref().zip(10..).all(|(ready, second)| ready == s(second)), "exactly one a second");
    assert_eq!(burst(&limiter, 1, s(17)), 0, "nobody gets a token beside them");
    assert_eq!(burst(&limiter, 2, s(18)), 1);
}

#[cfg_attr(test, test)]
pub(crate) fn b33_no_rate_gives_one_burst_and_zeros_are_errors() {
    let limiter = RateLimiter::new(Quota::per_second(0).burst(3));
    assert_eq!(burst(&limiter, 9, s(0)), 3);
    assert_eq!(limiter.try_acquire(Instant::NEVER), Err(Rejected::Limited { retry_after: None }));
    assert!(limiter.reserve(1, Duration::MAX, s(5)).is_err(), "nobody waits for what never comes");
    assert!(RateLimiter::try_new(Quota::new(1, Duration::ZERO)).is_err());
    assert!(RateLimiter::try_new(Quota::per_second(1).burst(0)).is_err());
}

#[cfg_attr(test, test)]
pub(crate) fn b34_a_change_of_quota_neither_refills_nor_keeps_old_debts() {
    for faster in [100, 1] {
        let limiter = AdjustableRateLimiter::new(Quota::per_second(10));
        assert!(limiter.try_acquire_many(10, s(5)).is_ok());
        for _ in 0..1000 {
            limiter.set_quota(Quota::per_second(10), s(5)).unwrap();
        }
        assert_eq!(limiter.available(s(5)), 0, "the same quota adds nothing");
        let quota = Quota::per_second(faster);
        limiter.set_quota(quota, s(5)).unwrap();
        let interval = SECOND / faster;
        assert_eq!(limiter.available(s(5)), 0);
        assert_eq!(limiter.available(s(5).saturating_add(interval)), 1);
        assert_eq!(limiter.available(s(100_000)), faster);
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b38_when_the_time_is_over_the_whole_quota_is_back() {
    let limiter = RateLimiter::new(Quota::per_second(10));
    for second in 1..5 {
        assert_eq!(burst(&limiter, 7, s(2 * second)), 7);
    }
    assert_eq!(burst(&limiter, 11, s(10)), 10);
}

#[cfg_attr(test, test)]
pub(crate) fn p1_to_p6_no_period_no_cost_and_no_moment_overflows() {
    const YEAR: Duration = Duration::from_secs(365 * 86_400);
    let limiter = RateLimiter::new(Quota::new(1, 100 * YEAR).burst(2));
    for cost in 3..200 {
        assert_eq!(limiter.try_acquire_many(cost, s(0)), Err(Rejected::ExceedsBurst { cost, burst: 2 }));
    }
    let limiter = RateLimiter::new(Quota::new(1, 100 * YEAR / 365).burst(10));
    assert!(limiter.try_acquire_many(u32::MAX, s(0)).is_err());

    let limiter = RateLimiter::new(Quota::per_second(700_000_000).burst(1000));
    let admitted: u32 = (0..20_000).map(|nano| burst(&limiter, 1, Instant::from_nanos(nano))).sum();
    assert!(admitted <= 15_001, "{admitted}");

    let limiter = RateLimiter::new(Quota::per_second(1));
    assert_eq!(burst(&limiter, 3, Instant::from_nanos(u64::MAX - 10)), 1);
    assert!(RateLimiter::try_new(Quota::new(1, Duration::MAX)).is_ok());
    let limiter = RateLimiter::new(Quota::new(1, 500 * YEAR).burst(u32::MAX >> 5));
    assert_eq!(burst(&limiter, 10, s(0)), 10);
}

#[cfg_attr(test, test)]
pub(crate) fn a_limiter_in_shadow_mode_only_says_what_it_would_do() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(2));
    limiter.set_shadow(true);
    let would = [5, 5, 5, 6].map(|second| limiter.try_acquire(s(second)).unwrap().would_reject());
    assert_eq!(would, [false, false, true, false], "what would be refused takes no token");
    limiter.set_shadow(false);
    assert_eq!(burst(&limiter, 1, s(6)), 0);
}

/// A full bucket is full under every quota, also at the clock's origin.
#[cfg_attr(test, test)]
pub(crate) fn a_change_of_quota_at_the_clocks_origin_loses_no_token() {
    for (rate, size) in [(1, 1), (5, 4), (50, 5), (1000, 5)] {
        let limiter = AdjustableRateLimiter::new(Quota::per_second(5).burst(5));
        limiter.set_quota(Quota::per_second(rate).burst(size), Instant::ZERO).unwrap();
        assert_eq!(limiter.available(Instant::ZERO), size, "{rate}/s");
        assert!((0..size).all(|_| limiter.try_acquire(Instant::ZERO).is_ok()));
        assert!(limiter.try_acquire(Instant::ZERO).is_err());
    }
}

/// B26: a change of quota makes no bucket full that was not: nothing is minted by a clock that steps back behind it.
#[cfg_attr(test, test)]
pub(crate) fn b26_a_step_back_behind_a_change_of_quota_mints_nothing() {
    let limiter = AdjustableRateLimiter::new(Quota::per_second(1).burst(1));
    assert!(limiter.try_acquire(s(9)).is_ok());
    limiter.set_quota(Quota::per_second(1).burst(1), s(10)).unwrap();
    assert!(limiter.try_acquire(ms(9100)).is_err(), "it was empty then");
    assert!(limiter.try_acquire(s(10)).is_ok());
}
