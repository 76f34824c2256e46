//! The end of the demonstration: both passes side by side, the books, and the verdict.

mod verdict;

pub(crate) use verdict::Verdict;

use crate::demo::audit::{Audit, PhaseTally};
use crate::demo::record::Record;
use crate::demo::series;
use crate::demo::timeline::Phase;
use crate::report::{Books, Failure, Latency, Rejection, Transition, as_f64};
use crate::text;
use serde::Serialize;
use std::fmt::Write as _;

/// What a pass came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PassSummary {
    pub(crate) protected: bool,
    pub(crate) books: Books,
    pub(crate) audit: Audit,
    /// Attempts made for each call that made any.
    pub(crate) amplification: Option<f64>,
    /// Waiting times of all calls that were let through.
    pub(crate) latency: Latency,
    /// Calls that were under way at once, at most.
    pub(crate) most_in_flight: u64,
    pub(crate) transitions: Vec<Transition>,
    pub(crate) openings: usize,
    /// From the heal until the breaker closed for good.
    pub(crate) heal_to_closed_ms: Option<u64>,
}

impl PassSummary {
    /// Sums up a pass that has ended.
    pub(crate) fn of(record: &Record) -> Self {
        let books = record.last.as_ref().map(|last| last.report.books.clone()).unwrap_or_default();
        Self {
            protected: record.protected,
            amplification: books.amplification(),
            audit: Audit::of(record),
            latency: record.newest().map(|report| report.overall).unwrap_or_default(),
            most_in_flight: record.samples.iter().map(|report| report.in_flight).max().unwrap_or_default(),
            transitions: record.transitions.clone(),
            openings: record.openings(),
            heal_to_closed_ms: record.heal_to_closed_ms(),
            books,
        }
    }
}

/// Everything that was measured, as it is written to the JSON file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome<'a> {
    /// Version of the program.
    pub(crate) version: &'static str,
    pub(crate) verdict: &'a Verdict,
    pub(crate) protected: Whole<'a>,
    pub(crate) unprotected: Option<Whole<'a>>,
}

/// A pass with its sums and its reports.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Whole<'a> {
    pub(crate) summary: &'a PassSummary,
    pub(crate) record: &'a Record,
}

/// How the summary is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Color,
}

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Color => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }
}

/// The summary as text, at most 80 columns wide.
pub(crate) fn text(
    protected: &Record,
    unprotected: Option<&Record>,
    verdict: &Verdict,
    paint: Paint,
) -> String {
    let on = PassSummary::of(protected);
    let off = unprotected.map(PassSummary::of);
    let mut page = Page { text: String::new(), paint, columns: if off.is_some() { 2 } else { 1 } };
    let seconds =
        |record: &Record| format!("{} s", text::short_decimal(as_f64(record.schedule.duration_ms) / 1000.0));

    page.row("", &[Some("protected".into()), unprotected.map(|_| "unprotected".into())]);
    page.row("length of the pass", &[Some(seconds(protected)), unprotected.map(seconds)]);
    messages(&mut page, &on, off.as_ref());
    page.gap();
    attempts(&mut page, &on, off.as_ref());
    page.gap();
    phases(&mut page, &on, off.as_ref());
    page.gap();
    breaker(&mut page, protected, &on);
    page.gap();
    books(&mut page, &on);
    page.gap();
    if let Some(off) = &off {
        comparison(&mut page, &on, off);
        page.gap();
    }
    page.line(&if verdict.passed() {
        paint.good(&verdict.to_string())
    } else {
        paint.bad(&verdict.to_string())
    });
    page.text
}

struct Page {
    text: String,
    paint: Paint,
    columns: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn title(&mut self, title: &str) {
        let title = self.paint.bold(title);
        self.line(&title);
    }

    /// A name and a figure for each pass; a figure that a pass does not have is left out.
    fn row(&mut self, name: &str, figures: &[Option<String>; 2]) {
        let mut line = format!("  {name:<30}");
        for figure in figures.iter().take(self.columns) {
            // Writing to a string cannot fail.
            _ = write!(line, "{:>21}", figure.as_deref().unwrap_or_default());
        }
        self.line(&line);
    }

