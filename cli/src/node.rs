//! `seawall node`: a DWCP node that answers its peers and, if asked to, sends a load of messages to one of them.

mod attempt;
mod output;
mod peers;
mod protected;
mod serve;
mod unprotected;

use crate::args::NodeArgs;
use crate::load::{self, Caller, Ledger};
use crate::report::{Line, Ready};
use output::Output;
use protected::Guarded;
use seawall::Policy;
use seawall::dwcp::{NodeId, Server, TransportConfig};
use serve::Answering;
use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior};
use unprotected::Plain;

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
    let transport = transport()?;
    let server = Server::bind(
        &args.listen.to_string(),
        transport.clone(),
        Answering::new(args.report.then(|| Arc::clone(&output))),
    )
    .await?;
    let links = peers::handles(&args.peer, &transport)?;
    let ready = Ready { listen: server.local_addr(), admin: None };
    let work = async {
        match args.load {
            None => {
                output.line(&Line::Ready(ready));
                peers::watch(&links).await;
                Ok(())
            }
            Some(rate) => {
                peers::connect(&links).await?;
                let policy = draft();
                if args.unprotected {
                    let caller = Plain::new(
                        links,
                        policy.timeout_config().limit(),
                        policy.retry_config().max_attempts(),
                    );
                    output.line(&Line::Ready(ready));
                    run_load(caller, rate, args.load_ms, &output).await;
                } else {
                    let caller = Guarded::new(policy, links)?;
                    output.line(&Line::Ready(ready));
                    run_load(caller, rate, args.load_ms, &output).await;
                }
                Ok(())
            }
        }
    };
    let ended = tokio::select! {
        ended = work => ended,
        () = asked_to_end(args.end_with_stdin) => Ok(()),
    };
    server.drain(DRAIN).await;
    ended
}

/// Limits of the transport: those of the library, but quicker to notice that a peer is gone and that it is back.
fn transport() -> Result<TransportConfig, AnyError> {
    Ok(TransportConfig {
        node_id: NodeId::new("seawall")?,
        max_inflight: 1 << 16,
        connect_timeout: Duration::from_millis(500),
        handshake_timeout: Duration::from_millis(500),
        ping_interval: Duration::from_millis(250),
        reconnect_initial: Duration::from_millis(10),
        reconnect_max: Duration::from_millis(100),
        reconnect_reset: Duration::from_secs(1),
        ..TransportConfig::default()
    })
}

fn draft() -> Policy {
    use seawall::core::{
        Backoff, Ratio, bulkhead, circuit_breaker, error_budget, rate_limiter::Quota, retry,
    };
    Policy::new()
        .rate_limit(Quota::per_second(600).burst(60))
        .bulkhead(bulkhead::Config::new(64).max_waiting(128).max_wait(Duration::from_millis(250)))
        .circuit_breaker(
            circuit_breaker::Config::failure_rate(
                Ratio::percent(50),
                seawall::core::measure::window::Span::time(Duration::from_secs(1)),
                50,
            )
            .or_consecutive_failures(80)
            .open_for(Duration::from_millis(500))
            .probes(3)
            .successes_to_close(3),
        )
        .retry(
            retry::Config::attempts(
                3,
                Backoff::exponential(Duration::from_millis(50)).at_most(Duration::from_millis(200)),
            )
            .budget(Ratio::percent(20), 20, 10),
        )
        .timeout(Duration::from_millis(300))
        .deadline(Duration::from_millis(600))
        .error_budget(error_budget::Config::new(Ratio::percent(95), Duration::from_secs(4)))
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
                output.line(&Line::Report(Box::new(ledger.report(start, caller.guarding()))));
            }
        }
    }
    tell_news(&*caller, output);
    output.line(&Line::Final(Box::new(ledger.close(start, caller.guarding()))));
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
