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
use seawall::core::guard::{About, Report, Struck, Verdict};
use seawall::core::{Instant, Outcome};
use seawall_core::Chaos;
use seawall_core::chaos::Strike;
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
        Param::optional(
            "chaos",
            Kind::Instance(&["chaos"]),
            "decides about each attempt. What it strikes is held up, and then runs, times out, fails or panics; a failure is worth \
             another attempt",
        ),
    ],
    whole_call,
)
.prints(&[ADMISSION, &["result", "gave_up", "attempts_made", "attempts", "edge", "ended_at+ns"]]);
}

/// What one attempt does.
#[derive(Clone, Copy)]
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

    /// It ran into its timeout.
    fn cut_off(took: Duration) -> Self {
        Self { report: Report::timed_out(), timed_out: true, took }
    }

    /// As it goes in the time that the attempt has.
    fn within(&self, about: &About, now: Instant) -> Self {
        let has = about.deadline().remaining(now);
        let is_over = self.took > has && about.deadline().moment() != Instant::NEVER;
        if is_over { Self::cut_off(has) } else { Self { ..*self } }
    }

    /// As it goes when a fault strikes it, and what that made of it.
    fn struck(&self, about: About, strike: &Strike, now: Instant) -> (Option<&'static str>, Self) {
        let held = about.held_up(strike);
        let now = now.saturating_add(held);
        let failed = Report::new(Outcome::Failure);
        let fails = |report| Self { report, timed_out: false, took: held };
        let (struck, plan) = match about.struck(strike, now) {
            Struck::Runs(about) => {
                let rest = self.within(&about, now);
                ("runs", Self { took: held.saturating_add(rest.took), ..rest })
            }
            Struck::TimedOut(_) => ("timed_out", Self::cut_off(held)),
            Struck::Fails(fault) => (fault.name(), fails(failed)),
            // A panic goes on to the caller.
            Struck::Panics => ("panic", fails(failed.not_retryable())),
        };
        (Some(struck), plan)
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
    let chaos = call.args().instance("chaos").and_then(|shared| shared.it.downcast_ref::<Chaos>());
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
        let strike = chaos.and_then(|chaos| chaos.decide(call.now()));
        let (struck, Plan { report, timed_out, took }) = match strike {
            None => (None, plan.within(&attempt.about(), call.now())),
            Some(strike) => plan.struck(attempt.about(), &strike, call.now()),
        };
        call.pass(took);
        if let Some(struck) = struck {
            fields.put("struck", struck);
        }
        fields.put("outcome", outcome_name(report.outcome()));
        fields.put("timed_out", timed_out);
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
