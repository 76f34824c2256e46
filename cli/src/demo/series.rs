//! The reports of a pass as series over its time, for the live view and for the drawing.

use crate::demo::record::Record;
use crate::report::{BreakerState, Report, as_f64};

/// A count of the reports that only grows.
pub(crate) type Count = fn(&Report) -> u64;

/// Messages handed to the client.
pub(crate) const SENT: Count = |report| report.books.sent;
/// Messages answered.
pub(crate) const SUCCEEDED: Count = |report| report.books.succeeded;
/// Messages that failed.
pub(crate) const FAILED: Count = |report| report.books.all_failed();
/// Messages that were refused.
pub(crate) const REJECTED: Count = |report| report.books.all_rejected();

/// How much a count grew a second, in `slots` equal slots of the planned time of the run.
///
/// The list ends with the last slot that the reports cover. Between two reports a count is taken to grow evenly.
pub(crate) fn rates(record: &Record, count: Count, slots: usize) -> Vec<f64> {
    let width = slot_ms(record, slots);
    let covered = record.newest().map_or(0.0, |report| as_f64(report.at_ms));
    let mut at = Cumulative::new(record, count);
    let mut before = 0.0;
    ends(slots, width)
        .take_while(|&end| end <= covered + width / 2.0)
        .map(|end| {
            let value = at.value(end);
            let rate = (value - before) / width * 1000.0;
            before = value;
            rate
        })
        .collect()
}

/// How much a count grew a second, over about the last second.
pub(crate) fn current_rate(record: &Record, count: Count) -> f64 {
    let Some(newest) = record.newest() else { return 0.0 };
    let (at_ms, value) = record
        .samples
        .iter()
        .rev()
        .find(|report| report.at_ms + 1000 <= newest.at_ms)
        .map_or((0, 0), |report| (report.at_ms, count(report)));
    let span = newest.at_ms.saturating_sub(at_ms).max(1);
    as_f64(count(newest).saturating_sub(value)) / as_f64(span) * 1000.0
}

/// A figure of the newest report at the end of each slot, or the greatest one of the reports within it.
pub(crate) fn greatest(record: &Record, figure: fn(&Report) -> u64, slots: usize) -> Vec<u64> {
    let width = slot_ms(record, slots);
    let covered = record.newest().map_or(0.0, |report| as_f64(report.at_ms));
    let mut reports = record.samples.iter().peekable();
    let mut last = 0;
    ends(slots, width)
        .take_while(|&end| end <= covered + width / 2.0)
        .map(|end| {
            let mut within = None;
            while let Some(report) = reports.next_if(|report| as_f64(report.at_ms) <= end) {
                last = figure(report);
                within = within.max(Some(last));
            }
            within.unwrap_or(last)
        })
        .collect()
}

/// Stretches of time in which the breaker was in one state: from, to, state.
pub(crate) fn breaker(record: &Record, until_ms: u64) -> Vec<(u64, u64, BreakerState)> {
    let first = record.transitions.first().map_or_else(
        || record.newest().and_then(|report| report.guarding.as_ref()).map(|guarding| guarding.breaker),
        |first| Some(first.from),
    );
    let Some(mut state) = first else { return Vec::new() };
    let mut from = 0;
    let mut stretches = Vec::with_capacity(record.transitions.len() + 1);
    for transition in &record.transitions {
        let at = transition.at_ms.min(until_ms);
        stretches.push((from, at, state));
        (from, state) = (at, transition.to);
    }
    stretches.push((from, until_ms.max(from), state));
    stretches
}

fn slot_ms(record: &Record, slots: usize) -> f64 {
    as_f64(record.schedule.duration_ms.max(1)) / as_f64(slots.max(1) as u64)
}

fn ends(slots: usize, width: f64) -> impl Iterator<Item = f64> {
    (1..=slots as u64).map(move |slot| as_f64(slot) * width)
}

/// A count as a function of time that is asked for growing times.
struct Cumulative<'a> {
    reports: std::slice::Iter<'a, Report>,
    count: Count,
    from: (f64, f64),
    to: Option<(f64, f64)>,
}

impl<'a> Cumulative<'a> {
    fn new(record: &'a Record, count: Count) -> Self {
        let mut cumulative = Self { reports: record.samples.iter(), count, from: (0.0, 0.0), to: None };
        cumulative.to = cumulative.next();
        cumulative
    }

    fn next(&mut self) -> Option<(f64, f64)> {
        self.reports.next().map(|report| (as_f64(report.at_ms), as_f64((self.count)(report))))
    }

    fn value(&mut self, at: f64) -> f64 {
        while let Some(to) = self.to {
            if at < to.0 {
                let (from, length) = (self.from, to.0 - self.from.0);
                let part = if length > 0.0 { ((at - from.0) / length).max(0.0) } else { 1.0 };
                return from.1 + (to.1 - from.1) * part;
            }
            self.from = to;
            self.to = self.next();
        }
        self.from.1
    }
}

#[cfg(test)]
mod tests;
