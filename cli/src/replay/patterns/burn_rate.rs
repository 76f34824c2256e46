//! The burn rate.

use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::burn_rate::{Config, Edge, Rule};
use seawall::core::{BurnRate, Instant, Ratio};

static SPEC: Spec<BurnRate> = Spec {
    info: Info {
        name: "burn_rate",
        about: "Does the error budget burn too fast, over a long window and over a short one? \
                `edge` is \"raised\" or \"cleared\" where an operation crossed the line",
        keys: &[
            Param::required("slo", Kind::Share, "the share of calls that is to succeed"),
            Param::optional(
                "rule",
                Kind::Word(&["fast", "medium", "slow"]),
                "14.4 over 1h and 5m, 6 over 6h and 30m, or 1 over 72h and 6h; in place of factor_tenths and long",
            ),
            Param::optional(
                "factor_tenths",
                U32,
                "how fast is too fast, in tenths of what the objective allows",
            ),
            Param::optional("long", Kind::Duration, "the long window, in ten buckets"),
            Param::optional(
                "short",
                Kind::Duration,
                "the short window; a twelfth of the long one by default",
            ),
            Param::optional(
                "minimum_calls",
                U32,
                "with fewer in the long window no alert is raised; by default as many as the objective lets one of fail",
            ),
        ],
        prints: &[&["calls", "long_thousandths", "short_thousandths", "raised"]],
        example: r#"
{"policy": {"burn_rate": {"slo": "99%", "factor_tenths": 100, "long": "120s", "short": "10s", "minimum_calls": 10}}}
{"at": "0s", "op": "burn_rate.record", "success": true, "times": 9}
{"op": "burn_rate.record", "success": false, "expect": {"edge": "raised", "long_thousandths": 10000}}
{"op": "burn_rate.is_raised", "expect": {"raised": true}}
{"at": "12s", "op": "burn_rate.check", "expect": {"edge": "cleared", "short_thousandths": 0}}
{"op": "burn_rate.snapshot", "expect": {"calls": 10}}
"#,
    },
    operations: &[
        Operation::new(
            "record",
            "counts a call",
            &[Param::required("success", Kind::Flag, "whether it succeeded")],
            record,
        )
        .prints(&[&["edge"]]),
        Operation::new("check", "says if time raised or cleared the alert", &[], check).prints(&[&["edge"]]),
        Operation::new("is_raised", "says whether the budget burns too fast", &[], |_, _| Ok(())),
        Operation::new("snapshot", "prints the rates", &[], |_, _| Ok(())),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let (factor, long) = (args.u32("factor_tenths"), args.duration("long"));
    let mut rule = match (args.word("rule"), factor, long) {
        (Some("fast"), None, None) => Rule::FAST,
        (Some("medium"), None, None) => Rule::MEDIUM,
        (Some(_), None, None) => Rule::SLOW,
        (None, Some(factor), Some(long)) => Rule::tenths(factor, long),
        _ => return Err(vec!["rule must be given, or factor_tenths and long, and not both".to_owned()]),
    };
    if let Some(short) = args.duration("short") {
        rule = rule.short(short);
    }
    let mut config = Config::new(args.share("slo").unwrap_or(Ratio::ONE), rule);
    if let Some(n) = args.u32("minimum_calls") {
        config = config.minimum_calls(n);
    }
    BurnRate::try_new(config).map(|rate| SPEC.bind(rate)).map_err(|error| vec![super::answers::wrong(&error)])
}

fn print_state(rate: &BurnRate, now: Instant, out: &mut Fields) {
    let rates = rate.snapshot(now);
    out.put("calls", rates.calls);
    out.put("long_thousandths", rates.long_thousandths);
    out.put("short_thousandths", rates.short_thousandths);
    out.put("raised", rates.raised);
}

pub(super) fn word(edge: Edge) -> &'static str {
    match edge {
        Edge::Raised => "raised",
        Edge::Cleared => "cleared",
    }
}

fn record(rate: &'static BurnRate, call: &mut Call<'_>) -> Result<(), Fault> {
    let crossed = rate.record(call.args().flag("success").unwrap_or(true), call.now());
    call.out().put("edge", crossed.map(word));
    Ok(())
}

fn check(rate: &'static BurnRate, call: &mut Call<'_>) -> Result<(), Fault> {
    let crossed = rate.check(call.now());
    call.out().put("edge", crossed.map(word));
    Ok(())
}
