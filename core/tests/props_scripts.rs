//! Any bytes are a script for each pattern, and the plain oracle of its fuzz target has to agree with it.
//!
//! `fuzz_corpus.rs` replays what the fuzzer chose; these are the scripts of chance, as many as `PROPTEST_CASES` says.
#![cfg(not(loom))]

use proptest::collection::vec;
use proptest::prelude::*;

/// A target's file, and the property that any script of it holds.
macro_rules! targets {
    ($($name:ident $path:literal $test:ident;)*) => {
        $(
            #[path = $path]
            #[allow(dead_code, unreachable_pub)] // The file is a public module of the fuzz package.
            mod $name;
        )*
        proptest! {
            $(
                #[test]
                fn $test(bytes in vec(any::<u8>(), 0..500)) {
                    $name::check(&bytes);
                }
            )*
        }
    };
}

#[path = "../../fuzz/src/input.rs"]
#[allow(dead_code, unreachable_pub)]
mod input;

targets! {
    bulkhead "../../fuzz/src/bulkhead.rs" any_script_of_a_bulkhead_agrees_with_its_books;
    change_detector "../../fuzz/src/change_detector.rs" any_script_of_a_change_detector_keeps_its_rule;
    circuit_breaker "../../fuzz/src/circuit_breaker.rs" any_script_of_a_breaker_agrees_with_the_oracle;
    composite "../../fuzz/src/composite.rs" any_script_of_a_whole_agrees_with_a_count;
    degradation "../../fuzz/src/degradation.rs" any_script_of_levels_agrees_with_plain_lists;
    error_budget "../../fuzz/src/error_budget.rs" any_script_of_budgets_agrees_with_exact_fractions;
    event_ring "../../fuzz/src/event_ring.rs" any_script_of_a_ring_agrees_with_a_list;
    guard "../../fuzz/src/guard.rs" any_script_of_a_guard_leaves_its_books_balanced;
    health_check "../../fuzz/src/health_check.rs" any_script_of_a_health_check_agrees_with_its_list;
    histogram "../../fuzz/src/histogram.rs" any_script_of_a_histogram_agrees_with_a_sorted_list;
    keyed "../../fuzz/src/keyed.rs" any_script_of_keys_agrees_with_buckets_without_bounds;
    load_shedder "../../fuzz/src/load_shedder.rs" any_script_of_a_shedder_agrees_with_exact_shares;
    rate_limiter "../../fuzz/src/rate_limiter.rs" any_script_of_a_limiter_agrees_with_exact_arithmetic;
    record_replay "../../fuzz/src/record_replay.rs" any_calls_replay_to_the_same_decisions;
    retry "../../fuzz/src/retry.rs" any_script_of_retries_agrees_with_plain_arithmetic;
    window "../../fuzz/src/window.rs" any_script_of_a_window_agrees_with_a_list;
}
