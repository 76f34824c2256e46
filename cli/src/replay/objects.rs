//! The fields of the objects that stand in decisions, so that what is expected of them is checked before anything runs.

use super::patterns;
use super::schema::{CONFIG, Group, Kind, Param};
use super::statement::expand;
use std::borrow::Cow;

/// An object in a decision.
struct Object {
    /// The patterns that print it; empty where all that print it print the same.
    of: Group,
    /// Where it stands: its field, behind those of the objects that it is in.
    at: Group,
    fields: Group,
}

const STATUS: Group = &[
    "state",
    "forced",
    "generation",
    "consecutive_failures",
    "probes",
    "successes",
    "failed_probes",
    "shadow",
    "ramping",
    "window",
    "retry_after+ns",
];

/// More telling rows come first.
const OBJECTS: &[Object] = &[
    Object { of: &["health_check"], at: &["transition"], fields: &["from", "to", "cause", "figures"] },
    Object {
        of: &["health_check"],
        at: &["transition.figures"],
        fields: &["successes", "failures", "results"],
    },
    Object {
        of: &[],
        at: &[
            "transition",
            "half_opened",
            "attempts.transition",
            "attempts.half_opened",
            "event.transition",
            "changes.transition",
        ],
        fields: &["from", "to", "cause", "figures", "generation"],
    },
    Object {
        of: &[],
        at: &[
            "transition.figures",
            "half_opened.figures",
            "attempts.transition.figures",
            "attempts.half_opened.figures",
            "event.transition.figures",
            "changes.transition.figures",
        ],
        fields: &["calls", "failures", "slow", "successes"],
    },
    Object {
        of: &["composition"],
        at: &["changes"],
        fields: &["part", "settlement", "transition", "adjustment", "edge", "changes"],
    },
    Object {
        of: &["composition"],
        at: &["changes.adjustment"],
        fields: &["from", "to", "reason", "from_per_second", "to_per_second", "raise", "p95+ns", "samples"],
    },
    Object { of: &[], at: &["change", "event.change"], fields: &["from", "to"] },
    Object {
        of: &["event_ring"],
        at: &["event"],
        fields: &["at+ns", "kind", "transition", "edge", "change", "health", "adjustment"],
    },
    Object { of: &["event_ring"], at: &["event.health"], fields: &["from", "to", "cause", "figures"] },
    Object {
        of: &["event_ring"],
        at: &["event.health.figures"],
        fields: &["successes", "failures", "results"],
    },
    Object {
        of: &["event_ring"],
        at: &["event.adjustment"],
        fields: &["from", "to", "reason", "raise", "p95+ns"],
    },
    Object { of: &["adaptive_concurrency"], at: &["adjustment"], fields: &["from", "to", "reason"] },
    Object {
        of: &["adaptive_rate"],
        at: &["adjustment"],
        fields: &["from_per_second", "to_per_second", "raise", "p95+ns", "samples"],
    },
    Object {
        of: &["adaptive_timeout", "percentile_timeout"],
        at: &["adjustment"],
        fields: &["from+ns", "to+ns"],
    },
    Object {
        of: &[],
        at: &["waits_so_far", "bulkhead.waits_so_far"],
        fields: &["admitted", "total+ns", "longest+ns", "mean+ns"],
    },
    Object {
        of: &["circuit_breaker"],
        at: &["counts"],
        fields: &[
            "requests",
            "successes",
            "failures",
            "excluded",
            "consecutive_successes",
            "consecutive_failures",
        ],
    },
    Object { of: &["circuit_breaker"], at: &["window"], fields: &["calls", "failures", "slow"] },
    Object { of: &["guard"], at: &["breaker.window"], fields: &["calls", "failures", "slow"] },
    Object { of: &["guard"], at: &["breaker"], fields: STATUS },
    Object {
        of: &["guard"],
        at: &["bulkhead"],
        fields: &["in_use", "waiting", "capacity", "max_waiting", "closed", "waits_so_far"],
    },
    Object { of: &["guard"], at: &["limiter"], fields: &["available", "rate", "per+ns", "burst"] },
    Object {
        of: &["guard"],
        at: &["error_budget"],
        fields: &[
            "calls",
            "failures",
            "allowed_failures",
            "availability+millionths",
            "remaining+millionths",
            "spent_millionths",
            "exhausted",
        ],
    },
    Object {
        of: &["guard"],
        at: &["stats"],
        fields: &[
            "successes",
            "failures",
            "ignored",
            "cancelled",
            "rejected",
            "rejected_by_load_shedder",
            "rejected_by_degradation",
            "rejected_by_adaptive_rate",
            "rejected_by_adaptive_concurrency",
            "rejected_by_rate_limiter",
            "rejected_by_bulkhead",
            "rejected_by_circuit_breaker",
            "rejected_by_deadline",
            "retries",
            "timeouts",
            "shadow",
            "transitions",
        ],
    },
    Object {
        of: &["guard"],
        at: &["stats.shadow"],
        fields: &[
            "reject",
            "reject_by_load_shedder",
            "reject_by_degradation",
            "reject_by_adaptive_rate",
            "reject_by_adaptive_concurrency",
            "reject_by_rate_limiter",
            "reject_by_bulkhead",
            "reject_by_circuit_breaker",
            "reject_by_deadline",
            "retry",
            "time_out",
        ],
    },
    Object {
        of: &["guard"],
        at: &["stats.transitions"],
        fields: &[
            "closed_to_half_open",
            "closed_to_open",
            "half_open_to_closed",
            "half_open_to_open",
            "open_to_closed",
            "open_to_half_open",
        ],
    },
    Object {
        of: &["guard"],
        at: &["attempts"],
        fields: &[
            "attempt",
            "at+ns",
            "probe",
            "half_opened",
            "struck",
            "outcome",
            "timed_out",
            "took+ns",
            "verdict",
            "retry_after+ns",
            "gave_up",
            "transition",
            "edge",
        ],
    },
    Object {
        of: &["keyed_circuit_breaker"],
        at: &["hot", "statuses"],
        fields: &["entry", "state", "forced", "consecutive_failures", "calls", "failures"],
    },
    Object { of: &["keyed_rate_limiter"], at: &["hot"], fields: &["entry", "available"] },
    Object {
        of: &["histogram", "rotating_histogram"],
        at: &["buckets"],
        fields: &["lowest", "highest", "count"],
    },
    Object { of: &["chaos"], at: &["cpu"], fields: &["threads", "share+millionths", "time+ns"] },
    Object { of: &["chaos"], at: &["memory", "disk"], fields: &["bytes", "time+ns"] },
    Object {
        of: &["chaos"],
        at: &["injections"],
        fields: &["latency", "error", "timeout", "panic", "partition", "cpu", "memory", "disk"],
    },
];

