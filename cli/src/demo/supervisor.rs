//! The node processes of the demonstration: started, listened to, stopped, killed, and never left behind.
//!
//! Each node runs in a process group of its own, so that Ctrl-C reaches this program alone, which then ends its nodes
//! in order. Should this program be killed outright, a node sees its standard input close and ends; one that stands
//! still at that moment is sent away by the kernel, which hangs up on stopped process groups that lost their parent.

use crate::report::{Line, Ready};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long a node may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// How long a node may take to end once its standard input is closed.
const END_WITHIN: Duration = Duration::from_secs(5);
/// Lines of a node's standard error that are kept for the explanation of its end.
const COMPLAINTS: usize = 8;

/// Which node a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}

/// Why a node did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum NodeError {
    /// The process could not be started or signalled.
    Process(Role, io::Error),
    /// The process was not ready in time.
    NotReady(Role),
    /// The process ended by itself; with what it said last.
    Ended(Role, Option<ExitStatus>, String),
    /// The process wrote something that is no report.
    Unreadable(Role, String),
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(role, error) => write!(f, "the {role} node: {error}"),
            Self::NotReady(role) => {
                write!(f, "the {role} node was not ready within {} s", READY_WITHIN.as_secs())
            }
            Self::Ended(role, status, said) => {
                write!(f, "the {role} node ended by itself")?;
                if let Some(status) = status {
                    write!(f, " ({status})")?;
                }
                if said.is_empty() { Ok(()) } else { write!(f, ": {said}") }
            }
            Self::Unreadable(role, line) => write!(f, "the {role} node wrote what is no report: {line}"),
        }
    }
}

impl std::error::Error for NodeError {}

/// A running node process; it is killed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    role: Role,
    child: Child,
    // Held open for as long as the node is to run.
    stdin: Option<ChildStdin>,
    complaints: Arc<Mutex<VecDeque<String>>>,
    listening: JoinHandle<()>,
}

impl Node {
    /// Starts `program` with these arguments and waits until the node is ready.
    ///
    /// Everything that the node reports from then on goes to `lines`, to the last line, even if the node is killed.
    pub(crate) async fn start(
        program: &Path,
        role: Role,
        arguments: &[OsString],
        lines: mpsc::Sender<Line>,
    ) -> Result<(Self, Ready), NodeError> {
        let process = |error| NodeError::Process(role, error);
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(process)?;
        let missing = || process(io::Error::other("a standard stream is missing"));
        let (stdin, stdout, stderr) = (
            child.stdin.take().ok_or_else(missing)?,
            child.stdout.take().ok_or_else(missing)?,
            child.stderr.take().ok_or_else(missing)?,
        );
        let complaints = Arc::new(Mutex::new(VecDeque::with_capacity(COMPLAINTS)));
        let listening = tokio::spawn(hear_complaints(stderr, Arc::clone(&complaints)));
        let mut node = Self { role, child, stdin: Some(stdin), complaints, listening };
        let mut output = BufReader::new(stdout).lines();
        let ready = match tokio::time::timeout(READY_WITHIN, output.next_line()).await {
            Err(_) => return Err(NodeError::NotReady(role)),
            Ok(Err(error)) => return Err(process(error)),
            Ok(Ok(None)) => return Err(node.end_explained().await),
            Ok(Ok(Some(line))) => match serde_json::from_str(&line) {
                Ok(Line::Ready(ready)) => ready,
                Ok(_) | Err(_) => return Err(NodeError::Unreadable(role, line)),
            },
        };
        tokio::spawn(hear_reports(output, lines));
        Ok((node, ready))
    }

    /// Makes the process stand still; its sockets stay open.
    pub(crate) fn stop(&self) -> Result<(), NodeError> {
        self.signal(Signal::STOP)
    }

    /// Kills the process and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Result<(), NodeError> {
        self.child.kill().await.map_err(|error| NodeError::Process(self.role, error))
    }

    /// Says why the process is gone, if it is.
    pub(crate) async fn ended(&mut self) -> Option<NodeError> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(_)) => Some(self.end_explained().await),
            Err(error) => Some(NodeError::Process(self.role, error)),
        }
    }

    /// Asks the node to end by closing its standard input.
    pub(crate) fn dismiss(&mut self) {
        self.stdin = None;
    }

    /// Waits until a dismissed node is gone, and kills it if it does not go.
    pub(crate) async fn gone(&mut self) -> Result<(), NodeError> {
        match tokio::time::timeout(END_WITHIN, self.child.wait()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(NodeError::Process(self.role, error)),
            Err(_) => self.kill().await,
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), NodeError> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let Some(pid) = pid else { return Err(NodeError::Ended(self.role, None, String::new())) };
        kill_process(pid, signal).map_err(|error| NodeError::Process(self.role, error.into()))
    }

    /// The end of the process with its status and its last words.
    async fn end_explained(&mut self) -> NodeError {
        let status = self.gone().await.ok().and_then(|()| self.child.try_wait().ok()).flatten();
        // The node's end of the pipe is closed, so what it said is about to be complete.
        _ = tokio::time::timeout(END_WITHIN, &mut self.listening).await;
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Vec<&str> = complaints.iter().map(String::as_str).collect();
        NodeError::Ended(self.role, status, said.join(" "))
    }
}

async fn hear_complaints(stderr: ChildStderr, complaints: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut complaints = complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.len() == COMPLAINTS {
            complaints.pop_front();
        }
        complaints.push_back(line.trim().to_owned());
    }
}

async fn hear_reports(mut output: Lines<BufReader<ChildStdout>>, lines: mpsc::Sender<Line>) {
    while let Ok(Some(text)) = output.next_line().await {
        // A line that was cut off because the node was killed in the middle of it reports nothing.
        if let Ok(line) = serde_json::from_str(&text)
            && lines.send(line).await.is_err()
        {
            break;
        }
    }
}

#[cfg(test)]
mod tests;
