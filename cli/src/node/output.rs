//! What a node writes: lines of JSON for a supervisor, or lines for a person.

use crate::report::Line;
use crate::text;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds between two lines of figures for a person.
const INTERVAL_MS: u64 = 1000;

/// Standard output, in one of both forms.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    next_ms: AtomicU64,
}

impl Output {
    /// Lines of JSON, or lines for a person.
    pub(crate) const fn new(json: bool) -> Self {
        Self { json, next_ms: AtomicU64::new(INTERVAL_MS) }
    }

    /// Writes a line and hands it to the operating system before it returns, so that it survives this process.
    ///
    /// A line that cannot be written is left out: whoever read the output is gone, and the node goes on.
    pub(crate) fn line(&self, line: &Line) {
        let text = if self.json { serde_json::to_string(line).ok() } else { self.words(line) };
        if let Some(text) = text {
            _ = write_line(&mut io::stdout().lock(), text);
        }
    }

    /// The line in words, if a person wants to know.
    fn words(&self, line: &Line) -> Option<String> {
        match line {
            Line::Ready(ready) => {
                let admin = ready
                    .admin
                    .map(|admin| format!(", metrics at http://{admin}/metrics"))
                    .unwrap_or_default();
                Some(format!("listening on {}{admin}", ready.listen))
            }
            Line::Executed(_) => None,
            Line::Report(report) => {
                // ORDERING: one task reports; the word only remembers when it did last.
                if report.at_ms < self.next_ms.load(Ordering::Relaxed) {
                    return None;
                }
                self.next_ms.store((report.at_ms / INTERVAL_MS + 1) * INTERVAL_MS, Ordering::Relaxed);
                Some(text::figures(report))
            }
            Line::Transition(transition) => Some(format!(
                "breaker {} → {}: {}",
                transition.from.label(),
                transition.to.label(),
                transition.reason
            )),
            Line::Final(last) => Some(format!("the load has ended: {}", text::figures(&last.report))),
        }
    }
}

fn write_line(output: &mut impl Write, mut text: String) -> io::Result<()> {
    text.push('\n');
    output.write_all(text.as_bytes())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::{Output, write_line};
    use crate::report::{Line, Ready};

    #[test]
    fn a_person_is_told_where_the_node_listens() {
        let admin = Some(([127, 0, 0, 1], 9464).into());
        let ready = Line::Ready(Ready { listen: ([127, 0, 0, 1], 7400).into(), admin });
        assert_eq!(
            Output::new(false).words(&ready).unwrap(),
            "listening on 127.0.0.1:7400, metrics at http://127.0.0.1:9464/metrics"
        );
        assert_eq!(Output::new(false).words(&Line::Executed(1)), None);
    }

    #[test]
    fn a_line_ends_with_its_line() {
        let mut written = Vec::new();
        write_line(&mut written, "text".to_owned()).unwrap();
        assert_eq!(written, b"text\n");
    }
}
