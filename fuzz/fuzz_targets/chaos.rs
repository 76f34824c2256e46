//! Rules, armings and moments, against the rules as a list.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::chaos::check(bytes));
