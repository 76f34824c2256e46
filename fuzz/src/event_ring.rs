//! What must hold for any sequence of events and readers: a ring is the end of a list, and readers know what they missed.

use std::time::Duration;

use seawall_core::adaptive_concurrency::{self, Reason};
use seawall_core::check::{self, Status};
use seawall_core::circuit_breaker::{self, Settlement};
use seawall_core::degradation::{Level, LevelChange};
use seawall_core::error_budget::Edge;
use seawall_core::events::{Cursor, Event, EventKind, EventRing, RateChange};
use seawall_core::rate_limiter::Quota;
use seawall_core::{CircuitBreaker, Instant, Outcome, Ratio, adaptive_rate, burn_rate, composite, window};

use crate::input::Input;

const SLOTS: usize = 8;

const STATUSES: [Status; 3] = [Status::Unknown, Status::Healthy, Status::Unhealthy];

const REASONS: [Reason; 5] = [Reason::Bad, Reason::Room, Reason::Latency, Reason::Probe, Reason::ProbeOver];

/// Runs the script of `bytes` on a ring and on a list of all events.
///
/// # Panics
///
/// If they disagree.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let ring = EventRing::<SLOTS>::new();
    // Its transitions are what only a breaker can make.
    let rate = circuit_breaker::Config::failure_rate(Ratio::percent(50), window::Span::calls(4), 2);
    let config = rate.or_consecutive_failures(3).open_for(Duration::from_millis(1));
    let breaker = CircuitBreaker::<4>::new(config);
    let mut events: Vec<Event> = Vec::new();
    let mut readers: Vec<(Cursor, Reader)> = Vec::new();
    while let Some(operation) = input.operation() {
        let at = Instant::from_nanos(input.long());
        let oldest = events.len().saturating_sub(SLOTS);
        let kind = match operation % 10 {
            _ if operation >= 200 => Some(other_kind(operation, &mut input)),
            0 => Some(EventKind::Budget(if input.flag() { Edge::Exhausted } else { Edge::Recovered })),
            1 => {
                let (from, to) = (input.pick(&Level::ALL), input.pick(&Level::ALL));
                Some(EventKind::Level(LevelChange { from, to }))
            }
            2 => Some(EventKind::Breaker(breaker.trip(at))),
            3 => Some(EventKind::Breaker(breaker.reset(at))),
            4 | 5 => {
                let outcome = if operation > 90 { Outcome::Failure } else { Outcome::Success };
                match breaker.try_acquire(at).map(|permit| permit.record(outcome, at)) {
                    Ok(Settlement::Changed(transition)) => Some(EventKind::Breaker(transition)),
                    _ => None,
                }
            }
            6 => {
                let next = if input.flag() { oldest } else { events.len() };
                let cursor = if next == oldest { ring.cursor() } else { ring.cursor_at_end() };
                readers.push((cursor, Reader { next, missed: 0 }));
                None
            }
            7..=8 => {
                if let Some(at) = input.index(readers.len()) {
                    let (cursor, reader) = &mut readers[at];
                    let seen = ring.read(cursor);
                    assert_eq!(seen, reader.read(&events));
                    assert_eq!(cursor.missed() as usize, reader.missed);
                }
                None
            }
            _ => {
                // A burst that goes round the ring.
                for n in 0..input.byte() % 20 {
                    let event = Event {
                        at: Instant::from_nanos(u64::from(n)),
                        kind: EventKind::Budget(Edge::Exhausted),
                    };
                    ring.push(event);
                    events.push(event);
                }
                None
            }
        };
        if let Some(kind) = kind {
            ring.push(Event { at, kind });
            events.push(Event { at, kind });
        }
        assert_eq!(ring.last(), events.last().copied());
        assert_eq!(ring.dropped() as usize, events.len().saturating_sub(SLOTS));
    }
    for (mut cursor, mut reader) in readers {
        while let Some(event) = reader.read(&events) {
            assert_eq!(ring.read(&mut cursor), Some(event), "everything that is left is read, in order");
        }
        assert_eq!((ring.read(&mut cursor), cursor.missed() as usize), (None, reader.missed));
    }
}

/// What the ring keeps for a program that pushes it.
fn other_kind(operation: u8, input: &mut Input<'_>) -> EventKind {
    let number = |input: &mut Input<'_>| input.any_word();
    match operation % 6 {
        0 if input.flag() => EventKind::Latency(Edge::Exhausted),
        0 => EventKind::Latency(Edge::Recovered),
        1 => {
            let (n, m) = (number(input), number(input));
            let cause = match input.byte() % 5 {
                0 => check::Cause::Successes(n),
                1 => check::Cause::Failures(n),
                2 => check::Cause::SuccessRate { successes: n, results: m },
                3 => check::Cause::Stale,
                _ => check::Cause::Reset,
            };
            check::Transition { from: input.pick(&STATUSES), to: input.pick(&STATUSES), cause }.into()
        }
        2 if input.flag() => burn_rate::Edge::Raised.into(),
        2 => burn_rate::Edge::Cleared.into(),
        3 if input.flag() => composite::Edge::Healthy.into(),
        3 => composite::Edge::Unhealthy.into(),
        4 => {
            let (from, to) = (Quota::per_second(number(input)), Quota::per_second(number(input)));
            let p95 = Duration::from_nanos(input.long());
            let change = RateChange::from(adaptive_rate::Adjustment { from, to, p95, samples: 1 });
            assert_eq!((change.from, change.to), (from.tokens(), to.tokens()));
            let kept = u128::from(u32::MAX).min(p95.as_micros());
            assert_eq!(change.p95().as_micros(), kept, "of {p95:?}");
            EventKind::Rate(change)
        }
        _ => {
            let (from, to, reason) = (number(input), number(input), input.pick(&REASONS));
            adaptive_concurrency::Adjustment { from, to, reason }.into()
        }
    }
}

/// A cursor in the list.
struct Reader {
    next: usize,
    missed: usize,
}

impl Reader {
    fn read(&mut self, events: &[Event]) -> Option<Event> {
        let oldest = events.len().saturating_sub(SLOTS);
        if self.next < oldest && events.len() > self.next {
            self.missed += oldest - self.next;
            self.next = oldest;
        }
        let event = events.get(self.next).copied();
        self.next += usize::from(event.is_some());
        event
    }
}
