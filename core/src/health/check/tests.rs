extern crate std;
use std::string::ToString;
use std::vec::Vec;
use std::{format, thread};

use super::*;
use crate::atomic::sync::{Wide, probe};
use crate::atomic::word::Packed;
use crate::health::degradation::{Component, Degradation};
use crate::measure::window::Span;
use crate::ratio::Ratio;

const HALF_MINUTE: Duration = Duration::from_secs(30);

fn secs(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

/// Records results that are there at once, one a second, and returns the status after each.
fn statuses(check: &HealthCheck, from: u64, results: &[bool]) -> Vec<Status> {
    (from..)
        .zip(results)
        .map(|(second, &success)| {
            check.record(success, secs(second), secs(second));
            check.status(secs(second))
        })
        .collect()
}

fn edge(from: Status, to: Status, cause: Cause) -> Transition {
    Transition { from, to, cause }
}

#[test]
fn a_check_stands_in_a_static_and_has_the_documented_size() {
    static STORE: HealthCheck = HealthCheck::new(Config::new());
    assert_eq!(STORE.status(secs(0)), Status::default());
    if Wide::BITS == 64 {
        assert_eq!(size_of::<HealthCheck>(), 168);
    }
    let shown = format!("{STORE:?}");
    assert!(shown.contains("Unchecked") && shown.contains("stale_after: 30s"), "{shown}");
}

#[test]
fn every_word_comes_back_from_its_fields() {
    for phase in [Phase::Unchecked, Phase::Unknown, Phase::Healthy, Phase::Unhealthy] {
        for length in [0, 1, 254, 255] {
            for failed in [false, true] {
                for began in [0, 1, Wide::MAX >> 11] {
                    let state = State { phase, row: Row { failed, length }, began };
                    assert_eq!(State::unpack(state.pack()), state);
                }
            }
        }
    }
}

#[test]
fn so_many_in_a_row_make_healthy_and_unhealthy_and_no_less() {
    use Status::{Healthy as H, Unhealthy as B, Unknown as U};
    let check = HealthCheck::<0>::new(Config::new().rise(2).fall(3));
    let results = [true, false, true, true, false, false, true, false, false, false, true, false, true, true];
    let after = [U, U, U, H, H, H, H, H, H, B, B, B, B, H];
    assert_eq!(statuses(&check, 0, &results), after);
}

#[test]
fn transitions_are_data_with_their_cause() {
    let check = HealthCheck::<0>::new(Config::new().rise(1).fall(2));
    assert_eq!(
        check.record(true, secs(1), secs(2)),
        Some(edge(Status::Unknown, Status::Healthy, Cause::Successes(1)))
    );
    assert_eq!(check.record(false, secs(3), secs(4)), None);
    assert_eq!(
        check.record(false, secs(5), secs(6)),
        Some(edge(Status::Healthy, Status::Unhealthy, Cause::Failures(2)))
    );
    assert_eq!(check.expire(secs(34)), None);
    assert_eq!(check.expire(secs(35)), Some(edge(Status::Unhealthy, Status::Unknown, Cause::Stale)));
    assert_eq!(check.expire(secs(36)), None);
    assert!(check.record(true, secs(36), secs(36)).is_some());
    assert_eq!(check.reset(secs(37)), Some(edge(Status::Healthy, Status::Unknown, Cause::Reset)));
    assert_eq!(check.reset(secs(37)), None);
    assert_eq!(Status::Unhealthy.to_string(), "unhealthy");
}

// What the original did wrong.

#[test]
fn hc2_a_check_that_hangs_is_stale_and_its_late_answer_counts_nowhere() {
    let check = HealthCheck::<3>::new(Config::new().rise(1).stale_after(HALF_MINUTE));
    check.record(true, secs(0), secs(1));
    assert!(check.is_healthy(Instant::from_nanos(29_990_000_000)));
    assert!(!check.is_healthy(secs(30)), "as old as stale is stale");
    // It began at 1 s and comes back when that is stale.
    assert_eq!(
        check.record(true, secs(1), secs(31)),
        Some(edge(Status::Healthy, Status::Unknown, Cause::Stale))
    );
    assert_eq!(check.status(secs(31)), Status::Unknown);
    assert_eq!(check.snapshot(secs(31)).results, 1);
}

#[test]
fn hc6_nothing_is_healthy_before_its_first_checks() {
    let check = HealthCheck::<0>::new(Config::new());
    for moment in [0, 1, 1 << 32, u64::MAX] {
        let moment = Instant::from_nanos(moment);
        assert_eq!(check.status(moment), Status::Unknown);
        assert!(!check.is_healthy(moment));
        assert_eq!(check.expire(moment), None);
    }
    assert_eq!(statuses(&check, 5, &[true, true]), [Status::Unknown, Status::Healthy]);
}

#[test]
fn hc7_health_drives_degradation() {
    const STORE: Component = Component::new(3);
    let service = Degradation::new();
    let check = HealthCheck::<0>::new(Config::new().rise(1).fall(1));
    let mut levels = Vec::new();
    for (second, success) in [(0, true), (1, false), (2, false), (3, true)] {
        if let Some(edge) = check.record(success, secs(second), secs(second)) {
            levels.extend(service.set_level(STORE, edge.to.level(Level::SeverelyDegraded)));
        }
    }
    let reached: Vec<_> = levels.into_iter().map(|change| change.to).collect();
    assert_eq!(reached, [Level::SeverelyDegraded, Level::Normal]);
    assert_eq!(Status::Unknown.level(Level::Emergency), Level::Normal);
}

#[test]
fn hc9_results_that_overtake_each_other_follow_the_order_of_their_beginnings() {
    let check = HealthCheck::<0>::new(Config::new().rise(1).fall(1));
    // The check of 10 s fails at 11 s; the one of 5 s succeeds only at 12 s.
    assert!(check.record(false, secs(10), secs(11)).is_some());
    let before = check.snapshot(secs(12));
    assert_eq!(check.record(true, secs(5), secs(12)), None);
    assert_eq!(check.snapshot(secs(12)), before);
    assert_eq!(check.status(secs(12)), Status::Unhealthy);
    // Of two that began together both count.
    assert!(check.record(true, secs(10), secs(13)).is_some());
    assert!(check.is_healthy(secs(13)));
}

#[test]
fn hc9_a_late_result_takes_part_in_the_rate() {
    let check = HealthCheck::<3>::new(Config::new().window(Span::time(HALF_MINUTE)));
    check.record(true, secs(10), secs(11));
    check.record(false, secs(9), secs(12));
    let seen = check.snapshot(secs(12));
    assert_eq!((seen.results, seen.failures, seen.successes_in_row, seen.failures_in_row), (2, 1, 1, 0));
    let age = seen.age.unwrap();
    assert!(age <= Duration::from_secs(2) && age > Duration::from_millis(1_990), "{age:?}");
}

#[test]
fn hc9_results_from_before_a_reset_are_late() {
    let check = HealthCheck::<0>::new(Config::new().rise(1).fall(1));
    check.reset(secs(10));
    assert_eq!(check.record(true, secs(9), secs(11)), None);
    assert!(check.record(true, secs(11), secs(11)).is_some());
}

#[test]
fn a_rate_that_is_too_low_is_unhealthy_whatever_the_row_says() {
    let config = Config::new()
        .rise(1)
        .fall(3)
        .stale_after(Duration::from_secs(100))
        .window(Span::time(Duration::from_secs(60)))
        .success_rate(Ratio::percent(75), 4);
    let check = HealthCheck::<6>::new(config);
    let outcome = |second, success| check.record(success, secs(second), secs(second));
    assert!(outcome(0, true).is_some());
    assert_eq!(outcome(1, false), None);
    assert_eq!(outcome(2, true), None);
    // Three of four are enough, three of five are not.
    assert_eq!(outcome(3, true), None);
    let rate = Cause::SuccessRate { successes: 3, results: 5 };
    assert_eq!(outcome(4, false), Some(edge(Status::Healthy, Status::Unhealthy, rate)));
    assert_eq!(outcome(5, true), None, "four of six");
    // The failures have left the window.
    assert_eq!(outcome(65, true), Some(edge(Status::Unhealthy, Status::Healthy, Cause::Successes(2))));
}

#[test]
fn silence_ends_a_row() {
    let check = HealthCheck::<0>::new(Config::new().rise(3).fall(3));
    assert_eq!(statuses(&check, 0, &[true, true]), [Status::Unknown; 2]);
    assert_eq!(statuses(&check, 60, &[true, true]), [Status::Unknown; 2]);
    assert_eq!(check.snapshot(secs(61)).successes_in_row, 2);
    assert_eq!(check.expire(secs(100)), None);
    assert_eq!(statuses(&check, 70, &[true, true, true])[2], Status::Healthy);
    // A result that finds the status stale says so, though nobody asked before.
    assert_eq!(
        check.record(false, secs(200), secs(200)),
        Some(edge(Status::Healthy, Status::Unknown, Cause::Stale))
    );
}

/// What silence has made unknown begins anew, also when the clock steps back to where it was known.
#[test]
fn a_row_that_expired_stays_so_when_the_clock_steps_back() {
    let check = HealthCheck::<0>::new(Config::new().rise(3));
    assert_eq!(statuses(&check, 0, &[true, true, true])[2], Status::Healthy);
    assert!(check.expire(secs(60)).is_some());
    assert_eq!(check.snapshot(secs(3)).successes_in_row, 0);
    assert_eq!(statuses(&check, 3, &[true, true, true]), [Status::Unknown, Status::Unknown, Status::Healthy]);
}

#[test]
fn the_age_is_that_of_the_newest_check_and_there_is_none_without_a_result() {
    let check = HealthCheck::<0>::new(Config::new());
    assert_eq!(check.snapshot(secs(1)).age, None);
    check.record(true, Instant::from_nanos(1_000_000_001), secs(2));
    if Wide::BITS == 64 {
        assert_eq!(check.snapshot(secs(3)).age, Some(Duration::from_nanos(1_999_999_999)));
    }
    check.reset(secs(4));
    assert_eq!(check.snapshot(secs(4)).age, None);
    // A tick is half a microsecond, or 1000 s on 32 bits.
    let day = Duration::from_secs(86_400);
    let seldom = HealthCheck::<0>::new(Config::new().stale_after(100 * day));
    let noon = Instant::from_nanos(43_200_000_000_000);
    seldom.record(true, noon, noon);
    let age = seldom.snapshot(noon.saturating_add(20 * day)).age.unwrap();
    assert!(age.abs_diff(20 * day) <= Duration::from_secs(1000), "{age:?}");
}

#[test]
fn rows_saturate() {
    let check = HealthCheck::<0>::new(Config::new().rise(255).fall(255));
    let statuses = statuses(&check, 0, &[true; 600]);
    assert_eq!(statuses.iter().filter(|&&status| status == Status::Unknown).count(), 254);
    assert_eq!(check.snapshot(secs(600)).successes_in_row, 255);
}

#[test]
fn b26_a_clock_that_steps_back_locks_nothing_out() {
    let check = HealthCheck::<0>::new(Config::new().rise(1).fall(1).stale_after(HALF_MINUTE));
    check.record(true, secs(1000), secs(1000));
    // A small step keeps the status, and results count in the new time at once.
    assert!(check.is_healthy(secs(980)));
    assert!(check.record(false, secs(980), secs(980)).is_some());
    check.record(true, secs(1000), secs(1000));
    // A long one makes it unknown until the next result.
    assert_eq!(check.status(secs(100)), Status::Unknown);
    assert_eq!(
        check.record(false, secs(100), secs(100)),
        Some(edge(Status::Healthy, Status::Unhealthy, Cause::Failures(1)))
    );
    // A check of the time before the step ends now.
    assert!(check.record(true, secs(1001), secs(101)).is_some());
    assert!(check.is_healthy(secs(101)));
}

#[test]
fn idle_across_the_wrap_is_fresh_for_two_stale_times_at_most_and_never_once_it_was_looked_at() {
    let stale = if Wide::BITS == 64 { Duration::MAX / 4_000_000 } else { HALF_MINUTE };
    let stale = stale.min(Duration::from_nanos(1 << 62));
    let check = HealthCheck::<0>::new(Config::new().rise(1).stale_after(stale));
    check.record(true, secs(0), secs(0));
    let step = nanos(stale) / 8;
    let steps = if Wide::BITS == 64 { u64::MAX / step } else { 128 * 8 * 4 };
    let fresh = (8..steps).filter(|n| check.is_healthy(Instant::from_nanos(n * step))).count();
    // Once in a wrap, which is at least 32 stale times: an eighth of a stale time each.
    assert!(fresh <= (steps / (32 * 8) * 17) as usize, "{fresh} of {steps}");
    assert!(check.expire(Instant::from_nanos(step * 9)).is_some());
    assert!((9..steps).all(|n| !check.is_healthy(Instant::from_nanos(n * step))));
}

#[test]
fn no_time_and_no_configuration_panics() {
    let moments = [0, 1, 1 << 32, u64::MAX / 2, u64::MAX - 1, u64::MAX].map(Instant::from_nanos);
    for stale in [Duration::from_nanos(1), Duration::from_nanos(3), HALF_MINUTE, Duration::MAX] {
        let check = HealthCheck::<2>::new(Config::new().rise(1).fall(1).stale_after(stale));
        for now in moments {
            for started in moments {
                for success in [false, true] {
                    check.record(success, started, now);
                    check.expire(now);
                    assert_eq!(check.snapshot(now).status, check.status(now));
                }
            }
            check.reset(now);
        }
    }
    let for_ever = HealthCheck::<0>::new(Config::new().rise(1).stale_after(Duration::MAX));
    for_ever.record(true, secs(0), secs(0));
    assert!(for_ever.is_healthy(Instant::from_nanos(u64::MAX / 2)));
}

#[test]
fn values_outside_their_bounds_are_refused() {
    let error = |config| HealthCheck::<0>::try_new(config).unwrap_err().to_string();
    assert_eq!(error(Config::default().rise(0)), "health_check.rise must be between 1 and 255");
    assert_eq!(error(Config::new().rise(256)), "health_check.rise must be between 1 and 255");
    assert_eq!(error(Config::new().fall(0)), "health_check.fall must be between 1 and 255");
    assert_eq!(error(Config::new().fall(256)), "health_check.fall must be between 1 and 255");
    let stale = Config::new().stale_after(Duration::ZERO);
    assert_eq!(error(stale), "health_check.stale_after must be greater than zero");
    let rate = Config::new().success_rate(Ratio::ONE, 1);
    assert_eq!(error(rate), "health_check.success_rate must be counted by at least one slot");
    let window = Config::new().window(Span::calls(0));
    let error = HealthCheck::<1>::try_new(window).unwrap_err().to_string();
    assert_eq!(error, "health_check.window must be between 1 and 16777216");
}

#[test]
fn edges_are_told_once_under_threads() {
    let check = HealthCheck::<0>::new(Config::new().rise(1).fall(1));
    let mut edges: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u32)
            .map(|thread| {
                let check = &check;
                scope.spawn(move || {
                    let outcomes = (0..5_000_u32).map(|n| (n * 7 + thread) % 5 < 3);
                    outcomes.filter_map(|success| check.record(success, secs(1), secs(1))).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    edges.retain(|edge| edge.from != Status::Unknown);
    let left = |status| edges.iter().filter(|edge| edge.from == status).count();
    assert!(left(Status::Healthy).abs_diff(left(Status::Unhealthy)) <= 1);
}

#[test]
fn costs_are_as_documented() {
    let check = HealthCheck::<0>::new(Config::new());
    let cost = |call: &dyn Fn()| {
        let (accesses, ()) = probe::count(call);
        (accesses.loads, accesses.writes)
    };
    assert_eq!(cost(&|| assert!(!check.is_healthy(secs(1)))), (1, 0));
    assert_eq!(cost(&|| assert_eq!(check.record(true, secs(1), secs(1)), None)), (1, 1));
    assert_eq!(cost(&|| assert_eq!(check.expire(secs(1)), None)), (1, 0));
    let rated = HealthCheck::<6>::new(Config::new().success_rate(Ratio::percent(50), 1));
    let window = Window::<6>::new(Span::time(Duration::from_secs(300)));
    for second in 0..600 {
        rated.record(true, secs(second), secs(second));
        window.record_only(Sample::SUCCESS, secs(second));
    }
    let (of_window, _) = probe::count(|| window.record(Sample::SUCCESS, secs(599)));
    let (of_check, _) = probe::count(|| rated.record(true, secs(599), secs(599)));
    assert_eq!((of_check.loads, of_check.writes), (of_window.loads + 1, of_window.writes + 1));
    probe::with_spurious_failures(2, || {
        assert!(check.record(true, secs(2), secs(2)).is_some());
    });
}
