//! What the transport counts.
//!
//! Counters only grow; a snapshot reads each of them once, so that sums over two of them may be off by what
//! happened between the reads.

use core::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::error::CloseReason;

/// A counter or a gauge that publishes nothing but its own number.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        // ORDERING: none is needed: a count orders no other memory.
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, n: u64) {
        // ORDERING: none is needed: a count orders no other memory.
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        // ORDERING: none is needed: a count orders no other memory.
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts one event for as long as it lives.
#[derive(Debug)]
pub(crate) struct Gauged<'a>(&'a Counter);

impl<'a> Gauged<'a> {
    pub(crate) fn new(counter: &'a Counter) -> Self {
        counter.add(1);
        Self(counter)
    }
}

impl Drop for Gauged<'_> {
    fn drop(&mut self) {
        self.0.sub(1);
    }
}

macro_rules! counters {
    ($(#[$counters_doc:meta])* $counters:ident, $(#[$stats_doc:meta])* $stats:ident {
        $($(#[$doc:meta])* $name:ident,)+
    }) => {
        $(#[$counters_doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $counters { $(pub(crate) $name: Counter,)+ }

        impl $counters {
            pub(crate) fn snapshot(&self) -> $stats {
                $stats { $($name: self.$name.get(),)+ }
            }
        }

        $(#[$stats_doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        pub struct $stats { $($(#[$doc])* pub $name: u64,)+ }
    };
}

counters! {
    /// Counts of the requesting side.
    LinkCounters,
    /// What the requesting side of a connection, or of all connections of a peer, has counted.
    LinkStats {
        /// Bytes handed to the operating system.
        bytes_out,
        /// Bytes received.
        bytes_in,
        /// Whole frames received.
        frames_in,
        /// Requests accepted for sending.
        requests,
        /// Replies matched to their requests, whatever their status.
        replies,
        /// One-way messages accepted for sending.
        pushes,
        /// Requests that waited for a reply when their connection ended.
        lost,
        /// Requests whose deadline passed before the reply.
        timed_out,
        /// Requests whose caller went away before the reply.
        cancelled,
        /// Replies that came after their request was given up; they are dropped.
        late_replies,
        /// One-way messages from the server; this protocol version has no use for them.
        unexpected_pushes,
        /// Requests refused because the writer queue was full.
        refused_queue,
        /// Requests refused because too many were in flight.
        refused_inflight,
        /// Pings sent.
        pings,
        /// Pongs received.
        pongs,
        /// Requests that wait for their replies now.
        inflight,
    }
}

counters! {
    /// Counts of a server.
    ServerCounters,
    /// What a server has counted.
    ServerStats {
        /// Connections accepted.
        accepted,
        /// Connections refused because the cap was reached.
        refused,
        /// Failures of the operating system to accept a connection.
        accept_errors,
        /// Connections that stand now, handshakes included.
        connections,
        /// Bytes handed to the operating system.
        bytes_out,
        /// Bytes received.
        bytes_in,
        /// Whole frames received.
        frames_in,
        /// Requests received.
        requests,
        /// Requests that are executed now.
        inflight,
        /// Replies that the handler gave, whatever their status.
        replies,
        /// Requests whose deadline passed before they ran; the handler did not see them.
        expired,
        /// Requests whose deadline passed while they ran.
        timed_out,
        /// Requests withdrawn by their callers before they were answered.
        cancelled,
        /// Requests refused because the connection had too many, or too large ones, in flight.
        rejected_inflight,
        /// Requests refused because the server was draining.
        rejected_draining,
        /// Replies that did not fit into a frame.
        replies_too_large,
        /// Handlers that panicked.
        panics,
        /// One-way messages handed to the handler.
        pushes,
        /// One-way messages dropped because the connection had too much in flight.
        pushes_dropped,
        /// Connections closed in order, by either side.
        closed_clean,
        /// Connections that ended with an error of the operating system or within a frame.
        closed_io,
        /// Connections closed because of a length prefix above the maximum.
        closed_too_large,
        /// Connections closed because of bytes that are no frame.
        closed_malformed,
        /// Connections closed because of a frame out of place, or of a foreign version.
        closed_protocol,
        /// Connections closed because the handshake took too long.
        closed_handshake_timeout,
        /// Connections closed because a frame took too long.
        closed_frame_timeout,
        /// Connections closed because the peer did not read.
        closed_write_timeout,
        /// Connections closed because the peer gave no sign of life.
        closed_ping_timeout,
    }
}

impl ServerCounters {
    /// Counts the end of a connection by its reason.
    pub(crate) fn closed(&self, reason: CloseReason) {
        let counter = match reason {
            CloseReason::Local | CloseReason::PeerClosed | CloseReason::GoAway(_) => &self.closed_clean,
            CloseReason::Truncated | CloseReason::Io(_) => &self.closed_io,
            CloseReason::FrameTooLarge => &self.closed_too_large,
            CloseReason::Malformed => &self.closed_malformed,
            CloseReason::Protocol(_) | CloseReason::VersionMismatch { .. } => &self.closed_protocol,
            CloseReason::HandshakeTimeout => &self.closed_handshake_timeout,
            CloseReason::FrameTimeout => &self.closed_frame_timeout,
            CloseReason::WriteTimeout => &self.closed_write_timeout,
            CloseReason::PingTimeout => &self.closed_ping_timeout,
        };
        counter.add(1);
    }
}

/// Byte and frame counts that both roles have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic<'a> {
    pub(crate) bytes_in: &'a Counter,
    pub(crate) bytes_out: &'a Counter,
    pub(crate) frames_in: &'a Counter,
}

/// Counters of either role, as the reader and the writer see them.
pub(crate) trait HasTraffic: Send + Sync + 'static {
    /// The counters of bytes and frames.
    fn traffic(&self) -> Traffic<'_>;
}

impl HasTraffic for LinkCounters {
    fn traffic(&self) -> Traffic<'_> {
        Traffic { bytes_in: &self.bytes_in, bytes_out: &self.bytes_out, frames_in: &self.frames_in }
    }
}

impl HasTraffic for ServerCounters {
    fn traffic(&self) -> Traffic<'_> {
        Traffic { bytes_in: &self.bytes_in, bytes_out: &self.bytes_out, frames_in: &self.frames_in }
    }
}
