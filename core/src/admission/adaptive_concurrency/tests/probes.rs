//! Probes: what the latency is without a queue.

use super::*;

/// A dependency that is slower for good is not starved: the next probe finds its latency without a queue.
#[test]
fn b53_a_baseline_that_is_too_low_is_probed_away() {
    for slower in [15, 20, 25, 30, 100] {
        let limiter = quick(Config::gradient(100).between(1, 100).probe_every(128));
        let mut now = START;
        samples(&limiter, 5000, 4000, &mut now, queueing(ms(10), 100));
        samples(&limiter, (128 + 64 + 32) * 16, 4000, &mut now, |_| ms(slower));
        if limiter.snapshot().is_probing {
            samples(&limiter, 100, 4000, &mut now, |_| ms(slower));
        }
        assert!(limit(&limiter) >= 90, "{slower}: {limiter:?}");
    }
}

/// Adjustments of a limiter whose every window is one busy call, until one is a probe's.
pub(super) fn until_probe(limiter: &AdaptiveConcurrency) -> u32 {
    (1..100)
        .find(|_| {
            call(limiter, Outcome::Success, ms(10)).is_some_and(|change| change.reason == Reason::Probe)
        })
        .unwrap()
}

#[test]
pub(super) fn a_probe_takes_a_quarter_of_the_limit_and_gives_it_back() {
    let limiter = each(Config::gradient(40).between(2, 40).probe_every(16));
    let mut before: Vec<_> = (0..30).map(|_| limiter.try_acquire(START).unwrap()).collect();
    let windows = until_probe(&limiter);
    assert!((14..=16).contains(&windows), "{windows}");
    assert_eq!((limit(&limiter), limiter.snapshot().is_probing), (10, true));
    let rejected = limiter.try_acquire(START).unwrap_err();
    assert_eq!((rejected.in_flight, rejected.limit, rejected.is_probing), (30, 10, true));
    // Calls from before are stale, whatever they say.
    for outcome in [Outcome::Failure, Outcome::Success] {
        let stale = before.pop().unwrap();
        assert_eq!(stale.record(outcome, START.saturating_add(ms(9000))), None);
    }
    before.truncate(5);
    let probe = limiter.try_acquire(START).unwrap();
    assert!(probe.is_probe());
    let over = probe.record(Outcome::Success, START.saturating_add(ms(12))).unwrap();
    assert_eq!(over, Adjustment { from: 10, to: 40, reason: Reason::ProbeOver });
    let after = limiter.snapshot();
    assert_eq!((after.baseline, after.is_probing), (Some(ms(12)), false));
    // A call of the probe that ends later is stale too.
    assert_eq!(after.latency, Some(ms(12)));
}

#[test]
fn a_probe_that_ends_badly_takes_a_step_down_and_no_baseline() {
    let limiter = each(Config::gradient(40).between(2, 40).probe_every(1));
    let busy: Vec<_> = (0..25).map(|_| limiter.try_acquire(START).unwrap()).collect();
    until_probe(&limiter);
    drop(busy);
    let baseline = limiter.snapshot().baseline;
    let over = call(&limiter, Outcome::Failure, ms(1)).unwrap();
    assert_eq!(over, Adjustment { from: 10, to: 36, reason: Reason::ProbeOver });
    assert_eq!(limiter.snapshot().baseline, baseline);
}

#[test]
fn a_probe_that_calls_hold_up_ends_after_eight_windows() {
    let limiter = AdaptiveConcurrency::new(Config::gradient(40).between(2, 40).samples(1).probe_every(1));
    let mut now = START;
    let held: Vec<_> = (0..25).map(|_| limiter.try_acquire(now).unwrap()).collect();
    for _ in 0..16 {
        if limiter.snapshot().is_probing {
            break;
        }
        let permit = limiter.try_acquire(now).unwrap();
        now = now.saturating_add(ms(100));
        permit.record(Outcome::Success, now);
    }
    let before = now.saturating_add(ms(799));
    assert!(limiter.check(before).is_err() && limiter.try_acquire(before).is_err());
    assert!(limiter.check(now.saturating_add(ms(800))).is_ok());
    let permit = limiter.try_acquire(now.saturating_add(ms(800))).unwrap();
    assert!(!permit.is_probe());
    assert_eq!((limit(&limiter), limiter.snapshot().is_probing), (40, false));
    drop((held, permit));
}

/// Where a window is shorter than what calls take, a probe waits for them: for those from before it and for its own.
#[test]
fn a_probe_lasts_for_four_latencies_and_takes_what_results_it_has() {
    for (latency, lasts) in [(150, 800), (300, 1200), (3000, 12_000), (9000, 25_600)] {
        let config = Config::gradient(40).between(2, 40).samples(4).probe_every(1);
        let limiter = AdaptiveConcurrency::new(config);
        let mut now = START;
        while !limiter.snapshot().is_probing {
            let permits: Vec<_> = (0..40).map_while(|_| limiter.try_acquire(now).ok()).collect();
            now = now.saturating_add(ms(latency));
            for permit in permits {
                permit.record(Outcome::Success, now);
            }
        }
        let at = |millis| now.saturating_add(ms(millis));
        // Three of the ten that a probe admits come back, three times as slow as before.
        let mut probe: Vec<_> = (0..10).map(|_| limiter.try_acquire(now).unwrap()).collect();
        assert!(probe[0].is_probe());
        for permit in probe.drain(..3) {
            permit.record(Outcome::Success, now.saturating_add(ms(3 * latency)));
        }
        let more: Vec<_> = (0..3).map(|_| limiter.try_acquire(now).unwrap()).collect();
        let early = if Wide::BITS == 64 { 1 } else { 10 };
        assert!(limiter.try_acquire(at(lasts - early)).is_err(), "{latency} ms");
        let next = limiter.try_acquire(at(lasts)).unwrap();
        assert!(!next.is_probe());
        assert_eq!(limiter.snapshot().baseline, Some(ms(3 * latency)), "the latency of the three");
        drop((probe, more, next));
    }
}

/// A probe has a time of its own, however long an earlier one might have lasted.
#[test]
fn a_probe_does_not_inherit_the_deadline_of_a_slower_time() {
    let limiter = AdaptiveConcurrency::new(Config::gradient(40).between(2, 40).samples(1).probe_every(1));
    let mut now = START;
    let mut until_probe = |latency| {
        while !limiter.snapshot().is_probing {
            let permits: Vec<_> = (0..40).map_while(|_| limiter.try_acquire(now).ok()).collect();
            now = now.saturating_add(ms(latency));
            for permit in permits {
                permit.record(Outcome::Success, now);
            }
        }
        now
    };
    let slow = until_probe(9000);
    limiter.try_acquire(slow).unwrap().record(Outcome::Success, slow.saturating_add(ms(110)));
    assert!(!limiter.snapshot().is_probing, "over by its result");
    let now = until_probe(110);
    let held: Vec<_> = (0..40).map_while(|_| limiter.try_acquire(now).ok()).collect();
    assert!(limiter.try_acquire(now.saturating_add(ms(799))).is_err());
    assert!(limiter.try_acquire(now.saturating_add(ms(800))).is_ok(), "eight windows");
    drop(held);
}
