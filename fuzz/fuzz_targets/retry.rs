//! Calls and failures, against plain arithmetic of budget and backoff.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::retry::check(bytes));
