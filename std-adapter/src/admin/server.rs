//! The page's own listener.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a shutdown waits for answers that somebody is still reading.
const PATIENCE: Duration = Duration::from_secs(1);

/// The page could not be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum AdminError {
    /// The address is in use, or not ours to listen on.
    Bind {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { addr, source } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "cannot serve the admin page at {addr}: the address is in use")
            }
            Self::Bind { addr, source } => write!(f, "cannot serve the admin page at {addr}: {source}"),
        }
    }
}

impl std::error::Error for AdminError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } => Some(source),
        }
    }
}

/// A page that is served. Dropping it stops it, without waiting.
#[derive(Debug)]
#[must_use = "dropping it stops the server"]
pub struct AdminServer {
    local_addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl AdminServer {
    pub(super) async fn start(router: Router, addr: SocketAddr) -> Result<Self, AdminError> {
        let bind = |source| AdminError::Bind { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(bind)?;
        let local_addr = listener.local_addr().map_err(bind)?;
        let (stop, stopped) = oneshot::channel();
        let until = async {
            // Either a message or a sender that was dropped.
            let _ = stopped.await;
        };
        let serving = axum::serve(listener, router).with_graceful_shutdown(until);
        let task = tokio::spawn(async { serving.await });
        Ok(Self { local_addr, stop, task })
    }

    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops listening, and waits for up to a second for the answers that are under way.
    pub async fn shutdown(self) {
        let Self { stop, task, .. } = self;
        drop(stop);
        let abort = task.abort_handle();
        if tokio::time::timeout(PATIENCE, task).await.is_err() {
            abort.abort();
        }
    }
}
