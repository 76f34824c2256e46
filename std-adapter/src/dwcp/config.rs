//! Every limit of the transport, with its default and its bounds.

use core::fmt;
use core::time::Duration;

use super::wire::{DEFAULT_MAX_FRAME, HANDSHAKE_MAX_FRAME, HARD_MAX_FRAME, Hello, NodeId, PREFIX, PROTOCOL};

/// The limits of connections, peers and servers.
///
/// ```
/// use seawall::dwcp::TransportConfig;
///
/// let config = TransportConfig { max_inflight: 64, ..TransportConfig::default() };
/// config.validate()?;
///
/// let wrong = TransportConfig { max_inflight: 0, ..TransportConfig::default() };
/// assert_eq!(wrong.validate().unwrap_err().to_string(), "max_inflight is 0, must be 1 to 65536");
/// # Ok::<(), seawall::dwcp::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportConfig {
    /// The name of this node, told to each peer. Default: `node`.
    pub node_id: NodeId,
    /// The largest frame that this node accepts, header included. Default 1 MiB; 4 KiB to 16 MiB.
    pub max_frame: u32,
    /// Requests in flight at once on one connection, in each role. Default 1024; 1 to 65536.
    pub max_inflight: u32,
    /// Bytes of request bodies that a server executes at once for one connection. Default 16 MiB; at least
    /// `max_frame`, at most 1 GiB.
    pub max_inflight_bytes: u32,
    /// Bytes that wait to be written on one connection. Default 4 MiB; at least `max_frame` + 4, at most
    /// 256 MiB. When it is full a request is refused at once.
    pub writer_queue: u32,
    /// Limit of opening a TCP connection. Default 5 s.
    pub connect_timeout: Duration,
    /// Limit of exchanging `Hello` once the connection stands. Default 5 s.
    pub handshake_timeout: Duration,
    /// A ping is sent when nothing but pongs arrived for so long. Default 1 s.
    pub ping_interval: Duration,
    /// A connection is dead after so many pings without any sign of life. Default 3; 1 to 100.
    pub missed_pings: u32,
    /// Limit from the first byte of a frame to its last. Default 10 s.
    pub frame_timeout: Duration,
    /// Limit of one write that makes no progress. Default 10 s.
    pub write_timeout: Duration,
    /// Deadline of a request that names none. Default 30 s.
    pub request_timeout: Duration,
    /// Longest pause before the first reconnect. Default 50 ms.
    pub reconnect_initial: Duration,
    /// Longest pause between reconnects. Default 2 s; not below `reconnect_initial`.
    pub reconnect_max: Duration,
    /// The pauses start anew after a connection lived so long. Default 30 s.
    pub reconnect_reset: Duration,
    /// Connections that a server holds at once. Default 256; 1 to 65536.
    pub max_connections: u32,
    /// Limit of waiting for requests in flight when a side closes in order. Default 10 s.
    pub drain_limit: Duration,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            node_id: NodeId::new("node").unwrap_or_else(|_| unreachable!("a valid name")),
            max_frame: DEFAULT_MAX_FRAME,
            max_inflight: 1024,
            max_inflight_bytes: 16 << 20,
            writer_queue: 4 << 20,
            connect_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(1),
            missed_pings: 3,
            frame_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            reconnect_initial: Duration::from_millis(50),
            reconnect_max: Duration::from_secs(2),
            reconnect_reset: Duration::from_secs(30),
            max_connections: 256,
            drain_limit: Duration::from_secs(10),
        }
    }
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const QUEUE_MAX: u32 = 256 << 20;
const INFLIGHT_BYTES_MAX: u32 = 1 << 30;

impl TransportConfig {
    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// All violations at once, each with the field, its value and its bounds.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut violations = Vec::new();
        let mut count = |field, value: u32, low: u32, high: u32| {
            if !(low..=high).contains(&value) {
                violations.push(format!("{field} is {value}, must be {low} to {high}"));
            }
        };
        count("max_frame", self.max_frame, HANDSHAKE_MAX_FRAME, HARD_MAX_FRAME);
        count("max_inflight", self.max_inflight, 1, 1 << 16);
        let frame = self.max_frame.min(HARD_MAX_FRAME) + PREFIX as u32;
        count(
            "max_inflight_bytes",
            self.max_inflight_bytes,
            self.max_frame.min(HARD_MAX_FRAME),
            INFLIGHT_BYTES_MAX,
        );
        count("writer_queue", self.writer_queue, frame, QUEUE_MAX);
        count("missed_pings", self.missed_pings, 1, 100);
        count("max_connections", self.max_connections, 1, 1 << 16);
        for (field, value) in [
            ("connect_timeout", self.connect_timeout),
            ("handshake_timeout", self.handshake_timeout),
            ("ping_interval", self.ping_interval),
            ("frame_timeout", self.frame_timeout),
            ("write_timeout", self.write_timeout),
            ("request_timeout", self.request_timeout),
            ("reconnect_initial", self.reconnect_initial),
            ("reconnect_max", self.reconnect_max),
            ("reconnect_reset", self.reconnect_reset),
            ("drain_limit", self.drain_limit),
        ] {
            if !(SHORTEST..=LONGEST).contains(&value) {
                violations.push(format!("{field} is {value:?}, must be 1ms to 24h"));
            }
        }
        if self.reconnect_max < self.reconnect_initial {
            violations.push(format!(
                "reconnect_max is {:?}, must be at least reconnect_initial ({:?})",
                self.reconnect_max, self.reconnect_initial
            ));
        }
        if violations.is_empty() { Ok(()) } else { Err(ConfigError { violations }) }
    }

    /// What this node says about itself.
    pub(crate) fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL,
            node_id: self.node_id.clone(),
            features: 0,
            max_frame: self.max_frame,
            max_inflight: self.max_inflight,
        }
    }
}

/// The violated bounds of a [`TransportConfig`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    violations: Vec<String>,
}

impl ConfigError {
    /// One sentence for each violation: the field, its value and its bounds.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.violations.join("; "))
    }
}

impl core::error::Error for ConfigError {}
