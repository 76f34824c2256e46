//! Sequences of operations on a bulkhead, against a count, a limit and a list.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::bulkhead::check(bytes));
