//! Attempts, against the exact steps of adaptive timeouts.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::adaptive_timeout::check(bytes));
