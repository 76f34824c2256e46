//! A whole node: it answers its peers and asks them, and can be started and stopped.
//!
//! The guards belong to the manager: they live through stops and starts with all that they have counted and learned.
//!
//! # Examples
//!
//! ```
//! use seawall::dwcp::{IncomingRequest, Manager, ManagerConfig, Operation, Reply};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let echo = async |request: IncomingRequest| Reply::ok(request.body);
//! let server = Manager::new(ManagerConfig::new(Some("127.0.0.1:0"), vec![]), echo)?;
//! server.start().await?;
//! let address = server.local_addr().unwrap().to_string();
//!
//! let node = Manager::new(ManagerConfig::new(None, vec![address]), echo)?;
//! node.start().await?;
//! let client = node.client().unwrap();
//! assert_eq!(&client.sync("state").await?[..], b"state");
//! assert!(node.is_healthy());
//! assert_eq!(server.stats().inbound.guard("inbound-sync").unwrap().calls.successes, 1);
//!
//! node.stop().await;
//! server.stop().await;
//! # Ok(())
//! # }
//! ```

mod inbound;
mod stats;

use core::fmt;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use seawall_core::degradation::Level;
use seawall_core::error_budget;

use super::background::AbortOnDrop;
use super::client::{BuildError, Client, ClientConfig, Operations};
use super::error::StartError;
use super::server::{Drained, Handler, Server};
use super::wire::Operation;
use crate::config::Policies;
use crate::registry::Registry;
use inbound::Inbound;
pub use stats::ManagerStats;

/// How often time is let work on the error budgets of operations that are not called.
const REFRESH: Duration = Duration::from_secs(1);

/// What a [`Manager`] is made from.
#[derive(Clone, Debug)]
pub struct ManagerConfig {
    /// The address to answer at; port 0 picks a free one. `None`: the node only asks.
    pub listen: Option<String>,
    /// The peers, the policies of requests to them, and the limits of connections in both directions.
    pub client: ClientConfig,
    /// What protects this node from its peers: the rate limits and the bulkheads of these policies, see
    /// [`Policies::inbound`]. A request that one of them refuses is answered `Rejected`. `None`: no such protection.
    pub inbound: Option<Policies>,
}

impl ManagerConfig {
    /// The seeds' presets, inbound with the same limits as outbound.
    pub fn new(listen: Option<&str>, peers: Vec<String>) -> Self {
        let client = ClientConfig::new(peers);
        Self { listen: listen.map(str::to_owned), inbound: Some(client.policies), client }
    }
}

/// A node. The [module](self) has an example.
pub struct Manager<H> {
    config: ManagerConfig,
    registry: Registry,
    outbound: Arc<Operations>,
    inbound: Inbound<H>,
    /// Only one start or stop goes on at a time.
    lifecycle: tokio::sync::Mutex<()>,
    running: RwLock<Option<Arc<Running>>>,
}

#[derive(Debug)]
struct Running {
    server: Option<Server>,
    client: Client,
    /// Ends with the node.
    _refresher: AbortOnDrop<()>,
}

impl<H: Handler> Manager<H> {
    /// A node that is not started yet; `handler` answers its peers.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names each value out of bounds.
    pub fn new(config: ManagerConfig, handler: H) -> Result<Self, BuildError> {
        config.client.transport.validate()?;
        let registry = Registry::new();
        let outbound = Operations::register(&config.client.policies, "", &registry)?;
        let guards = match &config.inbound {
            Some(policies) => Some(Operations::register(&policies.inbound(), "inbound-", &registry)?),
            None => None,
        };
        let manager = Self {
            inbound: Inbound::new(handler, guards),
            outbound: Arc::new(outbound),
            registry,
            lifecycle: tokio::sync::Mutex::new(()),
            running: RwLock::new(None),
            config,
        };
        // The peers are checked here, so that a start fails for reasons of the moment only.
        manager.new_client()?;
        Ok(manager)
    }

