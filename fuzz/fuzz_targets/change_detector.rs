//! Values for a change detector, against its documented rule.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::change_detector::check(bytes));
