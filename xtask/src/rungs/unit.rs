//! The ordinary tests.

use anyhow::Result;

use super::tests_of;
use crate::job::Job;
use crate::results::Tally;
use crate::wrapper;

/// Every unit, property, integration and doc test, in the profile that checks for overflow.
pub(crate) fn unit(job: &mut Job<'_>) -> Result<Tally> {
    let mut command = job.context.cargo();
    command.args(["test", "--locked", "--workspace", "--all-features", "--no-fail-fast"]);
    let step = job.step(&mut command)?;
    Ok(tests_of(job, &step))
}

/// Core once more as firmware has it: with words of 32 bits, and on the compiler's own atomics.
pub(crate) fn narrow(job: &mut Job<'_>) -> Result<Tally> {
    let mut command = job.context.cargo();
    command.args(["test", "--locked", "--package", "seawall-core", "--lib", "--tests", "--no-fail-fast"]);
    wrapper::apply(&mut command, &job.context.wrappers())?;
    let step = job.step(&mut command)?;
    Ok(tests_of(job, &step))
}
