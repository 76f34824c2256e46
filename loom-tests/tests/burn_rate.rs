//! Models of the burn rate: each edge of the alert is told once.
#![cfg(loom)]
#![allow(missing_docs)]

use core::time::Duration;

use seawall_core::health::burn_rate::{BurnRate, Config, Edge, Rule};
use seawall_core::{Instant, Ratio};
use seawall_loom::race;

const NOW: Instant = Instant::ZERO;
const LATER: Instant = Instant::from_nanos(1);

/// An alert at the rate of the budget, over windows of one bucket: of two nanoseconds, and of one.
fn alert() -> &'static BurnRate<1> {
    let rule = Rule::tenths(10, Duration::from_nanos(2)).short(Duration::from_nanos(1));
    Box::leak(Box::new(BurnRate::new(Config::new(Ratio::percent(50), rule).minimum_calls(1))))
}

// Mutant: burn_rate_edge_in_two_steps
#[test]
fn two_failures_raise_the_alert_once() {
    loom::model(|| {
        let alert = alert();
        let (one, other) = race(move || alert.record(false, NOW), || alert.record(false, NOW));
        assert_eq!(one.into_iter().chain(other).collect::<Vec<_>>(), [Edge::Raised]);
        assert_eq!(alert.check(NOW), None);
        assert!(alert.is_raised(NOW));
    });
}

// Mutant: burn_rate_edge_in_two_steps
#[test]
fn two_readers_see_the_short_window_clear_it_once() {
    loom::model(|| {
        let alert = alert();
        assert_eq!(alert.record(false, NOW), Some(Edge::Raised));
        let (one, other) = race(move || alert.check(LATER), || alert.check(LATER));
        assert_eq!(one.into_iter().chain(other).collect::<Vec<_>>(), [Edge::Cleared]);
        assert_eq!(alert.check(LATER), None);
    });
}
