//! House rules that no compiler knows, each a search over the files that git tracks or would track.

mod named;
mod rules;

use std::fs;

use anyhow::{Context as _, Result};

use crate::job::Job;
use crate::results::Tally;
use crate::setup::Missing;
use rules::RULES;

/// The rules name what they forbid, so this is the one place where it may stand.
const EXEMPT: &str = "xtask/src/rungs/tidy/";
/// Beyond this a source file has a second room in it.
const MOST_LINES: usize = 600;
/// Tests are read one at a time, so a file of them may be longer.
const MOST_LINES_OF_TESTS: usize = 900;

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    let files = text_files(job)?;
    let mut tally = Tally::default();
    let mut settle = |job: &mut Job<'_>, rule: &str, breaches: &[String]| {
        for breach in breaches {
            job.because(format!("{breach}: {rule}"));
        }
        tally = [tally, Tally::one(breaches.is_empty())].into_iter().sum();
    };
    for rule in RULES {
        let mut breaches = Vec::new();
        for (path, text) in files.iter().filter(|(path, _)| (rule.scope)(path) && !path.starts_with(EXEMPT)) {
            let lines = text.lines().enumerate().filter(|(_, line)| (rule.breach)(line));
            breaches.extend(lines.map(|(at, _)| format!("{path}:{}", at + 1)));
        }
        settle(job, rule.says, &breaches);
    }
    let long = |(path, text): &(String, String)| {
        let lines = text.lines().count();
        let tests = path.ends_with("tests.rs") || path.contains("/tests/");
        let most = if tests { MOST_LINES_OF_TESTS } else { MOST_LINES };
        (rules::rust(path) && lines > most).then(|| format!("{path} ({lines} lines, at most {most})"))
    };
    let long: Vec<String> = files.iter().filter_map(long).collect();
    settle(job, "a file is too long to be about one thing", &long);
    let misnamed = |(path, _): &(String, String)| path.ends_with("/mod.rs").then(|| path.clone());
    let misnamed: Vec<String> = files.iter().filter_map(misnamed).collect();
    settle(job, "a module is named after its folder's file, never mod.rs", &misnamed);
    for page in named::PAGES {
        let found = files.iter().find(|(path, _)| path == page);
        let missing = found.map_or_else(|| vec![String::new()], |(_, text)| named::missing(text, &files));
        let missing: Vec<String> = missing.iter().map(|name| format!("{page} {name}")).collect();
        settle(job, "it is named as a test, and is not there", &missing);
    }
    let unguarded: Vec<String> = ["#![no_std]", "#![forbid(unsafe_code)]"]
        .into_iter()
        .filter(|line| {
            !files.iter().any(|(path, text)| path == "core/src/lib.rs" && text.lines().any(|it| it == *line))
        })
        .map(|line| format!("core/src/lib.rs lacks {line}"))
        .collect();
    settle(job, "core is without std and without unsafe code, unconditionally", &unguarded);
    if job.context.ci {
        // Building this very program brings the lock file up to date; on a clean clone that has to change nothing.
        let stale = changed_locks(job)?;
        settle(job, "a lock file is out of date", &stale);
    }
    Ok(tally)
}

/// The path and the text of every file that is tracked, or neither tracked nor ignored.
fn text_files(job: &mut Job<'_>) -> Result<Vec<(String, String)>> {
    let listing = git(job, &["ls-files", "--cached", "--others", "--exclude-standard", "-z"])?;
    let mut files = Vec::new();
    for path in listing.split('\0').filter(|path| !path.is_empty()) {
        // A file that is deleted but not yet committed is still listed, and a picture is no text.
        let Ok(bytes) = fs::read(job.context.root.join(path)) else { continue };
        if let Ok(text) = String::from_utf8(bytes) {
            files.push((path.to_owned(), text));
        }
    }
    Ok(files)
}

fn changed_locks(job: &mut Job<'_>) -> Result<Vec<String>> {
    let locks = ["Cargo.lock", "fuzz/Cargo.lock", "on-target/Cargo.lock"];
    let changed = git(job, &[&["diff", "--name-only", "HEAD", "--"], &locks[..]].concat())?;
    Ok(changed.lines().map(str::to_owned).collect())
}

fn git(job: &mut Job<'_>, words: &[&str]) -> Result<String> {
    let output = std::process::Command::new("git").args(words).current_dir(&job.context.root).output();
    let output =
        output.map_err(|_| Missing("no git: the files to search are the ones it tracks".to_owned()))?;
    if !output.status.success() {
        job.note(&String::from_utf8_lossy(&output.stderr))?;
        anyhow::bail!("`git {}` failed", words.join(" "));
    }
    String::from_utf8(output.stdout).context("git prints file names that are not UTF-8")
}
