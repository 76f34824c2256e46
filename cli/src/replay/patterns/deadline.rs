//! The deadline of a call.

use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec};
use crate::replay::value::Args;
use seawall::core::{Deadline, Instant};
use std::time::Duration;

static SPEC: Spec<Deadline> = Spec {
    info: Info {
        name: "deadline",
        about: "When a call must be over, on this node and on those behind it; a deadline that is reached counts",
        keys: &[Param::or("at", Kind::Moment, "\"never\"", "the moment")],
        prints: &[&["moment+ns", "expired", "remaining+ns", "remaining_millis"]],
        example: r#"
{"policy": {"deadline": {"at": "10.25s"}}}
{"at": "10.0015s", "op": "deadline.remaining_millis", "expect": {"remaining_millis": 248}}
{"at": "10s", "op": "deadline.remaining", "expect": {"remaining": "250ms"}}
{"at": "10.25s", "op": "deadline.is_expired", "expect": {"expired": true, "remaining": "0s"}}
{"op": "deadline.min", "other": "3s", "expect": {"min": "3s"}}
{"at": "2s", "op": "deadline.after", "duration": "500ms", "expect": {"after": "2.5s"}}
{"op": "deadline.after", "duration": "forever", "expect": {"after": null}}
{"op": "deadline.is_none", "expect": {"none": false}}
{"op": "deadline.moment", "expect": {"moment": "10.25s"}}
"#,
    },
    operations: &[
        Operation::new("moment", "prints the moment", &[], |_, _| Ok(())),
        Operation::new("is_none", "says whether there is none", &[], |deadline: &'static Deadline, call| {
            call.out().put("none", deadline.is_none());
            Ok(())
        })
        .prints(&[&["none"]]),
        Operation::new("is_expired", "says whether it has come", &[], |_, _| Ok(())),
        Operation::new(
            "remaining",
            "prints the time that remains; null if there is no deadline",
            &[],
            |_, _| Ok(()),
        ),
        Operation::new(
            "remaining_millis",
            "prints the time that remains in whole milliseconds, rounded down, as it goes over the wire",
            &[],
            |_, _| Ok(()),
        ),
        Operation::new(
            "after",
            "prints the deadline of a call that begins now and may take so long",
            &[Param::required("duration", Kind::Duration, "how long it may take")],
            |_, call| {
                let duration = call.args().duration("duration").unwrap_or(Duration::MAX);
                let deadline = Deadline::after(call.now(), duration);
                call.out().moment("after", deadline.moment());
                Ok(())
            },
        )
        .prints(&[&["after+ns"]]),
        Operation::new(
            "min",
            "prints the earlier of two deadlines",
            &[Param::required("other", Kind::Moment, "the other one")],
            min,
        )
        .prints(&[&["min+ns"]]),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let at = config.moment("at").map_or(Instant::NEVER, |at| at.from(Instant::ZERO));
    Ok(SPEC.bind(Deadline::at(at)))
}

fn print_state(deadline: &Deadline, now: Instant, out: &mut Fields) {
    out.moment("moment", deadline.moment());
    out.put("expired", deadline.is_expired(now));
    out.duration("remaining", deadline.remaining(now));
    out.put("remaining_millis", (!deadline.is_none()).then(|| deadline.remaining_millis(now)));
}

fn min(deadline: &'static Deadline, call: &mut Call<'_>) -> Result<(), Fault> {
    let other = call.moment("other").map_or(Deadline::NONE, Deadline::at);
    call.out().moment("min", Deadline::min(*deadline, other).moment());
    Ok(())
}
