//! Traffic and load, against exact shares.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::load_shedder::check(bytes));
