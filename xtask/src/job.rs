//! One rung at work: where it is, what it runs, and its log.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::process::{self, Ended};

/// Long enough for any single step on a slow machine, and an end to one that hangs.
const STEP_LIMIT: Duration = Duration::from_secs(20 * 60);
/// How much of a failing rung's log is printed to a person, and to a public log.
const TAIL_LINES: usize = 40;
const TAIL_LINES_CI: usize = 300;
const MOST_REASONS: usize = 50;

/// What every rung knows.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) root: PathBuf,
    /// Where cargo builds, and the only folder that the ladder writes to.
    pub(crate) target: PathBuf,
    pub(crate) ci: bool,
    cargo: OsString,
}

impl Context {
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self {
            root: root.to_owned(),
            target,
            ci: env::var_os("CI").is_some_and(|ci| ci == "true"),
            cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        })
    }

    /// Cargo in the workspace's root, with plain output and a patience that ends.
    pub(crate) fn cargo(&self) -> Command {
        self.tool(&self.cargo)
    }

    /// A program in the workspace's root, where it and the cargo that it calls find the same settings.
    pub(crate) fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        let mut tool = Command::new(program);
        tool.current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            .env("CARGO_HTTP_TIMEOUT", "30")
            .env("CARGO_NET_RETRY", "2");
        tool
    }

    /// Where the links live through which this program stands in for rustc.
    pub(crate) fn wrappers(&self) -> PathBuf {
        self.target.join("xtask").join("rustc")
    }
}

/// What one step printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) ended: Ended,
    pub(crate) output: String,
}

impl Step {
    pub(crate) fn passed(&self) -> bool {
        self.ended == Ended::Success
    }
}

/// A rung at work.
#[derive(Debug)]
pub(crate) struct Job<'c> {
    pub(crate) context: &'c Context,
    log: File,
    log_path: PathBuf,
    /// What the last step printed, until the next one.
    last: String,
    /// What the step printed that gave the first reason for failure.
    evidence: String,
    reasons: Vec<String>,
}

impl<'c> Job<'c> {
    /// Begins a rung with an empty log.
    pub(crate) fn start(context: &'c Context, rung: &str) -> Result<Self> {
        let folder = context.target.join("xtask");
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let log_path = folder.join(format!("{rung}.log"));
        // Appending keeps the children's output and the rung's own lines in order.
        if log_path.exists() {
            fs::remove_file(&log_path).with_context(|| format!("removing {}", log_path.display()))?;
        }
        let log = OpenOptions::new().create(true).append(true).read(true).open(&log_path);
        let log = log.with_context(|| format!("opening {}", log_path.display()))?;
        Ok(Self { context, log, log_path, last: String::new(), evidence: String::new(), reasons: Vec::new() })
    }

    /// Runs one command to its end, with its output in the log.
    pub(crate) fn step(&mut self, command: &mut Command) -> Result<Step> {
        self.step_within(command, STEP_LIMIT)
    }

    /// Runs one command, which is killed when `limit` has passed.
    pub(crate) fn step_within(&mut self, command: &mut Command, limit: Duration) -> Result<Step> {
        let shown = shown(command);
        writeln!(self.log, "$ {shown}")?;
        let begin = self.log.seek(SeekFrom::End(0))?;
        let ended = process::run(command, &self.log, limit).with_context(|| format!("running `{shown}`"))?;
        self.log.seek(SeekFrom::Start(begin))?;
        let mut output = Vec::new();
        self.log.read_to_end(&mut output)?;
        let output = String::from_utf8_lossy(&output).into_owned();
        self.last.clone_from(&output);
        if ended == Ended::TimedOut {
            self.because(format!("`{shown}` ran past {} s", limit.as_secs()));
        }
        Ok(Step { ended, output })
    }

    /// Runs one command that has to succeed for the rung to go on.
    pub(crate) fn must(&mut self, command: &mut Command) -> Result<Step> {
        let step = self.step(command)?;
        if !step.passed() {
            let failure = format!("`{}` failed", shown(command));
            self.because(&failure);
            bail!(failure);
        }
        Ok(step)
    }

    /// Notes a line in the log.
    pub(crate) fn note(&mut self, line: &str) -> Result<()> {
        writeln!(self.log, "{line}").context("writing to the log")
    }

    /// Says that the rung is at a further part of its work.
    pub(crate) fn progress(&mut self, line: &str) -> Result<()> {
        println!("{:8}{line}", "");
        self.note(line)
    }

    /// Notes a reason for the rung's failure, of which the first is shown in the table.
    pub(crate) fn because(&mut self, reason: impl Into<String>) {
        let evidence = std::mem::take(&mut self.last);
        self.because_of(reason, evidence);
    }

    /// Notes a reason for the rung's failure, and the part of the output that shows it.
    pub(crate) fn because_of(&mut self, reason: impl Into<String>, evidence: String) {
        let reason = reason.into();
        // The log is read after the first failure; a reason that cannot be written there is still in the table.
        let _ = writeln!(self.log, "xtask: {reason}");
        if self.reasons.is_empty() {
            self.evidence = evidence;
        }
        self.reasons.push(reason);
    }

    /// The first reason that was noted, and how many follow.
    pub(crate) fn why(&self) -> String {
        match self.reasons.as_slice() {
            [] => "see its log".to_owned(),
            [one] => one.clone(),
            [first, more @ ..] => format!("{first} (and {} more)", more.len()),
        }
    }

    /// Prints why the rung failed: its reasons, and the end of what the first of them came from.
    ///
    /// A person has the whole log beside them; a reader of a public log has only this.
    pub(crate) fn explain(&self) {
        for reason in self.reasons.iter().take(MOST_REASONS) {
            println!("{:8}- {reason}", "");
        }
        let lines: Vec<&str> = self.evidence.lines().filter(|line| !is_noise(line)).collect();
        let most = if self.context.ci { TAIL_LINES_CI } else { TAIL_LINES };
        for line in &lines[lines.len().saturating_sub(most)..] {
            println!("{:8}| {line}", "");
        }
        println!("{:8}whole log: {}", "", self.log_path.display());
    }
}

/// Whether the line says that something went well.
fn is_noise(line: &str) -> bool {
    const VERBS: [&str; 7] =
        ["Compiling", "Checking", "Documenting", "Downloaded", "Downloading", "Running", "Fresh"];
    let line = line.trim_start();
    let is_good_test = line.starts_with("test ") && line.ends_with(" ... ok");
    is_good_test || line.is_empty() || line.split(' ').next().is_some_and(|word| VERBS.contains(&word))
}

/// A command as it would be typed, without its environment.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy);
    words.collect::<Vec<_>>().join(" ")
}
