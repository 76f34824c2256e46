extern crate std;
use std::string::ToString;
use std::sync::atomic::{AtomicI32, Ordering};
use std::{format, thread};

use super::*;
use crate::atomic::sync::probe;

fn component(n: u8) -> Component {
    Component::new(n)
}

fn change(from: Level, to: Level) -> LevelChange {
    LevelChange { from, to }
}

#[test]
fn it_stands_in_a_static_and_is_one_word() {
    static SERVICE: Degradation = Degradation::new();
    assert_eq!(SERVICE.level(), Level::Normal);
    assert_eq!(size_of::<Degradation>(), 4);
}

#[test]
fn the_whole_is_as_bad_as_its_worst_component() {
    // Every pair of components with every pair of levels.
    for first in 0..MAX_COMPONENTS {
        for second in (0..MAX_COMPONENTS).filter(|&second| second != first) {
            for a in Level::ALL {
                for b in Level::ALL {
                    let levels = Levels::NORMAL.with(component(first), a).with(component(second), b);
                    assert_eq!(levels.overall(), a.max(b));
                    assert_eq!((levels.of(component(first)), levels.of(component(second))), (a, b));
                }
            }
        }
    }
}

#[test]
fn only_a_change_of_the_whole_is_told() {
    use Level::{Degraded, Emergency, Normal, SeverelyDegraded};
    let service = Degradation::new();
    assert_eq!(service.set_level(component(3), Normal), None);
    assert_eq!(service.set_level(component(3), Emergency), Some(change(Normal, Emergency)));
    assert_eq!(service.set_level(component(3), Emergency), None);
    assert_eq!(service.set_level(component(15), SeverelyDegraded), None);
    assert_eq!(service.set_level(component(3), Degraded), Some(change(Emergency, SeverelyDegraded)));
    assert_eq!(service.component_level(component(3)), Degraded);
    assert_eq!(format!("{service:?}"), "Degradation {3: Degraded, 15: SeverelyDegraded}");
    assert_eq!(service.recover_all(), Some(change(SeverelyDegraded, Normal)));
    assert_eq!(service.recover_all(), None);
    assert_eq!(service.component_level(component(15)), Normal);
}

#[test]
fn the_seeds_bounds_belong_to_the_better_level() {
    use Level::{Degraded, Emergency, Normal, SeverelyDegraded};
    for (value, level) in [
        (0, Normal),
        (100, Normal),
        (101, Degraded),
        (150, Degraded),
        (151, SeverelyDegraded),
        (200, SeverelyDegraded),
        (201, Emergency),
        (u64::MAX, Emergency),
    ] {
        assert_eq!(Level::for_ratio(value, 100), level, "{value}");
    }
    assert_eq!((Level::for_ratio(0, 0), Level::for_ratio(1, 0)), (Normal, Emergency));
    assert_eq!(Level::for_ratio(u64::MAX, u64::MAX), Normal);
    assert_eq!(Level::for_ratio(3, 2), Degraded);
}

#[test]
fn a_rate_is_compared_exactly() {
    use Level::{Degraded, Emergency, Normal, SeverelyDegraded};
    let five_percent = Ratio::percent(5);
    for (failures, level) in
        [(0, Normal), (50, Normal), (51, Degraded), (75, Degraded), (76, SeverelyDegraded), (101, Emergency)]
    {
        assert_eq!(Level::for_rate(failures, 1000, five_percent), level, "{failures}");
    }
    assert_eq!(Level::for_rate(0, 0, Ratio::ZERO), Normal);
    assert_eq!(Level::for_rate(u32::MAX, u32::MAX, Ratio::ONE), Normal);
    assert_eq!(Level::for_rate(u32::MAX, u32::MAX, Ratio::percent(49)), Emergency);
}

#[test]
fn a_component_that_does_not_exist_is_refused() {
    assert_eq!(Component::try_new(15).map(Component::number), Ok(15));
    let error = Component::try_new(16).unwrap_err();
    assert_eq!(error.to_string(), "degradation.component must be below 16");
}

#[test]
fn names_are_those_of_the_metrics() {
    let names = Level::ALL.map(|level| level.to_string());
    assert_eq!(names, ["normal", "degraded", "severely_degraded", "emergency"]);
    for (bits, level) in Level::ALL.into_iter().enumerate() {
        assert_eq!(Level::from_bits(bits as u32), level);
        assert_eq!(level as usize, bits);
    }
}

#[test]
fn costs_are_as_documented() {
    let service = Degradation::default();
    let cost = |call: &dyn Fn() -> Option<LevelChange>| {
        let (accesses, _) = probe::count(call);
        (accesses.loads, accesses.writes)
    };
    assert_eq!(cost(&|| service.set_level(component(1), Level::Degraded)), (1, 1));
    assert_eq!(cost(&|| service.set_level(component(1), Level::Degraded)), (1, 0));
    let (accesses, _) = probe::count(|| service.level());
    assert_eq!((accesses.loads, accesses.writes), (1, 0));
}

#[test]
fn an_exchange_that_fails_for_no_reason_changes_nothing() {
    let service = Degradation::new();
    let told = probe::with_spurious_failures(2, || service.set_level(component(0), Level::Emergency));
    assert_eq!(told, Some(change(Level::Normal, Level::Emergency)));
}

#[test]
fn changes_told_to_many_threads_add_up() {
    let service = Degradation::new();
    let sum = AtomicI32::new(0);
    thread::scope(|scope| {
        for n in 0..4 {
            let (service, sum) = (&service, &sum);
            scope.spawn(move || {
                for round in 0..10_000 {
                    let level = Level::from_bits(round + u32::from(n));
                    if let Some(change) = service.set_level(component(n), level) {
                        assert_ne!(change.from, change.to);
                        sum.fetch_add(change.to as i32 - change.from as i32, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(sum.into_inner(), service.level() as i32);
}
