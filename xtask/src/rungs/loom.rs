//! The models of loom and of shuttle, and the mutants that prove that the models look.
//!
//! First every model is run on the code as it is, with three preemptions, or with as many as it says if those take long.
//! Then, for each mutant that a model claims, the model alone is run with that one line of core broken: it has to fail, and two
//! preemptions have to do for that.
//! Under either tool core holds all its mutants and an environment variable plants one, so nothing is compiled again.
//! A mutant that no model of loom claims, a model that claims none, and a claim to a mutant that core does not have each
//! fail the rung.

mod claims;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{sources_in, sources_under, stem, tests_of};
use crate::job::Job;
use crate::process::Ended;
use crate::results::{Tally, finished};
use claims::{Model, models_in, mutants_in};

/// Names the mutant to core.
const MUTANT: &str = "SEAWALL_MUTANT";

/// Fewer than a sound model's: a mistake that only more of them show would be a poor one to plant.
const MUTANT_PREEMPTIONS: u32 = 2;

/// A broken protocol can make a model explore without end where the sound one ends in seconds.
const MUTANT_LIMIT: Duration = Duration::from_secs(180);

/// What runs the models.
struct Explorer {
    /// The `cfg` that puts the tool in core's atomics, and the name of its build folder.
    cfg: &'static str,
    package: &'static str,
    /// The package's folder.
    folder: &'static str,
    /// Whether each mutant of core has to be claimed by one of these models.
    claims_all: bool,
}

const LOOM: Explorer =
    Explorer { cfg: "loom", package: "seawall-loom", folder: "loom-tests", claims_all: true };

/// On shuttle's memory every thread sees the newest value, so it cannot catch a wrong ordering.
const SHUTTLE: Explorer =
    Explorer { cfg: "shuttle", package: "seawall-shuttle", folder: "shuttle-tests", claims_all: false };

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    explore(job, &LOOM)
}

pub(crate) fn shuttle(job: &mut Job<'_>) -> Result<Tally> {
    explore(job, &SHUTTLE)
}

fn explore(job: &mut Job<'_>, by: &Explorer) -> Result<Tally> {
    let mut mutants = BTreeSet::new();
    for source in sources_under(&job.context.root.join("core/src"))? {
        mutants.extend(mutants_in(&read(&source)?));
    }
    let mut models = Vec::new();
    for source in sources_in(&job.context.root.join(by.folder).join("tests"))? {
        models.extend(models_in(&stem(&source), &read(&source)?));
    }
    let claims = claims_tally(job, by, &mutants, &models);

    let bounds: BTreeSet<u32> = models.iter().map(|model| model.preemptions).collect();
    let mut sound = Tally::default();
    let mut passed = BTreeMap::new();
    for bound in bounds {
        let mut run = cargo(job, by);
        run.args(["--no-fail-fast", "--tests", "--", "--exact"]);
        run.args(
            models
                .iter()
                .filter(|model| model.preemptions != bound)
                .flat_map(|model| ["--skip", &model.name]),
        );
        let step = job.step(preempting(&mut run, bound))?;
        sound = [sound, tests_of(job, &step)].into_iter().sum();
        for test in finished(&step.output).iter().filter(|test| test.passed) {
            let name = test.path.rsplit("::").next().unwrap_or(test.path);
            passed.insert((stem(test.file.as_ref()), name.to_owned()), test.path.to_owned());
        }
    }

    let programs = job.step(cargo(job, by).args(["--no-run", "--tests"]))?.output;
    let mut caught = Tally::default();
    for model in &models {
        let Some(path) = passed.get(&(model.file.clone(), model.name.clone())) else {
            job.because(format!("{} does not pass on sound code, so its mutants prove nothing", model.name));
            continue;
        };
        let program = executable(&programs, &model.file);
        let program = program.with_context(|| format!("cargo names no program for {}", model.file))?;
        for mutant in model.mutants.iter().filter(|mutant| mutants.contains(*mutant)) {
            caught = [caught, hunt(job, by, mutant, model, program, path)?].into_iter().sum();
        }
    }
    Ok([claims, sound, caught].into_iter().sum())
}

