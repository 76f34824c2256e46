//! Sequences of operations on a circuit breaker, against one that is plain and sequential.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seawall_fuzz::circuit_breaker::check(bytes));
