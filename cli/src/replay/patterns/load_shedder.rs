//! The load shedder.

use super::answers::{admit, reject};
use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::schema::{ADMISSION, Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::LoadShedder;
use seawall::core::load_shedder::{Config, Priority, Rejected};
use std::time::Duration;

/// The argument `priority`.
pub(super) const PRIORITY: Param =
    Param::or("priority", Kind::Word(&["low", "normal", "high", "critical"]), "\"normal\"", "of the call");
const LOAD: Param = Param::required("load", U32, "the load now, in the unit of max_load");

static SPEC: Spec<LoadShedder> = Spec {
    info: Info {
        name: "load_shedder",
        about: "Turns away what is too much, the least important first: the share 1 - max_load / load of the calls",
        keys: &[
            Param::required("max_load", U32, "nothing is shed up to this load"),
            Param::or(
                "span",
                Kind::Duration,
                "\"10s\"",
                "over which the traffic of the priorities is compared, in ten buckets",
            ),
            Param::optional("seed", U32, "of the draws"),
        ],
        prints: &[&["max_load"]],
        example: r#"
{"policy": {"load_shedder": {"max_load": 100, "span": "10s"}}}
{"at": "0s", "op": "load_shedder.try_admit", "priority": "low", "load": 100, "expect": {"admitted": true}}
{"op": "load_shedder.try_admit", "priority": "high", "load": 150, "times": 3}
{"op": "load_shedder.try_admit_drawn", "priority": "low", "load": 1000, "draw": 4294967295, "expect": {"admitted": false, "rejected": "shed"}}
{"op": "load_shedder.stats", "priority": "low", "expect": {"admitted_calls": 1, "shed_calls": 1}}
{"op": "load_shedder.max_load", "expect": {"max_load": 100}}
"#,
    },
    operations: &[
        Operation::new(
            "try_admit",
            "counts a call, and lets it pass unless it is among what is too much",
            &[PRIORITY, LOAD],
            try_admit,
        )
        .prints(&[ADMISSION]),
        Operation::new(
            "try_admit_drawn",
            "is try_admit with a draw of the caller: the lower, the sooner the call is shed",
            &[PRIORITY, LOAD, Param::required("draw", U32, "uniformly random")],
            try_admit,
        )
        .prints(&[ADMISSION]),
        Operation::new("stats", "prints what became of the calls of a priority", &[PRIORITY], stats)
            .prints(&[&["admitted_calls", "shed_calls"]]),
        Operation::new("max_load", "prints the load that can be served", &[], |_, _| Ok(())),
    ],
    state: |shedder, _, out| out.put("max_load", shedder.max_load()),
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let span = config.duration("span").unwrap_or(Duration::from_secs(10));
    let seed = config.u32("seed").unwrap_or(0);
    let config = Config::new(config.u32("max_load").unwrap_or(0), span).seed(seed);
    LoadShedder::try_new(config)
        .map(|shedder| SPEC.bind(shedder))
        .map_err(|error| vec![super::answers::wrong(&error)])
}

/// The priority of an argument.
pub(super) fn priority(call: &Call<'_>) -> Priority {
    let word = call.args().word("priority");
    Priority::ALL.into_iter().find(|priority| Some(priority.name()) == word).unwrap_or_default()
}

fn try_admit(shedder: &'static LoadShedder, call: &mut Call<'_>) -> Result<(), Fault> {
    let (priority, load, now) = (priority(call), call.args().u32("load").unwrap_or(0), call.now());
    let answer = match call.args().u32("draw") {
        Some(draw) => shedder.try_admit_drawn(priority, load, draw, now),
        None => shedder.try_admit(priority, load, now),
    };
    match answer {
        Ok(()) => admit(call.out()),
        Err(Rejected { .. }) => reject(call.out(), "load_shedder", "shed", None),
    }
    Ok(())
}

fn stats(shedder: &'static LoadShedder, call: &mut Call<'_>) -> Result<(), Fault> {
    let stats = shedder.stats(priority(call));
    call.out().put("admitted_calls", stats.admitted);
    call.out().put("shed_calls", stats.shed);
    Ok(())
}
