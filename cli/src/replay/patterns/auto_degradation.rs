//! Degradation by a measure.

use super::answers::level_change;
use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32, U64};
use crate::replay::value::Args;
use seawall::core::AutoDegradation;
use seawall::core::auto_degradation::Config;

static SPEC: Spec<AutoDegradation> = Spec {
    info: Info {
        name: "auto_degradation",
        about: "The level of a component by a measure of it: at once when it gets worse, \
                one level after each `calm_for` when it gets better",
        keys: &[
            Param::required("threshold", U64, "the measure should stay at or below it"),
            Param::or("recovery", Kind::Share, "0.8", "the lower bounds, as a share of the upper ones"),
            Param::or(
                "worse_after",
                U32,
                "1",
                "it gets worse after so many values in a row above a bound, 1 to 15",
            ),
            Param::or(
                "calm_for",
                Kind::Duration,
                "\"30s\"",
                "how long the measure has to be at or below a lower bound, counted from the last value above it",
            ),
        ],
        prints: &[&["level"]],
        example: r#"
{"policy": {"auto_degradation": {"threshold": 100, "recovery": 0.8, "calm_for": "30s"}, "patient": {"pattern": "auto_degradation", "threshold": 100, "worse_after": 3}}}
{"at": "0s", "op": "auto_degradation.observe", "value": 100, "expect": {"level": "normal"}}
{"at": "1s", "op": "auto_degradation.observe", "value": 151, "expect": {"level": "severely_degraded", "change": {"from": "normal"}}}
{"at": "2s", "op": "auto_degradation.observe", "value": 10, "expect": {"level": "severely_degraded", "change": null}}
{"at": "32s", "op": "auto_degradation.observe", "value": 10, "expect": {"level": "degraded"}}
{"op": "auto_degradation.level"}
{"op": "patient.observe", "value": 201, "times": 2, "expect": {"level": "normal"}}
{"op": "patient.observe", "value": 201, "expect": {"level": "emergency"}}
"#,
    },
    operations: &[
        Operation::new(
            "observe",
            "judges by a value",
            &[Param::required("value", U64, "the measure")],
            observe,
        )
        .prints(&[&["change"]]),
        Operation::new("level", "prints the level", &[], |_, _| Ok(())),
    ],
    state: |degradation, _, out| out.put("level", degradation.level().name()),
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let mut config = Config::new(args.integer("threshold").unwrap_or(0));
    if let Some(share) = args.share("recovery") {
        config = config.recovery(share);
    }
    if let Some(calm) = args.duration("calm_for") {
        config = config.calm_for(calm);
    }
    config = config.worse_after(args.u32("worse_after").unwrap_or(0));
    AutoDegradation::try_new(config)
        .map(|degradation| SPEC.bind(degradation))
        .map_err(|error| vec![super::answers::wrong(&error)])
}

fn observe(degradation: &'static AutoDegradation, call: &mut Call<'_>) -> Result<(), Fault> {
    let change = degradation.observe(call.args().integer("value").unwrap_or(0), call.now());
    call.out().put("change", change.map(level_change));
    Ok(())
}
