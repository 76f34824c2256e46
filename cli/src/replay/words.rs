//! The words that decisions print, so that one which is expected and never printed is told before anything runs.

use super::fields::{Fields, Json};
use super::objects::unnested;
use super::schema::{CONFIG, Group};

/// The words of a field.
struct Row {
    /// The patterns that print it; empty where all that print it print the same.
    of: Group,
    /// Where it stands: the field, behind those of the objects that it is in.
    at: Group,
    words: Group,
}

const LIMITERS: Group = &["rate_limiter", "adjustable_rate_limiter", "adaptive_rate"];
const STATES: Group = &["closed", "half_open", "open"];
const EDGES: Group = &["exhausted", "recovered"];
const LEVELS: Group = &["normal", "degraded", "severely_degraded", "emergency"];
const OUTCOMES: Group = &["success", "failure", "slow", "ignored", "cancelled"];
const BREAKER: Group = &["open", "forced_open", "probes_out", "ramping"];

/// More telling rows come first.
const WORDS: &[Row] = &[
    Row { of: &["circuit_breaker"], at: &["rejected", "would_reject"], words: BREAKER },
    Row {
        of: &["keyed_circuit_breaker"],
        at: &["rejected"],
        words: &["open", "forced_open", "probes_out", "table_full"],
    },
    Row { of: LIMITERS, at: &["rejected"], words: &["limited", "exceeds_burst"] },
    Row {
        of: &["keyed_rate_limiter"],
        at: &["rejected"],
        words: &["limited", "exceeds_burst", "table_full"],
    },
    Row {
        of: &["bulkhead"],
        at: &["rejected"],
        words: &["full", "queue_full", "wait_timeout", "too_many", "closed"],
    },
    Row { of: &["adaptive_concurrency"], at: &["rejected"], words: &["full"] },
    Row { of: &["load_shedder"], at: &["rejected"], words: &["shed"] },
    Row {
        of: &["composition"],
        at: &["rejected"],
        words: &[
            "shed",
            "degraded",
            "limited",
            "full",
            "too_many",
            "closed",
            "open",
            "forced_open",
            "probes_out",
            "ramping",
            "table_full",
        ],
    },
    Row {
        of: &["guard"],
        at: &["rejected", "would_reject"],
        words: &[
            "shed",
            "degraded",
            "limited",
            "full",
            "queue_full",
            "wait_timeout",
            "too_many",
            "closed",
            "open",
            "forced_open",
            "probes_out",
            "ramping",
            "deadline_expired",
            "call_over",
            "table_full",
        ],
    },
    Row {
        of: &["guard", "composition"],
        at: &["rejected_by"],
        words: &[
            "load_shedder",
            "degradation",
            "adaptive_rate",
            "adaptive_concurrency",
            "rate_limiter",
            "bulkhead",
            "circuit_breaker",
            "deadline",
        ],
    },
    Row {
        of: &[],
        at: &["rejected_by"],
        words: &[
            "circuit_breaker",
            "keyed_circuit_breaker",
            "rate_limiter",
            "keyed_rate_limiter",
            "bulkhead",
            "adaptive_concurrency",
            "load_shedder",
        ],
    },
    Row { of: &[], at: &["state", "breaker.state", "hot.state", "statuses.state"], words: STATES },
    Row {
        of: &[],
        at: &["settlement", "changes.settlement"],
        words: &["counted", "uncounted", "stale", "changed"],
    },
    Row {
        of: &["health_check", "event_ring"],
        at: &["status", "transition.from", "transition.to", "event.health.from", "event.health.to"],
        words: &["unknown", "healthy", "unhealthy"],
    },
    Row {
        of: &["health_check", "event_ring"],
        at: &["transition.cause", "event.health.cause"],
        words: &["successes", "failures", "success_rate", "stale", "reset"],
    },
    Row {
        of: &[],
        at: &[
            "transition.from",
            "transition.to",
            "half_opened.from",
            "half_opened.to",
            "attempts.transition.from",
            "attempts.transition.to",
            "attempts.half_opened.from",
            "attempts.half_opened.to",
            "event.transition.from",
            "event.transition.to",
            "changes.transition.from",
            "changes.transition.to",
        ],
        words: STATES,
    },
    Row {
        of: &[],
        at: &[
            "transition.cause",
            "half_opened.cause",
            "attempts.transition.cause",
            "attempts.half_opened.cause",
            "event.transition.cause",
            "changes.transition.cause",
        ],
        words: &[
            "consecutive_failures",
            "failure_rate",
            "slow_call_rate",
            "open_time_over",
            "probes_failed",
            "probe_rate",
            "probes_succeeded",
            "manual",
        ],
    },
    Row { of: &["burn_rate"], at: &["edge"], words: &["raised", "cleared"] },
    Row { of: &["composite"], at: &["edge"], words: &["healthy", "unhealthy"] },
    Row {
        of: &["event_ring"],
        at: &["event.edge"],
        words: &["exhausted", "recovered", "raised", "cleared", "healthy", "unhealthy"],
    },
    Row { of: &[], at: &["edge", "attempts.edge", "changes.edge"], words: EDGES },
    Row {
        of: &["event_ring"],
        at: &["event.kind"],
        words: &[
            "breaker",
            "budget",
            "latency",
            "level",
            "health",
            "burn_rate",
            "composite",
            "rate",
            "concurrency",
        ],
    },
    Row {
        of: &[],
        at: &[
            "level",
            "component_level",
            "for_ratio",
            "for_rate",
            "change.from",
            "change.to",
            "event.change.from",
            "event.change.to",
        ],
        words: LEVELS,
    },
    Row {
        of: &["adaptive_concurrency", "composition", "event_ring"],
        at: &["adjustment.reason", "changes.adjustment.reason", "event.adjustment.reason"],
        words: &["bad", "room", "latency", "probe", "probe_over"],
    },
    Row { of: &["guard"], at: &["result", "attempts.outcome"], words: OUTCOMES },
    Row {
        of: &["guard"],
        at: &["attempts.struck"],
        words: &["runs", "timed_out", "error", "partition", "panic"],
    },
    Row { of: &["guard"], at: &["verdict", "attempts.verdict"], words: &["done", "retry", "give_up"] },
    Row { of: &["change_detector"], at: &["verdict"], words: &["learning", "normal", "anomalous"] },
    Row { of: &["retry"], at: &["decision"], words: &["retry", "give_up"] },
    Row { of: &["retry"], at: &["gave_up"], words: &["attempts", "deadline", "delay", "budget"] },
    Row {
        of: &["guard"],
        at: &["gave_up", "attempts.gave_up"],
        words: &["not_retryable", "attempts", "deadline", "delay", "budget", "breaker_open"],
    },
    Row { of: &["hedge"], at: &["plan"], words: &["hedge", "no_hedge"] },
    Row { of: &["hedge"], at: &["no_hedge"], words: &["limit", "deadline", "budget"] },
    Row { of: &["keyed_rate_limiter"], at: &["refund"], words: &["returned", "lapsed", "stale"] },
    Row { of: &["chaos"], at: &["ending"], words: &["error", "timed_out", "panic", "unreachable"] },
];

