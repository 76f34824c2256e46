//! The requesting side of one connection: many requests at once, each matched to its reply by number.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, timeout, timeout_at};

use super::background::AbortOnDrop;
use super::config::TransportConfig;
use super::error::{CloseReason, TransportError};
use super::message::{Request, Response, to_wire_millis_down};
use super::outbox::{Outbox, Writer};
use super::stats::{LinkCounters, LinkStats};
use super::wire::{GoAwayReason, Header, Hello, NodeId, Operation};

mod driver;
mod handshake;
mod pending;

use pending::{InFlight, Pending};

/// Anything that carries bytes both ways: a TCP stream, a TLS stream, a pipe in memory.
pub trait Link: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Link for T {}

/// One connection to a peer, shared by any number of requests at once.
///
/// It does not reconnect, retry or protect: [`Peer`](super::Peer) reconnects, guards do the rest.
/// Dropping it closes the connection at once; [`close`](Self::close) does so in order.
///
/// # Examples
///
/// ```
/// use seawall::dwcp::{Connection, IncomingRequest, Operation, Reply, Request, Server, Status, TransportConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = TransportConfig::default();
/// let server = Server::bind("127.0.0.1:0", config.clone(), async |request: IncomingRequest| {
///     Reply::ok(request.body)
/// })
/// .await?;
///
/// let connection = Connection::connect(&server.local_addr().to_string(), &config).await?;
/// let response = connection.request(Request::new(Operation::Send, "hello")).await?;
/// assert_eq!(response.status, Status::Ok);
/// assert_eq!(&response.body[..], b"hello");
/// connection.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    remote: Hello,
    request_timeout: Duration,
    drain_limit: Duration,
    closed: watch::Receiver<Option<CloseReason>>,
    driver: AbortOnDrop<()>,
}

/// What requests, the reader and the writer share.
#[derive(Debug)]
struct Shared {
    pending: Pending,
    outbox: Arc<Outbox>,
    counters: Arc<LinkCounters>,
    /// Smoothed round trip in microseconds; 0 while unknown.
    rtt_micros: AtomicU32,
    /// What the peer last said of its load.
    load: AtomicU32,
    /// Pings without a sign of life.
    missed: AtomicU32,
}

impl Connection {
    /// Opens a TCP connection and greets the peer.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unreachable`] with the address and the cause, whichever step failed.
    pub async fn connect(address: &str, config: &TransportConfig) -> Result<Self, TransportError> {
        Self::connect_counted(address, config, Arc::default()).await
    }

    pub(crate) async fn connect_counted(
        address: &str,
        config: &TransportConfig,
        counters: Arc<LinkCounters>,
    ) -> Result<Self, TransportError> {
        let unreachable = |reason: String| TransportError::Unreachable {
            peer: address.to_owned(),
            reason,
            retry_after: None,
        };
        config.validate().map_err(|error| unreachable(format!("transport configuration: {error}")))?;
        let stream = match timeout(config.connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Err(_) => return Err(unreachable(format!("no connection within {:?}", config.connect_timeout))),
        };
        stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
        let (reader, writer) = stream.into_split();
        Self::start(reader, writer, config, counters).await.map_err(|reason| unreachable(reason.to_string()))
    }

    /// Greets the peer over a link that stands already.
    ///
    /// # Errors
    ///
    /// Why the handshake failed.
    pub async fn over<L: Link>(link: L, config: &TransportConfig) -> Result<Self, CloseReason> {
        let (reader, writer) = tokio::io::split(link);
        Self::start(reader, writer, config, Arc::default()).await
    }

