//! Tokens that are reserved, and those that come back.

use super::*;

#[test]
fn a_refund_comes_back_exactly_once_the_bucket_was_never_full() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(3));
    let grant = limiter.try_acquire_many(2, millis(0)).unwrap();
    assert_eq!(limiter.available(millis(0)), 1);
    limiter.refund(grant, millis(50));
    assert_eq!(limiter.available(millis(50)), 3);
    assert_eq!(burst(&limiter, 9, millis(50)), 3);
}

#[test]
fn a_refund_that_would_overflow_the_bucket_lapses() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(1));
    let grant = limiter.try_acquire(millis(0)).unwrap();
    // The bucket is full again at 100 ms and its token is taken; the first grant's token no longer exists.
    assert!(limiter.try_acquire(millis(100)).is_ok());
    limiter.refund(grant, millis(100));
    assert!(limiter.try_acquire(millis(100)).is_err());
}

#[test]
fn an_undo_needs_no_time_and_lapses_when_somebody_came_after() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(3));
    let first = limiter.try_acquire(millis(1000)).unwrap();
    assert!(limiter.undo(first));
    let second = limiter.try_acquire(millis(1000)).unwrap();
    let third = limiter.try_acquire(millis(1000)).unwrap();
    assert!(limiter.undo(third) && limiter.undo(second), "in reverse order nobody came after");
    let second = limiter.try_acquire(millis(1000)).unwrap();
    let third = limiter.try_acquire(millis(1000)).unwrap();
    assert!(!limiter.undo(second), "its token lapses");
    assert_eq!(limiter.available(millis(1000)), 1);
    assert!(limiter.undo(third));
    assert_eq!(burst(&limiter, 9, millis(1000)), 2);

    let limiter = RateLimiter::new(Quota::per_second(10).burst(1));
    let first = limiter.try_acquire(millis(1000)).unwrap();
    assert!(limiter.try_acquire(millis(1100)).is_ok());
    assert!(!limiter.undo(first), "the bucket was full in between");
}

#[test]
fn a_reservation_says_when_and_the_next_waits_longer() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(2));
    let waits: [_; 5] = core::array::from_fn(|_| {
        let reserved = limiter.reserve(1, Duration::from_millis(250), millis(1000));
        reserved
            .map(|reserved| reserved.wait(millis(1000)).as_millis())
            .map_err(|rejected| rejected.retry_after())
    });
    let refused = Err(Some(Duration::from_millis(300)));
    assert_eq!(waits, [Ok(0), Ok(0), Ok(100), Ok(200), refused]);
    assert_eq!(
        wait(&limiter, 1, millis(1000)),
        Some(Duration::from_millis(300)),
        "who asks without waiting comes last"
    );
    assert_eq!(limiter.available(millis(1200)), 0);
    assert_eq!(limiter.available(millis(1300)), 1);
    let far = limiter.reserve(3, Duration::MAX, millis(1300));
    assert_eq!(far, Err(Rejected::ExceedsBurst { cost: 3, burst: 2 }));
}

#[test]
fn b27_b28_whoever_waits_for_a_reservation_is_one_a_second() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(1));
    let most = if WIDE { 50 } else { 9 };
    for second in 0..50 {
        match limiter.reserve(1, Duration::from_secs(60), Instant::from_secs(7)) {
            Ok(reserved) => assert_eq!(reserved.ready_at(), Instant::from_secs(7 + second)),
            Err(rejected) => {
                assert!(second >= most, "{second}");
                assert_eq!(rejected.retry_after(), Some(Duration::from_secs(most)));
            }
        }
    }
}

#[test]
fn a_cancelled_reservation_is_as_if_it_had_never_been() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(3));
    assert_eq!(burst(&limiter, 9, millis(1000)), 3);
    let before = wait(&limiter, 2, millis(1000));
    let reserved = limiter.reserve(3, Duration::from_secs(1), millis(1000)).unwrap();
    assert!(!reserved.would_reject());
    assert!(limiter.cancel(reserved, millis(1000)));
    assert_eq!(wait(&limiter, 2, millis(1000)), before);
    let late = limiter.reserve(1, Duration::from_secs(1), millis(1000)).unwrap();
    assert_eq!(late.ready_at(), millis(1100));
    assert!(!limiter.cancel(late, millis(1101)), "it may have been used");
}

