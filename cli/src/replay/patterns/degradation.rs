//! Degradation by hand.

use super::answers::{LEVEL, level, level_change};
use super::load_shedder::{PRIORITY, priority};
use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Kind, Operation, Param, Pattern, Spec, U32, U64};
use seawall::core::degradation::{Component, Level};
use seawall::core::{Degradation, Ratio};

const COMPONENT: Param = Param::required("component", Kind::Integer(15), "its number");

static SPEC: Spec<Degradation> = Spec {
    info: Info {
        name: "degradation",
        about: "How much service can we still give? The level of the whole is the worst of its sixteen components",
        keys: &[],
        prints: &[&["level"]],
        example: r#"
{"policy": {"degradation": {}}}
{"op": "degradation.set_level", "component": 3, "level": "degraded", "expect": {"level": "degraded", "change": {"from": "normal", "to": "degraded"}}}
{"op": "degradation.set_level", "component": 4, "level": "normal", "expect": {"level": "degraded", "change": null}}
{"op": "degradation.component_level", "component": 4, "expect": {"component_level": "normal"}}
{"op": "degradation.admits", "priority": "low", "expect": {"admits": true}}
{"op": "degradation.level", "expect": {"level": "degraded"}}
{"op": "degradation.for_ratio", "value": 151, "threshold": 100, "expect": {"for_ratio": "severely_degraded"}}
{"op": "degradation.for_rate", "part": 3, "whole": 100, "threshold": "1%", "expect": {"for_rate": "emergency"}}
{"op": "degradation.recover_all", "expect": {"level": "normal"}}
"#,
    },
    operations: &[
        Operation::new(
            "set_level",
            "reports the level of a component",
            &[COMPONENT, Param::required("level", LEVEL, "its level")],
            set_level,
        )
        .prints(&[&["change"]]),
        Operation::new(
            "recover_all",
            "reports every component as normal",
            &[],
            |degradation: &'static Degradation, call| {
                call.out().put("change", degradation.recover_all().map(level_change));
                Ok(())
            },
        )
        .prints(&[&["change"]]),
        Operation::new("level", "prints the level of the whole", &[], |_, _| Ok(())),
        Operation::new(
            "admits",
            "says whether a call of this priority is served at the level of the whole",
            &[PRIORITY],
            |degradation: &'static Degradation, call| {
                let admits = degradation.level().admits(priority(call));
                call.out().put("admits", admits);
                Ok(())
            },
        )
        .prints(&[&["admits"]]),
        Operation::new("component_level", "prints the level of a component", &[COMPONENT], component_level)
            .prints(&[&["component_level"]]),
        Operation::new(
            "for_ratio",
            "prints the level of a measure: over its threshold, one and a half times it, or twice it",
            &[
                Param::required("value", U64, "the measure"),
                Param::required("threshold", U64, "its threshold"),
            ],
            for_ratio,
        )
        .prints(&[&["for_ratio"]]),
        Operation::new(
            "for_rate",
            "prints the level of a share, part of whole",
            &[
                Param::required("part", U32, "the part"),
                Param::required("whole", U32, "the whole"),
                Param::required("threshold", Kind::Share, "its threshold"),
            ],
            for_rate,
        )
        .prints(&[&["for_rate"]]),
    ],
    state: |degradation, _, out| out.put("level", degradation.level().name()),
    configure: |_| Ok(SPEC.bind(Degradation::new())),
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn component(call: &Call<'_>) -> Result<Component, Fault> {
    let number = call.args().integer("component").and_then(|number| u8::try_from(number).ok());
    Component::try_new(number.unwrap_or(u8::MAX)).map_err(|error| Fault::new(error.to_string()))
}

fn set_level(degradation: &'static Degradation, call: &mut Call<'_>) -> Result<(), Fault> {
    let change = degradation.set_level(component(call)?, level(call.args(), "level"));
    call.out().put("change", change.map(level_change));
    Ok(())
}

fn component_level(degradation: &'static Degradation, call: &mut Call<'_>) -> Result<(), Fault> {
    let level = degradation.component_level(component(call)?);
    call.out().put("component_level", level.name());
    Ok(())
}

fn for_ratio(_: &'static Degradation, call: &mut Call<'_>) -> Result<(), Fault> {
    let number = |key| call.args().integer(key).unwrap_or(0);
    let level = Level::for_ratio(number("value"), number("threshold"));
    call.out().put("for_ratio", level.name());
    Ok(())
}

fn for_rate(_: &'static Degradation, call: &mut Call<'_>) -> Result<(), Fault> {
    let number = |key| call.args().u32(key).unwrap_or(0);
    let threshold = call.args().share("threshold").unwrap_or(Ratio::ONE);
    let level = Level::for_rate(number("part"), number("whole"), threshold);
    call.out().put("for_rate", level.name());
    Ok(())
}
