//! What a client is made from, and what one call asks for.

use core::time::Duration;

use crate::config::Policies;
use crate::dwcp::config::TransportConfig;
use crate::dwcp::message::DEFAULT_PRIORITY;

/// What a [`Client`](super::Client) is made from.
///
/// # Examples
///
/// ```
/// use seawall::config::Policies;
/// use seawall::dwcp::{ClientConfig, TransportConfig};
///
/// let config = ClientConfig {
///     policies: Policies::default(),
///     transport: TransportConfig { missed_pings: 5, ..TransportConfig::default() },
///     ..ClientConfig::new(["127.0.0.1:7400", "127.0.0.1:7401"])
/// };
/// assert_eq!(config.peers.len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The addresses of the peers.
    pub peers: Vec<String>,
    /// The policy of each operation.
    pub policies: Policies,
    /// The limits of the connections.
    pub transport: TransportConfig,
}

impl ClientConfig {
    /// These peers, with the seeds' presets.
    pub fn new<P: Into<String>>(peers: impl IntoIterator<Item = P>) -> Self {
        Self {
            peers: peers.into_iter().map(Into::into).collect(),
            policies: Policies::default(),
            transport: TransportConfig::default(),
        }
    }
}

/// What one call asks for beyond the policy of its operation.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use seawall::dwcp::CallOptions;
///
/// let urgent = CallOptions::new().deadline(Duration::from_millis(100)).priority(255).idempotent(true);
/// assert_ne!(urgent, CallOptions::new());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "pass the options to a call"]
pub struct CallOptions {
    pub(super) deadline: Duration,
    pub(super) priority: u8,
    pub(super) idempotent: Option<bool>,
}

impl CallOptions {
    /// The policy's deadline, middle priority, idempotent if the operation is.
    pub const fn new() -> Self {
        Self { deadline: Duration::MAX, priority: DEFAULT_PRIORITY, idempotent: None }
    }

    /// The whole call must be over in this time, or in the policy's if that is shorter.
    pub const fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = limit;
        self
    }

    /// Importance from 0 (first to be shed) to 255 (last to be shed).
    pub const fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// Whether executing this request twice is the same as executing it once.
    pub const fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = Some(idempotent);
        self
    }
}

impl Default for CallOptions {
    fn default() -> Self {
        Self::new()
    }
}
