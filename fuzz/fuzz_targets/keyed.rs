//! Calls of many keys, against buckets without bounds.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::keyed::check(bytes));
