//! A handle to one peer that keeps a connection to it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

use super::background::AbortOnDrop;
use super::config::{ConfigError, TransportConfig};
use super::connection::Connection;
use super::error::TransportError;
use super::message::{Request, Response};
use super::stats::{Counter, LinkCounters, LinkStats};
use super::wire::{NodeId, Operation};

mod schedule;

use schedule::{Schedule, random};

/// A peer by its address: connects on first use, reconnects in the background, fails fast meanwhile.
///
/// Cloning shares the connection. Dropping the last clone closes it at once; [`close`](Self::close) does so in
/// order. A request is sent at most once: whether to send it again is for a guard to decide.
///
/// # Examples
///
/// ```
/// use seawall::dwcp::{IncomingRequest, Operation, Peer, Reply, Request, Server, TransportConfig, TransportError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = TransportConfig::default();
/// let echo = async |request: IncomingRequest| Reply::ok(request.body);
/// let server = Server::bind("127.0.0.1:0", config.clone(), echo).await?;
///
/// let peer = Peer::new(server.local_addr().to_string(), config)?;
/// let response = peer.request(Request::new(Operation::Send, "hello")).await?;
/// assert_eq!(&response.body[..], b"hello");
/// assert!(peer.is_healthy());
/// peer.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Peer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    /// Keeps the connection; started by the first use, ended with the last handle.
    keeper: OnceLock<AbortOnDrop<()>>,
}

/// What the handles and the keeper share.
#[derive(Debug)]
struct Shared {
    address: String,
    config: TransportConfig,
    state: watch::Sender<State>,
    link: Arc<LinkCounters>,
    connects: Counter,
    connect_failures: Counter,
    disconnects: Counter,
    last_error: Mutex<Option<String>>,
}

#[derive(Clone, Debug)]
enum State {
    /// The first attempt has not ended yet.
    First,
    /// A connection stands, or stood a moment ago.
    Up(Arc<Connection>),
    /// The last attempt failed, or the connection ended.
    Down { reason: String, retry_at: Instant },
    /// This side closed.
    Closed,
}

/// What a peer handle has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PeerStats {
    /// The address of the peer.
    pub address: String,
    /// Who the peer says it is, while connected.
    pub node_id: Option<NodeId>,
    /// Whether a connection stands that takes requests.
    pub connected: bool,
    /// Whether it is connected and showed signs of life since the last ping.
    pub healthy: bool,
    /// Smoothed round trip in microseconds, once known.
    pub rtt_micros: Option<u64>,
    /// How loaded the peer last said it is, from 0 (idle) to 255 (full); 0 while not connected.
    pub load: u8,
    /// Connections that were established; all but the first are reconnects.
    pub connects: u64,
    /// Attempts to connect that failed.
    pub connect_failures: u64,
    /// Connections that ended.
    pub disconnects: u64,
    /// Why the last attempt failed or the last connection ended.
    pub last_error: Option<String>,
    /// Counts over all connections.
    pub link: LinkStats,
}

