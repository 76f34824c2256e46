//! The release build of the program, and its tests as processes on real sockets.

use anyhow::Result;

use super::{sources_in, tests_of};
use crate::job::Job;
use crate::results::Tally;

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    let mut command = job.context.cargo();
    let built =
        job.step(command.args(["build", "--locked", "--release", "--package", "seawall-cli"]))?.passed();
    if !built {
        job.because("the release build fails");
        return Ok(Tally::failed(1));
    }
    if sources_in(&job.context.root.join("cli/tests"))?.is_empty() {
        return Ok(Tally::passed(1));
    }
    let mut command = job.context.cargo();
    command.args([
        "test",
        "--locked",
        "--release",
        "--package",
        "seawall-cli",
        "--test",
        "*",
        "--no-fail-fast",
    ]);
    let step = job.step(&mut command)?;
    Ok([Tally::passed(1), tests_of(job, &step)].into_iter().sum())
}
