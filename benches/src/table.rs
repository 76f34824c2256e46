//! The rows as a table in Markdown.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::HashMap;

use crate::measure::Row;

/// How often a row is measured.
const SAMPLES: usize = 25;

/// Nanoseconds an iteration on one thread and on two that share the subject.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// One thread.
    pub alone: f64,
    /// Each of two threads.
    pub shared: f64,
}

/// Measures a row for about twice `budget`.
///
/// On one thread the fastest sample counts: whatever else runs on the machine can only add to it.
/// Of two threads the median does, since the fastest are those in which the two did not meet.
pub fn measure(row: &Row, budget: Duration) -> Figures {
    let iterations = calibrate(row, budget / u32::try_from(SAMPLES).unwrap_or(1));
    let sorted = |threads| {
        let mut samples = [0; SAMPLES].map(|_: u8| row.run(u64::from(iterations), threads));
        samples.sort();
        samples.map(|sample| sample.as_secs_f64() * 1e9 / f64::from(iterations))
    };
    Figures { alone: sorted(1)[0], shared: sorted(2)[SAMPLES / 2] }
}

/// How many iterations take about so long on one thread.
fn calibrate(row: &Row, sample: Duration) -> u32 {
    let mut iterations = 64;
    loop {
        let took = row.run(u64::from(iterations), 1);
        if took >= sample / 2 || iterations > u32::MAX / 4 {
            return iterations;
        }
        iterations *= 2;
    }
}

/// The table of all rows, each with its ratio to the bare instructions measured in the same run.
pub fn render(rows: &[Row], budget: Duration) -> String {
    let mut floors: HashMap<&str, Figures> = HashMap::new();
    let mut text = String::from(
        "| what | ns, 1 thread | ns, 2 threads shared | shared / alone | to its floor | floor |\n|---|---:|---:|---:|---:|---|\n",
    );
    for row in rows {
        let figures = measure(row, budget);
        if row.group == "floor" {
            floors.insert(row.name, figures);
        }
        let (ratio, floor) = row.floor.map_or_else(Default::default, |floor| {
            let sum: f64 = floor.iter().map(|(times, name)| f64::from(*times) * floors[name].alone).sum();
            let names: Vec<_> = floor
                .iter()
                .map(|(times, name)| if *times == 1 { (*name).into() } else { format!("{times} × {name}") })
                .collect();
            (format!("{:.2}", figures.alone / sum), names.join(" + "))
        });
        let Figures { alone, shared } = figures;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {}: {} | {alone:.2} | {shared:.2} | {:.1} | {ratio} | {floor} |",
            row.group,
            row.name,
            shared / alone
        );
    }
    text
}
