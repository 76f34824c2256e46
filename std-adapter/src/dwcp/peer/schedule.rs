//! When to connect again.

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;
use std::hash::RandomState;

/// Exponential pauses with full jitter: each is drawn evenly from nothing to a bound that doubles.
#[derive(Debug)]
pub(super) struct Schedule {
    initial: Duration,
    max: Duration,
    attempt: u32,
}

impl Schedule {
    pub(super) fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max, attempt: 0 }
    }

    /// Starts anew, after a connection that lived long enough.
    pub(super) fn reset(&mut self) {
        self.attempt = 0;
    }

    /// The next pause; `random` is any number, evenly distributed.
    pub(super) fn next(&mut self, random: u64) -> Duration {
        let bound = self.initial.saturating_mul(1 << self.attempt.min(30)).min(self.max);
        self.attempt = self.attempt.saturating_add(1);
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        // The upper half of the product is even over 0..nanos.
        Duration::from_nanos(((u128::from(nanos) * u128::from(random)) >> 64) as u64)
    }
}

/// A number that differs from node to node and from call to call.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::{Schedule, random};
    use core::time::Duration;

    #[test]
    fn the_bound_doubles_up_to_the_maximum() {
        let mut schedule = Schedule::new(Duration::from_millis(50), Duration::from_millis(300));
        let bounds: Vec<u128> = (0..5).map(|_| schedule.next(u64::MAX).as_micros().div_ceil(1000)).collect();
        assert_eq!(bounds, [50, 100, 200, 300, 300]);
        schedule.reset();
        assert_eq!(schedule.next(1 << 63), Duration::from_millis(25));
        assert_eq!(schedule.next(0), Duration::ZERO);
    }

    #[test]
    fn no_attempt_overflows() {
        let mut schedule = Schedule::new(Duration::from_secs(86_400), Duration::from_secs(86_400));
        for _ in 0..100 {
            assert!(schedule.next(random()) <= Duration::from_secs(86_400));
        }
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!(random(), random());
    }
}
