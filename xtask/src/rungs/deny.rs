//! What the workspace may depend on, as `deny.toml` says.
//!
//! The public CI runs cargo-deny, which takes minutes to build; this rung reads the same file and checks what can
//! be checked without a database: licenses, sources, and banned crates.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result};
use spdx::{Expression, Licensee, ParseMode};
use toml::{Table, Value};

use crate::job::Job;
use crate::results::Tally;

/// The part of `deny.toml` that this rung enforces.
#[derive(Debug)]
struct Policy {
    licenses: Vec<Licensee>,
    banned: Vec<String>,
}

/// A package as `cargo tree` prints it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// A path or an address; empty for the public registry.
    source: String,
    license: String,
}

pub(crate) fn run(job: &mut Job<'_>) -> Result<Tally> {
    let text = fs::read_to_string(job.context.root.join("deny.toml")).context("reading deny.toml")?;
    let policy = Policy::parse(&text)?;
    let mut packages = BTreeSet::new();
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let manifest = job.context.root.join(manifest);
        if !manifest.is_file() {
            continue;
        }
        let mut tree = job.context.cargo();
        tree.args(["tree", "--quiet", "--locked", "--workspace", "--all-features", "--target", "all"]);
        tree.args([
            "--edges",
            "normal,build,dev",
            "--prefix",
            "none",
            "--format",
            "{p}\t{l}",
            "--manifest-path",
        ])
        .arg(manifest);
        packages.extend(job.must(&mut tree)?.output.lines().filter_map(Package::parse));
    }
    job.note(&format!("{} packages", packages.len()))?;
    let root = job.context.root.to_string_lossy().into_owned();
    let mut tally = Tally::default();
    for (what, breaches) in [
        ("no allowed license", breaches(&packages, |package| !policy.allows(&package.license))),
        ("not from the public registry", breaches(&packages, |package| !package.is_from_registry_or(&root))),
        ("banned", breaches(&packages, |package| policy.banned.contains(&package.name))),
    ] {
        for breach in &breaches {
            job.because(format!("{what}: {breach}"));
        }
        tally = [tally, Tally::one(breaches.is_empty())].into_iter().sum();
    }
    Ok(tally)
}

fn breaches(packages: &BTreeSet<Package>, breach: impl Fn(&Package) -> bool) -> Vec<String> {
    let found = packages.iter().filter(|package| breach(package));
    found
        .map(|it| format!("{} {} {} {}", it.name, it.version, it.license, it.source).trim_end().to_owned())
        .collect()
}

impl Policy {
    fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse().context("deny.toml")?;
        let licenses = strings(&table, "licenses", "allow")?;
        let licenses = licenses.iter().map(|name| {
            Licensee::parse(name)
                .map_err(|error| anyhow::anyhow!("deny.toml: licenses.allow: {name}: {}", error.reason))
        });
        Ok(Self { licenses: licenses.collect::<Result<_>>()?, banned: strings(&table, "bans", "deny")? })
    }

    /// Whether some choice that the license leaves is allowed.
    fn allows(&self, license: &str) -> bool {
        Expression::parse_mode(license, ParseMode::LAX)
            .is_ok_and(|choice| choice.evaluate(|asked| self.licenses.iter().any(|one| one.satisfies(asked))))
    }
}

/// The strings in the array `[section] key`.
fn strings(table: &Table, section: &str, key: &str) -> Result<Vec<String>> {
    let array = table.get(section).and_then(|section| section.get(key)).and_then(Value::as_array);
    let array = array.with_context(|| format!("deny.toml: {section}.{key} is a list of strings"))?;
    let words = array.iter().map(|value| value.as_str().map(str::to_owned));
    words.collect::<Option<_>>().with_context(|| format!("deny.toml: {section}.{key} is a list of strings"))
}

impl Package {
    /// Reads `name v1.2.3 (source)<tab>license`, with the marks that `cargo tree` adds.
    fn parse(line: &str) -> Option<Self> {
        let (package, license) = line.split_once('\t')?;
        let license = license.strip_suffix(" (*)").unwrap_or(license);
        let (name, rest) = package.split_once(" v")?;
        let (version, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = rest.strip_prefix("(proc-macro)").unwrap_or(rest).trim();
        let source = rest.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(rest);
        Some(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            source: source.to_owned(),
            license: license.to_owned(),
        })
    }

    fn is_from_registry_or(&self, root: &str) -> bool {
        self.source.is_empty() || self.source.starts_with(root)
    }
}

#[cfg(test)]
mod tests {
    use super::{Package, Policy};

    const DENY: &str = "
[licenses]
allow = [\"MIT\", \"Apache-2.0\", \"Unicode-3.0\"]
[bans]
deny = [\"openssl-sys\"]
";

    #[test]
    fn a_license_is_allowed_if_one_of_its_choices_is() -> anyhow::Result<()> {
        let policy = Policy::parse(DENY)?;
        for allowed in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
            assert!(policy.allows(allowed), "{allowed}");
        }
        for refused in ["GPL-3.0", "MIT AND GPL-3.0", "", "Apache-2.0 WITH nonsense"] {
            assert!(!policy.allows(refused), "{refused}");
        }
        assert_eq!(policy.banned, ["openssl-sys"]);
        Ok(())
    }

    #[test]
    fn a_broken_policy_names_the_field() {
        let error =
            |text: &str| Policy::parse(text).map_or_else(|error| format!("{error:#}"), |_| String::new());
        assert!(error("[licenses]\nallow = [\"MTI\"]\n[bans]\ndeny = []").contains("licenses.allow: MTI"));
        assert!(error("[licenses]\nallow = [\"MIT\"]").contains("bans.deny"));
    }

    #[test]
    fn packages_are_read_from_the_tree() {
        let read = |line| Package::parse(line).map(|it| (it.name, it.version, it.source, it.license));
        let of = |parts: [&str; 4]| Some(parts.map(str::to_owned).into());
        assert_eq!(
            read("serde v1.0.0\tMIT OR Apache-2.0 (*)"),
            of(["serde", "1.0.0", "", "MIT OR Apache-2.0"])
        );
        assert_eq!(read("serde_derive v1.0.0 (proc-macro)\tMIT"), of(["serde_derive", "1.0.0", "", "MIT"]));
        assert_eq!(read("xtask v0.1.0 (/a/xtask)\tMIT"), of(["xtask", "0.1.0", "/a/xtask", "MIT"]));
        assert_eq!(read("a v1.0.0 (git+ssh://b#c)\t"), of(["a", "1.0.0", "git+ssh://b#c", ""]));
        assert_eq!(read("[dev-dependencies]"), None);
    }
}
