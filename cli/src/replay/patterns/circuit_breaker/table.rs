//! The keys of a circuit breaker's table.

use crate::replay::fields::{Fields, Json};
use crate::replay::patterns::policy::{
    self, BACKOFF, INCREMENT, INITIAL_DELAY, JITTER, MAX_DELAY, MINIMUM_CALLS, MULTIPLIER, WINDOW_CALLS,
    WINDOW_SPAN,
};
use crate::replay::schema::{Kind, Param, U32};
use crate::replay::value::Args;
use seawall::core::circuit_breaker::Config;

/// Failures in a row that a breaker can count.
pub(in crate::replay::patterns) const FAILURES: Kind = Kind::Between(1, 262_143);
/// Probes that can be out at a time.
pub(in crate::replay::patterns) const PROBES: Kind = Kind::Between(1, 15);
/// Probes whose results a breaker can count.
pub(in crate::replay::patterns) const RESULTS: Kind = Kind::Between(1, 31);

/// The keys of a failure rate.
pub(in crate::replay::patterns) const FAILED_SHARE: Param =
    Param::required("share", Kind::Share, "opens when this share of the calls failed, or more");
pub(in crate::replay::patterns) const FAILING_SLOW: Param =
    Param::optional("slow", Kind::Duration, "a call that takes so long or longer counts as failed");

/// That a success opens no breaker.
pub(in crate::replay::patterns) const ON_FAILURE_ONLY: Param =
    Param::or("evaluate_on_failure_only", Kind::Flag, "false", "a success opens no breaker");

/// How the open time grows.
pub(in crate::replay::patterns) const GROWING: Param = Param::optional(
    "open_for_growing",
    Kind::Table(&[
        Param { about: "how the times grow; exponential by default", ..BACKOFF },
        Param { about: "the first time; open_for by default", ..INITIAL_DELAY },
        INCREMENT,
        MULTIPLIER,
        MAX_DELAY,
        JITTER,
    ]),
    "in place of open_for: a longer time each time that a probe fails",
);

/// The keys of its table.
pub(in crate::replay::patterns) const KEYS: &[Param] = &[
    Param::optional(
        "consecutive_failures",
        FAILURES,
        "opens after so many failures in a row; this or a rate",
    ),
    Param::optional(
        "failure_rate",
        Kind::Table(&[FAILED_SHARE, WINDOW_SPAN, WINDOW_CALLS, MINIMUM_CALLS, FAILING_SLOW]),
        "opens by the share of failures",
    ),
    Param::optional(
        "slow_call_rate",
        Kind::Table(&[
            Param::required("share", Kind::Share, "opens when this share of the calls was slow, or more"),
            Param::required("slow", Kind::Duration, "a call that takes so long or longer is slow"),
            WINDOW_SPAN,
            WINDOW_CALLS,
            MINIMUM_CALLS,
        ]),
        "opens by the share of slow calls; with a failure rate it looks at that one's window and minimum",
    ),
    ON_FAILURE_ONLY,
    Param::or("open_for", Kind::Duration, "\"60s\"", "how long it stays open"),
    GROWING,
    Param::or("probes", PROBES, "1", "how many probes may be out at a time while half-open"),
    Param::or("successes_to_close", RESULTS, "3", "how many probes must succeed to close"),
    Param::optional(
        "probe_failures_to_open",
        RESULTS,
        "how many probes must fail to open again; 1 by default",
    ),
    Param::optional(
        "half_open_calls",
        Kind::Between(1, 46),
        "how many probes a half-open phase admits in all, and not at a time; not fewer than it can take to decide; no bound by \
         default",
    ),
    Param::optional(
        "close_below",
        Kind::Table(&[
            Param::required(
                "share",
                Kind::Share,
                "closes if less than this share of them failed, or else opens",
            ),
            Param::required("of", RESULTS, "when so many probes have reported"),
        ]),
        "in place of successes_to_close: a share of failures decides over the probes",
    ),
    Param::optional(
        "probe_lease",
        Kind::Duration,
        "a probe that does not report for so long is lost; the first open time by default",
    ),
    Param::optional("probe_timeout", Kind::Duration, "how long a probe may take; a guard asks for it"),
    Param::optional(
        "honor_retry_after",
        Kind::Duration,
        "a failure that opens the breaker with a peer's retry_after opens it for that time, be it longer or shorter, and at most this",
    ),
    Param::optional(
        "ramp",
        Kind::Table(&[
            Param::required("over", Kind::Duration, "the time"),
            Param::or("from", Kind::Share, "0", "the share at first"),
        ]),
        "after the probes closed it, it admits a share of the calls that rises to the whole",
    ),
    Param::or("shadow", Kind::Flag, "false", "starts in shadow mode: counts as if, and refuses nothing"),
    Param::optional("seed", U32, "of the open time's jitter and of the ramp's draws"),
];

/// The keys of a breaker that is no part of a guard.
pub(super) const WITH_SLOTS: [Param; KEYS.len() + 1] = {
    let slots = Param::or(
        "slots",
        U32,
        "10",
        "of the window, which moves by one of them: 1 to 6, 8, 10, 12, 15, 16, 20, 24, 30, 32, 50, 60, 64, 100, 120, 128, 256 or 1000",
    );
    let mut all = [slots; KEYS.len() + 1];
    let (keys, _) = all.split_at_mut(KEYS.len());
    keys.copy_from_slice(KEYS);
    all
};

/// Puts what holds of a breaker into its table: the schedule of its open times, and the calls without which there is no rate.
pub(in crate::replay::patterns) fn configured(config: &Config, table: &mut Fields) {
    if table.get(GROWING.name).is_some() {
        let growing = table.object(GROWING.name);
        if growing.get(BACKOFF.name).is_none() {
            growing.put(BACKOFF.name, "exponential");
        }
        policy::schedule(config.open_times(), growing);
    }
    // Beside a failure rate, slow calls are looked at over its window.
    let rate = ["failure_rate", "slow_call_rate"].into_iter().find(|rate| table.get(rate).is_some());
    let Some(rate) = rate.map(|rate| table.object(rate)) else { return };
    if rate.get("minimum_calls").is_none() {
        let least = match rate.get("calls") {
            Some(Json::Number(calls)) => 10.min(*calls),
            _ => 10,
        };
        rate.put("minimum_calls", least);
    }
}

/// The configuration of a table.
pub(super) fn config(args: &Args) -> Result<Config, Vec<String>> {
    let policy = policy::with_table("circuit_breaker", args)?;
    let missing = || vec!["consecutive_failures is missing, and so is failure_rate".to_owned()];
    policy.circuit_breaker_config().copied().ok_or_else(missing)
}
