//! Tables that name tests: every name has to exist.

/// The pages whose tables name tests in their last column.
pub(super) const PAGES: [&str; 2] = ["core/tests/README.md", "core/ACCURACY.md"];

/// The names in backticks in the last cells of the tables of `page`, that are neither functions nor files.
pub(super) fn missing(page: &str, files: &[(String, String)]) -> Vec<String> {
    let exists = |name: &str| {
        if name.contains('/') {
            return files.iter().any(|(path, _)| path == name);
        }
        let definition = format!("fn {name}(");
        let sources = files.iter().filter(|(path, _)| super::rules::rust(path));
        sources.map(|(_, text)| text).any(|text| text.contains(&definition))
    };
    page.lines().flat_map(names).filter(|name| !exists(name)).map(str::to_owned).collect()
}

/// The names in the last cell of a row of a table. What is no name of a function or a file is prose.
fn names(line: &str) -> Vec<&str> {
    let Some(row) = line.strip_prefix('|') else { return Vec::new() };
    let last = row.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    let quoted = last.split('`').skip(1).step_by(2);
    quoted.filter(|text| is_function(text) || text.contains('/') && super::rules::rust(text)).collect()
}

/// Names of tests are sentences: lower case, with underscores.
fn is_function(text: &str) -> bool {
    let is_part = |next: char| next.is_ascii_lowercase() || next.is_ascii_digit() || next == '_';
    text.contains('_') && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::{missing, names};

    #[test]
    fn only_last_cells_of_tables_name_tests() {
        assert_eq!(
            names("| `not_this` | prose, `b1_this_one`, `fuzz/src/guard.rs` |"),
            ["b1_this_one", "fuzz/src/guard.rs"]
        );
        assert!(names("`b1_in_a_text` is no row").is_empty());
        assert!(names("| a | `Config::new(1)`, `--cfg seawall_word32` and `burst` |").is_empty());
    }

    #[test]
    fn a_name_that_does_not_exist_is_found() {
        let files = [("core/tests/a.rs".to_owned(), "fn b1_is_there() {}".to_owned())];
        let page = "| B1 | `b1_is_there`, `b1_is_gone`, `core/tests/a.rs`, `core/tests/b.rs` |";
        assert_eq!(missing(page, &files), ["b1_is_gone", "core/tests/b.rs"]);
    }
}
