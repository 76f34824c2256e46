//! Logs that a recorder wrote: every step again, on a guard of the same policy, layout and size.

mod engine;
mod lines;
#[cfg(test)]
mod tests;

use self::engine::Stop;
use super::fields::Fields;
use seawall::core::record::{Damaged, Decision, Entries, Input, Layout};
use std::io::{self, Write};
use std::process::ExitCode;

/// The log is damaged, or cannot be replayed by this program.
const WRONG: u8 = 2;

/// Whether these bytes begin as a log does.
pub(super) fn is_log(bytes: &[u8]) -> bool {
    bytes.starts_with(b"SWLG")
}

/// Replays a log, and prints one decision a line, after a line for its head.
///
/// The exit status is 0 if every decision is the recorded one, 1 if not, and 2 if the log is damaged; what could be read of
/// it is printed first.
pub(super) fn replay(
    name: &str,
    log: &[u8],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitCode> {
    let entries = match Entries::of(log) {
        Ok(entries) => entries,
        Err(damaged) => return wrong(name, &damaged, err),
    };
    print(&lines::head(entries.header()), out)?;
    let mut tally = Tally { recorded: entries.clone(), steps: 0, differ: 0, first: 0 };
    let places = most_under_way(entries.clone());
    let mut each = |decision: &[u8]| tally.step(decision, out);
    let ended = match entries.header().layout {
        Layout::Wide => engine::wide::replay(log, places, &mut each),
        Layout::Narrow => engine::narrow::replay(log, places, &mut each),
    };
    match ended {
        Ok(()) => {}
        Err(Stop::Output(error)) => return Err(error),
        Err(Stop::Impossible(reason)) => return wrong(name, &reason, err),
    }
    let Tally { mut recorded, steps, differ, first } = tally;
    if differ > 0 {
        writeln!(err, "{name}: {differ} of {steps} decisions differ, the first is step {first}")?;
    } else {
        writeln!(err, "{name}: {steps} decisions, each as recorded")?;
    }
    match recorded.next() {
        Some(Err(damaged)) => wrong(name, &damaged, err),
        _ => Ok(ExitCode::from(u8::from(differ > 0))),
    }
}

fn wrong(name: &str, what: &dyn std::fmt::Display, err: &mut dyn Write) -> io::Result<ExitCode> {
    writeln!(err, "{name}: {what}")?;
    Ok(ExitCode::from(WRONG))
}

/// The log beside its replay.
struct Tally<'b> {
    recorded: Entries<'b>,
    steps: u64,
    differ: u64,
    /// The first step that differs.
    first: u64,
}

impl Tally<'_> {
    /// Prints the next step, which the replay decided so.
    fn step(&mut self, decision: &[u8], out: &mut dyn Write) -> io::Result<()> {
        let Some(Ok(entry)) = self.recorded.next() else {
            return Err(io::Error::other("the replay made a step that the log has not"));
        };
        let decision = Decision::decode(decision).map_err(io::Error::other)?;
        self.steps += 1;
        let mut line = lines::input(&entry);
        line.extend(lines::decision(&decision));
        if decision != entry.decision {
            if self.differ == 0 {
                self.first = self.steps;
            }
            self.differ += 1;
            line.put("differs", true);
            line.put("recorded", lines::decision(&entry.decision));
        }
        print(&line, out)
    }
}

fn print(line: &Fields, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// How many calls and attempts are under way at a time at most.
fn most_under_way(entries: Entries<'_>) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for entry in entries.map_while(Result::<_, Damaged>::ok) {
        let (begun, ended) = match (entry.input, entry.decision) {
            (Input::Poll { .. }, Decision::Rejected { .. })
            | (
                Input::CancelWaiting { .. }
                | Input::DropWaiting { .. }
                | Input::Settle { .. }
                | Input::DropAttempt { .. }
                | Input::Cancel { .. }
                | Input::Drop { .. },
                _,
            ) => (0, 1),
            (Input::Poll { .. }, _) => (0, 0),
            (_, Decision::Admitted { .. } | Decision::Waiting { .. } | Decision::Started { .. }) => (1, 0),
            _ => (0, 0),
        };
        now = (now + begun).saturating_sub(ended);
        most = most.max(now);
    }
    // One more than ever was: a step needs a free place even if it turns out to be refused.
    most + 1
}
