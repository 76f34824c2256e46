//! The health check.

use super::answers::{LEVEL, level, span};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::check::{Cause, Config, Transition};
use seawall::core::window::Span;
use seawall::core::{HealthCheck, Instant, Ratio};
use seawall::guard::SLOTS;
use std::time::Duration;

type Check = HealthCheck<SLOTS>;

static SPEC: Spec<Check> = Spec {
    info: Info {
        name: "health_check",
        about: "Is a dependency healthy, by the results of its checks?",
        keys: &[
            Param::or("rise", U32, "2", "so many successes in a row make it healthy, 1 to 255"),
            Param::or("fall", U32, "3", "so many failures in a row make it unhealthy, 1 to 255"),
            Param::or(
                "stale_after",
                Kind::Duration,
                "\"30s\"",
                "it is unknown once the newest check began so long ago",
            ),
            Param::optional(
                "window",
                Kind::Duration,
                "results are counted over it, in ten buckets; 5m by default",
            ),
            Param::optional("calls", U32, "or over the last results"),
            Param::optional(
                "success_rate",
                Kind::Table(&[
                    Param::required("minimum", Kind::Share, "it is unhealthy while fewer succeeded"),
                    Param::or("minimum_results", U32, "10", "with fewer there is no rate"),
                ]),
                "a rule for the results in the window",
            ),
        ],
        prints: &[&["status", "successes_in_row", "failures_in_row", "age+ns", "results", "failures"]],
        example: r#"
{"policy": {"health_check": {"rise": 2, "fall": 3, "stale_after": "30s"}}}
{"at": "0s", "op": "health_check.record", "success": true, "expect": {"status": "unknown", "transition": null}}
{"at": "10s", "op": "health_check.record", "success": true, "expect": {"status": "healthy", "transition": {"from": "unknown", "cause": "successes"}}}
{"at": "20s", "op": "health_check.record", "success": false, "every": "1s", "times": 3}
{"op": "health_check.status", "expect": {"status": "unhealthy", "failures_in_row": 3}}
{"op": "health_check.is_healthy", "expect": {"healthy": false}}
{"op": "health_check.level", "unhealthy": "degraded", "expect": {"level": "degraded"}}
{"at": "23s", "op": "health_check.record", "success": true, "started": "5s", "expect": {"failures_in_row": 3}}
{"at": "60s", "op": "health_check.expire", "expect": {"transition": {"to": "unknown", "cause": "stale"}}}
{"op": "health_check.snapshot", "expect": {"age": null}}
{"op": "health_check.reset", "expect": {"results": 0}}
"#,
    },
    operations: &[
        Operation::new(
            "record",
            "counts the result of a check; one that began before the newest is late and changes no status",
            &[
                Param::required("success", Kind::Flag, "whether it succeeded"),
                Param::optional("started", Kind::Moment, "when it began; now by default"),
            ],
            record,
        )
        .prints(TRANSITION),
        Operation::new(
            "expire",
            "says if silence made the status unknown",
            &[],
            |check: &'static Check, call| {
                let transition = check.expire(call.now());
                call.out().put("transition", transition.map(print_transition));
                Ok(())
            },
        )
        .prints(TRANSITION),
        Operation::new("status", "prints the status", &[], |_, _| Ok(())),
        Operation::new(
            "is_healthy",
            "says whether it is known to work",
            &[],
            |check: &'static Check, call| {
                let healthy = check.is_healthy(call.now());
                call.out().put("healthy", healthy);
                Ok(())
            },
        )
        .prints(&[&["healthy"]]),
        Operation::new(
            "level",
            "prints the level of degradation that its status means: this one if it is known not to work, else normal",
            &[Param::required("unhealthy", LEVEL, "the level")],
            |check: &'static Check, call| {
                let status = check.status(call.now());
                let level = status.level(level(call.args(), "unhealthy"));
                call.out().put("level", level.name());
                Ok(())
            },
        )
        .prints(&[&["level"]]),
        Operation::new("snapshot", "prints what is known", &[], |_, _| Ok(())),
        Operation::new("reset", "forgets every result", &[], |check: &'static Check, call| {
            let transition = check.reset(call.now());
            call.out().put("transition", transition.map(print_transition));
            Ok(())
        })
        .prints(TRANSITION),
    ],
    state: print_state,
    configure,
};

const TRANSITION: &[&[&str]] = &[&["transition"]];

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let mut config = Config::new().rise(args.u32("rise").unwrap_or(0)).fall(args.u32("fall").unwrap_or(0));
    if let Some(silence) = args.duration("stale_after") {
        config = config.stale_after(silence);
    }
    config = config.window(span(args, Span::time(Duration::from_secs(300)))?);
    if let Some(rate) = args.table("success_rate") {
        let minimum = rate.share("minimum").unwrap_or(Ratio::ONE);
        config = config.success_rate(minimum, rate.u32("minimum_results").unwrap_or(0));
    }
    Check::try_new(config).map(|check| SPEC.bind(check)).map_err(|error| vec![super::answers::wrong(&error)])
}

fn print_state(check: &Check, now: Instant, out: &mut Fields) {
    let known = check.snapshot(now);
    out.put("status", known.status.name());
    out.put("successes_in_row", known.successes_in_row);
    out.put("failures_in_row", known.failures_in_row);
    out.duration("age", known.age);
    out.put("results", known.results);
    out.put("failures", known.failures);
}

pub(super) fn print_transition(transition: Transition) -> Fields {
    let mut figures = Fields::default();
    let cause = match transition.cause {
        Cause::Successes(n) => {
            figures.put("successes", n);
            "successes"
        }
        Cause::Failures(n) => {
            figures.put("failures", n);
            "failures"
        }
        Cause::SuccessRate { successes, results } => {
            figures.put("successes", successes);
            figures.put("results", results);
            "success_rate"
        }
        Cause::Stale => "stale",
        Cause::Reset => "reset",
        _ => "other",
    };
    let mut fields = Fields::default();
    fields.put("from", transition.from.name());
    fields.put("to", transition.to.name());
    fields.put("cause", cause);
    fields.put("figures", figures);
    fields
}

fn record(check: &'static Check, call: &mut Call<'_>) -> Result<(), Fault> {
    let now = call.now();
    let started = call.moment("started").unwrap_or(now);
    let transition = check.record(call.args().flag("success").unwrap_or(true), started, now);
    call.out().put("transition", transition.map(print_transition));
    Ok(())
}
