//! The program under test as a process: its lines, its end, and what it serves.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Guards a test against hanging; nothing is measured by it.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A running `seawall`, killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    errors: Option<std::thread::JoinHandle<String>>,
}

/// Starts the program with these arguments.
pub(crate) fn start(arguments: &[&str]) -> Program {
    let mut child = Command::new(env!("CARGO_BIN_EXE_seawall"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        _ = stderr.read_to_string(&mut text);
        text
    });
    Program { child, lines, errors: Some(errors) }
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let mut program = start(arguments);
    let mut text = String::new();
    while let Ok(line) = program.lines.recv_timeout(LIMIT) {
        text.push_str(&line);
        text.push('\n');
    }
    let (status, errors) = program.end();
    Output { status, stdout: text.into_bytes(), stderr: errors.into_bytes() }
}

impl Program {
    /// The process id.
    pub(crate) fn id(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Reads lines up to the first that contains this text.
    pub(crate) fn line_with(&self, text: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("no line with {text:?} came in time"),
                Err(RecvTimeoutError::Disconnected) => panic!("the output ended without {text:?}"),
            }
        }
    }

    /// The rest of the output, and the status and the complaints with which the program ended.
    pub(crate) fn end(&mut self) -> (std::process::ExitStatus, String) {
        let end = Instant::now() + LIMIT;
        while let Ok(_line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {}
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "the program ends in time");
            std::thread::sleep(Duration::from_millis(5));
        };
        (status, self.errors.take().map(|errors| errors.join().unwrap()).unwrap_or_default())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
