//! Small mistakes, planted one at a time, that core's tests must notice.
//!
//! `core/MUTANTS.md` lists those that no test can notice, and why.

use std::time::Duration;

use anyhow::Result;

use crate::job::{Context, Job};
use crate::setup;

const VERSION: &str = "27.1.0";
/// Hours: a thousand mutants, each built and tested.
const LIMIT: Duration = Duration::from_secs(12 * 60 * 60);
/// What is not to be noticed: messages for people, and what exists for loom alone.
const EXCLUDED: &str = "fmt::(Debug|Display)|AtomicWaker|is_planted";
/// The files whose arithmetic and state decide, where none are named.
const FILES: [&str; 10] = [
    "core/src/ratio.rs",
    "core/src/time.rs",
    "core/src/atomic/*.rs",
    "core/src/measure/**/*.rs",
    "core/src/measure/*.rs",
    "core/src/attempt/**/*.rs",
    "core/src/attempt/*.rs",
    "core/src/admission/**/*.rs",
    "core/src/admission/*.rs",
    "core/src/health/**/*.rs",
];

/// Plants the mutants of the named files, or of all whose arithmetic decides; says whether all were noticed.
///
/// Core's unit tests alone are asked first, as they take a second; what they miss goes to all tests with `--iterate`.
pub(crate) fn mutants(files: &[&str]) -> Result<bool> {
    let context = Context::find()?;
    let mut job = Job::start(&context, "mutants")?;
    let tool = setup::cargo_tool(&mut job, "cargo-mutants", VERSION)?;
    let files = if files.is_empty() { &FILES[..] } else { files };
    let output = context.target.join("xtask").join("mutants");
    std::fs::create_dir_all(&output)?;
    let mut noticed = false;
    for (pass, tests) in [("unit tests", &["--lib"][..]), ("all tests", &["--lib", "--tests"])] {
        job.progress(&format!("{pass}: see {}", output.join("mutants.out").display()))?;
        let mut command = context.tool(&tool);
        command.args([
            "mutants",
            "--package",
            "seawall-core",
            "--jobs",
            "1",
            "--timeout",
            "60",
            "--no-shuffle",
        ]);
        command.args(["--iterate", "--colors", "never", "--exclude-re", EXCLUDED, "--output"]).arg(&output);
        for file in files {
            command.args(["--file", file]);
        }
        command.arg("--").args(tests).env_remove("CARGO_TARGET_DIR");
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
