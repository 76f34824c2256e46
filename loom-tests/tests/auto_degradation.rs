//! Models of the automatic level: each change is told once, and no value that makes it worse is lost.
#![cfg(loom)]
#![allow(missing_docs)]

use core::time::Duration;

use seawall_core::Instant;
use seawall_core::health::auto_degradation::{AutoDegradation, Config};
use seawall_core::health::degradation::{Level, LevelChange};
use seawall_loom::race;

fn auto() -> &'static AutoDegradation {
    Box::leak(Box::new(AutoDegradation::new(Config::new(100).calm_for(Duration::from_nanos(10)))))
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

// Mutant: auto_degradation_change_in_two_steps
#[test]
fn the_worst_of_two_values_holds_and_changes_are_a_chain() {
    loom::model(|| {
        let auto = auto();
        let (one, other) = race(move || auto.observe(201, at(1)), || auto.observe(101, at(1)));
        assert_eq!(auto.level(), Level::Emergency);
        let one = one.expect("nothing else is an emergency");
        assert_eq!(one.from, if other.is_some() { Level::Degraded } else { Level::Normal });
    });
}

// Mutant: auto_degradation_change_in_two_steps
#[test]
fn two_calm_values_leave_one_level() {
    loom::model(|| {
        let auto = auto();
        auto.observe(201, at(0));
        let (one, other) = race(move || auto.observe(0, at(10)), || auto.observe(0, at(10)));
        let told: Vec<_> = one.into_iter().chain(other).collect();
        assert_eq!(told, [LevelChange { from: Level::Emergency, to: Level::SeverelyDegraded }]);
        assert_eq!(auto.level(), Level::SeverelyDegraded);
    });
}

// Mutant: auto_degradation_change_in_two_steps
#[test]
fn a_bad_value_beside_a_calm_one_is_not_lost() {
    loom::model(|| {
        let auto = auto();
        auto.observe(101, at(0));
        let (calm, bad) = race(move || auto.observe(0, at(10)), || auto.observe(201, at(10)));
        assert_eq!(auto.level(), Level::Emergency);
        let bad = bad.expect("it always changes the level");
        assert_eq!(bad.from, if calm.is_some() { Level::Normal } else { Level::Degraded });
    });
}
