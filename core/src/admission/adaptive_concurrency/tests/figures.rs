//! The gradient's arithmetic, number by number.

use super::super::config::{GradientRule, Rule};
use super::super::gradient::{Figures, Gradient};
use super::*;

const CONFIG: Config = Config::gradient(100).between(1, 1000);

const fn rule(config: Config) -> GradientRule {
    match config.rule {
        Rule::Gradient(rule) => rule,
        Rule::Aimd { .. } => panic!("not the gradient"),
    }
}

const fn figures(latency: u32, baseline: u32) -> Figures {
    Figures { latency, baseline }
}

fn us(micros: u64) -> u64 {
    micros * 1000
}

/// The baseline in nanoseconds.
fn baseline(gradient: &Gradient) -> u128 {
    gradient.baseline().map_or(0, |baseline| baseline.as_nanos())
}

#[test]
fn the_target_is_the_limit_times_the_gradient_and_a_queue() {
    let target = |latency, limit| figures(latency, 1000).target(limit, rule(CONFIG));
    assert_eq!([target(1000, 100), target(1500, 100), target(0, 100)], [110; 3], "up to the tolerance");
    assert_eq!([target(2000, 100), target(3000, 100)], [75 + 10, 50 + 10]);
    assert_eq!([target(3001, 101), target(u32::MAX, 101)], [50 + 10; 2], "never below a half");
    assert_eq!(figures(1000, 1000).target(100, rule(CONFIG.queue(7))), 107);
    assert_eq!(figures(2000, 1000).target(100, rule(CONFIG.tolerance(1000))), 50 + 10);
    assert_eq!(figures(0, 0).target(100, rule(CONFIG)), 110, "nothing is known");
}

#[test]
fn the_limit_goes_a_quarter_of_the_way() {
    let state = State { in_flight: 3, limit: 100, samples: 2, bad: false, busy: false, probe: false };
    let window = Window { limit: 100, bad: false, busy: true, probe: false };
    let follow = |window, figures| state.follow(window, figures, rule(CONFIG), &CONFIG);
    let told = |window, figures| follow(window, figures).1.map(|change| (change.to, change.reason));

    assert_eq!(told(window, figures(1000, 1000)), Some((103, Reason::Room)), "2.5 of 10, rounded up");
    assert_eq!(told(window, figures(2000, 1000)), Some((97, Reason::Latency)), "3.75 of 15, rounded down");
    // 88 + 10, and 98 is 2 away.
    assert_eq!(told(window, figures(1700, 1000)), None, "near its balance it rests");
    let idle = Window { busy: false, ..window };
    assert_eq!(told(idle, figures(1000, 1000)), None);
    assert_eq!(told(idle, figures(2000, 1000)), Some((97, Reason::Latency)));
    let bad = Window { bad: true, ..window };
    assert_eq!(told(bad, figures(1000, 1000)), Some((90, Reason::Bad)));
    assert_eq!(told(bad, figures(9000, 1000)), Some((60, Reason::Bad)), "the whole way to what is lower");

    let (next, change) = follow(window, figures(1000, 1000));
    assert_eq!(next, Some(State { limit: 103, ..state }), "nothing else changes");
    assert_eq!(change.map(|change| change.from), Some(100));
    let probing = State { probe: true, ..state };
    assert_eq!(probing.follow(window, figures(1000, 1000), rule(CONFIG), &CONFIG), (None, None));
}

#[test]
fn a_probe_begins_and_ends_with_a_fresh_window() {
    let state = State { in_flight: 3, limit: 100, samples: 2, bad: true, busy: true, probe: false };
    let fresh = State { samples: 0, bad: false, busy: false, ..state };
    let (probing, _) = state.begin_probe(&CONFIG);
    assert_eq!(probing, Some(State { limit: 25, probe: true, ..fresh }));
    let (ended, change) = State { limit: 25, probe: true, ..state }.end_probe(80, false, &CONFIG);
    assert_eq!(ended, Some(State { limit: 80, ..fresh }));
    assert_eq!(change, Some(Adjustment { from: 25, to: 80, reason: Reason::ProbeOver }));
    assert_eq!(state.begin_probe(&CONFIG.between(60, 1000)).1.map(|change| change.to), Some(60));
    assert_eq!(probing.unwrap().begin_probe(&CONFIG), (None, None));
    assert_eq!(state.end_probe(80, false, &CONFIG), (None, None));
}

#[test]
fn a_result_weighs_an_eighth_of_the_latency() {
    let gradient = Gradient::new(0, 16);
    let latency = || gradient.latency().unwrap().as_nanos();
    gradient.learn(1_500, false);
    assert_eq!(latency(), 1_500, "parts of a microsecond count");
    gradient.learn(us(8) + 1_500, false);
    assert_eq!(latency(), 2_500);
    gradient.learn(us(2) + 100, true);
    assert_eq!(latency(), 2_500, "a result of another phase is none");
    gradient.learn(500, false);
    assert_eq!(latency(), 2_250);
}

