//! Whole calls through a guard, against its books.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::guard::check(bytes));
