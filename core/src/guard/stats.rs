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
    /// Attempts beyond the first of a call.
    pub retries: u64,
    /// Attempts that ended by their timeout.
    pub timeouts: u64,
    /// What was only watched: of calls in shadow mode, and of attempts past a breaker that is in shadow mode by itself.
    pub shadow: Would,
    /// Refused calls by the pattern that refused; see [`Stats::rejected_by`].
    rejected: ByPattern<u64>,
    /// Changes of the breaker's state, by state before and state after; see [`Stats::transitions`].
    transitions: [[u64; 3]; 3],
}

/// One number for each pattern that refuses calls, in the order of [`Pattern::ALL`].
type ByPattern<T> = [T; PATTERNS];

const PATTERNS: usize = Pattern::ALL.len();

/// What the patterns would have done to calls in [shadow mode](super#shadow-mode), each by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Would {
    /// Attempts that would have been made again.
    pub retry: u64,
    /// Attempts that would have been cut at their timeout.
    pub time_out: u64,
    /// What would have been refused by pattern; see [`Would::reject_by`].
    reject: ByPattern<u64>,
}

impl Would {
    /// Calls that `pattern` would have refused, and for a bulkhead those that it would have let wait; for a circuit breaker
    /// attempts and not calls.
    pub const fn reject_by(&self, pattern: Pattern) -> u64 {
        self.reject[pattern as usize]
    }

    /// All refusals; a call that two patterns would have refused counts twice.
    pub const fn reject(&self) -> u64 {
        sum(&self.reject)
    }
}

impl Stats {
    /// How often the breaker changed from one state to the other.
    pub const fn transitions(&self, from: State, to: State) -> u64 {
        self.transitions[from as usize][to as usize]
    }

    /// Calls that `pattern` refused.
    pub const fn rejected_by(&self, pattern: Pattern) -> u64 {
        self.rejected[pattern as usize]
    }

    /// All refused calls.
    pub const fn rejected(&self) -> u64 {
        sum(&self.rejected)
    }
}

const fn sum(counts: &ByPattern<u64>) -> u64 {
    let (mut all, mut n) = (0, 0);
    while n < counts.len() {
        all += counts[n];
        n += 1;
    }
    all
}

pub(super) struct Counters {
    successes: Counter,
    failures: Counter,
    ignored: Counter,
    cancelled: Counter,
    rejected: ByPattern<Counter>,
    retries: Counter,
    timeouts: Counter,
    would: ByPattern<Counter>,
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
        self.rejected[rejected.pattern() as usize].increment();
    }

    pub(super) fn would_reject(&self, pattern: Pattern) {
        self.would[pattern as usize].increment();
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
        let mut transitions = [[0; 3]; 3];
        for (counter, (from, to)) in self.transitions.iter().zip(EDGES) {
            transitions[from as usize][to as usize] = counter.get();
        }
        Stats {
            successes: self.successes.get(),
            failures: self.failures.get(),
            ignored: self.ignored.get(),
            cancelled: self.cancelled.get(),
            retries: self.retries.get(),
            timeouts: self.timeouts.get(),
            shadow: self.read_shadow(),
            rejected: self.rejected.each_ref().map(Counter::get),
            transitions,
        }
    }

    fn read_shadow(&self) -> Would {
        Would {
            retry: self.would_retry.get(),
            time_out: self.would_time_out.get(),
            reject: self.would.each_ref().map(Counter::get),
        }
    }
}
