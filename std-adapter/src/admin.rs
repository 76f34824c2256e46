//! The page for operators: metrics, liveness, readiness and statistics over HTTP. It changes nothing.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | Prometheus text, or `OpenMetrics` if the request accepts it |
//! | `/livez`, `/healthz` | 200 as long as the process answers |
//! | `/readyz` | 200, or 503 with the reasons, one a line |
//! | `/stats`, `/debug/resilience` | [`Stats`](crate::stats::Stats) as JSON, with `ready` and `draining` |
//!
//! `/healthz` means what `/livez` means: whoever restarts a process that is not healthy must not do so because something
//! that it depends on is down.
//!
//! # Readiness
//!
//! A node is not ready when it is draining, or when the breaker of a guard that it [requires](Admin::require) rejects calls.
//! A breaker whose open time is over is ready: it needs a call to find out whether it can close, and a node that gets no
//! calls would stay out for ever.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use seawall::admin::Admin;
//! use seawall::{Policy, Registry};
//!
//! let registry = Registry::new();
//! registry.register("send", Policy::new())?;
//! let admin = Admin::new(move || registry.guards()).require(["send"]);
//! let draining = admin.drain();
//! let server = admin.serve("127.0.0.1:0".parse()?).await?;
//! println!("http://{}/metrics", server.local_addr());
//!
//! draining.begin();
//! server.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! # Security
//!
//! There is no authentication: the names of the guards and their numbers are told to everybody who can connect.
//! Listen on loopback, or behind something that knows who asks; [`Admin::router`] nests in a server of your own.

mod handlers;
mod server;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use seawall_core::circuit_breaker::State;
use seawall_core::{Clock, circuit_breaker};

use crate::clock::SystemClock;
use crate::guard::Guard;
use crate::metrics::{GuardCollector, Metrics, Source};
pub use server::{AdminError, AdminServer};

/// Where the page is by custom: port 9464 of loopback.
pub const DEFAULT_ADDR: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9464));

/// What the page shows. The [module](self) has an example.
pub struct Admin<C = SystemClock> {
    guards: Source<C>,
    required: BTreeSet<String>,
    draining: Draining,
    metrics: Metrics,
}

/// Says that a node takes no more work, so that `/readyz` sends callers elsewhere before the node closes.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on the node is not ready. There is no way back.
    pub fn begin(&self) {
        // ORDERING: the flag leads to no other data.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        // ORDERING: as in `begin`.
        self.0.load(Ordering::Relaxed)
    }
}

impl<C: Clock + Send + Sync + 'static> Admin<C> {
    /// A page on the guards that `guards` lists, which is asked at each request.
    pub fn new<I>(guards: impl Fn() -> I + Send + Sync + 'static) -> Self
    where
        I: IntoIterator<Item = Guard<C>>,
    {
        let guards: Source<C> = Arc::new(move || guards().into_iter().collect());
        let metrics = Metrics::new(GuardCollector::from_source(Arc::clone(&guards)));
        Self { guards, required: BTreeSet::new(), draining: Draining::default(), metrics }
    }

    /// The node is not ready while the breaker of one of these guards rejects calls, or while there is no such guard.
    #[must_use = "the page is returned"]
    pub fn require(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.required.extend(names.into_iter().map(Into::into));
        self
    }

    /// Shows these metrics instead of those of the guards in the usual namespace.
    #[must_use = "the page is returned"]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// The switch for draining.
    pub fn drain(&self) -> Draining {
        self.draining.clone()
    }

    /// The routes, to serve or to nest.
    pub fn router(self) -> Router {
        handlers::router(Arc::new(self))
    }

    /// Serves the page at `addr` until the server is dropped or shut down. Port 0 takes any that is free.
    ///
    /// # Errors
    ///
    /// [`AdminError::Bind`], which names the address.
    ///
    /// # Panics
    ///
    /// If there is no tokio runtime with I/O enabled.
    pub async fn serve(self, addr: SocketAddr) -> Result<AdminServer, AdminError> {
        AdminServer::start(self.router(), addr).await
    }

    /// Why the node is not ready; empty if it is.
    pub fn obstacles(&self) -> Vec<String> {
        let mut obstacles = Vec::new();
        if self.draining.has_begun() {
            obstacles.push("draining".to_owned());
        }
        if self.required.is_empty() {
            return obstacles;
        }
        let guards = (self.guards)();
        for name in &self.required {
            let mut namesakes = guards.iter().filter(|guard| guard.name() == name).peekable();
            if namesakes.peek().is_none() {
                obstacles.push(format!("there is no guard `{name}`"));
            }
            obstacles.extend(namesakes.filter_map(obstacle));
        }
        obstacles
    }
}

/// Why the guard lets no call pass, if that is so.
fn obstacle<C: Clock>(guard: &Guard<C>) -> Option<String> {
    let name = guard.name();
    match guard.decisions().breaker()?.check(guard.now()) {
        Err(circuit_breaker::Rejected { state: State::Open, retry_after, .. }) => Some(match retry_after {
            Some(rest) => {
                format!("the circuit breaker of `{name}` is open for {:.3} s more", rest.as_secs_f64())
            }
            None => format!("the circuit breaker of `{name}` is open until it is reset"),
        }),
        _ => None,
    }
}

impl<C> fmt::Debug for Admin<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("required", &self.required)
            .field("draining", &self.draining)
            .field("metrics", &self.metrics)
            .finish_non_exhaustive()
    }
}
