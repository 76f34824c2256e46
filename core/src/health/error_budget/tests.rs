extern crate std;
use std::string::ToString;
use std::vec::Vec;
use std::{format, thread};

use super::*;
use crate::atomic::sync::probe;

const MINUTE: Duration = Duration::from_secs(60);

fn secs(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

/// Records so many successes and failures at one instant.
fn calls(budget: &ErrorBudget, successes: u32, failures: u32, now: Instant) -> Vec<Edge> {
    let outcomes = (0..successes).map(|_| true).chain((0..failures).map(|_| false));
    outcomes.filter_map(|success| budget.record(success, now)).collect()
}

fn totals(calls: u32, failures: u32) -> Totals {
    Totals { calls, failures, slow: 0 }
}

#[test]
fn a_budget_stands_in_a_static_and_has_the_documented_size() {
    static SEND: ErrorBudget = ErrorBudget::new(Config::new(Ratio::percent(99), MINUTE));
    assert_eq!(SEND.record(true, secs(0)), None);
    assert_eq!(SEND.objective(), Ratio::percent(99));
    assert_eq!(size_of::<ErrorBudget>(), 328);
    assert!(format!("{SEND:?}").contains("exhausted: false"));
}

#[test]
fn the_seeds_numbers_come_out() {
    let config = Config::new(Ratio::percent(90), MINUTE).minimum_calls(1);
    let account = config.account(totals(100, 5));
    assert_eq!((account.calls, account.failures, account.allowed_failures), (100, 5, 10));
    assert_eq!(account.remaining, Ratio::per_million(500_000));
    assert_eq!(account.spent_millionths, 500_000);
    assert_eq!(account.availability, Ratio::try_new(95, 100).unwrap());
    assert!(!account.exhausted);
    // An objective that is met exactly is met, though nothing is left.
    let spent = config.account(totals(100, 10));
    assert_eq!((spent.remaining, spent.exhausted), (Ratio::per_million(0), false));
    let missed = config.account(totals(100, 20));
    assert_eq!((missed.spent_millionths, missed.exhausted), (2_000_000, true));
    assert_eq!(missed.remaining, Ratio::per_million(0));
}

// What the original did wrong.

#[test]
fn eb2_the_first_event_of_a_new_window_counts() {
    let budget = ErrorBudget::<10>::new(Config::new(Ratio::percent(50), MINUTE).minimum_calls(1));
    assert_eq!(calls(&budget, 1, 1, secs(0)), []);
    assert_eq!(calls(&budget, 0, 1, secs(60)), [Edge::Exhausted]);
    assert_eq!(budget.snapshot(secs(60)).calls, 1);
}

#[test]
fn eb2_it_recovers_while_idle_when_the_failures_have_left_and_not_before() {
    let budget = ErrorBudget::<10>::new(Config::new(Ratio::percent(90), MINUTE).minimum_calls(10));
    assert_eq!(calls(&budget, 8, 2, secs(30)), [Edge::Exhausted]);
    assert!(budget.is_exhausted(secs(60)) && budget.is_exhausted(secs(89)));
    assert_eq!(budget.check(secs(89)), None);
    assert!(!budget.is_exhausted(secs(90)) && !budget.snapshot(secs(90)).exhausted);
    assert_eq!(budget.check(secs(90)), Some(Edge::Recovered));
    assert_eq!(budget.check(secs(90)), None);
}

#[test]
fn eb3_one_early_failure_does_not_exhaust_the_budget() {
    let three_nines = Config::new(Ratio::per_million(999_000), MINUTE);
    assert_eq!(three_nines.minimum_calls, 1000);
    let budget = ErrorBudget::<10>::new(three_nines);
    assert_eq!(calls(&budget, 0, 1, secs(0)), []);
    assert_eq!(calls(&budget, 999, 0, secs(1)), []);
    assert_eq!(calls(&budget, 0, 1, secs(2)), [Edge::Exhausted]);
}

#[test]
fn eb5_an_objective_of_everything_is_legal() {
    let all = Config::new(Ratio::percent(100), MINUTE);
    let budget = ErrorBudget::<10>::new(all);
    assert_eq!(calls(&budget, 3, 0, secs(0)), []);
    assert_eq!(budget.snapshot(secs(0)).remaining, Ratio::per_million(1_000_000));
    assert_eq!(calls(&budget, 0, 1, secs(0)), [Edge::Exhausted]);
    let account = budget.snapshot(secs(0));
    assert_eq!((account.allowed_failures, account.spent_millionths), (0, u32::MAX));
    assert_eq!(account.remaining, Ratio::per_million(0));
}

#[test]
fn eb5_an_objective_of_nothing_is_never_missed() {
    let budget = ErrorBudget::<10>::new(Config::new(Ratio::ZERO, MINUTE));
    assert_eq!(calls(&budget, 0, 50, secs(0)), []);
    assert_eq!(budget.snapshot(secs(0)).allowed_failures, 50);
}

#[test]
fn eb5_allowed_failures_are_not_cut_by_rounding() {
    let allowed = |percent, calls| Config::new(Ratio::percent(percent), MINUTE).account(totals(calls, 0));
    assert_eq!(allowed(90, 10).allowed_failures, 1);
    assert_eq!(allowed(99, 100).allowed_failures, 1);
    assert_eq!(allowed(99, 199).allowed_failures, 1);
}

#[test]
fn eb6_an_account_is_of_one_reading() {
    let budget = ErrorBudget::<10>::new(Config::new(Ratio::percent(50), MINUTE).minimum_calls(1));
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..5_000 {
                budget.record(n & 1 == 0, secs(n / 100));
            }
        });
        for n in 0..5_000 {
            let account = budget.snapshot(secs(n / 100));
            assert!(account.failures <= account.calls);
            let successes = account.calls - account.failures;
            assert_eq!(account.exhausted, account.calls > 0 && successes < account.failures);
        }
    });
}

