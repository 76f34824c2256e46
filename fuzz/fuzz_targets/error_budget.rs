//! Calls on budgets and burn rates, against exact fractions.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::error_budget::check(bytes));
