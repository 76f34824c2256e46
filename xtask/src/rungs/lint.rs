//! Formatting, clippy and rustdoc.

use anyhow::Result;

use crate::job::Job;
use crate::results::Tally;
use crate::setup;

/// The workspace, and the fuzz package that stands outside it.
pub(crate) fn fmt(job: &mut Job<'_>) -> Result<Tally> {
    setup::need_component(job, "fmt", "rustfmt")?;
    let mut command = job.context.cargo();
    let workspace = job.step(command.args(["fmt", "--all", "--check"]))?.passed();
    let fuzz = job.context.root.join("fuzz/Cargo.toml");
    let mut passed = workspace;
    if fuzz.is_file() {
        let mut command = job.context.cargo();
        command.args(["fmt", "--check", "--manifest-path"]).arg(fuzz);
        passed &= job.step(&mut command)?.passed();
    }
    if !passed {
        job.because("not formatted: `cargo fmt`");
    }
    Ok(Tally::one(passed))
}

pub(crate) fn clippy(job: &mut Job<'_>) -> Result<Tally> {
    setup::need_component(job, "clippy", "clippy")?;
    let mut command = job.context.cargo();
    command.args(["clippy", "--locked", "--workspace", "--all-targets", "--all-features", "--keep-going"]);
    command.args(["--", "-D", "warnings"]);
    let passed = job.step(&mut command)?.passed();
    if !passed {
        job.because("warnings, or code that does not compile");
    }
    Ok(Tally::one(passed))
}

pub(crate) fn docs(job: &mut Job<'_>) -> Result<Tally> {
    let mut command = job.context.cargo();
    command.args(["doc", "--locked", "--workspace", "--no-deps", "--all-features", "--keep-going"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    let passed = job.step(&mut command)?.passed();
    if !passed {
        job.because("rustdoc warns");
    }
    Ok(Tally::one(passed))
}
