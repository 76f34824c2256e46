//! The wire format of DWCP: what a frame is, byte by byte.
//!
//! Everything here is pure: bytes in, values out, no socket and no clock.
//! A decoder that meets hostile bytes answers with a [`DecodeError`]; it never panics and never
//! allocates more than the input that it was given.
//!
//! # Layout
//!
//! ```text
//! ┌──────────────┬─────────────────────────┬──────────────────┐
//! │ length       │ header                  │ body             │
//! │ u32, big     │ postcard, one `Header`  │ the rest of      │
//! │ endian       │ (variant, then fields)  │ `length` bytes   │
//! └──────────────┴─────────────────────────┴──────────────────┘
//!                 ◄──────────── length bytes ────────────────►
//! ```
//!
//! Only `Request`, `Response` and `Push` carry application bytes.
//! The body of `Hello` and `HelloAck` is reserved for extensions that a later protocol negotiates; this one
//! ignores it.
//! Every other frame with a body is malformed.
//!
//! # Examples
//!
//! ```
//! use seawall::dwcp::{Frame, Header, decode_frame, encode_frame};
//!
//! let frame = Frame::bare(Header::Ping { seq: 7 });
//! let bytes = encode_frame(&frame)?;
//! assert_eq!(&bytes[..], [0, 0, 0, 2, 2, 7]);
//! assert_eq!(decode_frame(&bytes).unwrap(), frame);
//! # Ok::<(), seawall::dwcp::EncodeError>(())
//! ```

use core::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

mod types;

pub use types::{GoAwayReason, Hello, NodeId, NodeIdError, Operation, Rejection, Status};

/// The protocol version that this crate speaks.
pub const PROTOCOL: u16 = 1;

/// The largest frame that is accepted unless the configuration says otherwise: 1 MiB.
pub const DEFAULT_MAX_FRAME: u32 = 1 << 20;

/// The largest frame that any configuration can allow: 16 MiB.
pub const HARD_MAX_FRAME: u32 = 16 << 20;

/// The largest frame that is accepted before the handshake is done.
pub const HANDSHAKE_MAX_FRAME: u32 = 4096;

/// Bytes of the length prefix.
pub const PREFIX: usize = 4;

/// No header encodes to more bytes than this.
pub const MAX_HEADER: usize = 128;

/// What a frame means; its fields travel in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Header {
    /// The first frame of the side that connected.
    Hello(Hello),
    /// The answer to `Hello` of the side that accepted.
    HelloAck(Hello),
    /// "Are you there?"; answered by `Pong` with the same number.
    Ping {
        /// Number of this ping on this connection.
        seq: u32,
    },
    /// The answer to `Ping`.
    Pong {
        /// The number of the ping that is answered.
        seq: u32,
        /// How loaded the sender is, from 0 (idle) to 255 (full).
        load: u8,
    },
    /// A request; its body is the application's.
    Request(RequestHeader),
    /// The reply to a request; its body is the application's.
    Response(ResponseHeader),
    /// The requester no longer wants the reply.
    Cancel {
        /// The request that is withdrawn.
        id: u64,
    },
    /// A one-way message; its body is the application's.
    Push {
        /// The operation that the message belongs to.
        operation: Operation,
    },
    /// The sender takes no more requests on this connection.
    GoAway {
        /// Why it goes.
        reason: GoAwayReason,
        /// The last request that it accepted; a later one was not executed.
        last_id: u64,
    },
}

/// The header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHeader {
    /// Number of the request on this connection: larger than that of each request before it.
    pub id: u64,
    /// The unit to which policies attach.
    pub operation: Operation,
    /// Time that is left for the whole request, in milliseconds. Clocks never cross the wire.
    pub deadline_ms: u32,
    /// 0 for the first attempt, then the number of the retry.
    pub attempt: u8,
    /// Importance from 0 (first to be shed) to 255 (last to be shed).
    pub priority: u8,
    /// Whether executing it twice is the same as executing it once.
    pub idempotent: bool,
}

/// The header of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseHeader {
    /// The request that is answered.
    pub id: u64,
    /// How it ended.
    pub status: Status,
    /// When a retry has a chance, in milliseconds from now, if the server knows.
    pub retry_after_ms: Option<u32>,
    /// How loaded the server is, from 0 (idle) to 255 (full).
    pub load: u8,
}

impl Header {
    /// Whether a frame with this header may have a body.
    pub const fn carries_body(&self) -> bool {
        matches!(
            self,
            Self::Hello(_) | Self::HelloAck(_) | Self::Request(_) | Self::Response(_) | Self::Push { .. }
        )
    }
}

/// One frame: a header and the bytes that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the frame means.
    pub header: Header,
    /// The application's bytes; empty for control frames.
    pub body: Bytes,
}

impl Frame {
    /// A frame with a body.
    pub const fn new(header: Header, body: Bytes) -> Self {
        Self { header, body }
    }

