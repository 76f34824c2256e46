//! The features of each level.

use super::answers::{LEVEL, level};
use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec};
use crate::replay::value::{Args, Value};
use seawall::core::features::{Features, FeaturesByLevel};

const SET: Kind = Kind::List(&Kind::Integer(31));

static SPEC: Spec<FeaturesByLevel> = Spec {
    info: Info {
        name: "features",
        about: "Which features, numbers from 0 to 31, does a level of degradation leave switched on?",
        keys: &[
            Param::required("normal", SET, "what is on when everything works"),
            Param::optional(
                "degraded",
                SET,
                "what is left then; by default as at the level above, and so on",
            ),
            Param::optional("severely_degraded", SET, "what is left then"),
            Param::optional("emergency", SET, "what is left then"),
        ],
        prints: &[],
        example: r#"
{"policy": {"features": {"normal": [0, 1, 2], "degraded": [0, 2], "emergency": [2]}}}
{"op": "features.at", "level": "severely_degraded", "expect": {"features": [0, 2], "bits": 5}}
{"op": "features.contains", "level": "emergency", "features": [0, 2], "expect": {"contains": false}}
"#,
    },
    operations: &[
        Operation::new(
            "at",
            "prints what is left at a level",
            &[Param::required("level", LEVEL, "the level")],
            at,
        )
        .prints(&[&["features", "bits"]]),
        Operation::new(
            "contains",
            "says whether all of these are left at a level",
            &[Param::required("level", LEVEL, "the level"), Param::required("features", SET, "the features")],
            contains,
        )
        .prints(&[&["contains"]]),
    ],
    state: |_, _, _| (),
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn set(args: &Args, key: &str) -> Option<Features> {
    let numbers = args.list(key)?;
    let bits = numbers.iter().fold(0_u32, |bits, number| match number {
        Value::Integer(number @ 0..32) => bits | 1 << number,
        _ => bits,
    });
    Some(Features::from_bits(bits))
}

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let mut features = FeaturesByLevel::new(set(args, "normal").unwrap_or(Features::NONE));
    if let Some(set) = set(args, "degraded") {
        features = features.degraded(set);
    }
    if let Some(set) = set(args, "severely_degraded") {
        features = features.severely_degraded(set);
    }
    if let Some(set) = set(args, "emergency") {
        features = features.emergency(set);
    }
    Ok(SPEC.bind(features))
}

fn at(features: &'static FeaturesByLevel, call: &mut Call<'_>) -> Result<(), Fault> {
    let bits = features.at(level(call.args(), "level")).bits();
    let numbers: Vec<u32> = (0..32).filter(|number| bits >> number & 1 == 1).collect();
    call.out().put("features", numbers);
    call.out().put("bits", bits);
    Ok(())
}

fn contains(features: &'static FeaturesByLevel, call: &mut Call<'_>) -> Result<(), Fault> {
    let asked = set(call.args(), "features").unwrap_or(Features::NONE);
    let contains = features.at(level(call.args(), "level")).contains(asked);
    call.out().put("contains", contains);
    Ok(())
}
