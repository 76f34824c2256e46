//! An admitted call, with the borrow or without.

use core::fmt;
use core::time::Duration;

use super::state::Snapshot;
use super::{Cause, CircuitBreaker, Reason, Rejected, Settlement, State, Transition};
use crate::atomic::bits::Field;
use crate::atomic::timer::STAMP_BITS;
use crate::attempt::deadline::Deadline;
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

const KIND: Field = Field::lowest(3);
const GENERATION: Field = KIND.then(STAMP_BITS);

impl Kind {
    #[inline]
    const fn code(self) -> u32 {
        match self {
            Self::Plain => 0,
            Self::Probe => 1,
            Self::FirstProbe => 2,
            Self::Refused(Reason::Open) => 3,
            Self::Refused(Reason::ForcedOpen) => 4,
            Self::Refused(Reason::ProbesOut) => 5,
            Self::Refused(Reason::Ramping) => 6,
        }
    }

    #[inline]
    const fn of(code: u32) -> Self {
        match code {
            0 => Self::Plain,
            1 => Self::Probe,
            2 => Self::FirstProbe,
            3 => Self::Refused(Reason::Open),
            4 => Self::Refused(Reason::ForcedOpen),
            5 => Self::Refused(Reason::ProbesOut),
            _ => Self::Refused(Reason::Ramping),
        }
    }
}

/// An admitted call that must still be settled: a [`Permit`] without the borrow.
///
/// Dropping a probe's ticket loses the probe until its lease ends; nothing else is lost.
#[derive(PartialEq, Eq)]
#[must_use = "settle the ticket with `CircuitBreaker::settle`"]
pub struct Ticket {
    /// Generation and kind: of two numbers a ticket is passed in registers, where of three it is written to memory and
    /// read again before it has arrived there.
    word: u32,
    /// Nanoseconds: when the call started; of a refused one its `retry_after`, `u64::MAX` for none.
    ///
    /// Nobody asks when a refused call started, for its result counts for nothing; so all calls have smaller permits.
    nanos: u64,
}

impl Ticket {
    #[inline]
    pub(super) const fn new(state: Snapshot, kind: Kind, started: Instant) -> Self {
        Self::of(state, kind, started.as_nanos())
    }

    pub(super) fn refused(state: Snapshot, rejected: Rejected) -> Self {
        let nanos = rejected.retry_after.map_or(u64::MAX, nanos);
        Self::of(state, Kind::Refused(rejected.reason), nanos)
    }

    #[inline]
    const fn of(state: Snapshot, kind: Kind, nanos: u64) -> Self {
        Self { word: GENERATION.set(KIND.set(0, kind.code()), state.generation()), nanos }
    }

    #[inline]
    pub(super) const fn generation(&self) -> u32 {
        GENERATION.get(self.word)
    }

    #[inline]
    pub(super) const fn kind(&self) -> Kind {
        Kind::of(KIND.get(self.word))
    }

    pub(super) const fn is_probe(&self) -> bool {
        matches!(self.kind(), Kind::Probe | Kind::FirstProbe)
    }

    /// When a call that counts started.
    #[inline]
    pub(super) const fn started(&self) -> Instant {
        Instant::from_nanos(self.nanos)
    }

    #[inline]
    fn would_reject(&self) -> Option<Rejected> {
        let Kind::Refused(reason) = self.kind() else { return None };
        let retry_after = (self.nanos < u64::MAX).then_some(Duration::from_nanos(self.nanos));
        Some(Rejected::new(reason, retry_after))
    }

    /// The same ticket, for a holder that settles when it is dropped.
    #[inline]
    pub(crate) const fn again(&self) -> Self {
        Self { word: self.word, nanos: self.nanos }
    }
}

/// An admitted call.
///
/// It settles once: by [`Permit::record`], or as cancelled when it is dropped.
#[must_use = "dropping it settles the call as cancelled"]
pub struct Permit<'a, const SLOTS: usize = 0> {
    pub(super) breaker: &'a CircuitBreaker<SLOTS>,
    pub(super) ticket: Ticket,
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

    /// Whether nothing is to be said about the admission: the case of nearly every call.
    #[inline]
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self.ticket.kind(), Kind::Plain)
    }

    /// When a probe that starts at `started` must be over, if it has less time than other attempts.
    #[cold]
    pub(crate) fn probe_deadline(&self, started: Instant) -> Deadline {
        self.breaker.config().probe_limit().map_or(Deadline::NONE, |limit| Deadline::after(started, limit))
    }

    /// Whether this call is a probe.
    pub const fn is_probe(&self) -> bool {
        self.ticket.is_probe()
    }

    /// What the breaker would have answered if it were not in [shadow mode](CircuitBreaker::shadow); `None` for a call that it
    /// admits.
    ///
    /// The result of such a call counts for nothing, as the real breaker would not have seen it.
    #[inline]
    pub fn would_reject(&self) -> Option<Rejected> {
        self.ticket.would_reject()
    }

    /// The transition that admitted this call, from open to half-open, if it is the first probe after the open time.
    #[inline]
    pub fn transition(&self) -> Option<Transition> {
        matches!(self.ticket.kind(), Kind::FirstProbe).then_some(Transition {
            from: State::Open,
            to: State::HalfOpen,
            cause: Cause::OpenTimeOver,
            generation: self.ticket.generation(),
        })
    }

    /// Turns the permit into plain data, for places where the borrow cannot live.
    #[inline]
    pub fn into_ticket(self) -> Ticket {
        let ticket = self.ticket.again();
        core::mem::forget(self);
        ticket
    }
}

impl<const SLOTS: usize> Drop for Permit<'_, SLOTS> {
    fn drop(&mut self) {
        // A cancelled call is settled without a time: it starts no phase.
        self.breaker.settle(self.ticket.again(), Outcome::Cancelled, Instant::ZERO);
    }
}

impl<const SLOTS: usize> fmt::Debug for Permit<'_, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("generation", &self.ticket.generation())
            .field("kind", &self.ticket.kind())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("generation", &self.generation())
            .field("kind", &self.kind())
            .field("nanos", &self.nanos)
            .finish_non_exhaustive()
    }
}
