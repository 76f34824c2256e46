//! A tuple of patterns that admits as one.

mod parts;

use super::answers::{OUTCOME_PARAM, admit, outcome};
use super::guard::refuse;
use super::keyed::{self, NUMBERED};
use super::load_shedder::{PRIORITY, priority};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{ADMISSION, Info, Instance, Kind, Operation, Param, Pattern, Spec, U32, U64};
use crate::replay::value::{Args, Value};
use parts::{Held, Part, part};
use seawall::core::Instant;
use seawall::core::guard::{Admit, Rejected, Took};
use seawall::core::load_shedder::Priority;
use std::time::Duration;

pub(super) const PERMIT: &str = "composition permit";
const THE_PERMIT: Param = Param::required("permit", Kind::Held(&[PERMIT]), "what an admission gave");
pub(super) const LOAD: Param = Param::or("load", U32, "0", "for a load shedder: the load now");

const LATENCY: Param = Param::or(
    "latency",
    Kind::Duration,
    "\"0s\"",
    "how long the operation took; a breaker measures it from the admission",
);

/// The most parts of all levels of one composition, so that a call comes to an end.
const MOST_IN_ALL: usize = 64;

/// The most parts, which core's longest tuple has.
const MOST: usize = 6;

pub(super) const KEY: Param = Param::optional(
    "key",
    Kind::Text,
    "for a part with a state for each key, and then required: the key; or hash",
);
pub(super) const HASH: Param =
    Param::optional("hash", U64, "the hash of the key, of which all bits are used");

/// What the patterns need to know of one call.
pub(super) struct Asked {
    priority: Priority,
    load: u32,
    key: keyed::Asked,
}

impl Asked {
    /// For what does not look at it.
    const NOTHING: &Self = &Self { priority: Priority::Normal, load: 0, key: keyed::Asked::Hash(0) };
}

/// A part as one call meets it.
struct Asking<'p> {
    part: &'p dyn Part,
    asked: &'p Asked,
}

impl Admit for Asking<'_> {
    type Permit<'a>
        = Held
    where
        Self: 'a;
    type Change = Fields;

    fn try_acquire(&self, now: Instant) -> Result<Held, Rejected> {
        self.part.try_acquire(self.asked, now)
    }

    fn check(&self, now: Instant) -> Result<(), Rejected> {
        self.part.check(self.asked, now)
    }

    fn give_back(&self, held: Held, now: Instant) {
        self.part.give_back(held, now);
    }

    fn observe(&self, took: Took, now: Instant) {
        self.part.observe(took, now);
    }

    fn settle(&self, held: Held, took: Took, now: Instant) -> Fields {
        self.part.settle(held, took, now)
    }
}

/// Core's longest tuple; what is left out of it admits everything.
type Tuple<T> = (Option<T>, Option<T>, Option<T>, Option<T>, Option<T>, Option<T>);

/// The patterns, by the names of their instances.
pub(super) struct Composition(Vec<(String, Box<dyn Part>)>);

impl Composition {
    fn is_keyed(&self) -> bool {
        self.0.iter().any(|(_, part)| part.is_keyed())
    }

    /// What the parts are to know of a call.
    pub(super) fn asked(&self, call: &Call<'_>) -> Result<Asked, Fault> {
        let key = if self.is_keyed() { keyed::asked(call)? } else { keyed::Asked::Hash(0) };
        Ok(Asked { priority: priority(call), load: call.args().u32("load").unwrap_or(0), key })
    }

    fn asking<'a>(&'a self, asked: &'a Asked) -> Tuple<Asking<'a>> {
        let part = |number: usize| {
            let (_, part) = self.0.get(number)?;
            Some(Asking { part: &**part, asked })
        };
        (part(0), part(1), part(2), part(3), part(4), part(5))
    }

    /// Admits a call, or refuses it.
    pub(super) fn admit(&self, asked: &Asked, now: Instant) -> Result<Permits, Rejected> {
        self.asking(asked).try_acquire(now).map(Permits)
    }

    fn give_back(&self, Permits(permits): Permits, now: Instant) {
        self.asking(Asked::NOTHING).give_back(permits, now);
    }

    fn observe(&self, took: Took, now: Instant) {
        self.asking(Asked::NOTHING).observe(took, now);
    }

    /// Settles a call, and says what that changed, part by part.
    fn settle(&self, Permits(permits): Permits, took: Took, now: Instant) -> Vec<Fields> {
        let changes: [_; MOST] = self.asking(Asked::NOTHING).settle(permits, took, now).into();
        let changes = changes.into_iter().flatten();
        let named = self.0.iter().zip(changes).map(|((name, _), change)| {
            let mut fields = Fields::default();
            fields.put("part", name.as_str());
            fields.extend(change);
            fields
        });
        named.collect()
    }
}

/// What an admitted call holds of all parts.
pub(super) struct Permits(Tuple<Held>);

