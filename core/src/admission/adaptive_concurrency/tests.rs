extern crate std;

mod drift;
mod figures;
mod probes;

use std::string::ToString;
use std::{format, thread, vec::Vec};

use super::*;
use crate::atomic::sync::Wide;
use crate::atomic::sync::probe::{Accesses, count, with_spurious_failures};
use crate::atomic::word::Packed;
use crate::ratio::Ratio;

const START: Instant = Instant::from_secs(100);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Every sample is a window.
fn each(config: Config) -> AdaptiveConcurrency {
    AdaptiveConcurrency::new(config.samples(1).window(Duration::ZERO))
}

/// Sixteen samples are a window.
fn quick(config: Config) -> AdaptiveConcurrency {
    AdaptiveConcurrency::new(config.window(Duration::ZERO))
}

fn limit(limiter: &AdaptiveConcurrency) -> u32 {
    limiter.snapshot().limit
}

/// One call alone that takes so long.
fn call(limiter: &AdaptiveConcurrency, outcome: Outcome, latency: Duration) -> Option<Adjustment> {
    let permit = limiter.try_acquire(START).unwrap();
    permit.record(outcome, START.saturating_add(latency))
}

/// As many calls as are offered and admitted, which end together after `latency` of their number; how many they were.
fn round(
    limiter: &AdaptiveConcurrency,
    offered: u32,
    now: &mut Instant,
    latency: impl Fn(u32) -> Duration,
) -> u32 {
    let permits: Vec<_> = (0..offered).map_while(|_| limiter.try_acquire(*now).ok()).collect();
    let n = permits.len() as u32;
    *now = now.saturating_add(latency(n));
    for permit in permits {
        permit.record(Outcome::Success, *now);
    }
    n
}

/// A dependency that does `capacity` calls at once in `base` each, and queues the others.
fn queueing(base: Duration, capacity: u32) -> impl Fn(u32) -> Duration {
    move |n| base * n.max(capacity) / capacity
}

/// Rounds until so many samples were taken.
fn samples(
    limiter: &AdaptiveConcurrency,
    n: u32,
    offered: u32,
    now: &mut Instant,
    latency: impl Fn(u32) -> Duration,
) {
    let mut taken = 0;
    while taken < n {
        let settled = round(limiter, offered, now, &latency);
        assert!(settled > 0, "nothing is admitted any more");
        taken += settled;
    }
}

#[test]
fn it_admits_as_many_as_the_limit_and_a_settled_call_frees_its_place() {
    let limiter = quick(Config::aimd(2));
    let one = limiter.try_acquire(START).unwrap();
    let ticket = limiter.try_acquire(START).unwrap().into_ticket();
    let rejected = limiter.try_acquire(START).unwrap_err();
    assert_eq!((rejected.in_flight, rejected.limit, rejected.is_probing), (2, 2, false));
    assert_eq!(rejected.to_string(), "concurrency limit reached: 2 in flight, 2 allowed");
    drop(one);
    assert_eq!(limiter.snapshot().in_flight, 1);
    assert_eq!(limiter.settle(ticket, Outcome::Success, START), None);
    assert_eq!(limiter.snapshot().in_flight, 0);
    assert!(!limiter.try_acquire(START).unwrap().is_probe());
}

#[test]
fn b56_ignored_and_cancelled_calls_free_their_place_and_count_nothing() {
    for config in [Config::aimd(10), Config::gradient(10)] {
        let limiter = each(config);
        for outcome in [Outcome::Ignored, Outcome::Cancelled] {
            for _ in 0..1000 {
                assert_eq!(call(&limiter, outcome, ms(900)), None);
            }
        }
        for _ in 0..1000 {
            drop(limiter.try_acquire(START).unwrap());
        }
        let now = limiter.snapshot();
        assert_eq!((now.in_flight, now.limit, now.latency, now.baseline), (0, 10, None, None));
    }
}

