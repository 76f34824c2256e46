//! The hedge.

use super::{answers, policy, retry};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::hedge::{NoHedge, Plan};
use seawall::core::histogram::buckets_for;
use seawall::core::{Deadline, Hedge, Histogram, Instant, Retry};
use std::time::Duration;

/// A hedge with the latencies that it looks at and the budget that pays for it.
struct Hedged {
    hedge: Hedge,
    micros: Histogram<7, { buckets_for(7, 1 << 40) }>,
    budget: Retry,
}

const HEDGES: Param = Param::or("hedges", U32, "0", "that the call has had");
const DEADLINE: Param = Param::or("deadline", Kind::Moment, "\"never\"", "when the call must be over");

const BUDGET: Param = {
    let budget = retry::KEYS[retry::BUDGET];
    assert!(budget.name.len() == 6, "it is the budget");
    budget
};

static SPEC: Spec<Hedged> = Spec {
    info: Info {
        name: "hedge",
        about: "When does a second attempt start beside one that is late? \
                It keeps the latencies that `record` tells it, and a retry budget",
        keys: &[
            Param::optional("after", Kind::Duration, "the delay; this or a percentile"),
            Param::optional("percentile", Kind::Share, "the delay is this percentile of the latencies"),
            Param::or("floor", Kind::Duration, "\"0s\"", "with percentile: the delay is not shorter"),
            Param::or("ceiling", Kind::Duration, "\"forever\"", "with percentile: the delay is not longer"),
            Param::or(
                "least_samples",
                U32,
                "20",
                "with percentile: with fewer latencies the delay is the ceiling",
            ),
            Param::or("max_hedges", U32, "1", "hedges of a call at most"),
            BUDGET,
        ],
        prints: &[&["delay+ns", "latencies", "balance"]],
        example: r#"
{"policy": {"hedge": {"percentile": "50%", "floor": "2ms", "ceiling": "500ms", "least_samples": 2, "budget": {"ratio": "20%", "cap": 1, "per_second": 0}}}}
{"op": "hedge.delay", "expect": {"delay": "500ms"}}
{"op": "hedge.record", "latency": "100ms", "times": 2}
{"op": "hedge.plan", "expect": {"plan": "hedge", "hedge_after": {"min": "100ms", "max": "101ms"}}}
{"op": "hedge.plan", "hedges": 1, "expect": {"plan": "no_hedge", "no_hedge": "limit"}}
{"op": "hedge.plan", "deadline": "150ms", "expect": {"no_hedge": "deadline"}}
{"op": "hedge.start", "deadline": "50ms", "expect": {"admitted": false, "no_hedge": "deadline", "balance": 1}}
{"op": "hedge.start", "expect": {"admitted": true, "balance": 0}}
{"op": "hedge.start", "expect": {"admitted": false, "no_hedge": "budget"}}
{"op": "hedge.config", "expect": {"config": {"percentile": 0.5, "max_hedges": 1, "budget": {"ratio": "1/5", "cap": 1}}}}
"#,
    },
    operations: &[
        Operation::new(
            "record",
            "tells it a latency, in whole microseconds",
            &[Param::required("latency", Kind::Duration, "how long an attempt took")],
            record,
        ),
        Operation::config(|hedged: &'static Hedged, call| {
            let table = call.config();
            table.put("max_hedges", hedged.hedge.max_hedges());
            retry::budget(hedged.budget.config(), table);
            Ok(())
        }),
        Operation::new("delay", "prints the delay at present", &[], |_, _| Ok(())),
        Operation::new("plan", "says what to do about an attempt that starts now", &[HEDGES, DEADLINE], plan)
            .prints(&[&["plan", "hedge_after+ns", "no_hedge"]]),
        Operation::new("start", "starts a hedge, which the budget pays for", &[HEDGES, DEADLINE], start)
            .prints(&[&["admitted", "no_hedge"]]),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let duration = |key| args.duration(key).unwrap_or(Duration::ZERO);
    let hedge = match (args.duration("after"), args.share("percentile")) {
        (Some(delay), None) => Hedge::after(delay),
        (None, Some(share)) => Hedge::at_percentile(share, duration("floor"), duration("ceiling"))
            .least_samples(args.u32("least_samples").unwrap_or(20)),
        _ => return Err(vec!["after or percentile must be given, and not both".to_owned()]),
    };
    let hedge = hedge.at_most_hedges(args.u32("max_hedges").unwrap_or(1));
    hedge.validate().map_err(|error| vec![answers::wrong(&error)])?;
    let budget = policy::with_table("retry", &args.only(&["budget"]))?;
    let budget = Retry::try_new(*budget.retry_config()).map_err(|error| vec![answers::wrong(&error)])?;
    Ok(SPEC.bind(Hedged { hedge, micros: Histogram::new(), budget }))
}

fn print_state(hedged: &Hedged, now: Instant, out: &mut Fields) {
    out.duration("delay", hedged.hedge.delay(&hedged.micros, now));
    out.put("latencies", hedged.micros.count());
    out.put("balance", hedged.budget.balance());
}

fn record(hedged: &'static Hedged, call: &mut Call<'_>) -> Result<(), Fault> {
    let latency = call.args().duration("latency").unwrap_or(Duration::ZERO);
    hedged.micros.record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    Ok(())
}

/// Why there is no hedge, in a word.
fn word(why: NoHedge) -> &'static str {
    match why {
        NoHedge::Limit => "limit",
        NoHedge::Deadline => "deadline",
        NoHedge::Budget => "budget",
        _ => "other",
    }
}

fn asked(call: &Call<'_>) -> (u32, Deadline) {
    let deadline = call.moment("deadline").map_or(Deadline::NONE, Deadline::at);
    (call.args().u32("hedges").unwrap_or(0), deadline)
}

fn plan(hedged: &'static Hedged, call: &mut Call<'_>) -> Result<(), Fault> {
    let (had, deadline) = asked(call);
    match hedged.hedge.plan(had, &hedged.micros, deadline, call.now()) {
        Plan::HedgeAfter(delay) => {
            call.out().put("plan", "hedge");
            call.out().duration("hedge_after", delay);
        }
        Plan::NoHedge(why) => {
            call.out().put("plan", "no_hedge");
            call.out().put("no_hedge", word(why));
        }
    }
    Ok(())
}

fn start(hedged: &'static Hedged, call: &mut Call<'_>) -> Result<(), Fault> {
    let (had, deadline) = asked(call);
    let started = hedged.hedge.start(had, &hedged.micros, &hedged.budget, deadline, call.now());
    call.out().put("admitted", started.is_ok());
    if let Err(why) = started {
        call.out().put("no_hedge", word(why));
    }
    Ok(())
}
