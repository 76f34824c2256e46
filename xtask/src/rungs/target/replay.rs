//! What a guard decides on the board, replayed by the program on this machine.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Board, LIMIT, SHIFT_OF_TESTS, emulate};
use crate::job::Job;
use crate::results::Tally;
use crate::setup::Qemu;

/// Records on the board, and replays here: every decision must be the recorded one, bit for bit.
pub(super) fn run(job: &mut Job<'_>, qemu: &Qemu, board: &Board, programs: &Path) -> Result<Tally> {
    let program = programs.join("record");
    let step = job.step_within(&mut emulate(qemu, board, &program, SHIFT_OF_TESTS, 0), LIMIT)?;
    let log = if step.passed() { bytes_of(&step.output) } else { None };
    let Some(log) = log else {
        job.because(format!("no log came from the {}", board.core));
        return Ok(Tally::failed(1));
    };
    let path = job.context.target.join("xtask").join(format!("{}.log", board.machine));
    fs::write(&path, &log).with_context(|| format!("writing {}", path.display()))?;
    let mut replay = job.context.cargo();
    replay.args(["run", "--locked", "--package", "seawall-cli", "--", "replay"]).arg(&path);
    let step = job.step(&mut replay)?;
    let decisions = step.output.lines().filter(|line| line.starts_with("{\"at\"")).count();
    // A log of a few steps would prove little, and one of another word size nothing.
    let enough = decisions > 500 && step.output.contains("\"word_bits\":32");
    if !step.passed() || !enough {
        job.because(format!("the log of the {} does not replay: {}", board.core, path.display()));
    } else {
        job.progress(&format!("{}: {decisions} recorded decisions replay", board.core))?;
    }
    Ok(Tally::one(step.passed() && enough))
}

/// The bytes of the lines `log 0a1b…`; `None` if there are none, or they are no such digits.
fn bytes_of(output: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for digits in output.lines().filter_map(|line| line.strip_prefix("log ")) {
        for at in (0..digits.len()).step_by(2) {
            bytes.push(u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?);
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::bytes_of;

    #[test]
    fn a_log_is_put_together_from_its_lines() {
        assert_eq!(bytes_of("log 5357\nlog 4c47\nlost 0\n"), Some(b"SWLG".to_vec()));
        assert_eq!(bytes_of("log 535\n"), None);
        assert_eq!(bytes_of("log 5x\n"), None);
        assert_eq!(bytes_of("lost 0\n"), None);
    }
}