#[test]
fn aimd_adds_one_and_takes_a_tenth() {
    let limiter = each(Config::aimd(20).between(5, 22));
    let busy: Vec<_> = (0..15).map(|_| limiter.try_acquire(START).unwrap()).collect();
    let good = call(&limiter, Outcome::Success, ms(1)).unwrap();
    assert_eq!(good, Adjustment { from: 20, to: 21, reason: Reason::Room });
    assert_eq!(call(&limiter, Outcome::Success, ms(1)).unwrap().to, 22);
    assert_eq!(call(&limiter, Outcome::Success, ms(1)), None, "the upper bound");
    let bad = call(&limiter, Outcome::Failure, ms(1)).unwrap();
    assert_eq!(bad, Adjustment { from: 22, to: 19, reason: Reason::Bad });
    drop(busy);
    for _ in 0..100 {
        call(&limiter, Outcome::Failure, ms(1));
    }
    assert_eq!(limit(&limiter), 5, "the lower bound");

    let steep = each(Config::aimd(20).backoff(Ratio::percent(50)).increase(8).slow_after(ms(100)));
    assert_eq!(call(&steep, Outcome::Success, ms(100)).unwrap().to, 10, "slow is bad");
    assert_eq!(call(&steep, Outcome::Slow, ms(1)).unwrap().to, 5, "also if the caller says so");
    let half: Vec<_> = (0..4).map(|_| steep.try_acquire(START).unwrap()).collect();
    assert_eq!(call(&steep, Outcome::Success, ms(99)).unwrap().to, 13);
    drop(half);
}

/// Else only what is fast would be learned.
#[test]
fn slow_successes_are_part_of_the_latency_and_failures_are_not() {
    let limiter = each(Config::gradient(20).slow_after(ms(100)).probe_every(0));
    call(&limiter, Outcome::Success, ms(100));
    assert_eq!(limiter.snapshot().latency, Some(ms(100)));
    call(&limiter, Outcome::Slow, ms(900));
    assert_eq!(limiter.snapshot().latency, Some(ms(200)));
    call(&limiter, Outcome::Failure, ms(9000));
    assert_eq!(limiter.snapshot().latency, Some(ms(200)));
    assert_eq!(limit(&limiter), 14, "three windows, each of them bad");
}

#[test]
fn b54_a_limit_that_is_not_in_use_does_not_grow() {
    for config in [Config::aimd(10), Config::gradient(10)] {
        let limiter = each(config);
        let held: Vec<_> = (0..3).map(|_| limiter.try_acquire(START).unwrap()).collect();
        for _ in 0..10_000 {
            assert_eq!(call(&limiter, Outcome::Success, ms(10)), None, "4 of 10");
        }
        let fifth = limiter.try_acquire(START).unwrap();
        assert!(call(&limiter, Outcome::Success, ms(10)).is_some(), "5 of 10");
        drop((held, fifth));
        assert!(call(&limiter, Outcome::Failure, ms(10)).is_some(), "but it falls");
    }
}

#[test]
fn b53_the_limit_keeps_its_bounds_for_every_latency() {
    for config in [Config::aimd(50).between(3, 200), Config::gradient(50).between(3, 200).probe_every(7)] {
        for samples in [1, 16] {
            let limiter = AdaptiveConcurrency::new(config.samples(samples).window(Duration::ZERO));
            for nanos in [0, 1, 1_000, u64::MAX, 0, 1_000_000_000, u64::MAX, 33_000_000_000, 0, 1] {
                for outcome in [Outcome::Success, Outcome::Failure] {
                    for _ in 0..100 {
                        let permits: Vec<_> =
                            (0..50).map_while(|_| limiter.try_acquire(Instant::ZERO).ok()).collect();
                        for permit in permits {
                            permit.record(outcome, Instant::from_nanos(nanos));
                            assert!((3..=200).contains(&limit(&limiter)) || limiter.snapshot().is_probing);
                        }
                        assert_eq!(limiter.snapshot().in_flight, 0);
                        assert!(limit(&limiter) >= 3);
                    }
                }
            }
        }
    }
}

#[test]
fn b53_nothing_in_flight_is_no_underflow() {
    let (here, there) = (each(Config::gradient(3)), each(Config::gradient(3)));
    for _ in 0..3 {
        here.settle(there.try_acquire(START).unwrap().into_ticket(), Outcome::Success, START);
        assert_eq!(here.snapshot().in_flight, 0);
    }
}

