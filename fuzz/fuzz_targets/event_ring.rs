//! Events and readers of a ring, against a list.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::event_ring::check(bytes));