/// Several reservations of many tokens: what others reserved behind lapses, as in golang's tests.
#[test]
fn what_was_reserved_behind_a_cancelled_reservation_lapses() {
    let second = Duration::from_secs(1);
    let at = |limiter: &RateLimiter, cost, tenths: u64| {
        limiter.reserve(cost, 9 * second, millis(1000 + 100 * tenths)).unwrap()
    };
    let tenth = |tenths: u64| millis(1000 + 100 * tenths);
    let limiter = RateLimiter::new(Quota::per_second(10).burst(2));
    let _ = at(&limiter, 2, 0);
    let first = at(&limiter, 2, 0);
    let _ = at(&limiter, 1, 0);
    assert!(!limiter.cancel(first, tenth(2)), "one of two came back");
    assert_eq!(at(&limiter, 2, 2).ready_at(), tenth(4));

    let limiter = RateLimiter::new(Quota::per_second(10).burst(4));
    let _ = at(&limiter, 4, 0);
    let first = at(&limiter, 3, 0);
    let _ = at(&limiter, 1, 0);
    let last = at(&limiter, 1, 0);
    assert!(limiter.cancel(last, tenth(1)));
    assert!(!limiter.cancel(first, tenth(1)), "two of three came back");
    assert_eq!(at(&limiter, 3, 1).ready_at(), tenth(5));
}

#[test]
fn reservations_at_the_bounds_of_everything_neither_panic_nor_mint() {
    for quota in [
        Quota::per_second(1).burst(1),
        Quota::per_second(0).burst(3),
        Quota::per_second(1_000_003).burst(LARGEST),
        Quota::new(1, Duration::MAX),
        Quota::new(u32::MAX, Duration::from_nanos(1)).burst(1000),
    ] {
        for now in [0, 1, u64::MAX / 2, u64::MAX - 10, u64::MAX] {
            let limiter = RateLimiter::new(quota);
            let size = quota.burst_size();
            assert!(limiter.try_acquire_many(size, at(now)).is_ok());
            let mut granted = 0;
            while let Ok(reserved) = limiter.reserve(size, Duration::MAX, at(now)) {
                granted += 1;
                assert!(granted < 1 << 16 && reserved.wait(at(now)) < Duration::MAX);
                if granted % 2 == 0 {
                    assert!(limiter.cancel(reserved, at(now)));
                    break;
                }
            }
            let _ = limiter.reserve(size, Duration::MAX, at(0));
        }
    }
}

/// As many as others reserved behind lapse once; then nothing comes back until the bucket was full.
#[test]
fn a_gap_closes_when_the_bucket_is_full() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(4));
    let reserve = |cost, now| limiter.reserve(cost, Duration::from_secs(2), millis(now)).unwrap();
    let undone = limiter.try_acquire(millis(1000)).unwrap();
    let grant = limiter.try_acquire_many(3, millis(1000)).unwrap();
    let first = reserve(4, 1000);
    let behind = reserve(1, 1000);
    assert_eq!(behind.ready_at(), millis(1500));
    assert!(!limiter.cancel(first, millis(1000)));
    let full_at = 1600;
    assert_eq!(wait(&limiter, 4, millis(1000)), Some(Duration::from_millis(full_at - 1000)));
    limiter.refund(grant, millis(1000));
    assert!(!limiter.undo(undone) && !limiter.cancel(behind, millis(1000)), "beside the gap");
    assert_eq!(wait(&limiter, 4, millis(1000)), Some(Duration::from_millis(full_at - 1000)));
    // Below a full bucket's debt the gap is still there, and taking tokens does not close it.
    let grant = limiter.try_acquire(millis(full_at - 1)).unwrap();
    assert!(!limiter.undo(crate::rate_limiter::Grant { units: grant.units, until: grant.until }));
    limiter.refund(grant, millis(full_at - 1));
    assert_eq!(limiter.available(millis(full_at - 1)), 2);
    let later = full_at + 100;
    let grant = limiter.try_acquire(millis(later)).unwrap();
    assert_eq!(limiter.available(millis(later)), 3);
    limiter.refund(grant, millis(later));
    assert_eq!(limiter.available(millis(later)), 4, "it was full");
}
