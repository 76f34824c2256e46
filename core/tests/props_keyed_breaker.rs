//! The keyed breaker against a breaker for each key in a map, and under a flood.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::circuit_breaker::{Config, Settlement, State};
use seawall_core::keyed::circuit_breaker::{Rejected, Ticket};
use seawall_core::{CircuitBreaker, Instant, KeyedCircuitBreaker, Outcome, keyed};

fn rules(failures: u32) -> Config {
    Config::consecutive_failures(failures).open_for(Duration::from_secs(10)).successes_to_close(2)
}

fn outcome(number: u8) -> Outcome {
    match number % 4 {
        0 => Outcome::Success,
        1 | 2 => Outcome::Failure,
        _ => Outcome::Cancelled,
    }
}

proptest! {
    /// Where there is room for all, each key has what a breaker of its own would do.
    #[test]
    fn with_room_for_all_each_key_is_judged_as_alone(
        failures in 1_u32..4,
        story in vec((0_u8..3, 1_u64..8, any::<u8>(), 0_u64..4000), 1..200),
    ) {
        let keyed = KeyedCircuitBreaker::<8>::new(rules(failures), keyed::Config::seeded(1));
        let mut alone: HashMap<u64, CircuitBreaker> = HashMap::new();
        let mut flying = Vec::new();
        let mut now = Instant::from_secs(100);
        for (operation, key, number, millis) in story {
            now = now.saturating_add(Duration::from_millis(millis));
            if operation == 0 && !flying.is_empty() {
                let (key, ticket, model) = flying.swap_remove(usize::from(number) % flying.len());
                let ticket: Ticket = ticket;
                let expected = alone[&key].settle(model, outcome(number), now);
                let settled = keyed.settle(ticket, outcome(number), now);
                match (settled, expected) {
                    // A table's breakers have seen other generations.
                    (Settlement::Changed(one), Settlement::Changed(other)) => {
                        prop_assert_eq!((one.from, one.to, one.cause), (other.from, other.to, other.cause));
                    }
                    (one, other) => prop_assert_eq!(one, other),
                }
                continue;
            }
            let model = alone.entry(key).or_insert_with(|| CircuitBreaker::new(rules(failures)));
            match (keyed.breaker_of_hash(key).try_acquire(now), model.try_acquire(now)) {
                (Ok(permit), Ok(expected)) => {
                    flying.push((key, permit.into_ticket(), expected.into_ticket()));
                }
                (Err(Rejected::Refused(one)), Err(other)) => prop_assert_eq!(one, other),
                (one, other) => prop_assert!(false, "{:?}, alone {:?}", one, other),
            }
            let status = keyed.breaker_of_hash(key).status().expect("it has an entry");
            prop_assert_eq!(status.state, model.status(now).state);
            prop_assert_eq!(status.consecutive_failures, model.status(now).consecutive_failures);
        }
        prop_assert_eq!(keyed.evictions(), 0);
    }
}

/// B36 for breakers: strangers never close what is open, and the table stays as it is.
#[test]
fn b36_a_flood_of_keys_closes_no_open_breaker() {
    let keyed = KeyedCircuitBreaker::<4096>::new(rules(2), keyed::Config::seeded(0x5EA_3A11));
    let open: Vec<String> = (0..100).map(|key| format!("open {key}")).collect();
    for key in &open {
        for _ in 0..2 {
            keyed
                .try_acquire(key, Instant::from_secs(1))
                .unwrap()
                .record(Outcome::Failure, Instant::from_secs(1));
        }
    }
    for stranger in 0..300_000_u32 {
        let now = Instant::from_secs(2);
        if let Ok(permit) = keyed.try_acquire(&stranger, now) {
            permit.record(if stranger % 3 == 0 { Outcome::Failure } else { Outcome::Success }, now);
        }
    }
    for key in &open {
        let status = keyed.breaker(key).status();
        assert!(status.is_some_and(|status| status.state == State::Open), "{key}");
        assert!(keyed.try_acquire(key, Instant::from_secs(2)).is_err());
    }
    let sums = keyed.snapshot();
    assert!(sums.held <= 4096 && sums.evictions > 250_000, "{sums:?}");
}

/// Each thread fails its own calls; with more keys than entries, a breaker that opened is found open by everyone.
#[test]
fn racing_threads_lose_no_breaker_that_opened() {
    for round in 0..50_u64 {
        let keyed = KeyedCircuitBreaker::<8>::new(rules(1), keyed::Config::seeded(3));
        let keyed = &keyed;
        let now = Instant::from_secs(9);
        let opened: Vec<Vec<u64>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    scope.spawn(move || {
                        let keys = (0..40).map(|call| 1 + (call * 7 + thread * round) % 24);
                        keys.filter(|&key| {
                            let permit = keyed.breaker_of_hash(key).try_acquire(now);
                            let outcome = if key % 2 == 0 { Outcome::Failure } else { Outcome::Success };
                            permit.is_ok_and(|permit| permit.record(outcome, now).transition().is_some())
                        })
                        .collect()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut opened: Vec<u64> = opened.into_iter().flatten().collect();
        let transitions = opened.len();
        opened.sort_unstable();
        opened.dedup();
        assert_eq!(transitions, opened.len(), "a key opened twice at one moment: {opened:?}");
        for key in opened {
            let status = keyed.breaker_of_hash(key).status();
            assert!(status.is_some_and(|status| status.state == State::Open), "{key} of round {round}");
        }
    }
}
