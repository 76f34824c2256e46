//! `seawall replay`: decisions again, from a script that a person wrote or from a log that a recorder wrote.

mod call;
mod expect;
mod fields;
mod log;
mod names;
mod objects;
mod patterns;
mod pretty;
mod reference;
mod schema;
mod script;
mod statement;
mod strict;
mod suggest;
mod value;
mod words;

use crate::args::ReplayArgs;
use script::Ending;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::process::ExitCode;

/// The script or the log is wrong, or cannot be read.
const WRONG: u8 = 2;

/// The longest file that is read.
const MOST_BYTES: u64 = 64 << 20;

/// Replays a file.
pub(crate) fn run(args: &ReplayArgs) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let ended = if args.list {
        out.write_all(reference::reference().as_bytes()).map(|()| ExitCode::SUCCESS)
    } else {
        let file = args.file.as_deref().unwrap_or(Path::new("-"));
        match read(file) {
            Ok(bytes) => replay(&name(file), &bytes, args, &mut out),
            Err(error) => {
                eprintln!("seawall: {}: {error}", name(file));
                Ok(ExitCode::from(WRONG))
            }
        }
    };
    let flushed = out.flush();
    match ended.and_then(|code| flushed.map(|()| code)) {
        Ok(code) => code,
        // Whoever read the output has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write: {error}");
            ExitCode::from(WRONG)
        }
    }
}

/// What the file is called in messages.
fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file == Path::new("-") { read_from(io::stdin().lock()) } else { read_from(std::fs::File::open(file)?) }
}

/// Reads all of it, if that is not too much: a device without an end is no script.
fn read_from(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        let what = "is longer than 64 MiB, which is the longest script or log that is read";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// Whether the first byte that is no white space begins a statement or a comment.
fn is_script(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => true,
        Some(first) => b"{#/".contains(first),
    }
}

fn replay(name: &str, bytes: &[u8], args: &ReplayArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    let mut err = io::stderr().lock();
    if log::is_log(bytes) {
        return log::replay(name, bytes, out, &mut err);
    }
    if !is_script(bytes) {
        writeln!(err, "{name}:1: this is no script, which begins with {{, # or //, and no log")?;
        return Ok(ExitCode::from(WRONG));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = 1 + bytes.iter().take(error.valid_up_to()).filter(|&&byte| byte == b'\n').count();
            writeln!(err, "{name}:{line}: this is no UTF-8")?;
            return Ok(ExitCode::from(WRONG));
        }
    };
    Ok(match script::run(name, text, args.pretty, out, &mut err)? {
        Ending::AsExpected => ExitCode::SUCCESS,
        Ending::Unexpected => ExitCode::from(1),
        Ending::Wrong => ExitCode::from(WRONG),
    })
}
