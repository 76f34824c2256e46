//! The rate limiter, and the one whose quota can change.

use super::answers::{admit, reject};
use super::policy;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{ADMISSION, Group, Info, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::rate_limiter::{Grant, Quota, Rejected, Reservation, adjustable};
use seawall::core::{AdaptiveRate, AdjustableRateLimiter, ConfigError, Instant, RateLimiter};
use std::any::Any;
use std::time::Duration;

/// The keys of its table.
pub(super) const KEYS: &[Param] = &[
    Param::required("rate", U32, "so many tokens each `per`; 0 never refills"),
    Param::or("per", Kind::Duration, "\"1s\"", "the period of the rate; longer than nothing"),
    Param::optional(
        "burst",
        U32,
        "tokens of a full bucket, at least 1; by default as many as the rate, and 1 with a rate of 0",
    ),
];

const GRANT: &str = "rate_limiter grant";
const RESERVATION: &str = "rate_limiter reservation";
const THE_GRANT: Param =
    Param::required("grant", Kind::Held(&[GRANT]), "what try_acquire gave; it is used up by this");
const THE_RESERVATION: Param =
    Param::required("reservation", Kind::Held(&[RESERVATION]), "what reserve gave; it is used up by this");
const COST: Param = Param::required("cost", U32, "tokens");
const ON: Param =
    Param::required("on", Kind::Flag, "true: nothing is refused, and what would have been takes no tokens");
/// What an admission prints in shadow mode.
const WOULD_REJECT: Group = &["would_reject"];

/// What both limiters can do.
pub(super) trait Limiter: Sized + 'static {
    type Grant: Any;
    type Reservation: Any;

    fn take(&self, cost: Option<u32>, now: Instant) -> Result<Self::Grant, Rejected>;
    fn would_reject(grant: &Self::Grant) -> bool;
    fn reserve(&self, cost: u32, max_wait: Duration, now: Instant) -> Result<Self::Reservation, Rejected>;
    /// When it is ready, how long that is from now, and whether it would have been refused.
    fn about(reservation: &Self::Reservation, now: Instant) -> (Instant, Duration, bool);
    fn into_grant(reservation: Self::Reservation) -> Self::Grant;
    fn cancel(&self, reservation: Self::Reservation, now: Instant) -> bool;
    fn check(&self, cost: u32, now: Instant) -> Result<(), Rejected>;
    fn refund(&self, grant: Self::Grant, now: Instant);
    fn set_shadow(&self, on: bool);
    fn is_shadow(&self) -> bool;
    fn available(&self, now: Instant) -> u32;
}

macro_rules! limiter {
    ($type:ty, $grant:ty, $reservation:ty) => {
        impl Limiter for $type {
            type Grant = $grant;
            type Reservation = $reservation;

            fn take(&self, cost: Option<u32>, now: Instant) -> Result<$grant, Rejected> {
                match cost {
                    Some(cost) => self.try_acquire_many(cost, now),
                    None => self.try_acquire(now),
                }
            }

            fn would_reject(grant: &$grant) -> bool {
                grant.would_reject()
            }

            fn reserve(&self, cost: u32, max_wait: Duration, now: Instant) -> Result<$reservation, Rejected> {
                self.reserve(cost, max_wait, now)
            }

            fn about(reservation: &$reservation, now: Instant) -> (Instant, Duration, bool) {
                (reservation.ready_at(), reservation.wait(now), reservation.would_reject())
            }

            fn into_grant(reservation: $reservation) -> $grant {
                reservation.into_grant()
            }

            fn cancel(&self, reservation: $reservation, now: Instant) -> bool {
                self.cancel(reservation, now)
            }

            fn check(&self, cost: u32, now: Instant) -> Result<(), Rejected> {
                self.check(cost, now)
            }

            fn refund(&self, grant: $grant, now: Instant) {
                self.refund(grant, now);
            }

            fn set_shadow(&self, on: bool) {
                self.set_shadow(on);
            }

            fn is_shadow(&self) -> bool {
                self.is_shadow()
            }

            fn available(&self, now: Instant) -> u32 {
                self.available(now)
            }
        }
    };
}

limiter!(RateLimiter, Grant, Reservation);
limiter!(AdjustableRateLimiter, adjustable::Grant, adjustable::Reservation);
limiter!(AdaptiveRate, adjustable::Grant, adjustable::Reservation);

/// The operations of a limiter.
pub(super) struct Of<L>(L);

