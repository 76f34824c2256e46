//! DWCP: a small request/response and one-way transport over TCP, the road that Seawall protects.
//!
//! One connection carries any number of requests to a peer at once; replies are matched by number and may come
//! in any order. Every request carries the time that is left for it, its attempt and its priority, so that a
//! server can drop what nobody waits for and shed what matters least. Nothing here retries, limits or breaks:
//! guards do, on top.
//!
//! | type | is |
//! |---|---|
//! | [`Peer`] | a handle to one address: connects on first use, reconnects, fails fast while down |
//! | [`Connection`] | one connection, from the side that opened it |
//! | [`Server`] | a listener with a [`Handler`]; each connection a task of its own |
//! | [`Client`] | the requesting side of a node, each operation under its guard |
//! | [`Manager`] | a whole node: a server and a client, to start and to stop |
//! | [`TransportConfig`] | every limit of the above |
//! | [`TransportError`], [`CloseReason`] | why there is no reply, why a connection ended |
//! | [`LinkStats`], [`PeerStats`], [`ServerStats`] | what was counted |
//! | [`Frame`], [`Header`], [`encode_frame`], [`decode_frame`], [`FrameCodec`] | the wire format, without I/O |
//!
//! It is no accelerator for wide networks: one stream, no striping, no message above one frame.
//! Version 1 runs in plaintext; run it on a network that is trusted, or over a [`Link`] that encrypts.
//!
//! # What is bounded
//!
//! Whatever a peer sends or omits, one connection holds at most: one frame that is being read (`max_frame`), the
//! bytes that wait to be written (`writer_queue`), the requests in flight (`max_inflight`, and
//! `max_inflight_bytes` of their bodies at a server). A length prefix above the maximum is refused before
//! anything is allocated; before the handshake the maximum is 4 KiB. Each phase has a time limit: connecting,
//! greeting, each frame from its first byte to its last, each write, silence.
//! A violation ends the connection that committed it, and no other.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use seawall::dwcp::{
//!     IncomingRequest, Operation, Peer, Reply, Request, Server, Status, TransportConfig, TransportError,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = TransportConfig::default();
//! let server = Server::bind("127.0.0.1:0", config.clone(), async |request: IncomingRequest| {
//!     match request.operation {
//!         Operation::Send => Reply::ok(request.body),
//!         _ => Reply::unsupported(),
//!     }
//! })
//! .await?;
//!
//! let peer = Peer::new(server.local_addr().to_string(), config)?;
//! let message = Request::new(Operation::Send, "hello").timeout(Duration::from_millis(500));
//! match peer.request(message).await {
//!     Ok(reply) => assert_eq!(reply.status, Status::Ok),
//!     Err(error @ TransportError::Unreachable { .. }) => println!("{error}"),
//!     Err(error) => println!("executed? {}", error.maybe_executed()),
//! }
//! server.drain(Duration::from_secs(1)).await;
//! # Ok(())
//! # }
//! ```

mod background;
pub mod client;
mod codec;
mod config;
mod connection;
mod error;
mod liveness;
pub mod manager;
mod message;
mod outbox;
mod peer;
mod server;
mod stats;
mod wire;

pub use client::{BuildError, CallError, CallOptions, Client, ClientConfig, ClientStats, Error, PeerInfo};
pub use codec::FrameCodec;
pub use config::{ConfigError, TransportConfig};
pub use connection::{Connection, Link};
pub use error::{CloseReason, Resource, StartError, TransportError, Violation};
pub use manager::{Manager, ManagerConfig, ManagerError, ManagerStats};
pub use message::{DEFAULT_PRIORITY, IncomingPush, IncomingRequest, Reply, Request, Response};
pub use peer::{Peer, PeerStats};
pub use server::{Drained, Handler, Server, serve_link};
pub use stats::{LinkStats, ServerStats};
pub use wire::{
    DEFAULT_MAX_FRAME, DecodeError, EncodeError, Frame, GoAwayReason, HANDSHAKE_MAX_FRAME, HARD_MAX_FRAME,
    Header, Hello, MAX_HEADER, NodeId, NodeIdError, Operation, PREFIX, PROTOCOL, Rejection, RequestHeader,
    ResponseHeader, Status, decode_frame, encode_frame,
};