    fn transition(&mut self, transition: &Transition) {
        let (from, to) = (transition.from.label(), transition.to.label());
        let reason = self.paint.faint(&transition.reason);
        let at = format!("{}.{:03} s", transition.at_ms / 1000, transition.at_ms % 1000);
        self.line(&format!("  {at:>10}  {:<21}  {reason}", format!("{from} → {to}")));
    }

    fn check(&mut self, right: bool, text: &str) {
        let mark = if right { self.paint.good("✓") } else { self.paint.bad("✗") };
        self.line(&format!("  {mark} {text}"));
    }
}

fn messages(page: &mut Page, on: &PassSummary, off: Option<&PassSummary>) {
    let each = |figure: &dyn Fn(&PassSummary) -> Option<String>| [figure(on), off.and_then(figure)];
    let tally = |count: u64, pass: &PassSummary| {
        Some(format!("{}  {:>7}", text::count(count), text::share(count, pass.books.sent)))
    };
    // The column of shares stays empty for the whole, and the digits stay aligned.
    page.row("sent", &each(&|pass| Some(format!("{}         ", text::count(pass.books.sent)))));
    page.row("succeeded", &each(&|pass| tally(pass.books.succeeded, pass)));
    page.row("failed", &each(&|pass| tally(pass.books.all_failed(), pass)));
    for reason in Failure::ALL {
        let of = |pass: &PassSummary| pass.books.failed.get(&reason).copied();
        if of(on).or_else(|| of(off?)).is_some() {
            page.row(&format!("  {}", reason.label()), &each(&|pass| tally(of(pass).unwrap_or(0), pass)));
        }
    }
    page.row("rejected before it was sent", &each(&|pass| tally(pass.books.all_rejected(), pass)));
    for reason in Rejection::ALL {
        let of = |pass: &PassSummary| pass.books.rejected.get(&reason).copied();
        if of(on).or_else(|| of(off?)).is_some() {
            page.row(&format!("  {}", reason.label()), &each(&|pass| tally(of(pass).unwrap_or(0), pass)));
        }
    }
}

fn attempts(page: &mut Page, on: &PassSummary, off: Option<&PassSummary>) {
    let each = |figure: &dyn Fn(&PassSummary) -> String| [Some(figure(on)), off.map(figure)];
    page.row("attempts", &each(&|pass| text::count(pass.books.attempts)));
    page.row("  on the wire", &each(&|pass| text::count(pass.books.on_wire)));
    page.row("attempts per call let through", &each(&|pass| text::ratio(pass.amplification)));
    page.row(
        "waiting time p50 / p95 / p99",
        &each(&|pass| {
            let Latency { p50_us, p95_us, p99_us, .. } = pass.latency;
            [p50_us, p95_us, p99_us].map(|micros| text::duration(micros).replace(' ', "")).join(" ")
        }),
    );
    page.row("most calls under way at once", &each(&|pass| text::count(pass.most_in_flight)));
    page.row("longest wait of a caller", &each(&|pass| text::duration(pass.latency.worst_us)));
    page.row(
        "waited in vain, per message",
        &each(&|pass| text::duration(pass.books.in_vain_us / pass.books.sent.max(1))),
    );
}

/// How many messages were answered in each part of the story, and how many failed after a caller had waited for them.
fn phases(page: &mut Page, on: &PassSummary, off: Option<&PassSummary>) {
    page.title("Succeeded, by the part of the story (failed after waiting)");
    for (place, (phase, _)) in Phase::STORY.into_iter().enumerate() {
        let figure = |pass: &PassSummary| {
            let tally: &PhaseTally = pass.audit.by_phase.get(place)?;
            let failed = text::share(tally.failed, tally.sent);
            Some(format!("{} {:>10}", text::share(tally.succeeded, tally.sent), format!("({failed})")))
        };
        page.row(phase.label(), &[figure(on), off.and_then(figure)]);
    }
}