impl<L: Limiter> Of<L> {
    pub(super) const TRY_ACQUIRE: Operation<L> =
        Operation::new("try_acquire", "takes one token", &[], try_acquire)
            .gives(&[GRANT])
            .prints(&[ADMISSION, WOULD_REJECT]);
    pub(super) const TRY_ACQUIRE_MANY: Operation<L> =
        Operation::new("try_acquire_many", "takes `cost` tokens at once, or none", &[COST], try_acquire)
            .gives(&[GRANT])
            .prints(&[ADMISSION, WOULD_REJECT]);
    pub(super) const RESERVE: Operation<L> = Operation::new(
        "reserve",
        "takes `cost` tokens now for a call that may start when they are there, which is at `ready_at`",
        &[
            Param::or("cost", U32, "1", "tokens"),
            Param::required("max_wait", Kind::Duration, "refused if they are there later than so"),
        ],
        reserve,
    )
    .gives(&[RESERVATION])
    .prints(&[ADMISSION, WOULD_REJECT, &["ready_at+ns", "wait+ns"]]);
    pub(super) const CANCEL: Operation<L> = Operation::new(
        "cancel",
        "gives a reservation back, and says whether all its tokens came back",
        &[THE_RESERVATION],
        cancel,
    )
    .prints(&[&["returned"]]);
    pub(super) const INTO_GRANT: Operation<L> = Operation::new(
        "into_grant",
        "turns a reservation into the grant of a call that starts; it keeps its name unless `as` says another one",
        &[THE_RESERVATION],
        into_grant,
    )
    .gives(&[GRANT]);
    pub(super) const WOULD_REJECT: Operation<L> = Operation::new(
        "would_reject",
        "says whether a grant would have been refused if the limiter were not in shadow mode",
        &[Param::required("grant", Kind::Held(&[GRANT]), "what try_acquire gave")],
        would_reject,
    )
    .prints(&[WOULD_REJECT]);
    pub(super) const READY_AT: Operation<L> = Operation::new(
        "ready_at",
        "prints when the tokens of a reservation are there, and how long that is from now",
        &[Param::required("reservation", Kind::Held(&[RESERVATION]), "what reserve gave")],
        ready_at,
    )
    .prints(&[WOULD_REJECT, &["ready_at+ns", "wait+ns"]]);
    pub(super) const WAIT: Operation<L> = Operation::new(
        "wait",
        "prints the same as ready_at",
        &[Param::required("reservation", Kind::Held(&[RESERVATION]), "what reserve gave")],
        ready_at,
    )
    .prints(&[WOULD_REJECT, &["ready_at+ns", "wait+ns"]]);
    pub(super) const CHECK: Operation<L> = Operation::new(
        "check",
        "says whether `cost` tokens could be taken, and changes nothing",
        &[COST],
        check,
    )
    .prints(&[ADMISSION]);
    pub(super) const REFUND: Operation<L> = Operation::new(
        "refund",
        "gives the tokens of a grant back, for a call that did not start",
        &[THE_GRANT],
        refund,
    );
    pub(super) const SET_SHADOW: Operation<L> =
        Operation::new("set_shadow", "switches shadow mode", &[ON], set_shadow);
    pub(super) const IS_SHADOW: Operation<L> =
        Operation::new("is_shadow", "says whether it is in shadow mode", &[], |limiter, call| {
            call.out().put("shadow", L::is_shadow(limiter));
            Ok(())
        })
        .prints(&[&["shadow"]]);
    pub(super) const AVAILABLE: Operation<L> =
        Operation::new("available", "prints the tokens that there are now", &[], |_, _| Ok(()));
}

