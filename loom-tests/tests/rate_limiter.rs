//! The limiter under every interleaving: one exchange grants, and what is given back was taken before.
#![cfg(loom)]

use core::time::Duration;

use seawall_core::rate_limiter::adjustable::QuotaError;
use seawall_core::rate_limiter::{Quota, Rejected};
use seawall_core::{AdjustableRateLimiter, Instant, RateLimiter};
use seawall_loom::{leak, race, race3};

type Limiter = &'static RateLimiter;

fn at(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

/// One token a second, in a bucket that every thread of the model may borrow.
fn limiter(burst: u32) -> Limiter {
    leak(RateLimiter::new(Quota::per_second(1).burst(burst)))
}

// Mutant: limiter_ignores_tolerance, word_stores_instead_of_exchanging, word_takes_a_lost_exchange_for_won
#[test]
fn limiter_never_grants_more_than_the_burst_to_racing_threads() {
    loom::model(|| {
        let limiter = limiter(2);
        let ask = move || limiter.try_acquire(at(5)).is_ok();
        assert_eq!(race3(ask).into_iter().filter(|&granted| granted).count(), 2);
        assert_eq!(limiter.available(at(5)), 0);
    });
}

// Mutant: word_stores_instead_of_exchanging
#[test]
fn a_call_of_many_tokens_takes_all_of_them_or_none() {
    loom::model(|| {
        let limiter = limiter(3);
        let ask = move || u32::from(limiter.try_acquire_many(2, at(5)).is_ok());
        let (one, other) = race(ask, ask);
        assert_eq!(one + other, 1);
        assert_eq!(limiter.available(at(5)), 1);
    });
}

// Mutant: limiter_refund_forgets_later_grants
#[test]
fn a_refund_races_with_a_grant_and_mints_nothing() {
    loom::model(|| {
        let limiter = limiter(2);
        let grant = limiter.try_acquire(at(5)).unwrap();
        let ask_twice = || [(); 2].map(|()| limiter.try_acquire(at(5)).is_ok());
        let ((), granted) = race(move || limiter.refund(grant, at(5)), ask_twice);
        let granted = granted.into_iter().filter(|&granted| granted).count();
        assert!(granted >= 1, "one token was there all the time");
        assert_eq!(limiter.available(at(5)) as usize, 2 - granted);
    });
}

// Mutant: limiter_refunds_what_lapsed
#[test]
fn a_refund_into_a_bucket_that_was_full_meanwhile_lapses() {
    loom::model(|| {
        let limiter = limiter(2);
        let grant = limiter.try_acquire(at(5)).unwrap();
        let ((), taken) = race(move || limiter.refund(grant, at(7)), || limiter.try_acquire_many(2, at(7)));
        assert!(taken.is_ok(), "the bucket was full");
        assert_eq!(limiter.available(at(7)), 0);
    });
}

// Mutant: limiter_undoes_regardless, word_takes_a_lost_exchange_for_won
#[test]
fn an_undo_gives_back_only_what_nobody_built_on() {
    loom::model(|| {
        let limiter = limiter(1);
        let grant = limiter.try_acquire(at(5)).unwrap();
        let (_, taken) = race(move || limiter.undo(grant), || limiter.try_acquire(at(6)));
        assert!(taken.is_ok(), "the bucket was full");
        assert_eq!(limiter.available(at(6)), 0);
    });
}

/// A rate whose units wrap, in a bucket that was emptied at the clock's origin; and moments long after, at one of which the
/// units have just wrapped, so that the bucket seems to be empty still.
const WRAPPING: Quota = Quota::per_second(3).burst(1);
const LONG_AFTER: [u64; 2] = [3 << 59, u64::MAX / 2 / 3];

// Mutant: limiter_refills_what_was_taken_meanwhile
#[test]
fn the_first_calls_of_an_era_share_one_burst() {
    for long_after in LONG_AFTER {
        loom::model(move || {
            let limiter: Limiter = leak(RateLimiter::new(WRAPPING));
            assert!(limiter.try_acquire(at(0)).is_ok());
            let now = Instant::from_nanos(long_after);
            let ask = move || limiter.try_acquire(now).is_ok();
            let (one, other) = race(ask, ask);
            assert!(one != other, "one burst of one");
            assert_eq!(limiter.available(now), 0);
        });
    }
}

// Mutant: quota_refills_what_was_taken_meanwhile
#[test]
fn the_first_calls_of_an_era_share_one_burst_of_a_quota_that_can_change() {
    for long_after in [3 << 55, (1 << 59) / 3] {
        loom::model(move || {
            let limiter: &AdjustableRateLimiter = leak(AdjustableRateLimiter::new(WRAPPING));
            assert!(limiter.try_acquire(at(0)).is_ok());
            let now = Instant::from_nanos(long_after);
            let ask = move || limiter.try_acquire(now).is_ok();
            let (one, other) = race(ask, ask);
            assert!(one != other, "one burst of one");
            assert_eq!(limiter.available(now), 0);
        });
    }
}

const MINUTE: Duration = Duration::from_secs(60);

// Mutant: limiter_cancels_from_before_others
#[test]
fn a_cancelled_reservation_gives_back_only_what_nobody_reserved_behind() {
    loom::model(|| {
        let limiter = limiter(2);
        assert!(limiter.try_acquire_many(2, at(5)).is_ok());
        let first = limiter.reserve(2, MINUTE, at(5)).unwrap();
        let (all, behind) =
            race(move || limiter.cancel(first, at(5)), || limiter.reserve(1, MINUTE, at(5)).unwrap());
        let next = limiter.reserve(2, MINUTE, at(5)).unwrap();
        // Three tokens take a second more than a burst of two.
        assert!(next.wait(behind.ready_at()) >= Duration::from_secs(1));
        assert_eq!(behind.ready_at(), at(if all { 6 } else { 8 }));
    });
}

// Mutant: limiter_leaves_no_gap
#[test]
fn what_lies_beside_a_gap_stays_spent() {
    loom::model(|| {
        let limiter = limiter(4);
        let grant = limiter.try_acquire_many(4, at(5)).unwrap();
        let first = limiter.reserve(4, MINUTE, at(5)).unwrap();
        let behind = limiter.reserve(1, MINUTE, at(5)).unwrap();
        race(move || limiter.cancel(first, at(5)), move || limiter.refund(grant, at(5)));
        // Of the first four came back three, in either order.
        let next = limiter.reserve(4, MINUTE, at(5)).unwrap();
        assert_eq!((behind.ready_at(), next.ready_at()), (at(10), at(11)));
    });
}

// Mutant: word_stores_instead_of_exchanging, word_takes_a_lost_exchange_for_won
#[test]
fn racing_reservations_start_one_after_the_other() {
    loom::model(|| {
        let limiter = limiter(1);
        assert!(limiter.try_acquire(at(5)).is_ok());
        let reserve = move || limiter.reserve(1, Duration::from_secs(2), at(5)).map(|it| it.ready_at());
        let mut starts = race3(reserve);
        starts.sort_by_key(|start| start.unwrap_or(Instant::NEVER));
        assert_eq!(starts[..2], [Ok(at(6)), Ok(at(7))]);
        assert_eq!(starts[2].unwrap_err().retry_after(), Some(Duration::from_secs(3)));
    });
}

type Adjustable = &'static AdjustableRateLimiter;

fn adjustable(quota: Quota) -> Adjustable {
    leak(AdjustableRateLimiter::new(quota))
}

/// A token each `seconds`.
fn each(seconds: u64, burst: u32) -> Quota {
    Quota::new(1, Duration::from_secs(seconds)).burst(burst)
}

/// The burst that a refusal tells, which is the bucket's units divided by those of a token.
fn told_burst(limiter: Adjustable) -> u32 {
    match limiter.try_acquire_many(100, at(5)) {
        Err(Rejected::ExceedsBurst { burst, .. }) => burst,
        other => panic!("nobody has a hundred tokens: {other:?}"),
    }
}

// Mutant: quota_overwrites_the_slot_in_use
#[test]
fn a_refusal_is_of_one_quota() {
    loom::model(|| {
        let limiter = adjustable(each(1, 4));
        let (changed, burst) = race(move || limiter.set_quota(each(3, 3), at(5)), || told_burst(limiter));
        assert_eq!(changed, Ok(()));
        assert!([4, 3].contains(&burst), "half of either: {burst}");
    });
}

// Mutant: quota_refuses_by_half_a_quota, quota_slot_relaxed
#[test]
fn a_refusal_is_of_one_quota_while_two_changes_pass() {
    loom::model(|| {
        let limiter = adjustable(each(1, 4));
        let change = move || {
            limiter.set_quota(each(2, 5), at(5)).unwrap();
            limiter.set_quota(each(3, 3), at(5)).unwrap();
        };
        let ((), burst) = race(change, || told_burst(limiter));
        assert!([4, 5, 3].contains(&burst), "half of either: {burst}");
    });
}

// Mutant: quota_keeps_its_generation, word_stores_instead_of_exchanging, word_takes_a_lost_exchange_for_won
#[test]
fn a_change_races_with_a_grant_and_keeps_the_tokens() {
    loom::model(|| {
        let limiter = adjustable(each(1, 2));
        let (changed, granted) =
            race(move || limiter.set_quota(each(10, 2), at(5)), || limiter.try_acquire(at(5)).is_ok());
        assert!(changed.is_ok() && granted);
        assert_eq!(limiter.available(at(5)), 1);
        assert_eq!(limiter.check(2, at(5)).unwrap_err().retry_after(), Some(Duration::from_secs(10)));
    });
}

// Mutant: quota_refunds_an_earlier_grant
#[test]
fn a_grant_of_an_earlier_quota_lapses() {
    loom::model(|| {
        let limiter = adjustable(each(1, 2));
        let grant = limiter.try_acquire(at(5)).unwrap();
        race(move || limiter.set_quota(each(10, 2), at(5)).unwrap(), move || limiter.refund(grant, at(5)));
        if let Err(rejected) = limiter.check(2, at(5)) {
            assert_eq!(rejected.retry_after(), Some(Duration::from_secs(10)), "the whole token or none");
        }
    });
}

// Mutant: quota_ignores_other_changes
#[test]
fn of_two_changes_at_once_one_is_told_to_come_again() {
    loom::model(|| {
        let limiter = adjustable(each(1, 4));
        let (one, other) = (each(2, 7), each(3, 3));
        let results = race(move || limiter.set_quota(one, at(5)), move || limiter.set_quota(other, at(5)));
        let quota = limiter.quota();
        assert!(quota == one || quota == other, "a mixture: {quota:?}");
        assert_eq!(told_burst(limiter), quota.burst_size());
        match results {
            (Ok(()), Ok(())) => {}
            (Ok(()), Err(QuotaError::Busy)) => assert_eq!(quota, one),
            (Err(QuotaError::Busy), Ok(())) => assert_eq!(quota, other),
            neither => panic!("somebody must get through: {neither:?}"),
        }
        assert_eq!(limiter.set_quota(each(1, 1), at(5)), Ok(()), "nobody is busy any more");
    });
}
