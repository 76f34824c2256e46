//! The answering side: a listener, and a task for each connection.

use core::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use super::background::AbortOnDrop;
use super::config::TransportConfig;
use super::connection::Link;
use super::error::{CloseReason, StartError};
use super::message::{IncomingPush, IncomingRequest, Reply};
use super::stats::{Gauged, ServerCounters, ServerStats};

mod refusal;
mod session;
mod work;

/// What a server does with what it gets.
///
/// Any `async` closure or function from [`IncomingRequest`] to [`Reply`] is a handler.
/// A handler is dropped where it stands when the requester withdraws the request, when the deadline passes, or
/// when the connection ends.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request.
    fn handle(&self, request: IncomingRequest) -> impl Future<Output = Reply> + Send;

    /// Takes a one-way message; ignores it unless implemented.
    fn push(&self, message: IncomingPush) -> impl Future<Output = ()> + Send {
        drop(message);
        core::future::ready(())
    }

    /// How loaded this node is, from 0 (idle) to 255 (full).
    ///
    /// `None`, the default, reports how much of the connection's `max_inflight` is in use.
    fn load(&self) -> Option<u8> {
        None
    }
}

impl<F, Fut> Handler for F
where
    F: Fn(IncomingRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Reply> + Send,
{
    fn handle(&self, request: IncomingRequest) -> impl Future<Output = Reply> + Send {
        self(request)
    }
}

/// What a server is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It answers.
    Running,
    /// It finishes what it has and takes nothing new.
    Draining,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Requests that were still being executed when the limit was reached; they were cut off.
    pub aborted: u64,
}

impl Drained {
    /// Whether every request was answered.
    pub const fn is_complete(self) -> bool {
        self.aborted == 0
    }
}

/// A listening node. Dropping it ends it and its connections at once; [`drain`](Self::drain) does so in order.
///
/// Whatever one connection does ends that connection at most, and is counted by its reason in
/// [`stats`](Self::stats).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use seawall::dwcp::{IncomingRequest, Reply, Server, TransportConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let echo = async |request: IncomingRequest| Reply::ok(request.body);
/// let server = Server::bind("127.0.0.1:0", TransportConfig::default(), echo).await?;
/// println!("listening on {}", server.local_addr());
/// assert!(server.drain(Duration::from_secs(1)).await.is_complete());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    counters: Arc<ServerCounters>,
    phase: watch::Sender<Phase>,
    /// The listener and its connections; gone once the server is drained.
    accepting: Mutex<Option<AbortOnDrop<()>>>,
}

/// What every connection of a server shares.
#[derive(Debug)]
struct Context<H> {
    handler: H,
    config: TransportConfig,
    counters: Arc<ServerCounters>,
    phase: watch::Receiver<Phase>,
}

impl Server {
    /// Listens on an address such as `127.0.0.1:7400`; port 0 picks a free one.
    ///
    /// # Errors
    ///
    /// [`StartError::Bind`] names the address; [`StartError::Config`] names each field out of bounds.
    pub async fn bind<H: Handler>(
        address: &str,
        config: TransportConfig,
        handler: H,
    ) -> Result<Self, StartError> {
        config.validate()?;
        let refused = |source| StartError::Bind { address: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        let counters = Arc::<ServerCounters>::default();
        let (phase, watching) = watch::channel(Phase::Running);
        let context = Arc::new(Context { handler, config, counters: Arc::clone(&counters), phase: watching });
        let accepting = AbortOnDrop(tokio::spawn(accept(listener, context)));
        Ok(Self { local_addr, counters, phase, accepting: Mutex::new(Some(accepting)) })
    }

    /// The address it listens on, with the port that was picked.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What it has counted.
    pub fn stats(&self) -> ServerStats {
        self.counters.snapshot()
    }

    /// Shuts down in order: stops listening, tells every peer, answers what is being executed up to `limit`,
    /// closes.
    ///
    /// Requests that come meanwhile are answered with [`Rejection::Draining`](super::Rejection::Draining).
    /// A second call returns at once. Dropping the future ends the server at once.
    pub async fn drain(&self, limit: Duration) -> Drained {
        let accepting = self.accepting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut accepting) = accepting else { return Drained { aborted: 0 } };
        self.phase.send_replace(Phase::Draining);
        if timeout(limit, &mut accepting.0).await.is_ok() {
            return Drained { aborted: 0 };
        }
        let aborted = self.counters.inflight.get();
        accepting.0.abort();
        // It ends by being aborted, which is what was asked.
        let _ = (&mut accepting.0).await;
        Drained { aborted }
    }
}

/// Pause after the operating system failed to accept, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

async fn accept<H: Handler>(listener: TcpListener, context: Arc<Context<H>>) {
    let mut connections = JoinSet::new();
    let mut refusals = JoinSet::new();
    let mut phase = context.phase.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                context.counters.accepted.add(1);
                if connections.len() < context.config.max_connections as usize {
                    connections.spawn(attend(stream, Arc::clone(&context)));
                } else {
                    context.counters.refused.add(1);
                    if refusals.len() < refusal::AT_ONCE {
                        refusals.spawn(refusal::refuse(stream));
                    }
                }
            } else {
                context.counters.accept_errors.add(1);
                sleep(ACCEPT_PAUSE).await;
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            Some(_) = refusals.join_next(), if !refusals.is_empty() => {}
            () = until_draining(&mut phase) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Waits until the server drains; for ever if it is dropped, because then this very task is about to be ended.
async fn until_draining(phase: &mut watch::Receiver<Phase>) {
    let dropped = phase.wait_for(|phase| *phase == Phase::Draining).await.is_err();
    if dropped {
        core::future::pending::<()>().await;
    }
}

async fn attend<H: Handler>(stream: TcpStream, context: Arc<Context<H>>) {
    let _connections = Gauged::new(&context.counters.connections);
    let reason = match stream.set_nodelay(true) {
        Ok(()) => {
            let (reader, writer) = stream.into_split();
            session::run(reader, writer, &context).await
        }
        Err(error) => CloseReason::from(error),
    };
    context.counters.closed(reason);
}

/// Answers the requests of one link that stands already, until it ends; says why it ended.
///
/// For links that no [`Server`] listens for: a TLS stream, a pipe in memory.
///
/// # Errors
///
/// [`StartError::Config`] names each field out of bounds.
pub async fn serve_link<H: Handler>(
    link: impl Link,
    config: TransportConfig,
    handler: H,
) -> Result<(CloseReason, ServerStats), StartError> {
    config.validate()?;
    let counters = Arc::<ServerCounters>::default();
    let (_running, phase) = watch::channel(Phase::Running);
    let context = Arc::new(Context { handler, config, counters: Arc::clone(&counters), phase });
    let (reader, writer) = tokio::io::split(link);
    let reason = session::run(reader, writer, &context).await;
    counters.closed(reason);
    Ok((reason, counters.snapshot()))
}
