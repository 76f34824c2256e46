//! Models of the error budget: each edge is told once.
#![cfg(loom)]
#![allow(missing_docs)]

use core::time::Duration;

use loom::sync::Arc;
use loom::thread;
use seawall_core::health::error_budget::{Config, Edge, ErrorBudget};
use seawall_core::{Instant, Ratio};

/// A budget over one bucket of one nanosecond, for an objective of one half.
fn budget() -> Arc<ErrorBudget<1>> {
    let config = Config::new(Ratio::percent(50), Duration::from_nanos(1)).minimum_calls(1);
    Arc::new(ErrorBudget::new(config))
}

const NOW: Instant = Instant::ZERO;
const LATER: Instant = Instant::from_nanos(1);

// Mutant: error_budget_edge_in_two_steps
#[test]
fn two_failures_exhaust_the_budget_once() {
    loom::model(|| {
        let budget = budget();
        let other = {
            let budget = budget.clone();
            thread::spawn(move || budget.record(false, NOW))
        };
        let here = budget.record(false, NOW);
        let there = other.join().unwrap();
        assert_eq!(here.into_iter().chain(there).collect::<Vec<_>>(), [Edge::Exhausted]);
        assert!(budget.is_exhausted(NOW));
        assert_eq!(budget.check(NOW), None);
    });
}

// Mutant: error_budget_edge_in_two_steps
#[test]
fn two_readers_see_one_recovery() {
    loom::model(|| {
        let budget = budget();
        assert_eq!(budget.record(false, NOW), Some(Edge::Exhausted));
        let other = {
            let budget = budget.clone();
            thread::spawn(move || budget.check(LATER))
        };
        let here = budget.check(LATER);
        let there = other.join().unwrap();
        assert_eq!(here.into_iter().chain(there).collect::<Vec<_>>(), [Edge::Recovered]);
        assert_eq!(budget.check(LATER), None);
    });
}

// Mutant: error_budget_edge_in_two_steps
#[test]
fn edges_in_both_directions_alternate_and_settle() {
    loom::model(|| {
        let budget = budget();
        let other = {
            let budget = budget.clone();
            thread::spawn(move || budget.record(false, NOW))
        };
        let here = [false, true, true].map(|success| budget.record(success, NOW));
        let there = other.join().unwrap();
        let last = budget.check(NOW);
        let edges: Vec<_> = here.into_iter().chain([there, last]).flatten().collect();
        // Two failures in four calls meet the objective, and the word says so once nobody is at work.
        let exhausted = edges.iter().filter(|&&edge| edge == Edge::Exhausted).count();
        assert_eq!(exhausted * 2, edges.len(), "{edges:?}");
        assert!(!budget.is_exhausted(NOW));
        assert_eq!(budget.check(NOW), None);
    });
}
