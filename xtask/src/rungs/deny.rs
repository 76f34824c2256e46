//! What the workspace may depend on, as `deny.toml` says.
//!
//! Licenses, sources and bans are checked here. Advisories need a database from outside the package registry, which
//! a gate that has to end without it cannot lean on: the public CI checks them.

use anyhow::Result;

use crate::job::Job;
use crate::results::Tally;
use crate::setup;

const VERSION: &str = "0.20.2";

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    let cargo_deny = setup::cargo_tool(job, "cargo-deny", VERSION)?;
    let root = job.context.root.clone();
    let mut tally = Tally::default();
    // The fuzz package has a lock file of its own.
    for name in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let manifest = root.join(name);
        if !manifest.is_file() {
            continue;
        }
        for check in ["licenses", "sources", "bans"] {
            let mut command = job.context.tool(&cargo_deny);
            command.args(["--locked", "--all-features", "--manifest-path"]).arg(&manifest);
            command.arg("--config").arg(root.join("deny.toml"));
            command.args(["check", "--hide-inclusion-graph", check]);
            let passed = job.step(&mut command)?.passed();
            if !passed {
                job.because(format!("{check} of {name}"));
            }
            tally = [tally, Tally::one(passed)].into_iter().sum();
        }
    }
    Ok(tally)
}
