//! One pass: two node processes, the proxy between them, and the schedule carried out.

use crate::demo::proxy::Proxy;
use crate::demo::record::Record;
use crate::demo::supervisor::{Node, NodeError, Role};
use crate::demo::timeline::{Action, Event, Schedule};
use crate::report::Line;
use crate::signals::interrupted;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(100);
/// How long the client may take, after its last message, until all of them have met their fate.
const DRAIN: Duration = Duration::from_secs(60);
/// Lines of the nodes that may wait to be read.
const LINES: usize = 1024;

/// What a pass needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The program that is the node: this one.
    pub(crate) program: PathBuf,
    pub(crate) protected: bool,
    pub(crate) rate: u32,
    pub(crate) schedule: Schedule,
    /// The policy file, or the word for the one that is built in.
    pub(crate) policy: PathBuf,
    /// Whether its faults strike.
    pub(crate) arm_chaos: bool,
    pub(crate) admin: SocketAddr,
}

/// Somebody who watches a pass.
pub(crate) trait Audience {
    /// Shows how the pass stands. Breaks the pass off if the watcher wants to leave.
    fn watch(&mut self, record: &Record, now_ms: u64) -> io::Result<Attention>;
}

/// Whether the watcher stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attention {
    Stay,
    Leave,
}

/// Why a pass did not reach its end.
#[derive(Debug)]
pub(crate) enum PassError {
    /// Somebody pressed q or Ctrl-C, or sent a signal.
    Interrupted,
    /// The path of this program is not known.
    Program(io::Error),
    Node(NodeError),
    Proxy(io::Error),
    Screen(io::Error),
    /// The client did not come to an end.
    Unfinished,
}

impl fmt::Display for PassError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.pad("stopped before the end"),
            Self::Program(error) => write!(f, "the path of this program: {error}"),
            Self::Node(error) => error.fmt(f),
            Self::Proxy(error) => write!(f, "the fault proxy: {error}"),
            Self::Screen(error) => write!(f, "the terminal: {error}"),
            Self::Unfinished => {
                write!(
                    f,
                    "the client node still had calls in flight {} s after its last one",
                    DRAIN.as_secs()
                )
            }
        }
    }
}

impl std::error::Error for PassError {}

impl From<NodeError> for PassError {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}

/// The processes and the proxy of a running pass.
struct Stage {
    plan: Plan,
    proxy: Proxy,
    server: Option<Node>,
    server_at: SocketAddr,
    client: Node,
    sender: mpsc::Sender<Line>,
}

/// Runs one pass from its first message to the end of its processes.
pub(crate) async fn run(plan: Plan, audience: &mut impl Audience) -> Result<Record, PassError> {
    let mut record = Record::new(plan.protected, plan.rate, plan.schedule.clone());
    let (sender, mut lines) = mpsc::channel(LINES);
    let mut stage = tokio::select! {
        stage = Stage::set(plan, sender, &mut record) => stage?,
        () = interrupted() => return Err(PassError::Interrupted),
    };
    let start = Instant::now();

    let mut upcoming = record.schedule.events.clone().into_iter().peekable();
    let mut frames = tokio::time::interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let last_call = start + record.schedule.duration() + DRAIN;
    let mut signals = std::pin::pin!(interrupted());
    while record.last.is_none() {
        let next = upcoming.peek().map(|event| start + Duration::from_millis(event.at_ms));
        tokio::select! {
            () = tokio::time::sleep_until(next.unwrap_or(last_call)), if next.is_some() => {
                if let Some(event) = upcoming.next() {
                    stage.act(event.action).await?;
                    record.done.push(Event { at_ms: since(start), action: event.action });
                }
            }
            Some(line) = lines.recv() => record.note(line),
            _ = frames.tick() => {
                stage.check().await?;
                record.link = stage.proxy.counts();
                let attention = audience.watch(&record, since(start)).map_err(PassError::Screen)?;
                if attention == Attention::Leave {
                    return Err(PassError::Interrupted);
                }
            }
            () = &mut signals => return Err(PassError::Interrupted),
            () = tokio::time::sleep_until(last_call) => return Err(PassError::Unfinished),
        }
    }
    stage.strike(&mut record, &mut lines).await?;
    audience.watch(&record, since(start)).map_err(PassError::Screen)?;
    Ok(record)
}

