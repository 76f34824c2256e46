//! Calls and latencies, against the model of an adaptive limit.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::adaptive_concurrency::check(bytes));
