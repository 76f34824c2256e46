//! Each feature of each published package by itself, since a user seldom takes all of them.

use std::fs;

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use crate::job::Job;
use crate::results::Tally;
use crate::setup;

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    setup::need_component(job, "clippy", "clippy")?;
    let workspace = manifest(job, "Cargo.toml")?;
    let members = workspace.get("workspace").and_then(|it| it.get("members")).and_then(Value::as_array);
    let mut tally = Tally::default();
    for member in members.context("the workspace lists its members")?.iter().filter_map(Value::as_str) {
        let Some((package, features)) = published(&manifest(job, &format!("{member}/Cargo.toml"))?) else {
            continue;
        };
        // The tests are left out: they may lean on dev-dependencies that turn features on.
        // Core has two features and firmware takes any of them: the combination is built, too.
        let both = (features.len() == 2).then(|| features.join(","));
        for feature in std::iter::once(String::new()).chain(both).chain(features) {
            let mut command = job.context.cargo();
            command.args(["clippy", "--locked", "--no-default-features", "--package", &package]);
            command.args(["--features", &feature, "--", "-D", "warnings"]);
            let passed = job.step(&mut command)?.passed();
            if !passed {
                let shown = if feature.is_empty() { "without features" } else { &feature };
                job.because(format!("{package} {shown}: warnings, or code that does not compile"));
            }
            tally = [tally, Tally::one(passed)].into_iter().sum();
        }
    }
    Ok(tally)
}

fn manifest(job: &Job<'_>, path: &str) -> Result<Table> {
    let text = fs::read_to_string(job.context.root.join(path)).with_context(|| format!("reading {path}"))?;
    text.parse().with_context(|| path.to_owned())
}

/// The name and the features of a package, or `None` where it is never published.
fn published(manifest: &Table) -> Option<(String, Vec<String>)> {
    let package = manifest.get("package")?;
    if package.get("publish").and_then(Value::as_bool) == Some(false) {
        return None;
    }
    let name = package.get("name")?.as_str()?.to_owned();
    let features = manifest.get("features").and_then(Value::as_table);
    Some((name, features.map(|table| table.keys().cloned().collect()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::published;

    #[test]
    fn features_are_those_of_published_packages() -> Result<(), toml::de::Error> {
        let read = |text: &str| text.parse().map(|table| published(&table));
        let seawall = read("[package]\nname = \"seawall\"\n[features]\ntokio = []\nserde = [\"dep:serde\"]")?;
        assert_eq!(seawall, Some(("seawall".to_owned(), vec!["serde".to_owned(), "tokio".to_owned()])));
        assert_eq!(read("[package]\nname = \"a\"")?, Some(("a".to_owned(), vec![])));
        assert_eq!(read("[package]\nname = \"xtask\"\npublish = false")?, None);
        Ok(())
    }
}
