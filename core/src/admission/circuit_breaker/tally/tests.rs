extern crate std;

use super::{Counts, Tally};
use crate::admission::circuit_breaker::{CircuitBreaker, Config, State};
use crate::atomic::sync::{
    Wide,
    probe::{Accesses, count},
};
use crate::outcome::Outcome;
use crate::time::Instant;
use core::time::Duration;

struct Counted {
    breaker: CircuitBreaker,
    tally: Tally,
}

impl Counted {
    fn new(failures: u32) -> Self {
        let config =
            Config::consecutive_failures(failures).open_for(Duration::from_secs(60)).successes_to_close(1);
        Self { breaker: CircuitBreaker::new(config), tally: Tally::new() }
    }

    /// Successes, failures, excluded, and the two rows after these calls, all of which must be admitted.
    fn after(&self, letters: &str, seconds: u64) -> [u64; 5] {
        let now = Instant::from_secs(seconds);
        for letter in letters.chars() {
            let outcome = match letter {
                'S' => Outcome::Success,
                'F' => Outcome::Failure,
                'X' => Outcome::Ignored,
                _ => Outcome::Cancelled,
            };
            let permit = self.breaker.try_acquire(now).expect(letters);
            self.tally.note(outcome, permit.record(outcome, now));
        }
        let counts = self.tally.counts();
        let Counts { successes, failures, excluded, consecutive_successes, consecutive_failures } = counts;
        assert_eq!(counts.requests(), successes + failures + excluded);
        [successes, failures, excluded, consecutive_successes, consecutive_failures]
    }
}

#[test]
fn t01_the_counts_of_gobreaker() {
    let counted = Counted::new(6);
    assert_eq!(counted.after("FFFFF", 0), [0, 5, 0, 0, 5]);
    assert_eq!(counted.after("S", 0), [1, 5, 0, 1, 0]);
    assert_eq!(counted.after("F", 0), [1, 6, 0, 0, 1]);
    assert_eq!(counted.after("FFFFF", 0), [0; 5]);
    assert_eq!(counted.breaker.status(Instant::ZERO).state, State::Open);
    assert!(counted.breaker.try_acquire(Instant::from_secs(59)).is_err());
    assert_eq!(counted.after("F", 60), [0; 5]);
    assert_eq!(counted.after("S", 120), [0; 5]);
    assert_eq!(counted.breaker.status(Instant::from_secs(120)).state, State::Closed);
    assert_eq!(counted.after("F", 120), [0, 1, 0, 0, 1]);
}

#[test]
fn t05_excluded_calls_are_requests() {
    let counted = Counted::new(6);
    assert_eq!(counted.after("XXC", 0), [0, 0, 3, 0, 0]);
    assert_eq!(counted.after("SSS", 0), [3, 0, 3, 3, 0]);
    assert_eq!(counted.after("FF", 0), [3, 2, 3, 0, 2]);
    counted.tally.clear();
    assert_eq!(counted.after("", 0), [0; 5]);
    assert_eq!(counted.after("F", 0), [0, 1, 0, 0, 1], "the row before the change is over");
}

#[test]
fn t06_every_result_of_many_threads_is_counted() {
    let (all_good, mixed) = (Counted::new(100), Counted::new(10_000));
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| all_good.after(&"S".repeat(10_000), 0));
        }
    });
    assert_eq!(all_good.after("", 0), [100_000, 0, 0, 100_000, 0]);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                for letter in "SFXC".repeat(25).chars() {
                    let now = Instant::ZERO;
                    let outcome = match letter {
                        'S' => Outcome::Success,
                        'F' => Outcome::Failure,
                        _ => Outcome::Ignored,
                    };
                    let permit = mixed.breaker.try_acquire(now).unwrap();
                    mixed.tally.note(outcome, permit.record(outcome, now));
                }
            });
        }
    });
    let counts = mixed.tally.counts();
    assert_eq!((counts.requests(), counts.successes, counts.failures), (1200, 300, 300));
}

#[test]
fn results_that_come_late_or_count_for_nothing_are_not_there() {
    let counted = Counted::new(1);
    let late = counted.breaker.try_acquire(Instant::ZERO).unwrap();
    assert_eq!(counted.after("F", 0), [0; 5]);
    counted.tally.note(Outcome::Success, late.record(Outcome::Success, Instant::ZERO));
    counted.breaker.force_closed();
    assert_eq!(counted.after("SF", 0), [0; 5]);
}

#[test]
fn the_cost_is_as_documented() {
    let counted = Counted::new(9);
    counted.after("SF", 0);
    let settlement = counted.breaker.try_acquire(Instant::ZERO).unwrap();
    let settlement = settlement.record(Outcome::Failure, Instant::ZERO);
    let (accesses, ()) = count(|| counted.tally.note(Outcome::Success, settlement));
    assert_eq!(accesses, Accesses { loads: 0, writes: 1 });
    let (accesses, ()) = count(|| counted.tally.note(Outcome::Failure, settlement));
    assert_eq!(accesses.writes, 3);
    let (accesses, ()) = count(|| counted.tally.note(Outcome::Failure, settlement));
    assert_eq!(accesses.writes, 1);
    assert_eq!(size_of::<Tally>() as u32, Wide::BITS);
}
