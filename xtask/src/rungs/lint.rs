//! Formatting, clippy and rustdoc.

use anyhow::Result;

use crate::job::Job;
use crate::results::Tally;
use crate::setup;

/// The workspace, and the packages that stand outside it.
pub(crate) fn fmt(job: &mut Job<'_>) -> Result<Tally> {
    setup::need_component(job, "fmt", "rustfmt")?;
    let mut tally = Tally::default();
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml", "on-target/Cargo.toml"] {
        if !job.context.root.join(manifest).is_file() {
            continue;
        }
        let mut command = job.context.cargo();
        command.args(["fmt", "--all", "--check", "--manifest-path", manifest, "--", "--color", "never"]);
        let passed = job.step(&mut command)?.passed();
        if !passed {
            job.because(format!("not formatted: `cargo fmt --all --manifest-path {manifest}`"));
        }
        tally = [tally, Tally::one(passed)].into_iter().sum();
    }
    Ok(tally)
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
