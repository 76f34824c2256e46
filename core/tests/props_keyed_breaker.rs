//! The keyed breaker against a breaker for each key in a map, and under a flood.

use std::collections::{HashMap, VecDeque};
use std::thread;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::circuit_breaker::{Cause, Config, Settlement, State};
use seawall_core::keyed::circuit_breaker::{Rejected, Ticket};
use seawall_core::window::Span;
use seawall_core::{Backoff, CircuitBreaker, Instant, KeyedCircuitBreaker, Outcome, Ratio, keyed};

/// Whether words have 32 bits: in firmware, and under `--cfg seawall_word32`.
const NARROW: bool = cfg!(any(seawall_word32, not(target_has_atomic = "64")));

fn rules(failures: u32) -> Config {
    Config::consecutive_failures(failures).open_for(Duration::from_secs(10)).successes_to_close(2)
}

fn outcome(number: u8) -> Outcome {
    match number % 5 {
        0 => Outcome::Success,
        1 | 2 => Outcome::Failure,
        3 => Outcome::Slow,
        _ => Outcome::Cancelled,
    }
}

/// Trips by a row, by a rate over the last calls, or by both, and whether by a row; slow calls can fail.
fn any_rules() -> impl Strategy<Value = (Config, bool)> {
    let rate = (1_u32..=17, 1_u32..=100, 1_u32..=17, any::<bool>());
    let row = prop_oneof![Just(None), (1_u32..=17).prop_map(Some)];
    let growing = Backoff::exponential(Duration::from_secs(2));
    (proptest::option::of(rate), row, any::<bool>()).prop_map(move |(rate, row, grows)| {
        let has_row = rate.is_none() || row.is_some();
        let config = match (rate, row) {
            (None, row) => Config::consecutive_failures(row.map_or(1, |row| row % 4 + 1)),
            (Some((calls, percent, minimum, slow_fails)), row) => {
                let minimum = minimum.min(calls);
                let config = Config::failure_rate(Ratio::percent(percent), Span::calls(calls), minimum);
                let config = if slow_fails { config.slow_calls_fail(Duration::from_secs(3)) } else { config };
                row.map_or(config, |row| config.or_consecutive_failures(row.min(calls)))
            }
        };
        let config = config.open_for(Duration::from_secs(10)).successes_to_close(2);
        let config = if grows { config.open_for_growing(growing, Duration::from_secs(9)) } else { config };
        (config, has_row)
    })
}