#[test]
fn the_gradient_finds_the_capacity_and_stays_there() {
    for (capacity, initial) in [(10, 1), (10, 400), (50, 5), (200, 20)] {
        let limiter = AdaptiveConcurrency::new(Config::gradient(initial));
        let mut now = START;
        for rounds in 0..3000 {
            round(&limiter, 4000, &mut now, queueing(ms(10), capacity));
            if rounds > 1500 && !limiter.snapshot().is_probing {
                // What is tolerated, and a queue.
                let most = capacity * 3 / 2 + 2 * (capacity * 3 / 2).isqrt() + 4;
                let found = limit(&limiter);
                assert!((capacity..=most).contains(&found), "{found} for {capacity} after {rounds} rounds");
            }
        }
    }
}

/// However long the calls queue because of ourselves, what they take then does not become the baseline.
#[test]
fn b53_a_long_congestion_of_our_own_making_is_not_the_baseline() {
    for (initial, probe_every) in [(20, 0), (200, 512)] {
        let limiter = quick(Config::gradient(initial).probe_every(probe_every));
        let mut now = START;
        samples(&limiter, 1000, 4000, &mut now, queueing(ms(10), 50));
        for _ in 0..30 {
            samples(&limiter, 10_000, 4000, &mut now, queueing(ms(10), 50));
            let baseline = limiter.snapshot().baseline.unwrap();
            assert!(baseline <= ms(16), "{baseline:?}");
            assert!(limit(&limiter) <= 100, "{limiter:?}");
        }
    }
}

/// The number in the module's documentation.
#[test]
fn b53_ninety_percent_are_back_in_64_windows() {
    let limiter = quick(Config::gradient(100).between(1, 100));
    let mut now = START;
    let healthy = queueing(ms(10), 100);
    samples(&limiter, 3000, 4000, &mut now, &healthy);
    assert_eq!(limit(&limiter), 100);
    samples(&limiter, 3000, 4000, &mut now, |_| ms(400));
    assert!(limit(&limiter) <= 12, "{limiter:?}");
    for _ in 0..1000 {
        call(&limiter, Outcome::Failure, ms(1));
    }
    assert_eq!(limit(&limiter), 1);
    samples(&limiter, 64 * 16, 4000, &mut now, &healthy);
    assert!(limit(&limiter) >= 90, "{limiter:?}");
}

#[test]
fn b53_a_congestion_that_ends_is_forgotten_at_once_even_if_it_was_taken_for_the_baseline() {
    let limiter = quick(Config::gradient(100).between(1, 100));
    let mut now = START;
    samples(&limiter, 50_000, 4000, &mut now, |_| ms(400));
    assert!(limiter.snapshot().baseline.unwrap() >= ms(390));
    samples(&limiter, 10 * 16, 4000, &mut now, queueing(ms(10), 100));
    assert!(limiter.snapshot().baseline.unwrap() <= ms(16), "{limiter:?}");
    samples(&limiter, 64 * 16, 4000, &mut now, queueing(ms(10), 100));
    assert!(limit(&limiter) >= 90, "{limiter:?}");
}

/// One high reading costs some windows, and not what a probe may take.
#[test]
fn a_high_reading_holds_up_no_more_than_two_windows() {
    for high in [150, 20_000, 60_000] {
        let limiter = AdaptiveConcurrency::new(Config::aimd(40).samples(1));
        limiter.try_acquire(START).unwrap().record(Outcome::Success, START.saturating_add(ms(high)));
        for millis in 0..1000 {
            let now = START.saturating_add(ms(millis));
            limiter.try_acquire(now).unwrap().record(Outcome::Failure, now);
        }
        assert!(limit(&limiter) <= 25, "{high} ms high: {}", limit(&limiter));
    }
}

