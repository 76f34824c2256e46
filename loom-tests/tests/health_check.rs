//! Models of the health check: each edge is told once, and results follow the order in which their checks began.
#![cfg(loom)]
#![allow(missing_docs)]

use core::time::Duration;

use seawall_core::health::check::{Config, HealthCheck, Status, Transition};
use seawall_core::{Instant, Ratio};
use seawall_loom::race;

const STALE: Duration = Duration::from_nanos(100);

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn check<const SLOTS: usize>(config: Config) -> &'static HealthCheck<SLOTS> {
    Box::leak(Box::new(HealthCheck::new(config.stale_after(STALE))))
}

fn reached(edges: impl IntoIterator<Item = Option<Transition>>) -> Vec<Status> {
    edges.into_iter().flatten().map(|edge| edge.to).collect()
}

// Mutant: health_check_record_in_two_steps
#[test]
fn two_failures_at_once_are_two_in_a_row_and_one_edge() {
    loom::model(|| {
        let check = check::<0>(Config::new().rise(1).fall(2));
        check.record(true, at(1), at(1));
        let (one, other) =
            race(move || check.record(false, at(2), at(2)), || check.record(false, at(2), at(2)));
        assert_eq!(reached([one, other]), [Status::Unhealthy]);
        assert_eq!(check.status(at(2)), Status::Unhealthy);
    });
}

// Mutant: health_check_any_order, health_check_record_in_two_steps
#[test]
fn whichever_result_comes_first_the_newer_check_decides() {
    loom::model(|| {
        let check = check::<0>(Config::new().rise(1).fall(1));
        let (newer, older) =
            race(move || check.record(false, at(5), at(6)), || check.record(true, at(4), at(6)));
        assert_eq!(check.status(at(6)), Status::Unhealthy);
        let newer = newer.expect("it always changes the status");
        match older {
            Some(edge) => assert_eq!((edge.from, newer.from), (Status::Unknown, Status::Healthy)),
            None => assert_eq!(newer.from, Status::Unknown),
        }
    });
}

// Mutant: health_check_expire_in_two_steps
#[test]
fn two_who_look_hear_of_one_silence() {
    loom::model(|| {
        let check = check::<0>(Config::new().rise(1));
        check.record(true, at(1), at(1));
        let (one, other) = race(move || check.expire(at(101)), || check.expire(at(101)));
        assert_eq!(reached([one, other]), [Status::Unknown]);
    });
}

// Mutant: health_check_expire_in_two_steps
#[test]
fn a_result_that_ends_the_silence_is_not_lost_to_who_looks() {
    loom::model(|| {
        let check = check::<0>(Config::new().rise(1).fall(1));
        check.record(true, at(1), at(1));
        let (result, look) = race(move || check.record(false, at(101), at(101)), || check.expire(at(101)));
        assert_eq!(check.status(at(101)), Status::Unhealthy);
        let result = result.expect("it always changes the status");
        assert_eq!(result.from, if look.is_some() { Status::Unknown } else { Status::Healthy });
    });
}

// Mutant: health_check_record_in_two_steps
#[test]
fn two_failures_at_once_make_the_rate_too_low_once() {
    loom::model(|| {
        let config = Config::new().rise(1).fall(255).success_rate(Ratio::percent(50), 3);
        let check = check::<1>(config);
        check.record(true, at(1), at(1));
        let (one, other) =
            race(move || check.record(false, at(1), at(1)), || check.record(false, at(1), at(1)));
        assert_eq!(reached([one, other]), [Status::Unhealthy]);
        let seen = check.snapshot(at(1));
        assert_eq!((seen.results, seen.failures, seen.failures_in_row), (3, 2, 2));
    });
}