    async fn start<R, W>(
        reader: R,
        mut writer: W,
        config: &TransportConfig,
        counters: Arc<LinkCounters>,
    ) -> Result<Self, CloseReason>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (reader, remote) = handshake::greet(reader, &mut writer, config, &counters).await?;
        let outbox = Arc::new(Outbox::new(config.writer_queue, remote.max_frame));
        let shared = Arc::new(Shared {
            pending: Pending::new(config.max_inflight.min(remote.max_inflight)),
            outbox: Arc::clone(&outbox),
            counters: Arc::clone(&counters),
            rtt_micros: AtomicU32::new(0),
            load: AtomicU32::new(0),
            missed: AtomicU32::new(0),
        });
        let (tell_closed, closed) = watch::channel(None);
        let writer = Writer::spawn(writer, outbox, config.write_timeout, counters);
        let ending = driver::Ending::new(Arc::clone(&shared), tell_closed);
        let driver = tokio::spawn(driver::run(reader, writer, ending, config.clone()));
        Ok(Self {
            shared,
            remote,
            request_timeout: config.request_timeout,
            drain_limit: config.drain_limit,
            closed,
            driver: AbortOnDrop(driver),
        })
    }

    /// Sends a request and waits for its reply.
    ///
    /// Dropping the future withdraws the request: the peer is told, and a reply that comes nevertheless is
    /// dropped and counted. Numbers are never used again, so it cannot be taken for another request's.
    ///
    /// # Errors
    ///
    /// Any [`TransportError`] but `Unreachable`. A reply with a bad status is not an error here.
    pub async fn request(&self, request: Request) -> Result<Response, TransportError> {
        let now = Instant::now();
        let deadline = request.deadline.unwrap_or_else(|| now + self.request_timeout);
        let deadline_ms = to_wire_millis_down(deadline.saturating_duration_since(now));
        if deadline_ms == 0 {
            self.shared.counters.timed_out.add(1);
            return Err(TransportError::TimedOut { maybe_executed: false });
        }
        let (in_flight, reply) = InFlight::begin(&self.shared, &request, deadline_ms)?;
        match timeout_at(deadline, reply).await {
            Ok(Ok(result)) => {
                in_flight.settled();
                result
            }
            // The sender is dropped without an answer only when the runtime goes down around it.
            Ok(Err(_)) => {
                Err(TransportError::ConnectionLost { maybe_executed: true, reason: CloseReason::Local })
            }
            Err(_) => in_flight.expired(),
        }
    }

    /// Sends a one-way message; success means that it waits to be written.
    ///
    /// # Errors
    ///
    /// [`TransportError::Overloaded`], [`TransportError::TooLarge`], or why the connection takes nothing.
    pub fn push(&self, operation: Operation, body: impl Into<Bytes>) -> Result<(), TransportError> {
        pending::push(&self.shared, operation, &body.into())
    }

    /// Who the peer says it is.
    pub fn remote_id(&self) -> &NodeId {
        &self.remote.node_id
    }

    /// Whether requests are accepted: it stands, and neither side is closing it.
    pub fn is_open(&self) -> bool {
        self.shared.pending.is_open()
    }

    /// Whether it is open and the peer showed signs of life since the last ping.
    pub fn is_healthy(&self) -> bool {
        // ORDERING: none is needed: the number stands for itself.
        self.is_open() && self.shared.missed.load(Ordering::Relaxed) == 0
    }

    /// Smoothed round trip of pings, once known.
    pub fn rtt(&self) -> Option<Duration> {
        // ORDERING: none is needed: the number stands for itself.
        match self.shared.rtt_micros.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(u64::from(micros))),
        }
    }

    /// How loaded the peer last said it is, from 0 (idle) to 255 (full).
    pub fn load(&self) -> u8 {
        // ORDERING: none is needed: the number stands for itself.
        self.shared.load.load(Ordering::Relaxed) as u8
    }

    /// What this side has counted.
    pub fn stats(&self) -> LinkStats {
        self.shared.counters.snapshot()
    }

    /// Waits until the connection has ended, and says why.
    pub async fn closed(&self) -> CloseReason {
        let mut closed = self.closed.clone();
        match closed.wait_for(Option::is_some).await {
            Ok(reason) => reason.unwrap_or(CloseReason::Local),
            Err(_) => CloseReason::Local,
        }
    }

    /// Closes in order: takes no more requests, waits for the replies of those in flight up to the drain limit,
    /// says goodbye and ends the connection.
    pub async fn close(&self) {
        self.shared.pending.refuse();
        // Whether or not all replies came in time, the connection ends now.
        let _ = timeout(self.drain_limit, self.shared.pending.emptied()).await;
        let goodbye = Header::GoAway { reason: GoAwayReason::Shutdown, last_id: 0 };
        // An outbox that is closed already needs no goodbye.
        let _ = self.shared.outbox.push_control(&goodbye);
        self.shared.outbox.close();
        if timeout(self.drain_limit, self.closed()).await.is_err() {
            self.driver.0.abort();
        }
    }
}