static SPEC: Spec<RateLimiter> = Spec {
    info: Info {
        name: "rate_limiter",
        about: "Limits how many calls start in a time: a bucket of `burst` tokens that refills at `rate`. \
                With a rate of one token in a whole number of nanoseconds its time stands still after 292 years or more; \
                otherwise the units of its word are finer and wrap, after 104 days or more, and an idle time of a multiple of \
                that can be taken for a clock that stepped back, with a chance of 1 in 2048",
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
{"at": "20s", "op": "rate_limiter.try_acquire_many", "cost": 2, "expect": {"available": 0}}
{"op": "rate_limiter.reserve", "max_wait": "1s", "as": "r1", "expect": {"admitted": true, "wait": "100ms", "ready_at": "20.1s"}}
{"op": "rate_limiter.reserve", "cost": 2, "max_wait": "100ms", "expect": {"admitted": false, "retry_after": "300ms"}}
{"op": "rate_limiter.reserve", "max_wait": "1s", "as": "r2", "expect": {"wait": "200ms"}}
{"op": "rate_limiter.cancel", "reservation": "r2", "expect": {"returned": true}}
{"at": "20.05s", "op": "rate_limiter.ready_at", "reservation": "r1", "expect": {"ready_at": "20.1s", "wait": "50ms"}}
{"op": "rate_limiter.wait", "reservation": "r1", "expect": {"wait": "50ms"}}
{"at": "20.1s", "op": "rate_limiter.into_grant", "reservation": "r1"}
{"op": "rate_limiter.refund", "grant": "r1"}
{"op": "rate_limiter.set_shadow", "on": true}
{"op": "rate_limiter.is_shadow", "expect": {"shadow": true}}
{"op": "rate_limiter.try_acquire_many", "cost": 3, "as": "s", "expect": {"admitted": true, "would_reject": true}}
{"op": "rate_limiter.would_reject", "grant": "s", "expect": {"would_reject": true}}
{"op": "rate_limiter.quota", "expect": {"rate": 10, "per": "1s", "burst": 2}}
{"op": "rate_limiter.config", "expect": {"config": {"rate": 10, "per": "1000ms", "burst": 2}}}
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
            "undo",
            "gives the tokens of a grant back if nobody took any since, without looking at the time",
            &[THE_GRANT],
            undo,
        )
        .prints(&[&["undone"]]),
        Of::SET_SHADOW,
        Of::IS_SHADOW,
        Of::AVAILABLE,
        Operation::config(|limiter, call| {
            configured(limiter.quota(), call.config());
            Ok(())
        }),
        Operation::new("quota", "prints the quota", &[], |limiter: &'static RateLimiter, call| {
            print_quota(call.out(), limiter.quota());
            Ok(())
        })
        .prints(&[QUOTA]),
    ],
    state: print_state,
    configure: |config| Ok(SPEC.bind(made(config, RateLimiter::try_new)?)),
};

static ADJUSTABLE: Spec<AdjustableRateLimiter> = Spec {
    info: Info {
        name: "adjustable_rate_limiter",
        about: "A rate limiter whose quota can change while calls ask",
        keys: KEYS,
        prints: &[&["available"], QUOTA],
        example: r#"
{"policy": {"adjustable_rate_limiter": {"rate": 10, "burst": 5}}}
{"at": "0s", "op": "adjustable_rate_limiter.try_acquire", "times": 6, "expect_admitted": 5}
{"op": "adjustable_rate_limiter.set_quota", "rate": 100, "burst": 5, "expect": {"rate": 100}}
{"at": "20ms", "op": "adjustable_rate_limiter.try_acquire_many", "cost": 1, "as": "g", "expect": {"admitted": true}}
{"op": "adjustable_rate_limiter.refund", "grant": "g"}
{"op": "adjustable_rate_limiter.check", "cost": 6, "expect": {"rejected": "exceeds_burst"}}
{"op": "adjustable_rate_limiter.reserve", "cost": 4, "max_wait": "1s", "as": "r"}
{"op": "adjustable_rate_limiter.ready_at", "reservation": "r"}
{"op": "adjustable_rate_limiter.wait", "reservation": "r"}
{"op": "adjustable_rate_limiter.into_grant", "reservation": "r", "as": "h"}
{"op": "adjustable_rate_limiter.would_reject", "grant": "h", "expect": {"would_reject": false}}
{"op": "adjustable_rate_limiter.reserve", "cost": 1, "max_wait": "1s", "as": "r"}
{"op": "adjustable_rate_limiter.cancel", "reservation": "r"}
{"op": "adjustable_rate_limiter.set_shadow", "on": true}
{"op": "adjustable_rate_limiter.available"}
{"op": "adjustable_rate_limiter.is_shadow", "expect": {"shadow": true}}
{"op": "adjustable_rate_limiter.quota", "expect": {"rate": 100, "burst": 5}}
{"op": "adjustable_rate_limiter.config", "expect": {"config": {"rate": 100, "burst": 5}}}
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
            "set_quota",
            "changes the quota; what was taken stays taken, with bounds. Grants and reservations of an earlier quota give nothing \
             back",
            KEYS,
            set_quota,
        ),
        Of::SET_SHADOW,
        Of::IS_SHADOW,
        Of::AVAILABLE,
        Operation::config(|limiter, call| {
            configured(&limiter.quota(), call.config());
            Ok(())
        }),
        Operation::new("quota", "prints the quota", &[], |_, _| Ok(())),
    ],
    state: |limiter, now, out| {
        print_state(limiter, now, out);
        print_quota(out, &limiter.quota());
    },
    configure: |config| Ok(ADJUSTABLE.bind(made(config, AdjustableRateLimiter::try_new)?)),
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;
pub(super) const ADJUSTABLE_PATTERN: &dyn Pattern = &ADJUSTABLE;

/// A limiter for the quota of a table.
fn made<L>(config: &Args, make: fn(Quota) -> Result<L, ConfigError>) -> Result<L, Vec<String>> {
    let policy = policy::with_table("rate_limiter", config)?;
    let Some(quota) = policy.rate_limit_config() else { return Err(vec!["rate is missing".to_owned()]) };
    make(*quota).map_err(|error| vec![super::answers::wrong(&error)])
}

