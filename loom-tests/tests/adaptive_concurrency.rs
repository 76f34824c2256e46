//! Models of the adaptive limit: it admits no more than the limit, and each result is counted once.
#![cfg(loom)]
#![allow(missing_docs)]

use core::time::Duration;

use seawall_core::adaptive_concurrency::{AdaptiveConcurrency, Config, Reason};
use seawall_core::{Instant, Outcome, Ratio};
use seawall_loom::{leak, race, race3};

type Limiter = &'static AdaptiveConcurrency;

const NOW: Instant = Instant::ZERO;

fn limiter(config: Config) -> Limiter {
    leak(AdaptiveConcurrency::new(config.window(Duration::ZERO)))
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// The limit and the calls in flight.
fn counts(limiter: Limiter) -> (u32, u32) {
    let now = limiter.snapshot();
    (now.limit, now.in_flight)
}

// Mutant: concurrency_over_admits, word_stores_instead_of_exchanging, word_takes_a_lost_exchange_for_won
#[test]
fn no_more_calls_are_admitted_than_the_limit() {
    loom::model(|| {
        let limiter = limiter(Config::aimd(2));
        let admitted = race3(move || limiter.try_acquire(NOW).map(|permit| permit.into_ticket()).is_ok());
        assert_eq!(admitted.into_iter().filter(|&admitted| admitted).count(), 2);
        assert_eq!(counts(limiter), (2, 2));
    });
}

// Mutant: word_stores_instead_of_exchanging, word_takes_a_lost_exchange_for_won
#[test]
fn a_success_beside_a_failure_is_one_of_the_serial_results() {
    loom::model(|| {
        let limiter = limiter(Config::aimd(10).samples(1).backoff(Ratio::percent(50)));
        let busy: Vec<_> = (0..8).map(|_| limiter.try_acquire(NOW).unwrap().into_ticket()).collect();
        let [good, bad] = [limiter.try_acquire(NOW).unwrap(), limiter.try_acquire(NOW).unwrap()];
        let (more, less) =
            race(move || good.record(Outcome::Success, NOW), || bad.record(Outcome::Failure, NOW));
        let (more, less) = (more.unwrap(), less.unwrap());
        let serial = if more.from == 10 { (11, 5) } else { (5, 6) };
        assert_eq!((if more.from == 10 { (more.to, less.to) } else { (less.to, more.to) }), serial);
        assert_eq!(counts(limiter), (serial.1, busy.len() as u32));
    });
}

// Mutant: concurrency_elects_the_next_one_too
#[test]
fn one_result_of_a_window_adjusts_the_limit() {
    loom::model(|| {
        let limiter = limiter(Config::aimd(10).samples(2));
        let adjusted = race3(move || {
            let permit = limiter.try_acquire(NOW).unwrap();
            permit.record(Outcome::Failure, NOW).is_some()
        });
        assert_eq!(adjusted.into_iter().filter(|&adjusted| adjusted).count(), 1);
        assert_eq!(counts(limiter), (9, 0));
    });
}

// Mutant: concurrency_adjusts_in_two_steps
#[test]
fn two_windows_of_the_gradient_that_end_together_are_two_steps() {
    loom::model(|| {
        let limiter = limiter(Config::gradient(100).samples(1).probe_every(0));
        let [one, other] = [limiter.try_acquire(NOW).unwrap(), limiter.try_acquire(NOW).unwrap()];
        race(move || one.record(Outcome::Failure, NOW), || other.record(Outcome::Failure, NOW));
        assert_eq!(counts(limiter), (81, 0));
    });
}

// Mutant: concurrency_learns_in_two_steps
#[test]
fn both_of_two_latencies_are_learned() {
    loom::model(|| {
        let limiter = limiter(Config::gradient(10).samples(9));
        let first = limiter.try_acquire(at(0)).unwrap();
        first.record(Outcome::Success, at(64));
        let [one, other] = [limiter.try_acquire(at(0)).unwrap(), limiter.try_acquire(at(0)).unwrap()];
        race(move || one.record(Outcome::Success, at(0)), || other.record(Outcome::Success, at(0)));
        assert_eq!(limiter.snapshot().latency, Some(Duration::from_millis(49)), "64 · 7/8 · 7/8");
    });
}

// Mutant: concurrency_counts_stale_results
#[test]
fn a_result_from_before_a_probe_does_not_end_it() {
    loom::model(|| {
        let limiter = limiter(Config::gradient(4).between(1, 4).samples(1).probe_every(1));
        let [one, stale] = [limiter.try_acquire(NOW).unwrap(), limiter.try_acquire(NOW).unwrap()];
        let (probe, other) =
            race(move || one.record(Outcome::Success, at(1)), || stale.record(Outcome::Success, at(1)));
        let reasons = [probe, other].map(|change| change.map(|change| change.reason));
        assert!(reasons.contains(&Some(Reason::Probe)), "{reasons:?}");
        assert_eq!((counts(limiter), limiter.snapshot().is_probing), ((1, 0), true));
    });
}