    /// Listens, and begins to connect to the peers.
    ///
    /// # Errors
    ///
    /// [`ManagerError::AlreadyRunning`], or [`ManagerError::Start`] with the address that cannot be listened on.
    pub async fn start(&self) -> Result<(), ManagerError> {
        let _one_at_a_time = self.lifecycle.lock().await;
        if self.is_running() {
            return Err(ManagerError::AlreadyRunning);
        }
        let client = self.new_client().map_err(ManagerError::Build)?;
        let server = match &self.config.listen {
            None => None,
            Some(address) => {
                let transport = self.config.client.transport.clone();
                let server = Server::bind(address, transport, self.inbound.clone()).await;
                Some(server.map_err(ManagerError::Start)?)
            }
        };
        client.start();
        let running = Running { server, client, _refresher: refresher(self.registry.clone()) };
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(running));
        Ok(())
    }

    /// Shuts down in order: takes nothing new in either direction, and waits for what is under way up to the transport's
    /// `drain_limit`. A node that is not running is left as it is; one that was stopped can be started again.
    pub async fn stop(&self) -> Drained {
        let _one_at_a_time = self.lifecycle.lock().await;
        let running = self.running.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(running) = running else { return Drained { aborted: 0 } };
        let drain = async {
            match &running.server {
                Some(server) => server.drain(self.config.client.transport.drain_limit).await,
                None => Drained { aborted: 0 },
            }
        };
        let (drained, ()) = tokio::join!(drain, running.client.shutdown());
        drained
    }

    /// Whether it was started, and not stopped since.
    pub fn is_running(&self) -> bool {
        self.current().is_some()
    }

    /// Whether it is running and, if it has peers, one of them is connected and no breaker is open.
    pub fn is_healthy(&self) -> bool {
        self.current().is_some_and(|running| running.client.is_alone() || running.client.is_healthy())
    }

    /// The requesting side, while it is running.
    pub fn client(&self) -> Option<Client> {
        Some(self.current()?.client.clone())
    }

    /// The address it answers at, with the port that was picked, while it is running.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        Some(self.current()?.server.as_ref()?.local_addr())
    }

    /// The guards: `send`, `receive`, `sync`, `consensus`, and `inbound-send` and so on.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How far the node is degraded: the worst of its operations.
    pub fn degradation_level(&self) -> Level {
        self.registry.level()
    }

    /// The account of an operation's error budget at this moment; `None` if its policy has none.
    pub fn check_error_budget(&self, operation: Operation) -> Option<error_budget::Snapshot> {
        let guard = &self.outbound.get(operation).guard;
        guard.decisions().error_budget().map(|budget| budget.snapshot(guard.now()))
    }

    /// Arms chaos on the guards of requests to peers, of those operations whose policy has faults for it, and says which these
    /// are; whether it is running or not.
    ///
    /// Nothing strikes before this. The guards of requests from peers are not armed: what a policy says of an operation is for
    /// those who ask, and one link would fail at both ends. [`Guard::arm_chaos`](crate::Guard::arm_chaos) arms one of them.
    #[cfg(feature = "chaos")]
    pub fn arm_chaos(&self) -> Vec<Operation> {
        self.outbound.arm_chaos()
    }

    /// Disarms chaos on the guards of requests to peers, and says on which it was armed.
    #[cfg(feature = "chaos")]
    pub fn disarm_chaos(&self) -> Vec<Operation> {
        self.outbound.disarm_chaos()
    }

    /// What was counted, and how everything is at this moment.
    pub fn stats(&self) -> ManagerStats {
        ManagerStats::of(self)
    }

    fn new_client(&self) -> Result<Client, BuildError> {
        let ClientConfig { peers, transport, .. } = &self.config.client;
        Client::over(peers.clone(), transport, self.registry.clone(), Arc::clone(&self.outbound))
    }
}

impl<H> Manager<H> {
    fn current(&self) -> Option<Arc<Running>> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Lets time work on the error budgets until it is dropped.
fn refresher(registry: Registry) -> AbortOnDrop<()> {
    AbortOnDrop(tokio::spawn(async move {
        let mut ticks = tokio::time::interval(REFRESH);
        loop {
            ticks.tick().await;
            registry.refresh();
        }
    }))
}

impl<H> fmt::Debug for Manager<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("config", &self.config)
            .field("running", &self.current())
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

/// Why a node did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum ManagerError {
    /// It is running.
    AlreadyRunning,
    /// It cannot listen.
    Start(StartError),
    /// Its configuration is out of bounds.
    Build(BuildError),
}

impl fmt::Display for ManagerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRunning => f.pad("the node is running already"),
            Self::Start(error) => error.fmt(f),
            Self::Build(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ManagerError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::AlreadyRunning => None,
            Self::Start(error) => error.source(),
            Self::Build(error) => error.source(),
        }
    }
}
