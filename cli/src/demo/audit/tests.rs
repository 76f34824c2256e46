use super::Audit;
use crate::demo::record::Record;
use crate::demo::timeline::Schedule;
use crate::report::{Books, Ending, Failure, Final, Latency, Line, Rejection, Report};
use proptest::prelude::*;
use std::time::Duration;

const OK: Option<Ending> = Some(Ending::Succeeded);
const TIMEOUT: Option<Ending> = Some(Ending::Failed(Failure::Timeout));
const WRONG: Option<Ending> = Some(Ending::Failed(Failure::WrongReply));
const REFUSED: Option<Ending> = Some(Ending::Rejected(Rejection::Breaker));

/// A pass of 4 s at 5/s with these fates, every one with this many executions.
fn pass(fates: &[(Option<Ending>, u32)]) -> Record {
    let mut record = Record::new(true, 5, Schedule::new(1, Duration::from_secs(4)));
    assert_eq!(record.messages(), 20);
    let mut books = Books { sent: fates.len() as u64, ..Books::default() };
    for (number, &(fate, executions)) in (0..).zip(fates) {
        for _ in 0..executions {
            record.note(Line::Executed(number));
        }
        books.on_wire += u64::from(executions);
        match fate {
            Some(Ending::Succeeded) => books.succeeded += 1,
            Some(Ending::Failed(reason)) => *books.failed.entry(reason).or_default() += 1,
            Some(Ending::Rejected(reason)) => *books.rejected.entry(reason).or_default() += 1,
            None => {}
        }
    }
    let report = Report {
        at_ms: 4000,
        books,
        in_flight: 0,
        recent: Latency::default(),
        overall: Latency::default(),
        guarding: None,
    };
    let fates = fates.iter().map(|&(fate, _)| (fate, 1)).collect();
    record.note(Line::Final(Box::new(Final { report, fates })));
    record
}

fn twenty(first: (Option<Ending>, u32)) -> Vec<(Option<Ending>, u32)> {
    std::iter::once(first).chain(std::iter::repeat_n((OK, 1), 19)).collect()
}

#[test]
fn a_clean_pass_balances() {
    let audit = Audit::of(&pass(&twenty((OK, 1))));
    assert_eq!(audit.problems(), [""; 0]);
    let sent: Vec<_> = audit.by_phase.iter().map(|tally| (tally.sent, tally.succeeded)).collect();
    assert_eq!(sent, [(4, 4), (3, 3), (4, 4), (4, 4), (5, 5)]);
}

#[test]
fn lost_replies_are_no_error_but_are_told() {
    let audit = Audit::of(&pass(&twenty((TIMEOUT, 2))));
    assert_eq!(audit.problems(), [""; 0]);
    assert_eq!((audit.executed_but_failed, audit.executed_again), (1, 1));
}

#[test]
fn each_thing_that_must_not_be_is_named() {
    let case = |first| Audit::of(&pass(&twenty(first))).problems();
    assert_eq!(case((OK, 0)), ["1 messages were answered and never executed"]);
    assert_eq!(case((REFUSED, 1)), ["1 messages were rejected and executed all the same"]);
    assert_eq!(case((WRONG, 1)), ["1 replies belonged to another request"]);
    assert_eq!(case((None, 1)), ["20 messages were sent and 19 have a fate", "1 messages have no fate"]);

    let mut record = pass(&twenty((OK, 1)));
    record.last.as_mut().unwrap().report.books.counted_twice = 3;
    assert_eq!(Audit::of(&record).problems(), ["3 messages were counted twice"]);

    let mut record = pass(&twenty((OK, 1)));
    record.note(Line::Executed(99));
    assert_eq!(
        Audit::of(&record).problems(),
        [
            "the server executed 1 messages that were never sent",
            "the server executed 21 times for 20 attempts on the wire"
        ]
    );

    let mut record = pass(&twenty((OK, 1)));
    record.last.as_mut().unwrap().report.books.succeeded = 18;
    assert_eq!(Audit::of(&record).problems(), ["2 messages have no fate"]);

    let audit = Audit::of(&pass(&[(OK, 1); 19]));
    assert!(audit.problems().contains(&"20 messages were due and 19 were sent".to_owned()));
}

#[test]
fn a_pass_without_a_last_word_never_balances() {
    let record = Record::new(true, 5, Schedule::new(1, Duration::from_secs(4)));
    assert!(!Audit::of(&record).problems().is_empty());
}

proptest! {
    /// Any mixture of possible fates balances, and its sums are the sums of its parts.
    #[test]
    fn possible_passes_balance(picks in prop::collection::vec(0_usize..4, 20), again in 0_u32..3) {
        let possible = [(OK, 1 + again), (TIMEOUT, 0), (TIMEOUT, 1), (REFUSED, 0)];
        let audit = Audit::of(&pass(&picks.iter().map(|&pick| possible[pick]).collect::<Vec<_>>()));
        prop_assert_eq!(audit.problems(), Vec::<String>::new());
        prop_assert_eq!(audit.sent, audit.succeeded + audit.failed + audit.rejected);
        let parts = audit.by_phase.iter().fold([0; 4], |sum, tally| {
            [sum[0] + tally.sent, sum[1] + tally.succeeded, sum[2] + tally.failed, sum[3] + tally.rejected]
        });
        prop_assert_eq!(parts, [audit.sent, audit.succeeded, audit.failed, audit.rejected]);
    }
}