/// The fields of an object in what a pattern prints; none if there is no object at this place.
pub(super) fn inside(pattern: &str, place: &str) -> Option<Vec<String>> {
    if let Some(kind) = configured(pattern, place) {
        return table(&kind).map(|keys| keys.iter().map(|key| key.name.to_owned()).collect());
    }
    let place = &*unnested(place);
    OBJECTS
        .iter()
        .find(|object| (object.of.is_empty() || object.of.contains(&pattern)) && object.at.contains(&place))
        .map(|object| expand(object.fields))
}

/// The place that all levels of a composition in a composition have in the tables.
pub(super) fn unnested(place: &str) -> Cow<'_, str> {
    if !place.starts_with("changes.changes") {
        return place.into();
    }
    let mut rest = place;
    while let Some(inner) = rest.strip_prefix("changes.").filter(|inner| inner.starts_with("changes")) {
        rest = inner;
    }
    rest.into()
}

/// What stands at a place of a configuration that is printed; none if the place is in no configuration.
pub(super) fn configured(pattern: &str, place: &str) -> Option<Kind> {
    let mut path = place.split('.');
    let keys = patterns::find(pattern)?.info().keys;
    (path.next() == Some(CONFIG.name)).then_some(())?;
    path.try_fold(Kind::Table(keys), |kind, name| {
        table(&kind)?.iter().find(|key| key.name == name).map(|key| key.kind)
    })
}

/// The keys of a table, or of each table of a list.
fn table(kind: &Kind) -> Option<&'static [Param]> {
    match kind {
        Kind::Table(keys) => Some(keys),
        Kind::List(kind) => table(kind),
        Kind::Either(kinds) => kinds.iter().find_map(table),
        _ => None,
    }
}

/// The objects as rows of a table: where they stand, and their fields.
pub(super) fn rows() -> impl Iterator<Item = (String, String)> {
    let quoted =
        |names: Vec<String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let config = ("`config`".to_owned(), "the keys of the pattern's configuration".to_owned());
    let objects = OBJECTS.iter().map(move |object| {
        let places = quoted(object.at.iter().map(|&place| place.to_owned()).collect());
        let of = quoted(object.of.iter().map(|&pattern| pattern.to_owned()).collect());
        let places = if of.is_empty() { places } else { format!("{places} of {of}") };
        (places, quoted(expand(object.fields)))
    });
    std::iter::once(config).chain(objects)
}
