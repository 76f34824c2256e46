//! Readings of signals, against the levels of plain lists.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::driver::check(bytes));
