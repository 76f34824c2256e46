//! A whole call: its attempts and the pauses between them.

use super::{
    DEADLINE, Decisions, Of, RETRY_AFTER, RETRYABLE, TIMED_OUT, deadline, print_settled, refuse, report,
};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::patterns::answers::{
    OUTCOME, OUTCOME_PARAM, admit, edge, outcome_name, outcome_of, transition,
};
use crate::replay::patterns::retry;
use crate::replay::schema::{ADMISSION, Kind, Operation, Param};
use crate::replay::value::{Args, Value};
use seawall::core::Instant;
use seawall::core::guard::{Report, Verdict};
use std::time::Duration;

const TOOK: Param = Param::or("took", Kind::Duration, "\"0s\"", "how long the attempt took");

/// What each attempt of a call does.
const ATTEMPT: Kind = Kind::Table(&[OUTCOME_PARAM, TOOK, RETRY_AFTER, RETRYABLE, TIMED_OUT]);

/// The most attempts of one call, so that a script comes to an end.
const MAX_ATTEMPTS: usize = 10_000;

impl<const SLOTS: usize> Of<SLOTS> {
    /// `took` of the call is for its short form.
    pub(super) const CALL: Operation<Decisions<SLOTS>> = Operation::new(
    "call",
    "makes a whole call: try_begin, then attempts with the pauses that the guard asks for between them, until it is over. \
     The clock moves on with it. If there are more attempts than are described, the last one is repeated. \
     An attempt that takes longer than it has is cut off at its deadline and reported as timed out",
    &[
        DEADLINE,
        Param::optional("attempts", Kind::List(&ATTEMPT), "what each attempt does; this, outcomes or outcome"),
        Param::optional("outcomes", Kind::List(&OUTCOME), "the outcome of each attempt"),
        Param::optional("outcome", OUTCOME, "the outcome of every attempt"),
        Param::or("took", Kind::Duration, "\"0s\"", "with outcomes or outcome: how long each attempt took"),
    ],
    whole_call,
)
.prints(&[ADMISSION, &["result", "gave_up", "attempts_made", "attempts", "edge", "ended_at+ns"]]);
}

/// What one attempt does.
struct Plan {
    report: Report,
    timed_out: bool,
    took: Duration,
}

impl Plan {
    fn of(args: &Args, took: Duration) -> Self {
        Self { report: report(args), timed_out: args.flag("timed_out") == Some(true), took }
    }

    fn simple(word: &str, took: Duration) -> Self {
        Self { report: Report::new(outcome_of(word)), timed_out: false, took }
    }
}

/// The attempts that the arguments describe.
fn plans(args: &Args) -> Result<Vec<Plan>, Fault> {
    let took = args.duration("took").unwrap_or(Duration::ZERO);
    let plans = match (args.list("attempts"), args.list("outcomes"), args.word("outcome")) {
        (Some(list), None, None) => list
            .iter()
            .filter_map(|value| match value {
                Value::Table(args) => Some(Plan::of(args, args.duration("took").unwrap_or(Duration::ZERO))),
                _ => None,
            })
            .collect(),
        (None, Some(list), None) => list
            .iter()
            .filter_map(|value| match value {
                Value::Word(word) => Some(Plan::simple(word, took)),
                _ => None,
            })
            .collect(),
        (None, None, Some(word)) => vec![Plan::simple(word, took)],
        _ => return Err(Fault::new("attempts, outcomes or outcome must be given, and only one of them")),
    };
    if plans.is_empty() { Err(Fault::new("there must be at least one attempt")) } else { Ok(plans) }
}

fn whole_call<const SLOTS: usize>(
    guard: &'static Decisions<SLOTS>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    let plans = plans(call.args())?;
    let mut admitted = match guard.try_begin(deadline(call), call.now()) {
        Ok(admitted) => admitted,
        Err(rejected) => {
            refuse(call.out(), &rejected);
            return Ok(());
        }
    };
    admit(call.out());
    let mut made: Vec<Fields> = Vec::new();
    let mut last = None;
    loop {
        if made.len() == MAX_ATTEMPTS {
            return Err(Fault::new(format!("the call is not over after {MAX_ATTEMPTS} attempts")));
        }
        let plan = &plans[made.len().min(plans.len() - 1)];
        let attempt = match admitted.try_attempt(call.now()) {
            Ok(attempt) => attempt,
            Err(rejected) => {
                if made.is_empty() {
                    refuse(call.out(), &rejected);
                    return Ok(());
                }
                call.out().put("gave_up", retry::reason(rejected.give_up()));
                call.out().put("edge", admitted.budget_edge().map(edge));
                break;
            }
        };
        let mut fields = Fields::default();
        fields.put("attempt", attempt.number());
        fields.moment("at", call.now());
        fields.put("probe", attempt.is_probe());
        if let Some(change) = attempt.transition() {
            fields.put("half_opened", transition(change));
        }
        let has = attempt.deadline().remaining(call.now());
        let cut_off = plan.took > has && attempt.deadline().moment() != Instant::NEVER;
        let took = if cut_off { has } else { plan.took };
        let report = if cut_off { Report::timed_out() } else { plan.report };
        call.pass(took);
        fields.put("outcome", outcome_name(report.outcome()));
        fields.put("timed_out", cut_off || plan.timed_out);
        fields.duration("took", took);
        let settled = admitted.settle(attempt, report, call.now());
        print_settled(&mut fields, &settled);
        made.push(fields);
        last = Some(report.outcome());
        match settled.verdict {
            Verdict::RetryAfter(pause) => call.pass(pause),
            Verdict::Done => {
                call.out().put("edge", settled.budget.map(edge));
                break;
            }
            Verdict::GaveUp(why) => {
                call.out().put("gave_up", retry::reason(why));
                call.out().put("edge", settled.budget.map(edge));
                break;
            }
        }
    }
    drop(admitted);
    let end = call.now();
    let out = call.out();
    out.put("result", last.map(outcome_name));
    out.put("attempts_made", made.len() as u64);
    out.put("attempts", made);
    out.moment("ended_at", end);
    Ok(())
}