#[test]
fn eb8_each_edge_is_told_once_and_edges_alternate() {
    let budget = ErrorBudget::<10>::new(Config::new(Ratio::percent(50), MINUTE).minimum_calls(1));
    let (exhausted, recovered) = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let budget = &budget;
                scope.spawn(move || {
                    let mut edges = (0, 0);
                    for n in 0..5_000_u32 {
                        match budget.record(n % 7 < 3 + thread % 2, secs(u64::from(n) / 50)) {
                            Some(Edge::Exhausted) => edges.0 += 1,
                            Some(Edge::Recovered) => edges.1 += 1,
                            None => {}
                        }
                    }
                    edges
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .fold((0, 0), |sum, edges| (sum.0 + edges.0, sum.1 + edges.1))
    });
    let state: State = budget.state.load();
    assert_eq!(exhausted - recovered, i32::from(state.is_exhausted()));
    assert_eq!(state.0 >> 1, (exhausted + recovered).cast_unsigned());
}

#[test]
fn b77_an_empty_budget_is_whole() {
    let account = Config::new(Ratio::percent(99), MINUTE).account(Totals::ZERO);
    assert_eq!((account.availability, account.spent_millionths), (Ratio::ONE, 0));
    assert_eq!(account.remaining, Ratio::per_million(1_000_000));
    assert!(!account.exhausted);
}

#[test]
fn b78_counts_near_the_end_do_not_overflow() {
    const MAX: u32 = u32::MAX;
    for objective in [Ratio::ZERO, Ratio::ONE, Ratio::per_million(999_999), Ratio::try_new(1, MAX).unwrap()] {
        let config = Config::new(objective, MINUTE);
        for (calls, failures) in [(MAX, MAX), (MAX, 0), (MAX, 1), (MAX - 1, MAX - 1), (1, 1)] {
            let account = config.account(totals(calls, failures));
            let exact = u128::from(calls - failures) * u128::from(objective.denominator())
                < u128::from(calls) * u128::from(objective.numerator());
            assert_eq!(account.exhausted, exact && calls >= config.minimum_calls);
        }
    }
    let account = Config::new(Ratio::percent(50), MINUTE).account(totals(MAX, 40_000_001));
    assert_eq!(account.spent_millionths, 18_626);
}

#[test]
fn a_reset_forgets_and_tells_the_edge() {
    let budget = ErrorBudget::<10>::new(Config::new(Ratio::percent(50), MINUTE).minimum_calls(1));
    assert_eq!(calls(&budget, 0, 3, secs(5)), [Edge::Exhausted]);
    assert_eq!(budget.reset(secs(6)), Some(Edge::Recovered));
    assert_eq!(budget.reset(secs(6)), None);
    assert_eq!(budget.snapshot(secs(6)).calls, 0);
}

#[test]
fn a_span_that_the_slots_do_not_divide_is_refused() {
    let error = ErrorBudget::<3>::try_new(Config::new(Ratio::ONE, Duration::from_nanos(10))).unwrap_err();
    let words = "error_budget.span must be a whole, positive number of nanoseconds in each slot";
    assert_eq!(error.to_string(), words);
}

#[test]
fn costs_are_as_documented() {
    let budget = ErrorBudget::<10>::new(Config::new(Ratio::percent(90), MINUTE));
    let window = Window::<10>::new(Span::time(MINUTE));
    for second in 0..100 {
        budget.record(true, secs(second));
        window.record_only(Sample::SUCCESS, secs(second));
    }
    let (of_window, _) = probe::count(|| window.record(Sample::SUCCESS, secs(99)));
    let (of_budget, _) = probe::count(|| budget.record(true, secs(99)));
    assert_eq!((of_budget.loads, of_budget.writes), (of_window.loads + 1, of_window.writes));
}

#[test]
fn without_a_slot_nothing_would_be_counted() {
    let error =
        ErrorBudget::<0>::try_new(Config::new(Ratio::percent(99), Duration::from_secs(60))).unwrap_err();
    assert_eq!(error.to_string(), "error_budget.span must be counted by at least one slot");
}
