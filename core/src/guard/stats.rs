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
    /// Calls refused by the load shedder.
    pub rejected_by_load_shedder: u64,
    /// Calls refused because the service was too far degraded for them.
    pub rejected_by_degradation: u64,
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
    /// What was only watched: of calls in shadow mode, and of attempts past a breaker that is in shadow mode by itself.
    pub shadow: Would,
    /// Changes of the breaker's state, by state before and state after; see [`Stats::transitions`].
    transitions: [[u64; 3]; 3],
}

/// What the patterns would have done to calls in [shadow mode](super#shadow-mode), each by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Would {
    /// Calls that the load shedder would have refused.
    pub reject_by_load_shedder: u64,
    /// Calls that the level of degradation would have refused.
    pub reject_by_degradation: u64,
    /// Calls that the rate limiter would have refused.
    pub reject_by_rate_limiter: u64,
    /// Calls that found no slot: the bulkhead would have refused them or let them wait.
    pub reject_by_bulkhead: u64,
    /// Attempts that the circuit breaker would have refused.
    pub reject_by_circuit_breaker: u64,
    /// Calls whose deadline had come before they started.
    pub reject_by_deadline: u64,
    /// Attempts that would have been made again.
    pub retry: u64,
    /// Attempts that would have been cut at their timeout.
    pub time_out: u64,
}

impl Would {
    /// All refusals; a call that two patterns would have refused counts twice.
    pub const fn reject(&self) -> u64 {
        self.reject_by_load_shedder
            + self.reject_by_degradation
            + self.reject_by_rate_limiter
            + self.reject_by_bulkhead
            + self.reject_by_circuit_breaker
            + self.reject_by_deadline
    }
}

impl Stats {
    /// How often the breaker changed from one state to the other.
    pub const fn transitions(&self, from: State, to: State) -> u64 {
        self.transitions[from as usize][to as usize]
    }

    /// All refused calls.
    pub const fn rejected(&self) -> u64 {
        self.rejected_by_load_shedder
            + self.rejected_by_degradation
            + self.rejected_by_rate_limiter
            + self.rejected_by_bulkhead
            + self.rejected_by_circuit_breaker
            + self.rejected_by_deadline
    }
}

/// How many patterns refuse calls.
const PATTERNS: usize = 6;

pub(super) struct Counters {
    successes: Counter,
    failures: Counter,
    ignored: Counter,
    cancelled: Counter,
    rejected: [Counter; PATTERNS],
    retries: Counter,
    timeouts: Counter,
    would: [Counter; PATTERNS],
    would_retry: Counter,
    would_time_out: Counter,
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
                rejected: array_of!(PATTERNS, Counter::new()),
                retries: Counter::new(),
                timeouts: Counter::new(),
                would: array_of!(PATTERNS, Counter::new()),
                would_retry: Counter::new(),
                would_time_out: Counter::new(),
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
        of(&self.rejected, rejected.pattern()).increment();
    }

    pub(super) fn would_reject(&self, pattern: Pattern) {
        of(&self.would, pattern).increment();
    }

    pub(super) fn would_retry(&self) {
        self.would_retry.increment();
    }

    pub(super) fn would_time_out(&self) {
        self.would_time_out.increment();
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
        let [shedder, degradation, limiter, bulkhead, breaker, deadline] = &self.rejected;
        let mut transitions = [[0; 3]; 3];
        for (counter, (from, to)) in self.transitions.iter().zip(EDGES) {
            transitions[from as usize][to as usize] = counter.get();
        }
        Stats {
            successes: self.successes.get(),
            failures: self.failures.get(),
            ignored: self.ignored.get(),
            cancelled: self.cancelled.get(),
            rejected_by_load_shedder: shedder.get(),
            rejected_by_degradation: degradation.get(),
            rejected_by_rate_limiter: limiter.get(),
            rejected_by_bulkhead: bulkhead.get(),
            rejected_by_circuit_breaker: breaker.get(),
            rejected_by_deadline: deadline.get(),
            retries: self.retries.get(),
            timeouts: self.timeouts.get(),
            shadow: self.read_shadow(),
            transitions,
        }
    }

    fn read_shadow(&self) -> Would {
        let [shedder, degradation, limiter, bulkhead, breaker, deadline] = &self.would;
        Would {
            reject_by_load_shedder: shedder.get(),
            reject_by_degradation: degradation.get(),
            reject_by_rate_limiter: limiter.get(),
            reject_by_bulkhead: bulkhead.get(),
            reject_by_circuit_breaker: breaker.get(),
            reject_by_deadline: deadline.get(),
            retry: self.would_retry.get(),
            time_out: self.would_time_out.get(),
        }
    }
}

/// The counter of a pattern that refuses.
const fn of(counters: &[Counter; PATTERNS], pattern: Pattern) -> &Counter {
    let [shedder, degradation, limiter, bulkhead, breaker, deadline] = counters;
    match pattern {
        Pattern::LoadShedder => shedder,
        Pattern::Degradation => degradation,
        Pattern::RateLimiter => limiter,
        Pattern::Bulkhead => bulkhead,
        Pattern::CircuitBreaker => breaker,
        Pattern::Deadline => deadline,
    }
}
