//! Recorded calls, against the replay of their log.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::record_replay::check(bytes));
