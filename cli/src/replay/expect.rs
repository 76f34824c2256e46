//! Compares a decision with what a script expects of it.

use super::fields::{Fields, Json, millionths};
use super::objects;
use super::schema::{Group, Kind};
use super::suggest::{shortened, unknown};
use super::value::{is_of, read_duration};
use super::words;
use seawall::config::parse_share;
use serde_json::{Map, Value};
use std::time::Duration;

/// Everything in which a decision is not as expected, one text each.
///
/// Fields that are not expected do not matter, and null or false is expected of one that is not there.
pub(super) fn mismatches(expected: &Map<String, Value>, got: &Fields) -> Vec<String> {
    let mut found = Vec::new();
    compare("", expected, got, &mut found);
    found
}

fn compare(path: &str, expected: &Map<String, Value>, got: &Fields, found: &mut Vec<String>) {
    for (name, expected) in expected {
        let place = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let value = got.get(name);
        if let (Value::Object(expected), Some(Json::Object(got))) = (expected, value) {
            compare(&place, expected, got, found);
        } else if !fits(expected, name, value, got) {
            let got = match value {
                None => "nothing".to_owned(),
                Some(value) => serde_json::to_string(value).unwrap_or_default(),
            };
            found.push(format!("expected {place} {expected}, got {got}"));
        }
    }
}

/// Whether a value is the expected one; those of the same object tell it in other units.
fn fits(expected: &Value, name: &str, got: Option<&Json>, fields: &Fields) -> bool {
    let Some(got) = got else { return matches!(expected, Value::Null | Value::Bool(false)) };
    if let (Value::Object(range), false) = (expected, matches!(got, Json::Object(_))) {
        let is_range = !range.is_empty() && range.keys().all(|key| key == "min" || key == "max");
        return is_range
            && number_of(got, name, fields).is_some_and(|(number, unit)| {
                let bound = |key| match range.get(key) {
                    None => Some(None),
                    Some(bound) => in_units(bound, unit).map(Some),
                };
                match (bound("min"), bound("max")) {
                    (Some(min), Some(max)) => {
                        min.is_none_or(|min| min <= number) && max.is_none_or(|max| number <= max)
                    }
                    _ => false,
                }
            });
    }
    match (expected, got) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(expected), Json::Flag(got)) => expected == got,
        (Value::Array(expected), Json::List(got)) => {
            expected.len() == got.len()
                && expected.iter().zip(got).all(|(expected, got)| match (expected, got) {
                    (Value::Object(expected), Json::Object(got)) => mismatches(expected, got).is_empty(),
                    _ => fits(expected, "", Some(got), &Fields::default()),
                })
        }
        (_, Json::Text(text)) if expected.as_str() == Some(text) => true,
        (_, Json::Decimal(got)) => expected.as_f64() == got.as_f64(),
        _ => number_of(got, name, fields).is_some_and(|(got, unit)| in_units(expected, unit) == Some(got)),
    }
}

/// What the number of a field counts.
#[derive(Clone, Copy)]
enum Unit {
    Nanos,
    Millionths,
    One,
}

/// The number that a field stands for, its own or that of its twin, and what it counts.
fn number_of(got: &Json, name: &str, fields: &Fields) -> Option<(u64, Unit)> {
    let twin = |unit: &str| match fields.get(&format!("{name}_{unit}")) {
        Some(Json::Number(number)) => Some(*number),
        _ => None,
    };
    match got {
        Json::Span(duration) => Some((nanos(*duration), Unit::Nanos)),
        Json::Share(share) => Some((millionths(*share), Unit::Millionths)),
        Json::Text(_) => {
            let nanos = twin("ns").map(|number| (number, Unit::Nanos));
            nanos.or_else(|| twin("millionths").map(|number| (number, Unit::Millionths)))
        }
        Json::Number(number) => Some((*number, Unit::One)),
        _ => None,
    }
}

/// Nanoseconds; "forever", and what does not fit, is the most of them.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The number that a script writes for a field.
fn in_units(expected: &Value, unit: Unit) -> Option<u64> {
    match (unit, expected) {
        (Unit::Nanos, _) => read_duration(expected).map(nanos),
        (Unit::Millionths, Value::String(text)) => parse_share(text).map(millionths),
        (Unit::Millionths, Value::Number(number)) => {
            parse_share(&format!("{:.6}", number.as_f64()?)).map(millionths)
        }
        (Unit::Millionths, _) => None,
        (Unit::One, _) => expected.as_u64(),
    }
}

