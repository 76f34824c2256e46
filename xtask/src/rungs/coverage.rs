//! Which lines of core its tests come to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::job::{Context, Job};
use crate::setup;

const VERSION: &str = "0.9.1";
/// The least share of the lines, in percent.
const LEAST: f64 = 95.0;

/// The lines of a file, and those among them that ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lines {
    all: u32,
    ran: u32,
}

impl Lines {
    fn percent(self) -> f64 {
        if self.all == 0 { 100.0 } else { f64::from(self.ran) * 100.0 / f64::from(self.all) }
    }
}

/// Runs core's tests with counters in each line, and returns the table and whether there are enough.
///
/// Lines of tests are not counted, and documentation tests do not count: they show how, and assert little.
pub(crate) fn coverage() -> Result<(String, bool)> {
    let context = Context::find()?;
    let mut job = Job::start(&context, "coverage")?;
    let (llvm_cov, llvm_profdata) = setup::llvm_tools(&mut job)?;
    let tool = setup::cargo_tool(&mut job, "cargo-llvm-cov", VERSION)?;
    let report = context.target.join("xtask").join("coverage.lcov");
    job.progress("running core's tests with a counter in each line")?;
    let mut command = context.tool(&tool);
    command.args(["llvm-cov", "--locked", "--package", "seawall-core", "--all-features", "--lib", "--tests"]);
    command.args(["--lcov", "--output-path"]).arg(&report);
    command.env("LLVM_COV", llvm_cov).env("LLVM_PROFDATA", llvm_profdata);
    if job.must(&mut command).is_err() {
        job.explain();
        bail!("{}", job.why());
    }
    let text = std::fs::read_to_string(&report).with_context(|| format!("reading {}", report.display()))?;
    let files = files_of(&text, &context.root.join("core").join("src"));
    let whole = sum(&files);
    if whole.all == 0 {
        bail!("the report names no line of core: see {}", report.display());
    }
    Ok((table(&files, whole), whole.percent() >= LEAST))
}

/// The lines of each file of core that is no test, in a report in the format of lcov.
fn files_of(report: &str, core: &std::path::Path) -> BTreeMap<PathBuf, Lines> {
    let mut files = BTreeMap::new();
    let mut file: Option<PathBuf> = None;
    for line in report.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            let path = std::path::Path::new(path).strip_prefix(core).ok();
            file = path.filter(|path| !path.ends_with("tests.rs")).map(PathBuf::from);
        } else if let (Some(file), Some(counted)) = (&file, line.strip_prefix("DA:")) {
            let lines: &mut Lines = files.entry(file.clone()).or_default();
            let runs = counted.split(',').nth(1).and_then(|runs| runs.parse::<u64>().ok()).unwrap_or(0);
            lines.all += 1;
            lines.ran += u32::from(runs > 0);
        }
    }
    files
}

fn sum(files: &BTreeMap<PathBuf, Lines>) -> Lines {
    files
        .values()
        .fold(Lines::default(), |sum, lines| Lines { all: sum.all + lines.all, ran: sum.ran + lines.ran })
}

fn table(files: &BTreeMap<PathBuf, Lines>, whole: Lines) -> String {
    let mut table = String::from("| file | lines | not run | share |\n|---|---:|---:|---:|\n");
    let mut row = |name: &str, lines: Lines| {
        let _ = writeln!(
            table,
            "| {name} | {} | {} | {:.1} % |",
            lines.all,
            lines.all - lines.ran,
            lines.percent()
        );
    };
    for (file, lines) in files {
        row(&file.display().to_string(), *lines);
    }
    row("all of core", whole);
    let verdict = if whole.percent() >= LEAST { "enough" } else { "too few" };
    let _ = writeln!(table, "\n{verdict}: {LEAST:.0} % of the lines must run");
    table
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Lines, files_of, sum, table};

    const REPORT: &str = "SF:/x/core/src/a.rs\nDA:1,4\nDA:2,0\nDA:3,1\nend_of_record\n\
        SF:/x/core/src/a/tests.rs\nDA:1,0\nend_of_record\nSF:/x/other/src/b.rs\nDA:1,0\nend_of_record\n\
        SF:/x/core/src/c/d.rs\nDA:9,1\nend_of_record\n";

    #[test]
    fn lines_of_tests_and_of_other_packages_do_not_count() {
        let files = files_of(REPORT, Path::new("/x/core/src"));
        assert_eq!(files.get(Path::new("a.rs")), Some(&Lines { all: 3, ran: 2 }));
        assert_eq!(sum(&files), Lines { all: 4, ran: 3 });
        let table = table(&files, sum(&files));
        assert!(table.contains("| a.rs | 3 | 1 | 66.7 % |\n| c/d.rs | 1 | 0 | 100.0 % |\n"), "{table}");
        assert!(
            table.ends_with("| all of core | 4 | 1 | 75.0 % |\n\ntoo few: 95 % of the lines must run\n"),
            "{table}"
        );
    }
}
