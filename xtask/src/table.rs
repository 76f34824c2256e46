//! The table that ends a climb.

use std::fmt::{self, Write as _};

use crate::results::Tally;

/// How a rung ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passed,
    /// Why it failed, in one line.
    Failed(String),
    /// What is missing, and how to get it.
    Skipped(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("ok"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
            Self::Skipped(why) => write!(f, "SKIPPED: {why}"),
        }
    }
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) tally: Tally,
    pub(crate) seconds: f64,
    pub(crate) verdict: Verdict,
}

/// The rows under a heading, and their sum, in columns.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut text = format!("{:<8} {:>6} {:>8}  result\n", "rung", "count", "seconds");
    for Row { name, tally, seconds, verdict } in rows {
        let _ = writeln!(text, "{name:<8} {:>6} {seconds:>8.1}  {verdict}", tally.count());
    }
    let count: usize = rows.iter().map(|row| row.tally.count()).sum();
    let seconds: f64 = rows.iter().map(|row| row.seconds).sum();
    let _ = writeln!(text, "{:<8} {count:>6} {seconds:>8.1}", "all");
    text
}

#[cfg(test)]
mod tests {
    use super::{Row, Verdict, render};
    use crate::results::Tally;

    #[test]
    fn a_table_shows_each_verdict_and_the_sums() {
        let row = |name, tally, seconds, verdict| Row { name, tally, seconds, verdict };
        let rows = [
            row("fmt", Tally::passed(1), 0.44, Verdict::Passed),
            row(
                "unit",
                Tally { passed: 120, failed: 2, skipped: 0 },
                61.0,
                Verdict::Failed("2 tests failed".to_owned()),
            ),
            row("cross", Tally::skipped(1), 0.0, Verdict::Skipped("no target".to_owned())),
        ];
        let expected = "\
rung      count  seconds  result
fmt           1      0.4  ok
unit        122     61.0  FAILED: 2 tests failed
cross         1      0.0  SKIPPED: no target
all         124     61.4
";
        assert_eq!(render(&rows), expected);
    }
}
