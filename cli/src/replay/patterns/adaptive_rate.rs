//! The adaptive rate.

use super::answers::{OUTCOME_PARAM, outcome, wrong};
use super::policy;
use super::rate_limiter::{self, Of};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::adaptive_rate::{Adjustment, Config};
use seawall::core::rate_limiter::Quota;
use seawall::core::{AdaptiveRate, Instant};
use std::time::Duration;

static SPEC: Spec<AdaptiveRate> = Spec {
    info: Info {
        name: "adaptive_rate",
        about: "A rate limit that follows the 95th percentile of the latency, once a window: a tenth less above 120 % of the \
                target, a twentieth more below 80 % where the limit held calls back. `rate` and `burst` are in thousandths of \
                tokens a thousand periods where that fits, so compare `per_second`",
        keys: &[
            rate_limiter::KEYS[0],
            rate_limiter::KEYS[1],
            rate_limiter::KEYS[2],
            Param::required("target", Kind::Duration, "the latency that is aimed at"),
            Param::optional(
                "min",
                U32,
                "the lowest rate, in tokens a period; a tenth of the first one by default",
            ),
            Param::optional("max", U32, "the highest rate; ten times the first one by default"),
            Param::or("window", Kind::Duration, "\"1s\"", "how much time is judged at once"),
            Param::or("samples", U32, "20", "a window with fewer samples leaves the rate"),
        ],
        prints: &[&["available", "rate", "per+ns", "per_second", "burst", "p95+ns", "raised", "lowered"]],
        example: r#"
{"policy": {"adaptive_rate": {"rate": 100, "target": "100ms", "min": 10, "max": 1000, "samples": 1}}}
{"at": "0s", "op": "adaptive_rate.try_acquire", "as": "g", "expect": {"admitted": true, "per_second": 100}}
{"op": "adaptive_rate.refund", "grant": "g"}
{"op": "adaptive_rate.record", "outcome": "success", "latency": "200ms"}
{"at": "1s", "op": "adaptive_rate.record", "outcome": "success", "latency": "200ms", "expect": {"per_second": 90, "lowered": 1, "adjustment": {"raise": false, "samples": 1}}}
{"op": "adaptive_rate.check", "cost": 1000, "expect": {"rejected": "exceeds_burst"}}
{"op": "adaptive_rate.try_acquire_many", "cost": 90, "expect": {"admitted": true}}
{"op": "adaptive_rate.reserve", "cost": 1, "max_wait": "1s", "as": "r"}
{"op": "adaptive_rate.ready_at", "reservation": "r"}
{"op": "adaptive_rate.wait", "reservation": "r"}
{"op": "adaptive_rate.into_grant", "reservation": "r"}
{"op": "adaptive_rate.would_reject", "grant": "r", "expect": {"would_reject": false}}
{"op": "adaptive_rate.reserve", "cost": 1, "max_wait": "1s", "as": "r2"}
{"op": "adaptive_rate.cancel", "reservation": "r2"}
{"op": "adaptive_rate.set_shadow", "on": true}
{"op": "adaptive_rate.is_shadow", "expect": {"shadow": true}}
{"op": "adaptive_rate.available"}
{"op": "adaptive_rate.config", "expect": {"config": {"rate": 100}}}
{"op": "adaptive_rate.snapshot", "expect": {"raised": 0}}
"#,
    },
    operations: &[
        Of::TRY_ACQUIRE,
        Of::TRY_ACQUIRE_MANY,
        Of::RESERVE,
        Of::CANCEL,
        Of::READY_AT,
        Of::WAIT,
        Of::INTO_GRANT,
        Of::WOULD_REJECT,
        Of::CHECK,
        Of::REFUND,
        Operation::new(
            "record",
            "learns from a call; the first one of a window judges the window before",
            &[OUTCOME_PARAM, Param::required("latency", Kind::Duration, "how long it took")],
            record,
        )
        .prints(&[&["adjustment"]]),
        Of::SET_SHADOW,
        Of::IS_SHADOW,
        Of::AVAILABLE,
        Operation::config(|rate: &'static AdaptiveRate, call| {
            let (held, table) = (rate.config(), call.config());
            table.put("target", held.target());
            table.put("min", held.min());
            table.put("max", held.max());
            Ok(())
        }),
        Operation::new("snapshot", "prints the figures", &[], |_, _| Ok(())),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let quota = policy::with_table("rate_limiter", &args.only(&["rate", "per", "burst"]))?;
    let Some(quota) = quota.rate_limit_config() else { return Err(vec!["rate is missing".to_owned()]) };
    let duration = |key| args.duration(key).unwrap_or(Duration::ZERO);
    let config = Config::new(*quota, duration("target"))
        .window(duration("window"))
        .samples(args.u32("samples").unwrap_or(0));
    let (min, max) = (args.u32("min").unwrap_or(config.min()), args.u32("max").unwrap_or(config.max()));
    AdaptiveRate::try_new(config.between(min, max)).map(|rate| SPEC.bind(rate)).map_err(|error| {
        match error.field {
            "adaptive_rate.initial" => vec!["rate must be between min and max".to_owned()],
            _ => vec![wrong(&error)],
        }
    })
}

/// Tokens a second, rounded to the nearest.
fn per_second(quota: &Quota) -> u64 {
    let nanos = quota.period().as_nanos().max(1);
    let rate = (u128::from(quota.tokens()) * 1_000_000_000 + nanos / 2) / nanos;
    u64::try_from(rate).unwrap_or(u64::MAX)
}

fn print_state(rate: &AdaptiveRate, now: Instant, out: &mut Fields) {
    let figures = rate.snapshot();
    out.put("available", rate.available(now));
    out.put("rate", figures.quota.tokens());
    out.duration("per", figures.quota.period());
    out.put("per_second", per_second(&figures.quota));
    out.put("burst", figures.quota.burst_size());
    out.duration("p95", figures.p95);
    out.put("raised", figures.raised);
    out.put("lowered", figures.lowered);
}

fn record(rate: &'static AdaptiveRate, call: &mut Call<'_>) -> Result<(), Fault> {
    let latency = call.args().duration("latency").unwrap_or(Duration::ZERO);
    let change = rate.record(outcome(call.args(), "outcome"), latency, call.now());
    call.out().put("adjustment", change.map(adjustment));
    Ok(())
}

/// A change of the rate.
pub(super) fn adjustment(change: Adjustment) -> Fields {
    let mut fields = Fields::default();
    fields.put("from_per_second", per_second(&change.from));
    fields.put("to_per_second", per_second(&change.to));
    fields.put("raise", change.is_raise());
    fields.duration("p95", change.p95);
    fields.put("samples", change.samples);
    fields
}