/// Fields whose texts are no words: what the script itself names, and what something is.
const NAMES: Group = &["op", "note", "as", "gave", "dropped", "of", "woken", "part"];

/// The words of a field in what a pattern prints; none if it has other values.
pub(super) fn of(pattern: &str, place: &str) -> Option<Group> {
    let place = &*unnested(place);
    let prints =
        |words: &&Row| (words.of.is_empty() || words.of.contains(&pattern)) && words.at.contains(&place);
    WORDS.iter().find(prints).map(|words| words.words)
}

/// The words as rows of a table: where they stand, and which they are.
pub(super) fn rows() -> impl Iterator<Item = (String, String)> {
    let quoted = |names: Group| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    WORDS.iter().map(move |Row { of, at, words }| {
        let places = quoted(at);
        let places = if of.is_empty() { places } else { format!("{places} of {}", quoted(of)) };
        (places, quoted(words))
    })
}

/// The texts of a decision that are no durations and shares, which stand there twice, no names, and no values of a
/// configuration, whose words its table has: each with its place.
pub(super) fn said<'f>(place: &str, fields: &'f Fields, words: &mut Vec<(String, &'f str)>) {
    for (name, value) in fields.iter() {
        let has_twin =
            ["ns", "millionths"].iter().any(|unit| fields.get(&format!("{name}_{unit}")).is_some());
        if has_twin || NAMES.contains(&name) || (place.is_empty() && name == CONFIG.name) {
            continue;
        }
        let inner = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
        said_by(&inner, value, words);
    }
}

fn said_by<'f>(place: &str, value: &'f Json, words: &mut Vec<(String, &'f str)>) {
    match value {
        Json::Text(word) => words.push((place.to_owned(), word)),
        Json::Object(fields) => said(place, fields, words),
        Json::List(list) => list.iter().for_each(|value| said_by(place, value, words)),
        Json::Null | Json::Flag(_) | Json::Number(_) | Json::Decimal(_) | Json::Span(_) | Json::Share(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::WORDS;
    use crate::replay::patterns;
    use serde_json::Value;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The words of a decision, each with its pattern and place; a text that has a twin or is a name is none.
    fn collect(pattern: &str, place: &str, value: &Value, into: &mut BTreeSet<(String, String, String)>) {
        match value {
            Value::String(word) => {
                into.insert((pattern.to_owned(), place.to_owned(), word.clone()));
            }
            Value::Array(list) => list.iter().for_each(|value| collect(pattern, place, value, into)),
            Value::Object(object) => object.iter().for_each(|(name, value)| {
                let inner = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                collect(pattern, &inner, value, into);
            }),
            _ => {}
        }
    }

    /// What a script prints, by the patterns of its instances.
    fn printed(script: &str, into: &mut BTreeSet<(String, String, String)>) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        crate::replay::script::run("s", script, false, &mut out, &mut err).unwrap();
        let first = script.lines().find(|line| line.starts_with("{\"policy\"")).unwrap();
        let policy: Value = serde_json::from_str(first).unwrap();
        for line in String::from_utf8(out).unwrap().lines() {
            let decision: Value = serde_json::from_str(line).unwrap();
            let name = decision["op"].as_str().unwrap().split('.').next().unwrap();
            let name = decision["of"].as_str().unwrap_or(name);
            let pattern = policy["policy"][name]["pattern"].as_str().unwrap_or(name);
            collect(pattern, "", &decision, into);
        }
    }

    /// A listed word that no example prints may be one that the code never says; that every word which is printed is listed
    /// is asserted wherever a script runs in a test.
    #[test]
    fn every_listed_word_is_printed_by_an_example() {
        let mut said = BTreeSet::new();
        for pattern in patterns::all() {
            printed(pattern.info().example.trim(), &mut said);
        }
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap() {
            printed(&std::fs::read_to_string(entry.unwrap().path()).unwrap(), &mut said);
        }
        let mut missing = Vec::new();
        for row in WORDS {
            for word in row.words {
                let is_said = said.iter().any(|(pattern, place, said)| {
                    said == word
                        && row.at.contains(&place.as_str())
                        && (row.of.is_empty() || row.of.contains(&pattern.as_str()))
                });
                if !is_said {
                    missing.push(format!("{word} at {:?} of {:?}", row.at, row.of));
                }
            }
        }
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }
}
