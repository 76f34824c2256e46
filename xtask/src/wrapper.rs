//! This program in the place of rustc, to compile the workspace's own crates on 32-bit words.
//!
//! A flag in `RUSTFLAGS` would compile every dependency again.
//! Cargo calls `RUSTC_WORKSPACE_WRAPPER` for workspace members alone, and keeps what each wrapper path built
//! apart from what the others built, so the wrapper is a link to this program under a name of its own.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

/// The link's name, and what it adds to the compilation of core and its tests.
const LINK: &str = "seawall-rustc-narrow";
const ADDED: [&str; 2] = ["--cfg", "seawall_word32"];

/// Has the command compile workspace members through this program, which is linked into `folder`.
pub(crate) fn apply(command: &mut Command, folder: &Path) -> Result<()> {
    let link = folder.join(format!("{LINK}{}", env::consts::EXE_SUFFIX));
    let program = env::current_exe().context("this program's own path")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    if link.exists() {
        fs::remove_file(&link).with_context(|| format!("removing {}", link.display()))?;
    }
    if fs::hard_link(&program, &link).is_err() {
        fs::copy(&program, &link).with_context(|| format!("copying this program to {}", link.display()))?;
    }
    command.env("RUSTC_WORKSPACE_WRAPPER", link);
    Ok(())
}

/// Whether the program of this name is the wrapper.
fn is_wrapper(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.strip_suffix(env::consts::EXE_SUFFIX).unwrap_or(name) == LINK
}

/// Runs rustc with one more flag; `None` if this program is called by its own name.
pub(crate) fn run_as_rustc() -> Option<ExitCode> {
    let mut words = env::args_os();
    let program = words.next().filter(|program| is_wrapper(program))?;
    let mut arguments: Vec<OsString> = words.collect();
    if arguments.is_empty() {
        let name = Path::new(&program).display();
        eprintln!("xtask: {name} is called by cargo, with the path of rustc first");
        return Some(ExitCode::from(2));
    }
    let rustc = arguments.remove(0);
    Some(match Command::new(&rustc).args(arguments).args(ADDED).status() {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("xtask: cannot run {}: {error}", Path::new(&rustc).display());
            ExitCode::FAILURE
        }
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::is_wrapper;

    #[test]
    fn the_task_runner_itself_is_no_wrapper() {
        assert!(is_wrapper(OsStr::new("target/xtask/rustc/seawall-rustc-narrow")));
        assert!(!is_wrapper(OsStr::new("target/debug/xtask")));
    }
}
