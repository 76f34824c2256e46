//! The chart of the live view: the parts of the story, and below them what happened to the messages, in one scale of
//! time.

use super::{BAD, CALM, CARE, FAINT, GOOD};
use crate::demo::record::Record;
use crate::demo::series;
use crate::demo::timeline::{Phase, Span as PhaseSpan};
use crate::report::{BreakerState, as_f64};
use crate::text;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::Sparkline;

/// Fewest lines that the chart can be drawn in.
pub(super) const LEAST_LINES: u16 = 8;
/// Columns of the names on the left and of the figures on the right.
const NAMES: u16 = 10;
const FIGURES: u16 = 10;
/// Waiting times are drawn on a logarithmic scale from the first to the second, in microseconds.
const LATENCY_SCALE: (f64, f64) = (100.0, 10_000_000.0);

/// The color of a part of the story.
const fn color(phase: Phase) -> Color {
    match phase {
        Phase::Healthy | Phase::Healed => GOOD,
        Phase::Slow => CARE,
        Phase::HalfDead => Color::Magenta,
        Phase::Dead => BAD,
    }
}

/// The color of a state of the breaker.
pub(super) const fn breaker_color(state: BreakerState) -> Color {
    match state {
        BreakerState::Closed => GOOD,
        BreakerState::HalfOpen => CARE,
        BreakerState::Open => BAD,
    }
}

/// Draws the chart.
#[allow(clippy::cast_sign_loss)]
pub(super) fn draw(frame: &mut Frame, area: Rect, record: &Record, now_ms: u64) {
    let [names, chart, figures] =
        Layout::horizontal([Constraint::Length(NAMES), Constraint::Fill(1), Constraint::Length(FIGURES)])
            .areas(area);
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Fill(3),
        Constraint::Length(1),
    ]);
    let [story, progress, succeeded, rejected, failed, latency, breaker] = rows.areas(chart);
    let name_of = |row: Rect| Rect { x: names.x, width: names.width, y: row.bottom() - 1, height: 1 };
    let figure_of = |row: Rect| Rect { x: figures.x, width: figures.width, y: row.bottom() - 1, height: 1 };

    draw_story(frame.buffer_mut(), story, record, now_ms);
    draw_progress(frame.buffer_mut(), progress, record, now_ms);

    let slots = usize::from(chart.width);
    let top = f64::from(record.rate) * 1.25;
    for (row, name, count, color) in [
        (succeeded, "succeeded", series::SUCCEEDED, GOOD),
        (rejected, "rejected", series::REJECTED, CARE),
        (failed, "failed", series::FAILED, BAD),
    ] {
        let rates = series::rates(record, count, slots);
        let data: Vec<u64> = rates.iter().map(|&rate| eighths(rate / top, row.height)).collect();
        spark(frame, row, &data, color);
        frame.render_widget(Line::from(name).fg(color), name_of(row));
        let rate = series::current_rate(record, count);
        frame.render_widget(
            Line::from(format!("{}/s ", text::count(rate.round() as u64))).right_aligned(),
            figure_of(row),
        );
    }

    let p95 = series::greatest(record, |report| report.recent.p95_us, slots);
    let data: Vec<u64> = p95.iter().map(|&micros| eighths(latency_share(micros), latency.height)).collect();
    spark(frame, latency, &data, CALM);
    frame.render_widget(Line::from("p95").fg(CALM), name_of(latency));
    let newest = record.newest().map_or(0, |report| report.recent.p95_us);
    frame.render_widget(
        Line::from(format!("{} ", text::duration(newest))).right_aligned(),
        figure_of(latency),
    );

    draw_breaker(frame.buffer_mut(), breaker, record, now_ms);
    frame.render_widget(Line::from("breaker"), name_of(breaker));
    let state = series::breaker(record, now_ms).last().map(|stretch| stretch.2);
    let figure = state.map_or_else(
        || Line::from("none ").fg(FAINT),
        |state| Line::from(format!("{} ", state.label())).fg(breaker_color(state)).bold(),
    );
    frame.render_widget(figure.right_aligned(), figure_of(breaker));
}

/// A share of a row's height in eighths of a character; a share that is more than nothing shows.
#[allow(clippy::cast_sign_loss)]
fn eighths(share: f64, height: u16) -> u64 {
    let full = f64::from(height) * 8.0;
    let exact = (share * full).clamp(0.0, full);
    if exact > 0.05 { exact.round().max(1.0) as u64 } else { 0 }
}

/// Where a waiting time stands on its logarithmic scale, 0 to 1.
fn latency_share(micros: u64) -> f64 {
    let (low, high) = LATENCY_SCALE;
    (as_f64(micros).max(low) / low).log10() / (high / low).log10()
}

fn spark(frame: &mut Frame, row: Rect, eighths: &[u64], color: Color) {
    let bars =
        Sparkline::default().data(eighths).max(u64::from(row.height) * 8).style(Style::new().fg(color));
    frame.render_widget(bars, row);
}

/// The column at which a time of the run is drawn.
fn column(area: Rect, record: &Record, at_ms: u64) -> u16 {
    let end = record.schedule.duration_ms.max(1);
    let columns = u64::from(area.width) * at_ms.min(end) / end;
    area.x + u16::try_from(columns).unwrap_or(area.width)
}

/// The parts of the story side by side, each with its name; what is still to come is dim.
fn draw_story(buffer: &mut Buffer, area: Rect, record: &Record, now_ms: u64) {
    for &PhaseSpan { phase, from_ms, to_ms } in &record.schedule.phases {
        let (from, to) = (column(area, record, from_ms), column(area, record, to_ms));
        let style = if now_ms < from_ms {
            Style::new().fg(color(phase)).add_modifier(Modifier::DIM)
        } else {
            Style::new().fg(Color::Black).bg(color(phase))
        };
        let width = usize::from(to.saturating_sub(from));
        // One column stays free, so that the parts stand apart.
        let name = format!("{:^width$.width$}", phase.label(), width = width.saturating_sub(1));
        buffer.set_stringn(from, area.y, name, width, style);
    }
}

/// A line that grows with time, under the parts of the story.
fn draw_progress(buffer: &mut Buffer, area: Rect, record: &Record, now_ms: u64) {
    let now = column(area, record, now_ms);
    for x in area.left()..area.right() {
        let (symbol, style) = if x < now { ("━", Style::new()) } else { ("─", Style::new().fg(FAINT)) };
        buffer[(x, area.y)].set_symbol(symbol).set_style(style);
    }
}

/// The breaker's state over time, as a band of color.
fn draw_breaker(buffer: &mut Buffer, area: Rect, record: &Record, now_ms: u64) {
    for (from_ms, to_ms, state) in series::breaker(record, now_ms) {
        let from = column(area, record, from_ms);
        // A state that lasted less than a column still shows.
        let to = column(area, record, to_ms).max(from + 1).min(area.right());
        for x in from..to {
            buffer[(x, area.y)].set_symbol("▆").set_style(Style::new().fg(breaker_color(state)));
        }
    }
}
