//! Takes, refunds and leaps of the clock, against exact arithmetic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::rate_limiter::check(bytes));
