//! The lower panels of the live view: the messages in figures, and the patterns of the guard.

use super::chart::breaker_color;
use super::{BAD, CALM, CARE, FAINT, GOOD};
use crate::demo::record::Record;
use crate::report::{Failure, Guarding, Rejection, Report, Transition};
use crate::text;
use ratatui::style::{Color, Stylize};
use ratatui::text::{Line, Span};
use std::collections::BTreeMap;

/// Columns of the names in front of the figures.
const NAMES: usize = 12;
/// Cells of a gauge.
const CELLS: u64 = 10;

/// What became of the messages, and how long they took.
pub(super) fn messages(record: &Record, width: u16) -> Vec<Line<'static>> {
    let Some(report) = record.newest() else { return waiting() };
    let Report { books, recent, overall, .. } = report;
    let (failed, rejected) = (books.all_failed(), books.all_rejected());
    let failures = reasons(&books.failed, &Failure::ALL, Failure::word, width);
    let rejections = reasons(&books.rejected, &Rejection::ALL, Rejection::word, width);
    vec![
        tally("sent", books.sent, None, Color::Reset),
        tally("succeeded", books.succeeded, Some(books.sent), GOOD),
        tally("rejected", rejected, Some(books.sent), CARE),
        rejections,
        tally("failed", failed, Some(books.sent), BAD),
        failures,
        named("attempts", vec![text::ratio(books.amplification()).bold(), " per call".fg(FAINT)]),
        named(
            "p50/p95/p99",
            vec![[recent.p50_us, recent.p95_us, recent.p99_us].map(short).join("  ").fg(CALM)],
        ),
        named("longest", vec![text::duration(overall.worst_us).fg(CALM), " of all calls".fg(FAINT)]),
    ]
}

/// How the patterns stand.
pub(super) fn guard(record: &Record, now_ms: u64, width: u16) -> Vec<Line<'static>> {
    let Some(report) = record.newest() else { return waiting() };
    let Some(guarding) = &report.guarding else { return unprotected(report) };
    let mut lines = breaker(guarding, record.transitions.last(), now_ms, width);
    let Guarding { limiter_available, limiter_burst, error_budget_remaining: budget, .. } = *guarding;
    let rate = format!("{:.0}/s", guarding.limiter_rate);
    lines.push(gauge("limiter", &rate, limiter_available, limiter_burst, CALM));
    let (used, slots) = (guarding.bulkhead_in_use, guarding.bulkhead_capacity);
    lines.push(gauge("bulkhead", &format!("{used} of {slots}"), used, slots, pressure(used, slots)));
    let (queued, places) = (guarding.bulkhead_queued, guarding.bulkhead_queue_capacity);
    lines.push(gauge("queue", &format!("{queued} of {places}"), queued, places, pressure(queued, places)));
    #[allow(clippy::cast_sign_loss)]
    let left = (budget.clamp(0.0, 1.0) * 1000.0).round() as u64;
    let color = match left {
        0..200 => BAD,
        200..500 => CARE,
        _ => GOOD,
    };
    lines.push(gauge("budget", &text::share(left, 1000), left, 1000, color));
    let color = if guarding.degradation == "normal" { GOOD } else { CARE };
    lines.push(named("level", vec![guarding.degradation.clone().fg(color)]));
    lines.push(named("in flight", vec![text::count(report.in_flight).into(), " calls".fg(FAINT)]));
    lines
}

fn waiting() -> Vec<Line<'static>> {
    vec![Line::from(" starting …".fg(FAINT))]
}

fn unprotected(report: &Report) -> Vec<Line<'static>> {
    let flight = text::count(report.in_flight);
    vec![
        Line::from(" Every message goes out at once, and"),
        Line::from(" three times more when it fails,"),
        Line::from(" whatever the link is like."),
        Line::default(),
        named("in flight", vec![flight.bold().fg(pressure(report.in_flight, 100)), " calls".fg(FAINT)]),
    ]
}

/// Three lines: the state, the last change, and its reason.
fn breaker(guarding: &Guarding, last: Option<&Transition>, now_ms: u64, width: u16) -> Vec<Line<'static>> {
    let state = guarding.breaker;
    let color = breaker_color(state);
    let mut first = vec!["● ".fg(color), state.label().fg(color).bold()];
    let Some(last) = last else {
        first.push(" since the start".fg(FAINT));
        return vec![named("breaker", first), Line::default(), Line::default()];
    };
    first.push(format!(" for {}", text::moment(now_ms.saturating_sub(last.at_ms))).fg(FAINT));
    let change = format!("{} → {} at {}", last.from.label(), last.to.label(), text::moment(last.at_ms));
    let reason = shorten(&last.reason, usize::from(width).saturating_sub(4));
    vec![
        named("breaker", first),
        Line::from(format!("   {change}")),
        Line::from(format!("   {reason}").fg(FAINT)),
    ]
}

/// A line with a name in front.
fn named(name: &'static str, mut rest: Vec<Span<'static>>) -> Line<'static> {
    rest.insert(0, format!(" {name:<NAMES$}").fg(FAINT));
    Line::from(rest)
}

fn tally(name: &'static str, count: u64, whole: Option<u64>, color: Color) -> Line<'static> {
    let share = whole.map(|whole| format!("{:>10}", text::share(count, whole))).unwrap_or_default();
    named(name, vec![format!("{:>9}", text::count(count)).fg(color).bold(), share.into()])
}

/// A line with a bar of ten cells.
fn gauge(name: &'static str, figure: &str, part: u64, whole: u64, color: Color) -> Line<'static> {
    let filled = if whole == 0 { 0 } else { (part * CELLS).div_ceil(whole).min(CELLS) };
    let bar = |cells: u64| "━".repeat(usize::try_from(cells).unwrap_or(0));
    named(name, vec![format!("{figure:<11}").into(), bar(filled).fg(color), bar(CELLS - filled).fg(FAINT)])
}

/// Green while there is room, red when there is none.
const fn pressure(part: u64, whole: u64) -> Color {
    if part >= whole {
        if part == 0 { FAINT } else { BAD }
    } else if part * 2 > whole {
        CARE
    } else {
        GOOD
    }
}

/// The reasons that occurred with their counts, in one line.
fn reasons<R: Ord + Copy>(
    counts: &BTreeMap<R, u64>,
    order: &[R],
    word: fn(R) -> &'static str,
    width: u16,
) -> Line<'static> {
    let parts: Vec<String> = order
        .iter()
        .filter_map(|&reason| counts.get(&reason).map(|count| format!("{} {count}", word(reason))))
        .collect();
    let room = usize::from(width).saturating_sub(3);
    Line::from(format!("  {}", shorten(&parts.join(", "), room)).fg(FAINT))
}

/// A waiting time without the space before its unit.
fn short(micros: u64) -> String {
    text::duration(micros).replace(' ', "")
}

/// The text, cut to this many characters.
fn shorten(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(room.saturating_sub(1)).collect();
    cut.push('…');
    cut
}