    /// A frame without a body.
    pub const fn bare(header: Header) -> Self {
        Self { header, body: Bytes::new() }
    }
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the frame does.
    Incomplete {
        /// How many bytes are missing at least.
        missing: usize,
    },
    /// Bytes follow the frame.
    Trailing {
        /// How many.
        extra: usize,
    },
    /// The length prefix claims more than is allowed; nothing was allocated for it.
    TooLarge {
        /// What the prefix claims; `None` where the reader refused it without keeping the number.
        claimed: Option<u32>,
        /// What is allowed.
        limit: u32,
    },
    /// The length prefix is 0: a frame has a header.
    Empty,
    /// The header is cut short, of an unknown kind, or has a field out of range.
    Malformed,
    /// A control frame has a body.
    UnexpectedBody {
        /// Length of the body.
        len: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { missing } => {
                write!(f, "frame is cut short: at least {missing} bytes are missing")
            }
            Self::Trailing { extra } => write!(f, "{extra} bytes follow the frame"),
            Self::TooLarge { claimed: Some(claimed), limit } => {
                write!(f, "frame claims {claimed} bytes, at most {limit} are allowed")
            }
            Self::TooLarge { claimed: None, limit } => {
                write!(f, "frame claims more than the {limit} bytes that are allowed")
            }
            Self::Empty => f.pad("frame is empty: a header is missing"),
            Self::Malformed => f.pad("frame header is malformed"),
            Self::UnexpectedBody { len } => write!(f, "control frame has a body of {len} bytes"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Why a frame cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// Header and body are larger than the other side accepts.
    TooLarge {
        /// Bytes of header and body.
        len: usize,
        /// What is allowed.
        limit: u32,
    },
    /// A control frame was given a body.
    UnexpectedBody {
        /// Length of the body.
        len: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { len, limit } => write!(f, "frame has {len} bytes, at most {limit} are allowed"),
            Self::UnexpectedBody { len } => write!(f, "control frame has a body of {len} bytes"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// The length prefix and the header of a frame, ready to be followed by the body.
#[derive(Debug)]
pub(crate) struct Head {
    bytes: [u8; PREFIX + MAX_HEADER],
    len: usize,
}

impl Head {
    /// Encodes the prefix and the header for a body of `body_len` bytes, on the stack.
    pub(crate) fn encode(header: &Header, body_len: usize, limit: u32) -> Result<Self, EncodeError> {
        if body_len > 0 && !header.carries_body() {
            return Err(EncodeError::UnexpectedBody { len: body_len });
        }
        let mut bytes = [0; PREFIX + MAX_HEADER];
        // The largest header is `Hello` with the longest node id, and it fits: a test proves it.
        let Ok(written) = postcard::to_slice(header, &mut bytes[PREFIX..]) else {
            return Err(EncodeError::TooLarge { len: body_len.saturating_add(MAX_HEADER), limit });
        };
        let header_len = written.len();
        let len = body_len.saturating_add(header_len);
        match u32::try_from(len) {
            Ok(prefix) if prefix <= limit => bytes[..PREFIX].copy_from_slice(&prefix.to_be_bytes()),
            _ => return Err(EncodeError::TooLarge { len, limit }),
        }
        Ok(Self { bytes, len: PREFIX + header_len })
    }

    /// The encoded bytes.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Encodes a whole frame, prefix included.
///
/// # Errors
///
/// [`EncodeError::TooLarge`] above [`HARD_MAX_FRAME`], [`EncodeError::UnexpectedBody`] for a control frame
/// with a body.
pub fn encode_frame(frame: &Frame) -> Result<Bytes, EncodeError> {
    let head = Head::encode(&frame.header, frame.body.len(), HARD_MAX_FRAME)?;
    let mut bytes = BytesMut::with_capacity(head.as_slice().len() + frame.body.len());
    bytes.put_slice(head.as_slice());
    bytes.put_slice(&frame.body);
    Ok(bytes.freeze())
}

/// Decodes exactly one whole frame, prefix included.
///
/// # Errors
///
/// A [`DecodeError`] for anything but one well-formed frame of at most [`HARD_MAX_FRAME`] bytes.
pub fn decode_frame(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(DecodeError::Incomplete { missing: PREFIX - bytes.len() });
    };
    let claimed = u32::from_be_bytes(*prefix);
    if claimed > HARD_MAX_FRAME {
        return Err(DecodeError::TooLarge { claimed: Some(claimed), limit: HARD_MAX_FRAME });
    }
    let len = claimed as usize;
    if rest.len() < len {
        return Err(DecodeError::Incomplete { missing: len - rest.len() });
    }
    if rest.len() > len {
        return Err(DecodeError::Trailing { extra: rest.len() - len });
    }
    let (header, body) = decode_header(rest)?;
    Ok(Frame { header, body: Bytes::copy_from_slice(body) })
}

/// Decodes what follows a length prefix without copying the body.
pub(crate) fn decode_payload(payload: &Bytes) -> Result<Frame, DecodeError> {
    let (header, body) = decode_header(payload)?;
    let at = payload.len() - body.len();
    Ok(Frame { header, body: payload.slice(at..) })
}

fn decode_header(payload: &[u8]) -> Result<(Header, &[u8]), DecodeError> {
    if payload.is_empty() {
        return Err(DecodeError::Empty);
    }
    let (header, body): (Header, &[u8]) =
        postcard::take_from_bytes(payload).map_err(|_| DecodeError::Malformed)?;
    if !body.is_empty() && !header.carries_body() {
        return Err(DecodeError::UnexpectedBody { len: body.len() });
    }
    Ok((header, body))
}

/// The version that a `Hello` of any protocol announces: the kind and the version lead in all of them.
pub(crate) fn hello_protocol(payload: &[u8]) -> Option<u16> {
    match postcard::take_from_bytes::<(u32, u16)>(payload) {
        Ok(((0 | 1, protocol), _)) => Some(protocol),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
