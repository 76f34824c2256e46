extern crate std;
use std::string::ToString;
use std::vec::Vec;
use std::{format, thread};

use super::*;
use crate::atomic::sync::probe;

/// Noise from `0..bound`.
fn noise(seed: &mut u32, bound: u32) -> u32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    ((u64::from(*seed) * u64::from(bound)) >> 32) as u32
}

fn learned(config: Config, values: &[u32]) -> ChangeDetector {
    let detector = ChangeDetector::new(config.warm_up(values.len() as u32));
    assert!(values.iter().all(|&value| detector.observe(value) == Verdict::Learning));
    detector
}

#[test]
fn a_detector_stands_in_a_static_and_has_the_documented_size() {
    static LATENCY: ChangeDetector = ChangeDetector::new(Config::new());
    assert_eq!(LATENCY.observe(9), Verdict::Learning);
    assert_eq!(LATENCY.mean(), 9);
    assert_eq!(size_of::<ChangeDetector>(), 24);
    assert!(format!("{LATENCY:?}").contains("mean: 9, deviation: 0"));
    let spread = Spread { deviation: DEVIATION.max(), seen: 5 };
    assert!(Spread::unpack(spread.pack()) == spread);
}

#[test]
fn it_averages_what_it_learns_first() {
    let detector = learned(Config::new(), &[10, 20, 30, 40]);
    assert_eq!(detector.mean(), 25);
    // The distances from the mean so far: 10, 15, 20.
    assert_eq!(detector.deviation(), 15);
    detector.reset();
    assert_eq!((detector.mean(), detector.deviation()), (0, 0), "nothing was seen");
    assert_eq!(detector.observe(7), Verdict::Learning);
    assert_eq!((detector.mean(), detector.deviation()), (7, 0));
    // The distances 2 and 1: one and a half, which is shown as two.
    assert_eq!(learned(Config::new(), &[0, 2, 2]).deviation(), 2);
}

#[test]
fn a_part_is_rounded_to_the_nearest_and_from_the_middle_away_from_zero() {
    assert_eq!([0, 1, 4, 5, 9, 10, 14, 15].map(|whole| part(whole, 10)), [0, 0, 0, 1, 1, 1, 1, 2]);
    assert_eq!([-1, -4, -5, -14, -15].map(|whole| part(whole, 10)), [0, 0, -1, -1, -2]);
    assert_eq!([4, 5, 7].map(|whole| part(whole, 3)), [1, 2, 2]);
    assert_eq!([7, -7].map(|whole| part(whole, 1)), [7, -7]);
}

#[test]
fn a_value_is_anomalous_beyond_the_tolerance_and_the_score_says_how_far() {
    let config = Config::new().tolerance(3).least_spread(10);
    let judge = |value| learned(config, &[100; 8]).observe(value);
    assert_eq!([judge(70), judge(100), judge(130)], [Verdict::Normal; 3]);
    assert_eq!(judge(131), Verdict::Anomalous { score_tenths: 31, above: true });
    assert_eq!(judge(0), Verdict::Anomalous { score_tenths: 100, above: false });
    assert!(judge(u32::MAX).is_anomalous() && !judge(100).is_anomalous());
}

#[test]
fn steady_noise_is_normal_and_a_spike_in_it_is_not() {
    let detector = ChangeDetector::new(Config::new());
    let mut seed = 5;
    let mut alarms = 0;
    for n in 0..20_000 {
        let spike = n > 100 && n % 1_000 == 0;
        let value = if spike { 3_000 } else { 950 + noise(&mut seed, 101) };
        match detector.observe(value) {
            Verdict::Anomalous { above, .. } if spike => assert!(above),
            Verdict::Anomalous { .. } => alarms += 1,
            verdict => assert!(!spike, "{verdict:?}"),
        }
    }
    assert_eq!(alarms, 0);
    assert!((960..1_060).contains(&detector.mean()), "{}", detector.mean());
    assert!((15..40).contains(&detector.deviation()), "{}", detector.deviation());
}

#[test]
fn one_outlier_moves_the_mean_no_further_than_it_says() {
    let detector = learned(Config::new().tolerance(4).least_spread(8), &[1_000; 20]);
    assert!(detector.observe(MAX_VALUE).is_anomalous());
    // 4 · 8 / 16.
    assert_eq!(detector.mean(), 1_002);
}

