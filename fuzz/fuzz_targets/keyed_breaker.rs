//! Calls of many keys, against a breaker for each key.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::keyed_breaker::check(bytes));