static SPEC: Spec<Composition> = Spec {
    info: Info {
        name: "composition",
        about: "Instances of the script that admit as one, in their order: if one refuses, what those before it gave comes \
                back. Ask the parts for their states. `changes` has what the end of a call changed, part by part; that of a part \
                which is a composition has its `changes` in it",
        keys: &[Param::required(
            "parts",
            Kind::List(&Kind::Instance(PARTS)),
            "one to six, by their names, each once. A part can be a composition, whose parts count, too: all together 64 at most",
        )],
        prints: &[],
        example: r#"
{"policy": {"door": {"pattern": "composition", "parts": ["breaker", "limiter", "slots"]}, "breaker": {"pattern": "circuit_breaker", "consecutive_failures": 1, "open_for": "10s", "successes_to_close": 1}, "limiter": {"pattern": "rate_limiter", "rate": 1, "per": "1m", "burst": 2}, "slots": {"pattern": "bulkhead", "max_concurrent": 1}, "served": {"pattern": "composition", "parts": ["service", "shedder"]}, "service": {"pattern": "degradation"}, "shedder": {"pattern": "load_shedder", "max_load": 10}, "whole": {"pattern": "composition", "parts": ["served", "quota", "inner"]}, "quota": {"pattern": "adjustable_rate_limiter", "rate": 1, "burst": 5}, "inner": {"pattern": "composition", "parts": ["latency", "place"]}, "latency": {"pattern": "latency_budget", "slo": "99%", "target": "1s", "window": "60s", "minimum_calls": 1}, "place": {"pattern": "bulkhead", "max_concurrent": 1}, "gate": {"pattern": "composition", "parts": ["hosts", "tenants", "promise"]}, "hosts": {"pattern": "keyed_circuit_breaker", "consecutive_failures": 1, "open_for": "60s", "entries": 1}, "tenants": {"pattern": "keyed_rate_limiter", "rate": 1, "per": "60s", "burst": 2}, "promise": {"pattern": "error_budget", "slo": "99%", "window": "60s", "minimum_calls": 1}}}
{"at": "0s", "op": "door.try_acquire", "as": "a", "expect": {"admitted": true}}
{"op": "door.check", "expect": {"rejected": "full", "rejected_by": "bulkhead"}}
{"op": "door.give_back", "permit": "a"}
{"op": "limiter.available", "expect": {"available": 2}}
{"op": "door.try_acquire", "as": "b"}
{"at": "1s", "op": "door.settle", "permit": "b", "outcome": "failure", "latency": "1s", "expect": {"changes": [{"part": "breaker", "settlement": "changed", "transition": {"to": "open"}}, {"part": "limiter"}, {"part": "slots"}]}}
{"op": "limiter.try_acquire"}
{"at": "11s", "op": "door.try_acquire", "times": 3, "expect": {"rejected": "limited"}}
{"op": "breaker.state", "expect": {"state": "half_open", "probes": 0}}
{"op": "service.set_level", "component": 0, "level": "severely_degraded"}
{"op": "served.try_acquire", "priority": "low", "expect": {"rejected": "degraded", "rejected_by": "degradation"}}
{"op": "served.try_acquire", "priority": "critical", "load": 10, "expect": {"admitted": true}}
{"op": "whole.try_acquire", "priority": "low", "expect": {"rejected": "degraded"}}
{"op": "whole.try_acquire", "priority": "critical", "as": "w", "expect": {"admitted": true}}
{"op": "whole.check", "priority": "critical", "expect": {"rejected": "full", "rejected_by": "bulkhead"}}
{"op": "whole.observe", "outcome": "failure", "latency": "3s"}
{"op": "latency.snapshot", "expect": {"calls": 1, "exhausted": true}}
{"op": "whole.settle", "permit": "w", "outcome": "success", "latency": "2s", "expect": {"changes": [{"part": "served"}, {"part": "quota"}, {"part": "inner", "changes": [{"part": "latency", "edge": null}, {"part": "place"}]}]}}
{"op": "quota.available", "expect": {"available": 4}}
{"op": "whole.call", "priority": "critical", "outcome": "success", "took": "20ms", "expect": {"admitted": true, "ended_at": "11.02s", "changes": [{"part": "served"}, {}, {"changes": [{"edge": null}, {}]}]}}
{"op": "gate.try_acquire", "key": "alice", "as": "g", "expect": {"admitted": true}}
{"op": "gate.give_back", "permit": "g"}
{"op": "tenants.status", "key": "alice", "expect": {"available": 2}}
{"op": "gate.call", "key": "bob", "outcome": "success", "times": 3, "expect_admitted": 2}
{"op": "gate.check", "key": "bob", "expect": {"rejected": "limited", "rejected_by": "rate_limiter"}}
{"op": "gate.call", "key": "alice", "outcome": "failure", "expect": {"changes": [{"part": "hosts", "settlement": "changed", "transition": {"to": "open"}}, {"part": "tenants"}, {"part": "promise", "edge": "exhausted"}]}}
{"op": "gate.try_acquire", "key": "alice", "expect": {"rejected": "open", "rejected_by": "circuit_breaker", "retry_after": "60s"}}
{"op": "gate.try_acquire", "key": "carol", "expect": {"rejected": "table_full"}}
"#,
    },
    operations: &[
        Operation::new(
            "try_acquire",
            "asks every part whether a call may start",
            &[PRIORITY, LOAD, KEY, HASH, NUMBERED],
            try_acquire,
        )
        .gives(&[PERMIT])
        .prints(&[ADMISSION]),
        Operation::new(
            "check",
            "says whether a part would refuse a call now, and takes nothing",
            &[PRIORITY, LOAD, KEY, HASH, NUMBERED],
            check,
        )
        .prints(&[ADMISSION]),
        Operation::new(
            "give_back",
            "takes the permit of a call that was never tried back: a token exactly, a slot, a probe",
            &[THE_PERMIT],
            give_back,
        ),
        Operation::new(
            "call",
            "is try_acquire, and if the call is admitted settle after it `took` so long; the clock moves on with it",
            &[
                PRIORITY,
                LOAD,
                KEY,
                HASH,
                NUMBERED,
                OUTCOME_PARAM,
                Param::or("took", Kind::Duration, "\"0s\"", "how long the call took"),
            ],
            whole_call,
        )
        .prints(&[ADMISSION, &["changes", "ended_at+ns"]]),
        Operation::new(
            "observe",
            "tells the parts how an attempt of a call ended that was not the last one: a rate that follows the latency and a \
             promise about it learn from it",
            &[OUTCOME_PARAM, LATENCY],
            observe,
        ),
        Operation::new(
            "settle",
            "settles a call with every part",
            &[THE_PERMIT, OUTCOME_PARAM, LATENCY],
            settle,
        )
        .prints(&[&["changes"]]),
    ],
    state: |_, _, _| {},
    configure,
};

