extern crate std;
use std::thread;
use std::vec::Vec;

use super::*;
use crate::atomic::sync::{Wide, probe};
use crate::health::{check, composite, error_budget, latency_budget};
use crate::ratio::Ratio;

use Level::{Degraded as D, Emergency as E, Normal as N, SeverelyDegraded as S};

const TEN: Duration = Duration::from_secs(10);
const FIRST: Component = Component::new(0);

fn s(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

fn driver() -> Driver {
    Driver::new(Config::new(FIRST).calm_for(TEN))
}

/// HC7 and S1.9: health, budgets, rates and latencies set a level, and take it back.
#[test]
fn hc7_each_trigger_degrades_its_component_and_lets_it_recover() {
    let service = Degradation::new();

    let health: HealthCheck = HealthCheck::new(check::Config::new().rise(1).fall(2));
    let drives = driver();
    for now in [s(1), s(2)] {
        health.record(false, now, now);
        drives.observe(&health, &service, now);
    }
    assert_eq!(service.level(), D);
    health.record(true, s(3), s(3));
    assert_eq!(drives.observe(&health, &service, s(3)), None);
    assert_eq!(drives.observe(&health, &service, s(12)), Some(LevelChange { from: D, to: N }));

    let members = composite::Composite::new(1, composite::Rule::All);
    let drives = Driver::new(Config::new(FIRST).worst(E).calm_for(Duration::ZERO));
    assert_eq!(drives.observe(&members, &service, s(20)), Some(LevelChange { from: N, to: E }));
    members.report(0, true);
    for level in [S, D, N] {
        drives.observe(&members, &service, s(21));
        assert_eq!(service.level(), level, "one level at a time");
    }

    let promise = error_budget::Config::new(Ratio::percent(99), TEN).minimum_calls(1);
    let budget = ErrorBudget::<10>::new(promise);
    let drives = driver();
    budget.record(false, s(30));
    assert_eq!(drives.observe(&budget, &service, s(30)), Some(LevelChange { from: N, to: D }));
    assert_eq!(drives.observe(&budget, &service, s(45)), Some(LevelChange { from: D, to: N }));

    let promise = latency_budget::Config::new(Ratio::percent(95), Duration::from_millis(100), TEN);
    let latency: LatencyBudget = LatencyBudget::new(promise.minimum_calls(1));
    let drives = driver();
    latency.record(Duration::from_millis(200), s(50));
    assert_eq!(drives.observe(&latency, &service, s(50)), Some(LevelChange { from: N, to: D }));
    assert_eq!(drives.observe(&latency, &service, s(65)), Some(LevelChange { from: D, to: N }));

    let drives = driver();
    let rate = |failed| Level::for_rate(failed, 100, Ratio::percent(5));
    assert_eq!(drives.observe(&rate(9), &service, s(70)), Some(LevelChange { from: N, to: S }));
    assert_eq!(drives.observe(&Level::for_ratio(250, 100), &service, s(70)).unwrap().to, E);
    assert_eq!(drives.level(), E);
}

#[test]
fn an_anomaly_has_to_last_to_degrade() {
    let service = Degradation::new();
    let detector = change::ChangeDetector::new(change::Config::new().warm_up(8).least_spread(5));
    let drives = Driver::new(Config::new(FIRST).worse_after(3).calm_for(TEN));
    let seen = |value, now| {
        drives.observe(&detector.observe(value), &service, now);
        service.level()
    };
    for _ in 0..8 {
        assert_eq!(seen(20, s(1)), N);
    }
    assert_eq!([seen(500, s(2)), seen(20, s(3)), seen(500, s(4)), seen(500, s(5))], [N; 4]);
    assert_eq!(seen(500, s(6)), D);
    let unknown: HealthCheck = HealthCheck::new(check::Config::new());
    assert_eq!(driver().observe(&unknown, &service, s(6)), None, "what is unknown degrades nothing");
    assert_eq!(driver().observe(&Status::Unhealthy, &Degradation::new(), s(6)).unwrap().to, D);
}

#[test]
fn its_component_is_one_of_the_whole() {
    let service = Degradation::new();
    service.set_level(Component::new(1), S);
    let drives = driver();
    assert_eq!(drives.observe(&D, &service, s(1)), None, "the other is worse");
    assert_eq!((service.component_level(drives.component()), service.level()), (D, S));
    assert_eq!(drives.observe(&E, &service, s(1)), Some(LevelChange { from: S, to: E }));
}

#[test]
fn the_component_is_left_with_the_level_that_holds() {
    for _ in 0..50 {
        let service = Degradation::new();
        let drives = Driver::new(Config::new(FIRST).calm_for(Duration::ZERO));
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let (service, drives) = (&service, &drives);
                    scope.spawn(move || {
                        for n in 0..200 {
                            drives.observe(&Level::ALL[(n + thread) % 4], service, s(1));
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
        });
        assert_eq!(service.component_level(FIRST), drives.level());
    }
}

#[test]
fn a_value_outside_its_bound_is_named() {
    let field = |config| Driver::try_new(config).unwrap_err().field;
    assert_eq!(field(Config::new(FIRST).worst(N)), "driver.worst");
    assert_eq!(field(Config::new(FIRST).worse_after(0)), "driver.worse_after");
    assert_eq!(field(Config::new(FIRST).worse_after(16)), "driver.worse_after");
    assert!(Driver::try_new(Config::new(FIRST).calm_for(Duration::MAX)).is_ok());
}

#[test]
fn costs_and_sizes_are_as_documented() {
    if Wide::BITS == 64 {
        assert_eq!(size_of::<Driver>(), 40);
    }
    let (service, drives) = (Degradation::new(), driver());
    let cost = |level: Level, now| {
        let (accesses, _) = probe::count(|| drives.observe(&level, &service, now));
        (accesses.loads, accesses.writes)
    };
    assert_eq!(cost(N, s(1)), (1, 0));
    assert_eq!(cost(D, s(1)), (3, 3));
    assert_eq!(cost(D, s(2)), (1, 1));
}
