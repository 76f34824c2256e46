//! What the end of an attempt means for the guard.

use core::time::Duration;

use bytes::Bytes;
use seawall_core::Outcome;
use seawall_core::guard::Report;

use super::CallError;
use crate::dwcp::error::TransportError;
use crate::dwcp::wire::{Rejection, Status};
use crate::guard::Classify;

/// The pause before a request that a full local queue refused is tried again.
const LOCAL_PAUSE: Duration = Duration::from_millis(5);

/// The table of the [client](super)'s documentation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Classifier {
    pub(super) idempotent: bool,
}

impl Classifier {
    /// The peer may have executed the request: only an idempotent one may be sent again.
    const fn unless_repeated(self, report: Report) -> Report {
        if self.idempotent { report } else { report.not_retryable() }
    }

    fn transport(self, error: &TransportError) -> Report {
        match error {
            TransportError::Overloaded { .. } => Report::new(Outcome::Ignored).retry_after(LOCAL_PAUSE),
            TransportError::TooLarge { .. } | TransportError::Closed => Report::new(Outcome::Ignored),
            TransportError::TimedOut { maybe_executed: true } => self.unless_repeated(Report::timed_out()),
            TransportError::TimedOut { maybe_executed: false } => Report::timed_out(),
            error if error.maybe_executed() => self.unless_repeated(Report::new(Outcome::Failure)),
            _ => Report::new(Outcome::Failure),
        }
    }

    fn refusal(self, status: Status, retry_after: Option<Duration>) -> Report {
        match status {
            Status::Rejected(Rejection::Draining) => Report::new(Outcome::Failure),
            Status::Rejected(_) => match retry_after {
                Some(after) => Report::new(Outcome::Ignored).retry_after(after),
                None => Report::new(Outcome::Ignored),
            },
            Status::Timeout => self.unless_repeated(Report::timed_out()),
            Status::Unsupported | Status::TooLarge => Report::new(Outcome::Ignored),
            _ => self.unless_repeated(Report::new(Outcome::Failure)),
        }
    }
}

impl Classify<Bytes, CallError> for Classifier {
    fn classify(&self, result: &Result<Bytes, CallError>) -> Report {
        match result {
            // An error of the application's: the peer did its work.
            Ok(_) | Err(CallError::App { .. }) => Report::new(Outcome::Success),
            Err(CallError::NoPeers | CallError::UnknownPeer { .. }) => Report::new(Outcome::Ignored),
            Err(CallError::Transport { error, .. }) => self.transport(error),
            Err(CallError::Refused { status, retry_after, .. }) => self.refusal(*status, *retry_after),
        }
    }

    fn timed_out(&self) -> Report {
        self.unless_repeated(Report::timed_out())
    }
}
