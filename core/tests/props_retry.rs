//! The retry budget against an exact model: every sum in integers that cannot overflow.

use core::time::Duration;

use proptest::prelude::*;
use seawall_core::retry::{Config, Decision, GiveUp, Kind};
use seawall_core::{Backoff, Deadline, Hedge, Instant, Ratio, Retry};

const NOW: Instant = Instant::ZERO;
const HEDGE: Hedge = Hedge::after(Duration::ZERO);
const KINDS: [Kind; 3] = [Kind::Failure, Kind::Timeout, Kind::Throttled];

#[derive(Clone, Copy, Debug)]
enum Step {
    Starts,
    Succeeds,
    Fails(usize),
    Hedges,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Starts),
        Just(Step::Succeeds),
        (0_usize..3).prop_map(Step::Fails),
        Just(Step::Hedges)
    ]
}

fn ratio() -> impl Strategy<Value = Ratio> {
    (1_u32..1000).prop_flat_map(|denominator| {
        (0..=denominator).prop_map(move |numerator| Ratio::try_new(numerator, denominator).unwrap())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_balance_is_that_of_exact_arithmetic(
        ratio in ratio(),
        cap in 0_u32..50,
        costs in prop::array::uniform3(1_u8..),
        throttles in any::<bool>(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let config = Config::attempts(2, Backoff::constant(Duration::ZERO));
        let config = if throttles { config.throttle(ratio, cap) } else { config.budget(ratio, cap, 0) };
        let config = KINDS.into_iter().zip(costs).fold(config, |config, (kind, cost)| config.cost(kind, cost));
        let retry = Retry::new(config);

        let token = i128::from(ratio.denominator());
        let full = i128::from(cap) * token;
        let mut units = full;
        let (mut granted, mut paid) = (0, 0);
        for step in steps {
            match step {
                Step::Starts | Step::Succeeds => {
                    let pays = matches!(step, Step::Succeeds) == throttles;
                    if matches!(step, Step::Starts) { retry.call_started() } else { retry.call_succeeded() }
                    if pays {
                        units = (units + i128::from(ratio.numerator())).min(full);
                        paid += i128::from(ratio.numerator());
                    }
                }
                Step::Fails(kind) => {
                    let cost = i128::from(costs[kind]) * token;
                    let expected = if throttles {
                        units = (units - cost).max(0);
                        units > full / 2
                    } else {
                        units >= cost
                    };
                    if expected && !throttles {
                        units -= cost;
                    }
                    let decision = retry.decide_as(KINDS[kind], 1, Duration::ZERO, Deadline::NONE, 0, NOW);
                    let wanted =
                        if expected { Decision::RetryAfter(Duration::ZERO) } else { Decision::GiveUp(GiveUp::Budget) };
                    prop_assert_eq!(decision, wanted);
                    granted += i128::from(expected) * cost;
                }
                Step::Hedges => {
                    let cost = i128::from(costs[0]) * token;
                    let expected = if throttles { units > full / 2 } else { units >= cost };
                    if expected && !throttles {
                        units -= cost;
                        granted += cost;
                    }
                    prop_assert_eq!(HEDGE.start(0, &(), &retry, Deadline::NONE, NOW).is_ok(), expected);
                }
            }
            prop_assert_eq!(i128::from(retry.balance()), units / token);
        }
        let reserve = if throttles { full / 2 } else { 0 };
        prop_assert!(granted <= full - reserve + paid, "{} granted, {} paid in", granted, paid);
    }
}
