//! A guard that remembers what changed, by choice.

use core::fmt;
use core::panic::RefUnwindSafe;

use super::Guard;
use crate::admission::circuit_breaker::Transition;
use crate::events::{Event, EventKind, EventRing};
use crate::health::error_budget::Edge;
use crate::time::Instant;

/// What a guard can write events to: an [`EventRing`] of any size. It runs nobody else's code.
pub trait Notes: Sync + RefUnwindSafe + sealed::Sealed {
    /// Appends an event.
    fn append(&self, event: Event);
}

mod sealed {
    /// Keeps user code out of the guard.
    #[expect(unnameable_types, reason = "nobody else implements it")]
    pub trait Sealed {}
    impl<const N: usize> Sealed for crate::events::EventRing<N> {}
}

impl<const N: usize> Notes for EventRing<N> {
    fn append(&self, event: Event) {
        self.push(event);
    }
}

/// Where a guard writes its events, if anywhere.
#[derive(Clone, Copy)]
pub(super) struct Book(Option<&'static dyn Notes>);

impl Book {
    pub(super) const NONE: Self = Self(None);

    #[cold]
    fn write(self, now: Instant, kind: EventKind) {
        if let Some(notes) = self.0 {
            notes.append(Event { at: now, kind });
        }
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Book(ring)" } else { "Book(none)" })
    }
}

impl<const WAITERS: usize, const SLOTS: usize> Guard<WAITERS, SLOTS> {
    /// Writes the breaker's transitions and the error budget's edges to `ring`, with their reasons, as calls make them.
    ///
    /// Give each guard a ring of its own: an event does not say whose it is.
    /// Events of different threads stand in the order in which they were written; where two transitions met, their
    /// generations tell the order in which they were made.
    ///
    /// # Examples
    ///
    /// ```
    /// use seawall_core::guard::{Policy, Report};
    /// use seawall_core::{circuit_breaker, Deadline, EventRing, Guard, Instant, Outcome};
    ///
    /// static EVENTS: EventRing<16> = EventRing::new();
    /// static UPLINK: Guard = Guard::new(
    ///     Policy::new().circuit_breaker(circuit_breaker::Config::consecutive_failures(1)),
    /// )
    /// .note_into(&EVENTS);
    ///
    /// let now = Instant::from_secs(1);
    /// let mut call = UPLINK.try_begin(Deadline::NONE, now).unwrap();
    /// let attempt = call.try_attempt(now).unwrap();
    /// let settled = call.settle(attempt, Report::new(Outcome::Failure), now);
    /// let event = EVENTS.last().unwrap();
    /// assert_eq!(event.kind, seawall_core::events::EventKind::Breaker(settled.transition.unwrap()));
    /// ```
    #[must_use = "the guard is returned"]
    pub const fn note_into(mut self, ring: &'static dyn Notes) -> Self {
        self.book = Book(Some(ring));
        self
    }

    /// As [`Guard::note`], for a transition that was made by hand at `now`; it is written to the guard's ring, too.
    pub fn note_at(&self, transition: Transition, now: Instant) {
        self.changed(transition, now);
    }

    /// Counts a transition, and writes it down.
    #[cold]
    pub(super) fn changed(&self, transition: Transition, now: Instant) {
        self.counters.transition(transition);
        self.book.write(now, EventKind::Breaker(transition));
    }

    /// Writes an edge of the error budget down, if there is one.
    #[inline]
    pub(super) fn crossed(&self, edge: Option<Edge>, now: Instant) -> Option<Edge> {
        if let Some(edge) = edge {
            self.book.write(now, EventKind::Budget(edge));
        }
        edge
    }

    /// Looks whether time took the error budget over the line, which calls do by themselves; ask now and then while nothing
    /// is called.
    pub fn refresh(&self, now: Instant) -> Option<Edge> {
        self.crossed(self.error_budget.as_ref().and_then(|budget| budget.check(now)), now)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use core::time::Duration;
    use std::vec::Vec;

    use crate::admission::circuit_breaker::{self, Cause};
    use crate::attempt::deadline::Deadline;
    use crate::events::{EventKind, EventRing};
    use crate::guard::{Guard, Policy, Report};
    use crate::health::error_budget::{self, Edge};
    use crate::outcome::Outcome;
    use crate::ratio::Ratio;
    use crate::time::Instant;

    static RING: EventRing<16> = EventRing::new();

    #[test]
    fn transitions_and_edges_stand_in_the_ring_in_order_and_with_their_reasons() {
        let second = Duration::from_secs(1);
        let policy = Policy::new()
            .circuit_breaker(
                circuit_breaker::Config::consecutive_failures(1).open_for(second).successes_to_close(1),
            )
            .error_budget(error_budget::Config::new(Ratio::percent(99), 10 * second).minimum_calls(1));
        let guard: Guard = Guard::new(policy).note_into(&RING);
        let call = |outcome, secs| {
            let now = Instant::from_secs(secs);
            let mut call = guard.try_begin(Deadline::NONE, now).unwrap();
            let attempt = call.try_attempt(now).unwrap();
            let _ = call.settle(attempt, Report::new(outcome), now);
        };
        call(Outcome::Failure, 1);
        call(Outcome::Success, 2);
        assert_eq!(guard.refresh(Instant::from_secs(20)), Some(Edge::Recovered));
        guard.set_shadow(true);
        call(Outcome::Failure, 30);
        guard.note_at(guard.breaker().unwrap().force_open(), Instant::from_secs(31));
        let mut cursor = RING.cursor();
        let seen: Vec<_> = core::iter::from_fn(|| RING.read(&mut cursor))
            .map(|event| {
                let cause = match event.kind {
                    EventKind::Breaker(transition) => Ok(transition.cause),
                    EventKind::Budget(edge) => Err(edge),
                    other => panic!("{other:?}"),
                };
                (event.at.as_nanos() / 1_000_000_000, cause)
            })
            .collect();
        let failed = Ok(Cause::ConsecutiveFailures { failures: 1 });
        assert_eq!(
            seen,
            [
                (1, failed),
                (1, Err(Edge::Exhausted)),
                (2, Ok(Cause::OpenTimeOver)),
                (2, Ok(Cause::ProbesSucceeded { successes: 1 })),
                (20, Err(Edge::Recovered)),
                (30, failed),
                (30, Err(Edge::Exhausted)),
                (31, Ok(Cause::Manual)),
            ]
        );
        assert_eq!(
            guard.stats().transitions(circuit_breaker::State::Closed, circuit_breaker::State::Open),
            2
        );
    }
}
