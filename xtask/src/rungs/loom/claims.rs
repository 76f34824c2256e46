//! Which mutants core has, which model claims to catch which, and how deep a model looks.
//!
//! A mutant is a name in core: `mutant!("name")`.
//! A model claims mutants in the comment above its function, in a line `// Mutant: name` or
//! `// Mutant: name, other`.
//! A model that takes more than a minute with three preemptions says `// Preemptions: 2` there.

use std::collections::BTreeSet;

/// How often the scheduler of loom interrupts a thread that could go on, at most.
pub(super) const PREEMPTIONS: u32 = 3;

/// A test of `loom-tests`, and the mutants that it has to fail on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// The test program: the source file without its extension.
    pub(super) file: String,
    pub(super) name: String,
    pub(super) mutants: Vec<String>,
    pub(super) preemptions: u32,
}

/// The names of the mutants in a source of core.
pub(super) fn mutants_in(source: &str) -> BTreeSet<String> {
    let code = source.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let names =
        code.flat_map(|line| line.split("mutant!(\"").skip(1).filter_map(|rest| rest.split_once('"')));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// The tests in a source of `loom-tests`, with what the comments above each claim.
pub(super) fn models_in(file: &str, source: &str) -> Vec<Model> {
    let mut models = Vec::new();
    let mut mutants: Vec<String> = Vec::new();
    let mut preemptions = PREEMPTIONS;
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("//") {
            let comment = comment.trim_start_matches(['/', '!']).trim_start();
            if let Some(bound) = comment.strip_prefix("Preemptions:") {
                preemptions = bound.trim().trim_end_matches('.').parse().unwrap_or(preemptions);
            } else if let Some(names) = comment.strip_prefix("Mutant:") {
                let names = names.trim_end_matches('.').split(',').map(|name| name.trim().trim_matches('`'));
                mutants.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
            }
        } else if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]");
        } else {
            if let Some(name) = line.strip_prefix("fn ").filter(|_| is_test) {
                let name = name.split(|next: char| !next.is_alphanumeric() && next != '_').next();
                models.push(Model {
                    file: file.to_owned(),
                    name: name.unwrap_or_default().to_owned(),
                    mutants: std::mem::take(&mut mutants),
                    preemptions,
                });
            }
            mutants.clear();
            preemptions = PREEMPTIONS;
            is_test = false;
        }
    }
    models
}

#[cfg(test)]
mod tests {
    use super::{Model, models_in, mutants_in};

    #[test]
    fn mutants_are_found_but_not_in_comments() {
        let source = r#"
            let order = if mutant!("weak_order") { Relaxed } else { AcqRel };
            // if mutant!("gone") {
            if !mutant!("late_release") || mutant!("a") {
        "#;
        let names: Vec<String> = mutants_in(source).into_iter().collect();
        assert_eq!(names, ["a", "late_release", "weak_order"]);
    }

    #[test]
    fn a_model_claims_what_the_comment_above_it_says() {
        let source = "
            // Mutant: not_a_claim, since no test follows.
            fn helper() {}

            /// A probe is admitted once.
            ///
            /// Mutant: `double_probe`, weak_order.
            #[test]
            fn one_probe_is_admitted() {
                loom::model(|| {});
            }

            // Preemptions: 2
            #[test]
            fn claims_none() {}

            mod nested {
                // Mutant: late_release
                #[test]
                fn a_release_is_seen() {}
            }
        ";
        let model = |name: &str, mutants: &[&str], preemptions| Model {
            file: "breaker".to_owned(),
            name: name.to_owned(),
            mutants: mutants.iter().map(|&mutant| mutant.to_owned()).collect(),
            preemptions,
        };
        assert_eq!(
            models_in("breaker", source),
            [
                model("one_probe_is_admitted", &["double_probe", "weak_order"], 3),
                model("claims_none", &[], 2),
                model("a_release_is_seen", &["late_release"], 3),
            ]
        );
    }
}
