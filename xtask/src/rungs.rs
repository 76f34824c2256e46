//! The rungs, a file for each subject.

pub(crate) mod bench;
pub(crate) mod coverage;
pub(crate) mod cross;
pub(crate) mod deny;
pub(crate) mod e2e;
pub(crate) mod features;
pub(crate) mod fuzz;
pub(crate) mod lint;
pub(crate) mod loom;
pub(crate) mod mutants;
pub(crate) mod target;
pub(crate) mod tidy;
pub(crate) mod tsan;
pub(crate) mod unit;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::job::{Job, Step};
use crate::results::{Tally, failures, finished, sum_results};

/// What `cargo test` counted, or one failure where it did not come to counting.
fn tests_of(job: &mut Job<'_>, step: &Step) -> Tally {
    let tally = sum_results(&step.output);
    if step.passed() {
        return tally;
    }
    for test in finished(&step.output).iter().filter(|test| !test.passed) {
        job.because_of(format!("{} failed ({})", test.path, test.file), failures(&step.output));
    }
    if tally.failed == 0 {
        job.because("the tests did not compile, or a test program died");
        return Tally { failed: 1, ..tally };
    }
    tally
}

/// The Rust sources directly in a folder, sorted; none where there is no such folder.
fn sources_in(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut sources = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("listing {}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

/// Every Rust source under a folder, sorted.
fn sources_under(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut sources = sources_in(folder)?;
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("listing {}", folder.display()))?.path();
        if path.is_dir() {
            sources.extend(sources_under(&path)?);
        }
    }
    sources.sort();
    Ok(sources)
}

/// The name of a source file without its extension.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
