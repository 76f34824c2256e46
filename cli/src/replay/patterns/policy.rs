//! Configurations that policy files have, too: they are read by the same code.

use crate::replay::fields::Fields;
use crate::replay::schema::{Kind, Param, U32};
use crate::replay::value::Args;
use seawall::config::{OperationPolicy, PolicyTable};
use seawall::core::backoff::Jitter;
use seawall::core::{Backoff, Policy};
use seawall::guard::Surroundings;
use serde_json::json;

/// The policy that has only this table.
pub(super) fn with_table(table: &str, config: &Args) -> Result<Policy, Vec<String>> {
    finite(config)?;
    policy(&json!({ table: config.to_json() }), &format!("policy.{table}."))
}

/// The policy of a whole operation.
pub(super) fn whole(config: &Args) -> Result<Policy, Vec<String>> {
    finite(config)?;
    policy(&config.to_json(), "policy.")
}

/// JSON has no other numbers; the only ones in a policy are multipliers.
fn finite(config: &Args) -> Result<(), Vec<String>> {
    match config.not_finite() {
        None => Ok(()),
        Some((place, number)) => Err(vec![format!("{place} is {number}, must be between 1.1 and 100")]),
    }
}

/// The policy of a table; `prefix` is left out of the problems.
fn policy(table: &serde_json::Value, prefix: &str) -> Result<Policy, Vec<String>> {
    let table: PolicyTable = serde_json::from_value(table.clone())
        .map_err(|error| vec![format!("table cannot be read: {error}")])?;
    let base = OperationPolicy::new(Policy::new());
    match table.apply("policy", &base) {
        Ok(applied) if applied.around != Surroundings::NONE => {
            let what =
                "a guard of a script has nothing around it: name the pattern as an instance of its own";
            Err(vec![what.to_owned()])
        }
        Ok(applied) if applied.has_chaos() => {
            Err(vec!["a guard of a script has no chaos: name it as an instance of its own".to_owned()])
        }
        Ok(applied) => Ok(applied.policy),
        Err(invalid) => {
            let strip = |text: &String| text.strip_prefix(prefix).unwrap_or(text).to_owned();
            Err(invalid.problems().iter().map(strip).collect())
        }
    }
}

/// Puts what holds of a schedule into its table.
pub(super) fn schedule(backoff: &Backoff, table: &mut Fields) {
    if table.get("backoff").is_none() {
        table.put("backoff", "constant");
    }
    table.put("initial_delay", backoff.base());
    table.put("max_delay", backoff.cap());
    match backoff.spread() {
        Jitter::None => table.put("jitter", "none"),
        Jitter::PlusMinus(percent) => table.put("jitter", u32::from(percent)),
        Jitter::Equal => table.put("jitter", "equal"),
        Jitter::Full => table.put("jitter", "full"),
        _ => table.put("jitter", "other"),
    }
}

/// The keys of a schedule of delays.
pub(super) const BACKOFF: Param = Param::optional(
    "backoff",
    Kind::Word(&["constant", "linear", "exponential", "fibonacci", "decorrelated"]),
    "how the delays grow; constant by default",
);
pub(super) const INITIAL_DELAY: Param =
    Param::optional("initial_delay", Kind::Duration, "the first delay; none by default");
pub(super) const INCREMENT: Param = Param::optional(
    "increment",
    Kind::Duration,
    "linear: by what each delay is longer than the one before; by default the first delay",
);
pub(super) const MULTIPLIER: Param = Param::optional(
    "multiplier",
    Kind::Number,
    "exponential: from 1.1 to 100, exact to a thousandth; 2 by default",
);
pub(super) const MAX_DELAY: Param =
    Param::optional("max_delay", Kind::Duration, "no delay is longer, jitter included; no end by default");
pub(super) const JITTER: Param = Param::optional(
    "jitter",
    Kind::Either(&[Kind::Word(&["none", "equal", "full"]), Kind::Integer(100)]),
    "how delays are spread; a number is percent, both ways; none by default",
);

/// The keys of a window over which a rate is taken.
pub(super) const WINDOW_SPAN: Param = Param::optional(
    "window",
    Kind::Duration,
    "over the last span of time, which moves by a slot; this or calls",
);
pub(super) const WINDOW_CALLS: Param = Param::optional(
    "calls",
    Kind::Between(1, 16_777_216),
    "over the last calls. Where they are more than the slots of the window, they leave it by several at once: with ten slots, \
     which there are unless slots says more, 100 calls move by ten, so that there are 91 to 100 of them",
);
pub(super) const MINIMUM_CALLS: Param = Param::optional(
    "minimum_calls",
    U32,
    "with fewer calls there is no rate; 10 by default, or as many as calls if those are fewer",
);
