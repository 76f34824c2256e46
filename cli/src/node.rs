//! `seawall node`: a DWCP node that answers its peers and, if asked to, sends a load of messages to one of them.

mod output;
mod peers;
mod sender;
mod serve;

use crate::args::NodeArgs;
use crate::chaos;
use crate::load::{self, Caller, Ledger};
use crate::policy;
use crate::report::{Line, Ready};
use output::Output;
use seawall::admin::{Admin, AdminServer};
use seawall::dwcp::{Client, ClientConfig, Operation, Server};
use sender::Sender;
use serve::Answering;
use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior};

/// How often a load is reported on.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long a node that ends goes on answering what it has accepted.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs the node and says with which status the program ends.
pub(crate) fn run(args: &NodeArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(live(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The node from its first listener to its last answer.
async fn live(args: &NodeArgs) -> Result<(), AnyError> {
    let output = Arc::new(Output::new(args.report));
    let (policies, transport) = policy::read(args.config.as_deref())?;
    if args.arm_chaos {
        chaos::can_arm(&policies)?;
    } else if let Some(said) = chaos::left_unarmed(&policies) {
        eprintln!("{said}");
    }
    let policies = if args.unprotected { policies.unprotected() } else { policies };
    let answering = Answering::new(args.report.then(|| Arc::clone(&output)));
    let server = Server::bind(&args.listen.to_string(), transport.clone(), answering).await?;
    let peers = args.peer.iter().map(ToString::to_string).collect();
    let client = Client::new(ClientConfig { peers, policies, transport })?;
    let registry = client.registry().clone();
    let admin = Admin::new(move || registry.guards()).require([Operation::Send.name()]);
    let draining = admin.drain();
    let admin = match args.admin {
        Some(addr) => Some(admin.serve(addr).await?),
        None => None,
    };
    let ready = Ready { listen: server.local_addr(), admin: admin.as_ref().map(AdminServer::local_addr) };

    let ended = tokio::select! {
        ended = work(args, &client, ready, &output) => ended,
        () = asked_to_end(args.end_with_stdin) => Ok(()),
    };
    draining.begin();
    server.drain(DRAIN).await;
    client.shutdown().await;
    if let Some(admin) = admin {
        admin.shutdown().await;
    }
    ended
}

/// What the node does beside answering: it sends its load and ends, or looks after its peers for ever.
async fn work(args: &NodeArgs, client: &Client, ready: Ready, output: &Output) -> Result<(), AnyError> {
    let Some(rate) = args.load else {
        output.line(&Line::Ready(ready));
        peers::watch(client).await;
        return Ok(());
    };
    peers::connect(client).await?;
    let sender = Sender::new(client.clone());
    output.line(&Line::Ready(ready));
    if args.arm_chaos {
        chaos::arm(client);
    }
    run_load(sender, rate, args.load_ms, output).await;
    Ok(())
}

/// Offers the load and reports on it until every message has met its fate.
async fn run_load<C: Caller>(caller: C, rate: u32, load_ms: u64, output: &Output) {
    let caller = Arc::new(caller);
    let messages = u64::from(rate) * load_ms / 1000;
    let ledger = Arc::new(Ledger::new(usize::try_from(messages).unwrap_or(usize::MAX)));
    let start = Instant::now();
    let mut offering = std::pin::pin!(load::offer(&caller, &ledger, rate, messages, start));
    let mut ticks = tokio::time::interval_at(start + INTERVAL, INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = &mut offering => break,
            _ = ticks.tick() => {
                tell_news(&*caller, output);
                output.line(&Line::Report(Box::new(ledger.report(start, &*caller))));
            }
        }
    }
    tell_news(&*caller, output);
    output.line(&Line::Final(Box::new(ledger.close(start, &*caller))));
}

fn tell_news<C: Caller>(caller: &C, output: &Output) {
    for transition in caller.news() {
        output.line(&Line::Transition(transition));
    }
}

/// Waits for Ctrl-C, for a polite request to end, or for the end of standard input if that is one.
async fn asked_to_end(end_with_stdin: bool) {
    let stdin = async {
        if !end_with_stdin {
            return std::future::pending().await;
        }
        let (ended, end) = oneshot::channel();
        // A thread of its own, because a read of standard input cannot be taken back when the node ends otherwise.
        std::thread::spawn(move || {
            let mut sink = [0; 64];
            while matches!(std::io::stdin().read(&mut sink), Ok(read) if read > 0) {}
            // Nobody listens any more if the node ended first.
            _ = ended.send(());
        });
        _ = end.await;
    };
    tokio::select! {
        () = stdin => {}
        () = crate::signals::interrupted() => {}
    }
}
