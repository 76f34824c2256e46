//! The learned timeouts against exact models of their rules.

use core::time::Duration;

use proptest::prelude::*;
use seawall_core::adaptive_timeout::{AdaptiveTimeout, Config, Growth, PercentileTimeout};
use seawall_core::histogram::{Histogram, buckets_for};
use seawall_core::{Instant, Outcome};

const NOW: Instant = Instant::ZERO;

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Success),
        3 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignored),
        1 => Just(Outcome::Cancelled),
    ]
}

/// Microseconds, often near what timeouts are.
fn micros() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..50_000, 0_u64..1_000_000_000, Just(u64::MAX / 1000), Just(0)]
}

fn timeout() -> impl Strategy<Value = (Config, u128, u128, u128)> {
    (1_u64..100_000, 0_u64..1_000_000, 0_u64..1_000_000).prop_map(|(min, initial, max)| {
        let (initial, max) = (min + initial, min + initial + max);
        let of = Duration::from_micros;
        (Config::new(of(initial)).at_least(of(min)).at_most(of(max)), min.into(), initial.into(), max.into())
    })
}

fn as_micros(duration: Duration) -> u128 {
    duration.as_micros()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_step_rule_is_the_documents_rule(
        (config, min, initial, max) in timeout(),
        any_failure in any::<bool>(),
        attempts in prop::collection::vec((outcome(), micros()), 0..60),
    ) {
        let growth = if any_failure { Growth::Failures } else { Growth::Timeouts };
        let timeout = AdaptiveTimeout::new(config.grow_on(growth));
        let mut model = initial;
        for (outcome, elapsed) in attempts {
            let adjustment = timeout.record(outcome, Duration::from_micros(elapsed));
            let elapsed = u128::from(elapsed);
            let late = elapsed >= model - model / 16;
            let next = match outcome {
                Outcome::Success => (model * 95 / 100).max(2 * elapsed),
                Outcome::Failure if late || any_failure => (model * 110).div_ceil(100),
                _ => model,
            };
            let next = next.clamp(min, max);
            prop_assert_eq!(as_micros(timeout.current(NOW)), next);
            let told = adjustment.map(|change| (as_micros(change.from), as_micros(change.to)));
            prop_assert_eq!(told, (next != model).then_some((model, next)));
            model = next;
        }
    }

    /// The percentile is that of a histogram of the latest samples, of which there are more than 50 and at most 100.
    #[test]
    fn the_percentile_rule_goes_half_up_and_a_tenth_down(
        (config, min, initial, max) in timeout(),
        attempts in prop::collection::vec((outcome(), 0_u64..100_000), 0..400),
    ) {
        const BUCKETS: usize = buckets_for(4, 100_000);
        let timeout = PercentileTimeout::<4, BUCKETS>::new(config);
        let mut samples = Vec::new();
        let mut model = initial;
        for (outcome, elapsed) in attempts {
            let adjustment = timeout.record(outcome, Duration::from_micros(elapsed));
            let late = u128::from(elapsed) >= model - model / 16;
            let counts = outcome == Outcome::Success || outcome == Outcome::Failure && late;
            if !counts {
                prop_assert!(adjustment.is_none());
                continue;
            }
            samples.push(elapsed);
            let mut next = model;
            if samples.len() % 10 == 0 {
                let epoch = samples.len() / 50 * 50;
                // Sample number n is of the epoch n / 50, and the one before counts too.
                let first = epoch.saturating_sub(50).saturating_sub(1);
                let recent = Histogram::<4, BUCKETS>::new();
                samples[first..].iter().for_each(|&sample| recent.record(sample));
                let desired = 2 * u128::from(recent.percentile(seawall_core::Ratio::percent(95)).unwrap());
                next = if desired > model {
                    model + (desired - model).div_ceil(2)
                } else {
                    model - (model - desired).div_ceil(10)
                };
                next = next.clamp(min, max);
            }
            prop_assert_eq!(as_micros(timeout.current(NOW)), next);
            prop_assert_eq!(adjustment.is_some(), next != model);
            model = next;
        }
        prop_assert_eq!(timeout.samples() as usize, samples.len());
    }
}
