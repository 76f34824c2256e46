//! The peers of a node: connected at the start, and watched from then on.

use seawall::dwcp::{CallError, Client, PeerStats};
use std::time::Duration;

/// How often a node looks at its peers.
const LOOK: Duration = Duration::from_millis(500);

/// Connects to each peer in turn; the first that cannot be reached is the error.
pub(crate) async fn connect(client: &Client) -> Result<(), CallError> {
    for peer in client.discover_peers() {
        client.connect(&peer.address).await?;
    }
    Ok(())
}

/// Says on standard error which peers are reached and which are lost, for as long as it is polled.
///
/// A peer that cannot be reached is no reason to end: the client goes on trying.
pub(crate) async fn watch(client: &Client) {
    let mut known: Vec<Option<bool>> = vec![None; client.discover_peers().len()];
    // What became of the attempts is said below, as for every later change.
    _ = connect(client).await;
    loop {
        for (peer, known) in client.stats().peers.iter().zip(&mut known) {
            if *known != Some(peer.connected) {
                eprintln!("{}", news(peer));
                *known = Some(peer.connected);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn news(peer: &PeerStats) -> String {
    if peer.connected {
        return format!("peer {}: connected", peer.address);
    }
    let why = peer.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("peer {}: unreachable{why}; trying again", peer.address)
}
