//! The timeouts that are learned.

use super::answers::{OUTCOME_PARAM, outcome, wrong};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Kind, Operation, Param, Pattern, Spec};
use crate::replay::value::Args;
use seawall::core::adaptive_timeout::{Adjustment, Config, Growth};
use seawall::core::histogram::buckets_for;
use seawall::core::{AdaptiveTimeout, ConfigError, Deadline, Instant, Outcome, PercentileTimeout};
use std::time::Duration;

type Percentile = PercentileTimeout<4, { buckets_for(4, u32::MAX as u64) }>;

pub(super) const KEYS: &[Param] = &[
    Param::required("initial", Kind::Duration, "the timeout before the first attempt"),
    Param::or("at_least", Kind::Duration, "\"10ms\"", "the timeout never becomes shorter"),
    Param::or("at_most", Kind::Duration, "\"5m\"", "the timeout never becomes longer; 35 min at most"),
    Param::or(
        "grow_on",
        Kind::Word(&["timeouts", "failures"]),
        "\"timeouts\"",
        "which failures lengthen it; the percentile's rule looks at timeouts only",
    ),
];

/// What both timeouts can do.
trait Learned: Sized + 'static {
    fn current(&self, now: Instant) -> Duration;
    fn limit(&self, call: Deadline, now: Instant) -> Deadline;
    fn record(&self, outcome: Outcome, elapsed: Duration) -> Option<Adjustment>;
    fn set(&self, timeout: Duration) -> Result<(), ConfigError>;
    fn resume(&self);
    fn is_set(&self) -> bool;
    fn config(&self) -> &Config;
}

macro_rules! learned {
    ($type:ty) => {
        impl Learned for $type {
            fn current(&self, now: Instant) -> Duration {
                self.current(now)
            }

            fn limit(&self, call: Deadline, now: Instant) -> Deadline {
                self.limit(call, now)
            }

            fn record(&self, outcome: Outcome, elapsed: Duration) -> Option<Adjustment> {
                self.record(outcome, elapsed)
            }

            fn set(&self, timeout: Duration) -> Result<(), ConfigError> {
                self.set(timeout)
            }

            fn resume(&self) {
                self.resume();
            }

            fn is_set(&self) -> bool {
                self.is_set()
            }

            fn config(&self) -> &Config {
                self.config()
            }
        }
    };
}

learned!(AdaptiveTimeout);
learned!(Percentile);

/// The operations of a timeout.
struct Of<T>(T);

impl<T: Learned> Of<T> {
    const CURRENT: Operation<T> =
        Operation::new("current", "prints the time that an attempt is given now", &[], |_, _| Ok(()));
    const LIMIT: Operation<T> = Operation::new(
        "limit",
        "prints when an attempt that starts now must be over",
        &[Param::or("call", Kind::Moment, "\"never\"", "the deadline of the whole call")],
        limit,
    )
    .prints(&[&["deadline+ns"]]);
    const RECORD: Operation<T> = Operation::new(
        "record",
        "learns from an attempt; a failure that took fifteen sixteenths of the timeout or longer has timed out",
        &[OUTCOME_PARAM, Param::required("elapsed", Kind::Duration, "how long it took")],
        record,
    )
    .prints(&[&["adjustment"]]);
    const SET: Operation<T> = Operation::new(
        "set",
        "sets the timeout by hand, until resume",
        &[Param::required("timeout", Kind::Duration, "the timeout")],
        set,
    );
    const RESUME: Operation<T> = Operation::new("resume", "adapts again", &[], |timeout, _| {
        T::resume(timeout);
        Ok(())
    });
    const CONFIG: Operation<T> = Operation::config(|timeout, call| {
        configured(T::config(timeout), call.config());
        Ok(())
    });
    const IS_SET: Operation<T> =
        Operation::new("is_set", "says whether the timeout was set by hand", &[], |_, _| Ok(()));
}

const PRINTS: &[&[&str]] = &[&["current+ns", "is_set"]];

