//! What a line says of a step: the words of a script, as far as a script has them.

use crate::replay::fields::Fields;
use crate::replay::patterns::answers::{admit, edge, outcome_name, transition};
use crate::replay::patterns::guard::{print_settled, refuse};
use seawall::core::record::{AttemptId, CallId, Decision, Entry, Header, Input, Layout};
use seawall::core::{Deadline, guard::Report};

/// The first line: what the log says of its guard.
pub(super) fn head(header: &Header) -> Fields {
    let mut fields = Fields::default();
    fields.put("log", "seawall");
    fields.put("word_bits", if header.layout == Layout::Wide { 64_u32 } else { 32 });
    fields.put("waiters", header.waiters);
    fields.put("slots", header.slots);
    fields.put("policy", format!("{:?}", header.policy));
    fields
}

/// When, and what was asked.
pub(super) fn input(entry: &Entry) -> Fields {
    let mut fields = Fields::default();
    fields.moment("at", entry.at);
    let mut op = |op: &str| fields.put("op", op);
    match entry.input {
        Input::TryBegin { deadline } => {
            op("guard.try_begin");
            put_deadline(&mut fields, deadline);
        }
        Input::Begin { deadline } => {
            op("guard.begin");
            put_deadline(&mut fields, deadline);
        }
        Input::Poll { call } => {
            op("guard.poll");
            fields.put("waiting", name(call));
        }
        Input::CancelWaiting { call } => {
            op("guard.cancel");
            fields.put("waiting", name(call));
        }
        Input::Attempt { call } => {
            op("guard.try_attempt");
            fields.put("call", name(call));
        }
        Input::Settle { call, attempt, report } => {
            op("guard.settle");
            fields.put("call", name(call));
            fields.put("attempt", attempt_name(attempt));
            put_report(&mut fields, report);
        }
        Input::Cancel { call } => {
            op("guard.cancel");
            fields.put("call", name(call));
        }
        Input::DropWaiting { call } | Input::Drop { call } => {
            op("drop");
            fields.put("what", name(call));
        }
        Input::DropAttempt { attempt } => {
            op("drop");
            fields.put("what", attempt_name(attempt));
        }
        Input::Trip => op("guard.trip"),
        Input::Reset => op("guard.reset"),
        Input::ForceOpen => op("guard.force_open"),
        Input::ForceClosed => op("guard.force_closed"),
        Input::CheckBudget => op("guard.check_budget"),
        Input::SetShadow { on } => {
            op("guard.set_shadow");
            fields.put("on", on);
        }
        Input::ShadowBreaker { on } => {
            op("guard.shadow_breaker");
            fields.put("on", on);
        }
        Input::Resize { max_concurrent } => {
            op("guard.resize");
            fields.put("max_concurrent", max_concurrent);
        }
        Input::Close => op("guard.close"),
        _ => op("guard.other"),
    }
    fields
}

/// What was decided.
pub(super) fn decision(decision: &Decision) -> Fields {
    let mut fields = Fields::default();
    match *decision {
        Decision::Nothing => {}
        Decision::Admitted { call } => {
            admit(&mut fields);
            fields.put("as", name(call));
        }
        Decision::Waiting { call, until } => {
            fields.put("admitted", false);
            fields.put("waits", true);
            fields.put("as", name(call));
            fields.moment("deadline", until);
        }
        Decision::Pending => {
            fields.put("admitted", false);
            fields.put("waits", true);
        }
        Decision::Rejected { rejected, budget } => {
            refuse(&mut fields, &rejected);
            fields.put("message", rejected.to_string());
            fields.put("edge", budget.map(edge));
        }
        Decision::Started { attempt, deadline, probe, transition: change } => {
            admit(&mut fields);
            fields.put("as", attempt_name(attempt));
            fields.moment("deadline", deadline.moment());
            fields.put("probe", probe);
            fields.put("transition", change.map(transition));
        }
        Decision::Settled(settled) => print_settled(&mut fields, &settled),
        Decision::Transition(change) => fields.put("transition", change.map(transition)),
        Decision::Edge(crossed) => fields.put("edge", crossed.map(edge)),
        Decision::Was(so) => fields.put("was", so),
        Decision::Astray => fields.put("astray", true),
        _ => fields.put("decision", format!("{decision:?}")),
    }
    fields
}

fn name(call: CallId) -> String {
    format!("c{call}")
}

fn attempt_name(attempt: AttemptId) -> String {
    format!("a{attempt}")
}

fn put_deadline(fields: &mut Fields, deadline: Deadline) {
    if !deadline.is_none() {
        fields.moment("deadline", deadline.moment());
    }
}

fn put_report(fields: &mut Fields, report: Report) {
    fields.put("outcome", outcome_name(report.outcome()));
    fields.put("timed_out", report.is_timed_out());
    fields.put("retryable", report.is_retryable());
    if let Some(delay) = report.asked_delay() {
        fields.duration("asked_delay", delay);
    }
}
