//! What each state takes, in bytes.

use seawall_core::histogram::{Histogram, buckets_for};
use seawall_core::{
    AdaptiveConcurrency, AdaptiveTimeout, AdjustableRateLimiter, AutoDegradation, Bulkhead, BurnRate,
    ChangeDetector, CircuitBreaker, Composite, Degradation, Driver, ErrorBudget, EventRing, Guard,
    HealthCheck, KeyedCircuitBreaker, KeyedRateLimiter, LatencyBudget, LoadShedder, RateLimiter, Retry, Rng,
    RotatingHistogram, Window,
};

/// Microseconds up to a minute, to one part in 16.
const MICROS: usize = buckets_for(4, 60_000_000);

/// The sizes on a 64-bit host with wide words, or on a 32-bit target; elsewhere nothing is promised.
const COLUMN: Option<usize> = if cfg!(all(target_pointer_width = "64", not(seawall_word32))) {
    Some(0)
} else if cfg!(target_pointer_width = "32") {
    Some(1)
} else {
    None
};

/// The table of `core/README.md`.
#[cfg_attr(test, test)]
pub(crate) fn every_state_has_the_documented_size() {
    let table = [
        ("Bulkhead<0>", size_of::<Bulkhead<0>>(), [40, 32]),
        ("Bulkhead<8>", size_of::<Bulkhead<8>>(), [296, 192]),
        ("CircuitBreaker<0>", size_of::<CircuitBreaker<0>>(), [304, 296]),
        ("CircuitBreaker<10>", size_of::<CircuitBreaker<10>>(), [504, 496]),
        ("RateLimiter", size_of::<RateLimiter>(), [80, 64]),
        ("AdjustableRateLimiter", size_of::<AdjustableRateLimiter>(), [128, 100]),
        ("KeyedRateLimiter<256>", size_of::<KeyedRateLimiter<256>>(), [2192, 1120]),
        ("KeyedCircuitBreaker<256>", size_of::<KeyedCircuitBreaker<256>>(), [6432, 3328]),
        ("AdaptiveConcurrency", size_of::<AdaptiveConcurrency>(), [160, 152]),
        ("LoadShedder<10>", size_of::<LoadShedder<10>>(), [384, 352]),
        ("Retry", size_of::<Retry>(), [152, 136]),
        ("AdaptiveTimeout", size_of::<AdaptiveTimeout>(), [20, 20]),
        ("ErrorBudget<10>", size_of::<ErrorBudget<10>>(), [328, 328]),
        ("BurnRate<10>", size_of::<BurnRate<10>>(), [640, 640]),
        ("LatencyBudget", size_of::<LatencyBudget>(), [9144, 4752]),
        ("HealthCheck<0>", size_of::<HealthCheck<0>>(), [168, 168]),
        ("HealthCheck<10>", size_of::<HealthCheck<10>>(), [368, 368]),
        ("Composite", size_of::<Composite>(), [8, 8]),
        ("Degradation", size_of::<Degradation>(), [4, 4]),
        ("AutoDegradation", size_of::<AutoDegradation>(), [48, 40]),
        ("Driver", size_of::<Driver>(), [40, 32]),
        ("Window<0>", size_of::<Window<0>>(), [88, 88]),
        ("Window<10>", size_of::<Window<10>>(), [288, 288]),
        ("Histogram<4, 365>", size_of::<Histogram<4, MICROS>>(), [2928, 1464]),
        ("RotatingHistogram<4, 365>", size_of::<RotatingHistogram<4, MICROS>>(), [8800, 4408]),
        ("ChangeDetector", size_of::<ChangeDetector>(), [24, 24]),
        ("EventRing<8>", size_of::<EventRing<8>>(), [228, 228]),
        ("Rng", size_of::<Rng>(), [4, 4]),
        ("Guard<0, 0>", size_of::<Guard<0, 0>>(), [1024, 848]),
        ("Guard", size_of::<Guard>(), [1680, 1408]),
    ];
    assert_eq!(MICROS, 365);
    for (name, size, documented) in table {
        if let Some(column) = COLUMN {
            assert_eq!(size, documented[column], "{name}");
        }
    }
}
