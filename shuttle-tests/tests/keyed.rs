//! The keyed limiter and breaker with more keys and threads than loom can exhaust.
#![cfg(shuttle)]

use core::time::Duration;

use seawall_core::circuit_breaker::{self, State};
use seawall_core::keyed::Config;
use seawall_core::keyed::circuit_breaker::Rejected;
use seawall_core::rate_limiter::Quota;
use seawall_core::{Instant, KeyedCircuitBreaker, KeyedRateLimiter, Outcome};
use seawall_shuttle::{explore, leak};
use shuttle::thread;

type Keyed<const ENTRIES: usize> = &'static KeyedRateLimiter<ENTRIES>;

/// One token each hundred seconds; the hash of a key is its number.
fn keyed<const ENTRIES: usize>(burst: u32) -> Keyed<ENTRIES> {
    let quota = Quota::new(1, Duration::from_secs(100)).burst(burst);
    leak(KeyedRateLimiter::new(quota, Config::seeded(0).forgiving(0)))
}

fn take<const ENTRIES: usize>(keyed: Keyed<ENTRIES>, key: u64, seconds: u64) -> bool {
    keyed.bucket_of_hash(key).try_acquire(Instant::from_secs(seconds)).is_ok()
}

/// How many tokens each of the keys 0 to 7 got.
fn sum(threads: impl IntoIterator<Item = thread::JoinHandle<[u32; 8]>>) -> [u32; 8] {
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .fold([0; 8], |sums, admitted| core::array::from_fn(|key| sums[key] + admitted[key]))
}

// Mutant: keyed_step_ignores_the_owner, keyed_evicts_what_took_a_step
#[test]
fn every_token_is_in_the_bucket_of_its_key() {
    explore(|| {
        let keyed = keyed::<3>(2);
        // They can go at a thousand seconds.
        for old in 5..8 {
            assert!(take(keyed, old, 10));
        }
        let threads = [[1, 2, 1, 5], [2, 1, 3, 5], [3, 6, 2, 1], [6, 3, 5, 1]].map(|keys| {
            thread::spawn(move || {
                let mut admitted = [0; 8];
                for key in keys {
                    admitted[key as usize] += u32::from(take(keyed, key, 1000));
                }
                admitted
            })
        });
        let admitted = sum(threads);
        for key in 1..8 {
            let status = keyed.bucket_of_hash(key).status(Instant::from_secs(1000));
            let available = status.map_or(2, |status| status.available);
            assert_eq!(available, 2 - admitted[key as usize], "key {key} of {admitted:?}");
        }
        assert_eq!(keyed.snapshot(Instant::from_secs(1000)).held, 3);
    });
}

// Mutant: keyed_lets_a_rival_be_confirmed
#[test]
fn keys_that_come_in_under_four_clocks_have_one_entry_each() {
    explore(|| {
        let keyed = keyed::<4>(1);
        // Each can go a second before the one to its left.
        for (old, seconds) in [(4, 13), (5, 12), (6, 11), (7, 10)] {
            assert!(take(keyed, old, seconds));
        }
        let threads = [113, 112, 111, 110].map(|now| {
            thread::spawn(move || {
                let mut admitted = [0; 8];
                for key in [1, 2] {
                    admitted[key as usize] += u32::from(take(keyed, key, now));
                }
                admitted
            })
        });
        let admitted = sum(threads);
        for key in [1, 2] {
            assert!(admitted[key as usize] <= 1, "{admitted:?}");
            let had = keyed.bucket_of_hash(key).forget();
            assert_eq!(had, admitted[key as usize] == 1);
            assert!(!keyed.bucket_of_hash(key).forget(), "{key} has two entries");
        }
    });
}

// Mutant: keyed_seals_what_changed, keyed_evicts_the_open
#[test]
fn a_breaker_that_opened_stays_and_judges_no_other_key() {
    const NOW: Instant = Instant::from_secs(10);
    explore(|| {
        let rules = circuit_breaker::Config::consecutive_failures(1).open_for(Duration::from_secs(60));
        let keyed: &KeyedCircuitBreaker<2> = leak(KeyedCircuitBreaker::new(rules, Config::seeded(0)));
        // Odd keys fail.
        let threads = [[1, 2, 4], [2, 3, 2], [4, 1, 3], [3, 4, 1]].map(|keys| {
            thread::spawn(move || {
                let mut opened = [0; 8];
                for key in keys {
                    let outcome = if key % 2 == 1 { Outcome::Failure } else { Outcome::Success };
                    match keyed.breaker_of_hash(key).try_acquire(NOW) {
                        Ok(permit) => {
                            thread::yield_now();
                            let settled = permit.record(outcome, NOW);
                            opened[key as usize] += u32::from(settled.transition().is_some());
                        }
                        Err(rejected) => {
                            let refused = matches!(rejected, Rejected::Refused(_));
                            assert!(key % 2 == 1 || !refused, "{key} never failed");
                        }
                    }
                }
                opened
            })
        });
        let opened = sum(threads);
        for key in [1, 2, 3, 4] {
            let status = keyed.breaker_of_hash(key).status();
            let is_open = status.is_some_and(|status| status.state == State::Open);
            assert_eq!(u32::from(is_open), opened[key as usize], "{key} of {opened:?}");
        }
    });
}
