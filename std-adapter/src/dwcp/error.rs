//! Why a request got no reply, and why a connection ended.

use core::fmt;
use core::time::Duration;
use std::io;

use super::config::ConfigError;
use super::wire::{DecodeError, GoAwayReason};

/// Why a request got no reply. A reply with a bad [`Status`](super::Status) is not an error of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection to the peer stands. The request was not sent.
    Unreachable {
        /// The address of the peer.
        peer: String,
        /// Why the last attempt failed.
        reason: String,
        /// When the next attempt starts, if one is planned.
        retry_after: Option<Duration>,
    },
    /// The connection ended before the reply came.
    ConnectionLost {
        /// `false` if the peer certainly did not execute the request.
        maybe_executed: bool,
        /// Why the connection ended.
        reason: CloseReason,
    },
    /// A local limit is reached. The request was not sent.
    Overloaded {
        /// Which limit.
        resource: Resource,
        /// Its size.
        limit: u32,
    },
    /// The deadline passed before the reply came.
    TimedOut {
        /// `false` if the peer certainly did not execute the request.
        maybe_executed: bool,
    },
    /// The message is larger than the peer accepts. It was not sent.
    TooLarge {
        /// Bytes of header and body.
        len: usize,
        /// What the peer accepts.
        limit: u32,
    },
    /// The peer takes no more requests on this connection. The request was not sent.
    Draining,
    /// This side closed the connection or the peer handle. The request was not sent.
    Closed,
}

impl TransportError {
    /// Whether the peer may have executed the request. If not, sending it again is always safe.
    pub const fn maybe_executed(&self) -> bool {
        matches!(
            self,
            Self::ConnectionLost { maybe_executed: true, .. } | Self::TimedOut { maybe_executed: true }
        )
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let executed = |maybe| if maybe { "may have been executed" } else { "was not executed" };
        match self {
            Self::Unreachable { peer, reason, retry_after: Some(after) } => {
                write!(f, "peer {peer} is unreachable: {reason}; next attempt in {after:?}")
            }
            Self::Unreachable { peer, reason, retry_after: None } => {
                write!(f, "peer {peer} is unreachable: {reason}")
            }
            Self::ConnectionLost { maybe_executed, reason } => {
                write!(f, "connection lost: {reason}; the request {}", executed(*maybe_executed))
            }
            Self::Overloaded { resource, limit } => write!(f, "{resource} full: limit {limit}"),
            Self::TimedOut { maybe_executed } => {
                write!(f, "no reply before the deadline; the request {}", executed(*maybe_executed))
            }
            Self::TooLarge { len, limit } => write!(f, "message has {len} bytes, the peer accepts {limit}"),
            Self::Draining => f.pad("the peer is shutting down"),
            Self::Closed => f.pad("closed by this side"),
        }
    }
}

impl core::error::Error for TransportError {}

/// A local limit that can refuse a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Bytes that wait to be written.
    WriterQueue,
    /// Requests that wait for their replies.
    InFlight,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::WriterQueue => "writer queue (bytes)",
            Self::InFlight => "requests in flight",
        })
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// This side closed it, in order.
    Local,
    /// The peer closed it between two frames.
    PeerClosed,
    /// The peer said why it goes.
    GoAway(GoAwayReason),
    /// The peer closed it within a frame.
    Truncated,
    /// The operating system reported an error.
    Io(io::ErrorKind),
    /// The peer sent a length prefix above the maximum.
    FrameTooLarge,
    /// The peer sent bytes that are no frame.
    Malformed,
    /// The peer sent a frame that does not belong here.
    Protocol(Violation),
    /// The peer speaks another version of the protocol.
    VersionMismatch {
        /// The version that the peer announced.
        theirs: u16,
    },
    /// The peer did not finish the handshake in time.
    HandshakeTimeout,
    /// The peer did not finish a frame in time.
    FrameTimeout,
    /// The peer did not read what was sent to it.
    WriteTimeout,
    /// The peer gave no sign of life after several pings.
    PingTimeout,
}

/// A frame that the protocol does not allow where it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// The first frame was no greeting.
    NoHello,
    /// A greeting came again.
    SecondHello,
    /// A request's number was not larger than the one before.
    IdNotIncreasing,
    /// A reply to a request that was never sent.
    UnknownId,
    /// A reply to a server, or a request to a client.
    WrongDirection,
}

impl CloseReason {
    /// What the peer is told, where it did wrong.
    pub(crate) const fn farewell(self) -> Option<GoAwayReason> {
        match self {
            Self::FrameTooLarge => Some(GoAwayReason::FrameTooLarge),
            Self::Malformed | Self::Protocol(_) => Some(GoAwayReason::ProtocolViolation),
            Self::VersionMismatch { .. } => Some(GoAwayReason::VersionMismatch),
            Self::HandshakeTimeout | Self::FrameTimeout | Self::PingTimeout => Some(GoAwayReason::TooSlow),
            _ => None,
        }
    }
}

impl From<DecodeError> for CloseReason {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::TooLarge { .. } => Self::FrameTooLarge,
            DecodeError::Incomplete { .. } => Self::Truncated,
            _ => Self::Malformed,
        }
    }
}

impl From<io::Error> for CloseReason {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.pad("closed by this side"),
            Self::PeerClosed => f.pad("closed by the peer"),
            Self::GoAway(reason) => write!(f, "the peer went away: {reason}"),
            Self::Truncated => f.pad("closed by the peer within a frame"),
            Self::Io(kind) => write!(f, "{kind}"),
            Self::FrameTooLarge => f.pad("the peer claimed a frame above the maximum"),
            Self::Malformed => f.pad("the peer sent bytes that are no frame"),
            Self::Protocol(violation) => write!(f, "the peer broke the protocol: {violation}"),
            Self::VersionMismatch { theirs } => {
                write!(f, "the peer speaks protocol {theirs}, this side {}", super::wire::PROTOCOL)
            }
            Self::HandshakeTimeout => f.pad("the peer did not finish the handshake in time"),
            Self::FrameTimeout => f.pad("the peer did not finish a frame in time"),
            Self::WriteTimeout => f.pad("the peer did not read in time"),
            Self::PingTimeout => f.pad("the peer did not answer pings"),
        }
    }
}

impl core::error::Error for CloseReason {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoHello => "the first frame was no greeting",
            Self::SecondHello => "a greeting came again",
            Self::IdNotIncreasing => "the number of a request did not increase",
            Self::UnknownId => "a reply to a request that was never sent",
            Self::WrongDirection => "a frame that only the other side may send",
        })
    }
}

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is out of bounds.
    Config(ConfigError),
    /// The address cannot be listened on.
    Bind {
        /// The address.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "transport configuration: {error}"),
            Self::Bind { address, source } => write!(f, "cannot listen on {address}: {source}"),
        }
    }
}

impl core::error::Error for StartError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Bind { source, .. } => Some(source),
        }
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
