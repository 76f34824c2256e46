//! What a breaker tells its callers: states, transitions, rejections and settlements, all plain data.

use core::fmt;
use core::time::Duration;

/// The state of a breaker; the numbers are the ones that the metrics show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls pass.
    Closed = 0,
    /// A few calls pass, as probes.
    HalfOpen = 1,
    /// No call passes.
    Open = 2,
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// So many failures in a row.
    ConsecutiveFailures {
        /// How many.
        failures: u32,
    },
    /// The share of failures over the window.
    FailureRate {
        /// The calls of the window.
        calls: u32,
        /// The failed ones among them.
        failures: u32,
    },
    /// The share of slow calls over the window.
    SlowCallRate {
        /// The calls of the window.
        calls: u32,
        /// The slow ones among them.
        slow: u32,
    },
    /// The open time is over.
    OpenTimeOver,
    /// So many probes failed.
    ProbesFailed {
        /// How many.
        failures: u32,
    },
    /// Enough probes succeeded.
    ProbesSucceeded {
        /// How many.
        successes: u32,
    },
    /// The share of failures among the probes, which opened or closed the breaker.
    ProbeRate {
        /// The probes that reported.
        calls: u32,
        /// The failed ones among them.
        failures: u32,
    },
    /// By hand: [`CircuitBreaker::trip`](super::CircuitBreaker::trip), [`force_open`](super::CircuitBreaker::force_open),
    /// [`force_closed`](super::CircuitBreaker::force_closed), [`shadow`](super::CircuitBreaker::shadow) or
    /// [`reset`](super::CircuitBreaker::reset).
    Manual,
}

/// A change of state, for the caller to log, count and pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Transition {
    /// The state before. By hand it may be the state after, too: nothing changed then but the generation or the mode.
    pub from: State,
    /// The state that holds now.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// The number of the phase that begins, modulo 1024: transitions that reach a log late can be put in order by it.
    pub generation: u32,
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The breaker is open.
    Open,
    /// It is held open by hand.
    ForcedOpen,
    /// It is half-open, and all probes are out.
    ProbesOut,
    /// It is closed and admits a rising share of the calls, and this one was not drawn.
    Ramping,
}

/// The breaker refused the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// The state of the breaker.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// When another try makes sense; `None` if only a reset helps or the phase never ends.
    ///
    /// While ramping it is the time after which no call is refused any more.
    pub retry_after: Option<Duration>,
}

impl Rejected {
    pub(super) const fn new(reason: Reason, retry_after: Option<Duration>) -> Self {
        let state = match reason {
            Reason::Open | Reason::ForcedOpen => State::Open,
            Reason::ProbesOut => State::HalfOpen,
            Reason::Ramping => State::Closed,
        };
        Self { state, reason, retry_after }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self.reason {
            Reason::Open => "circuit breaker is open",
            Reason::ForcedOpen => "circuit breaker is held open",
            Reason::ProbesOut => "circuit breaker is half-open and all probes are out",
            Reason::Ramping => "circuit breaker has just closed and admits a share of the calls",
        })
    }
}

impl core::error::Error for Rejected {}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settlement {
    /// It was counted.
    Counted,
    /// There was nothing to count: the outcome says nothing about the dependency, the breaker is forced closed, or it is in
    /// shadow mode and would have refused the call.
    Uncounted,
    /// It belongs to an earlier generation, whatever it says, and nothing changed.
    Stale,
    /// It was counted, and the state changed.
    Changed(Transition),
}

impl Settlement {
    /// The transition, if there was one.
    pub const fn transition(self) -> Option<Transition> {
        match self {
            Self::Changed(transition) => Some(transition),
            _ => None,
        }
    }
}
