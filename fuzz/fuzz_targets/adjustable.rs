//! Quotas one after the other, against buckets in exact arithmetic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::adjustable::check(bytes));
