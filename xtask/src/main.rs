//! The task runner: `cargo xtask test` climbs the ladder of checks, and everything else here serves it.
//!
//! Run without arguments for the list of commands.

mod job;
mod ladder;
mod process;
mod results;
mod rungs;
mod setup;
mod table;
mod wrapper;

use std::process::ExitCode;

use ladder::{LADDER, PREFLIGHT};

const HELP: &str = "\
cargo xtask test [RUNG…]   runs every rung of the ladder, or the rungs named
cargo xtask preflight      runs the rungs that a change should pass before it is shown to anyone
cargo xtask list           lists the rungs
cargo xtask coverage       prints which share of core's lines its tests run; it must be 95 %
cargo xtask mutants [FILE…] plants small mistakes in core, for hours, and prints those that no test notices
cargo xtask instructions   prints how many instructions each pattern takes on a Cortex-M3 and a Cortex-M0

With CI=true a rung that is skipped counts as failed.
";

fn main() -> ExitCode {
    if let Some(code) = wrapper::run_as_rustc() {
        return code;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["help" | "-h" | "--help"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        ["list"] => {
            for rung in LADDER {
                println!("{:<9} {}", rung.name, rung.about);
            }
            ExitCode::SUCCESS
        }
        ["instructions"] => match rungs::target::instructions() {
            Ok(table) => {
                print!("{table}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("xtask: {error:#}");
                ExitCode::FAILURE
            }
        },
        ["coverage"] => match rungs::coverage::coverage() {
            Ok((table, enough)) => {
                print!("{table}");
                if enough { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => {
                eprintln!("xtask: {error:#}");
                ExitCode::FAILURE
            }
        },
        ["mutants", files @ ..] => match rungs::mutants::mutants(files) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("xtask: {error:#}");
                ExitCode::FAILURE
            }
        },
        ["preflight"] => climb(PREFLIGHT),
        ["test"] => climb(&[]),
        ["test", names @ ..] => climb(names),
        [other, ..] => {
            eprintln!("xtask: unknown command `{other}`\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

/// Runs the named rungs in the ladder's order; all of them if none is named.
fn climb(names: &[&str]) -> ExitCode {
    let rungs = match ladder::select(names) {
        Ok(rungs) => rungs,
        Err(unknown) => {
            let known: Vec<&str> = LADDER.iter().map(|rung| rung.name).collect();
            eprintln!("xtask: unknown rung `{unknown}`; the rungs are {}", known.join(", "));
            return ExitCode::from(2);
        }
    };
    match ladder::climb(&rungs) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
