//! An admitted call, with the borrow or without.

use core::fmt;
use core::time::Duration;

use super::state::Snapshot;
use super::{Cause, CircuitBreaker, Reason, Rejected, Settlement, State, Transition};
use crate::outcome::Outcome;
use crate::time::{Instant, nanos};

/// What a call was admitted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Probe,
    /// The probe that half-opened the breaker.
    FirstProbe,
    /// A call that only a breaker in shadow mode admits.
    Refused(Reason),
}

/// An admitted call that must still be settled: a [`Permit`] without the borrow.
///
/// Dropping a probe's ticket loses the probe until its lease ends; nothing else is lost.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "settle the ticket with `CircuitBreaker::settle`"]
pub struct Ticket {
    pub(super) generation: u32,
    pub(super) kind: Kind,
    pub(super) started: Instant,
}

impl Ticket {
    pub(super) const fn is_probe(&self) -> bool {
        matches!(self.kind, Kind::Probe | Kind::FirstProbe)
    }
}

/// A ticket, and what only its holder needs to know.
pub(crate) struct Admission {
    pub(super) ticket: Ticket,
    /// Of a refused call, in nanoseconds, `u64::MAX` for none: half the size of the public form.
    retry_after: u64,
}

impl Admission {
    #[inline]
    pub(super) const fn new(state: Snapshot, kind: Kind, started: Instant) -> Self {
        let ticket = Ticket { generation: state.generation(), kind, started };
        Self { ticket, retry_after: u64::MAX }
    }

    pub(super) fn refused(state: Snapshot, rejected: Rejected, started: Instant) -> Self {
        let retry_after = rejected.retry_after.map_or(u64::MAX, nanos);
        Self { retry_after, ..Self::new(state, Kind::Refused(rejected.reason), started) }
    }

    fn would_reject(&self) -> Option<Rejected> {
        let Kind::Refused(reason) = self.ticket.kind else { return None };
        let wait = Duration::from_nanos(self.retry_after);
        Some(Rejected::new(reason, Some(wait).filter(|_| self.retry_after < u64::MAX)))
    }
}

/// An admitted call.
///
/// It settles once: by [`Permit::record`], or as cancelled when it is dropped.
#[must_use = "dropping it settles the call as cancelled"]
pub struct Permit<'a, const SLOTS: usize = 0> {
    pub(super) breaker: &'a CircuitBreaker<SLOTS>,
    pub(super) admission: Admission,
}

impl<const SLOTS: usize> Permit<'_, SLOTS> {
    /// Reports how the call ended.
    #[inline]
    pub fn record(self, outcome: Outcome, now: Instant) -> Settlement {
        self.record_with(outcome, None, now)
    }

    /// Reports how the call ended, and after what time the peer wants to be asked again, if it said so.
    ///
    /// A breaker that [honors](super::Config::honor_retry_after) it opens for that time if this failure opens it.
    #[inline]
    pub fn record_with(self, outcome: Outcome, retry_after: Option<Duration>, now: Instant) -> Settlement {
        let breaker = self.breaker;
        breaker.settle_with(self.into_ticket(), outcome, retry_after, now)
    }

    /// Whether this call is a probe.
    pub const fn is_probe(&self) -> bool {
        self.admission.ticket.is_probe()
    }

    /// What the breaker would have answered if it were not in [shadow mode](CircuitBreaker::shadow); `None` for a call that it
    /// admits.
    ///
    /// The result of such a call counts for nothing, as the real breaker would not have seen it.
    #[inline]
    pub fn would_reject(&self) -> Option<Rejected> {
        self.admission.would_reject()
    }

    /// The transition that admitted this call, from open to half-open, if it is the first probe after the open time.
    #[inline]
    pub fn transition(&self) -> Option<Transition> {
        matches!(self.admission.ticket.kind, Kind::FirstProbe).then_some(Transition {
            from: State::Open,
            to: State::HalfOpen,
            cause: Cause::OpenTimeOver,
            generation: self.admission.ticket.generation,
        })
    }

    /// Turns the permit into plain data, for places where the borrow cannot live.
    #[inline]
    pub fn into_ticket(self) -> Ticket {
        let ticket = self.ticket();
        core::mem::forget(self);
        ticket
    }

    #[inline]
    const fn ticket(&self) -> Ticket {
        let Ticket { generation, kind, started } = self.admission.ticket;
        Ticket { generation, kind, started }
    }
}

impl<const SLOTS: usize> Drop for Permit<'_, SLOTS> {
    fn drop(&mut self) {
        // A cancelled call is settled without a time: it starts no phase.
        self.breaker.settle(self.ticket(), Outcome::Cancelled, Instant::ZERO);
    }
}

impl<const SLOTS: usize> fmt::Debug for Permit<'_, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("generation", &self.admission.ticket.generation)
            .field("kind", &self.admission.ticket.kind)
            .finish_non_exhaustive()
    }
}
