//! Builds for the targets that the firmware runs on.

use anyhow::{Context as _, Result};

use crate::job::Job;
use crate::results::Tally;
use crate::setup;

/// A target, and whether it lacks compare-and-swap.
struct Target {
    triple: &'static str,
    emulates_atomics: bool,
}

const TARGETS: &[Target] = &[
    Target { triple: "thumbv6m-none-eabi", emulates_atomics: true },
    Target { triple: "thumbv7em-none-eabi", emulates_atomics: false },
    Target { triple: "riscv32imac-unknown-none-elf", emulates_atomics: false },
];

/// The packages that firmware is built from.
const PACKAGES: &[&str] = &["seawall-core", "seawall-embassy"];

/// What firmware is built with: nothing by choice, and everything.
const FEATURES: &[&str] = &["", "seawall-embassy/chaos"];

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    let minimum = setup::release(env!("CARGO_PKG_RUST_VERSION")).context("the workspace's rust-version")?;
    let mut tally = Tally::default();
    for target in TARGETS {
        let bare = setup::bare_metal(job, target.triple, minimum)?;
        for features in FEATURES {
            let mut command = job.context.cargo();
            command.args(["build", "--locked", "--target", target.triple, "--features", features]);
            // A compiler of another version would otherwise evict what the other rungs built.
            command.env("CARGO_TARGET_DIR", job.context.target.join("cross"));
            for package in PACKAGES {
                command.args(["--package", package]);
            }
            if target.emulates_atomics {
                command.args(["--features", "seawall-core/portable-atomic,portable-atomic/critical-section"]);
            }
            bare.apply(&mut command);
            let passed = job.step(&mut command)?.passed();
            if !passed {
                job.because(format!("{} does not build with features `{features}`", target.triple));
            }
            tally = [tally, Tally::one(passed)].into_iter().sum();
        }
    }
    Ok(tally)
}
