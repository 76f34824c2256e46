//! Prints the tables: every pattern with its configuration, its operations and an example.

use super::objects;
use super::patterns;
use super::schema::{Group, Info, Kind, Need, Param, Signature};
use super::statement::{COMMON, DROP, expand};
use super::suggest::{one_of, with_articles};
use super::words;
use std::fmt::Write as _;

/// The reference of the script format, in Markdown.
pub(super) fn reference() -> String {
    let mut text = String::new();
    text.push_str("| pattern | |\n|---|---|\n");
    for pattern in patterns::all() {
        let about = pattern.info().about;
        let first = about.split_once(". ").map_or(about, |(first, _)| first);
        // Writing to a string cannot fail.
        _ = writeln!(text, "| [`{0}`](#{0}) | {first} |", pattern.info().name);
    }
    text.push_str("\n## Keys of every statement\n\n| key | value | |\n|---|---|---|\n");
    rows(&mut text, COMMON);
    text.push_str("\n## Operation of no pattern\n");
    operation(&mut text, DROP.name, &DROP);
    text.push_str("\n## Objects in decisions\n\n| object | fields |\n|---|---|\n");
    for (places, fields) in objects::rows() {
        _ = writeln!(text, "| {places} | {fields} |");
    }
    text.push_str("\n## Words in decisions\n\n| field | words |\n|---|---|\n");
    for (places, words) in words::rows() {
        _ = writeln!(text, "| {places} | {words} |");
    }
    for pattern in patterns::all() {
        section(&mut text, pattern.info(), &pattern.operations());
    }
    text
}

fn section(text: &mut String, info: &Info, operations: &[Signature]) {
    let end = if info.about.ends_with('?') { "" } else { "." };
    _ = write!(text, "\n## {}\n\n{}{end}\n", info.name, info.about);
    if info.keys.is_empty() {
        text.push_str("\nIts configuration is `{}`.\n");
    } else {
        text.push_str("\n| configuration | value | |\n|---|---|---|\n");
        rows(text, info.keys);
    }
    let state = fields(info.prints);
    if !state.is_empty() {
        _ = write!(text, "\nEvery operation prints: {state}.\n");
    }
    for signature in operations {
        operation(text, &format!("{}.{}", info.name, signature.name), signature);
    }
    _ = write!(text, "\n```json\n{}\n```\n", info.example.trim());
}

fn operation(text: &mut String, name: &str, signature: &Signature) {
    _ = write!(text, "\n`{name}` {}.", signature.about);
    if !signature.gives.is_empty() {
        _ = write!(text, " Gives {}.", with_articles(signature.gives));
    }
    let printed = fields(signature.prints);
    if !printed.is_empty() {
        _ = write!(text, " Prints {printed}.");
    }
    text.push('\n');
    if !signature.params.is_empty() {
        text.push_str("\n| argument | value | |\n|---|---|---|\n");
        rows(text, signature.params);
    }
}

fn fields(groups: &[Group]) -> String {
    groups.iter().copied().flat_map(expand).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn rows(text: &mut String, params: &[Param]) {
    for Param { name, kind, need, about } in params {
        let need = match need {
            Need::Required => "required".to_owned(),
            Need::Optional => "optional".to_owned(),
            Need::Default(default) => format!("default `{default}`"),
        };
        _ = writeln!(text, "| `{name}` | {}, {need} | {about} |", short(kind));
        nested(text, name, kind);
    }
}

/// The keys of an object as rows of their own.
fn nested(text: &mut String, name: &str, kind: &Kind) {
    let params = match kind {
        Kind::Table(params) => *params,
        Kind::List(kind) => return nested(text, &format!("{name}[]"), kind),
        Kind::Either(kinds) => {
            for kind in *kinds {
                nested(text, name, kind);
            }
            return;
        }
        _ => return,
    };
    for param in params {
        let full = format!("{name}.{}", param.name);
        let need = match param.need {
            Need::Required => "required".to_owned(),
            Need::Optional => "optional".to_owned(),
            Need::Default(default) => format!("default `{default}`"),
        };
        _ = writeln!(text, "| `{full}` | {}, {need} | {} |", short(&param.kind), param.about);
        nested(text, &full, &param.kind);
    }
}

/// `a` or `b`.
fn quoted(words: &[&str]) -> String {
    one_of(&words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>())
}

fn short(kind: &Kind) -> String {
    match kind {
        Kind::Duration => "duration".to_owned(),
        Kind::Moment => "moment".to_owned(),
        Kind::Integer(max) => format!("integer up to {max}"),
        Kind::Between(min, max) => format!("integer from {min} to {max}"),
        Kind::Flag => "true or false".to_owned(),
        Kind::Share => "share".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Word(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(" "),
        Kind::Held(what) => format!("the name of {}", with_articles(what)),
        Kind::Instance(patterns) => format!("the name of an instance of {}", quoted(patterns)),
        Kind::Text => "text".to_owned(),
        Kind::List(kind) => format!("list of {}", short(kind)),
        Kind::Table(_) => "object".to_owned(),
        Kind::Either(kinds) => kinds.iter().map(short).collect::<Vec<_>>().join(" or "),
    }
}

#[cfg(test)]
mod tests {
    use super::reference;

    #[test]
    fn the_document_ends_with_the_reference() {
        let document = include_str!("../../SCRIPTS.md");
        let place = document.find("# Reference\n").expect("the document has a reference");
        let (_, printed) = document[place..].split_once("\n\n").unwrap();
        let (_, printed) = printed.split_once("\n\n").unwrap();
        for (number, (written, generated)) in printed.lines().zip(reference().lines()).enumerate() {
            assert_eq!(
                written, generated,
                "line {number} of the reference; `seawall replay --list` prints what it must be"
            );
        }
        assert_eq!(printed.len(), reference().len());
    }
}
