//! What can happen, and how it fits four words.

use crate::admission::circuit_breaker::{Cause, State, Transition};
use crate::atomic::bits::Field;
use crate::health::degradation::{Level, LevelChange};
use crate::health::error_budget::Edge;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A circuit breaker changed its state.
    Breaker(Transition),
    /// An error budget crossed the line.
    Budget(Edge),
    /// A latency budget crossed the line.
    Latency(Edge),
    /// The service's level of degradation changed.
    Level(LevelChange),
}

/// Which kind of event.
const KIND: Field = Field::lowest(8);
/// The state or the level before.
const FROM: Field = KIND.then(4);
/// The state, the level or the side of the line since.
const TO: Field = FROM.then(4);
/// Why, for a breaker.
const CAUSE: Field = TO.then(8);
const REST: Field = CAUSE.then(8);
const _: () = assert!(REST.end() == u32::BITS);

const BREAKER: u32 = 1;
const BUDGET: u32 = 2;
const LEVEL: u32 = 3;
const LATENCY: u32 = 4;

impl EventKind {
    /// The kind with its flags, and three words as the kind says.
    pub(super) fn encode(self) -> [u32; 4] {
        match self {
            Self::Breaker(transition) => {
                let (cause, first, second) = encode_cause(transition.cause);
                let word = head(BREAKER, transition.from as u32, transition.to as u32);
                [CAUSE.set(word, cause), transition.generation, first, second]
            }
            Self::Budget(edge) => [head(BUDGET, 0, u32::from(edge == Edge::Exhausted)), 0, 0, 0],
            Self::Latency(edge) => [head(LATENCY, 0, u32::from(edge == Edge::Exhausted)), 0, 0, 0],
            Self::Level(change) => [head(LEVEL, change.from as u32, change.to as u32), 0, 0, 0],
        }
    }

    /// The kind of these words; `None` if no kind is encoded so.
    pub(super) fn decode([word, generation, first, second]: [u32; 4]) -> Option<Self> {
        let (from, to) = (FROM.get(word), TO.get(word));
        Some(match KIND.get(word) {
            BREAKER => Self::Breaker(Transition {
                from: decode_state(from)?,
                to: decode_state(to)?,
                cause: decode_cause(CAUSE.get(word), first, second)?,
                generation,
            }),
            BUDGET if to == 0 => Self::Budget(Edge::Recovered),
            BUDGET => Self::Budget(Edge::Exhausted),
            LATENCY if to == 0 => Self::Latency(Edge::Recovered),
            LATENCY => Self::Latency(Edge::Exhausted),
            LEVEL => Self::Level(LevelChange { from: Level::from_bits(from), to: Level::from_bits(to) }),
            _ => return None,
        })
    }
}

const fn head(kind: u32, from: u32, to: u32) -> u32 {
    TO.set(FROM.set(KIND.set(0, kind), from), to)
}

const fn decode_state(bits: u32) -> Option<State> {
    match bits {
        0 => Some(State::Closed),
        1 => Some(State::HalfOpen),
        2 => Some(State::Open),
        _ => None,
    }
}

const _: () = assert!(State::Closed as u32 == 0 && State::HalfOpen as u32 == 1 && State::Open as u32 == 2);

const fn encode_cause(cause: Cause) -> (u32, u32, u32) {
    match cause {
        Cause::ConsecutiveFailures { failures } => (1, failures, 0),
        Cause::FailureRate { calls, failures } => (2, calls, failures),
        Cause::OpenTimeOver => (3, 0, 0),
        Cause::ProbesFailed { failures } => (4, failures, 0),
        Cause::ProbesSucceeded { successes } => (5, successes, 0),
        Cause::Manual => (6, 0, 0),
        Cause::SlowCallRate { calls, slow } => (7, calls, slow),
        Cause::ProbeRate { calls, failures } => (8, calls, failures),
    }
}

const fn decode_cause(cause: u32, first: u32, second: u32) -> Option<Cause> {
    Some(match cause {
        1 => Cause::ConsecutiveFailures { failures: first },
        2 => Cause::FailureRate { calls: first, failures: second },
        3 => Cause::OpenTimeOver,
        4 => Cause::ProbesFailed { failures: first },
        5 => Cause::ProbesSucceeded { successes: first },
        6 => Cause::Manual,
        7 => Cause::SlowCallRate { calls: first, slow: second },
        8 => Cause::ProbeRate { calls: first, failures: second },
        _ => return None,
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn every_kind_comes_back_as_it_was() {
        let states = [State::Closed, State::HalfOpen, State::Open];
        let causes = [
            Cause::ConsecutiveFailures { failures: u32::MAX },
            Cause::FailureRate { calls: u32::MAX, failures: 7 },
            Cause::OpenTimeOver,
            Cause::ProbesFailed { failures: 2 },
            Cause::ProbesSucceeded { successes: 3 },
            Cause::Manual,
            Cause::SlowCallRate { calls: 9, slow: 5 },
            Cause::ProbeRate { calls: 9, failures: 5 },
        ];
        let mut kinds: Vec<_> = [Edge::Exhausted, Edge::Recovered].map(EventKind::Budget).into();
        kinds.extend([Edge::Exhausted, Edge::Recovered].map(EventKind::Latency));
        for from in Level::ALL {
            kinds.extend(Level::ALL.map(|to| EventKind::Level(LevelChange { from, to })));
        }
        for from in states {
            for to in states {
                kinds.extend(
                    causes.map(|cause| EventKind::Breaker(Transition { from, to, cause, generation: 1023 })),
                );
            }
        }
        let words: Vec<_> = kinds.iter().map(|kind| kind.encode()).collect();
        for (i, (kind, word)) in kinds.iter().zip(&words).enumerate() {
            assert_eq!(EventKind::decode(*word), Some(*kind));
            assert!(!words[..i].contains(word), "{kind:?}");
        }
    }

    #[test]
    fn words_that_say_nothing_are_no_event() {
        assert_eq!(EventKind::decode([0; 4]), None);
        assert_eq!(EventKind::decode([u32::MAX; 4]), None);
        assert_eq!(EventKind::decode([BREAKER, 0, 0, 0]), None);
    }
}
