//! One pass as three diagrams in one scale of time.

use super::{ANSWERED, DrawError, FAILED, FAINT, GRID, INK, OFFERED, P50, P99, REJECTED};
use crate::demo::record::Record;
use crate::demo::series::{self, Count};
use crate::demo::timeline::Phase;
use crate::report::{BreakerState, as_f64};
use crate::text;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    AreaSeries, Cartesian2d, Color, DrawingArea, IntoFont, LineSeries, PathElement, RGBColor, Rectangle,
    SVGBackend, Text,
};
use plotters::series::DashedLineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{ShapeStyle, TextStyle};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";
/// Points of each line.
const POINTS: usize = 100;
/// Pixels for the figures beside the axes.
const LEFT: u32 = 62;
const RIGHT: u32 = 10;
/// Heights in pixels: the title, the messages, the waiting times; the breaker takes what is left.
const TITLE: u32 = 52;
const MESSAGES: u32 = 290;
const LATENCY: u32 = 170;
/// Where the scale of messages ends at most, in multiples of the rate.
const HIGHEST: f64 = 1.8;
/// Waiting times are drawn as powers of ten of a microsecond, between these.
const POWERS: (f64, f64) = (2.0, 7.0);

const fn shade(phase: Phase) -> RGBColor {
    match phase {
        Phase::Healthy | Phase::Healed => RGBColor(0xf0, 0xfa, 0xf2),
        Phase::Slow => RGBColor(0xff, 0xf7, 0xdf),
        Phase::HalfDead => RGBColor(0xfd, 0xee, 0xe0),
        Phase::Dead => RGBColor(0xfc, 0xe6, 0xe6),
    }
}

const fn breaker_color(state: BreakerState) -> RGBColor {
    match state {
        BreakerState::Closed => ANSWERED,
        BreakerState::HalfOpen => REJECTED,
        BreakerState::Open => FAILED,
    }
}

fn font(size: f64, color: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color)
}

/// How far the scale of messages reaches: high enough for what happens for longer than a moment, and with room for the
/// names of the parts.
pub(super) fn top(record: &Record) -> f64 {
    highest(record)
        .map(|(_, rate)| rate)
        .fold(f64::from(record.rate), f64::max)
        .min(f64::from(record.rate) * HIGHEST)
        * 1.18
}

/// The highest point of each line of the diagram of messages.
fn highest(record: &Record) -> impl Iterator<Item = (f64, f64)> {
    [series::SENT, series::SUCCEEDED, series::REJECTED, series::FAILED]
        .into_iter()
        .filter_map(move |count| points(record, count).into_iter().max_by(|a, b| a.1.total_cmp(&b.1)))
}

/// Draws one pass; `top` is where its scale of messages ends.
pub(super) fn draw(area: &Area, record: &Record, title: &str, top: f64) -> Result<(), DrawError> {
    let (head, rest) = area.split_vertically(TITLE);
    let (messages, rest) = rest.split_vertically(MESSAGES);
    let (latency, breaker) = rest.split_vertically(LATENCY);
    draw_title(&head, record, title)?;
    draw_messages(&messages, record, top)?;
    draw_latency(&latency, record)?;
    draw_breaker(&breaker, record)
}

fn draw_title(area: &Area, record: &Record, title: &str) -> Result<(), DrawError> {
    let x = LEFT.cast_signed();
    area.draw(&Text::new(title.to_owned(), (x, 4), font(21.0, INK))).map_err(DrawError::from)?;
    let books = record.newest().map(|report| report.books.clone()).unwrap_or_default();
    let longest = record.newest().map_or(0, |report| report.overall.worst_us);
    let line = format!(
        "{} sent, {} succeeded, {} failed, {} attempts a call, longest wait {}",
        text::count(books.sent),
        text::share(books.succeeded, books.sent),
        text::share(books.all_failed(), books.sent),
        text::ratio(books.amplification()),
        text::duration(longest),
    );
    area.draw(&Text::new(line, (x, 32), font(13.0, FAINT))).map_err(DrawError::from)
}

