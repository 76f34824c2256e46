//! What a node has counted.

use serde::Serialize;

use super::Manager;
use crate::dwcp::peer::PeerStats;
use crate::dwcp::server::Handler;
use crate::dwcp::stats::ServerStats;
use crate::stats::Stats;

/// What a node has counted, and how everything is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ManagerStats {
    /// Whether it was started, and not stopped since.
    pub running: bool,
    /// Whether it is running and can reach a peer, if it has any, with every operation.
    pub healthy: bool,
    /// The guards of requests to peers, and how far the node is degraded.
    pub outbound: Stats,
    /// The guards of requests from peers.
    pub inbound: Stats,
    /// The peers, in the order of the configuration; none while it is stopped.
    pub peers: Vec<PeerStats>,
    /// The answering side, since the last start.
    pub server: Option<ServerStats>,
    /// The version of this crate.
    pub version: &'static str,
}

impl ManagerStats {
    pub(super) fn of<H: Handler>(manager: &Manager<H>) -> Self {
        let running = manager.current();
        Self {
            running: running.is_some(),
            healthy: manager.is_healthy(),
            outbound: Stats::of(manager.outbound.all().iter().map(|protected| &protected.guard)),
            inbound: Stats::of(manager.inbound.guards()),
            peers: running.as_ref().map(|running| running.client.stats().peers).unwrap_or_default(),
            server: running.and_then(|running| Some(running.server.as_ref()?.stats())),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
