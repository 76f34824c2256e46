//! How the whole is doing.

use std::time::Duration;

use seawall_core::composite::Rule;
use seawall_core::degradation::{Component, Level};
use seawall_core::{Composite, Degradation, ErrorBudget, HealthCheck, Instant, Ratio, check, error_budget};

use crate::{THREADS, sum, threads};

/// A status changes as often one way as the other, or once more.
pub(crate) fn check(_round: u32) {
    let check: HealthCheck<0> = HealthCheck::new(check::Config::new().rise(2).fall(2));
    let now = Instant::from_secs(1);
    let changes = threads(|thread| {
        let (mut up, mut down) = (0_u32, 0_u32);
        for i in 0..300 {
            if let Some(transition) = check.record((i + thread) % 8 < 4, now, now) {
                if transition.to.is_healthy() { up += 1 } else { down += 1 }
            }
        }
        (up, down)
    });
    let (up, down) = changes.iter().fold((0, 0), |(a, b), (up, down)| (a + up, b + down));
    assert!(up.abs_diff(down) <= 1, "{up} up and {down} down");
}

/// Edges alternate, and every call is in the account.
pub(crate) fn error_budget(_round: u32) {
    let config = error_budget::Config::new(Ratio::percent(50), Duration::from_secs(1_000)).minimum_calls(1);
    let budget: ErrorBudget<10> = ErrorBudget::new(config);
    let now = Instant::from_secs(77);
    let edges = sum(|thread| {
        (0..200).map(|i| u32::from(budget.record((i / 10 + thread) % 3 != 0, now).is_some())).sum()
    });
    assert_eq!(budget.snapshot(now).calls, THREADS * 200);
    let exhausted = budget.is_exhausted(now);
    assert_eq!(edges % 2 == 1, exhausted, "{edges} edges");
}

/// The level is the most of the components' levels.
pub(crate) fn degradation(_round: u32) {
    let degradation = Degradation::new();
    threads(|thread| {
        let component = Component::new(u8::try_from(thread).unwrap_or(0));
        for i in 0..300 {
            let level = Level::ALL[i % 4];
            degradation.set_level(component, level);
            assert_eq!(degradation.component_level(component), level, "nobody else sets it");
            assert!(degradation.level() >= level);
        }
        degradation.set_level(component, Level::Normal);
    });
    assert_eq!(degradation.level(), Level::Normal);
}

/// The count is that of the members.
pub(crate) fn composite(_round: u32) {
    let members = u8::try_from(THREADS).unwrap_or(1);
    let composite = Composite::new(members, Rule::All);
    threads(|thread| {
        let member = u8::try_from(thread).unwrap_or(0);
        for i in 0..300 {
            let healthy = i % 2 == 0;
            composite.report(member, healthy);
            assert_eq!(composite.is_member_healthy(member), healthy, "nobody else reports it");
        }
        composite.report(member, true);
    });
    assert!(composite.is_healthy());
    assert_eq!(composite.healthy_members(), THREADS);
}