#[test]
fn a_window_lasts_for_its_time_and_its_samples() {
    let limiter = AdaptiveConcurrency::new(Config::aimd(2).samples(3).window(ms(100)));
    let at = |millis| START.saturating_add(ms(millis));
    let settle = |millis| limiter.try_acquire(at(millis)).unwrap().record(Outcome::Success, at(millis));
    assert_eq!([settle(0), settle(0)], [None, None]);
    assert_eq!(settle(0).unwrap().to, 3);
    assert!((1..100).all(|millis| settle(millis).is_none()), "too soon");
    let busy = limiter.try_acquire(at(100)).unwrap();
    assert_eq!(settle(100).unwrap().to, 4);
    assert_eq!([settle(200), settle(201)], [None, None], "too few");
    assert_eq!(settle(202).unwrap().to, 5);
    drop(busy);
}

#[test]
fn b55_results_of_four_threads_are_serial() {
    let limiter = each(Config::aimd(500).between(1, 1000));
    let adjusted: u32 = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let failures = (0..1000).filter(|n| n % 100 == 0);
                    failures
                        .map(|_| u32::from(call(&limiter, Outcome::Failure, ms(1)).is_some()))
                        .sum::<u32>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let serial = (0..40).fold(500, |limit, _| (limit * 9 / 10).max(1));
    assert_eq!((limit(&limiter), limiter.snapshot().in_flight), (serial, 0));
    assert!(adjusted <= 40);
}

/// Four threads mix everything; the calls in flight never exceed the limit that admitted them, and in the end all are back.
#[test]
fn b57_stress_of_four_threads_loses_nothing() {
    let limiter = AdaptiveConcurrency::new(Config::gradient(8).between(1, 8).samples(2).probe_every(5));
    thread::scope(|scope| {
        for seed in 0..4 {
            let limiter = &limiter;
            scope.spawn(move || {
                let rng = crate::Rng::new(seed);
                for n in 0..20_000 {
                    let now = Instant::from_millis(n);
                    let held: Vec<_> =
                        (0..rng.below(4)).map_while(|_| limiter.try_acquire(now).ok()).collect();
                    assert!(limiter.snapshot().in_flight <= 8);
                    for permit in held {
                        let end = now.saturating_add(ms(rng.below(20).into()));
                        match rng.below(8) {
                            0 => drop(permit),
                            1 => _ = permit.record(Outcome::Failure, end),
                            2 => _ = permit.record(Outcome::Ignored, end),
                            _ => _ = permit.record(Outcome::Success, end),
                        }
                    }
                }
            });
        }
    });
    let after = limiter.snapshot();
    assert_eq!(after.in_flight, 0);
    assert!((1..=8).contains(&after.limit), "{limiter:?}");
}

#[test]
fn a_clock_that_steps_back_or_ends_panics_nowhere() {
    for config in [Config::aimd(4), Config::gradient(4).probe_every(3)] {
        for window in [Duration::ZERO, Duration::from_nanos(1), ms(100), Duration::MAX] {
            let limiter = AdaptiveConcurrency::new(config.samples(1).window(window));
            for now in [0, u64::MAX, 5, 1 << 32, u64::MAX - 1, 0, 1_000_000] {
                let permit = limiter.try_acquire(Instant::from_nanos(now)).unwrap();
                permit.record(Outcome::Success, Instant::from_nanos(now / 2));
                call(&limiter, Outcome::Failure, Duration::MAX);
                assert_eq!(limiter.snapshot().in_flight, 0);
            }
        }
    }
}

