//! The window.

use super::answers::span;
use super::by_slots;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::window::{Sample, Span, Totals};
use seawall::core::{Instant, Window};
use std::time::Duration;

const FAILURE: Param = Param::or("failure", Kind::Flag, "false", "whether the call failed");
const SLOW: Param = Param::or("slow", Kind::Flag, "false", "whether it was slow");

/// A window of so many slots.
struct Of<const SLOTS: usize>;

impl<const SLOTS: usize> Of<SLOTS> {
    const SPEC: Spec<Window<SLOTS>> = Spec {
        info: INFO,
        operations: &[
            Operation::new("record", "counts a call; the sums include it", &[FAILURE, SLOW], record),
            Operation::new(
                "record_only",
                "is record for a caller who does not need the sums",
                &[FAILURE, SLOW],
                record_only,
            ),
            Operation::new("totals", "prints the sums", &[], |_, _| Ok(())),
            Operation::new("span", "prints the span", &[], print_span)
                .prints(&[&["window+ns", "last_calls"]]),
            Operation::new("clear", "forgets everything", &[], clear),
        ],
        state: print_state,
        configure,
    };

    fn bind(span: Span) -> Result<Box<dyn Instance>, Vec<String>> {
        const { assert!(SLOTS > 0, "a window without slots counts nothing") };
        match Window::try_new(span) {
            Ok(window) => Ok(const { &Self::SPEC }.bind(window)),
            Err(error) if error.field == "window.calls" => {
                Err(vec![format!("calls must be {}", error.bound)])
            }
            Err(error) => Err(vec![format!("window must be {}", error.bound)]),
        }
    }
}

const INFO: Info = Info {
    name: "window",
    about: "Sums over the last span of time, or over the last calls. It moves by whole slots: \
            a span of time has exactly `slots` of them, each as long; calls have at most so many",
    keys: &[
        Param::optional("window", Kind::Duration, "the last span of time; this or calls"),
        Param::optional("calls", U32, "the last calls"),
        Param::or(
            "slots",
            U32,
            "10",
            "1 to 6, 8, 10, 12, 15, 16, 20, 24, 30, 32, 50, 60, 64, 100, 120, 128, 256, 1000, 1024 or 4096",
        ),
    ],
    prints: &[&["calls", "failures", "slow"]],
    example: r#"
{"policy": {"window": {"window": "10s", "slots": 10}, "last": {"pattern": "window", "calls": 3, "slots": 3}}}
{"at": "0s", "op": "window.record", "failure": true, "expect": {"calls": 1, "failures": 1}}
{"at": "5s", "op": "window.record_only", "slow": true}
{"at": "9.9s", "op": "window.totals", "expect": {"calls": 2, "slow": 1}}
{"at": "10s", "op": "window.totals", "expect": {"calls": 1, "failures": 0}}
{"op": "window.span", "expect": {"window": "10s", "last_calls": null}}
{"op": "window.clear", "expect": {"calls": 0}}
{"op": "last.record", "failure": true, "times": 2}
{"op": "last.record", "times": 2, "expect": {"calls": 3}}
{"op": "last.totals", "expect": {"calls": 3, "failures": 1}}
"#,
};

pub(super) const PATTERN: &dyn Pattern = &Of::<10>::SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let span = span(args, Span::time(Duration::ZERO))?;
    if args.duration("window").is_none() && args.u32("calls").is_none() {
        return Err(vec!["window or calls must be given".to_owned()]);
    }
    by_slots!(args.u32("slots").unwrap_or(10), Of::bind(span),
        1 2 3 4 5 6 8 10 12 15 16 20 24 30 32 50 60 64 100 120 128 256 1000 1024 4096)
}

fn print_totals(totals: Totals, out: &mut Fields) {
    out.put("calls", totals.calls);
    out.put("failures", totals.failures);
    out.put("slow", totals.slow);
}

fn print_state<const SLOTS: usize>(window: &Window<SLOTS>, now: Instant, out: &mut Fields) {
    // The sums that `record` returned stand.
    if out.get("calls").is_none() {
        print_totals(window.totals(now), out);
    }
}

fn sample(call: &Call<'_>) -> Sample {
    let flag = |key| call.args().flag(key).unwrap_or(false);
    Sample::new(flag("failure"), flag("slow"))
}

fn record<const SLOTS: usize>(window: &'static Window<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let totals = window.record(sample(call), call.now());
    print_totals(totals, call.out());
    Ok(())
}

fn record_only<const SLOTS: usize>(window: &'static Window<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    window.record_only(sample(call), call.now());
    Ok(())
}

fn print_span<const SLOTS: usize>(window: &'static Window<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let span = window.span();
    call.out().duration("window", span.as_time());
    call.out().put("last_calls", span.as_calls());
    Ok(())
}

fn clear<const SLOTS: usize>(window: &'static Window<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    window.clear(call.now());
    Ok(())
}
