//! Any sequence of operations: the breaker answers as a plain, sequential one does.

#[path = "../../fuzz/src/circuit_breaker.rs"]
#[allow(dead_code, unreachable_pub)] // The file is a public module of the fuzz package.
mod circuit_breaker;

use circuit_breaker::{Operation, Script, run};
use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::Outcome;

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Success),
        4 => Just(Outcome::Failure),
        1 => Just(Outcome::Slow),
        1 => Just(Outcome::Ignored),
        1 => Just(Outcome::Cancelled),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => Just(Operation::Acquire),
        8 => (any::<u8>(), outcome()).prop_map(|(call, outcome)| Operation::Settle { call, outcome }),
        8 => outcome().prop_map(|outcome| Operation::Call { outcome, asks: None }),
        2 => (outcome(), any::<u8>()).prop_map(|(outcome, asks)| Operation::Call { outcome, asks: Some(asks) }),
        1 => Just(Operation::Cancel),
        1 => any::<u8>().prop_map(|call| Operation::Lose { call }),
        4 => (0_u16..40).prop_map(|steps| Operation::Advance { steps }),
        1 => any::<u16>().prop_map(|steps| Operation::Advance { steps }),
        5 => any::<bool>().prop_map(|early| Operation::ComeBack { early }),
        1 => (0_u16..600).prop_map(|steps| Operation::StepBack { steps }),
        1 => Just(Operation::Trip),
        1 => any::<bool>().prop_map(|open| Operation::Force { open }),
        1 => any::<bool>().prop_map(|on| Operation::Shadow { on }),
        1 => prop_oneof![9 => Just(0), 1 => 0_u16..1100].prop_map(|more| Operation::Reset { more }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_breaker_answers_as_the_oracle_does(
        numbers in any::<[u8; 18]>(),
        operations in vec(operation(), 0..100),
    ) {
        run(&Script { setup: Script::setup(numbers), operations });
    }

    #[test]
    fn without_manual_control_too_and_with_longer_stories(
        numbers in any::<[u8; 18]>(),
        operations in vec(operation().prop_filter("not by hand", |operation| {
            !matches!(operation, Operation::Trip | Operation::Force { .. } | Operation::Shadow { .. } | Operation::Reset { .. })
        }), 50..200),
    ) {
        run(&Script { setup: Script::setup(numbers), operations });
    }
}