static SPEC: Spec<AdaptiveTimeout> = Spec {
    info: Info {
        name: "adaptive_timeout",
        about: "A timeout that each attempt adjusts: 5 % shorter after a success but not below twice its time, 10 % longer after an \
                attempt that timed out",
        keys: KEYS,
        prints: PRINTS,
        example: r#"
{"policy": {"adaptive_timeout": {"initial": "1s", "at_most": "2s"}}}
{"op": "adaptive_timeout.current", "expect": {"current": "1s"}}
{"op": "adaptive_timeout.record", "outcome": "success", "elapsed": "10ms", "expect": {"current": {"min": "900ms", "max": "999ms"}}}
{"op": "adaptive_timeout.record", "outcome": "failure", "elapsed": "1s", "expect": {"adjustment": {"to": {"min": "1s"}}}}
{"at": "5s", "op": "adaptive_timeout.limit", "call": "5.5s", "expect": {"deadline": "5.5s"}}
{"op": "adaptive_timeout.set", "timeout": "30s", "expect": {"current": "30s", "is_set": true}}
{"op": "adaptive_timeout.is_set"}
{"op": "adaptive_timeout.resume", "expect": {"current": "2s", "is_set": false}}
{"op": "adaptive_timeout.config", "expect": {"config": {"at_most": "2s", "grow_on": "timeouts"}}}
"#,
    },
    operations: &[Of::CURRENT, Of::LIMIT, Of::RECORD, Of::SET, Of::RESUME, Of::IS_SET, Of::CONFIG],
    state: print_state,
    configure: |args| {
        Ok(SPEC.bind(AdaptiveTimeout::try_new(config(args)).map_err(|error| vec![wrong(&error)])?))
    },
};

static PERCENTILE: Spec<Percentile> = Spec {
    info: Info {
        name: "percentile_timeout",
        about: "A timeout that goes towards twice the 95th percentile of the latest attempts, once in ten of them: \
                half of the way up, a tenth of the way down",
        keys: KEYS,
        prints: PRINTS,
        example: r#"
{"policy": {"percentile_timeout": {"initial": "1s"}}}
{"op": "percentile_timeout.record", "outcome": "success", "elapsed": "100ms", "times": 10}
{"op": "percentile_timeout.current", "expect": {"current": {"max": "999ms"}}}
{"op": "percentile_timeout.samples", "expect": {"samples": 10}}
{"op": "percentile_timeout.limit"}
{"op": "percentile_timeout.set", "timeout": "30s", "expect": {"is_set": true}}
{"op": "percentile_timeout.is_set"}
{"op": "percentile_timeout.resume"}
{"op": "percentile_timeout.config", "expect": {"config": {"initial": "1000ms", "at_least": "10ms"}}}
"#,
    },
    operations: &[
        Of::CURRENT,
        Of::LIMIT,
        Of::RECORD,
        Of::SET,
        Of::RESUME,
        Of::IS_SET,
        Of::CONFIG,
        Operation::new(
            "samples",
            "prints how many attempts were samples",
            &[],
            |timeout: &'static Percentile, call| {
                call.out().put("samples", timeout.samples());
                Ok(())
            },
        )
        .prints(&[&["samples"]]),
    ],
    state: print_state,
    configure: |args| {
        Ok(PERCENTILE.bind(Percentile::try_new(config(args)).map_err(|error| vec![wrong(&error)])?))
    },
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;
pub(super) const PERCENTILE_PATTERN: &dyn Pattern = &PERCENTILE;

fn config(args: &Args) -> Config {
    let duration = |key| args.duration(key).unwrap_or(Duration::ZERO);
    let growth = if args.word("grow_on") == Some("failures") { Growth::Failures } else { Growth::Timeouts };
    Config::new(duration("initial"))
        .at_least(duration("at_least"))
        .at_most(duration("at_most"))
        .grow_on(growth)
}

/// Puts what holds of a timeout that is learned into its table.
pub(super) fn configured(config: &Config, table: &mut Fields) {
    let (least, most) = config.bounds();
    table.put("initial", config.initial());
    table.put("at_least", least);
    table.put("at_most", most);
    table.put("grow_on", if config.growth() == Growth::Failures { "failures" } else { "timeouts" });
}

fn print_state<T: Learned>(timeout: &T, now: Instant, out: &mut Fields) {
    out.duration("current", timeout.current(now));
    out.put("is_set", timeout.is_set());
}

fn limit<T: Learned>(timeout: &'static T, call: &mut Call<'_>) -> Result<(), Fault> {
    let whole = call.moment("call").map_or(Deadline::NONE, Deadline::at);
    let deadline = timeout.limit(whole, call.now());
    call.out().moment("deadline", deadline.moment());
    Ok(())
}

fn record<T: Learned>(timeout: &'static T, call: &mut Call<'_>) -> Result<(), Fault> {
    let elapsed = call.args().duration("elapsed").unwrap_or(Duration::ZERO);
    let change = timeout.record(outcome(call.args(), "outcome"), elapsed).map(|change| {
        let mut fields = Fields::default();
        fields.duration("from", change.from);
        fields.duration("to", change.to);
        fields
    });
    call.out().put("adjustment", change);
    Ok(())
}

fn set<T: Learned>(timeout: &'static T, call: &mut Call<'_>) -> Result<(), Fault> {
    let duration = call.args().duration("timeout").unwrap_or(Duration::ZERO);
    timeout.set(duration).map_err(|error| Fault::new(error.to_string()))
}