/// The patterns that can be a part.
const PARTS: &[&str] = &[
    "circuit_breaker",
    "rate_limiter",
    "adjustable_rate_limiter",
    "bulkhead",
    "adaptive_rate",
    "adaptive_concurrency",
    "latency_budget",
    "error_budget",
    "keyed_rate_limiter",
    "keyed_circuit_breaker",
    "degradation",
    "load_shedder",
    "composition",
];

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let list = args.list("parts").unwrap_or_default();
    let mut parts: Vec<(String, Box<dyn Part>)> = Vec::new();
    for value in list {
        let Value::Instance(shared) = value else { continue };
        if parts.iter().any(|(name, _)| *name == shared.name) {
            return Err(vec![format!("parts has {:?} twice", shared.name)]);
        }
        if let Some(part) = part(shared.it) {
            parts.push((shared.name, part));
        }
    }
    if parts.is_empty() || parts.len() > MOST {
        return Err(vec![format!("parts has {}, must have 1 to {MOST}", parts.len())]);
    }
    let in_all: usize = parts.iter().map(|(_, part)| part.parts()).sum();
    if in_all > MOST_IN_ALL {
        return Err(vec![format!(
            "parts has {in_all} with the parts of its parts, must have at most {MOST_IN_ALL}"
        )]);
    }
    Ok(SPEC.bind(Composition(parts)))
}

fn try_acquire(composition: &'static Composition, call: &mut Call<'_>) -> Result<(), Fault> {
    match composition.admit(&composition.asked(call)?, call.now()) {
        Ok(permits) => {
            admit(call.out());
            call.keep(PERMIT, permits)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn check(composition: &'static Composition, call: &mut Call<'_>) -> Result<(), Fault> {
    match composition.asking(&composition.asked(call)?).check(call.now()) {
        Ok(()) => admit(call.out()),
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

fn give_back(composition: &'static Composition, call: &mut Call<'_>) -> Result<(), Fault> {
    let permits: Permits = call.take("permit", PERMIT)?;
    composition.give_back(permits, call.now());
    Ok(())
}

fn whole_call(composition: &'static Composition, call: &mut Call<'_>) -> Result<(), Fault> {
    match composition.admit(&composition.asked(call)?, call.now()) {
        Ok(permits) => {
            admit(call.out());
            let latency = call.args().duration("took").unwrap_or(Duration::ZERO);
            call.pass(latency);
            let took = Took::new(outcome(call.args(), "outcome"), latency);
            let changes = composition.settle(permits, took, call.now());
            call.out().put("changes", changes);
            let end = call.now();
            call.out().moment("ended_at", end);
        }
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

/// How a call or an attempt ended.
fn took(call: &Call<'_>) -> Took {
    let latency = call.args().duration("latency").unwrap_or(Duration::ZERO);
    Took::new(outcome(call.args(), "outcome"), latency)
}

fn observe(composition: &'static Composition, call: &mut Call<'_>) -> Result<(), Fault> {
    composition.observe(took(call), call.now());
    Ok(())
}

fn settle(composition: &'static Composition, call: &mut Call<'_>) -> Result<(), Fault> {
    let permits: Permits = call.take("permit", PERMIT)?;
    let changes = composition.settle(permits, took(call), call.now());
    call.out().put("changes", changes);
    Ok(())
}
