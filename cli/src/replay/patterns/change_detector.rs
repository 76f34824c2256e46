//! The change detector.

use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::change::{Config, Verdict};
use seawall::core::{ChangeDetector, Instant};

static SPEC: Spec<ChangeDetector> = Spec {
    info: Info {
        name: "change_detector",
        about: "Is a value unlike the ones before? `verdict` is \"learning\", \"normal\" or \"anomalous\"",
        keys: &[
            Param::or("weight_shift", U32, "4", "a new value weighs 2 to the power of minus this, 1 to 6"),
            Param::or("warm_up", U32, "32", "so many values are learned without a verdict, 1 to 63"),
            Param::or(
                "tolerance",
                U32,
                "6",
                "a value more than so many deviations from the mean is anomalous, 1 to 1000",
            ),
            Param::or("least_spread", U32, "1", "a smaller deviation is taken for this, 1 to 4194303"),
        ],
        prints: &[&["mean", "deviation"]],
        example: r#"
{"policy": {"change_detector": {"warm_up": 4, "tolerance": 6}}}
{"op": "change_detector.observe", "value": 100, "times": 4, "expect": {"verdict": "learning"}}
{"op": "change_detector.observe", "value": 101, "expect": {"verdict": "normal", "mean": 100}}
{"op": "change_detector.observe", "value": 200, "expect": {"verdict": "anomalous", "above": true}}
{"op": "change_detector.mean"}
{"op": "change_detector.deviation"}
{"op": "change_detector.reset"}
"#,
    },
    operations: &[
        Operation::new("observe", "judges a value by the ones before, and learns it", &[VALUE], observe)
            .prints(&[&["verdict", "score_tenths", "above"]]),
        Operation::new("mean", "prints the moving mean", &[], |_, _| Ok(())),
        Operation::new("deviation", "prints the moving mean absolute deviation", &[], |_, _| Ok(())),
        Operation::new("reset", "forgets what it learned", &[], |detector, _| {
            detector.reset();
            Ok(())
        }),
    ],
    state: print_state,
    configure,
};

const VALUE: Param = Param::required("value", U32, "above 4194303 it is taken for that");

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let number = |key| args.u32(key).unwrap_or(0);
    let config = Config::new()
        .weight_shift(number("weight_shift"))
        .warm_up(number("warm_up"))
        .tolerance(number("tolerance"))
        .least_spread(number("least_spread"));
    ChangeDetector::try_new(config)
        .map(|detector| SPEC.bind(detector))
        .map_err(|error| vec![super::answers::wrong(&error)])
}

fn print_state(detector: &ChangeDetector, _: Instant, out: &mut Fields) {
    out.put("mean", detector.mean());
    out.put("deviation", detector.deviation());
}

fn observe(detector: &'static ChangeDetector, call: &mut Call<'_>) -> Result<(), Fault> {
    match detector.observe(call.args().u32("value").unwrap_or(0)) {
        Verdict::Learning => call.out().put("verdict", "learning"),
        Verdict::Normal => call.out().put("verdict", "normal"),
        Verdict::Anomalous { score_tenths, above } => {
            call.out().put("verdict", "anomalous");
            call.out().put("score_tenths", score_tenths);
            call.out().put("above", above);
        }
    }
    Ok(())
}
