//! What the fuzzer once found worth keeping holds in every ordinary test run.
#![cfg(not(loom))]

use std::fs;
use std::path::Path;

/// A target's file, and the test that replays its corpus.
macro_rules! targets {
    ($($(#[$meta:meta])* $name:ident $path:literal $test:ident;)*) => {$(
        $(#[$meta])*
        #[path = $path]
        #[allow(dead_code, unreachable_pub)] // The file is a public module of the fuzz package.
        mod $name;

        $(#[$meta])*
        #[test]
        fn $test() {
            replay(stringify!($name), $name::check);
        }
    )*};
}

#[path = "../../fuzz/src/input.rs"]
#[allow(dead_code, unreachable_pub)]
mod input;

targets! {
    adaptive_concurrency "../../fuzz/src/adaptive_concurrency.rs" an_adaptive_limit_follows_its_windows;
    adaptive_rate "../../fuzz/src/adaptive_rate.rs" a_rate_follows_its_windows_exactly;
    adaptive_timeout "../../fuzz/src/adaptive_timeout.rs" timeouts_follow_attempts_by_exact_steps;
    adjustable "../../fuzz/src/adjustable.rs" an_adjustable_limiter_keeps_its_tokens;
    bulkhead "../../fuzz/src/bulkhead.rs" the_bulkhead_answers_as_its_books_do;
    change_detector "../../fuzz/src/change_detector.rs" the_change_detector_keeps_its_rule;
    #[cfg(feature = "chaos")]
    chaos "../../fuzz/src/chaos.rs" what_strikes_is_what_the_rules_say;
    circuit_breaker "../../fuzz/src/circuit_breaker.rs" the_circuit_breaker_answers_as_the_oracle_does;
    composite "../../fuzz/src/composite.rs" the_whole_is_healthy_by_a_count;
    degradation "../../fuzz/src/degradation.rs" levels_are_those_of_plain_lists;
    driver "../../fuzz/src/driver.rs" components_are_driven_to_the_levels_of_lists;
    error_budget "../../fuzz/src/error_budget.rs" budgets_and_burn_rates_are_exact_fractions;
    event_ring "../../fuzz/src/event_ring.rs" a_ring_is_the_end_of_a_list;
    guard "../../fuzz/src/guard.rs" the_books_of_a_guard_balance;
    health_check "../../fuzz/src/health_check.rs" a_health_check_says_what_the_list_says;
    hedge "../../fuzz/src/hedge.rs" hedges_are_late_enough_and_paid_for;
    histogram "../../fuzz/src/histogram.rs" histograms_answer_as_a_sorted_list_does;
    keyed "../../fuzz/src/keyed.rs" the_keyed_limiter_has_a_bucket_for_each_key;
    keyed_breaker "../../fuzz/src/keyed_breaker.rs" the_keyed_breaker_has_a_breaker_for_each_key;
    load_shedder "../../fuzz/src/load_shedder.rs" shares_of_what_is_shed_are_exact;
    rate_limiter "../../fuzz/src/rate_limiter.rs" the_rate_limiter_answers_as_exact_arithmetic_does;
    record_log "../../fuzz/src/record_log.rs" a_log_is_read_in_one_way_or_not_at_all;
    record_replay "../../fuzz/src/record_replay.rs" a_log_replays_to_the_same_decisions;
    retry "../../fuzz/src/retry.rs" retries_are_paid_for_and_delays_are_within_bounds;
    window "../../fuzz/src/window.rs" sums_are_those_of_a_list;
}

/// Runs `check` on every file of the target's corpus.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is committed") {
        let path = entry.expect("the corpus can be listed").path();
        check(&fs::read(&path).expect("the corpus can be read"));
        inputs += 1;
    }
    assert!(inputs >= 30, "only {inputs} inputs in {}", folder.display());
}