proptest! {
    /// Where there is room for all, each key has what a breaker of its own would do, with the same hands on both.
    #[test]
    fn with_room_for_all_each_key_is_judged_as_alone(
        (rules, has_row) in any_rules(),
        story in vec((0_u8..40, 1_u64..8, any::<u8>(), 0_u64..4000), 1..300),
    ) {
        let keyed = KeyedCircuitBreaker::<8>::new(rules, keyed::Config::seeded(1));
        let mut alone: HashMap<u64, CircuitBreaker<20>> = HashMap::new();
        let mut flying = Vec::new();
        let mut now = Instant::from_secs(100);
        for (operation, key, number, millis) in story {
            now = now.saturating_add(Duration::from_millis(millis));
            if operation < 16 && !flying.is_empty() {
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
            let model = alone.entry(key).or_insert_with(|| CircuitBreaker::new(rules));
            let breaker = keyed.breaker_of_hash(key);
            let changed = match operation {
                36 => Some((breaker.force_open(now), model.force_open())),
                37 => Some((breaker.force_closed(now), model.force_closed())),
                38 => Some((breaker.trip(now), model.trip(now))),
                39 => breaker.reset().map(|transition| (Ok(transition), model.reset(now))),
                _ => None,
            };
            if let Some((one, other)) = changed {
                let one = one.expect("there is room");
                prop_assert_eq!((one.from, one.to, one.cause), (other.from, other.to, other.cause));
            }
            match (breaker.try_acquire(now), model.try_acquire(now)) {
                (Ok(permit), Ok(expected)) => {
                    flying.push((key, permit.into_ticket(), expected.into_ticket()));
                }
                (Err(Rejected::Refused(one)), Err(other)) => prop_assert_eq!(one, other),
                (one, other) => prop_assert!(false, "{:?}, alone {:?}", one, other),
            }
            let (status, expected) = (breaker.status().expect("it has an entry"), model.status(now));
            prop_assert_eq!((status.state, status.forced), (expected.state, expected.forced));
            // Without a rule for rows a breaker of its own counts none; the last calls tell it anyway.
            if has_row {
                prop_assert_eq!(status.consecutive_failures, expected.consecutive_failures);
            }
            if expected.state == State::Closed && !expected.forced {
                let window = expected.window;
                prop_assert_eq!((status.calls, status.failures), (window.calls, window.failures));
            }
        }
        prop_assert_eq!(keyed.evictions(), 0);
    }

    /// The rate of each key is that of its last calls, kept in full, whatever other keys do.
    #[test]
    fn the_rate_of_a_key_is_exactly_that_of_its_last_calls(
        most in 1_usize..=17,
        minimum in 1_usize..=17,
        (part, whole) in (1_u32..=20).prop_flat_map(|whole| (1..=whole, Just(whole))),
        story in vec((1_u64..6, any::<bool>()), 1..300),
    ) {
        let minimum = minimum.min(most);
        let share = Ratio::try_new(part, whole).unwrap();
        let rules = Config::failure_rate(share, Span::calls(most as u32), minimum as u32);
        let keyed = KeyedCircuitBreaker::<8>::new(rules, keyed::Config::seeded(1));
        let mut last: HashMap<u64, VecDeque<bool>> = HashMap::new();
        let now = Instant::from_secs(1);
        for (key, failed) in story {
            let results = last.entry(key).or_default();
            let Ok(permit) = keyed.breaker_of_hash(key).try_acquire(now) else { continue };
            results.push_back(failed);
            if results.len() > most {
                results.pop_front();
            }
            let (calls, failures) = (results.len(), results.iter().filter(|&&failed| failed).count());
            let reached = calls >= minimum && failures as u64 * u64::from(whole) >= calls as u64 * u64::from(part);
            let settled = permit.record(if failed { Outcome::Failure } else { Outcome::Success }, now);
            let cause = settled.transition().map(|transition| transition.cause);
            let (calls, failures) = (calls as u32, failures as u32);
            prop_assert_eq!(cause, reached.then_some(Cause::FailureRate { calls, failures }));
        }
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

/// A stranger with the set and the tag of a known key is judged with it: one of 512 strangers for each entry on 32 bits, one of
/// two million on 64.
#[test]
fn a_flood_opens_a_known_breaker_as_often_as_it_meets_its_tag() {
    let now = Instant::from_secs(1);
    let opened = (0..24).filter(|&seed| {
        let keyed = KeyedCircuitBreaker::<8>::new(rules(3), keyed::Config::seeded(seed));
        for _ in 0..2 {
            keyed.try_acquire("known", now).unwrap().record(Outcome::Failure, now);
        }
        for stranger in 0..4096_u32 {
            keyed.try_acquire(&stranger, now).map(|permit| permit.record(Outcome::Failure, now)).ok();
        }
        let status = keyed.breaker("known").status().expect("strangers have fewer failures");
        status.state == State::Open
    });
    // One is expected to meet it, so that none does with a chance of 1 / e: 15 of 24 open.
    let bounds = if NARROW { 6..=23 } else { 0..=0 };
    let opened = opened.count();
    assert!(bounds.contains(&opened), "{opened}");
}

/// A key that is held by hand stays so through any flood, and the rest of the table serves on.
#[test]
fn a_flood_of_keys_lets_no_key_loose_that_is_held_by_hand() {
    let keyed = KeyedCircuitBreaker::<64>::new(rules(2), keyed::Config::seeded(0x5EA_3A11));
    let now = Instant::from_secs(1);
    keyed.breaker("shut").force_open(now).unwrap();
    keyed.breaker("let through").force_closed(now).unwrap();
    let mut served = 0;
    for stranger in 0..100_000_u32 {
        served += u32::from(keyed.try_acquire(&stranger, now).is_ok());
        let _ = keyed.try_acquire("let through", now).unwrap().record(Outcome::Failure, now);
    }
    // A stranger with the tag of the key that is shut shares its breaker: none on wide words, one in some thousands on narrow ones.
    assert!(served > 99_900, "{served}");
    assert!(keyed.try_acquire("shut", now).is_err());
    assert_eq!(keyed.snapshot().forced, 2);
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
