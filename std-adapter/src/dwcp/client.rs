//! The requesting side of a node: every request goes through the guard of its operation.
//!
//! A request waits, is tried again and is refused as the operation's policy says; each attempt goes to a peer of its own
//! choice, and carries the time that is left, its number and its importance.
//! Every failure reaches the caller, with the pattern that caused it:
//!
//! | the caller gets | because |
//! |---|---|
//! | [`Error::Rejected`] | the rate limit, the bulkhead, the breaker or the deadline refused it: nothing was sent |
//! | [`Error::TimedOut`] | the last attempt had no reply when its time was over |
//! | [`Error::Failed`] with [`CallError::Transport`] | the last attempt found no peer, or lost its connection |
//! | [`Error::Failed`] with [`CallError::Refused`] | the peer answered that it did not do the work |
//! | [`Error::Failed`] with [`CallError::App`] | the peer did the work, and says that it failed |
//!
//! # What counts as a failure
//!
//! The breaker and the error budget learn whether the peers do their work, and nothing else:
//!
//! | an attempt ends with | counts as | is tried again |
//! |---|---|---|
//! | a reply, `Ok` or `App` | success | no |
//! | `Rejected` by the peer | nothing: a peer that protects itself is alive | when it said after what time |
//! | `Rejected` because it is draining | failure | yes |
//! | no connection, or it was lost before the request was written | failure | yes |
//! | the connection was lost, or the time was over, after that | failure | if the request is idempotent |
//! | `Internal`: the handler broke | failure | if the request is idempotent |
//! | the local writer queue or the table of requests is full | nothing | yes |
//! | too large, an operation that the peer does not know, closed by this side | nothing | no |
//!
//! # Examples
//!
//! ```
//! use seawall::dwcp::{Client, ClientConfig, IncomingRequest, Reply, Server, TransportConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let echo = async |request: IncomingRequest| Reply::ok(request.body);
//! let server = Server::bind("127.0.0.1:0", TransportConfig::default(), echo).await?;
//!
//! let client = Client::new(ClientConfig::new([server.local_addr().to_string()]))?;
//! let reply = client.send("hello").await?;
//! assert_eq!(&reply[..], b"hello");
//! assert!(client.is_healthy());
//! client.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod classify;
mod error;
mod operations;
mod options;
mod peers;
mod stats;

use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use seawall_core::circuit_breaker::State;
use tokio::time::Instant;

use super::config::TransportConfig;
use super::message::Request;
use super::wire::{Operation, Status};
use crate::guard::{Attempt, Guard, Options};
use crate::registry::Registry;
use classify::Classifier;
pub use error::{BuildError, CallError};
pub(super) use operations::{Operations, Protected};
pub use options::{CallOptions, ClientConfig};
pub use peers::PeerInfo;
use peers::Peers;
pub use stats::ClientStats;

/// What a call returns when it returns no reply.
pub type Error = crate::Error<CallError>;

/// The requesting side of a node. Clones share everything. The [module](self) has an example.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    peers: Peers,
    registry: Registry,
    operations: Arc<Operations>,
}

impl Client {
    /// A client of these peers. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names each value out of bounds.
    pub fn new(config: ClientConfig) -> Result<Self, BuildError> {
        Self::with_registry(config, Registry::new())
    }

    /// As [`Client::new`], with the guards in a registry of your own, under the names of the operations.
    ///
    /// # Errors
    ///
    /// [`BuildError`], also if a name is taken.
    pub fn with_registry(config: ClientConfig, registry: Registry) -> Result<Self, BuildError> {
        let ClientConfig { peers, policies, transport } = config;
        transport.validate()?;
        let operations = Operations::register(&policies, "", &registry)?;
        Self::over(peers, &transport, registry, Arc::new(operations))
    }

    /// A client of these peers through guards that stand already.
    pub(super) fn over(
        peers: Vec<String>,
        transport: &TransportConfig,
        registry: Registry,
        operations: Arc<Operations>,
    ) -> Result<Self, BuildError> {
        let peers = Peers::new(peers, transport)?;
        Ok(Self { shared: Arc::new(Shared { peers, registry, operations }) })
    }

    /// Sends a message, and returns the peer's answer to it.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; the [module](self) says which and when.
    pub async fn send(&self, message: impl Into<Bytes>) -> Result<Bytes, Error> {
        self.request(Operation::Send, message, CallOptions::new()).await
    }

    /// Asks for the next message; `selector` says which, in the words of the application.
    ///
    /// # Errors
    ///
    /// As [`Client::send`].
    pub async fn receive(&self, selector: impl Into<Bytes>) -> Result<Bytes, Error> {
        self.request(Operation::Receive, selector, CallOptions::new()).await
    }

    /// Exchanges state.
    ///
    /// # Errors
    ///
    /// As [`Client::send`].
    pub async fn sync(&self, state: impl Into<Bytes>) -> Result<Bytes, Error> {
        self.request(Operation::Sync, state, CallOptions::new()).await
    }