fn read(source: &std::path::Path) -> Result<String> {
    fs::read_to_string(source).with_context(|| format!("reading {}", source.display()))
}

/// A failure for each mutant that is not claimed, and for each claim that is missing or empty.
fn claims_tally(job: &mut Job<'_>, by: &Explorer, mutants: &BTreeSet<String>, models: &[Model]) -> Tally {
    let mut broken = Vec::new();
    let unclaimed = |mutant: &&String| !models.iter().any(|model| model.mutants.contains(*mutant));
    for mutant in mutants.iter().filter(|_| by.claims_all).filter(unclaimed) {
        broken.push(format!("no model claims the mutant {mutant} of core"));
    }
    for model in models {
        if model.mutants.is_empty() {
            broken.push(format!("the model {} claims no mutant", model.name));
        }
        for unknown in model.mutants.iter().filter(|mutant| !mutants.contains(*mutant)) {
            broken.push(format!("the model {} claims {unknown}, which core does not have", model.name));
        }
    }
    for reason in &broken {
        job.because(reason);
    }
    Tally::failed(broken.len())
}

/// Runs a model on a mutant that it claims.
fn hunt(
    job: &mut Job<'_>,
    by: &Explorer,
    mutant: &str,
    model: &Model,
    program: &str,
    path: &str,
) -> Result<Tally> {
    let mut run = inside(job.context.tool(program), job, by);
    let run = preempting(run.args(["--exact", path]).env(MUTANT, mutant), MUTANT_PREEMPTIONS);
    let ended = job.step_within(run, MUTANT_LIMIT)?.ended;
    match ended {
        Ended::Failure => job.note(&format!("xtask: {} catches {mutant}", model.name))?,
        Ended::Success => job.because(format!("the mutant {mutant} survives the model {}", model.name)),
        Ended::TimedOut => {
            job.because(format!("the model {} does not end on the mutant {mutant}", model.name));
        }
    }
    Ok(Tally::one(ended == Ended::Failure))
}

/// The test program of a source file in what `cargo test --no-run` says.
fn executable<'o>(output: &'o str, file: &str) -> Option<&'o str> {
    let named =
        output.lines().filter_map(|line| line.trim_start().strip_prefix("Executable ")?.split_once(" ("));
    let mut of_file = named.filter(|(source, _)| stem(source.as_ref()) == file);
    of_file.next()?.1.strip_suffix(')')
}

/// `cargo test` of the models.
fn cargo(job: &Job<'_>, by: &Explorer) -> Command {
    let mut cargo = inside(job.context.cargo(), job, by);
    cargo.args(["test", "--locked", "--package", by.package, "--profile", "loom"]);
    cargo
}

/// The command with the tool's settings, and a folder of its own: `--cfg loom` is for every crate and changes tokio too.
fn inside(mut command: Command, job: &Job<'_>, by: &Explorer) -> Command {
    command
        .env("CARGO_TARGET_DIR", job.context.target.join(by.cfg))
        .env("RUSTFLAGS", format!("--cfg {} -C debug-assertions", by.cfg))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove(MUTANT);
    command
}

/// The command with this bound for loom, unless the caller of the task runner set another.
fn preempting(command: &mut Command, bound: u32) -> &mut Command {
    if std::env::var_os("LOOM_MAX_PREEMPTIONS").is_none() {
        command.env("LOOM_MAX_PREEMPTIONS", bound.to_string());
    }
    command
}

#[cfg(test)]
mod tests {
    use super::executable;

    #[test]
    fn the_test_program_is_read_from_what_cargo_says() {
        let output = "   Compiling seawall-loom v0.1.0 (/a/loom-tests)
    Finished `loom` profile [optimized + debuginfo] target(s) in 1.97s
  Executable tests/breaker.rs (/a (b)/target/loom/loom/deps/breaker-16)
  Executable tests/window.rs (/a (b)/target/loom/loom/deps/window-2f)
";
        assert_eq!(executable(output, "window"), Some("/a (b)/target/loom/loom/deps/window-2f"));
        assert_eq!(executable(output, "bulkhead"), None);
    }
}
