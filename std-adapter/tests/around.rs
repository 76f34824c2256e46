//! What stands before and behind a guard by choice: priorities, levels, and the promise about latency.

use std::sync::Arc;
use std::time::Duration;

use seawall::core::degradation::{Component, Degradation, Level};
use seawall::core::error_budget::Edge;
use seawall::core::events::EventKind;
use seawall::core::load_shedder::{self, Priority};
use seawall::core::{Instant, ManualClock, Ratio, driver, latency_budget, rate_limiter::Quota};
use seawall::{Error, Guard, Options, Policy, Rejected};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const STORE: Component = Component::new(0);

type TestGuard = Guard<&'static ManualClock>;

fn guard(policy: &Policy) -> (TestGuard, &'static ManualClock) {
    let clock: &ManualClock = Box::leak(Box::new(ManualClock::new(Instant::from_secs(100))));
    (Guard::with_clock("storage", *policy, clock).unwrap(), clock)
}

fn call(guard: &TestGuard, priority: Priority) -> Result<(), Error<()>> {
    guard.call_blocking_with(Options::new().priority(priority), |_| Ok(()))
}

fn promise() -> latency_budget::Config {
    latency_budget::Config::new(Ratio::percent(90), 100 * MILLI, 10 * SECOND).minimum_calls(10)
}

#[test]
fn a_guard_without_parts_refuses_nothing_and_has_none() {
    let (guard, _) = guard(&Policy::new());
    assert_eq!(call(&guard, Priority::Low), Ok(()));
    guard.set_load(u32::MAX);
    assert!(guard.latency_budget().is_none() && guard.shedder().is_none());
    assert_eq!((guard.latency_violations(), guard.latency_exhausted()), (0, 0));
}

/// Latency budgets of the original recorded successes alone, so a hanging peer looked fast.
#[test]
fn the_latency_of_failures_counts_as_that_of_successes() {
    let (guard, clock) = guard(&Policy::new());
    guard.watch_latency(promise()).unwrap();
    let service = Arc::new(Degradation::new());
    guard.drive(Arc::clone(&service), STORE);
    let take = |time, result: Result<(), ()>| {
        let _ = guard.call_blocking(|_| {
            clock.advance(time);
            result
        });
    };
    for _ in 0..18 {
        take(50 * MILLI, Ok(()));
    }
    take(200 * MILLI, Err(()));
    take(200 * MILLI, Ok(()));
    assert_eq!(service.level(), Level::Normal, "one in ten may");
    take(200 * MILLI, Err(()));
    assert_eq!(
        (guard.latency_violations(), guard.latency_exhausted(), service.level()),
        (3, 1, Level::Degraded)
    );
    assert!(guard.latency_budget().unwrap().is_exhausted(guard.now()));
    clock.advance(20 * SECOND);
    guard.refresh();
    assert_eq!(service.level(), Level::Normal, "time heals it");
    let mut cursor = guard.events().cursor();
    let kinds: Vec<_> =
        std::iter::from_fn(|| guard.events().read(&mut cursor)).map(|event| event.kind).collect();
    assert!(kinds.contains(&EventKind::Latency(Edge::Exhausted)), "{kinds:?}");
    assert!(kinds.contains(&EventKind::Latency(Edge::Recovered)), "{kinds:?}");
    let wrong = latency_budget::Config::new(Ratio::percent(90), MILLI, Duration::ZERO);
    assert!(guard.watch_latency(wrong).is_err());
}

#[test]
fn a_driver_can_be_more_patient() {
    let (guard, clock) = guard(&Policy::new());
    guard.watch_latency(promise().minimum_calls(1)).unwrap();
    let service = Arc::new(Degradation::new());
    let patient = driver::Config::new(STORE).worst(Level::SeverelyDegraded).calm_for(5 * SECOND);
    guard.drive_by(Arc::clone(&service), patient).unwrap();
    let _ = guard.call_blocking(|_| {
        clock.advance(SECOND);
        Ok::<_, ()>(())
    });
    assert_eq!(service.level(), Level::SeverelyDegraded);
    clock.advance(20 * SECOND);
    guard.refresh();
    assert_eq!(service.level(), Level::Degraded, "by one level a time");
    clock.advance(5 * SECOND);
    guard.refresh();
    assert_eq!(service.level(), Level::Normal);
    assert!(guard.drive_by(service, patient.worse_after(0)).is_err());
}

#[test]
fn the_least_important_calls_are_shed_first_and_take_no_token() {
    let (guard, _) = guard(&Policy::new().rate_limit(Quota::per_second(1000)));
    guard.shed(load_shedder::Config::new(100, 10 * SECOND)).unwrap();
    let calls = |priority, n| (0..n).filter(|_| call(&guard, priority).is_ok()).count();
    assert_eq!((calls(Priority::Low, 100), calls(Priority::High, 100)), (100, 100), "no load is told");
    guard.set_load(125);
    let tokens = guard.decisions().limiter().unwrap().available(guard.now());
    let (low, high) = (calls(Priority::Low, 50), calls(Priority::High, 50));
    assert!((20..45).contains(&low) && high == 50, "{low} {high}: a fifth of all is too much");
    let stats = guard.stats();
    assert_eq!(stats.rejected_by_load_shedder, 50 - low as u64);
    let taken = tokens - guard.decisions().limiter().unwrap().available(guard.now());
    assert_eq!(taken as usize, low + high);
    assert_eq!(guard.shedder().unwrap().stats(Priority::Low).shed, 50 - low as u64);
    guard.decisions().set_shadow(true);
    assert_eq!(calls(Priority::Low, 50), 50);
    assert!(guard.stats().shadow.reject_by_load_shedder > 0);
}

#[test]
fn a_degraded_service_serves_what_is_important() {
    let (guard, _) = guard(&Policy::new());
    let service = Arc::new(Degradation::new());
    guard.heed_level(Arc::clone(&service));
    let served = |level| {
        service.set_level(STORE, level);
        Priority::ALL.map(|priority| call(&guard, priority).is_ok())
    };
    assert_eq!(served(Level::Degraded), [true; 4]);
    assert_eq!(served(Level::SeverelyDegraded), [false, true, true, true]);
    assert_eq!(served(Level::Emergency), [false, false, true, true]);
    let refused = Rejected::Degraded { level: Level::Emergency, priority: Priority::Low };
    assert_eq!(call(&guard, Priority::Low), Err(Error::Rejected(refused)));
    assert_eq!((guard.stats().rejected_by_degradation, guard.stats().rejected()), (4, 4));
    assert_eq!(served(Level::Normal), [true; 4]);
}
