//! Calls and latencies, against the exact rule of an adaptive rate.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::adaptive_rate::check(bytes));
