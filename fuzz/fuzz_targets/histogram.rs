//! Values in histograms, against their sorted list.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::histogram::check(bytes));
