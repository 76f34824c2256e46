//! Sending without protection: what is written when nobody thinks of the day on which the peer is slow.

use crate::load::{Caller, Fate};
use crate::message::Message;
use crate::report::{Ending, Failure, Guarding};
use seawall::dwcp::{Operation, Peer, Request, Status, TransportConfig, TransportError};
use std::net::SocketAddr;
use std::time::Duration;

/// Peers that are asked in turn, each message up to three times.
#[derive(Debug)]
pub(crate) struct Plain {
    peers: Vec<Peer>,
    timeout: Duration,
    attempts: u32,
}

impl Plain {
    /// Connects to the peers.
    pub(crate) async fn connect(
        addresses: &[SocketAddr],
        transport: TransportConfig,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut peers = Vec::with_capacity(addresses.len());
        for address in addresses {
            let peer = Peer::new(address.to_string(), transport.clone())?;
            peer.connect().await?;
            peers.push(peer);
        }
        Ok(Self { peers, timeout: Duration::from_millis(400), attempts: 3 })
    }
}

/// What came of one attempt.
pub(crate) fn judge(
    message: Message,
    reply: Result<seawall::dwcp::Response, TransportError>,
) -> Result<(), Failure> {
    match reply {
        Ok(response) if response.status != Status::Ok => Err(Failure::Peer),
        Ok(response) if message.is_answered_by(&response.body) => Ok(()),
        Ok(_) => Err(Failure::WrongReply),
        Err(TransportError::TimedOut { .. }) => Err(Failure::Timeout),
        Err(_) => Err(Failure::Connection),
    }
}

/// Whether the attempt was handed to a connection.
pub(crate) const fn reached_the_wire(error: &TransportError) -> bool {
    matches!(error, TransportError::ConnectionLost { .. } | TransportError::TimedOut { .. })
}

impl Caller for Plain {
    async fn call(&self, message: Message) -> Fate {
        let place = usize::try_from(message.number()).unwrap_or(0) % self.peers.len().max(1);
        let Some(peer) = self.peers.get(place) else {
            return Fate { ending: Ending::Failed(Failure::Connection), attempts: 0, on_wire: 0 };
        };
        let (mut attempts, mut on_wire) = (0, 0);
        let failure = loop {
            let request = Request::new(Operation::Send, message.encode().to_vec())
                .timeout(self.timeout)
                .idempotent(true);
            let reply = peer.request(request).await;
            attempts += 1;
            on_wire += u32::from(reply.as_ref().map_or_else(reached_the_wire, |_| true));
            match judge(message, reply) {
                Ok(()) => return Fate { ending: Ending::Succeeded, attempts, on_wire },
                Err(failure) if attempts == self.attempts || failure == Failure::WrongReply => break failure,
                Err(_) => {}
            }
        };
        Fate { ending: Ending::Failed(failure), attempts, on_wire }
    }

    fn guarding(&self) -> Option<Guarding> {
        None
    }
}
