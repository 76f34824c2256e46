//! The threshold.

use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec};
use crate::replay::value::Args;
use seawall::core::Threshold;

static SPEC: Spec<Threshold<f64>> = Spec {
    info: Info {
        name: "threshold",
        about: "Is a measured value within its bounds? Both bounds belong to them; what is not a number does not",
        keys: &[
            Param::optional("min", Kind::Number, "the value must be it or more"),
            Param::optional("max", Kind::Number, "the value must be it or less"),
        ],
        prints: &[],
        example: r#"
{"policy": {"threshold": {"min": 0, "max": 80}}}
{"op": "threshold.is_met_by", "value": 80, "expect": {"met": true}}
{"op": "threshold.is_met_by", "value": 80.1, "expect": {"met": false}}
{"op": "threshold.is_met_by", "value": "NaN", "expect": {"met": false}}
"#,
    },
    operations: &[Operation::new(
        "is_met_by",
        "says whether a value is within the bounds",
        &[Param::required("value", Kind::Number, "the value")],
        is_met_by,
    )
    .prints(&[&["met"]])],
    state: |_, _, _| (),
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let threshold = match (args.number("min"), args.number("max")) {
        (Some(min), Some(max)) => Threshold::try_between(min, max).map_err(|error| {
            let key = error.field.rsplit('.').next().unwrap_or(error.field);
            vec![format!("{key} must be {}", error.bound)]
        })?,
        (Some(bound), None) | (None, Some(bound)) if bound.is_nan() => {
            return Err(vec!["min and max must be numbers".to_owned()]);
        }
        (Some(min), None) => Threshold::at_least(min),
        (None, Some(max)) => Threshold::at_most(max),
        (None, None) => return Err(vec!["min is missing, and so is max".to_owned()]),
    };
    Ok(SPEC.bind(threshold))
}

fn is_met_by(threshold: &'static Threshold<f64>, call: &mut Call<'_>) -> Result<(), Fault> {
    let met = threshold.is_met_by(call.args().number("value").unwrap_or(f64::NAN));
    call.out().put("met", met);
    Ok(())
}
