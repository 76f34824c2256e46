//! Core's scenarios, its instruction counts and its size, on emulated microcontrollers.
//!
//! The programs stand in `on-target/`, the scenarios in `core/tests/scenarios/`.

mod elf;
mod replay;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::job::{Context, Job, Step};
use crate::process::Ended;
use crate::results::{Tally, failures, finished, sum_results};
use crate::setup::{self, Qemu};

/// A board that QEMU emulates.
struct Board {
    /// The feature of the package `on-target`.
    feature: &'static str,
    machine: &'static str,
    triple: &'static str,
    core: &'static str,
}

const BOARDS: [Board; 2] = [
    Board { feature: "lm3s6965", machine: "lm3s6965evb", triple: "thumbv7m-none-eabi", core: "Cortex-M3" },
    Board { feature: "microbit", machine: "microbit", triple: "thumbv6m-none-eabi", core: "Cortex-M0" },
];

/// The scenarios, in programs that each fit a board's flash.
const SCENARIOS: [&str; 3] = ["scenarios_1", "scenarios_2", "scenarios_3"];

/// The tests take a second; one that hangs is killed.
const LIMIT: Duration = Duration::from_secs(120);
/// Each instruction takes `2^shift` nanoseconds, so that time, and with it the interrupts, are the same in every run.
///
/// In the tests that is about one tick of `SysTick`, in the counts 1024 ns, from which `on-target/src/ticks.rs` counts back.
const SHIFT_OF_TESTS: u32 = 6;
const SHIFT_OF_COUNTS: u32 = 10;

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    let qemu = Qemu::need(job)?;
    let mut tally = Tally::default();
    let mut columns = Vec::new();
    for board in &BOARDS {
        job.progress(&format!("{}: building", board.core))?;
        let programs = build(job, board)?;
        for part in SCENARIOS {
            tally = [tally, scenarios(job, &qemu, board, &programs.join(part))?].into_iter().sum();
        }
        tally = [tally, replay::run(job, &qemu, board, &programs)?].into_iter().sum();
        let counts = counts(job, &qemu, board, &programs)?;
        tally = [tally, Tally::one(counts.is_some())].into_iter().sum();
        columns.push(counts.unwrap_or_default());
        let sizes = sizes(&programs)?;
        job.progress(&format!("{}: {sizes}", board.core))?;
    }
    job.note(&format!("\n{}", table(&columns)))?;
    Ok(tally)
}

/// The table of instruction counts, as `core/README.md` has it.
pub(crate) fn instructions() -> Result<String> {
    let context = Context::find()?;
    let mut job = Job::start(&context, "instructions")?;
    let qemu = Qemu::need(&mut job)?;
    let mut columns = Vec::new();
    for board in &BOARDS {
        job.progress(&format!("{}: building", board.core))?;
        let programs = build(&mut job, board)?;
        let Some(counts) = counts(&mut job, &qemu, board, &programs)? else { bail!(job.why()) };
        columns.push(counts);
    }
    Ok(table(&columns))
}

/// Builds the programs for the board, and returns the folder in which they lie.
fn build(job: &mut Job<'_>, board: &Board) -> Result<PathBuf> {
    let minimum = setup::release(env!("CARGO_PKG_RUST_VERSION")).context("the workspace's rust-version")?;
    let bare = setup::bare_metal(job, board.triple, minimum)?;
    let target = job.context.target.join("on-target");
    let mut cargo = job.context.cargo();
    cargo.args(["build", "--locked", "--release", "--target", board.triple, "--features", board.feature]);
    cargo.arg("--manifest-path").arg(job.context.root.join("on-target").join("Cargo.toml"));
    cargo.env("CARGO_TARGET_DIR", &target);
    bare.apply(&mut cargo);
    setup::need_linker(job, &bare, board.triple, &mut cargo)?;
    job.must(&mut cargo)?;
    Ok(target.join(board.triple).join("release"))
}

/// One program on a fresh machine, told from which test on to run.
fn emulate(qemu: &Qemu, board: &Board, program: &Path, shift: u32, first: usize) -> Command {
    let mut command = qemu.command();
    command.args(["-M", board.machine, "-nographic", "-monitor", "none", "-serial", "none"]);
    command.arg("-icount").arg(format!("shift={shift},sleep=off"));
    command.arg("-semihosting-config").arg(format!("enable=on,target=native,arg=on-target,arg={first}"));
    command.arg("-kernel").arg(program);
    command
}

/// Runs every test of the board; one that panics ends the program, and the rest run on another machine.
fn scenarios(job: &mut Job<'_>, qemu: &Qemu, board: &Board, program: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    loop {
        let first = tally.count();
        let step = job.step_within(&mut emulate(qemu, board, program, SHIFT_OF_TESTS, first), LIMIT)?;
        let counted = counted(&step);
        tally = [tally, counted].into_iter().sum();
        if counted.failed == 0 {
            return Ok(tally);
        }
        if let Some(test) = finished(&step.output).iter().find(|test| !test.passed) {
            job.because_of(format!("{} failed on {}", test.path, board.core), failures(&step.output));
        } else {
            let last = unfinished(&step.output).unwrap_or("the program");
            job.because(format!("{last} did not end on {}", board.core));
        }
        if step.ended == Ended::TimedOut {
            return Ok(tally);
        }
    }
}