/// A diagram with the parts of the story shaded behind it.
fn frame<'a, 'b>(
    area: &'a Area<'b>,
    record: &Record,
    range: std::ops::Range<f64>,
    below: u32,
) -> Result<Chart<'a, 'b>, DrawError> {
    let end = seconds(record.schedule.duration_ms);
    let mut chart = ChartBuilder::on(area)
        .margin_right(RIGHT)
        .margin_top(6)
        .set_left_and_bottom_label_area_size(below)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(0.0..end, range.clone())
        .map_err(DrawError::from)?;
    chart
        .draw_series(record.schedule.phases.iter().map(|span| {
            let (from, to) = (seconds(span.from_ms), seconds(span.to_ms));
            Rectangle::new([(from, range.start), (to, range.end)], shade(span.phase).filled())
        }))
        .map_err(DrawError::from)?;
    Ok(chart)
}

fn draw_messages(area: &Area, record: &Record, top: f64) -> Result<(), DrawError> {
    let mut chart = frame(area, record, 0.0..top, 8)?;
    mesh(&mut chart, "messages a second", &|value| text::count(whole(*value)))?;

    let centers = record.schedule.phases.iter().map(|span| {
        let style = font(13.0, INK).pos(Pos::new(HPos::Center, VPos::Top));
        let center = f64::midpoint(seconds(span.from_ms), seconds(span.to_ms));
        Text::new(span.phase.label(), (center, top * 0.985), style)
    });
    chart.draw_series(centers).map_err(DrawError::from)?;

    let answered = points(record, series::SUCCEEDED);
    chart.draw_series(AreaSeries::new(answered.clone(), 0.0, ANSWERED.mix(0.18))).map_err(DrawError::from)?;
    let offered = points(record, series::SENT);
    chart
        .draw_series(DashedLineSeries::new(offered, 6, 4, OFFERED.stroke_width(2)))
        .map_err(DrawError::from)?
        .label("offered")
        .legend(|at| legend(at, OFFERED));
    for (name, color, line) in [
        ("succeeded", ANSWERED, answered),
        ("rejected", REJECTED, points(record, series::REJECTED)),
        ("failed", FAILED, points(record, series::FAILED)),
    ] {
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))
            .map_err(DrawError::from)?
            .label(name)
            .legend(move |at| legend(at, color));
    }
    // A line that leaves the diagram says how far it went.
    let beyond = highest(record).filter(|&(_, rate)| rate > top).map(|(at, rate)| {
        let style = font(12.0, INK).pos(Pos::new(HPos::Left, VPos::Top));
        Text::new(format!(" ↑ {}", text::count(whole(rate))), (at, top * 0.93), style)
    });
    chart.draw_series(beyond).map_err(DrawError::from)?;
    labels(&mut chart, 46)
}

fn draw_latency(area: &Area, record: &Record) -> Result<(), DrawError> {
    let mut chart = frame(area, record, POWERS.0..POWERS.1, 8)?;
    mesh(&mut chart, "waiting time", &|power| power_label(*power))?;
    for (name, color, figure) in
        [("p50", P50, (|report| report.recent.p50_us) as Count), ("p99", P99, |report| report.recent.p99_us)]
    {
        let step = seconds(record.schedule.duration_ms) / as_f64(POINTS as u64);
        let line: Vec<(f64, f64)> = (0..)
            .zip(series::greatest(record, figure, POINTS))
            .filter(|&(_, micros)| micros > 0)
            .map(|(slot, micros)| {
                ((as_f64(slot) + 0.5) * step, as_f64(micros).log10().clamp(POWERS.0, POWERS.1))
            })
            .collect();
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))
            .map_err(DrawError::from)?
            .label(name)
            .legend(move |at| legend(at, color));
    }
    labels(&mut chart, 10)
}

