//! "Did you mean": what to say about a word that is not known.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The most known words in a message.
const MOST_KNOWN: usize = 100;

/// The fewest letters with which a word has begun.
const LEAST_BEGINNING: usize = 4;

/// The most characters of a word of a script in a message.
const MOST: usize = 120;

/// `unknown KIND "word"`, the nearest known word if one is near, and all of them.
pub(super) fn unknown<'a>(kind: &str, word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let mut text = format!("unknown {kind} {:?}", shortened(word));
    let near = near(word, known.iter().copied());
    if let Some(candidate) = near {
        // Writing to a string cannot fail.
        _ = write!(text, "; did you mean {candidate:?}?");
    }
    if known.is_empty() {
        text.push_str("; there is none");
    } else {
        text.push_str(if near.is_some() { " known: " } else { "; known: " });
        text.push_str(&known[..known.len().min(MOST_KNOWN)].join(", "));
        if known.len() > MOST_KNOWN {
            _ = write!(text, " and {} more", known.len() - MOST_KNOWN);
        }
    }
    text
}

/// The known word that is nearest to a word, if one is near.
pub(super) fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .filter_map(|candidate| nearest(word, candidate).map(|distance| (distance, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a`, or `an` in front of a vowel.
pub(super) fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// `a permit or an attempt`.
pub(super) fn with_articles(words: &[&str]) -> String {
    one_of(&words.iter().map(|word| format!("{} {word}", article(word))).collect::<Vec<_>>())
}

/// `a, b or c`.
pub(super) fn one_of(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// The beginning of a text that is too long for a message.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

/// The distance to a word that is near, to its beginning, or to what stands behind one of its underscores: `acquire` is near to
/// `try_acquire`, and `severe` to `severely_degraded`.
fn nearest(word: &str, candidate: &str) -> Option<usize> {
    let near = |to: &str| Some(distance(word, to)).filter(|distance| *distance <= 1 + to.len() / 3);
    let parts = candidate.match_indices('_').filter_map(|(at, _)| near(&candidate[at + 1..]));
    let begins = word.len() >= LEAST_BEGINNING && candidate.starts_with(word);
    near(candidate).into_iter().chain(parts.map(|distance| distance + 1)).chain(begins.then_some(1)).min()
}

/// How many letters differ: those put in, left out, changed, or swapped with their neighbor.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::{MOST, unknown};

    #[test]
    fn the_nearest_word_is_named_and_so_are_all() {
        assert_eq!(
            unknown("operation", "aquire", ["record", "acquire"]),
            r#"unknown operation "aquire"; did you mean "acquire"? known: record, acquire"#
        );
        assert_eq!(
            unknown("operation", "aquire", ["record", "try_acquire"]),
            r#"unknown operation "aquire"; did you mean "try_acquire"? known: record, try_acquire"#
        );
        assert_eq!(
            unknown("word", "severe", ["normal", "severely_degraded"]),
            r#"unknown word "severe"; did you mean "severely_degraded"? known: normal, severely_degraded"#
        );
        assert_eq!(
            unknown("operation", "call", ["give_back", "settle"]),
            r#"unknown operation "call"; known: give_back, settle"#
        );
        assert_eq!(unknown("name", "p", []), r#"unknown name "p"; there is none"#);
        let names: Vec<String> = (0..1000).map(|number| format!("p{number}")).collect();
        let text = unknown("name", "grant", names.iter().map(String::as_str));
        assert!(text.ends_with(", p98, p99 and 900 more"), "{text}");
        let long = "x".repeat(1_000_000);
        assert_eq!(unknown("name", &long, []), format!("unknown name \"{}…\"; there is none", &long[..MOST]));
        assert_eq!(unknown("key", "color", ["open_for"]), r#"unknown key "color"; known: open_for"#);
    }
}
