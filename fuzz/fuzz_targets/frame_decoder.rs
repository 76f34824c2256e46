//! Arbitrary bytes against the decoder of DWCP frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::frame_decoder::check(bytes));