/// A band in the colors of the breaker's states, above the axis of time.
fn draw_breaker(area: &Area, record: &Record) -> Result<(), DrawError> {
    let mut chart = frame(area, record, 0.0..1.0, 34)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(GRID.mix(0.0))
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .x_labels(11)
        .x_label_formatter(&|value| text::short_decimal(*value))
        .x_desc("seconds")
        .label_style(font(12.0, FAINT))
        .axis_desc_style(font(12.0, FAINT))
        .draw()
        .map_err(DrawError::from)?;
    let stretches = series::breaker(record, record.schedule.duration_ms);
    if stretches.is_empty() {
        let middle = seconds(record.schedule.duration_ms) / 2.0;
        let style = font(13.0, FAINT).pos(Pos::new(HPos::Center, VPos::Center));
        let none = Text::new("no breaker", (middle, 0.5), style);
        chart.draw_series([none]).map_err(DrawError::from)?;
    }
    chart
        .draw_series(stretches.iter().map(|&(from, to, state)| {
            Rectangle::new([(seconds(from), 0.18), (seconds(to), 0.82)], breaker_color(state).filled())
        }))
        .map_err(DrawError::from)?;
    let at = (LEFT.cast_signed() - 8, 8);
    let style = font(12.0, FAINT).pos(Pos::new(HPos::Right, VPos::Top));
    area.draw(&Text::new("breaker", at, style)).map_err(DrawError::from)?;
    key(area)
}

/// What the colors of the band mean, in the corner below it.
fn key(area: &Area) -> Result<(), DrawError> {
    let (width, height) = area.dim_in_pixel();
    let y = height.cast_signed() - 12;
    let mut x = width.cast_signed() - RIGHT.cast_signed() - 210;
    for state in [BreakerState::Closed, BreakerState::HalfOpen, BreakerState::Open] {
        let square = Rectangle::new([(x, y), (x + 10, y + 10)], breaker_color(state).filled());
        area.draw(&square).map_err(DrawError::from)?;
        area.draw(&Text::new(state.label(), (x + 15, y - 1), font(12.0, FAINT))).map_err(DrawError::from)?;
        x += if state == BreakerState::HalfOpen { 85 } else { 72 };
    }
    Ok(())
}

fn mesh<'a, 'b: 'a>(
    chart: &mut Chart<'a, 'b>,
    name: &str,
    label: &dyn Fn(&f64) -> String,
) -> Result<(), DrawError> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(GRID.mix(0.0))
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .y_labels(6)
        .y_label_formatter(label)
        .y_desc(name)
        .label_style(font(12.0, FAINT))
        .axis_desc_style(font(12.0, FAINT))
        .draw()
        .map_err(DrawError::from)
}

/// Explains the lines, so many pixels below the top.
fn labels<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>, below: i32) -> Result<(), DrawError> {
    use plotters::chart::SeriesLabelPosition::Coordinate;
    chart
        .configure_series_labels()
        .position(Coordinate(8, below))
        .background_style(plotters::style::WHITE.mix(0.8))
        .label_font(font(12.0, INK))
        .draw()
        .map_err(DrawError::from)
}

fn legend((x, y): (i32, i32), color: RGBColor) -> PathElement<(i32, i32)> {
    PathElement::new(
        [(x, y), (x + 16, y)],
        ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: 2 },
    )
}

fn points(record: &Record, count: Count) -> Vec<(f64, f64)> {
    let step = seconds(record.schedule.duration_ms) / as_f64(POINTS as u64);
    (0..)
        .zip(series::rates(record, count, POINTS))
        .map(|(slot, rate)| ((as_f64(slot) + 0.5) * step, rate))
        .collect()
}

fn power_label(power: f64) -> String {
    text::duration(whole(10_f64.powf(power))).replace(".00", "").replace(".0", "")
}

#[allow(clippy::cast_sign_loss)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn seconds(at_ms: u64) -> f64 {
    as_f64(at_ms) / 1000.0
}
