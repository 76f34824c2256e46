//! The rate limiter.

use super::answers::{admit, reject};
use super::policy;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{ADMISSION, Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::RateLimiter;
use seawall::core::rate_limiter::{Grant, Rejected};

/// The keys of its table.
pub(super) const KEYS: &[Param] = &[
    Param::required("rate", U32, "so many tokens each `per`; 0 never refills"),
    Param::or("per", Kind::Duration, "\"1s\"", "the period of the rate"),
    Param::optional("burst", U32, "tokens of a full bucket; as many as the rate by default"),
];

const GRANT: &str = "rate_limiter grant";
const THE_GRANT: Param =
    Param::required("grant", Kind::Held(&[GRANT]), "what try_acquire gave; it is used up by this");
const COST: Param = Param::required("cost", U32, "tokens");

static SPEC: Spec<RateLimiter> = Spec {
    info: Info {
        name: "rate_limiter",
        about: "Limits how many calls start in a time: a bucket of `burst` tokens that refills at `rate`",
        keys: KEYS,
        prints: &[&["available"]],
        example: r#"
{"policy": {"rate_limiter": {"rate": 10, "per": "1s", "burst": 2}}}
{"at": "0s", "op": "rate_limiter.try_acquire", "as": "g1", "expect": {"admitted": true, "available": 1}}
{"op": "rate_limiter.try_acquire_many", "cost": 2, "expect": {"admitted": false, "rejected": "limited", "retry_after": "100ms"}}
{"op": "rate_limiter.refund", "grant": "g1", "expect": {"available": 2}}
{"op": "rate_limiter.try_acquire", "times": 3, "expect_admitted": 2}
{"op": "rate_limiter.check", "cost": 3, "expect": {"rejected": "exceeds_burst", "retry_after": null}}
{"at": "99999999ns", "op": "rate_limiter.try_acquire", "expect": {"admitted": false, "retry_after": "1ns"}}
{"at": "100ms", "op": "rate_limiter.try_acquire", "as": "g2", "expect": {"admitted": true}}
{"op": "rate_limiter.undo", "grant": "g2", "expect": {"undone": true, "available": 1}}
{"at": "10s", "op": "rate_limiter.available", "expect": {"available": 2}}
"#,
    },
    operations: &[
        Operation::new("try_acquire", "takes one token", &[], try_acquire)
            .gives(&[GRANT])
            .prints(&[ADMISSION]),
        Operation::new("try_acquire_many", "takes `cost` tokens at once, or none", &[COST], try_acquire_many)
            .gives(&[GRANT])
            .prints(&[ADMISSION]),
        Operation::new(
            "check",
            "says whether `cost` tokens could be taken, and changes nothing",
            &[COST],
            check,
        )
        .prints(&[ADMISSION]),
        Operation::new(
            "refund",
            "gives the tokens of a grant back, for a call that did not start",
            &[THE_GRANT],
            refund,
        ),
        Operation::new(
            "undo",
            "gives the tokens of a grant back if nobody took any since, without looking at the time",
            &[THE_GRANT],
            undo,
        )
        .prints(&[&["undone"]]),
        Operation::new("available", "prints the tokens that there are now", &[], |_, _| Ok(())),
    ],
    state: |limiter, now, out| out.put("available", limiter.available(now)),
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let policy = policy::with_table("rate_limiter", config)?;
    let Some(quota) = policy.rate_limit_config() else { return Err(vec!["rate is missing".to_owned()]) };
    RateLimiter::try_new(*quota).map(|limiter| SPEC.bind(limiter)).map_err(|error| vec![error.to_string()])
}

/// What a limiter's refusal is called.
pub(super) fn reason(rejected: &Rejected) -> &'static str {
    match rejected {
        Rejected::ExceedsBurst { .. } => "exceeds_burst",
        _ => "limited",
    }
}

fn refuse(out: &mut Fields, rejected: &Rejected) {
    reject(out, "rate_limiter", reason(rejected), rejected.retry_after());
}

fn answer(call: &mut Call<'_>, taken: Result<Grant, Rejected>) -> Result<(), Fault> {
    match taken {
        Ok(grant) => {
            admit(call.out());
            call.keep(GRANT, grant)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn try_acquire(limiter: &'static RateLimiter, call: &mut Call<'_>) -> Result<(), Fault> {
    let taken = limiter.try_acquire(call.now());
    answer(call, taken)
}

fn try_acquire_many(limiter: &'static RateLimiter, call: &mut Call<'_>) -> Result<(), Fault> {
    let taken = limiter.try_acquire_many(cost(call), call.now());
    answer(call, taken)
}

fn cost(call: &Call<'_>) -> u32 {
    call.args().u32("cost").unwrap_or(1)
}

fn check(limiter: &'static RateLimiter, call: &mut Call<'_>) -> Result<(), Fault> {
    match limiter.check(cost(call), call.now()) {
        Ok(()) => admit(call.out()),
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

fn refund(limiter: &'static RateLimiter, call: &mut Call<'_>) -> Result<(), Fault> {
    let grant: Grant = call.take("grant", GRANT)?;
    limiter.refund(&grant, call.now());
    Ok(())
}

fn undo(limiter: &'static RateLimiter, call: &mut Call<'_>) -> Result<(), Fault> {
    let grant: Grant = call.take("grant", GRANT)?;
    let undone = limiter.undo(&grant);
    call.out().put("undone", undone);
    Ok(())
}
