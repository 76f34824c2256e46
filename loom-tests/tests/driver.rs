//! Models of what drives a level: the component is left with the level that holds.
#![cfg(loom)]

use core::time::Duration;

use seawall_core::Instant;
use seawall_core::degradation::{Component, Degradation, Level};
use seawall_core::driver::{Config, Driver};
use seawall_loom::{leak, race};

const STORE: Component = Component::new(3);
const NOW: Instant = Instant::from_secs(100);

fn parts(calm: Duration) -> (&'static Driver, &'static Degradation) {
    let driver = Driver::new(Config::new(STORE).calm_for(calm));
    (leak(driver), leak(Degradation::new()))
}

// Mutant: driver_does_not_look_again
#[test]
fn two_readings_leave_the_component_with_the_worse() {
    loom::model(|| {
        let (driver, service) = parts(Duration::from_secs(1));
        race(
            || driver.observe(&Level::Degraded, service, NOW),
            || driver.observe(&Level::Emergency, service, NOW),
        );
        assert_eq!((driver.level(), service.level()), (Level::Emergency, Level::Emergency));
    });
}

// Mutant: driver_does_not_look_again
#[test]
fn a_reading_that_is_well_beside_one_that_is_not_leaves_both_words_alike() {
    loom::model(|| {
        let (driver, service) = parts(Duration::ZERO);
        driver.observe(&Level::Degraded, service, NOW);
        race(
            || driver.observe(&Level::Normal, service, NOW),
            || driver.observe(&Level::SeverelyDegraded, service, NOW),
        );
        assert_eq!(driver.level(), service.component_level(STORE));
    });
}
