//! Sending without protection: what is written when nobody thinks of the day on which the peer is slow.

use super::attempt::{judge, reached_the_wire};
use crate::load::{Caller, Fate};
use crate::message::Message;
use crate::report::{Ending, Failure, Guarding, Transition};
use seawall::dwcp::{Operation, Peer, Request};
use std::time::Duration;

/// Peers that are asked in turn; a message that fails is tried again at once.
#[derive(Debug)]
pub(crate) struct Plain {
    peers: Vec<Peer>,
    timeout: Duration,
    attempts: u32,
}

impl Plain {
    /// Sends to these peers, with this time for each of so many attempts.
    pub(crate) const fn new(peers: Vec<Peer>, timeout: Duration, attempts: u32) -> Self {
        Self { peers, timeout, attempts }
    }
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
            on_wire += u32::from(reached_the_wire(&reply));
            match judge(message, &reply) {
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

    fn news(&self) -> Vec<Transition> {
        Vec::new()
    }
}
