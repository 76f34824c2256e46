//! Timeouts that are learned, and what would lock them in.

use core::time::Duration;

use seawall_core::adaptive_timeout::{AdaptiveTimeout, Config, PercentileTimeout};
use seawall_core::histogram::buckets_for;
use seawall_core::{Deadline, Outcome};

use super::support::{SECOND, ms, s};

type Percentile = PercentileTimeout<3, { buckets_for(3, 2_000_000) }>;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How an attempt that needs `needs` ends within `given`, and after what time.
fn ends(needs: Duration, given: Duration) -> (Outcome, Duration) {
    if needs <= given { (Outcome::Success, needs) } else { (Outcome::Failure, given) }
}

/// A hundred fast calls, then everything is five milliseconds slower, or a second.
#[cfg_attr(test, test)]
pub(crate) fn tm1_a_slower_peer_is_reached_again_by_either_rule() {
    for slower in [11, 16, 1000] {
        let step = AdaptiveTimeout::new(Config::new(SECOND));
        let percentile = Percentile::new(Config::new(SECOND));
        let mut lost = [0_u32; 2];
        for call in 0..500 {
            let needs = millis(if call < 100 { 6 } else { slower });
            let (outcome, elapsed) = ends(needs, step.current(s(1)));
            lost[0] += u32::from(outcome == Outcome::Failure);
            step.record(outcome, elapsed);
            let (outcome, elapsed) = ends(needs, percentile.current(s(1)));
            lost[1] += u32::from(outcome == Outcome::Failure);
            percentile.record(outcome, elapsed);
        }
        assert!(lost[0] <= 47 && lost[1] <= 120, "{slower} ms: {lost:?} of 400 are lost");
        assert!(millis(slower) <= step.current(s(1)) && millis(slower) <= percentile.current(s(1)));
    }
}

#[cfg_attr(test, test)]
pub(crate) fn tm5_a_timeout_that_is_set_by_hand_stays() {
    let timeout = AdaptiveTimeout::new(Config::new(SECOND));
    timeout.set(millis(70)).unwrap();
    for _ in 0..100 {
        assert!(timeout.record(Outcome::Success, millis(1)).is_none());
    }
    assert_eq!(timeout.current(s(1)), millis(70));
    timeout.resume();
    assert_eq!(timeout.record(Outcome::Success, millis(1)).unwrap().to, Duration::from_micros(66_500));
}

#[cfg_attr(test, test)]
pub(crate) fn s2_6_a_learned_timeout_keeps_its_bounds_and_the_deadline() {
    let timeout = AdaptiveTimeout::new(Config::new(SECOND));
    for _ in 0..200 {
        timeout.record(Outcome::Success, Duration::ZERO);
    }
    assert_eq!(timeout.current(s(1)), millis(10));
    for _ in 0..200 {
        timeout.record(Outcome::Failure, Duration::MAX);
    }
    assert_eq!(timeout.current(s(1)), 300 * SECOND);
    let call = Deadline::at(ms(1200));
    assert_eq!(timeout.limit(call, s(1)), call);
}
