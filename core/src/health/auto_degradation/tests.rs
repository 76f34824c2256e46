extern crate std;
use std::string::ToString;
use std::vec::Vec;
use std::{format, thread};

use super::*;
use crate::atomic::sync::{Wide, probe};
use crate::atomic::word::Packed;
use crate::health::hold::{MAX_RUN, State, TICK_MAX};

use Level::{Degraded as D, Emergency as E, Normal as N, SeverelyDegraded as S};

const TEN: Duration = Duration::from_secs(10);

fn secs(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

/// A threshold of 100 with lower bounds at 80, 120 and 160, and ten seconds of calm.
fn auto() -> AutoDegradation {
    AutoDegradation::new(Config::new(100).calm_for(TEN))
}

fn levels(auto: &AutoDegradation, values: &[(u64, u64)]) -> Vec<Level> {
    values
        .iter()
        .map(|&(at, value)| {
            let before = auto.level();
            let change = auto.observe(value, secs(at));
            let after = auto.level();
            assert_eq!(change, (before != after).then_some(LevelChange { from: before, to: after }));
            after
        })
        .collect()
}

#[test]
fn it_stands_in_a_static_and_has_the_documented_size() {
    static LENGTH: AutoDegradation = AutoDegradation::new(Config::new(100));
    assert_eq!(LENGTH.observe(100, secs(0)), None);
    if Wide::BITS == 64 {
        assert_eq!(size_of::<AutoDegradation>(), 48);
    }
    assert!(format!("{LENGTH:?}").contains("level: Normal"));
    for level in Level::ALL {
        for (held, run) in [(0, 0), (1, MAX_RUN), (TICK_MAX, 1)] {
            let state = State { level, run, held };
            assert_eq!(State::unpack(state.pack()), state);
        }
    }
}

#[test]
fn it_gets_worse_at_once_and_by_the_seeds_bounds() {
    assert_eq!(
        levels(&auto(), &[(0, 100), (0, 101), (0, 150), (0, 151), (0, 200), (0, 201)]),
        [N, D, D, S, S, E]
    );
    assert_eq!(levels(&auto(), &[(0, u64::MAX)]), [E]);
}

// What the original did wrong.

#[test]
fn dg5_a_measure_that_wobbles_about_a_bound_does_not_flap() {
    let auto = auto();
    let wobble: Vec<_> = (0..200).map(|second| (second, 95 + second % 2 * 10)).collect();
    let levels = levels(&auto, &wobble);
    assert_eq!(levels[0], N);
    assert!(levels[1..].iter().all(|&level| level == D));
}

#[test]
fn dg5_each_level_lasts_and_recovery_goes_by_one_level_at_a_time() {
    let calm: Vec<_> = (0..40).map(|second| (second, if second == 0 { 500 } else { 0 })).collect();
    let levels = levels(&auto(), &calm);
    let changes: Vec<_> = (1..40).filter(|&n| levels[n] != levels[n - 1]).map(|n| (n, levels[n])).collect();
    assert_eq!(changes, [(10, S), (20, D), (30, N)]);
}

#[test]
fn a_value_above_the_lower_bound_starts_the_calm_anew() {
    assert_eq!(levels(&auto(), &[(0, 101), (9, 81), (10, 0), (18, 0), (19, 0)]), [D, D, D, D, N]);
    // At the lower bound it is calm.
    assert_eq!(levels(&auto(), &[(0, 101), (9, 80), (10, 80)]), [D, D, N]);
}

#[test]
fn without_hysteresis_and_calm_it_is_the_plain_rule() {
    let plain = AutoDegradation::new(Config::new(100).recovery(Ratio::ONE).calm_for(Duration::ZERO));
    for value in [0, 100, 101, 150, 151, 200, 201, 0, 0, 0] {
        let before = plain.level();
        plain.observe(value, secs(0));
        let rule = Level::for_ratio(value, 100);
        assert!(plain.level() == rule || (plain.level() as u8 + 1 == before as u8 && rule < plain.level()));
    }
    assert_eq!(plain.level(), N);
}

#[test]
fn it_gets_worse_after_as_many_values_in_a_row_as_asked_for() {
    let slow = || AutoDegradation::new(Config::new(100).calm_for(TEN).worse_after(3));
    assert_eq!(levels(&slow(), &[(0, 500), (0, 101), (0, 160)]), [N, N, S], "to the level of the last one");
    assert_eq!(levels(&slow(), &[(0, 500), (0, 500), (0, 90), (0, 500), (0, 500)]), [N; 5], "in a row");
    // While it gets worse it does not get better.
    let run = [(0, 101), (0, 101), (0, 101), (9, 160), (10, 0), (18, 0), (19, 0)];
    assert_eq!(levels(&slow(), &run), [N, N, D, D, D, D, N]);
    for n in [0, 16] {
        let error = AutoDegradation::try_new(Config::new(1).worse_after(n)).unwrap_err();
        assert_eq!(error.to_string(), "auto_degradation.worse_after must be between 1 and 15");
    }
}

#[test]
fn a_threshold_of_zero_is_an_emergency_above_zero_and_recovers() {
    let none = AutoDegradation::new(Config::new(0).calm_for(TEN));
    assert_eq!(levels(&none, &[(0, 0), (0, 1), (10, 0), (20, 0), (30, 0)]), [N, E, S, D, N]);
}

#[test]
fn b26_a_clock_that_steps_back_prolongs_a_level_by_the_step_at_most() {
    let auto = auto();
    assert_eq!(levels(&auto, &[(100, 101), (95, 0), (109, 0), (110, 0)]), [D, D, D, N]);
    // A step beyond the time to be calm ends the wait.
    assert_eq!(levels(&auto, &[(200, 101), (50, 0)]), [D, N]);
    // A thread that comes late does not take the moment back.
    assert_eq!(levels(&auto, &[(300, 101), (295, 90), (305, 0), (309, 0), (310, 0)]), [D, D, D, D, N]);
}

#[test]
fn a_level_is_left_to_the_tick_and_after_the_longest_idle_time_before_the_wrap() {
    // A tick is a nanosecond in both layouts, and they wrap after 2⁵⁸ or 2²⁶ of them.
    let calm = Duration::from_nanos(1 << 18);
    let (long, wrap) = if Wide::BITS == 64 { (1_u64 << 48, 1_u64 << 58) } else { (1 << 18, 1 << 26) };
    for (calm, tick) in [(calm, 1), (Duration::from_nanos(long), 1)] {
        for (idle, level) in
            [(calm.as_nanos() as u64 - tick, D), (calm.as_nanos() as u64, N), (wrap / 4 + 1, N)]
        {
            let auto = AutoDegradation::new(Config::new(100).calm_for(calm));
            auto.observe(101, Instant::ZERO);
            auto.observe(0, Instant::from_nanos(idle));
            assert_eq!(auto.level(), level, "{idle} of {calm:?}");
        }
    }
}

#[test]
fn idle_across_the_wrap_costs_two_calm_times_at_most() {
    for start in [0, u64::MAX / 3] {
        let auto = auto();
        let start = Instant::from_nanos(start);
        auto.observe(101, start);
        let mut kept = 0_u64;
        for n in 1..4_096_u64 {
            let before = auto.level();
            auto.observe(0, start.saturating_add(TEN * n as u32 / 4));
            kept += u64::from(before == D && auto.level() == D);
        }
        assert!(kept <= 3, "{kept}");
    }
    // A single look after each pause.
    let kept = (1..4_096_u32)
        .filter(|&n| {
            let auto = auto();
            auto.observe(101, secs(0));
            auto.observe(0, secs(0).saturating_add(TEN / 4 * n));
            auto.level() == D
        })
        .count();
    assert!(kept <= 3 + 4_096 / (256 * 4) * 9, "{kept}");
}

#[test]
fn no_input_panics() {
    let moments = [0, 1, u64::MAX / 2, u64::MAX].map(Instant::from_nanos);
    for calm in [Duration::ZERO, Duration::from_nanos(1), TEN, Duration::MAX] {
        for recovery in [Ratio::ONE, Ratio::try_new(1, u32::MAX).unwrap()] {
            for threshold in [0, 1, u64::MAX] {
                let auto = AutoDegradation::new(Config::new(threshold).recovery(recovery).calm_for(calm));
                for now in moments {
                    for value in [0, 1, u64::MAX] {
                        auto.observe(value, now);
                    }
                }
            }
        }
    }
    let error = AutoDegradation::try_new(Config::new(1).recovery(Ratio::ZERO)).unwrap_err();
    assert_eq!(error.to_string(), "auto_degradation.recovery must be greater than zero");
}

#[test]
fn dg3_changes_make_a_chain_under_threads() {
    let auto = AutoDegradation::new(Config::new(100).calm_for(Duration::ZERO));
    let changes: Vec<LevelChange> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u64)
            .map(|thread| {
                let auto = &auto;
                scope.spawn(move || {
                    let values = (0..5_000_u64).map(|n| (n * 7 + thread) % 11 * 25);
                    values.filter_map(|value| auto.observe(value, secs(0))).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    for level in Level::ALL {
        let left = changes.iter().filter(|change| change.from == level).count();
        let reached = changes.iter().filter(|change| change.to == level).count();
        let (begin, end) = (usize::from(level == N), usize::from(level == auto.level()));
        assert_eq!(reached + begin, left + end);
    }
}

#[test]
fn costs_are_as_documented() {
    let auto = auto();
    let cost = |call: &dyn Fn()| {
        let (accesses, ()) = probe::count(call);
        (accesses.loads, accesses.writes)
    };
    assert_eq!(cost(&|| assert_eq!(auto.level(), N)), (1, 0));
    assert_eq!(cost(&|| assert_eq!(auto.observe(1, secs(0)), None)), (1, 0));
    assert_eq!(cost(&|| assert!(auto.observe(101, secs(0)).is_some())), (1, 1));
    assert_eq!(cost(&|| assert_eq!(auto.observe(101, secs(1)), None)), (1, 1));
    assert_eq!(cost(&|| assert_eq!(auto.observe(0, secs(2)), None)), (1, 0));
    probe::with_spurious_failures(2, || assert!(auto.observe(500, secs(3)).is_some()));
}