#[test]
fn the_baseline_falls_by_half_and_rises_by_an_eighth_where_it_may() {
    let gradient = Gradient::new(0, 16);
    assert_eq!(gradient.figures(true), figures(0, 0));
    gradient.learn(us(800), false);
    gradient.figures(false);
    assert_eq!(u64::try_from(baseline(&gradient)), Ok(us(800)));
    gradient.learn(us(1600), false);
    gradient.figures(false);
    assert_eq!(baseline(&gradient), 800_000, "900 us now, but it may not rise");
    gradient.figures(true);
    assert_eq!(baseline(&gradient), 812_500, "an eighth of the way to 900");
    (0..100).for_each(|_| gradient.learn(us(12), false));
    let low = gradient.latency().unwrap().as_nanos();
    gradient.figures(false);
    assert_eq!(baseline(&gradient) / 1000, u128::midpoint(812_500, low) / 1000);
}

#[test]
fn a_window_without_a_success_leaves_the_baseline() {
    let limiter = each(Config::gradient(4).probe_every(1));
    call(&limiter, Outcome::Success, ms(8));
    let busy = [limiter.try_acquire(START).unwrap(), limiter.try_acquire(START).unwrap()];
    probes::until_probe(&limiter);
    drop(busy);
    // The probe fails: there is no latency until the next success.
    call(&limiter, Outcome::Failure, ms(1));
    let before = limiter.snapshot().baseline;
    call(&limiter, Outcome::Failure, ms(1));
    let after = limiter.snapshot();
    assert_eq!((after.latency, after.baseline), (None, before));
}

#[test]
fn a_probe_sets_the_baseline_and_is_repeated_soon_if_that_fell_by_a_quarter() {
    let config = CONFIG.probe_every(800);
    for (latency, soon) in [(600, true), (601, false), (2000, false)] {
        let gradient = Gradient::new(0, 1);
        gradient.learn(us(800), false);
        gradient.figures(false);
        (0..9).for_each(|_| gradient.learn(0, false));
        gradient.end_probe(&config);
        assert_eq!(baseline(&gradient), 800_000, "there is no probe");
        assert!(gradient.is_probe_due(&config, 77));
        gradient.learn(us(latency), true);
        // Of those who find it over one ends it.
        assert_eq!([gradient.end_probe(&config), gradient.end_probe(&config)], [77; 2]);
        assert_eq!(baseline(&gradient), u128::from(us(latency)));
        let windows = (1..=1000).find(|_| gradient.is_probe_due(&config, 9)).unwrap();
        assert_eq!(windows == 16, soon, "{latency}: {windows}");
        gradient.end_probe(&config);
        assert_eq!(baseline(&gradient), u128::from(us(latency)), "no result");
    }
}

#[test]
fn probes_are_spread_by_an_eighth_and_soon_ones_come_after_sixteen_windows() {
    let windows = |config: &Config, gradient: &Gradient| {
        (1..=1000).find(|_| gradient.is_probe_due(config, 9)).unwrap_or_default()
    };
    let config = CONFIG.probe_every(800);
    let spread: Vec<_> = (0..50)
        .map(|seed| {
            let gradient = Gradient::new(seed, config.soon());
            assert_eq!(windows(&config, &gradient), 16);
            gradient.end_probe(&config);
            windows(&config, &gradient)
        })
        .collect();
    let (least, most) = (spread.iter().min().unwrap(), spread.iter().max().unwrap());
    assert!((700..720).contains(least) && (780..=800).contains(most), "{spread:?}");
    let gradient = Gradient::new(0, config.soon());
    assert_eq!(windows(&CONFIG.probe_every(0), &gradient), 0, "never");
}

#[test]
fn the_baseline_rises_in_windows_that_are_not_busy_and_at_the_lowest_limit() {
    let rises = |config: Config, held: u32| {
        let limiter = each(config.probe_every(0));
        call(&limiter, Outcome::Success, ms(10));
        let _held: Vec<_> = (0..held).map(|_| limiter.try_acquire(START).unwrap()).collect();
        call(&limiter, Outcome::Success, ms(90));
        limiter.snapshot().baseline > Some(ms(10))
    };
    assert!(rises(Config::gradient(10).between(2, 10), 0), "not busy");
    assert!(!rises(Config::gradient(10).between(2, 10), 6), "busy");
    assert!(rises(Config::gradient(4).between(4, 4), 3), "busy at the lowest limit");
}

#[test]
fn no_probe_begins_after_a_bad_window_or_an_idle_one() {
    let limiter = each(Config::gradient(40).probe_every(1));
    let held: Vec<_> = (0..25).map(|_| limiter.try_acquire(START).unwrap()).collect();
    assert_eq!(call(&limiter, Outcome::Failure, ms(1)).unwrap().reason, Reason::Bad);
    drop(held);
    assert_eq!(call(&limiter, Outcome::Success, ms(1)), None);
    assert!(!limiter.snapshot().is_probing);
}

/// So that those of many processes do not probe in step.
#[test]
fn the_windows_between_probes_are_spread_over_an_eighth() {
    let config = CONFIG.probe_every(16);
    let gradient = Gradient::new(7, 1);
    let mut seen = [0; 18];
    assert!(gradient.is_probe_due(&config, 100));
    for _ in 0..200 {
        gradient.end_probe(&config);
        let windows = (1..=17).find(|_| gradient.is_probe_due(&config, 100)).unwrap_or(0_usize);
        seen[windows] += 1;
    }
    assert!(seen[14..=16].iter().all(|&times| times > 30), "{seen:?}");
    assert_eq!(seen[14..=16].iter().sum::<u32>(), 200, "{seen:?}");
}
