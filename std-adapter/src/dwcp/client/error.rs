//! Why an attempt brought no reply, and why there is no client.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use crate::dwcp::config::ConfigError;
use crate::dwcp::error::TransportError;
use crate::dwcp::peer::Peer;
use crate::dwcp::wire::Status;
use crate::registry::RegisterError;

/// Why an attempt brought no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// The client has no peers.
    NoPeers,
    /// The client has no peer of that address.
    UnknownPeer {
        /// The address.
        peer: String,
    },
    /// There was no reply.
    Transport {
        /// The address of the peer.
        peer: String,
        /// Why.
        error: TransportError,
    },
    /// The peer replied that it did not finish the work.
    Refused {
        /// The address of the peer.
        peer: String,
        /// What it said.
        status: Status,
        /// When another try makes sense, if it said so.
        retry_after: Option<Duration>,
    },
    /// The peer did the work, and the result is an error of the application's.
    App {
        /// The application's code.
        code: u16,
        /// What it says beside.
        body: Bytes,
    },
}

impl CallError {
    pub(super) fn transport(peer: &Peer, error: TransportError) -> Self {
        Self::Transport { peer: peer.address().to_owned(), error }
    }

    /// Whether the peer may have executed the request.
    pub const fn maybe_executed(&self) -> bool {
        match self {
            Self::NoPeers | Self::UnknownPeer { .. } => false,
            Self::Transport { error, .. } => error.maybe_executed(),
            Self::Refused { status, .. } => !status.is_unexecuted(),
            Self::App { .. } => true,
        }
    }

    /// A short name from a bounded set, for metrics and tables: `unreachable`, `connection_lost`, `timeout`, …
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoPeers | Self::UnknownPeer { .. } => "no_peer",
            Self::Transport { error, .. } => match error {
                TransportError::Unreachable { .. } => "unreachable",
                TransportError::ConnectionLost { .. } => "connection_lost",
                TransportError::Overloaded { .. } => "overloaded",
                TransportError::TimedOut { .. } => "timeout",
                TransportError::TooLarge { .. } => "too_large",
                TransportError::Draining => "draining",
                TransportError::Closed => "closed",
            },
            Self::Refused { status, .. } => match status {
                Status::Rejected(_) => "rejected_by_peer",
                Status::Timeout => "timeout",
                Status::Unsupported => "unsupported",
                Status::TooLarge => "too_large",
                _ => "internal",
            },
            Self::App { .. } => "app",
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPeers => f.pad("the client has no peers"),
            Self::UnknownPeer { peer } => write!(f, "peer {peer} is not configured"),
            // It names the peer itself.
            Self::Transport { error: error @ TransportError::Unreachable { .. }, .. } => error.fmt(f),
            Self::Transport { peer, error } => write!(f, "peer {peer}: {error}"),
            Self::Refused { peer, status, retry_after: None } => write!(f, "peer {peer}: {status}"),
            Self::Refused { peer, status, retry_after: Some(after) } => {
                write!(f, "peer {peer}: {status}; try again after {after:?}")
            }
            Self::App { code, .. } => write!(f, "application error {code}"),
        }
    }
}

impl core::error::Error for CallError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Transport { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Why a client or a manager was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The transport's configuration is out of bounds.
    Transport(ConfigError),
    /// A policy is out of bounds, or the registry has no place for its guard.
    Guard(RegisterError),
    /// A peer is named twice.
    DuplicatePeer {
        /// Its address.
        peer: String,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => write!(f, "transport configuration: {error}"),
            Self::Guard(error) => error.fmt(f),
            Self::DuplicatePeer { peer } => write!(f, "peer {peer} is named twice"),
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Transport(error) => Some(error),
            Self::Guard(error) => Some(error),
            Self::DuplicatePeer { .. } => None,
        }
    }
}

impl From<ConfigError> for BuildError {
    fn from(error: ConfigError) -> Self {
        Self::Transport(error)
    }
}

impl From<RegisterError> for BuildError {
    fn from(error: RegisterError) -> Self {
        Self::Guard(error)
    }
}
