//! Levels and measures, against plain lists and plain time.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::degradation::check(bytes));
