//! The rules that hold line by line.

/// One rule: where it holds, what breaks it, and how to say so.
pub(super) struct Rule {
    pub(super) says: &'static str,
    pub(super) scope: fn(path: &str) -> bool,
    pub(super) breach: fn(line: &str) -> bool,
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        says: "SeqCst hides which ordering is needed, and loom models it as AcqRel",
        scope: rust,
        breach: |line| word(code(line), "SeqCst"),
    },
    Rule {
        says: "core names atomics in atomic/sync.rs alone",
        // A test may count wakes with an atomic of its own.
        scope: |path| {
            path.starts_with("core/src/") && path != "core/src/atomic/sync.rs" && !path.ends_with("/tests.rs")
        },
        breach: |line| ["sync::atomic", "portable_atomic"].iter().any(|name| code(line).contains(name)),
    },
    Rule {
        says: "unfinished code",
        scope: rust,
        breach: |line| ["todo!", "unimplemented!"].iter().any(|name| code(line).contains(name)),
    },
    Rule { says: "an ignored test", scope: rust, breach: |line| code(line).contains("#[ignore") },
    Rule {
        says: "core is without unsafe code",
        scope: |path| path.starts_with("core/") && rust(path),
        breach: |line| word(code(line), "unsafe"),
    },
    Rule {
        says: "a path of one machine",
        scope: |_| true,
        breach: |line| ["/work/", "/tmp/", "/root/", "/home/"].iter().any(|path| starts_path(line, path)),
    },
    Rule {
        says: "a reference to files outside the repository",
        scope: |_| true,
        breach: |line| line.contains("../shared"),
    },
    Rule {
        says: "a registry's host name",
        scope: |_| true,
        breach: |line| {
            ["index.crates.io", "static.crates.io", "artifactory"].iter().any(|host| line.contains(host))
        },
    },
];

pub(super) fn rust(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// The line without a comment at its end.
fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// Whether the text holds the word by itself, not as a part of a longer name.
fn word(text: &str, wanted: &str) -> bool {
    text.split(|next: char| !next.is_alphanumeric() && next != '_').any(|word| word == wanted)
}

/// Whether an absolute path with this beginning stands in the line; `src/root/a` holds none.
fn starts_path(line: &str, beginning: &str) -> bool {
    line.match_indices(beginning).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|it| it.is_alphanumeric() || "._-/}~".contains(it))
    })
}

#[cfg(test)]
mod tests {
    use super::{RULES, code, rust, starts_path, word};

    #[test]
    fn words_are_whole_and_comments_are_not_code() {
        assert!(word("order == SeqCst)", "SeqCst"));
        assert!(!word("#![forbid(unsafe_code)]", "unsafe"));
        assert_eq!(code("let a = 1; // unsafe"), "let a = 1; ");
    }

    #[test]
    fn only_absolute_paths_belong_to_a_machine() {
        assert!(starts_path("cd /tmp/x", "/tmp/"));
        assert!(starts_path("(\"/root/x\")", "/root/"));
        assert!(!starts_path("core/src/work/x.rs", "/work/"));
        assert!(!starts_path("${OUT}/tmp/x", "/tmp/"));
    }

    #[test]
    fn every_rule_finds_its_breach_and_lets_ordinary_code_be() {
        let breaches = [
            ("core/src/guard.rs", "word.load(Ordering::SeqCst)"),
            ("core/src/guard.rs", "use core::sync::atomic::AtomicU32;"),
            ("cli/src/main.rs", "todo!()"),
            ("cli/tests/demo.rs", "#[ignore = \"slow\"]"),
            ("core/tests/cost.rs", "unsafe { word.get() }"),
            ("README.md", "see /home/me/seawall"),
            ("DESIGN.md", "see ../shared/DESIGN.md"),
            ("deny.toml", "allow-registry = [\"sparse+index.crates.io\"]"),
        ];
        assert_eq!(breaches.len(), RULES.len());
        for (rule, (path, line)) in RULES.iter().zip(breaches) {
            assert!((rule.scope)(path) && (rule.breach)(line), "{}", rule.says);
            assert!(!(rule.breach)("let permit = breaker.try_acquire(now)?;"), "{}", rule.says);
        }
        assert!(rust("core/src/lib.rs") && !rust("core/src/lib.rs.md"));
    }
}
