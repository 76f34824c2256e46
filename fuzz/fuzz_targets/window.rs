//! Events in windows, against a list of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::window::check(bytes));
