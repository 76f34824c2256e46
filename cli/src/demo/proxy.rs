//! The fault proxy: a TCP relay between the client node and the server node that does to the link what the schedule
//! says.
//!
//! It knows one thing about the protocol, the length in front of each frame, so that a lost reply is a whole frame that
//! never comes and not a stream that makes no sense. A reset is a real one: both sides see `ECONNRESET`.

mod relay;

use crate::demo::timeline::{Phase, Schedule};
use serde::{Deserialize, Serialize};
use socket2::SockRef;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// The proxy; it accepts connections until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    addr: SocketAddr,
    link: Arc<Link>,
    // Dropping the set ends the proxy and every connection through it.
    _acceptor: JoinSet<()>,
}

/// What the proxy did to the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LinkCounts {
    /// Connections that were accepted and reached the server.
    pub(crate) connections: u64,
    /// Connections that were refused because the server did not listen.
    pub(crate) unreachable: u64,
    /// Connections that the schedule reset.
    pub(crate) resets: u64,
    /// Frames that the client sent.
    pub(crate) frames_to_server: u64,
    /// Frames that the server sent.
    pub(crate) frames_to_client: u64,
    /// Frames that were delivered late.
    pub(crate) frames_delayed: u64,
    /// Frames of the server that were dropped.
    pub(crate) replies_lost: u64,
}

/// State that all connections share.
#[derive(Debug)]
struct Link {
    server: SocketAddr,
    schedule: Schedule,
    slow: AtomicBool,
    lossy: AtomicBool,
    open: Mutex<BTreeMap<u64, Arc<Notify>>>,
    delayed: AtomicU64,
    candidates: AtomicU64,
    lost: AtomicU64,
    connections: AtomicU64,
    unreachable: AtomicU64,
    resets: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
}

/// Direction in which a frame travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// What happens to one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Treatment {
    Deliver { after: Duration },
    Lose,
}

impl Proxy {
    /// Listens on a free port of the loopback interface and relays to `server`.
    pub(crate) async fn start(server: SocketAddr, schedule: Schedule) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let link = Arc::new(Link::new(server, schedule));
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(listener, Arc::clone(&link)));
        Ok(Self { addr, link, _acceptor: acceptor })
    }

    /// Where the client finds the proxy.
    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Makes the link behave as this part of the story asks.
    pub(crate) fn enter(&self, phase: Phase) {
        // ORDERING: each flag stands for itself; a frame that passes at the same moment may be treated either way.
        self.link.slow.store(phase == Phase::Slow, Ordering::Relaxed);
        self.link.lossy.store(phase == Phase::HalfDead, Ordering::Relaxed);
    }

    /// Resets one open connection, if there is any.
    pub(crate) fn reset(&self, pick: u16) {
        let open = self.link.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_empty() {
            return;
        }
        if let Some(connection) = open.values().nth(usize::from(pick) % open.len()) {
            connection.notify_one();
        }
    }

    /// What the proxy did so far.
    pub(crate) fn counts(&self) -> LinkCounts {
        // ORDERING: independent counts, for show.
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LinkCounts {
            connections: load(&self.link.connections),
            unreachable: load(&self.link.unreachable),
            resets: load(&self.link.resets),
            frames_to_server: load(&self.link.to_server),
            frames_to_client: load(&self.link.to_client),
            frames_delayed: load(&self.link.delayed),
            replies_lost: load(&self.link.lost),
        }
    }
}

impl Link {
    fn new(server: SocketAddr, schedule: Schedule) -> Self {
        Self {
            server,
            schedule,
            slow: AtomicBool::new(false),
            lossy: AtomicBool::new(false),
            open: Mutex::default(),
            delayed: AtomicU64::new(0),
            candidates: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            unreachable: AtomicU64::new(0),
            resets: AtomicU64::new(0),
            to_server: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
        }
    }

    /// Decides about one frame; `nth` counts the frames of this direction of this connection.
    fn treat(&self, direction: Direction, nth: u64) -> Treatment {
        // ORDERING: each counter hands out numbers, nothing else hangs on it.
        match direction {
            Direction::ToServer => self.to_server.fetch_add(1, Ordering::Relaxed),
            Direction::ToClient => self.to_client.fetch_add(1, Ordering::Relaxed),
        };
        // The first frame of a connection is the handshake, which is no reply to any message.
        if self.lossy.load(Ordering::Relaxed) && direction == Direction::ToClient && nth > 0 {
            let candidate = self.candidates.fetch_add(1, Ordering::Relaxed);
            if self.schedule.is_lost(candidate) {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return Treatment::Lose;
            }
        }
        let after = if self.slow.load(Ordering::Relaxed) {
            self.schedule.added_latency(self.delayed.fetch_add(1, Ordering::Relaxed))
        } else {
            Duration::ZERO
        };
        Treatment::Deliver { after }
    }
}

async fn accept(listener: TcpListener, link: Arc<Link>) {
    let mut connections = JoinSet::new();
    for id in 0.. {
        // An error here concerns one connection that is gone already, or a lack of descriptors that may pass.
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        connections.spawn(connection(client, id, Arc::clone(&link)));
        while connections.try_join_next().is_some() {}
    }
}

/// Relays one connection until a side closes it or the schedule resets it.
async fn connection(mut client: TcpStream, id: u64, link: Arc<Link>) {
    let Ok(mut server) = TcpStream::connect(link.server).await else {
        link.unreachable.fetch_add(1, Ordering::Relaxed);
        abort(client);
        return;
    };
    link.connections.fetch_add(1, Ordering::Relaxed);
    // Small frames go out at once; a socket that refuses the option is merely slower.
    _ = client.set_nodelay(true);
    _ = server.set_nodelay(true);

    let reset = Arc::new(Notify::new());
    let entry = Entry::new(&link, id, Arc::clone(&reset));
    let torn = tokio::select! {
        () = reset.notified() => {
            link.resets.fetch_add(1, Ordering::Relaxed);
            true
        }
        ended = relay::both_ways(&mut client, &mut server, &link) => ended.is_err(),
    };
    drop(entry);
    if torn {
        abort(client);
        abort(server);
    }
}

/// A connection's place in the list of open ones; dropping it takes the connection off the list.
struct Entry<'a> {
    link: &'a Link,
    id: u64,
}

impl<'a> Entry<'a> {
    fn new(link: &'a Link, id: u64, reset: Arc<Notify>) -> Self {
        link.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, reset);
        Self { link, id }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.link.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Closes a connection with a reset instead of a farewell.
fn abort(stream: TcpStream) {
    // Without the option the close is a clean one, which the peer takes for a lost connection too.
    _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}

#[cfg(test)]
mod tests;
