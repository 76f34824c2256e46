//! The peers of a client, and which of them gets the next request.

use std::collections::HashSet;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde::Serialize;

use super::BuildError;
use crate::dwcp::config::TransportConfig;
use crate::dwcp::peer::{Peer, PeerStats};
use crate::dwcp::wire::NodeId;

/// A peer of the configuration, and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Its address.
    pub address: String,
    /// Who it says it is, while connected.
    pub node_id: Option<NodeId>,
    /// Whether a connection stands that takes requests.
    pub connected: bool,
    /// Whether it is connected and showed signs of life since the last ping.
    pub healthy: bool,
    /// How loaded it last said it is, from 0 (idle) to 255 (full); 0 while not connected.
    pub load: u8,
}

#[derive(Debug)]
pub(super) struct Peers {
    all: Box<[Peer]>,
    next: AtomicUsize,
    started: Once,
}

impl Peers {
    pub(super) fn new(addresses: Vec<String>, config: &TransportConfig) -> Result<Self, BuildError> {
        config.validate()?;
        let mut seen = HashSet::new();
        let mut peers = Vec::with_capacity(addresses.len());
        for address in addresses {
            if !seen.insert(address.clone()) {
                return Err(BuildError::DuplicatePeer { peer: address });
            }
            peers.push(Peer::new(address, config.clone())?);
        }
        Ok(Self { all: peers.into(), next: AtomicUsize::new(0), started: Once::new() })
    }

    /// The peer for the next attempt: in turn, of those that show signs of life; else of those that are connected; else of
    /// all, so that the error names one.
    pub(super) fn choose(&self) -> Option<&Peer> {
        if let [only] = &*self.all {
            return Some(only);
        }
        self.start();
        // ORDERING: none is needed: the turn orders no other memory.
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let pick = |fits: fn(&&Peer) -> bool| {
            let fitting = self.all.iter().filter(fits).count();
            let place = turn.checked_rem(fitting)?;
            // A peer may have gone since it was counted; then the next choice is made.
            self.all.iter().filter(fits).nth(place)
        };
        pick(|peer| peer.is_healthy()).or_else(|| pick(|peer| peer.is_connected())).or_else(|| pick(|_| true))
    }

    /// Begins to connect to all of them: a peer that was never used could never be chosen.
    pub(super) fn start(&self) {
        self.started.call_once(|| {
            for peer in &self.all {
                // Its first poll starts the keeper of the connection, which goes on by itself.
                let _ = peer.connect().now_or_never();
            }
        });
    }

    pub(super) fn by_address(&self, address: &str) -> Option<&Peer> {
        self.all.iter().find(|peer| peer.address() == address)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn any_healthy(&self) -> bool {
        self.all.iter().any(Peer::is_healthy)
    }

    pub(super) fn infos(&self) -> Vec<PeerInfo> {
        let info = |stats: PeerStats| PeerInfo {
            address: stats.address,
            node_id: stats.node_id,
            connected: stats.connected,
            healthy: stats.healthy,
            load: stats.load,
        };
        self.all.iter().map(|peer| info(peer.stats())).collect()
    }

    pub(super) fn stats(&self) -> Vec<PeerStats> {
        self.all.iter().map(Peer::stats).collect()
    }

    pub(super) async fn close(&self) {
        join_all(self.all.iter().map(Peer::close)).await;
    }
}
