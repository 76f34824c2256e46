//! The fuzz targets, found in `fuzz/fuzz_targets`, each run for a short while from its committed corpus.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{sources_in, stem};
use crate::job::Job;
use crate::results::Tally;
use crate::setup;

/// What makes the compiler report to libFuzzer which edges were taken and what was compared.
///
/// These flags are stable ones, so neither cargo-fuzz nor a nightly compiler is needed.
/// The address sanitizer is left out: it looks for mistakes that safe code cannot make.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    -Ccodegen-units=1 -Cdebug-assertions=on -Coverflow-checks=on";

/// For all targets together: each gets its share, and long runs are for other times.
const SECONDS: u64 = 75;
/// A target with less would hardly get through its corpus.
const LEAST_SECONDS: u64 = 4;
/// Beyond the fuzzing itself: reading the corpus, and shrinking nothing.
const GRACE: u64 = 60;

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    let root = job.context.root.join("fuzz");
    let targets: Vec<String> =
        sources_in(&root.join("fuzz_targets"))?.iter().map(|path| stem(path)).collect();
    if targets.is_empty() {
        return Ok(Tally::default());
    }
    setup::need_component(job, "clippy", "clippy")?;
    setup::need_cxx(job)?;
    let host = setup::host().context("rustc names no host")?;
    let target_dir = job.context.target.join("fuzz");
    let cargo = |words: &[&str]| {
        let mut cargo = job.context.cargo();
        cargo.args(words).args(["--locked", "--release", "--target", &host, "--manifest-path"]);
        cargo.arg(root.join("Cargo.toml"));
        cargo
            .env("CARGO_TARGET_DIR", &target_dir)
            .env("RUSTFLAGS", COVERAGE)
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo
    };
    // Other programs of the package, such as one that writes seeds, do not link against libFuzzer.
    let mut build = cargo(&["build"]);
    for target in &targets {
        build.args(["--bin", target]);
    }
    let mut clippy = cargo(&["clippy", "--all-targets"]);
    clippy.args(["--", "-D", "warnings"]);

    job.must(&mut build)?;
    let mut tally = Tally::one(job.step(&mut clippy)?.passed());
    if tally.failed > 0 {
        job.because("clippy warns about a fuzz target");
    }
    let seconds = LEAST_SECONDS.max(SECONDS / targets.len() as u64);
    for target in &targets {
        let program = target_dir.join(&host).join("release").join(target);
        let passed = fuzz_one(job, &program, &root.join("corpus").join(target), target, seconds)?;
        tally = [tally, Tally::one(passed)].into_iter().sum();
    }
    Ok(tally)
}

/// Runs one target from its corpus, which new finds are kept out of.
fn fuzz_one(job: &mut Job<'_>, program: &Path, corpus: &Path, target: &str, seconds: u64) -> Result<bool> {
    let seeds = fs::read_dir(corpus).map_or(0, Iterator::count);
    if seeds == 0 {
        job.because(format!("{target} has no corpus in fuzz/corpus/{target}"));
        return Ok(false);
    }
    let work = job.context.target.join("fuzz").join("runs").join(target);
    let (finds, artifacts) = (work.join("finds"), work.join("artifacts"));
    for folder in [&finds, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut prefix = std::ffi::OsString::from("-artifact_prefix=");
    prefix.push(artifacts.join(""));
    let mut command = Command::new(program);
    command.arg(format!("-max_total_time={seconds}")).args(["-timeout=10", "-rss_limit_mb=2048"]).arg(prefix);
    command.args([&finds, corpus]);
    let step = job.step_within(&mut command, Duration::from_secs(seconds + GRACE))?;
    if !step.passed() {
        job.because(format!("{target} found a failure: the input is in {}", artifacts.display()));
    }
    Ok(step.passed())
}
