//! `seawall demo`: Seawall holding a link through an outage, over real sockets between real processes.
//!
//! This process owns the story: it makes the schedule of faults from the seed, runs the proxy that carries them out,
//! stops, kills and restarts the server node, and shows what the client node reports. It takes no part in the
//! protection; that happens in the client node, which is `seawall node` as anyone can run it.

mod audit;
#[cfg(test)]
mod fixture;
mod pass;
mod plain;
mod proxy;
mod record;
mod series;
mod summary;
mod supervisor;
mod svg;
mod timeline;
mod view;

use crate::args::DemoArgs;
use crate::chaos;
use crate::policy;
use pass::{PassError, Plan};
use plain::PlainView;
use record::Record;
use std::fmt;
use std::io::{self, IsTerminal};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use summary::{Outcome, Paint, PassSummary, Verdict, Whole};
use timeline::Schedule;
use view::LiveView;

/// Exit status of a run whose verdict is bad, or that could not be carried through.
const FAILED: u8 = 1;
/// Exit status of a run that was not started because an argument is wrong.
const REFUSED: u8 = 2;
/// Exit status of a run that was stopped.
const INTERRUPTED: u8 = 130;

/// Something that is wrong before anything has started.
#[derive(Debug)]
struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Runs the demonstration and says with which status the program ends.
pub(crate) fn run(args: &DemoArgs) -> ExitCode {
    if let Err(refusal) = check(args) {
        eprintln!("error: {refusal}");
        return REFUSED.into();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return FAILED.into();
        }
    };
    let passes = runtime.block_on(passes(args));
    // Dropping the runtime ends every task, and with the tasks every socket.
    drop(runtime);
    let (protected, unprotected) = match passes {
        Ok(passes) => passes,
        Err(error) => {
            eprintln!("seawall demo: {error}");
            return if matches!(error, PassError::Interrupted) { INTERRUPTED } else { FAILED }.into();
        }
    };
    match conclude(args, &protected, unprotected.as_ref()) {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed(reason)) => {
            // A terminal has just shown it as the last line of the summary.
            if !io::stdout().is_terminal() {
                eprintln!("seawall demo: {reason}");
            }
            FAILED.into()
        }
        Err(refusal) => {
            eprintln!("seawall demo: {refusal}");
            FAILED.into()
        }
    }
}

/// Everything that can be known to be wrong before the run starts.
fn check(args: &DemoArgs) -> Result<(), Refusal> {
    for (option, path) in [("--json", &args.json), ("--svg", &args.svg)] {
        if let Some(path) = path {
            can_write(path).map_err(|error| Refusal(format!("{option} {}: {error}", path.display())))?;
        }
    }
    let (policies, _) =
        policy::read(Some(&chosen_policy(args))).map_err(|error| Refusal(format!("--policy {error}")))?;
    if args.arm_chaos {
        chaos::can_arm(&policies).map_err(Refusal)?;
    } else if let Some(said) = chaos::left_unarmed(&policies) {
        eprintln!("{said}");
    }
    // The client node binds the address itself; this finds out now, and in the words of this program.
    TcpListener::bind(args.admin)
        .map_err(|error| Refusal(format!("--admin {}: {error}; port 0 picks a free one", args.admin)))?;
    Ok(())
}

/// The policy file that was asked for, or the one that is built in.
fn chosen_policy(args: &DemoArgs) -> PathBuf {
    args.policy.clone().unwrap_or_else(|| PathBuf::from(policy::BUILT_IN))
}

/// Opens a file for writing without changing what it holds; one that was not there before is taken away again.
fn can_write(path: &Path) -> io::Result<()> {
    let existed = path.exists();
    std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    if existed { Ok(()) } else { std::fs::remove_file(path) }
}

/// Runs the protected pass and, if it is wanted, the unprotected one.
async fn passes(args: &DemoArgs) -> Result<(Record, Option<Record>), PassError> {
    let schedule = Schedule::new(args.seed, Duration::from_secs(args.seconds.into()));
    let plan = Plan {
        program: std::env::current_exe().map_err(PassError::Program)?,
        protected: true,
        rate: args.rate,
        schedule,
        policy: chosen_policy(args),
        arm_chaos: args.arm_chaos,
        admin: args.admin,
    };
    let second = args.compares().then(|| Plan {
        protected: false,
        schedule: plan.schedule.scaled_to(plan.schedule.duration() / 2),
        ..plan.clone()
    });
    if args.plain || !io::stdout().is_terminal() {
        let first = pass::run(plan, &mut PlainView::new(io::stdout())).await?;
        let second = match second {
            Some(plan) => Some(pass::run(plan, &mut PlainView::new(io::stdout())).await?),
            None => None,
        };
        return Ok((first, second));
    }
    let mut view = LiveView::new().map_err(PassError::Screen)?;
    let passes = if second.is_some() { 2 } else { 1 };
    view.begin(1, passes);
    let first = pass::run(plan, &mut view).await?;
    let second = match second {
        Some(plan) => {
            view.begin(2, passes);
            Some(pass::run(plan, &mut view).await?)
        }
        None => None,
    };
    Ok((first, second))
}

/// Prints the summary and writes the files.
fn conclude(args: &DemoArgs, protected: &Record, unprotected: Option<&Record>) -> Result<Verdict, Refusal> {
    let on = PassSummary::of(protected);
    let off = unprotected.map(PassSummary::of);
    let verdict = Verdict::of(&on, off.as_ref());

    let color =
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let paint = if color { Paint::Color } else { Paint::Plain };
    println!("\n{}", summary::text(protected, unprotected, &verdict, paint).trim_end());

    if let Some(path) = &args.json {
        let outcome = Outcome {
            version: env!("CARGO_PKG_VERSION"),
            verdict: &verdict,
            protected: Whole { summary: &on, record: protected },
            unprotected: off.as_ref().zip(unprotected).map(|(summary, record)| Whole { summary, record }),
        };
        write_json(path, &outcome).map_err(|error| Refusal(format!("{}: {error}", path.display())))?;
    }
    if let Some(path) = &args.svg {
        svg::to_file(path, protected, unprotected)
            .map_err(|error| Refusal(format!("{}: {error}", path.display())))?;
    }
    Ok(verdict)
}

fn write_json(path: &Path, outcome: &Outcome) -> io::Result<()> {
    use std::io::Write as _;
    let mut file = io::BufWriter::new(std::fs::File::create(path)?);
    serde_json::to_writer_pretty(&mut file, outcome)?;
    file.flush()
}

#[cfg(test)]
mod tests;
