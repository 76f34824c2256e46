//! What a guard counted. Statistics take part in no decision.

use super::rejected::{Pattern, Rejected};
use crate::admission::circuit_breaker::{State, Transition};
use crate::atomic::sync::Counter;

/// The counts of a guard since it was made; on 32-bit targets each wraps at 2³².
///
/// When nothing is under way, `calls asked for = successes + failures + ignored + cancelled + rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Calls that succeeded in the end.
    pub successes: u64,
    /// Calls that failed in the end.
    pub failures: u64,
    /// Calls whose result says nothing about the dependency.
    pub ignored: u64,
    /// Calls that the caller gave up.
    pub cancelled: u64,
    /// Calls refused by the rate limiter.
    pub rejected_by_rate_limiter: u64,
    /// Calls refused by the bulkhead.
    pub rejected_by_bulkhead: u64,
    /// Calls refused by the circuit breaker.
    pub rejected_by_circuit_breaker: u64,
    /// Calls whose deadline came before they could start.
    pub rejected_by_deadline: u64,
    /// Attempts beyond the first of a call.
    pub retries: u64,
    /// Attempts that ended by their timeout.
    pub timeouts: u64,
    /// Changes of the breaker's state, by state before and state after; see [`Stats::transitions`].
    transitions: [[u64; 3]; 3],
}

impl Stats {
    /// How often the breaker changed from one state to the other.
    pub const fn transitions(&self, from: State, to: State) -> u64 {
        self.transitions[from as usize][to as usize]
    }

    /// All refused calls.
    pub const fn rejected(&self) -> u64 {
        self.rejected_by_rate_limiter
            + self.rejected_by_bulkhead
            + self.rejected_by_circuit_breaker
            + self.rejected_by_deadline
    }
}

pub(super) struct Counters {
    successes: Counter,
    failures: Counter,
    ignored: Counter,
    cancelled: Counter,
    rejected: [Counter; 4],
    retries: Counter,
    timeouts: Counter,
    /// One for each pair of different states.
    transitions: [Counter; 6],
}

/// The pairs of different states, in the order of the counters.
const EDGES: [(State, State); 6] = [
    (State::Closed, State::HalfOpen),
    (State::Closed, State::Open),
    (State::HalfOpen, State::Closed),
    (State::HalfOpen, State::Open),
    (State::Open, State::Closed),
    (State::Open, State::HalfOpen),
];

impl Counters {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                successes: Counter::new(),
                failures: Counter::new(),
                ignored: Counter::new(),
                cancelled: Counter::new(),
                rejected: array_of!(4, Counter::new()),
                retries: Counter::new(),
                timeouts: Counter::new(),
                transitions: array_of!(6, Counter::new()),
            }
        }
    }

    #[inline]
    pub(super) fn success(&self) {
        self.successes.increment();
    }

    pub(super) fn failure(&self) {
        self.failures.increment();
    }

    pub(super) fn ignored(&self) {
        self.ignored.increment();
    }

    pub(super) fn cancelled(&self) {
        self.cancelled.increment();
    }

    pub(super) fn retry(&self) {
        self.retries.increment();
    }

    pub(super) fn timeout(&self) {
        self.timeouts.increment();
    }

    pub(super) fn rejected(&self, rejected: &Rejected) {
        let [limiter, bulkhead, breaker, deadline] = &self.rejected;
        match rejected.pattern() {
            Pattern::RateLimiter => limiter,
            Pattern::Bulkhead => bulkhead,
            Pattern::CircuitBreaker => breaker,
            Pattern::Deadline => deadline,
        }
        .increment();
    }

    /// A transition that changes no state is no transition.
    pub(super) fn transition(&self, transition: Transition) {
        let edge = (transition.from, transition.to);
        for (counter, known) in self.transitions.iter().zip(EDGES) {
            if known == edge {
                counter.increment();
            }
        }
    }

    pub(super) fn read(&self) -> Stats {
        let [limiter, bulkhead, breaker, deadline] = &self.rejected;
        let mut transitions = [[0; 3]; 3];
        for (counter, (from, to)) in self.transitions.iter().zip(EDGES) {
            transitions[from as usize][to as usize] = counter.get();
        }
        Stats {
            successes: self.successes.get(),
            failures: self.failures.get(),
            ignored: self.ignored.get(),
            cancelled: self.cancelled.get(),
            rejected_by_rate_limiter: limiter.get(),
            rejected_by_bulkhead: bulkhead.get(),
            rejected_by_circuit_breaker: breaker.get(),
            rejected_by_deadline: deadline.get(),
            retries: self.retries.get(),
            timeouts: self.timeouts.get(),
            transitions,
        }
    }
}
