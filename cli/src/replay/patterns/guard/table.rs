//! The keys of a guard: those of an operation's table in a policy file.

use crate::replay::patterns::{
    adaptive_timeout, bulkhead, circuit_breaker, error_budget, rate_limiter, retry,
};
use crate::replay::schema::{Kind, Param, U32};

const ON: Param = Param::or("enabled", Kind::Flag, "true", "false leaves the pattern out");

/// The keys of a part's table, and the one that switches it.
macro_rules! part {
    ($name:literal, $module:ident, $length:literal, $about:literal) => {{
        const PART: [Param; $length + 1] = {
            let mut keys = [ON; $length + 1];
            let mut i = 0;
            while i < $length {
                keys[i] = $module::KEYS[i];
                i += 1;
            }
            assert!($module::KEYS.len() == $length, "every key of the part");
            keys
        };
        Param::optional($name, Kind::Table(&PART), $about)
    }};
}

/// The keys of its table.
pub(super) const KEYS: &[Param] = &[
    Param::or("deadline", Kind::Duration, "\"forever\"", "of a whole call"),
    Param::or("timeout", Kind::Duration, "\"forever\"", "of an attempt"),
    Param::optional("seed", U32, "of the jitter"),
    Param::or(
        "slots",
        U32,
        "10",
        "of the windows of the breaker and of the error budget: 10, 60, 100, 256 or 1000. A window of time moves by one of \
         them, and a window of calls call by call if it has no more calls than slots",
    ),
    Param::optional(
        "note_into",
        Kind::Instance(&["event_ring"]),
        "it writes the breaker's transitions and the error budget's edges there",
    ),
    Param::or("shadow", Kind::Flag, "false", "refuses nothing, and counts what would have been refused"),
    part!("rate_limiter", rate_limiter, 3, "limits how many calls start in a time"),
    part!("bulkhead", bulkhead, 3, "limits how many calls run at a time"),
    part!("circuit_breaker", circuit_breaker, 17, "stops calling a dependency that fails"),
    part!("retry", retry, 10, "tries again; by default a call has one attempt"),
    part!("adaptive_timeout", adaptive_timeout, 4, "in place of timeout: one that is learned"),
    part!("error_budget", error_budget, 3, "watches the share of calls that fail in the end"),
];
