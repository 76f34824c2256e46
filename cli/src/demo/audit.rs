//! The books of a pass, checked against what both sides saw.
//!
//! The client says what became of each message; the server says which messages it executed, before it answers them.
//! Neither is believed alone: a message that the client calls answered must have been executed, and one that it calls
//! rejected must not.

use crate::demo::record::Record;
use crate::demo::timeline::Phase;
use crate::report::{Ending, Failure};
use serde::Serialize;

/// What the comparison of both sides found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Audit {
    /// Messages that the pass was to send: rate times duration.
    pub(crate) due: u64,
    /// Messages that were handed to the client.
    pub(crate) sent: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
    /// Messages whose fate never became known.
    pub(crate) without_fate: u64,
    /// Times that a second fate was reported for a message.
    pub(crate) counted_twice: u64,
    /// Replies that did not belong to the request that they answered.
    pub(crate) wrong_replies: u64,
    /// Attempts that the client handed to a connection.
    pub(crate) on_wire: u64,
    /// Times that the server executed a message.
    pub(crate) executions: u64,
    /// Messages that the server executed more than once, because their reply was lost and they were sent again.
    pub(crate) executed_again: u64,
    /// Messages that failed for the client although the server executed them: their reply was lost.
    pub(crate) executed_but_failed: u64,
    /// Messages that the client calls answered and the server never executed.
    pub(crate) answered_not_executed: u64,
    /// Messages that the client calls rejected and the server executed.
    pub(crate) rejected_but_executed: u64,
    /// Executions of messages that were never sent.
    pub(crate) strange_executions: u64,
    /// Messages sent and answered in each part of the story, by the time at which they were due.
    pub(crate) by_phase: Vec<PhaseTally>,
}

/// What became of the messages that were due in one part of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PhaseTally {
    pub(crate) phase: Phase,
    pub(crate) sent: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
}

impl Audit {
    /// Compares both sides of a pass that has ended.
    pub(crate) fn of(record: &Record) -> Self {
        let mut audit = Self {
            due: record.messages(),
            executions: record.executions.iter().map(|&times| u64::from(times)).sum::<u64>()
                + record.strange_executions,
            executed_again: record.executions.iter().filter(|&&times| times > 1).count() as u64,
            strange_executions: record.strange_executions,
            by_phase: Phase::STORY
                .iter()
                .map(|&(phase, _)| PhaseTally { phase, sent: 0, succeeded: 0, failed: 0, rejected: 0 })
                .collect(),
            ..Self::default()
        };
        let Some(last) = &record.last else {
            audit.without_fate = audit.due;
            return audit;
        };
        let books = &last.report.books;
        audit.sent = books.sent;
        audit.counted_twice = books.counted_twice;
        audit.on_wire = books.on_wire;

        let fates = last.fates.iter().flat_map(|&(fate, times)| (0..times).map(move |_| fate));
        for (number, (fate, &executed)) in (0_u64..).zip(fates.zip(&record.executions)) {
            audit.enter(record, number, fate, executed);
        }
        // The client's own sums must be the sums of its fates, or something was lost on the way.
        let told = [books.succeeded, books.all_failed(), books.all_rejected()];
        let counted = [audit.succeeded, audit.failed, audit.rejected];
        audit.without_fate = told
            .iter()
            .zip(counted)
            .map(|(&told, counted)| told.abs_diff(counted))
            .sum::<u64>()
            .max(audit.due.saturating_sub(counted.iter().sum()));
        audit
    }

    fn enter(&mut self, record: &Record, number: u64, fate: Option<Ending>, executed: u32) {
        let due_ms = number * 1000 / u64::from(record.rate.max(1));
        let phase = record.schedule.phase_at(due_ms);
        let Some(tally) = self.by_phase.iter_mut().find(|tally| tally.phase == phase) else { return };
        tally.sent += 1;
        match fate {
            None => {}
            Some(Ending::Succeeded) => {
                tally.succeeded += 1;
                self.succeeded += 1;
                self.answered_not_executed += u64::from(executed == 0);
            }
            Some(Ending::Failed(reason)) => {
                tally.failed += 1;
                self.failed += 1;
                self.executed_but_failed += u64::from(executed > 0);
                self.wrong_replies += u64::from(reason == Failure::WrongReply);
            }
            Some(Ending::Rejected(_)) => {
                tally.rejected += 1;
                self.rejected += 1;
                self.rejected_but_executed += u64::from(executed > 0);
            }
        }
    }

    /// What does not balance, one sentence each; none if the books do.
    pub(crate) fn problems(&self) -> Vec<String> {
        let settled = self.succeeded + self.failed + self.rejected;
        let mut problems = Vec::new();
        let mut check = |wrong: bool, text: String| {
            if wrong {
                problems.push(text);
            }
        };
        check(self.sent != self.due, format!("{} messages were due and {} were sent", self.due, self.sent));
        check(self.sent != settled, format!("{} messages were sent and {settled} have a fate", self.sent));
        check(self.without_fate > 0, format!("{} messages have no fate", self.without_fate));
        check(self.counted_twice > 0, format!("{} messages were counted twice", self.counted_twice));
        check(self.wrong_replies > 0, format!("{} replies belonged to another request", self.wrong_replies));
        check(
            self.answered_not_executed > 0,
            format!("{} messages were answered and never executed", self.answered_not_executed),
        );
        check(
            self.rejected_but_executed > 0,
            format!("{} messages were rejected and executed all the same", self.rejected_but_executed),
        );
        check(
            self.strange_executions > 0,
            format!("the server executed {} messages that were never sent", self.strange_executions),
        );
        check(
            self.executions > self.on_wire,
            format!(
                "the server executed {} times for {} attempts on the wire",
                self.executions, self.on_wire
            ),
        );
        problems
    }
}

#[cfg(test)]
mod tests;
