//! The command line.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Fewest and most messages a second.
const RATES: std::ops::RangeInclusive<i64> = 50..=20_000;
/// Shortest and longest run in seconds.
const SECONDS: std::ops::RangeInclusive<i64> = 4..=600;

/// Seawall keeps a networked program standing when what it depends on fails.
#[derive(Debug, Parser)]
#[command(name = "seawall", version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    // What each is stands at its arguments: a comment here would take the place of the whole help.
    Demo(DemoArgs),
    Node(NodeArgs),
    Replay(ReplayArgs),
}

/// Show Seawall holding a link through an outage.
///
/// Two node processes talk over TCP on loopback through a proxy that makes the link slow, then half dead, then kills
/// the server and heals everything again. The same faults are then met with the protection switched off.
///
/// Exit status: 0 if the books balance and the breaker opened and closed again, 1 if not, 2 if an argument is wrong,
/// 130 if it was stopped before the end.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option by itself")]
pub(crate) struct DemoArgs {
    /// Messages a second.
    #[arg(long, value_name = "N", default_value_t = 500, allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(RATES))]
    pub(crate) rate: u32,

    /// Length of the protected pass in seconds.
    #[arg(long, value_name = "N", default_value_t = 20, allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(SECONDS))]
    pub(crate) seconds: u32,

    /// The same seed makes the same faults at the same times.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Policy of the protected client [default: policies/demo.toml, which is built in].
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// Let the faults of the policy file strike, in both passes, beside those of the link. It takes a build with the feature
    /// `chaos`.
    #[arg(long, requires = "policy", hide = !cfg!(feature = "chaos"))]
    pub(crate) arm_chaos: bool,

    /// Run a second, shorter pass without protection.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true", overrides_with = "no_compare")]
    pub(crate) compare: bool,

    /// Leave the pass without protection out.
    #[arg(long)]
    pub(crate) no_compare: bool,

    /// Write everything that was measured to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Draw the run to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    /// Where the client node serves /metrics, /livez, /readyz and /stats; port 0 picks one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464")]
    pub(crate) admin: SocketAddr,

    /// Print lines instead of the live view, as is done when the output is no terminal.
    #[arg(long)]
    pub(crate) plain: bool,
}

impl DemoArgs {
    /// Whether the second pass is wanted.
    pub(crate) const fn compares(&self) -> bool {
        self.compare && !self.no_compare
    }
}

/// Run a DWCP node: accept peers, answer their messages, and send messages of its own through a guard.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option by itself")]
pub(crate) struct NodeArgs {
    /// Where to accept peers; port 0 picks one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: SocketAddr,

    /// A peer to send to; may be given more than once.
    #[arg(long, value_name = "ADDR")]
    pub(crate) peer: Vec<SocketAddr>,

    /// Policies of what this node sends, and the limits of its connections; `demo` stands for the policy of the
    /// demonstration [default: the presets of Seawall].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where to serve /metrics, /livez, /readyz and /stats; port 0 picks one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<SocketAddr>,

    /// Send this many messages a second to the peer.
    #[arg(long, value_name = "N", requires = "peer", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(RATES))]
    pub(crate) load: Option<u32>,

    /// For how long to send, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 20_000, requires = "load",
          value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub(crate) load_ms: u64,

    /// Send as programs do without Seawall: the same timeout for each attempt, three retries of whatever failed, no
    /// limiter, bulkhead, breaker, deadline or retry budget.
    #[arg(long, requires = "load")]
    pub(crate) unprotected: bool,

    /// Let the faults of the policy file strike what this node sends; their phases begin with the load. It takes a build
    /// with the feature `chaos`.
    #[arg(long, requires = "config", requires = "load", hide = !cfg!(feature = "chaos"))]
    pub(crate) arm_chaos: bool,

    /// Write what happens to standard output, one JSON value a line.
    #[arg(long)]
    pub(crate) report: bool,

    /// End when standard input is closed.
    #[arg(long)]
    pub(crate) end_with_stdin: bool,
}

/// Replay a script of operations on any pattern, or a log that a recorder wrote, and print every decision.
///
/// A script is JSON lines. The first statement is the policy, and every other one says what happens when:
///
///   # comment
///   {"policy": {"circuit_breaker": {"consecutive_failures": 2, "open_for": "30s"}}}
///   {"at": "0s", "op": "circuit_breaker.try_acquire", "as": "p1"}
///   {"at": "1s", "op": "circuit_breaker.record", "permit": "p1", "outcome": "failure"}
///   {"at": "2s", "op": "circuit_breaker.call", "outcome": "failure", "expect": {"state": "open"}}
///
/// Each operation prints one JSON object on one line. cli/SCRIPTS.md describes the format, and --list prints its
/// reference.
///
/// A log is what the Recorder of the library wrote, on any target: its steps are taken again on a guard of the same policy
/// and word size. A decision that is another one than the recorded one is marked "differs", beside what was recorded; see
/// cli/LOGS.md.
///
/// Exit status: 0 if everything was as the script expects or the log says, 1 if something was not, 2 if the script is wrong,
/// the log damaged (what could be read of it is printed first), or the file cannot be read.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::doc_markdown, reason = "the help shows this text as it is")]
pub(crate) struct ReplayArgs {
    /// The script or the log, required unless --list is given; - reads standard input.
    #[arg(value_name = "FILE", required_unless_present = "list")]
    pub(crate) file: Option<PathBuf>,

    /// Print a table for people in place of JSON.
    #[arg(long)]
    pub(crate) pretty: bool,

    /// Print every pattern with its configuration, its operations, their arguments and an example.
    #[arg(long)]
    pub(crate) list: bool,
}

#[cfg(test)]
mod tests;
