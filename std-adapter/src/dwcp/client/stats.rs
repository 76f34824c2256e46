//! What a client has counted.

use serde::Serialize;

use super::Client;
use crate::dwcp::peer::PeerStats;
use crate::stats::Stats;

/// What a client has counted, and how everything is.
///
/// A call that has ended is in exactly one of the counts of its operation, so
/// `calls.total()` is the number of calls that were made and have ended.
/// A call whose answer was an error of the application's is among the successes: the peer did its work.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClientStats {
    /// The guards under the names of their operations, and the level of degradation.
    #[serde(flatten)]
    pub guards: Stats,
    /// The peers, in the order of the configuration.
    pub peers: Vec<PeerStats>,
}

impl ClientStats {
    pub(super) fn of(client: &Client) -> Self {
        Self { guards: Stats::of(client.guards()), peers: client.shared.peers.stats() }
    }
}
