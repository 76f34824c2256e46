//! The small types that headers are made of.

use core::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a message is for: the unit to which policies attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Operation {
    /// A message is handed to the peer.
    Send,
    /// A message is fetched from the peer.
    Receive,
    /// State is brought into line with the peer's.
    Sync,
    /// A vote, a lease or another step of agreement.
    Consensus,
}

impl Operation {
    /// Every operation, in wire order.
    pub const ALL: [Self; 4] = [Self::Send, Self::Receive, Self::Sync, Self::Consensus];

    /// Its name in metrics and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Sync => "sync",
            Self::Consensus => "consensus",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a request ended at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Status {
    /// It was executed, and the body is its result.
    Ok,
    /// It was executed and failed, with a code of the application's.
    App(u16),
    /// It was not executed: the server protects itself.
    Rejected(Rejection),
    /// Its deadline passed: before it ran, or while it ran.
    Timeout,
    /// The server does not know this operation.
    Unsupported,
    /// The reply does not fit into a frame that the requester accepts.
    TooLarge,
    /// The handler failed in a way that it did not foresee; it may have executed some of the request.
    Internal,
}

impl Status {
    /// Whether the request succeeded.
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok)
    }

    /// Whether the server certainly executed nothing of the request.
    pub const fn is_unexecuted(self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Unsupported)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.pad("ok"),
            Self::App(code) => write!(f, "application error {code}"),
            Self::Rejected(why) => write!(f, "rejected: {why}"),
            Self::Timeout => f.pad("deadline passed at the server"),
            Self::Unsupported => f.pad("operation not supported"),
            Self::TooLarge => f.pad("reply too large"),
            Self::Internal => f.pad("handler failed unexpectedly"),
        }
    }
}

/// Why a server refused to execute a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Rejection {
    /// A rate limit.
    Limited,
    /// Load shedding.
    Shed,
    /// Too many requests are being executed.
    BulkheadFull,
    /// The server is shutting down.
    Draining,
    /// A circuit breaker of the server is open.
    CircuitOpen,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Limited => "rate limited",
            Self::Shed => "load shed",
            Self::BulkheadFull => "bulkhead full",
            Self::Draining => "draining",
            Self::CircuitOpen => "circuit open",
        })
    }
}

/// Why a side ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GoAwayReason {
    /// It shuts down, in order.
    Shutdown,
    /// It does not speak the protocol version that `Hello` announced.
    VersionMismatch,
    /// It has as many connections as it can hold.
    TooManyConnections,
    /// It got something that the protocol does not allow.
    ProtocolViolation,
    /// It got a length prefix above its maximum.
    FrameTooLarge,
    /// It waited too long for a handshake, or for the rest of a frame.
    TooSlow,
}

impl fmt::Display for GoAwayReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Shutdown => "shutting down",
            Self::VersionMismatch => "protocol version not supported",
            Self::TooManyConnections => "too many connections",
            Self::ProtocolViolation => "protocol violation",
            Self::FrameTooLarge => "frame too large",
            Self::TooSlow => "too slow",
        })
    }
}

/// What each side says about itself first.
///
/// `protocol` leads in every version, so that a side can name a version that it does not speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol version: [`PROTOCOL`](super::PROTOCOL).
    pub protocol: u16,
    /// Who speaks.
    pub node_id: NodeId,
    /// Optional abilities, a bit each; only those that both sides name are used. None is defined yet.
    pub features: u32,
    /// The largest frame that the speaker accepts.
    pub max_frame: u32,
    /// How many requests the speaker executes at once on this connection.
    pub max_inflight: u32,
}

/// The name of a node: 1 to 64 printable ASCII characters without spaces. Cheap to clone.
///
/// ```
/// use seawall::dwcp::NodeId;
///
/// assert_eq!(NodeId::new("eu-1").unwrap().as_str(), "eu-1");
/// assert!(NodeId::new("").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Checks and keeps a name.
    pub fn new(name: &str) -> Result<Self, NodeIdError> {
        if name.is_empty() || name.len() > Self::MAX_LEN {
            return Err(NodeIdError::Length { len: name.len() });
        }
        match name.bytes().position(|byte| !byte.is_ascii_graphic()) {
            Some(at) => Err(NodeIdError::Character { at }),
            None => Ok(Self(name.into())),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for NodeId {
    type Error = NodeIdError;

    fn try_from(name: String) -> Result<Self, NodeIdError> {
        Self::new(&name)
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.as_str().to_owned()
    }
}

/// Why a string is no [`NodeId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeIdError {
    /// It is empty or too long.
    Length {
        /// Its length in bytes.
        len: usize,
    },
    /// It has a character that is not printable ASCII, or a space.
    Character {
        /// Where, in bytes.
        at: usize,
    },
}

impl fmt::Display for NodeIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len } => {
                write!(f, "node id has {len} bytes, 1 to {} are allowed", NodeId::MAX_LEN)
            }
            Self::Character { at } => {
                write!(f, "node id has a character at byte {at} that is not printable ASCII")
            }
        }
    }
}

impl core::error::Error for NodeIdError {}
