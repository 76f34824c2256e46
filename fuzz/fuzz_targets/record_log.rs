//! Arbitrary bytes against the reader of recorded logs, and a guard against what it reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::record_log::check(bytes));