    /// Takes part in a round of consensus.
    ///
    /// # Errors
    ///
    /// As [`Client::send`].
    pub async fn consensus(&self, proposal: impl Into<Bytes>) -> Result<Bytes, Error> {
        self.request(Operation::Consensus, proposal, CallOptions::new()).await
    }

    /// Makes a request under the guard of its operation.
    ///
    /// Dropping the future gives its slot back and withdraws the request at the peer.
    ///
    /// # Errors
    ///
    /// As [`Client::send`].
    pub async fn request(
        &self,
        operation: Operation,
        body: impl Into<Bytes>,
        options: CallOptions,
    ) -> Result<Bytes, Error> {
        let protected = self.protected(operation);
        let idempotent = options.idempotent.unwrap_or(protected.idempotent);
        let body = body.into();
        let limits = Options::new().deadline(options.deadline).classify(Classifier { idempotent });
        let attempt = |attempt: Attempt| {
            let request = Request::new(operation, body.clone())
                .attempt(u8::try_from(attempt.number() - 1).unwrap_or(u8::MAX))
                .priority(options.priority)
                .idempotent(idempotent);
            self.attempt(request, attempt.remaining())
        };
        protected.guard.call_with(limits, attempt).await
    }

    /// The peers of the configuration and how they are.
    pub fn discover_peers(&self) -> Vec<PeerInfo> {
        self.shared.peers.infos()
    }

    /// Waits for the connection to the peer with this address.
    ///
    /// # Errors
    ///
    /// [`CallError::UnknownPeer`] if the address is none of the configuration's; otherwise why there is no connection.
    pub async fn connect(&self, address: &str) -> Result<(), CallError> {
        let Some(peer) = self.shared.peers.by_address(address) else {
            return Err(CallError::UnknownPeer { peer: address.to_owned() });
        };
        peer.connect().await.map_err(|error| CallError::transport(peer, error))
    }

    /// Whether a peer is connected and shows signs of life, and no breaker is open.
    pub fn is_healthy(&self) -> bool {
        self.shared.peers.any_healthy() && self.open_breakers() == 0
    }

    /// Whether there is no peer at all.
    pub(super) fn is_alone(&self) -> bool {
        self.shared.peers.is_empty()
    }

    /// Begins to connect to every peer, which the first request does otherwise.
    pub(super) fn start(&self) {
        self.shared.peers.start();
    }

    /// How many operations are cut off by their breakers.
    pub fn open_breakers(&self) -> usize {
        let open = |protected: &&Protected| {
            let guard = &protected.guard;
            guard
                .decisions()
                .breaker()
                .is_some_and(|breaker| breaker.status(guard.now()).state == State::Open)
        };
        self.shared.operations.all().iter().filter(open).count()
    }

    /// The guards of the operations, under their names.
    pub fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// The guards of the operations, in the order of [`Operation::ALL`].
    pub fn guards(&self) -> impl Iterator<Item = &Guard> {
        self.shared.operations.all().iter().map(|protected| &protected.guard)
    }

    /// The guard of an operation.
    pub fn guard(&self, operation: Operation) -> &Guard {
        &self.protected(operation).guard
    }

    /// Arms chaos on the guards of those operations whose policy has faults for it, and says which these are.
    ///
    /// Nothing strikes before this. Armed again, the phases begin anew.
    #[cfg(feature = "chaos")]
    pub fn arm_chaos(&self) -> Vec<Operation> {
        self.shared.operations.arm_chaos()
    }

    /// Disarms chaos on the guards of all operations, and says on which it was armed.
    #[cfg(feature = "chaos")]
    pub fn disarm_chaos(&self) -> Vec<Operation> {
        self.shared.operations.disarm_chaos()
    }

    /// What was counted, and how everything is at this moment.
    pub fn stats(&self) -> ClientStats {
        ClientStats::of(self)
    }

    /// Closes the connections in order: takes no more requests and waits for the replies of those in flight, up to the
    /// transport's `drain_limit`. The client stays closed.
    pub async fn shutdown(&self) {
        self.shared.peers.close().await;
    }

    fn protected(&self, operation: Operation) -> &Protected {
        self.shared.operations.get(operation)
    }

    /// One attempt: one peer, one request, one reply.
    async fn attempt(&self, request: Request, remaining: Duration) -> Result<Bytes, CallError> {
        let Some(peer) = self.shared.peers.choose() else { return Err(CallError::NoPeers) };
        let request = match Instant::now().checked_add(remaining) {
            Some(deadline) if remaining != Duration::MAX => request.deadline(deadline),
            _ => request,
        };
        let response = match peer.request(request).await {
            Ok(response) => response,
            Err(error) => return Err(CallError::transport(peer, error)),
        };
        match response.status {
            Status::Ok => Ok(response.body),
            Status::App(code) => Err(CallError::App { code, body: response.body }),
            status => Err(CallError::Refused {
                peer: peer.address().to_owned(),
                status,
                retry_after: response.retry_after,
            }),
        }
    }
}