fn breaker(page: &mut Page, record: &Record, on: &PassSummary) {
    page.title("The breaker of the protected pass");
    let (first, last) = outer(&on.transitions);
    for transition in first {
        page.transition(transition);
    }
    let left_out = on.transitions.len() - first.len() - last.len();
    if left_out > 0 {
        page.line(&format!("{:>10}  {left_out} more changes, which the JSON file holds", "…"));
    }
    for transition in last {
        page.transition(transition);
    }
    let healed = text::moment(record.schedule.healed_at_ms());
    match (on.openings, on.heal_to_closed_ms) {
        (0, _) => page.line("  it never opened"),
        (_, Some(0)) => page.line(&format!("  closed when the link healed at {healed}")),
        (_, Some(after)) => {
            page.line(&format!(
                "  closed {} after the link healed at {healed}",
                text::duration(after * 1000)
            ));
        }
        (_, None) => page.line(&format!("  did not close after the link healed at {healed}")),
    }
    let time = series::breaker(record, record.schedule.duration_ms);
    let open: u64 = time
        .iter()
        .filter(|stretch| stretch.2 == crate::report::BreakerState::Open)
        .map(|stretch| stretch.1 - stretch.0)
        .sum();
    if on.openings > 0 {
        page.line(&format!(
            "  open for {} of {}",
            text::moment(open),
            text::moment(record.schedule.duration_ms)
        ));
    }
}

/// What the protection changed, in a few sentences of numbers.
fn comparison(page: &mut Page, on: &PassSummary, off: &PassSummary) {
    let failed = |pass: &PassSummary| text::share(pass.books.all_failed(), pass.books.sent);
    let longest = |pass: &PassSummary| text::duration(pass.latency.worst_us);
    let ratio = |pass: &PassSummary| text::ratio(pass.amplification);
    page.title("What the protection changed");
    page.line(&format!(
        "  messages that failed after their callers had waited: {}, without it {}",
        failed(on),
        failed(off)
    ));
    page.line(&format!("  attempts for each call: {}, without it {}", ratio(on), ratio(off)));
    page.line(&format!("  longest wait: {}, without it {}", longest(on), longest(off)));
    let rejected = text::share(on.books.all_rejected(), on.books.sent);
    page.line(&format!("  rejected at once, where trying made no sense or there was no room: {rejected}"));
}

/// The first and the last changes if there are many, else all of them and none.
fn outer(transitions: &[Transition]) -> (&[Transition], &[Transition]) {
    const EACH: usize = 5;
    if transitions.len() <= 2 * EACH + 1 {
        return (transitions, &[]);
    }
    (&transitions[..EACH], &transitions[transitions.len() - EACH..])
}

fn books(page: &mut Page, on: &PassSummary) {
    let Audit { sent, succeeded, failed, rejected, .. } = on.audit;
    let audit = &on.audit;
    page.title("The books of the protected pass");
    let n = text::count;
    page.check(
        audit.due == sent && sent == succeeded + failed + rejected && audit.without_fate == 0,
        &format!(
            "{} sent = {} succeeded + {} failed + {} rejected",
            n(sent),
            n(succeeded),
            n(failed),
            n(rejected)
        ),
    );
    page.check(
        audit.counted_twice == 0 && audit.wrong_replies == 0,
        &format!(
            "one fate for each message ({} counted twice), every reply matched ({} wrong)",
            n(audit.counted_twice),
            n(audit.wrong_replies)
        ),
    );
    page.check(
        audit.answered_not_executed == 0,
        &format!(
            "the server executed every message that succeeded ({} of {} missing)",
            n(audit.answered_not_executed),
            n(succeeded)
        ),
    );
    page.check(
        audit.rejected_but_executed == 0 && audit.strange_executions == 0,
        &format!("no rejected message reached the server ({} did)", n(audit.rejected_but_executed)),
    );
    page.check(
        audit.executions <= audit.on_wire,
        &format!(
            "{} executions of {} attempts sent; {} lost the reply, {} ran twice",
            n(audit.executions),
            n(audit.on_wire),
            n(audit.executed_but_failed),
            n(audit.executed_again)
        ),
    );
}

#[cfg(test)]
mod tests;
