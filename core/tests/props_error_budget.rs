//! The error budget against exact arithmetic over a list of calls.
#![cfg(not(loom))]
#![allow(missing_docs)]

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::health::error_budget::{Config, Edge, ErrorBudget};
use seawall_core::{Instant, Ratio};

const SLOTS: usize = 5;
const WIDTH: u64 = 1_000;

fn objective() -> impl Strategy<Value = Ratio> {
    prop_oneof![
        Just(Ratio::ZERO),
        Just(Ratio::ONE),
        (0_u32..=100).prop_map(Ratio::percent),
        (1_u32.., any::<u32>()).prop_map(|(whole, part)| Ratio::try_new(part % whole, whole).unwrap()),
    ]
}

proptest! {
    #[test]
    fn the_account_and_the_edges_equal_the_model(
        objective in objective(),
        minimum in 0_u32..10,
        steps in vec((0_u64..2_500, prop::option::weighted(0.8, any::<bool>())), 1..200),
    ) {
        let span = Duration::from_nanos(WIDTH * SLOTS as u64);
        let budget = ErrorBudget::<SLOTS>::new(Config::new(objective, span).minimum_calls(minimum));
        let (mut events, mut now, mut was_exhausted) = (Vec::new(), 0, false);
        for (pause, step) in steps {
            now += pause;
            let at = Instant::from_nanos(now);
            let edge = match step {
                Some(success) => {
                    events.push((now / WIDTH, success));
                    budget.record(success, at)
                }
                None => budget.check(at),
            };
            events.retain(|&(bucket, _)| now / WIDTH - bucket < SLOTS as u64);
            let calls = events.len() as u128;
            let failures = events.iter().filter(|&&(_, success)| !success).count() as u128;
            let (num, den) = (u128::from(objective.numerator()), u128::from(objective.denominator()));
            let exhausted = calls >= u128::from(minimum) && (calls - failures) * den < calls * num;
            prop_assert_eq!(
                edge,
                match (was_exhausted, exhausted) {
                    (false, true) => Some(Edge::Exhausted),
                    (true, false) => Some(Edge::Recovered),
                    _ => None,
                }
            );
            was_exhausted = exhausted;

            let account = budget.snapshot(at);
            prop_assert_eq!(budget.is_exhausted(at), exhausted);
            prop_assert_eq!(account.exhausted, exhausted);
            prop_assert_eq!((u128::from(account.calls), u128::from(account.failures)), (calls, failures));
            prop_assert_eq!(u128::from(account.allowed_failures), calls * (den - num) / den);
            let spent = if failures == 0 {
                0
            } else {
                (failures * den * 1_000_000)
                    .checked_div(calls * (den - num))
                    .unwrap_or(u128::MAX)
                    .min(u128::from(u32::MAX))
            };
            prop_assert_eq!(u128::from(account.spent_millionths), spent);
            let remaining = 1_000_000 - spent.min(1_000_000);
            prop_assert_eq!(u128::from(account.remaining.of(1_000_000)), remaining);
            let available = u128::from(account.availability.numerator()) * calls.max(1);
            let successes = if calls == 0 { 1 } else { calls - failures };
            prop_assert_eq!(available, successes * u128::from(account.availability.denominator()));
        }
    }
}