impl Peer {
    /// A handle to the peer at an address such as `127.0.0.1:7400` or `name:port`. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names each field out of bounds.
    pub fn new(address: impl Into<String>, config: TransportConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let shared = Shared {
            address: address.into(),
            config,
            state: watch::Sender::new(State::First),
            link: Arc::default(),
            connects: Counter::default(),
            connect_failures: Counter::default(),
            disconnects: Counter::default(),
            last_error: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(Inner { shared: Arc::new(shared), keeper: OnceLock::new() }) })
    }

    /// The address of the peer.
    pub fn address(&self) -> &str {
        &self.inner.shared.address
    }

    /// Sends a request over the connection and waits for its reply.
    ///
    /// Waits for the very first connection, within the deadline; later it fails at once while there is none.
    /// Dropping the future withdraws the request.
    ///
    /// # Errors
    ///
    /// Any [`TransportError`].
    pub async fn request(&self, mut request: Request) -> Result<Response, TransportError> {
        let deadline = *request
            .deadline
            .get_or_insert_with(|| Instant::now() + self.inner.shared.config.request_timeout);
        let connection = self.connection(deadline).await?;
        connection.request(request).await
    }

    /// Sends a one-way message over the connection; success means that it waits to be written.
    ///
    /// # Errors
    ///
    /// Any [`TransportError`]; `Unreachable` also while the first connection is being made.
    pub fn push(&self, operation: Operation, body: impl Into<Bytes>) -> Result<(), TransportError> {
        self.start();
        let state = self.inner.shared.state.borrow().clone();
        self.inner.shared.usable(state)?.push(operation, body)
    }

    /// Waits until the first attempt to connect has ended, up to the limits of the configuration.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unreachable`] says why there is no connection.
    pub async fn connect(&self) -> Result<(), TransportError> {
        let config = &self.inner.shared.config;
        self.connection(Instant::now() + config.connect_timeout + config.handshake_timeout).await.map(drop)
    }

    /// Whether a connection stands that takes requests.
    pub fn is_connected(&self) -> bool {
        self.current().is_some_and(|connection| connection.is_open())
    }

    /// Whether it is connected and the peer showed signs of life since the last ping.
    pub fn is_healthy(&self) -> bool {
        self.current().is_some_and(|connection| connection.is_healthy())
    }

    /// Smoothed round trip of pings, while connected and once known.
    pub fn rtt(&self) -> Option<Duration> {
        self.current()?.rtt()
    }

    /// Why the last attempt to connect failed or the last connection ended.
    pub fn last_error(&self) -> Option<String> {
        self.inner.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the handle has seen.
    pub fn stats(&self) -> PeerStats {
        let shared = &self.inner.shared;
        let current = self.current();
        let open = current.as_ref().filter(|connection| connection.is_open());
        PeerStats {
            address: shared.address.clone(),
            node_id: open.map(|connection| connection.remote_id().clone()),
            connected: open.is_some(),
            healthy: open.is_some_and(|connection| connection.is_healthy()),
            rtt_micros: open
                .and_then(|connection| connection.rtt())
                .map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
            load: open.map_or(0, |connection| connection.load()),
            connects: shared.connects.get(),
            connect_failures: shared.connect_failures.get(),
            disconnects: shared.disconnects.get(),
            last_error: self.last_error(),
            link: shared.link.snapshot(),
        }
    }

    /// Closes in order: takes no more requests, waits for the replies of those in flight up to the drain limit.
    /// The handle and its clones stay closed.
    pub async fn close(&self) {
        let before = self.inner.shared.state.send_replace(State::Closed);
        if let State::Up(connection) = before {
            connection.close().await;
        }
    }

    fn current(&self) -> Option<Arc<Connection>> {
        match &*self.inner.shared.state.borrow() {
            State::Up(connection) => Some(Arc::clone(connection)),
            _ => None,
        }
    }

    fn start(&self) {
        let shared = &self.inner.shared;
        self.inner.keeper.get_or_init(|| AbortOnDrop(tokio::spawn(keep(Arc::clone(shared)))));
    }

    async fn connection(&self, deadline: Instant) -> Result<Arc<Connection>, TransportError> {
        self.start();
        let shared = &self.inner.shared;
        let now = shared.state.borrow().clone();
        if !matches!(now, State::First) {
            return shared.usable(now);
        }
        let mut watching = shared.state.subscribe();
        let settled = watching.wait_for(|state| !matches!(state, State::First));
        match timeout_at(deadline, settled).await {
            Ok(Ok(state)) => shared.usable(state.clone()),
            _ => shared.usable(State::First),
        }
    }
}

impl Shared {
    fn usable(&self, state: State) -> Result<Arc<Connection>, TransportError> {
        let unreachable = |reason, retry_after| {
            Err(TransportError::Unreachable { peer: self.address.clone(), reason, retry_after })
        };
        match state {
            State::Up(connection) => Ok(connection),
            State::First => unreachable("still connecting".to_owned(), None),
            State::Down { reason, retry_at } => {
                unreachable(reason, Some(retry_at.saturating_duration_since(Instant::now())))
            }
            State::Closed => Err(TransportError::Closed),
        }
    }

    /// Publishes a state unless the peer was closed; says whether it was published.
    fn enter(&self, next: State) -> bool {
        self.state.send_if_modified(|state| {
            if matches!(state, State::Closed) {
                return false;
            }
            *state = next;
            true
        })
    }
}

/// Connects, waits for the end of the connection, pauses, and connects again, until the peer is closed.
async fn keep(shared: Arc<Shared>) {
    let config = &shared.config;
    let mut schedule = Schedule::new(config.reconnect_initial, config.reconnect_max);
    let mut closed = shared.state.subscribe();
    loop {
        let attempt = Connection::connect_counted(&shared.address, config, Arc::clone(&shared.link));
        let attempt = tokio::select! {
            attempt = attempt => attempt,
            _ = closed.wait_for(|state| matches!(state, State::Closed)) => return,
        };
        let reason = match attempt {
            Ok(connection) => {
                shared.connects.add(1);
                let since = Instant::now();
                let connection = Arc::new(connection);
                if !shared.enter(State::Up(Arc::clone(&connection))) {
                    return;
                }
                let reason = connection.closed().await;
                shared.disconnects.add(1);
                if since.elapsed() >= config.reconnect_reset {
                    schedule.reset();
                }
                reason.to_string()
            }
            Err(error) => {
                shared.connect_failures.add(1);
                match error {
                    TransportError::Unreachable { reason, .. } => reason,
                    other => other.to_string(),
                }
            }
        };
        *shared.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
        let retry_at = Instant::now() + schedule.next(random());
        if !shared.enter(State::Down { reason, retry_at }) {
            return;
        }
        tokio::select! {
            () = sleep_until(retry_at) => {}
            _ = closed.wait_for(|state| matches!(state, State::Closed)) => return,
        }
    }
}
