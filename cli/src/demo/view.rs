//! The live view: what happens on the link, ten times a second.

mod chart;
mod panels;

use crate::demo::pass::{Attention, Audience};
use crate::demo::record::Record;
use crate::text;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph};
use ratatui::{DefaultTerminal, Frame};
use std::io;
use std::time::Duration;

/// Narrowest and lowest screen on which everything can be read.
const LEAST: (u16, u16) = (76, 23);
/// Lines of the lower panels, with their borders; a taller screen gives the rest to the chart.
const PANEL_LINES: u16 = 11;

/// The colors of the view: names that every terminal has, in the shades that its user chose.
const GOOD: Color = Color::Green;
const CARE: Color = Color::Yellow;
const BAD: Color = Color::Red;
const CALM: Color = Color::Cyan;
const FAINT: Color = Color::DarkGray;

/// The terminal, in the view's hands until this value is dropped.
#[derive(Debug)]
pub(crate) struct LiveView {
    terminal: DefaultTerminal,
    pass: (u8, u8),
}

impl LiveView {
    /// Takes the terminal over; it is given back when this value is dropped, and when the program panics.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { terminal: ratatui::try_init()?, pass: (1, 1) })
    }

    /// Says which pass of how many is shown.
    pub(crate) const fn begin(&mut self, pass: u8, passes: u8) {
        self.pass = (pass, passes);
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

impl Audience for LiveView {
    fn watch(&mut self, record: &Record, now_ms: u64) -> io::Result<Attention> {
        let pass = self.pass;
        self.terminal.draw(|frame| draw(frame, record, now_ms, pass))?;
        while event::poll(Duration::ZERO)? {
            if leaves(&event::read()?) {
                return Ok(Attention::Leave);
            }
        }
        Ok(Attention::Stay)
    }
}

/// Whether a key says that the watcher wants to leave.
fn leaves(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let letter = match key.code {
        KeyCode::Char(letter) => letter,
        KeyCode::Esc => 'q',
        _ => return false,
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind != KeyEventKind::Release && (letter == 'q' && !control || letter == 'c' && control)
}

fn draw(frame: &mut Frame, record: &Record, now_ms: u64, pass: (u8, u8)) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let hint = format!("The view needs {} × {} characters; q leaves.", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(hint).wrap(ratatui::widgets::Wrap { trim: true }), area);
        return;
    }
    let [head, chart, panels, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(chart::LEAST_LINES + 2),
        Constraint::Length(PANEL_LINES),
        Constraint::Length(1),
    ])
    .areas(area);
    let [messages, guard] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(panels);

    header(frame, head, record, now_ms, pass);
    let inside = panel(frame, chart, "The link");
    let story = record.schedule.phase_at(now_ms).story();
    frame.render_widget(
        Line::from(format!(" {story} ")).right_aligned(),
        Rect { width: chart.width - 2, height: 1, ..chart },
    );
    chart::draw(frame, inside, record, now_ms);
    let inside = panel(frame, messages, "Messages");
    frame.render_widget(Paragraph::new(panels::messages(record, inside.width)), inside);
    let inside = panel(frame, guard, if record.protected { "Protection" } else { "No protection" });
    frame.render_widget(Paragraph::new(panels::guard(record, now_ms, inside.width)), inside);
    footer(frame, foot, record);
}

fn panel(frame: &mut Frame, area: Rect, title: &str) -> Rect {
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(Style::new().fg(FAINT))
        .title(Line::from(format!(" {title} ")).bold());
    let inside = block.inner(area);
    frame.render_widget(block, area);
    inside
}

fn header(frame: &mut Frame, area: Rect, record: &Record, now_ms: u64, (pass, passes): (u8, u8)) {
    let protection =
        if record.protected { " protected ".black().on_green() } else { " unprotected ".black().on_red() };
    let mut left = vec![
        " Seawall ".add_modifier(Modifier::BOLD),
        protection,
        format!("  {}/s", text::count(record.rate.into())).into(),
        format!("  seed {}", record.schedule.seed).fg(FAINT),
    ];
    if passes > 1 {
        left.push(format!("  pass {pass} of {passes}").fg(FAINT));
    }
    let end = record.schedule.duration_ms;
    let right = format!("{} of {} ", text::moment(now_ms.min(end)), text::moment(end));
    frame.render_widget(Line::from(left), area);
    frame.render_widget(Line::from(right).right_aligned(), area);
}

fn footer(frame: &mut Frame, area: Rect, record: &Record) {
    if let Some(admin) = record.admin {
        let line = vec![
            Span::raw(" "),
            format!("http://{admin}/metrics").fg(CALM),
            "  /livez /readyz /stats".fg(FAINT),
        ];
        frame.render_widget(Line::from(line), area);
    }
    frame.render_widget(Line::from("q leaves ".fg(FAINT)).right_aligned(), area);
}

#[cfg(test)]
mod tests;