/// What a run counted; a program that did not come to its result ended in the test after those that passed.
fn counted(step: &Step) -> Tally {
    let counted = sum_results(&step.output);
    let has_result = step.output.lines().any(|line| line.starts_with("test result: "));
    if has_result && step.passed() == (counted.failed == 0) {
        return counted;
    }
    let passed = finished(&step.output).iter().filter(|test| test.passed).count();
    Tally { passed, ..Tally::failed(1) }
}

/// The test that began and did not end.
fn unfinished(output: &str) -> Option<&str> {
    output.lines().last()?.strip_prefix("test ")?.strip_suffix(" ... ")
}

/// Names and instruction counts, or `None` where the program failed.
fn counts(job: &mut Job<'_>, qemu: &Qemu, board: &Board, programs: &Path) -> Result<Option<Vec<Count>>> {
    let program = programs.join("instructions");
    let step = job.step_within(&mut emulate(qemu, board, &program, SHIFT_OF_COUNTS, 0), LIMIT)?;
    let counts: Vec<Count> = step.output.lines().filter_map(count_line).collect();
    if !step.passed() || counts.is_empty() {
        job.because(format!("the instructions could not be counted on {}", board.core));
        return Ok(None);
    }
    Ok(Some(counts))
}

type Count = (String, u32);

/// A line such as `instructions     24 histogram: record`.
fn count_line(line: &str) -> Option<Count> {
    let (number, name) = line.strip_prefix("instructions ")?.trim_start().split_once(' ')?;
    Some((name.to_owned(), number.parse().ok()?))
}

/// A column for each board; the first one names the rows.
fn table(columns: &[Vec<Count>]) -> String {
    let cores: Vec<&str> = BOARDS.iter().map(|board| board.core).collect();
    let mut table =
        format!("| instructions | {} |\n|---|{}\n", cores.join(" | "), "---:|".repeat(cores.len()));
    for (name, _) in columns.iter().max_by_key(|column| column.len()).into_iter().flatten() {
        let cells = columns.iter().map(|column| {
            let count = column.iter().find(|(other, _)| other == name);
            count.map_or_else(|| "–".to_owned(), |(_, count)| count.to_string())
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(table, "| {name} | {} |", cells.join(" | "));
    }
    table
}

/// What a guard adds to a program that does nothing.
fn sizes(programs: &Path) -> Result<String> {
    let of = |name: &str| {
        let path = programs.join(name);
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        elf::sizes(&bytes).with_context(|| format!("{} is no program for 32 bits", path.display()))
    };
    let (with, without) = (of("one_guard")?, of("empty")?);
    Ok(format!(
        "a program with one guard is {} bytes of flash and {} of RAM; without it {} and {}",
        with.flash, with.ram, without.flash, without.ram
    ))
}

#[cfg(test)]
mod tests {
    use super::{count_line, counted, table, unfinished};
    use crate::job::Step;
    use crate::process::Ended;
    use crate::results::Tally;

    fn step(ended: Ended, output: &str) -> Step {
        Step { ended, output: output.to_owned() }
    }

    #[test]
    fn a_run_counts_as_its_result_and_its_exit_say() {
        let passed = "running 1 tests\ntest a::b ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        assert_eq!(counted(&step(Ended::Success, passed)), Tally::passed(1));
        assert_eq!(counted(&step(Ended::Failure, passed)), Tally { passed: 1, failed: 1, skipped: 0 });
        let failed = "test a ... ok\ntest b ... FAILED\n\nfailures:\nx\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n";
        assert_eq!(counted(&step(Ended::Failure, failed)), Tally { passed: 1, failed: 1, skipped: 0 });
        assert_eq!(counted(&step(Ended::Success, failed)), Tally { passed: 1, failed: 1, skipped: 0 });
    }

    #[test]
    fn a_run_without_a_result_failed_in_the_test_that_did_not_end() {
        let hangs = "running 3 tests\ntest a::b ... ok\ntest a::c ... ";
        assert_eq!(counted(&step(Ended::TimedOut, hangs)), Tally { passed: 1, failed: 1, skipped: 0 });
        assert_eq!(unfinished(hangs), Some("a::c"));
        assert_eq!(counted(&step(Ended::Success, "")), Tally::failed(1));
        assert_eq!(unfinished("test a ... ok"), None);
    }

    #[test]
    fn counts_become_a_table() {
        let m3 = vec![count_line("instructions     24 histogram: record"), count_line("test a ... ok")];
        let m3: Vec<_> = m3.into_iter().flatten().collect();
        assert_eq!(
            table(&[m3, Vec::new()]),
            "| instructions | Cortex-M3 | Cortex-M0 |\n|---|---:|---:|\n| histogram: record | 24 | – |\n"
        );
    }
}
