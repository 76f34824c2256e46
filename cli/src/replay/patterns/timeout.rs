//! The timeout of one attempt.

use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec};
use crate::replay::value::Args;
use seawall::core::{Deadline, Timeout};

static SPEC: Spec<Timeout> = Spec {
    info: Info {
        name: "timeout",
        about: "How long one attempt may take, and never past the call's deadline",
        keys: &[Param::required("limit", Kind::Duration, "each attempt is given so long")],
        prints: &[],
        example: r#"
{"policy": {"timeout": {"limit": "200ms"}}}
{"at": "1s", "op": "timeout.deadline", "expect": {"deadline": "1.2s", "remaining": "200ms"}}
{"at": "1s", "op": "timeout.deadline", "call": "1.15s", "expect": {"deadline": "1.15s"}}
{"op": "timeout.limit", "expect": {"limit": "200ms"}}
"#,
    },
    operations: &[
        Operation::new(
            "deadline",
            "prints when an attempt that starts now must be over",
            &[Param::or("call", Kind::Moment, "\"never\"", "the deadline of the whole call")],
            deadline,
        )
        .prints(&[&["deadline+ns", "remaining+ns"]]),
        Operation::new("limit", "prints the time of an attempt", &[], |timeout: &'static Timeout, call| {
            call.out().duration("limit", timeout.limit());
            Ok(())
        })
        .prints(&[&["limit+ns"]]),
    ],
    state: |_, _, _| (),
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let timeout = config.duration("limit").map_or(Timeout::NONE, Timeout::fixed);
    match timeout.validate() {
        Ok(()) => Ok(SPEC.bind(timeout)),
        Err(error) => Err(vec![format!("limit must be {}", error.bound)]),
    }
}

fn deadline(timeout: &'static Timeout, call: &mut Call<'_>) -> Result<(), Fault> {
    let whole = call.moment("call").map_or(Deadline::NONE, Deadline::at);
    let now = call.now();
    let deadline = timeout.deadline(now, whole);
    call.out().moment("deadline", deadline.moment());
    call.out().duration("remaining", deadline.remaining(now));
    Ok(())
}
