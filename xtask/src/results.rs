//! Counts, and the lines of test programs that they are read from.

use std::fmt;
use std::iter::Sum;

/// How many checks passed, failed, and were not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Tally {
    pub(crate) const fn passed(passed: usize) -> Self {
        Self { passed, failed: 0, skipped: 0 }
    }

    pub(crate) const fn failed(failed: usize) -> Self {
        Self { passed: 0, failed, skipped: 0 }
    }

    pub(crate) const fn skipped(skipped: usize) -> Self {
        Self { passed: 0, failed: 0, skipped }
    }

    /// One check that passed or failed.
    pub(crate) const fn one(passed: bool) -> Self {
        if passed { Self::passed(1) } else { Self::failed(1) }
    }

    pub(crate) const fn count(self) -> usize {
        self.passed + self.failed + self.skipped
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |sum, part| Self {
            passed: sum.passed + part.passed,
            failed: sum.failed + part.failed,
            skipped: sum.skipped + part.skipped,
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// The sum of the `test result:` lines in the output of `cargo test`.
///
/// A test that its program ignores counts as skipped.
pub(crate) fn sum_results(output: &str) -> Tally {
    output.lines().filter_map(result_line).sum()
}

fn result_line(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut tally = Tally::default();
    for part in counts.split(';') {
        let mut words = part.split_whitespace();
        let (Some(number), Some(word)) = (words.next(), words.next()) else { continue };
        let Ok(number) = number.parse() else { continue };
        match word {
            "passed" => tally.passed = number,
            "failed" => tally.failed = number,
            "ignored" => tally.skipped = number,
            _ => {}
        }
    }
    Some(tally)
}

/// One finished test: the source file of its program where cargo named it, its path, and whether it passed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finished<'o> {
    pub(crate) file: &'o str,
    pub(crate) path: &'o str,
    pub(crate) passed: bool,
}

/// The tests that ended, in the order of the output of `cargo test`.
pub(crate) fn finished(output: &str) -> Vec<Finished<'_>> {
    let mut file = "";
    let mut tests = Vec::new();
    for line in output.lines() {
        if let Some(running) = line.trim_start().strip_prefix("Running ") {
            let running = running.strip_prefix("unittests ").unwrap_or(running);
            file = running.split_once(" (").map_or(running, |(file, _)| file);
        } else if let Some((path, verdict)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
        {
            let path = path.strip_suffix(" - should panic").unwrap_or(path);
            match verdict {
                "ok" => tests.push(Finished { file, path, passed: true }),
                "FAILED" => tests.push(Finished { file, path, passed: false }),
                _ => {}
            }
        }
    }
    tests
}

/// What the failing tests printed: each test program's part from `failures:` to its result.
pub(crate) fn failures(output: &str) -> String {
    let mut inside = false;
    let mut text = String::new();
    for line in output.lines() {
        inside |= line == "failures:";
        if inside {
            text.push_str(line);
            text.push('\n');
        }
        inside &= !line.starts_with("test result: ");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Finished, Tally, failures, finished, sum_results};

    const OUTPUT: &str = "
   Compiling seawall-core v0.1.0
     Running unittests src/lib.rs (target/debug/deps/seawall_core-0a)

running 3 tests
test bits::tests::a_field_reads_back ... ok
test measure::window::tests::rotation ... FAILED
test slow ... ignored

failures:

---- measure::window::tests::rotation stdout ----
thread panicked at core/src/measure/window.rs:7:9

failures:
    measure::window::tests::rotation

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s

     Running tests/breaker.rs (target/debug/deps/breaker-1b)
test trips - should panic ... ok

test result: ok. 41 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 1.10s
";

    #[test]
    fn result_lines_add_up() {
        assert_eq!(sum_results(OUTPUT), Tally { passed: 42, failed: 1, skipped: 1 });
        assert_eq!(sum_results("error: could not compile"), Tally::default());
        assert_eq!(sum_results("the test result: ok. 5 passed"), Tally::default());
    }

    #[test]
    fn finished_tests_know_their_file() {
        assert_eq!(
            finished(OUTPUT),
            [
                Finished { file: "src/lib.rs", path: "bits::tests::a_field_reads_back", passed: true },
                Finished { file: "src/lib.rs", path: "measure::window::tests::rotation", passed: false },
                Finished { file: "tests/breaker.rs", path: "trips", passed: true },
            ]
        );
    }

    #[test]
    fn failures_are_cut_out_of_the_output() {
        let text = failures(OUTPUT);
        assert!(
            text.starts_with(
                "failures:\n\n---- measure::window::tests::rotation stdout ----\nthread panicked"
            )
        );
        assert!(text.ends_with("1 ignored; 0 measured; 0 filtered out; finished in 0.02s\n"));
        assert_eq!(failures("test result: ok. 1 passed; 0 failed"), "");
    }

    #[test]
    fn the_closing_line_names_skips_only_if_there_are_any() {
        assert_eq!(Tally::passed(12).to_string(), "12 passed, 0 failed");
        let some = Tally { passed: 3, failed: 1, skipped: 2 };
        assert_eq!(some.to_string(), "3 passed, 1 failed, 2 skipped");
    }
}
