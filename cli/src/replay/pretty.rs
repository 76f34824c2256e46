//! Decisions as a table for people.

use super::fields::{Fields, Json, text_of_duration, text_of_share};
use std::io::{self, Write};

/// Fields that have columns of their own, or that say the same as another field.
const COLUMNS: [&str; 4] = ["line", "at", "op", "repeat"];

/// The table; its head is printed with its first row.
pub(super) struct Table {
    begun: bool,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { begun: false }
    }

    /// Prints one decision.
    pub(super) fn row(&mut self, fields: &Fields, out: &mut dyn Write) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            writeln!(out, "{:>6}  {:>12}  {:<32}  decision", "line", "at", "operation")?;
        }
        let text = |name| fields.get(name).map(plain).unwrap_or_default();
        let line = match fields.get("repeat") {
            Some(repeat) => format!("{}.{}", text("line"), plain(repeat)),
            None => text("line"),
        };
        writeln!(out, "{line:>6}  {:>12}  {:<32}  {}", text("at"), text("op"), rest(fields))
    }
}

/// Everything without a column, as `name=value`; of what is printed twice, the form for people.
fn rest(fields: &Fields) -> String {
    let is_twin = |name: &str| {
        name.strip_suffix("_ns")
            .or_else(|| name.strip_suffix("_millionths"))
            .is_some_and(|base| fields.get(base).is_some())
    };
    let shown = fields.iter().filter(|(name, _)| !COLUMNS.contains(name) && !is_twin(name));
    shown.map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join(" ")
}

/// The text without what a terminal would obey: control characters and changes of the direction are escaped.
fn printable(text: &str) -> String {
    let is_order = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().fold(String::new(), |mut shown, c| {
        if is_order(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
        shown
    })
}

fn plain(value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::Flag(flag) => flag.to_string(),
        Json::Number(number) => number.to_string(),
        Json::Decimal(number) => number.to_string(),
        Json::Text(text) => printable(text),
        Json::Span(duration) => text_of_duration(*duration),
        Json::Share(share) => text_of_share(*share),
        Json::List(list) => format!("[{}]", list.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Json::Object(fields) => format!("{{{}}}", rest(fields)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        let mut fields = Fields::default();
        fields.put("line", 2_u32);
        fields.put("note", "\u{1b}[2J\n\u{9b}1m \u{202e}größer");
        let mut out = Vec::new();
        Table::new().row(&fields, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.ends_with("note=\\u{1b}[2J\\n\\u{9b}1m \\u{202e}größer\n"), "{out}");
    }
}
