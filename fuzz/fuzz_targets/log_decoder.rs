//! Arbitrary bytes and damaged logs, against the reader and the replay of logs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::log_decoder::check(bytes));
