//! The benchmarks, each run once: they compile, and what they measure works.

use anyhow::Result;

use super::sources_in;
use crate::job::Job;
use crate::results::Tally;

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    let benches = sources_in(&job.context.root.join("benches/benches"))?.len();
    if benches == 0 {
        return Ok(Tally::default());
    }
    // Criterion runs each function once where it is not called by `cargo bench`.
    let mut command = job.context.cargo();
    command.args(["test", "--locked", "--package", "seawall-benches", "--benches", "--all-features"]);
    let passed = job.step(&mut command)?.passed();
    if !passed {
        job.because("a benchmark does not compile, or panics");
    }
    Ok(if passed { Tally::passed(benches) } else { Tally::failed(1) })
}
