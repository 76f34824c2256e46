//! The rotating histogram.

use super::histogram::{COUNTS, SNAPSHOT, give};
use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U64};
use crate::replay::value::Args;
use seawall::core::histogram::buckets_for;
use seawall::core::{Ratio, RotatingHistogram};
use std::time::Duration;

type Recent = RotatingHistogram<4, { buckets_for(4, 60_000_000) }>;

static SPEC: Spec<Recent> = Spec {
    info: Info {
        name: "rotating_histogram",
        about: "Values of the last span of time, up to 60000000 and to one part in sixteen: \
                each counts for more than half of the span and never for longer than it. \
                Its snapshots are those of a histogram of the same shape, which is the default one",
        keys: &[Param::required("span", Kind::Duration, "after which a value is forgotten")],
        prints: &[&["count", "out_of_range"]],
        example: r#"
{"policy": {"rotating_histogram": {"span": "60s"}, "all": {"pattern": "histogram"}}}
{"at": "0s", "op": "rotating_histogram.record", "value": 7, "expect": {"count": 1}}
{"at": "29s", "op": "rotating_histogram.percentile", "share": "50%", "expect": {"percentile": 7}}
{"at": "31s", "op": "rotating_histogram.record", "value": 9, "expect": {"count": 2}}
{"at": "61s", "op": "rotating_histogram.record", "value": 11, "expect": {"count": 2}}
{"op": "rotating_histogram.record", "value": 18446744073709551615, "expect": {"count": 3, "out_of_range": 1}}
{"op": "rotating_histogram.out_of_range", "expect": {"out_of_range": 1}}
{"op": "rotating_histogram.snapshot", "as": "recent", "expect": {"snapshot_count": 3, "snapshot_out_of_range": 1, "p50": 11}}
{"op": "all.merge", "other": "recent", "expect": {"count": 3, "out_of_range": 1}}
{"op": "all.percentile", "share": "1/3", "snapshot": "recent", "expect": {"percentile": 9}}
{"at": "121s", "op": "rotating_histogram.count", "expect": {"count": 0, "out_of_range": 0}}
"#,
    },
    operations: &[
        Operation::new("record", "counts a value", &[Param::required("value", U64, "the value")], record),
        Operation::new(
            "percentile",
            "prints the value that a share of the recent values do not exceed",
            &[Param::required("share", Kind::Share, "of the values")],
            percentile,
        )
        .prints(&[&["percentile"]]),
        Operation::new("count", "prints how many values are recent", &[], |_, _| Ok(())),
        Operation::new(
            "out_of_range",
            "prints how many recent ones were above the range",
            &[],
            |_, _| Ok(()),
        ),
        Operation::new("snapshot", "copies the counts of the recent values", &[], |histogram, call| {
            give(Recent::snapshot(histogram, call.now()), call)
        })
        .gives(&[SNAPSHOT])
        .prints(COUNTS),
    ],
    state: |histogram, now, out| {
        out.put("count", histogram.count(now));
        out.put("out_of_range", histogram.out_of_range(now));
    },
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    Recent::try_new(args.duration("span").unwrap_or(Duration::ZERO))
        .map(|histogram| SPEC.bind(histogram))
        .map_err(|error| vec![super::answers::wrong(&error)])
}

fn record(histogram: &'static Recent, call: &mut Call<'_>) -> Result<(), Fault> {
    histogram.record(call.args().integer("value").unwrap_or(0), call.now());
    Ok(())
}

fn percentile(histogram: &'static Recent, call: &mut Call<'_>) -> Result<(), Fault> {
    let value = histogram.percentile(call.args().share("share").unwrap_or(Ratio::ONE), call.now());
    call.out().put("percentile", value);
    Ok(())
}
