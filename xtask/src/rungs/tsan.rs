//! The stress program under the thread sanitizer.
//!
//! The sanitizer is behind an unstable flag, and its runtime comes with the ordinary compiler: the flag is let through, and
//! nothing else of an unstable compiler is used.
//! The standard library is not instrumented: `stress/tsan.supp` says what that makes the sanitizer mistake for a race.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::job::Job;
use crate::results::Tally;
use crate::setup::{self, Missing};

/// Instruments every crate of the program, and lets it link with a standard library that is not.
const FLAGS: &str = "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";
/// How long the program runs, all subjects together.
const SECONDS: &str = "20";
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    let host = setup::host().context("rustc names no host")?;
    need_runtime(&host)?;
    let target = job.context.target.join("tsan");
    let mut build = job.context.cargo();
    build.args(["build", "--locked", "--release", "--package", "seawall-stress", "--target", &host]);
    build.env("CARGO_TARGET_DIR", &target).env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS);
    build.env_remove("CARGO_ENCODED_RUSTFLAGS");
    job.must(&mut build)?;
    let program = target.join(&host).join("release").join("seawall-stress");
    let mut stress = job.context.tool(&program);
    let suppressions = job.context.root.join("stress").join("tsan.supp");
    let options = format!("halt_on_error=0 exitcode=66 suppressions={}", suppressions.display());
    stress.arg(SECONDS).env("TSAN_OPTIONS", options);
    let step = job.step_within(&mut stress, LIMIT)?;
    let races = step.output.lines().filter(|line| line.starts_with("WARNING: ThreadSanitizer")).count();
    let subjects = step.output.lines().filter(|line| line.ends_with(" rounds")).count();
    if races > 0 {
        job.because(format!("the thread sanitizer saw {races} races"));
    } else if !step.passed() {
        job.because("the stress program failed");
    }
    let failed = if step.passed() { 0 } else { races.max(1) };
    Ok(Tally { passed: subjects, failed, skipped: 0 })
}

/// Fails with a sentence where the compiler in use has no sanitizer for this machine.
fn need_runtime(host: &str) -> Result<()> {
    let sysroot = setup::ask("rustc", &["--print", "sysroot"]).context("rustc names no sysroot")?;
    let folder = Path::new(&sysroot).join("lib/rustlib").join(host).join("lib");
    let entries = fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
    let found = entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("rt.tsan."));
    if !found {
        bail!(Missing(format!(
            "no thread sanitizer for {host}: use a compiler from rustup on Linux or macOS, as `rustup default stable` gives"
        )));
    }
    Ok(())
}
