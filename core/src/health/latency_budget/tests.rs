extern crate std;
use std::format;
use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::atomic::sync::{Wide, probe};

const MINUTE: Duration = Duration::from_secs(60);
const TARGET: Duration = Duration::from_millis(100);

fn secs(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn p95() -> LatencyBudget {
    LatencyBudget::new(Config::new(Ratio::percent(95), TARGET, MINUTE))
}

#[test]
fn a_budget_stands_in_a_static_and_has_the_documented_size() {
    static SEND: LatencyBudget = LatencyBudget::new(Config::new(Ratio::percent(95), TARGET, MINUTE));
    assert_eq!(SEND.record(millis(1), secs(0)), None);
    assert_eq!((SEND.target(), SEND.share()), (TARGET, Ratio::percent(95)));
    if Wide::BITS == 64 {
        let kib = size_of::<LatencyBudget>().div_ceil(1024);
        assert_eq!(kib, 9);
    }
    assert!(format!("{SEND:?}").contains("target: 100ms"));
}

// What the original did wrong.

#[test]
fn eb3_one_slow_call_does_not_exhaust_the_budget() {
    let budget = p95();
    assert_eq!(budget.record(millis(101), secs(0)), None);
    assert!((0..18).all(|_| budget.record(millis(100), secs(1)).is_none()));
    // One of twenty is what the promise allows, two of twenty-one are not.
    assert_eq!(budget.record(millis(5), secs(2)), None);
    assert_eq!(budget.record(Duration::MAX, secs(2)), Some(Edge::Exhausted));
    let seen = budget.snapshot(secs(2));
    assert_eq!((seen.calls, seen.violations, seen.allowed_violations), (21, 2, 1));
    assert_eq!(seen.compliance, Ratio::try_new(19, 21).unwrap());
    assert_eq!((seen.remaining.of(1), seen.exhausted), (0, true));
    assert_eq!(seen.spent_millionths, 1_904_761);
}

#[test]
fn eb9_the_percentile_is_the_promised_one() {
    let budget = p95();
    for n in 1..=100 {
        budget.record(millis(n), secs(1));
    }
    let above = |latency: Duration, exact| latency >= millis(exact) && latency < millis(exact) * 17 / 16;
    assert!(above(budget.snapshot(secs(1)).latency.unwrap(), 95));
    assert!(above(budget.percentile(Ratio::percent(50), secs(1)).unwrap(), 50));
    assert!(above(budget.percentile(Ratio::ONE, secs(1)).unwrap(), 100));
}

#[test]
fn eb10_compliance_is_that_of_the_window() {
    let budget = p95();
    let edges: Vec<_> = (0..40).filter_map(|_| budget.record(millis(300), secs(12))).collect();
    assert_eq!(edges, [Edge::Exhausted]);
    assert!(budget.is_exhausted(secs(71)) && !budget.is_exhausted(secs(72)));
    assert_eq!(budget.check(secs(71)), None);
    assert_eq!(budget.check(secs(72)), Some(Edge::Recovered));
    let seen = budget.snapshot(secs(120));
    assert_eq!((seen.calls, seen.compliance, seen.latency), (0, Ratio::ONE, None));
}

/// The decision is what a sorted list says of the percentile, for every promise.
#[test]
fn the_budget_is_exhausted_when_the_exact_percentile_is_above_the_target() {
    let mut seed = 1_u32;
    for percent in [1, 50, 90, 95, 99, 100] {
        let share = Ratio::percent(percent);
        let budget: LatencyBudget = LatencyBudget::new(Config::new(share, TARGET, MINUTE).minimum_calls(1));
        let mut latencies = Vec::new();
        for _ in 0..300 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let latency = millis(95 + u64::from(seed >> 28));
            budget.record(latency, secs(5));
            latencies.push(latency);
            latencies.sort_unstable();
            let rank = (latencies.len() * percent as usize).div_ceil(100).max(1);
            assert_eq!(budget.is_exhausted(secs(5)), latencies[rank - 1] > TARGET);
        }
    }
}

#[test]
fn latencies_beyond_the_range_are_counted() {
    let budget = p95();
    for _ in 0..3 {
        budget.record(Duration::MAX, secs(0));
    }
    assert!(budget.snapshot(secs(0)).latency.unwrap() >= MINUTE);
    assert_eq!(budget.snapshot(secs(0)).violations, 3);
}

#[test]
fn a_span_that_cannot_be_cut_is_refused() {
    let error = |span| LatencyBudget::<4, 1, 3>::try_new(Config::new(Ratio::ONE, TARGET, span)).unwrap_err();
    let words = "latency_budget.span must be a whole, positive number of nanoseconds in each slot";
    assert_eq!(error(Duration::from_nanos(10)).to_string(), words);
    let tiny = Config::new(Ratio::ONE, TARGET, Duration::from_nanos(1));
    let error = LatencyBudget::<4, 1, 1>::try_new(tiny).unwrap_err();
    assert_eq!(error.to_string(), "latency_budget.span must be at least two nanoseconds");
}

#[test]
fn costs_are_as_documented() {
    let (budget, errors) =
        (p95(), ErrorBudget::<10>::new(error_budget::Config::new(Ratio::percent(95), MINUTE)));
    for second in 0..100 {
        budget.record(millis(1), secs(second));
        errors.record(true, secs(second));
    }
    let (of_errors, _) = probe::count(|| errors.record(true, secs(99)));
    let (of_budget, _) = probe::count(|| budget.record(millis(1), secs(99)));
    assert_eq!((of_budget.loads, of_budget.writes), (of_errors.loads + 1, of_errors.writes + 1));
}

#[test]
fn without_a_slot_nothing_would_be_counted() {
    let config = Config::new(Ratio::ONE, TARGET, Duration::from_secs(60));
    let error = LatencyBudget::<4, 1, 0>::try_new(config).unwrap_err();
    assert_eq!(error.to_string(), "latency_budget.span must be counted by at least one slot");
}
