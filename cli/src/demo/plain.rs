//! What the demonstration prints while it runs if its output is no terminal: a line a second, and a line for whatever
//! happens in between.

use crate::demo::pass::{Attention, Audience};
use crate::demo::record::Record;
use crate::demo::timeline::Action;
use crate::report::as_f64;
use crate::text;
use std::io::{self, Write};

/// Milliseconds between two lines of figures.
const INTERVAL_MS: u64 = 1000;

/// Writes lines.
#[derive(Debug)]
pub(crate) struct PlainView<W> {
    output: W,
    introduced: bool,
    next_ms: u64,
    events_seen: usize,
    transitions_seen: usize,
}

impl<W: Write> PlainView<W> {
    /// A view that writes to `output`.
    pub(crate) const fn new(output: W) -> Self {
        Self { output, introduced: false, next_ms: INTERVAL_MS, events_seen: 0, transitions_seen: 0 }
    }

    fn introduce(&mut self, record: &Record) -> io::Result<()> {
        let protection = if record.protected { "with protection" } else { "without protection" };
        writeln!(
            self.output,
            "\nA pass {protection}: {} s at {}/s, faults from seed {}",
            text::short_decimal(as_f64(record.schedule.duration_ms) / 1000.0),
            record.rate,
            record.schedule.seed
        )?;
        if let Some(admin) = record.admin {
            writeln!(self.output, "metrics at http://{admin}/metrics, also /livez, /readyz and /stats")?;
        }
        Ok(())
    }

    /// Lines for what was done to the link and what the breaker did, in order of time.
    fn tell(&mut self, record: &Record) -> io::Result<()> {
        let mut news: Vec<(u64, String)> = record.done[self.events_seen..]
            .iter()
            .map(|event| (event.at_ms, action(event.action)))
            .chain(record.transitions[self.transitions_seen..].iter().map(|transition| {
                let (from, to) = (transition.from.label(), transition.to.label());
                (transition.at_ms, format!("  breaker {from} → {to}: {}", transition.reason))
            }))
            .collect();
        (self.events_seen, self.transitions_seen) = (record.done.len(), record.transitions.len());
        news.sort_by_key(|&(at_ms, _)| at_ms);
        for (at_ms, text) in news {
            writeln!(self.output, "{:>7}  {text}", text::moment(at_ms))?;
        }
        Ok(())
    }
}

impl<W: Write> Audience for PlainView<W> {
    fn watch(&mut self, record: &Record, now_ms: u64) -> io::Result<Attention> {
        if !self.introduced {
            self.introduced = true;
            self.introduce(record)?;
        }
        self.tell(record)?;
        if now_ms >= self.next_ms
            && let Some(report) = record.newest()
        {
            self.next_ms = (now_ms / INTERVAL_MS + 1) * INTERVAL_MS;
            writeln!(self.output, "{:>7}  {}", text::moment(now_ms), text::figures(report))?;
        }
        self.output.flush()?;
        Ok(Attention::Stay)
    }
}

fn action(action: Action) -> String {
    match action {
        Action::Enter(phase) => {
            format!("* {}: {}", phase.label(), phase.story())
        }
        Action::Reset { .. } => "  a connection is reset".to_owned(),
        Action::StopServer => "  the server process is stopped".to_owned(),
        Action::KillServer => "  the server process is killed".to_owned(),
        Action::StartServer => "  the server process is started again".to_owned(),
    }
}

#[cfg(test)]
mod tests;
