//! Models of the composite: each edge of the whole is told once.
#![cfg(loom)]
#![allow(missing_docs)]

use seawall_core::health::composite::{Composite, Edge, Rule};
use seawall_loom::race;

fn whole(members: u8, rule: Rule) -> &'static Composite {
    Box::leak(Box::new(Composite::new(members, rule)))
}

// Mutant: composite_edge_in_two_steps
#[test]
fn the_last_two_members_make_the_whole_healthy_once() {
    loom::model(|| {
        let whole = whole(2, Rule::All);
        let (one, other) = race(move || whole.report(0, true), || whole.report(1, true));
        assert_eq!(one.into_iter().chain(other).collect::<Vec<_>>(), [Edge::Healthy]);
        assert!(whole.is_healthy());
    });
}

// Mutant: composite_edge_in_two_steps
#[test]
fn edges_of_a_member_that_comes_and_one_that_goes_alternate() {
    loom::model(|| {
        let whole = whole(3, Rule::Quorum(2));
        whole.report(0, true);
        whole.report(1, true);
        let (goes, comes) = race(move || whole.report(0, false), || whole.report(2, true));
        assert!(whole.is_healthy());
        // Either the one that comes is in time, or both cross the line.
        assert!(matches!((goes, comes), (None, None) | (Some(Edge::Unhealthy), Some(Edge::Healthy))));
    });
}

// Mutant: composite_edge_in_two_steps
#[test]
fn a_clear_beside_a_report_tells_every_edge() {
    loom::model(|| {
        let whole = whole(2, Rule::Any);
        whole.report(0, true);
        let (cleared, reported) = race(move || whole.clear(), || whole.report(1, true));
        assert_eq!(cleared, Some(Edge::Unhealthy));
        assert_eq!(whole.is_healthy(), reported == Some(Edge::Healthy));
    });
}
