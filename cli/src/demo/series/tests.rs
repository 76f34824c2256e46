use super::{FAILED, SENT, SUCCEEDED, breaker, current_rate, greatest, rates};
use crate::demo::fixture;
use crate::demo::record::Record;
use crate::demo::timeline::Schedule;
use crate::report::BreakerState::{Closed, HalfOpen, Open};
use crate::report::as_f64;
use std::time::Duration;

#[test]
fn an_empty_pass_has_no_series() {
    let record = Record::new(true, 500, Schedule::new(1, Duration::from_secs(20)));
    assert_eq!(rates(&record, SENT, 50), [0.0; 0]);
    assert_eq!(greatest(&record, |report| report.at_ms, 50), [0; 0]);
    assert_eq!(breaker(&record, 5000), []);
}

#[test]
fn the_rates_of_a_pass_add_up_to_its_counts() {
    let record = fixture::whole_pass(true);
    let succeeded = as_f64(record.newest().unwrap().books.succeeded);
    for slots in [1, 7, 61, 200, 500] {
        for (count, total) in [(SENT, 10_000.0), (SUCCEEDED, succeeded)] {
            let rates = rates(&record, count, slots);
            assert_eq!(rates.len(), slots);
            let sum: f64 =
                rates.iter().map(|rate| rate * 20.0 / f64::from(u32::try_from(slots).unwrap())).sum();
            assert!((sum - total).abs() < 1.0, "{slots} slots: {sum} of {total}");
        }
    }
    assert!(rates(&record, SENT, 20).iter().all(|rate| (rate - 500.0).abs() < 1.0));
}

#[test]
fn half_a_pass_has_half_a_series() {
    let record = fixture::pass_until(true, 10_000);
    assert_eq!(rates(&record, FAILED, 40).len(), 20);
    assert_eq!(greatest(&record, |report| report.recent.p95_us, 40).len(), 20);
}

#[test]
fn the_greatest_figure_of_a_slot_is_kept() {
    let record = fixture::whole_pass(true);
    let worst = record.samples.iter().map(|report| report.recent.p95_us).max().unwrap();
    for slots in [1, 10, 400] {
        assert_eq!(greatest(&record, |report| report.recent.p95_us, slots).into_iter().max(), Some(worst));
    }
}

#[test]
fn the_breaker_is_in_one_state_at_a_time() {
    let record = fixture::whole_pass(true);
    let stretches = breaker(&record, 20_000);
    let states: Vec<_> = stretches.iter().map(|stretch| stretch.2).collect();
    assert_eq!(states, [Closed, Open, HalfOpen, Open, HalfOpen, Closed]);
    assert_eq!(stretches[0].0, 0);
    assert_eq!(stretches.last().unwrap().1, 20_000);
    assert!(stretches.windows(2).all(|pair| pair[0].1 == pair[1].0));
    assert_eq!(breaker(&fixture::whole_pass(false), 20_000), []);
}

#[test]
fn the_current_rate_covers_a_second_or_what_there_is() {
    for until_ms in [100, 700, 1_000, 3_000, 8_000] {
        let record = fixture::pass_until(true, until_ms);
        assert!((current_rate(&record, SENT) - 500.0).abs() < 1.0, "{until_ms} ms");
    }
    assert!(current_rate(&fixture::pass_until(true, 13_000), SUCCEEDED) < 0.1);
    let record = Record::new(true, 500, Schedule::new(1, Duration::from_secs(20)));
    assert!(current_rate(&record, SENT) < 0.1);
}