#[test]
fn a_value_outside_its_bound_is_named() {
    let named =
        |config: Config| AdaptiveConcurrency::try_new(config).map_or_else(|error| error.field, |_| "fine");
    let (aimd, gradient) = (Config::aimd(10), Config::gradient(10));
    assert_eq!([named(aimd), named(gradient)], ["fine"; 2]);
    assert_eq!(named(aimd.between(0, 10)), "adaptive_concurrency.min");
    assert_eq!(named(aimd.between(10, 4096)), "adaptive_concurrency.max");
    assert_eq!(named(aimd.between(10, 4095)), "fine");
    assert_eq!(named(aimd.between(12, 11)), "adaptive_concurrency.min");
    assert_eq!(named(aimd.between(11, 12)), "adaptive_concurrency.initial");
    assert_eq!(named(aimd.between(1, 9)), "adaptive_concurrency.initial");
    assert_eq!([named(aimd.samples(0)), named(aimd.samples(32))], ["adaptive_concurrency.samples"; 2]);
    assert_eq!(named(aimd.slow_after(Duration::ZERO)), "adaptive_concurrency.slow_after");
    assert_eq!(named(aimd.backoff(Ratio::ONE)), "adaptive_concurrency.backoff");
    assert_eq!(named(aimd.backoff(Ratio::ZERO)), "fine");
    assert_eq!(named(aimd.increase(0)), "adaptive_concurrency.increase");
    assert_eq!(named(aimd.increase(u32::MAX)), "fine");
    for wrong in [999, 3001] {
        assert_eq!(named(gradient.tolerance(wrong)), "adaptive_concurrency.tolerance");
        assert_eq!(named(aimd.tolerance(wrong)), "fine", "AIMD ignores it");
    }
    assert_eq!(named(gradient.smoothing(Ratio::ZERO)), "adaptive_concurrency.smoothing");
    assert_eq!(named(gradient.probe_every(65_536)), "adaptive_concurrency.probe_every");
    assert_eq!(named(gradient.increase(0)), "fine", "the gradient ignores it");
    assert_eq!((gradient.initial(), gradient.bounds(), gradient.is_gradient()), (10, (1, 1000), true));
}

#[test]
fn the_largest_values_overflow_nowhere() {
    let config = Config::gradient(4095).between(1, 4095).tolerance(3000).queue(u32::MAX).probe_every(0);
    let limiter = each(config);
    let mut now = Instant::ZERO;
    for latency in [Duration::ZERO, Duration::from_nanos(u64::MAX / 8), Duration::ZERO] {
        for _ in 0..3 {
            round(&limiter, 4095, &mut now, |_| latency);
        }
    }
    assert_eq!(limit(&limiter), 4095);
    let steep = each(Config::aimd(1).between(1, 4095).increase(u32::MAX));
    assert_eq!(call(&steep, Outcome::Success, ms(1)).unwrap().to, 4095);
}

#[test]
fn exchanges_that_fail_spuriously_change_nothing() {
    for n in 2..6 {
        with_spurious_failures(n, || {
            aimd_adds_one_and_takes_a_tenth();
            probes::a_probe_takes_a_quarter_of_the_limit_and_gives_it_back();
            a_window_lasts_for_its_time_and_its_samples();
        });
    }
}

#[test]
fn cost_of_a_call_and_size() {
    for (config, record) in [
        (Config::aimd(2), Accesses { loads: 1, writes: 1 }),
        (Config::gradient(2), Accesses { loads: 2, writes: 2 }),
    ] {
        let limiter = quick(config);
        let (admitted, permit) = count(|| limiter.try_acquire(START).unwrap());
        assert_eq!(admitted, Accesses { loads: 1, writes: 1 });
        let other = limiter.try_acquire(START).unwrap();
        let (full, _) = count(|| limiter.try_acquire(START).is_err());
        assert_eq!(full, Accesses { loads: 1, writes: 0 });
        let (recorded, _) = count(|| permit.record(Outcome::Success, START));
        assert_eq!(recorded, record);
        let (dropped, ()) = count(|| drop(other));
        assert_eq!(dropped, Accesses { loads: 1, writes: 1 });
        assert!(format!("{limiter:?}").contains("in_flight: 0, limit: 2, samples: 1"));
    }
    let limiter = each(Config::aimd(2));
    let permit = limiter.try_acquire(START).unwrap();
    let (adjusted, _) = count(|| permit.record(Outcome::Success, START));
    assert_eq!(adjusted, Accesses { loads: 1, writes: 1 }, "a window of no length has no end to be kept");
    if crate::atomic::sync::Wide::BITS == 64 {
        assert_eq!(size_of::<AdaptiveConcurrency>(), 160);
    }
}

#[test]
fn the_word_survives_packing() {
    for (in_flight, limit, samples) in [(0, 1, 0), (4095, 4095, 31), (1, 2, 3)] {
        for flags in 0..8_u32 {
            let [bad, busy, probe] = [1, 2, 4].map(|bit| flags & bit != 0);
            let state = State { in_flight, limit, samples, bad, busy, probe };
            assert_eq!(State::unpack(state.pack()), state);
        }
    }
}
