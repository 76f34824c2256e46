//! The backoff.

use super::policy::{self, BACKOFF, INCREMENT, INITIAL_DELAY, JITTER, MAX_DELAY, MULTIPLIER};
use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::Backoff;
use std::time::Duration;

static SPEC: Spec<Backoff> = Spec {
    info: Info {
        name: "backoff",
        about: "How long to wait before another attempt",
        keys: &[BACKOFF, INITIAL_DELAY, INCREMENT, MULTIPLIER, MAX_DELAY, JITTER],
        prints: &[],
        example: r#"
{"policy": {"backoff": {"backoff": "exponential", "initial_delay": "100ms", "multiplier": 2, "max_delay": "1s"}, "spread": {"pattern": "backoff", "backoff": "constant", "initial_delay": "1s", "jitter": 25}}}
{"op": "backoff.delay", "retry": 0, "expect": {"delay": "100ms"}}
{"op": "backoff.delay", "retry": 3, "expect": {"delay": "800ms"}}
{"op": "backoff.delay", "retry": 4294967295, "expect": {"delay": "1s"}}
{"op": "spread.delay", "retry": 0, "draw": 0, "expect": {"delay": "750ms"}}
{"op": "spread.delay", "retry": 0, "draw": 4294967295, "expect": {"delay": "1.25s"}}
{"op": "backoff.config", "expect": {"config": {"multiplier": 2, "max_delay": "1000ms", "jitter": "none"}}}
"#,
    },
    operations: &[
        Operation::config(|backoff, call| {
            policy::schedule(backoff, call.config());
            Ok(())
        }),
        Operation::new(
            "delay",
            "prints the delay before a retry",
            &[
                Param::required("retry", U32, "its number, counted from 0"),
                Param::or(
                    "previous",
                    Kind::Duration,
                    "\"0s\"",
                    "the delay before, for a decorrelated schedule",
                ),
                Param::optional(
                    "draw",
                    U32,
                    "what the jitter depends on; 0 is least, 4294967295 most, by default drawn",
                ),
            ],
            delay,
        )
        .prints(&[&["delay+ns"]]),
    ],
    state: |_, _, _| (),
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let policy = policy::with_table("retry", config)?;
    Ok(SPEC.bind(*policy.retry_config().backoff()))
}

fn delay(backoff: &'static Backoff, call: &mut Call<'_>) -> Result<(), Fault> {
    let retry = call.args().u32("retry").unwrap_or(0);
    let previous = call.args().duration("previous").unwrap_or(Duration::ZERO);
    let delay = backoff.delay(retry, previous, call.draw_or_next());
    call.out().duration("delay", delay);
    Ok(())
}
