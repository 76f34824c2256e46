//! The keyed limiter under every interleaving: a key comes in once, and no step lands in another key's entry.
#![cfg(loom)]

use std::time::Duration;

use seawall_core::keyed::{Config, Refund};
use seawall_core::rate_limiter::Quota;
use seawall_core::{Instant, KeyedRateLimiter};
use seawall_loom::{leak, race};

fn at(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

/// One token each ten seconds, in buckets that every thread of the model may borrow; the hash of a key is its number.
fn keyed<const ENTRIES: usize>(burst: u32, forgiven: u32) -> &'static KeyedRateLimiter<ENTRIES> {
    let quota = Quota::new(1, Duration::from_secs(10)).burst(burst);
    leak(KeyedRateLimiter::new(quota, Config::seeded(0).forgiving(forgiven)))
}

// Mutant: keyed_takes_its_turn_relaxed, keyed_lets_a_rival_be_confirmed
#[test]
fn a_key_that_two_threads_bring_in_has_one_entry() {
    loom::model(|| {
        let keyed = keyed::<2>(1, 0);
        // The first entry can go at twenty seconds, the second is empty: two clocks pick two entries.
        keyed.bucket_of_hash(1).try_acquire(at(10)).unwrap();
        keyed.bucket_of_hash(2).try_acquire(at(5)).unwrap();
        let ask = move |seconds| keyed.bucket_of_hash(3).try_acquire(at(seconds)).is_ok();
        let (one, other) = race(move || ask(19), move || ask(20));
        assert!(one ^ other, "one token, and one bucket");
        assert!(keyed.bucket_of_hash(3).forget());
        assert!(!keyed.bucket_of_hash(3).forget(), "in two entries");
    });
}

// Mutant: keyed_step_ignores_the_owner
#[test]
fn a_step_never_lands_in_an_entry_that_another_key_was_given() {
    loom::model(|| {
        let keyed = keyed::<1>(2, 1);
        keyed.bucket_of_hash(1).try_acquire(at(10)).unwrap();
        let ask = |key| move || keyed.bucket_of_hash(key).try_acquire(at(30));
        let (known, new) = race(ask(1), ask(2));
        assert!(known.is_ok() && new.is_ok(), "nobody owes more than may be forgiven");
        let [one, two] = [1, 2].map(|key| keyed.bucket_of_hash(key).status(at(30)));
        let held = one.or(two).expect("one of them has the entry");
        assert!(one.is_none() || two.is_none());
        assert_eq!(held.available, 1, "and took one token");
    });
}

// Mutant: keyed_evicts_what_took_a_step
#[test]
fn a_key_that_takes_its_last_token_is_not_evicted() {
    loom::model(|| {
        let keyed = keyed::<1>(1, 0);
        keyed.bucket_of_hash(1).try_acquire(at(10)).unwrap();
        let ask = |key| move || keyed.bucket_of_hash(key).try_acquire(at(20)).is_ok();
        let (known, new) = race(ask(1), ask(2));
        assert!(known ^ new, "one bucket, one token");
        assert_eq!(keyed.bucket_of_hash(1).status(at(20)).is_some(), known);
    });
}

// Mutant: keyed_evicts_the_denied
#[test]
fn a_denied_key_keeps_its_entry_against_all_that_come() {
    loom::model(|| {
        let keyed = keyed::<1>(1, 1);
        keyed.bucket_of_hash(1).try_acquire(at(10)).unwrap();
        let ask = |key| move || keyed.bucket_of_hash(key).try_acquire(at(11)).is_ok();
        let (known, new) = race(ask(1), ask(2));
        assert!(!known && !new);
    });
}

// Mutant: word_stores_instead_of_exchanging, word_takes_a_lost_exchange_for_won
#[test]
fn a_new_key_gets_no_more_than_its_burst_from_racing_threads() {
    loom::model(|| {
        let keyed = keyed::<1>(1, 0);
        let ask = move || keyed.bucket_of_hash(1).try_acquire(at(10)).is_ok();
        let (one, other) = race(ask, ask);
        assert!(one ^ other);
        assert_eq!(keyed.len(), 1);
    });
}

// Mutant: keyed_step_ignores_the_owner
#[test]
fn a_refund_gives_nothing_to_another_key() {
    loom::model(|| {
        let keyed = keyed::<1>(2, 1);
        let grant = keyed.bucket_of_hash(1).try_acquire(at(10)).unwrap();
        let (refund, taken) = race(
            move || keyed.refund(grant, at(10)),
            || keyed.bucket_of_hash(2).try_acquire_many(2, at(10)).is_ok(),
        );
        assert!(taken, "the first key owes what may be forgiven");
        assert!(matches!(refund, Refund::Returned | Refund::Stale));
        assert_eq!(keyed.bucket_of_hash(2).status(at(10)).unwrap().available, 0);
    });
}
