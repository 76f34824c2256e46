//! Pauses, latencies and budgets.

use core::hint::black_box;
use core::time::Duration;
use std::sync::Mutex;

use hdrhistogram::Histogram as HdrHistogram;
use seawall_core::backoff::{Backoff, Jitter};
use seawall_core::error_budget::{Config, ErrorBudget};
use seawall_core::histogram::{Histogram, buckets_for};
use seawall_core::{Ratio, Rng};

use super::{FETCH_ADD, NOW, SPAN, history};
use crate::measure::Row;

fn row<S: Sync + 'static>(name: &'static str, subject: S, operation: impl Fn(&S) + Sync + 'static) -> Row {
    Row::new("attempt", name, subject, operation)
}

/// The schedule's delay before the third retry.
fn delay(jitter: Jitter) -> impl Fn(&Rng) + Sync + 'static {
    let schedule =
        Backoff::exponential(Duration::from_millis(10)).at_most(Duration::from_secs(5)).jitter(jitter);
    move |rng| {
        let schedule = black_box(&schedule);
        black_box(schedule.delay(black_box(2), Duration::ZERO, rng.next_u32()));
    }
}

pub(super) fn rows() -> Vec<Row> {
    let histogram = Histogram::<5, { buckets_for(5, (1 << 40) - 1) }>::new();
    let hdr = HdrHistogram::<u64>::new_with_bounds(1, 1 << 40, 2).expect("legal bounds");
    let budget = ErrorBudget::<10>::new(Config::new(Ratio::per_million(999_000), SPAN));
    for moment in history() {
        budget.record(true, moment);
    }
    vec![
        row("next delay, full jitter", Rng::new(1), delay(Jitter::Full)).beside(&[(1, FETCH_ADD)]),
        row("next delay, ± 10 %", Rng::new(1), delay(Jitter::PERCENT_10)).beside(&[(1, FETCH_ADD)]),
        row("histogram, record", histogram, |histogram| histogram.record(black_box(123_456)))
            .beside(&[(1, FETCH_ADD)]),
        row("hdrhistogram 7.6 in a mutex, record", Mutex::new(hdr), |histogram| {
            let _ = histogram.lock().expect("nothing panics while it is locked").record(black_box(123_456));
        })
        .beside(&[(1, FETCH_ADD)]),
        row("error budget, success", budget, |budget| {
            black_box(budget.record(true, black_box(NOW)));
        })
        .beside(&[(1, FETCH_ADD)]),
    ]
}