/// Says everything that could not be in what is expected at a place of a decision of a pattern.
pub(super) fn check(pattern: &str, place: &str, expected: &Value, problems: &mut Vec<String>) {
    if let (Some(known), false) = (words::of(pattern, place), expected.is_array()) {
        return check_word(place, expected, known, problems);
    }
    let configured = objects::configured(pattern, place);
    match (objects::inside(pattern, place), expected) {
        (_, Value::Object(range)) if configured.is_some() && is_range(range) => {}
        // These are expected of what is not there.
        (_, Value::Null | Value::Bool(false)) => {}
        (None, _) if configured.is_some_and(|kind| !is_of(&kind, expected)) => problems.push(format!(
            "expect: {place} is {}, must be {}",
            shortened(&expected.to_string()),
            configured.map(|kind| kind.to_string()).unwrap_or_default()
        )),
        (_, Value::Array(list)) => list.iter().for_each(|item| check(pattern, place, item, problems)),
        (Some(known), Value::Object(expected)) => {
            for (name, expected) in expected {
                let inner = format!("{place}.{name}");
                if known.contains(name) {
                    check(pattern, &inner, expected, problems);
                } else {
                    let text = unknown("field", name, known.iter().map(String::as_str));
                    problems.push(format!("expect: {place}: {text}"));
                }
            }
        }
        (None, Value::Object(range)) if !is_range(range) => problems.push(format!(
            "expect: {place} is {}, must be a value or {{\"min\": a, \"max\": b}}, a at most b",
            shortened(&expected.to_string())
        )),
        _ => {}
    }
}

/// Says if a field that has words never has this one.
fn check_word(place: &str, expected: &Value, known: Group, problems: &mut Vec<String>) {
    match expected {
        Value::Null | Value::Bool(false) => {}
        Value::String(word) if known.contains(&word.as_str()) => {}
        Value::String(word) => {
            problems.push(format!("expect: {place}: {}", unknown("word", word, known.iter().copied())));
        }
        other => problems.push(format!(
            "expect: {place} is {}, must be {}",
            shortened(&other.to_string()),
            Kind::Word(known)
        )),
    }
}

/// Whether these are bounds, in order as far as that can be seen without the value.
fn is_range(range: &Map<String, Value>) -> bool {
    let known = |(key, bound): (&String, &Value)| {
        (key == "min" || key == "max") && (bound.is_number() || bound.is_string())
    };
    let in_order = match (range.get("min"), range.get("max")) {
        (Some(min), Some(max)) => match (min, max) {
            (Value::Number(min), Value::Number(max)) => min.as_f64() <= max.as_f64(),
            _ => match (read_duration(min), read_duration(max)) {
                (Some(min), Some(max)) => min <= max,
                _ => true,
            },
        },
        _ => true,
    };
    !range.is_empty() && range.iter().all(known) && in_order
}

/// Whether a value can be compared with a count.
pub(super) fn is_count(expected: &Value) -> bool {
    match expected {
        Value::Number(number) => number.is_u64(),
        Value::Object(range) => is_range(range) && range.values().all(Value::is_u64),
        _ => false,
    }
}

/// Whether a count is the expected one.
pub(super) fn count_fits(expected: &Value, count: u64) -> bool {
    fits(expected, "", Some(&Json::Number(count)), &Fields::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision() -> Fields {
        let mut inner = Fields::default();
        inner.put("from", "closed");
        inner.put("failures", 3_u32);
        let mut fields = Fields::default();
        fields.put("admitted", false);
        fields.duration("retry_after", Duration::from_secs(30));
        fields.share("remaining", seawall::core::Ratio::try_new(1, 3).unwrap());
        fields.put("transition", inner);
        fields.put("available", 4_u32);
        fields
    }

    fn differences(expected: Value) -> Vec<String> {
        let Value::Object(expected) = expected else { panic!("an object") };
        mismatches(&expected, &decision())
    }

    #[test]
    fn a_part_of_the_decision_is_enough_in_any_spelling() {
        for expected in [
            serde_json::json!({}),
            serde_json::json!({"admitted": false, "retry_after": "30000ms", "transition": {"from": "closed"}}),
            serde_json::json!({"retry_after": 30_000_000_000_u64, "retry_after_ns": 30_000_000_000_u64}),
            serde_json::json!({"remaining": "1/3", "state": null, "available": {"min": 4, "max": 4}}),
            serde_json::json!({"would_reject": false, "rejected": null}),
            serde_json::json!({"retry_after": {"min": "29s"}, "remaining": {"max": "50%"}}),
        ] {
            assert_eq!(differences(expected.clone()), Vec::<String>::new(), "{expected}");
        }
    }

    #[test]
    fn what_is_not_as_expected_is_named() {
        assert_eq!(
            differences(serde_json::json!({
                "admitted": true, "retry_after": "31s", "transition": {"failures": 4, "to": "open"},
                "available": {"min": 5}, "rejected": "open", "remaining": null
            })),
            [
                "expected admitted true, got false",
                r#"expected available {"min":5}, got 4"#,
                r#"expected rejected "open", got nothing"#,
                r#"expected remaining null, got "1/3""#,
                r#"expected retry_after "31s", got "30s""#,
                "expected transition.failures 4, got 3",
                r#"expected transition.to "open", got nothing"#,
            ]
        );
    }
}
