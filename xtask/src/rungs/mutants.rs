//! Small mistakes, planted one at a time, that core's tests must notice.
//!
//! `core/MUTANTS.md` lists those that no test can notice, and why.

use std::time::Duration;

use anyhow::Result;

use crate::job::{Context, Job};
use crate::setup;

const VERSION: &str = "27.1.0";
/// Days: four thousand mutants, each built and tested.
const LIMIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// What is not to be noticed: messages for people, and what exists for loom alone, as guards that are constant outside of it.
const EXCLUDED: &str = concat!(
    "fmt::(Debug|Display)|AtomicWaker|is_planted",
    r"|guard (mutant!\([^)]*\) with false|!mutant!\([^)]*\) with true)"
);
/// All of core, where no files are named.
const FILES: [&str; 1] = ["core/src/**/*.rs"];

/// Plants the mutants of the named files, or of all of core; says whether all were noticed.
///
/// Core's unit tests alone are asked first, since one program is built for them and not two dozen; what they miss goes to all
/// tests with `--iterate`.
/// A mutant is noticed with the first test that fails, so nextest, which then stops, runs them where it is installed.
pub(crate) fn mutants(files: &[&str]) -> Result<bool> {
    let context = Context::find()?;
    let mut job = Job::start(&context, "mutants")?;
    let tool = setup::cargo_tool(&mut job, "cargo-mutants", VERSION)?;
    let runner = if setup::ask("cargo-nextest", &["--version"]).is_some() { "nextest" } else { "cargo" };
    let files = if files.is_empty() { &FILES[..] } else { files };
    let output = context.target.join("xtask").join("mutants");
    std::fs::create_dir_all(&output)?;
    let mut noticed = false;
    for (pass, tests) in [("unit tests", &["--lib"][..]), ("all tests", &["--lib", "--tests"])] {
        job.progress(&format!("{pass}: see {}", output.join("mutants.out").display()))?;
        let mut command = context.tool(&tool);
        command.args(["mutants", "--package", "seawall-core", "--test-package", "seawall-core"]);
        command.args(["--all-features", "--test-tool", runner, "--jobs", "2", "--timeout", "120"]);
        command.args(["--no-shuffle", "--iterate", "--colors", "never", "--exclude-re", EXCLUDED]);
        command.arg("--output").arg(&output);
        for file in files {
            command.args(["--file", file]);
        }
        // For the build, too, which takes most of the time; what follows `--` is for the tests alone.
        command.args(tests.iter().map(|test| format!("--cargo-arg={test}"))).env_remove("CARGO_TARGET_DIR");
        // Nobody debugs a mutant, or looks for the smallest input that shows it.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("PROPTEST_MAX_SHRINK_ITERS", "0");
        noticed = job.step_within(&mut command, LIMIT)?.passed();
        if noticed {
            break;
        }
    }
    let missed = std::fs::read_to_string(output.join("mutants.out").join("missed.txt")).unwrap_or_default();
    print!("{missed}");
    println!("{} missed; core/MUTANTS.md says which of them change nothing", missed.lines().count());
    Ok(noticed)
}
