extern crate std;
use std::string::ToString;
use std::vec::Vec;
use std::{format, thread};

use super::*;
use crate::atomic::sync::probe;

#[test]
fn a_composite_stands_in_a_static_and_has_the_documented_size() {
    static STORES: Composite = Composite::new(32, Rule::All);
    assert_eq!(size_of::<Composite>(), 8);
    assert_eq!((STORES.members(), STORES.required(), STORES.healthy_members()), (32, 32, 0));
    STORES.report(0, true);
    let shown = format!("{:?}", Composite::new(2, Rule::Any));
    assert_eq!(shown, "Composite { members: 2, required: 1, unhealthy: [0, 1] }");
}

/// Every rule over every state of four members, and every report in it.
#[test]
fn the_whole_and_its_edges_follow_from_the_members() {
    const MEMBERS: u8 = 4;
    for (rule, required) in [(Rule::All, 4), (Rule::Any, 1), (Rule::Quorum(2), 2), (Rule::Quorum(3), 3)] {
        for state in 0_u32..1 << MEMBERS {
            for member in 0..MEMBERS {
                for healthy in [false, true] {
                    let whole = Composite::new(MEMBERS, rule);
                    for n in 0..MEMBERS {
                        whole.report(n, state & 1 << n != 0);
                    }
                    let before = state.count_ones() >= required;
                    assert_eq!(whole.is_healthy(), before);
                    let next = if healthy { state | 1 << member } else { state & !(1 << member) };
                    let after = next.count_ones() >= required;
                    let expected = match (before, after) {
                        (false, true) => Some(Edge::Healthy),
                        (true, false) => Some(Edge::Unhealthy),
                        _ => None,
                    };
                    assert_eq!(whole.report(member, healthy), expected);
                    assert_eq!(whole.is_healthy(), after);
                    assert_eq!(whole.is_member_healthy(member), healthy);
                    assert_eq!(whole.healthy_members(), next.count_ones());
                    assert_eq!(whole.clear(), after.then_some(Edge::Unhealthy));
                }
            }
        }
    }
}

#[test]
fn hc6_nothing_is_healthy_before_the_first_report() {
    for rule in [Rule::All, Rule::Any, Rule::Quorum(1)] {
        assert!(!Composite::new(1, rule).is_healthy());
    }
}

#[test]
fn a_member_that_does_not_exist_changes_nothing() {
    let whole = Composite::new(31, Rule::Any);
    for member in [31, 32, 33, u8::MAX] {
        assert_eq!(whole.report(member, true), None);
        assert!(!whole.is_member_healthy(member) && !whole.is_healthy());
    }
    let full = Composite::new(32, Rule::All);
    let edges: Vec<_> = (0..32).filter_map(|member| full.report(member, true)).collect();
    assert_eq!(edges, [Edge::Healthy]);
}

#[test]
fn what_no_number_of_members_can_meet_is_refused() {
    let error = |members, rule| Composite::try_new(members, rule).unwrap_err().to_string();
    assert_eq!(error(0, Rule::All), "composite.members must be between 1 and 32");
    assert_eq!(error(33, Rule::Any), "composite.members must be between 1 and 32");
    let quorum = "composite.quorum must be at least 1 and at most the number of members";
    assert_eq!(error(3, Rule::Quorum(4)), quorum);
    assert_eq!(error(3, Rule::Quorum(0)), quorum);
}

#[test]
fn edges_are_told_once_and_alternate_under_threads() {
    let whole = Composite::new(4, Rule::Quorum(2));
    let balance: i32 = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|member| {
                let whole = &whole;
                scope.spawn(move || {
                    (0..20_000_u32).fold(0, |sum, n| match whole.report(member, n % 3 != 0) {
                        Some(Edge::Healthy) => sum + 1,
                        Some(Edge::Unhealthy) => sum - 1,
                        None => sum,
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(balance, i32::from(whole.is_healthy()));
}

#[test]
fn costs_are_as_documented() {
    let whole = Composite::new(2, Rule::All);
    let cost = |call: &dyn Fn()| {
        let (accesses, ()) = probe::count(call);
        (accesses.loads, accesses.writes)
    };
    assert_eq!(cost(&|| assert!(!whole.is_healthy())), (1, 0));
    assert_eq!(cost(&|| assert_eq!(whole.report(0, true), None)), (1, 1));
    assert_eq!(cost(&|| assert_eq!(whole.report(0, true), None)), (1, 0));
    probe::with_spurious_failures(2, || assert_eq!(whole.report(1, true), Some(Edge::Healthy)));
}
