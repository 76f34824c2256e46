//! A made-up pass for the tests of what shows passes.

use crate::demo::record::Record;
use crate::demo::timeline::{Phase, Schedule};
use crate::report::{
    Books, BreakerState, Ending, Failure, Final, Guarding, Latency, Line, Rejection, Report, Transition,
};
use std::time::Duration;

/// A pass of 20 s at 500/s in which the breaker opens twice, seen to its end.
pub(crate) fn whole_pass(protected: bool) -> Record {
    let mut record = pass_until(protected, 20_000);
    let mut fates: Vec<(Option<Ending>, u64)> = Vec::new();
    for number in 0..10_000_u64 {
        let fate = fate(number, protected);
        if !matches!(fate, Ending::Rejected(_)) && number % 97 != 0 || fate == Ending::Succeeded {
            record.note(Line::Executed(number));
        }
        match fates.last_mut() {
            Some((last, times)) if *last == Some(fate) => *times += 1,
            _ => fates.push((Some(fate), 1)),
        }
    }
    let report = record.samples.pop().expect("a pass has reports");
    record.note(Line::Final(Box::new(Final { report, fates })));
    record
}

/// The same pass, seen up to a moment.
pub(crate) fn pass_until(protected: bool, until_ms: u64) -> Record {
    let mut record = Record::new(protected, 500, Schedule::new(1, Duration::from_secs(20)));
    record.admin = Some(([127, 0, 0, 1], 9464).into());
    let mut books = Books::default();
    for at_ms in (100..=until_ms).step_by(100) {
        for number in (at_ms - 100) / 2..at_ms / 2 {
            enter(&mut books, fate(number, protected));
        }
        let phase = record.schedule.phase_at(at_ms - 1);
        let breaker = transitions()
            .iter()
            .rev()
            .find(|transition| transition.at_ms <= at_ms)
            .map_or(BreakerState::Closed, |transition| transition.to);
        let p50_us = if phase == Phase::Slow { 90_000 } else { 400 };
        let recent = Latency { p50_us, p95_us: p50_us * 3 / 2, p99_us: p50_us * 2, worst_us: p50_us * 5 / 2 };
        record.note(Line::Report(Box::new(Report {
            at_ms,
            books: books.clone(),
            in_flight: 12,
            recent,
            overall: Latency { worst_us: 612_000, ..recent },
            guarding: protected.then(|| Guarding {
                breaker,
                limiter_rate: 600.0,
                limiter_available: 48,
                limiter_burst: 60,
                bulkhead_in_use: 12,
                bulkhead_capacity: 64,
                bulkhead_queued: 3,
                bulkhead_queue_capacity: 128,
                error_budget_remaining: 0.621,
                degradation: "degraded".to_owned(),
            }),
        })));
    }
    if protected {
        for transition in transitions().into_iter().filter(|transition| transition.at_ms <= until_ms) {
            record.note(Line::Transition(transition));
        }
    }
    record
}

fn transitions() -> Vec<Transition> {
    use BreakerState::{Closed, HalfOpen, Open};
    [
        (11_203, Closed, Open, "5 failures in a row"),
        (11_713, Open, HalfOpen, "the open time has passed"),
        (11_964, HalfOpen, Open, "a probe failed"),
        (15_310, Open, HalfOpen, "the open time has passed"),
        (15_322, HalfOpen, Closed, "3 probes succeeded"),
    ]
    .map(|(at_ms, from, to, reason)| Transition { at_ms, from, to, reason: reason.to_owned() })
    .to_vec()
}

/// Half of the half-dead phase fails; the dead phase fails, or is refused if there is a breaker.
fn fate(number: u64, protected: bool) -> Ending {
    match number {
        3_500..5_500 if number.is_multiple_of(7) => Ending::Failed(Failure::Timeout),
        5_500..5_600 => Ending::Failed(Failure::Connection),
        5_600..7_650 if protected => Ending::Rejected(Rejection::Breaker),
        5_600..7_650 => Ending::Failed(Failure::Timeout),
        _ if protected && number.is_multiple_of(100) => Ending::Rejected(Rejection::Bulkhead),
        _ => Ending::Succeeded,
    }
}

fn enter(books: &mut Books, ending: Ending) {
    books.sent += 1;
    match ending {
        Ending::Succeeded => books.succeeded += 1,
        Ending::Failed(reason) => {
            books.in_vain_us += 400_000;
            *books.failed.entry(reason).or_default() += 1;
        }
        Ending::Rejected(reason) => *books.rejected.entry(reason).or_default() += 1,
    }
    if !matches!(ending, Ending::Rejected(_)) {
        books.attempted_calls += 1;
        let attempts = if ending == Ending::Succeeded { 1 } else { 2 };
        books.attempts += attempts;
        books.on_wire += attempts;
    }
}
