extern crate std;
use std::format;
use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::atomic::sync::probe;

const HOUR: Duration = Duration::from_secs(3_600);

fn secs(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

fn totals(calls: u32, failures: u32) -> Totals {
    Totals { calls, failures, slow: 0 }
}

#[test]
fn an_alert_stands_in_a_static_and_has_the_documented_size() {
    static PAGE: BurnRate = BurnRate::new(Config::new(Ratio::per_million(999_000), Rule::FAST));
    assert_eq!(PAGE.record(true, secs(0)), None);
    assert_eq!(size_of::<BurnRate>(), 640);
    assert!(format!("{PAGE:?}").contains("raised: false"));
}

#[test]
fn the_workbook_rules_are_what_they_say() {
    let minutes = |rule: Rule| (rule.factor_tenths, rule.long.as_secs() / 60, rule.short.as_secs() / 60);
    assert_eq!(minutes(Rule::FAST), (144, 60, 5));
    assert_eq!(minutes(Rule::MEDIUM), (60, 360, 30));
    assert_eq!(minutes(Rule::SLOW), (10, 4_320, 360));
}

#[test]
fn a_rate_that_equals_the_factor_is_too_fast() {
    let config = Config::new(Ratio::per_million(999_000), Rule::FAST);
    // 14.4 times a thousandth.
    assert!(config.is_too_fast(totals(10_000, 144)));
    assert!(!config.is_too_fast(totals(10_000, 143)));
    assert_eq!(config.thousandths(totals(10_000, 144)), 14_400);
    assert_eq!(config.thousandths(totals(0, 0)), 0);
}

#[test]
fn both_windows_must_burn_and_the_short_one_clears() {
    let alert = BurnRate::<10>::new(Config::new(Ratio::percent(99), Rule::FAST).minimum_calls(100));
    let mut edges = Vec::new();
    // Failures of a fifth of the calls for ten minutes, one call a second, after forty calm minutes.
    for second in 0..3_600_u64 {
        let failing = (2_400..3_000).contains(&second);
        let success = !failing || second % 5 != 0;
        edges.extend(alert.record(success, secs(second)).map(|edge| (second, edge)));
    }
    // That is less than 14.4 % of the long window.
    assert_eq!(edges, []);
    // Every call fails for ten minutes: soon that is 14.4 % of the short window, and later of the long one.
    let mut edges = Vec::new();
    for second in 3_600..5_400_u64 {
        let success = second >= 4_200;
        edges.extend(alert.record(success, secs(second)).map(|edge| (second, edge)));
    }
    let [(raised, Edge::Raised), (cleared, Edge::Cleared)] = edges[..] else { panic!("{edges:?}") };
    assert!((3_900..4_200).contains(&raised), "{raised}");
    // The long window still burns; the short one forgot within five minutes.
    assert!((4_200..4_200 + 300).contains(&cleared), "{cleared}");
    assert!(alert.snapshot(secs(cleared)).long_thousandths >= 14_400);
}

#[test]
fn eb2_it_clears_while_idle() {
    let alert = BurnRate::<10>::new(Config::new(Ratio::percent(90), Rule::tenths(20, HOUR)).minimum_calls(1));
    assert_eq!(alert.record(false, secs(0)), Some(Edge::Raised));
    assert_eq!(alert.check(secs(299)), None);
    assert_eq!(alert.check(secs(300)), Some(Edge::Cleared));
    assert_eq!(alert.check(secs(300)), None);
    assert!(!alert.is_raised(secs(300)));
}

#[test]
fn eb3_one_early_failure_raises_nothing() {
    let alert = BurnRate::<10>::new(Config::new(Ratio::per_million(999_000), Rule::FAST));
    assert_eq!(alert.record(false, secs(0)), None);
    let seen = alert.snapshot(secs(0));
    assert_eq!((seen.calls, seen.long_thousandths, seen.short_thousandths), (1, 1_000_000, 1_000_000));
    assert!(!seen.raised);
}

#[test]
fn eb5_objectives_of_everything_and_of_nothing_are_legal() {
    let all = Config::new(Ratio::ONE, Rule::FAST);
    assert!(!all.is_too_fast(totals(10, 0)) && all.is_too_fast(totals(10, 1)));
    assert_eq!((all.thousandths(totals(10, 0)), all.thousandths(totals(10, 1))), (0, u32::MAX));
    let nothing = Config::new(Ratio::ZERO, Rule::SLOW);
    assert!(nothing.is_too_fast(totals(10, 10)) && !nothing.is_too_fast(totals(10, 9)));
}

#[test]
fn b78_counts_near_the_end_do_not_overflow() {
    const MAX: u32 = u32::MAX;
    let tiny = Ratio::try_new(MAX - 1, MAX).unwrap();
    for objective in [Ratio::ZERO, Ratio::ONE, tiny] {
        let config = Config::new(objective, Rule::tenths(MAX, HOUR));
        for (calls, failures) in [(MAX, MAX), (MAX, 0), (MAX, 1), (1, 1), (0, 0)] {
            config.is_too_fast(totals(calls, failures));
            config.thousandths(totals(calls, failures));
        }
    }
    let long = BurnRate::<1>::try_new(Config::new(tiny, Rule::tenths(1, Duration::MAX)));
    assert_eq!(long.unwrap_err().to_string(), "burn_rate.long must be at most 2^64 nanoseconds");
}

#[test]
fn rules_that_cannot_hold_are_refused() {
    let error = |rule| BurnRate::<10>::try_new(Config::new(Ratio::ONE, rule)).unwrap_err().to_string();
    assert_eq!(error(Rule::tenths(0, HOUR)), "burn_rate.factor_tenths must be greater than zero");
    assert_eq!(error(Rule::FAST.short(HOUR * 2)), "burn_rate.short must be at most the long window");
    let slots = "must be a whole, positive number of nanoseconds in each slot";
    assert_eq!(error(Rule::FAST.short(Duration::from_nanos(7))), format!("burn_rate.short {slots}"));
    assert_eq!(error(Rule::tenths(1, Duration::from_nanos(7))), format!("burn_rate.long {slots}"));
}

#[test]
fn costs_are_as_documented() {
    let alert = BurnRate::<10>::new(Config::new(Ratio::percent(50), Rule::FAST.short(HOUR)));
    let window = Window::<10>::new(Span::time(HOUR));
    for second in 0..7_200 {
        alert.record(true, secs(second));
        window.record_only(Sample::SUCCESS, secs(second));
    }
    let (record, ()) = probe::count(|| window.record_only(Sample::SUCCESS, secs(7_199)));
    let (sums, _) = probe::count(|| window.totals(secs(7_199)));
    let (calm, _) = probe::count(|| alert.record(true, secs(7_199)));
    assert_eq!(calm.writes, record.writes * 2);
    assert_eq!(calm.loads, record.loads * 2 + sums.loads + 1);
}

#[test]
fn without_a_slot_nothing_would_be_counted() {
    let error = BurnRate::<0>::try_new(Config::new(Ratio::percent(99), Rule::FAST)).unwrap_err();
    assert_eq!(error.to_string(), "burn_rate.long must be counted by at least one slot");
}
