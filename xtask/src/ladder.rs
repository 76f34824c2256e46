//! The rungs, their order, and what a climb reports.

use std::time::Instant;

use anyhow::Result;

use crate::job::{Context, Job};
use crate::results::Tally;
use crate::rungs::{bench, cross, deny, e2e, features, fuzz, lint, loom, target, tidy, tsan, unit};
use crate::setup::Missing;
use crate::table::{Row, Verdict};

/// One check that anyone can run by its name.
pub(crate) struct Rung {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&mut Job<'_>) -> Result<Tally>,
}

/// Every rung, the cheapest first.
pub(crate) const LADDER: &[Rung] = &[
    Rung { name: "fmt", about: "rustfmt would change nothing", run: lint::fmt },
    Rung { name: "tidy", about: "house rules that no compiler knows", run: tidy::run },
    Rung { name: "deny", about: "licenses, sources and bans of every dependency", run: deny::run },
    Rung { name: "clippy", about: "clippy on all targets and features, no warning", run: lint::clippy },
    Rung { name: "unit", about: "unit, property and doc tests, overflow checks on", run: unit::unit },
    Rung {
        name: "narrow",
        about: "core's tests again, on 32-bit words and the plain backend",
        run: unit::narrow,
    },
    Rung { name: "features", about: "each feature of each published package alone", run: features::run },
    Rung { name: "docs", about: "rustdoc without a warning", run: lint::docs },
    Rung {
        name: "loom",
        about: "every interleaving of the models, and each planted mutant caught",
        run: loom::run,
    },
    Rung {
        name: "shuttle",
        about: "thousands of orders of the larger models, and their mutants caught",
        run: loom::shuttle,
    },
    Rung { name: "cross", about: "core and the embassy adapter for Cortex-M and RISC-V", run: cross::run },
    Rung {
        name: "target",
        about: "core's scenarios on an emulated Cortex-M3 and Cortex-M0",
        run: target::run,
    },
    Rung { name: "tsan", about: "threads hammer each pattern, under the thread sanitizer", run: tsan::run },
    Rung { name: "e2e", about: "the release build as processes on real sockets", run: e2e::run },
    Rung { name: "fuzz", about: "each fuzz target, from its corpus, for some seconds", run: fuzz::run },
    Rung { name: "bench", about: "each benchmark once", run: bench::run },
];

/// What a change should pass before it is shown to anyone: a few minutes.
pub(crate) const PREFLIGHT: &[&str] = &["fmt", "tidy", "clippy", "unit"];

/// The rungs of these names in the ladder's order, or all of them if `names` is empty.
///
/// # Errors
/// The first name that is no rung.
pub(crate) fn select<'n>(names: &[&'n str]) -> Result<Vec<&'static Rung>, &'n str> {
    if let Some(unknown) = names.iter().find(|name| !LADDER.iter().any(|rung| rung.name == **name)) {
        return Err(unknown);
    }
    Ok(LADDER.iter().filter(|rung| names.is_empty() || names.contains(&rung.name)).collect())
}

/// Runs the rungs one after the other, prints the table and the closing line, and says whether all passed.
pub(crate) fn climb(rungs: &[&Rung]) -> Result<bool> {
    let context = Context::find()?;
    let mut rows = Vec::with_capacity(rungs.len());
    for (at, rung) in rungs.iter().enumerate() {
        println!("[{}/{}] {}: {}", at + 1, rungs.len(), rung.name, rung.about);
        let row = climb_one(&context, rung)?;
        println!("{:8}{}: {}, {:.1} s", "", row.name, row.verdict, row.seconds);
        rows.push(row);
    }
    println!("\n{}", crate::table::render(&rows));
    let total: Tally = rows.iter().map(|row| row.tally).sum();
    println!("{total}");
    Ok(total.failed == 0)
}

