//! Latencies and calls, against the list of latencies and a plain budget.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::hedge::check(bytes));
