//! The histogram.

use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32, U64};
use crate::replay::value::Args;
use seawall::core::histogram::{Snapshot, buckets_for};
use seawall::core::{Histogram, Instant, Ratio};

pub(super) const SNAPSHOT: &str = "histogram snapshot";
const VALUE: Param = Param::required("value", U64, "the value; above the range it is counted apart");

/// What a snapshot prints.
pub(super) const COUNTS: &[&[&str]] =
    &[&["snapshot_count", "snapshot_out_of_range", "p50", "p99", "buckets"]];

/// A histogram of one shape.
struct Of<const PRECISION: u32, const BUCKETS: usize>;

impl<const PRECISION: u32, const BUCKETS: usize> Of<PRECISION, BUCKETS> {
    const SPEC: Spec<Histogram<PRECISION, BUCKETS>> = Spec {
        info: INFO,
        operations: &[
            Operation::new("record", "counts a value", &[VALUE], record),
            Operation::new(
                "record_n",
                "counts a value n times",
                &[VALUE, Param::required("n", U32, "how often")],
                record,
            ),
            Operation::new("count", "prints how many values were counted", &[], |_, _| Ok(())),
            Operation::new("out_of_range", "prints how many were above the range", &[], |_, _| Ok(())),
            Operation::new(
                "percentile",
                "prints the value that a share of all values do not exceed: the upper end of its bucket",
                &[
                    Param::required("share", Kind::Share, "of the values"),
                    Param::optional(
                        "snapshot",
                        Kind::Held(&[SNAPSHOT]),
                        "of these values, in place of its own",
                    ),
                ],
                percentile,
            )
            .prints(&[&["percentile"]]),
            Operation::new("snapshot", "copies the counts", &[], snapshot).gives(&[SNAPSHOT]).prints(COUNTS),
            Operation::new("take", "takes the counts out", &[], take).gives(&[SNAPSHOT]).prints(COUNTS),
            Operation::new(
                "since",
                "makes of a snapshot what was counted after an earlier one",
                &[
                    Param::required("snapshot", Kind::Held(&[SNAPSHOT]), "the later one"),
                    Param::required("earlier", Kind::Held(&[SNAPSHOT]), "the earlier one"),
                ],
                since,
            )
            .gives(&[SNAPSHOT])
            .prints(COUNTS),
            Operation::new(
                "merge",
                "adds the counts of a snapshot of the same shape",
                &[Param::required("other", Kind::Held(&[SNAPSHOT]), "the snapshot")],
                merge,
            ),
            Operation::new("clear", "forgets every value", &[], |histogram, _| {
                Histogram::<PRECISION, BUCKETS>::clear(histogram);
                Ok(())
            }),
        ],
        state: print_state,
        configure,
    };

    fn bind() -> Box<dyn Instance> {
        const { &Self::SPEC }.bind(Histogram::new())
    }
}

const INFO: Info = Info {
    name: "histogram",
    about: "Counts of values in buckets of one relative width: \
            a percentile is never below the true value, and above it by less than one part in 2 to the `precision`",
    keys: &[
        Param::or("precision", U32, "4", "2, 4, 7 or 10"),
        Param::or(
            "range",
            Kind::Word(&["1000", "60000000", "full"]),
            "\"60000000\"",
            "the values that have a bucket",
        ),
    ],
    prints: &[&["count", "out_of_range", "max_value"]],
    example: r#"
{"policy": {"histogram": {"precision": 7, "range": "1000"}}}
{"op": "histogram.record", "value": 10, "expect": {"count": 1}}
{"op": "histogram.snapshot", "as": "before", "expect": {"p50": 10}}
{"op": "histogram.record_n", "value": 18446744073709551615, "n": 2, "expect": {"count": 3, "out_of_range": 2}}
{"op": "histogram.percentile", "share": "1/3", "expect": {"percentile": 10}}
{"op": "histogram.percentile", "share": 1, "snapshot": "before", "expect": {"percentile": 10}}
{"op": "histogram.count", "expect": {"count": 3}}
{"op": "histogram.out_of_range", "expect": {"out_of_range": 2}}
{"op": "histogram.take", "as": "after", "expect": {"count": 0, "snapshot_count": 3}}
{"op": "histogram.since", "snapshot": "after", "earlier": "before", "expect": {"snapshot_count": 2}}
{"op": "histogram.merge", "other": "before", "expect": {"count": 1}}
{"op": "histogram.clear", "expect": {"count": 0}}
"#,
};