pub(super) fn print_state<L: Limiter>(limiter: &L, now: Instant, out: &mut Fields) {
    out.put("available", limiter.available(now));
}

/// What is printed of a quota.
pub(super) const QUOTA: Group = &["rate", "per+ns", "burst"];

pub(super) fn print_quota(out: &mut Fields, quota: &Quota) {
    out.put("rate", quota.tokens());
    out.duration("per", quota.period());
    out.put("burst", quota.burst_size());
}

/// Puts what holds of a quota into its table.
pub(super) fn configured(quota: &Quota, table: &mut Fields) {
    table.put("rate", quota.tokens());
    table.put("per", quota.period());
    table.put("burst", quota.burst_size());
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

/// Prints an admission that may be one of shadow mode only.
fn admit_as(out: &mut Fields, would_reject: bool) {
    admit(out);
    if would_reject {
        out.put("would_reject", true);
    }
}

fn try_acquire<L: Limiter>(limiter: &'static L, call: &mut Call<'_>) -> Result<(), Fault> {
    match limiter.take(call.args().u32("cost"), call.now()) {
        Ok(grant) => {
            admit_as(call.out(), L::would_reject(&grant));
            call.keep(GRANT, grant)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn reserve<L: Limiter>(limiter: &'static L, call: &mut Call<'_>) -> Result<(), Fault> {
    let max_wait = call.args().duration("max_wait").unwrap_or(Duration::ZERO);
    match limiter.reserve(cost(call), max_wait, call.now()) {
        Ok(reservation) => {
            let (ready_at, wait, would_reject) = L::about(&reservation, call.now());
            admit_as(call.out(), would_reject);
            call.out().moment("ready_at", ready_at);
            call.out().duration("wait", wait);
            call.keep(RESERVATION, reservation)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn cancel<L: Limiter>(limiter: &'static L, call: &mut Call<'_>) -> Result<(), Fault> {
    let reservation: L::Reservation = call.take("reservation", RESERVATION)?;
    let returned = limiter.cancel(reservation, call.now());
    call.out().put("returned", returned);
    Ok(())
}

fn into_grant<L: Limiter>(_: &'static L, call: &mut Call<'_>) -> Result<(), Fault> {
    let reservation: L::Reservation = call.take("reservation", RESERVATION)?;
    call.keep_in_place("reservation", GRANT, L::into_grant(reservation))
}

fn would_reject<L: Limiter>(_: &'static L, call: &mut Call<'_>) -> Result<(), Fault> {
    let would_reject = L::would_reject(call.look("grant", GRANT)?);
    call.out().put("would_reject", would_reject);
    Ok(())
}

fn ready_at<L: Limiter>(_: &'static L, call: &mut Call<'_>) -> Result<(), Fault> {
    let now = call.now();
    let (ready_at, wait, would_reject) = L::about(call.look("reservation", RESERVATION)?, now);
    call.out().moment("ready_at", ready_at);
    call.out().duration("wait", wait);
    call.out().put("would_reject", would_reject);
    Ok(())
}

fn cost(call: &Call<'_>) -> u32 {
    call.args().u32("cost").unwrap_or(1)
}

fn check<L: Limiter>(limiter: &'static L, call: &mut Call<'_>) -> Result<(), Fault> {
    match limiter.check(cost(call), call.now()) {
        Ok(()) => admit(call.out()),
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

fn refund<L: Limiter>(limiter: &'static L, call: &mut Call<'_>) -> Result<(), Fault> {
    let grant: L::Grant = call.take("grant", GRANT)?;
    limiter.refund(grant, call.now());
    Ok(())
}

fn undo(limiter: &'static RateLimiter, call: &mut Call<'_>) -> Result<(), Fault> {
    let grant: Grant = call.take("grant", GRANT)?;
    let undone = limiter.undo(grant);
    call.out().put("undone", undone);
    Ok(())
}

fn set_shadow<L: Limiter>(limiter: &'static L, call: &mut Call<'_>) -> Result<(), Fault> {
    limiter.set_shadow(call.args().flag("on").unwrap_or(true));
    Ok(())
}

fn set_quota(limiter: &'static AdjustableRateLimiter, call: &mut Call<'_>) -> Result<(), Fault> {
    let policy =
        policy::with_table("rate_limiter", call.args()).map_err(|wrong| Fault::new(wrong.join("; ")))?;
    let Some(quota) = policy.rate_limit_config() else { return Err(Fault::new("rate is missing")) };
    limiter.set_quota(*quota, call.now()).map_err(|error| Fault::new(error.to_string()))
}
