//! The limiter under every interleaving: one exchange grants, and what is given back was taken before.
#![cfg(loom)]

use seawall_core::rate_limiter::Quota;
use seawall_core::{Instant, RateLimiter};
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
        let ((), granted) = race(move || limiter.refund(&grant, at(5)), ask_twice);
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
        let ((), taken) = race(move || limiter.refund(&grant, at(7)), || limiter.try_acquire_many(2, at(7)));
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
        let (_, taken) = race(move || limiter.undo(&grant), || limiter.try_acquire(at(6)));
        assert!(taken.is_ok(), "the bucket was full");
        assert_eq!(limiter.available(at(6)), 0);
    });
}
