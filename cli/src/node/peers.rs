//! The peers of a node: connected at the start, and watched from then on.

use seawall::dwcp::{ConfigError, Peer, TransportConfig, TransportError};
use std::net::SocketAddr;
use std::time::Duration;

/// How often a node looks at its peers.
const LOOK: Duration = Duration::from_millis(500);

/// A handle to each peer; nothing is connected yet.
pub(crate) fn handles(
    addresses: &[SocketAddr],
    transport: &TransportConfig,
) -> Result<Vec<Peer>, ConfigError> {
    addresses.iter().map(|address| Peer::new(address.to_string(), transport.clone())).collect()
}

/// Connects to each peer in turn; the first that cannot be reached is the error.
pub(crate) async fn connect(peers: &[Peer]) -> Result<(), TransportError> {
    for peer in peers {
        peer.connect().await?;
    }
    Ok(())
}

/// Says on standard error which peers are reached and which are lost, for as long as it is polled.
///
/// A peer that cannot be reached is no reason to end: the handle goes on trying.
pub(crate) async fn watch(peers: &[Peer]) {
    let mut known: Vec<Option<bool>> = vec![None; peers.len()];
    for peer in peers {
        // What became of it is said below, as for every later change.
        _ = peer.connect().await;
    }
    loop {
        for (peer, known) in peers.iter().zip(&mut known) {
            let connected = peer.is_connected();
            if *known != Some(connected) {
                eprintln!("{}", news(peer.address(), connected, peer.last_error()));
                *known = Some(connected);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn news(address: &str, connected: bool, error: Option<String>) -> String {
    if connected {
        return format!("peer {address}: connected");
    }
    let why = error.map(|error| format!(": {error}")).unwrap_or_default();
    format!("peer {address}: unreachable{why}; trying again")
}

#[cfg(test)]
mod tests {
    use super::news;

    #[test]
    fn news_name_the_peer_and_the_reason() {
        assert_eq!(news("127.0.0.1:7400", true, Some("old".to_owned())), "peer 127.0.0.1:7400: connected");
        assert_eq!(
            news("127.0.0.1:7400", false, Some("connection refused".to_owned())),
            "peer 127.0.0.1:7400: unreachable: connection refused; trying again"
        );
    }
}