impl Stage {
    /// Starts the server, the proxy before it, and the client before that.
    async fn set(plan: Plan, sender: mpsc::Sender<Line>, record: &mut Record) -> Result<Self, PassError> {
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let (server, at) =
            Node::start(&plan.program, Role::Server, &server_arguments(&plan, any), sender.clone()).await?;
        let proxy = Proxy::start(at.listen, plan.schedule.clone()).await.map_err(PassError::Proxy)?;
        let arguments = client_arguments(&plan, proxy.addr());
        let (client, ready) = Node::start(&plan.program, Role::Client, &arguments, sender.clone()).await?;
        record.admin = ready.admin;
        Ok(Self { plan, proxy, server: Some(server), server_at: at.listen, client, sender })
    }

    async fn act(&mut self, action: Action) -> Result<(), PassError> {
        match action {
            Action::Enter(phase) => self.proxy.enter(phase),
            Action::Reset { pick } => self.proxy.reset(pick),
            Action::StopServer => {
                if let Some(server) = &self.server {
                    server.stop()?;
                }
            }
            Action::KillServer => {
                if let Some(mut server) = self.server.take() {
                    server.kill().await?;
                }
            }
            Action::StartServer => {
                let arguments = server_arguments(&self.plan, self.server_at);
                let sender = self.sender.clone();
                let (server, _) = Node::start(&self.plan.program, Role::Server, &arguments, sender).await?;
                self.server = Some(server);
            }
        }
        Ok(())
    }

    /// Fails if a node is gone that nobody killed.
    async fn check(&mut self) -> Result<(), PassError> {
        if let Some(server) = &mut self.server
            && let Some(error) = server.ended().await
        {
            return Err(error.into());
        }
        match self.client.ended().await {
            // The client ends by itself when it is done; then its last word is on its way.
            Some(NodeError::Ended(_, Some(status), _)) if status.success() => Ok(()),
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Ends both processes and hears them out, so that the record is complete.
    async fn strike(
        mut self,
        record: &mut Record,
        lines: &mut mpsc::Receiver<Line>,
    ) -> Result<(), PassError> {
        record.link = self.proxy.counts();
        drop(self.sender);
        self.client.dismiss();
        if let Some(server) = &mut self.server {
            server.dismiss();
        }
        while let Ok(Some(line)) = tokio::time::timeout(DRAIN, lines.recv()).await {
            record.note(line);
        }
        self.client.gone().await?;
        if let Some(server) = &mut self.server {
            server.gone().await?;
        }
        Ok(())
    }
}

fn server_arguments(plan: &Plan, listen: SocketAddr) -> Vec<OsString> {
    let mut arguments = node_arguments();
    arguments.extend(["--listen".into(), listen.to_string().into()]);
    arguments.extend(["--config".into(), plan.policy.clone().into()]);
    arguments
}

fn client_arguments(plan: &Plan, peer: SocketAddr) -> Vec<OsString> {
    let mut arguments = node_arguments();
    let mut option = |name: &str, value: OsString| arguments.extend([OsString::from(name), value]);
    option("--listen", "127.0.0.1:0".into());
    option("--peer", peer.to_string().into());
    option("--admin", plan.admin.to_string().into());
    option("--load", plan.rate.to_string().into());
    option("--load-ms", plan.schedule.duration_ms.to_string().into());
    option("--config", plan.policy.clone().into());
    if !plan.protected {
        arguments.push("--unprotected".into());
    }
    if plan.arm_chaos {
        arguments.push("--arm-chaos".into());
    }
    arguments
}

fn node_arguments() -> Vec<OsString> {
    ["node", "--report", "--end-with-stdin"].map(OsString::from).to_vec()
}

fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