#[test]
fn a_change_that_lasts_is_reported_and_then_the_new_normal() {
    let detector = learned(Config::new(), &[100; 30]);
    let reported = (0..1_000).take_while(|_| detector.observe(500).is_anomalous()).count();
    assert!((1..100).contains(&reported), "{reported}");
    assert!((0..1_000).all(|_| !detector.observe(500).is_anomalous()));
    assert_eq!(detector.mean(), 500);
}

/// Against the rule in real numbers, while nothing is cut.
#[test]
fn mean_and_deviation_follow_the_rule_to_the_documented_rounding() {
    for shift in 1..=6 {
        let config = Config::new().weight_shift(shift).warm_up(1).tolerance(1_000).least_spread(MAX_VALUE);
        let detector = ChangeDetector::new(config);
        let weight = 1_i128 << shift;
        // In parts of 2⁴⁰.
        let (mut mean, mut deviation) = (None::<i128>, 0_i128);
        let mut seed = shift;
        for _ in 0..3_000 {
            let value = noise(&mut seed, 1_000);
            let exact = i128::from(value) << 40;
            detector.observe(value);
            let Some(before) = mean else {
                mean = Some(exact);
                continue;
            };
            let off = exact - before;
            mean = Some(before + off / weight);
            deviation += (off.abs() - deviation) / weight;
            let error = (i128::from(detector.mean()) << 40) - mean.unwrap();
            assert!(error.abs() <= 1 << 40, "mean by {error} at {shift}");
            let error = (i128::from(detector.deviation()) << 40) - deviation;
            assert!(error.abs() <= 3 << 40, "deviation by {error} at {shift}");
        }
    }
}

#[test]
fn no_value_panics_and_the_mean_stays_among_the_values() {
    for shift in [1, 6] {
        for tolerance in [1, 1_000] {
            for least in [1, MAX_VALUE] {
                let config = Config::new().weight_shift(shift).tolerance(tolerance).least_spread(least);
                let detector = ChangeDetector::new(config);
                for n in 0..2_000_u32 {
                    detector.observe([0, u32::MAX, MAX_VALUE, 1][(n * n) as usize % 4]);
                    assert!(detector.mean() <= MAX_VALUE + 1 && detector.deviation() <= MAX_VALUE + 1);
                }
            }
        }
    }
}

#[test]
fn values_outside_their_bounds_are_refused() {
    let error = |config| ChangeDetector::try_new(config).unwrap_err().to_string();
    for shift in [0, 7] {
        assert_eq!(
            error(Config::default().weight_shift(shift)),
            "change.weight_shift must be between 1 and 6"
        );
    }
    for n in [0, 64] {
        assert_eq!(error(Config::new().warm_up(n)), "change.warm_up must be between 1 and 63");
    }
    for n in [0, 1_001] {
        assert_eq!(error(Config::new().tolerance(n)), "change.tolerance must be between 1 and 1000");
    }
    for units in [0, MAX_VALUE + 1] {
        let words = "change.least_spread must be between 1 and 4194303";
        assert_eq!(error(Config::new().least_spread(units)), words);
    }
}

#[test]
fn threads_share_one_mean() {
    let detector = ChangeDetector::new(Config::new());
    let verdicts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u32)
            .map(|thread| {
                let detector = &detector;
                scope.spawn(move || {
                    let mut seed = thread;
                    (0..5_000).map(|_| detector.observe(1_000 + noise(&mut seed, 50))).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let learning = verdicts.iter().filter(|&&verdict| verdict == Verdict::Learning).count();
    assert_eq!(learning, 32);
    assert!((1_000..1_050).contains(&detector.mean()));
}

#[test]
fn costs_are_as_documented() {
    let detector = learned(Config::new(), &[5; 4]);
    let (accesses, verdict) = probe::count(|| detector.observe(5));
    assert_eq!((accesses.loads, accesses.writes, verdict), (3, 2, Verdict::Normal));
    probe::with_spurious_failures(2, || assert!(detector.observe(500).is_anomalous()));
}
