//! The error budget.

use super::answers::edge;
use super::policy;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::error_budget::Snapshot;
use seawall::core::{ErrorBudget, Instant};
use seawall::guard::SLOTS;

pub(super) type Budget = ErrorBudget<SLOTS>;

/// The keys of its table.
pub(super) const KEYS: &[Param] = &[
    Param::required("slo", Kind::Share, "the share of calls that is to succeed"),
    Param::required(
        "window",
        Kind::Duration,
        "over which calls are counted, in ten buckets, or in the slots of a guard",
    ),
    Param::optional(
        "minimum_calls",
        U32,
        "with fewer the budget is not exhausted; by default as many as the objective lets one of fail",
    ),
];

static SPEC: Spec<Budget> = Spec {
    info: Info {
        name: "error_budget",
        about: "Are we keeping the promise that a share of the calls succeeds? \
                `edge` is \"exhausted\" or \"recovered\" where an operation crossed the line",
        keys: KEYS,
        prints: &[&[
            "calls",
            "failures",
            "allowed_failures",
            "availability+millionths",
            "remaining+millionths",
            "spent_millionths",
            "exhausted",
        ]],
        example: r#"
{"policy": {"error_budget": {"slo": "90%", "window": "10s", "minimum_calls": 10}}}
{"at": "0s", "op": "error_budget.record", "success": true, "times": 9}
{"op": "error_budget.record", "success": false, "expect": {"exhausted": false, "remaining": 0, "availability": 0.9}}
{"op": "error_budget.record", "success": false, "expect": {"edge": "exhausted", "allowed_failures": 1, "failures": 2}}
{"op": "error_budget.is_exhausted", "expect": {"exhausted": true}}
{"op": "error_budget.objective", "expect": {"objective": "9/10"}}
{"at": "12s", "op": "error_budget.check", "expect": {"edge": "recovered", "calls": 0}}
{"op": "error_budget.snapshot", "expect": {"remaining": 1}}
{"op": "error_budget.reset", "expect": {"edge": null}}
"#,
    },
    operations: &[
        Operation::new(
            "record",
            "counts a call",
            &[Param::required("success", Kind::Flag, "whether it succeeded")],
            record,
        )
        .prints(EDGE),
        Operation::new("check", "says if time took the budget over the line", &[], check).prints(EDGE),
        Operation::new("is_exhausted", "says whether the objective is missed", &[], |_, _| Ok(())),
        Operation::new("snapshot", "prints the account", &[], |_, _| Ok(())),
        Operation::new("reset", "forgets every call", &[], reset).prints(EDGE),
        Operation::new("objective", "prints the objective", &[], |budget: &'static Budget, call| {
            call.out().share("objective", budget.objective());
            Ok(())
        })
        .prints(&[&["objective+millionths"]]),
    ],
    state: print_state,
    configure,
};

const EDGE: &[&[&str]] = &[&["edge"]];

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let policy = policy::with_table("error_budget", config)?;
    let Some(config) = policy.error_budget_config() else { return Err(vec!["slo is missing".to_owned()]) };
    Budget::try_new(*config)
        .map(|budget| SPEC.bind(budget))
        .map_err(|error| vec![super::answers::wrong(&error)])
}

fn print_state(budget: &Budget, now: Instant, out: &mut Fields) {
    account(&budget.snapshot(now), out);
}

/// What is printed of a budget's account.
pub(super) fn account(account: &Snapshot, out: &mut Fields) {
    out.put("calls", account.calls);
    out.put("failures", account.failures);
    out.put("allowed_failures", account.allowed_failures);
    out.share("availability", account.availability);
    out.share("remaining", account.remaining);
    out.put("spent_millionths", account.spent_millionths);
    out.put("exhausted", account.exhausted);
}

fn record(budget: &'static Budget, call: &mut Call<'_>) -> Result<(), Fault> {
    let crossed = budget.record(call.args().flag("success").unwrap_or(true), call.now());
    call.out().put("edge", crossed.map(edge));
    Ok(())
}

fn check(budget: &'static Budget, call: &mut Call<'_>) -> Result<(), Fault> {
    let crossed = budget.check(call.now());
    call.out().put("edge", crossed.map(edge));
    Ok(())
}

fn reset(budget: &'static Budget, call: &mut Call<'_>) -> Result<(), Fault> {
    let crossed = budget.reset(call.now());
    call.out().put("edge", crossed.map(edge));
    Ok(())
}