pub(super) const PATTERN: &dyn Pattern = &Of::<4, { buckets_for(4, 60_000_000) }>::SPEC;

macro_rules! shapes {
    ($precision:expr, $range:expr, [$($bits:literal)*] $ranges:tt) => {
        match $precision {
            $($bits => shapes!(@range $range, $bits, $ranges),)*
            other => Err(vec![format!("precision is {other}, must be 2, 4, 7 or 10")]),
        }
    };
    (@range $range:expr, $bits:literal, [$($word:pat => $max:expr),*]) => {
        match $range {
            $($word => Ok(Of::<$bits, { buckets_for($bits, $max) }>::bind()),)*
        }
    };
}

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let (precision, range) = (args.u32("precision").unwrap_or(4), args.word("range"));
    shapes!(precision, range, [2 4 7 10][Some("1000") => 1000, Some("full") => u64::MAX, _ => 60_000_000])
}

fn print_state<const P: u32, const B: usize>(histogram: &Histogram<P, B>, _: Instant, out: &mut Fields) {
    out.put("count", histogram.count());
    out.put("out_of_range", histogram.out_of_range());
    out.put("max_value", Histogram::<P, B>::MAX_VALUE);
}

fn record<const P: u32, const B: usize>(
    histogram: &'static Histogram<P, B>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    let value = call.args().integer("value").unwrap_or(0);
    match call.args().u32("n") {
        Some(n) => histogram.record_n(value, n),
        None => histogram.record(value),
    }
    Ok(())
}

fn percentile<const P: u32, const B: usize>(
    histogram: &'static Histogram<P, B>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    let share = call.args().share("share").unwrap_or(Ratio::ONE);
    let value = if call.args().text("snapshot").is_some() {
        call.look_any::<Snapshot<P, B>>("snapshot", SNAPSHOT)?.percentile(share)
    } else {
        histogram.percentile(share)
    };
    call.out().put("percentile", value);
    Ok(())
}

/// Prints a snapshot and keeps it.
pub(super) fn give<const P: u32, const B: usize>(
    snapshot: Snapshot<P, B>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    let out = call.out();
    out.put("snapshot_count", snapshot.count());
    out.put("snapshot_out_of_range", snapshot.out_of_range());
    out.put("p50", snapshot.percentile(Ratio::percent(50)));
    out.put("p99", snapshot.percentile(Ratio::percent(99)));
    let buckets = snapshot.buckets().map(|bucket| {
        let mut fields = Fields::default();
        fields.put("lowest", bucket.lowest);
        fields.put("highest", bucket.highest);
        fields.put("count", bucket.count);
        fields
    });
    out.put("buckets", buckets.collect::<Vec<_>>());
    call.keep(SNAPSHOT, snapshot)
}

fn snapshot<const P: u32, const B: usize>(
    histogram: &'static Histogram<P, B>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    give(histogram.snapshot(), call)
}

fn take<const P: u32, const B: usize>(
    histogram: &'static Histogram<P, B>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    give(histogram.take(), call)
}

fn since<const P: u32, const B: usize>(
    _: &'static Histogram<P, B>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    let earlier = call.look_any::<Snapshot<P, B>>("earlier", SNAPSHOT)?.clone();
    let later = call.look_any::<Snapshot<P, B>>("snapshot", SNAPSHOT)?;
    let difference = later.since(&earlier);
    give(difference, call)
}

fn merge<const P: u32, const B: usize>(
    histogram: &'static Histogram<P, B>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    histogram.merge(call.look_any::<Snapshot<P, B>>("other", SNAPSHOT)?);
    Ok(())
}
