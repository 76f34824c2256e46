//! What a node writes on its standard output for a supervisor: one JSON value a line.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// One line of a node's output with `--report`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// The node listens; its load, if any, starts now.
    Ready(Ready),
    /// The server side is about to answer the message with this number.
    Executed(u64),
    /// How the client side stands, ten times a second.
    Report(Box<Report>),
    /// A circuit breaker changed its state.
    Transition(Transition),
    /// Every message of the load has met its fate.
    Final(Box<Final>),
}

/// Addresses that a node is bound to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Where the node accepts peers.
    pub(crate) listen: SocketAddr,
    /// Where `/metrics`, `/livez`, `/readyz` and `/stats` are served.
    pub(crate) admin: Option<SocketAddr>,
}

/// Why a call that was let through did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Failure {
    /// No reply in time.
    Timeout,
    /// The connection was lost, or there was none.
    Connection,
    /// The peer answered with a refusal or an error.
    Peer,
    /// The reply did not belong to the request.
    WrongReply,
    /// Chaos struck the last attempt.
    Injected,
}

impl Failure {
    /// Every reason, in the order in which they are shown.
    pub(crate) const ALL: [Self; 5] =
        [Self::Timeout, Self::Connection, Self::Peer, Self::WrongReply, Self::Injected];

    /// The reason in a few letters, for a table.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Peer => "peer refused",
            Self::WrongReply => "wrong reply",
            Self::Injected => "injected fault",
        }
    }

    /// The reason in one word, where there is little room.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Peer => "peer",
            Self::WrongReply => "reply",
            Self::Injected => "chaos",
        }
    }
}

/// Which pattern refused a call before anything was sent for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rejection {
    /// The circuit breaker is open, or its probes are all out.
    Breaker,
    /// The rate limiter has no token.
    Limiter,
    /// The bulkhead and its queue are full, or the wait was too long.
    Bulkhead,
    /// The deadline had passed before the call could start.
    Deadline,
}

impl Rejection {
    /// Every reason, in the order in which they are shown.
    pub(crate) const ALL: [Self; 4] = [Self::Breaker, Self::Bulkhead, Self::Limiter, Self::Deadline];

    /// The reason in a few letters, for a table.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Breaker => "breaker open",
            Self::Limiter => "rate limit",
            Self::Bulkhead => "bulkhead full",
            Self::Deadline => "deadline",
        }
    }

    /// The reason in one word, where there is little room.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::Limiter => "limiter",
            Self::Bulkhead => "bulkhead",
            Self::Deadline => "deadline",
        }
    }
}

/// How one call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// The right reply came.
    Succeeded,
    /// Something was sent, or tried to be, and no right reply came.
    Failed(Failure),
    /// A pattern refused the call and nothing was sent.
    Rejected(Rejection),
}

/// What became of the messages sent so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Books {
    /// Messages handed to the client.
    pub(crate) sent: u64,
    /// Messages answered with the right reply.
    pub(crate) succeeded: u64,
    /// Messages that failed, by reason.
    pub(crate) failed: BTreeMap<Failure, u64>,
    /// Messages refused before anything was sent, by reason.
    pub(crate) rejected: BTreeMap<Rejection, u64>,
    /// Times that a second fate was reported for one message.
    pub(crate) counted_twice: u64,
    /// Calls for which at least one attempt was made.
    pub(crate) attempted_calls: u64,
    /// Attempts made, over all calls; one that found no connection counts too.
    pub(crate) attempts: u64,
    /// Attempts that were handed to a connection.
    pub(crate) on_wire: u64,
    /// What the callers of failed messages waited together, in microseconds.
    pub(crate) in_vain_us: u64,
}

impl Books {
    /// Messages that failed, whatever the reason.
    pub(crate) fn all_failed(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Messages that were refused, whatever the reason.
    pub(crate) fn all_rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Messages whose fate is known.
    pub(crate) fn settled(&self) -> u64 {
        self.succeeded + self.all_failed() + self.all_rejected()
    }

    /// Attempts made for each call that made any: 1 is no retry at all.
    pub(crate) fn amplification(&self) -> Option<f64> {
        (self.attempted_calls > 0).then(|| as_f64(self.attempts) / as_f64(self.attempted_calls))
    }
}

/// A count as a number to divide, exact below 2^53.
#[allow(clippy::cast_precision_loss)]
pub(crate) const fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Waiting times of the calls that were let through, in microseconds.
#[allow(clippy::struct_field_names, reason = "in JSON a unit has no other place than the name")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50_us: u64,
    pub(crate) p95_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) worst_us: u64,
}

/// State of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BreakerState {
    Closed,
    HalfOpen,
    Open,
}

impl BreakerState {
    /// The state in the words of the metrics.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

/// A change of a circuit breaker's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Transition {
    /// Milliseconds since the load started.
    pub(crate) at_ms: u64,
    pub(crate) from: BreakerState,
    pub(crate) to: BreakerState,
    /// Why, in words.
    pub(crate) reason: String,
}

/// How the patterns of the guard stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Guarding {
    pub(crate) breaker: BreakerState,
    /// Messages a second that the limiter lets through.
    pub(crate) limiter_rate: f64,
    /// Tokens that the limiter holds now.
    pub(crate) limiter_available: u64,
    /// Tokens that the limiter holds when full.
    pub(crate) limiter_burst: u64,
    /// Calls that hold a slot of the bulkhead.
    pub(crate) bulkhead_in_use: u64,
    pub(crate) bulkhead_capacity: u64,
    /// Calls that wait for a slot.
    pub(crate) bulkhead_queued: u64,
    pub(crate) bulkhead_queue_capacity: u64,
    /// Share of the error budget that is left, 0 to 1.
    pub(crate) error_budget_remaining: f64,
    /// Degradation level in words.
    pub(crate) degradation: String,
}

/// How the client side stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Milliseconds since the load started.
    pub(crate) at_ms: u64,
    pub(crate) books: Books,
    /// Calls whose fate is not known yet.
    pub(crate) in_flight: u64,
    /// Calls that ended within the last second.
    pub(crate) recent: Latency,
    /// All calls.
    pub(crate) overall: Latency,
    /// The guard, unless the node runs without one.
    pub(crate) guarding: Option<Guarding>,
}

/// The last word of a node that made a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Final {
    pub(crate) report: Report,
    /// The fate of every message in order, run by run; `None` stands for a fate that never became known.
    pub(crate) fates: Vec<(Option<Ending>, u64)>,
}
