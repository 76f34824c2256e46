//! Requests and replies as the two sides see them.

use bytes::Bytes;
use tokio::time::{Duration, Instant};

use super::wire::{NodeId, Operation, Rejection, Status};

/// The priority of a message that names none.
pub const DEFAULT_PRIORITY: u8 = 128;

/// A request to a peer.
///
/// ```
/// use std::time::Duration;
/// use seawall::dwcp::{Operation, Request};
///
/// let request = Request::new(Operation::Sync, "state").timeout(Duration::from_millis(250)).idempotent(true);
/// assert_eq!(&request.body[..], b"state");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    /// The unit to which policies attach.
    pub operation: Operation,
    /// The application's bytes.
    pub body: Bytes,
    /// When the reply is of no use any more; `None` takes the configured `request_timeout`.
    pub deadline: Option<Instant>,
    /// 0 for the first attempt, then the number of the retry.
    pub attempt: u8,
    /// Importance from 0 (first to be shed) to 255 (last to be shed).
    pub priority: u8,
    /// Whether executing it twice is the same as executing it once.
    pub idempotent: bool,
}

impl Request {
    /// A first attempt of middle priority that is not idempotent.
    pub fn new(operation: Operation, body: impl Into<Bytes>) -> Self {
        Self {
            operation,
            body: body.into(),
            deadline: None,
            attempt: 0,
            priority: DEFAULT_PRIORITY,
            idempotent: false,
        }
    }

    /// Sets the deadline.
    pub fn deadline(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Sets the deadline to `timeout` from now; one that no clock can hold is none.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { deadline: Instant::now().checked_add(timeout), ..self }
    }

    /// Sets the number of the attempt.
    pub fn attempt(self, attempt: u8) -> Self {
        Self { attempt, ..self }
    }

    /// Sets the importance.
    pub fn priority(self, priority: u8) -> Self {
        Self { priority, ..self }
    }

    /// Says whether executing it twice is the same as executing it once.
    pub fn idempotent(self, idempotent: bool) -> Self {
        Self { idempotent, ..self }
    }
}

/// A reply, as the requester gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// How the request ended.
    pub status: Status,
    /// The application's bytes.
    pub body: Bytes,
    /// When a retry has a chance, if the server knows.
    pub retry_after: Option<Duration>,
    /// How loaded the server is, from 0 (idle) to 255 (full).
    pub load: u8,
}

/// A reply, as a handler gives it.
///
/// ```
/// use std::time::Duration;
/// use seawall::dwcp::{Rejection, Reply, Status};
///
/// assert_eq!(Reply::ok("done").status, Status::Ok);
/// let reply = Reply::rejected(Rejection::Limited).retry_after(Duration::from_millis(20));
/// assert_eq!(reply.status, Status::Rejected(Rejection::Limited));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a reply is sent by returning it"]
pub struct Reply {
    /// How the request ended.
    pub status: Status,
    /// The application's bytes.
    pub body: Bytes,
    /// When a retry has a chance, if known.
    pub retry_after: Option<Duration>,
}

impl Reply {
    /// A reply with a status and a body.
    pub fn new(status: Status, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), retry_after: None }
    }

    /// The request was executed; `body` is its result.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(Status::Ok, body)
    }

    /// The request was executed and failed with a code of the application's.
    pub fn app(code: u16, body: impl Into<Bytes>) -> Self {
        Self::new(Status::App(code), body)
    }

    /// The request was not executed.
    pub fn rejected(why: Rejection) -> Self {
        Self::new(Status::Rejected(why), Bytes::new())
    }

    /// The request was not executed: the operation is not known here.
    pub fn unsupported() -> Self {
        Self::new(Status::Unsupported, Bytes::new())
    }

    /// Says when a retry has a chance.
    pub fn retry_after(self, after: Duration) -> Self {
        Self { retry_after: Some(after), ..self }
    }
}

/// A request, as a handler gets it.
#[derive(Clone, Debug)]
pub struct IncomingRequest {
    /// Who asks.
    pub peer: NodeId,
    /// The unit to which policies attach.
    pub operation: Operation,
    /// The application's bytes. They may share memory with what else the connection read at the time.
    pub body: Bytes,
    /// When the reply is of no use any more. The handler is dropped then.
    pub deadline: Instant,
    /// 0 for the first attempt, then the number of the retry.
    pub attempt: u8,
    /// Importance from 0 (first to be shed) to 255 (last to be shed).
    pub priority: u8,
    /// Whether executing it twice is the same as executing it once.
    pub idempotent: bool,
}

/// A one-way message, as a handler gets it.
#[derive(Clone, Debug)]
pub struct IncomingPush {
    /// Who sends.
    pub peer: NodeId,
    /// The unit to which policies attach.
    pub operation: Operation,
    /// The application's bytes.
    pub body: Bytes,
}

/// Milliseconds as they travel: rounded up, so that a pause is never shortened, and saturated.
pub(crate) fn to_wire_millis_up(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

/// Milliseconds as they travel: rounded down, so that a deadline is never stretched, and saturated.
pub(crate) fn to_wire_millis_down(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
