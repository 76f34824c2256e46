//! What one pass of the demonstration was seen to do.

use crate::demo::proxy::LinkCounts;
use crate::demo::timeline::{Event, Schedule};
use crate::report::{Final, Line, Report, Transition};
use serde::Serialize;
use std::net::SocketAddr;

/// The record of one pass, which grows while the pass runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    /// Whether the client was guarded.
    pub(crate) protected: bool,
    /// Messages offered a second.
    pub(crate) rate: u32,
    /// What was meant to happen.
    pub(crate) schedule: Schedule,
    /// What was done, with the times at which it was.
    pub(crate) done: Vec<Event>,
    /// The client's reports, ten a second.
    pub(crate) samples: Vec<Report>,
    /// Changes of the client's breaker.
    pub(crate) transitions: Vec<Transition>,
    /// What the proxy did to the link.
    pub(crate) link: LinkCounts,
    /// The client's last word.
    #[serde(skip)]
    pub(crate) last: Option<Final>,
    /// How often the server executed each message, by number.
    #[serde(skip)]
    pub(crate) executions: Vec<u32>,
    /// Executions of messages that were never sent.
    #[serde(skip)]
    pub(crate) strange_executions: u64,
    /// Where the client serves its metrics.
    #[serde(skip)]
    pub(crate) admin: Option<SocketAddr>,
}

impl Record {
    /// The record of a pass that has not started.
    pub(crate) fn new(protected: bool, rate: u32, schedule: Schedule) -> Self {
        let messages = schedule.duration_ms * u64::from(rate) / 1000;
        Self {
            protected,
            rate,
            schedule,
            done: Vec::new(),
            samples: Vec::new(),
            transitions: Vec::new(),
            link: LinkCounts::default(),
            last: None,
            executions: vec![0; usize::try_from(messages).unwrap_or(0)],
            strange_executions: 0,
            admin: None,
        }
    }

    /// Messages that the pass offers in all.
    pub(crate) const fn messages(&self) -> u64 {
        self.executions.len() as u64
    }

    /// Takes in a line that a node wrote.
    pub(crate) fn note(&mut self, line: Line) {
        match line {
            Line::Ready(_) => {}
            Line::Executed(number) => {
                match usize::try_from(number).ok().and_then(|number| self.executions.get_mut(number)) {
                    Some(times) => *times += 1,
                    None => self.strange_executions += 1,
                }
            }
            Line::Report(report) => self.samples.push(*report),
            Line::Transition(transition) => self.transitions.push(transition),
            Line::Final(last) => {
                self.samples.push(last.report.clone());
                self.last = Some(*last);
            }
        }
    }

    /// The client's newest report.
    pub(crate) fn newest(&self) -> Option<&Report> {
        self.samples.last()
    }

    /// When the breaker closed for good after the link was healed, counted from the heal; zero if it was closed then.
    pub(crate) fn heal_to_closed_ms(&self) -> Option<u64> {
        use crate::report::BreakerState::Closed;
        let healed = self.schedule.healed_at_ms();
        match self.transitions.last() {
            Some(last) => (last.to == Closed).then(|| last.at_ms.saturating_sub(healed)),
            None => self.newest()?.guarding.is_some().then_some(0),
        }
    }

    /// Times that the breaker opened.
    pub(crate) fn openings(&self) -> usize {
        use crate::report::BreakerState::Open;
        self.transitions.iter().filter(|transition| transition.to == Open).count()
    }
}