fn climb_one(context: &Context, rung: &Rung) -> Result<Row> {
    let mut job = Job::start(context, rung.name)?;
    let started = Instant::now();
    let outcome = (rung.run)(&mut job);
    let seconds = started.elapsed().as_secs_f64();
    let (tally, verdict) = settle(outcome, context.ci, job.why());
    if matches!(verdict, Verdict::Failed(_)) {
        job.explain();
    }
    Ok(Row { name: rung.name, tally, seconds, verdict })
}

/// What a rung's outcome counts as: `why` is its reason for failed checks, and in CI there is no skipping.
fn settle(outcome: Result<Tally>, ci: bool, why: String) -> (Tally, Verdict) {
    match outcome {
        Ok(tally) if tally.failed > 0 => (tally, Verdict::Failed(why)),
        Ok(tally) if tally.skipped > 0 && ci => {
            let failed = Tally { failed: tally.skipped, skipped: 0, ..tally };
            (failed, Verdict::Failed(format!("{} skipped, and CI=true allows no skip", tally.skipped)))
        }
        // What finds its own work and found none has checked nothing.
        Ok(tally) if tally.count() == 0 => {
            (Tally::failed(1), Verdict::Failed("found nothing to run".to_owned()))
        }
        Ok(tally) => (tally, Verdict::Passed),
        Err(error) => match error.downcast_ref::<Missing>() {
            Some(missing) if ci => {
                (Tally::failed(1), Verdict::Failed(format!("skipped, and CI=true allows no skip: {missing}")))
            }
            Some(missing) => (Tally::skipped(1), Verdict::Skipped(missing.to_string())),
            None => (Tally::failed(1), Verdict::Failed(format!("{error:#}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::{LADDER, PREFLIGHT, select, settle};
    use crate::results::Tally;
    use crate::setup::Missing;

    #[test]
    fn names_are_unique_and_preflight_is_part_of_the_ladder() {
        for (at, rung) in LADDER.iter().enumerate() {
            assert!(LADDER[at + 1..].iter().all(|other| other.name != rung.name), "{} twice", rung.name);
        }
        assert_eq!(select(PREFLIGHT).map(|rungs| rungs.len()), Ok(PREFLIGHT.len()));
    }

    #[test]
    fn selection_keeps_the_ladders_order_and_refuses_unknown_names() {
        let names = |wanted: &[&'static str]| {
            select(wanted).map(|rungs| rungs.iter().map(|rung| rung.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["loom", "fmt"]), Ok(vec!["fmt", "loom"]));
        assert_eq!(names(&[]).map(|all| all.len()), Ok(LADDER.len()));
        assert_eq!(names(&["fmt", "lint"]), Err("lint"));
    }

    #[test]
    fn a_skip_is_loud_and_fails_in_ci() {
        let settled = |outcome, ci| {
            let (tally, verdict) = settle(outcome, ci, "a test failed".to_owned());
            (tally, verdict.to_string())
        };
        let missing = || Err(Missing("no lld: get it".to_owned()).into());
        assert_eq!(settled(missing(), false), (Tally::skipped(1), "SKIPPED: no lld: get it".to_owned()));
        assert_eq!(settled(missing(), true).0, Tally::failed(1));
        let ignored = Tally { passed: 4, failed: 0, skipped: 2 };
        assert_eq!(settled(Ok(ignored), false), (ignored, "ok".to_owned()));
        assert_eq!(settled(Ok(ignored), true).0, Tally { passed: 4, failed: 2, skipped: 0 });
    }

    #[test]
    fn failures_errors_and_empty_rungs_fail() {
        for ci in [false, true] {
            let failed = Tally { passed: 4, failed: 1, skipped: 0 };
            let (tally, verdict) = settle(Ok(failed), ci, "a test failed".to_owned());
            assert_eq!((tally, verdict.to_string()), (failed, "FAILED: a test failed".to_owned()));
            assert_eq!(settle(Err(anyhow!("no disk")), ci, String::new()).0, Tally::failed(1));
            assert_eq!(settle(Ok(Tally::default()), ci, String::new()).0, Tally::failed(1));
            assert_eq!(settle(Ok(Tally::passed(3)), ci, String::new()).0, Tally::passed(3));
        }
    }
}
