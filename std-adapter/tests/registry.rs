//! Guards by name.

use std::time::Duration;

use seawall::core::degradation::{Level, MAX_COMPONENTS};
use seawall::core::{Instant, ManualClock, Ratio, error_budget};
use seawall::registry::RegisterError;
use seawall::{Guard, Policy, Registry};

const SPAN: Duration = Duration::from_secs(10);

fn budget() -> Policy {
    Policy::new().error_budget(error_budget::Config::new(Ratio::percent(50), SPAN).minimum_calls(1))
}

#[test]
fn a_name_is_given_once() {
    let registry = Registry::new();
    registry.register("send", Policy::new()).unwrap();
    let error = registry.register("send", budget()).unwrap_err();
    assert_eq!(error, RegisterError::Duplicate { name: "send".to_owned() });
    assert_eq!(error.to_string(), "guard \"send\" is registered already");
    let guard = registry.guard("send").unwrap();
    assert!(guard.decisions().error_budget().is_none(), "the first one stays");
}

#[test]
fn what_is_wrong_is_not_registered() {
    let registry = Registry::new();
    let error = registry.register("send", Policy::new().timeout(Duration::ZERO)).unwrap_err();
    assert_eq!(error.to_string(), "send.timeout must be greater than zero");
    assert!(registry.guards().is_empty());
    registry.register("send", Policy::new()).unwrap();
}

#[test]
fn there_is_a_place_for_each_component_and_no_more() {
    let registry = Registry::new();
    for n in 0..MAX_COMPONENTS {
        registry.register(&format!("guard {n}"), Policy::new()).unwrap();
    }
    let error = registry.register("one more", Policy::new()).unwrap_err();
    assert_eq!(error.to_string(), "no place for guard \"one more\": a registry holds 16 guards at most");
    assert_eq!(registry.guards().len(), usize::from(MAX_COMPONENTS));
    assert_eq!(registry.guards()[3].name(), "guard 3", "in the order in which they were registered");
}

#[test]
fn the_worst_guard_is_the_level_of_all_and_time_alone_makes_it_well() {
    // A clock for each guard that all show the same time.
    static CLOCK: ManualClock = ManualClock::new(Instant::from_secs(1));
    #[derive(Clone, Copy)]
    struct Shared;
    impl seawall::core::Clock for Shared {
        fn now(&self) -> Instant {
            CLOCK.now()
        }
    }
    let registry = Registry::new();
    let well = registry.add(Guard::with_clock("well", budget(), Shared).unwrap()).unwrap();
    let ill = registry.add(Guard::with_clock("ill", budget(), Shared).unwrap()).unwrap();
    well.call_blocking(|_| Ok::<_, ()>(())).unwrap();
    assert_eq!(registry.level(), Level::Normal);
    ill.call_blocking(|_| Err::<(), _>(())).unwrap_err();
    assert_eq!(registry.level(), Level::Degraded);
    CLOCK.advance(SPAN);
    assert_eq!(registry.level(), Level::Degraded, "nobody has looked yet");
    registry.refresh();
    assert_eq!(registry.level(), Level::Normal);
}

#[test]
fn guards_can_be_found_while_others_are_added() {
    let registry = Registry::new();
    registry.register("first", Policy::new()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..MAX_COMPONENTS {
                registry.register(&format!("guard {n}"), Policy::new()).unwrap();
            }
        });
        scope.spawn(|| {
            for _ in 0..1000 {
                let first = registry.guard("first").expect("what is registered stays");
                first.call_blocking(|_| Ok::<_, ()>(())).unwrap();
            }
        });
    });
    assert_eq!(registry.guard("first").unwrap().stats().successes, 1000);
}
