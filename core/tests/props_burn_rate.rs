//! Burn rates and latency budgets against exact fractions over lists of calls.
#![cfg(not(loom))]
#![allow(missing_docs)]

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::burn_rate::{BurnRate, Config, Edge, Rule};
use seawall_core::latency_budget::{self, LatencyBudget};
use seawall_core::{Instant, Ratio};

const SLOTS: usize = 4;
/// The short window is a quarter of the long one.
const SHORT: u64 = 500;
const LONG: u64 = 2_000;

fn objective() -> impl Strategy<Value = Ratio> {
    prop_oneof![
        Just(Ratio::ZERO),
        Just(Ratio::ONE),
        (0_u32..=100).prop_map(Ratio::percent),
        (1_u32.., any::<u32>()).prop_map(|(whole, part)| Ratio::try_new(part % whole, whole).unwrap()),
    ]
}

/// The calls and the failures of the last buckets of this width.
fn counts(events: &[(u64, bool)], width: u64, now: u64) -> (u128, u128) {
    let live = events.iter().filter(|&&(at, _)| at / width + SLOTS as u64 > now / width);
    live.fold((0, 0), |(calls, failures), &(_, good)| (calls + 1, failures + u128::from(!good)))
}

proptest! {
    #[test]
    fn the_alert_and_the_rates_equal_the_model(
        objective in objective(),
        tenths in prop_oneof![1_u32..200, 1_u32..],
        minimum in 0_u32..10,
        steps in vec((0_u64..700, prop::option::weighted(0.8, any::<bool>())), 1..200),
    ) {
        let span = |width: u64| Duration::from_nanos(width * SLOTS as u64);
        let rule = Rule::tenths(tenths, span(LONG)).short(span(SHORT));
        let burn = BurnRate::<SLOTS>::new(Config::new(objective, rule).minimum_calls(minimum));
        let spare = u128::from(objective.denominator() - objective.numerator());
        let whole = u128::from(objective.denominator());
        let (mut events, mut now, mut was) = (Vec::new(), 0, false);
        for (pause, step) in steps {
            now += pause;
            let at = Instant::from_nanos(now);
            let edge = match step {
                Some(good) => {
                    events.push((now, good));
                    burn.record(good, at)
                }
                None => burn.check(at),
            };
            let (long, short) = (counts(&events, LONG, now), counts(&events, SHORT, now));
            // Failures over what the calls allow reach the factor: fractions, both sides multiplied out.
            let burns = |(calls, failures): (u128, u128)| {
                failures > 0 && failures * whole * 10 >= calls * spare * u128::from(tenths)
            };
            let raised = long.0 >= u128::from(minimum) && burns(long) && burns(short);
            let expected = match (was, raised) {
                (false, true) => Some(Edge::Raised),
                (true, false) => Some(Edge::Cleared),
                _ => None,
            };
            prop_assert_eq!(edge, expected);
            was = raised;
            let seen = burn.snapshot(at);
            prop_assert_eq!((u128::from(seen.calls), seen.raised), (long.0, raised));
            let thousandths = |(calls, failures): (u128, u128)| {
                let rate = if failures == 0 { Some(0) } else { (failures * whole * 1000).checked_div(calls * spare) };
                rate.and_then(|rate| u32::try_from(rate).ok()).unwrap_or(u32::MAX)
            };
            prop_assert_eq!(seen.long_thousandths, thousandths(long));
            prop_assert_eq!(seen.short_thousandths, thousandths(short));
        }
    }

    #[test]
    fn a_promise_is_judged_by_exact_counts(
        percent in 0_u32..=100,
        target in 0_u64..3_000,
        minimum in 0_u32..10,
        steps in vec((0_u64..700, 0_u64..6_000), 1..150),
    ) {
        let span = Duration::from_nanos(LONG * SLOTS as u64);
        let (target, share) = (Duration::from_micros(target), Ratio::percent(percent));
        let config = latency_budget::Config::new(share, target, span).minimum_calls(minimum);
        let budget = LatencyBudget::<5, 256, SLOTS>::try_new(config).unwrap();
        let (mut events, mut now, mut was) = (Vec::new(), 0, false);
        for (pause, micros) in steps {
            now += pause;
            let (at, took) = (Instant::from_nanos(now), Duration::from_micros(micros));
            events.push((now, took <= target));
            let edge = budget.record(took, at);
            let (calls, violations) = counts(&events, LONG, now);
            let broken = calls >= u128::from(minimum)
                && (calls - violations) * 100 < calls * u128::from(percent);
            prop_assert_eq!(edge.is_some(), broken != was);
            was = broken;
            let seen = budget.snapshot(at);
            prop_assert_eq!((u128::from(seen.calls), u128::from(seen.violations)), (calls, violations));
            prop_assert_eq!((seen.exhausted, budget.is_exhausted(at)), (broken, broken));
            prop_assert!(seen.latency.is_some(), "this call is recent");
        }
    }
}
