//! The latency budget.

use super::answers::edge;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::latency_budget::Config;
use seawall::core::{Instant, LatencyBudget, Ratio};
use std::time::Duration;

static SPEC: Spec<LatencyBudget> = Spec {
    info: Info {
        name: "latency_budget",
        about: "Are we keeping the promise that a share of the calls takes `target` at most? \
                Percentiles are upper ends of buckets, less than a sixteenth above the true value",
        keys: &[
            Param::required("slo", Kind::Share, "the share of calls that is to keep the target"),
            Param::required("target", Kind::Duration, "the latency that a call should not exceed"),
            Param::required("window", Kind::Duration, "over which calls are counted, in ten buckets"),
            Param::optional(
                "minimum_calls",
                U32,
                "with fewer the budget is not exhausted; by default as many as the objective lets one of be slow",
            ),
        ],
        prints: &[&[
            "calls",
            "violations",
            "allowed_violations",
            "compliance+millionths",
            "remaining+millionths",
            "spent_millionths",
            "exhausted",
            "latency+ns",
        ]],
        example: r#"
{"policy": {"latency_budget": {"slo": 0.95, "target": "100ms", "window": "60s", "minimum_calls": 10}}}
{"at": "0s", "op": "latency_budget.record", "latency": "50ms", "times": 9}
{"op": "latency_budget.record", "latency": "101ms", "expect": {"edge": "exhausted", "violations": 1, "compliance": "90%"}}
{"op": "latency_budget.percentile", "share": "50%", "expect": {"percentile": {"min": "50ms", "max": "54ms"}}}
{"op": "latency_budget.is_exhausted", "expect": {"exhausted": true}}
{"at": "61s", "op": "latency_budget.check", "expect": {"edge": "recovered"}}
{"op": "latency_budget.snapshot", "expect": {"calls": 0, "latency": null}}
{"op": "latency_budget.target", "expect": {"target": "100ms"}}
{"op": "latency_budget.share", "expect": {"share": 0.95}}
"#,
    },
    operations: &[
        Operation::new(
            "record",
            "counts a call",
            &[Param::required("latency", Kind::Duration, "how long it took")],
            record,
        )
        .prints(&[&["edge"]]),
        Operation::new("check", "says if time took the budget over the line", &[], check)
            .prints(&[&["edge"]]),
        Operation::new("is_exhausted", "says whether the promise is broken", &[], |_, _| Ok(())),
        Operation::new(
            "percentile",
            "prints the latency that a share of the recent calls did not exceed",
            &[Param::required("share", Kind::Share, "of the calls")],
            percentile,
        )
        .prints(&[&["percentile+ns"]]),
        Operation::new("snapshot", "prints the account", &[], |_, _| Ok(())),
        Operation::new("target", "prints the target", &[], |budget: &'static LatencyBudget, call| {
            call.out().duration("target", budget.target());
            Ok(())
        })
        .prints(&[&["target+ns"]]),
        Operation::new(
            "share",
            "prints the share of calls that is to keep the target",
            &[],
            |budget: &'static LatencyBudget, call| {
                call.out().share("share", budget.share());
                Ok(())
            },
        )
        .prints(&[&["share+millionths"]]),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let duration = |key| args.duration(key).unwrap_or(Duration::ZERO);
    let slo = args.share("slo").unwrap_or(Ratio::ONE);
    let mut config = Config::new(slo, duration("target"), duration("window"));
    if let Some(n) = args.u32("minimum_calls") {
        config = config.minimum_calls(n);
    }
    LatencyBudget::try_new(config)
        .map(|budget| SPEC.bind(budget))
        .map_err(|error| vec![format!("window must be {}", error.bound)])
}

fn print_state(budget: &LatencyBudget, now: Instant, out: &mut Fields) {
    let account = budget.snapshot(now);
    out.put("calls", account.calls);
    out.put("violations", account.violations);
    out.put("allowed_violations", account.allowed_violations);
    out.share("compliance", account.compliance);
    out.share("remaining", account.remaining);
    out.put("spent_millionths", account.spent_millionths);
    out.put("exhausted", account.exhausted);
    out.duration("latency", account.latency);
}

fn record(budget: &'static LatencyBudget, call: &mut Call<'_>) -> Result<(), Fault> {
    let latency = call.args().duration("latency").unwrap_or(Duration::ZERO);
    let crossed = budget.record(latency, call.now());
    call.out().put("edge", crossed.map(edge));
    Ok(())
}

fn check(budget: &'static LatencyBudget, call: &mut Call<'_>) -> Result<(), Fault> {
    let crossed = budget.check(call.now());
    call.out().put("edge", crossed.map(edge));
    Ok(())
}

fn percentile(budget: &'static LatencyBudget, call: &mut Call<'_>) -> Result<(), Fault> {
    let latency = budget.percentile(call.args().share("share").unwrap_or(Ratio::ONE), call.now());
    call.out().duration("percentile", latency);
    Ok(())
}
