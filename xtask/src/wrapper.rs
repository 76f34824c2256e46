//! This program in the place of rustc, to compile the workspace's own crates with one more `--cfg`.
//!
//! A flag in `RUSTFLAGS` would compile every dependency again.
//! Cargo calls `RUSTC_WORKSPACE_WRAPPER` for workspace members alone, and keeps what each wrapper path built
//! apart from what the others built, so the wrappers are links to this program under names of their own.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

/// Names the mutant to the link that compiles mutants.
const MUTANT: &str = "SEAWALL_MUTANT";

/// What a link adds to the workspace's own crates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapper<'n> {
    /// `--cfg seawall_mutant="NAME"`, for core alone.
    ///
    /// All mutants share one path, and with it the compiler's incremental caches: the models that call core are
    /// then compiled in a fraction of the time. Cargo does not see that the mutant is another one, so whoever
    /// builds mutants has to remove what was built of core before each.
    Mutant(&'n str),
    /// `--cfg seawall_word32`, for core and its tests.
    Narrow,
}

impl Wrapper<'_> {
    const fn link_name(self) -> &'static str {
        match self {
            Self::Mutant(_) => "seawall-rustc-mutant",
            Self::Narrow => "seawall-rustc-narrow",
        }
    }

    /// Has the command compile workspace members through this program, which is linked into `folder`.
    pub(crate) fn apply(self, command: &mut Command, folder: &Path) -> Result<()> {
        let link = folder.join(format!("{}{}", self.link_name(), env::consts::EXE_SUFFIX));
        let program = env::current_exe().context("this program's own path")?;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        if link.exists() {
            fs::remove_file(&link).with_context(|| format!("removing {}", link.display()))?;
        }
        if fs::hard_link(&program, &link).is_err() {
            fs::copy(&program, &link)
                .with_context(|| format!("copying this program to {}", link.display()))?;
        }
        command.env("RUSTC_WORKSPACE_WRAPPER", link);
        if let Self::Mutant(name) = self {
            command.env(MUTANT, name);
        }
        Ok(())
    }
}

/// What the program of this name adds to a call of rustc with these arguments; `None` if it is no wrapper.
fn addition(program: &OsStr, mutant: Option<&str>, arguments: &[OsString]) -> Option<Vec<String>> {
    let name = Path::new(program).file_name()?.to_str()?;
    let name = name.strip_suffix(env::consts::EXE_SUFFIX).unwrap_or(name);
    if name == Wrapper::Narrow.link_name() {
        return Some(vec!["--cfg".to_owned(), "seawall_word32".to_owned()]);
    }
    if name != Wrapper::Mutant("").link_name() {
        return None;
    }
    let is_core = arguments.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1] == "seawall_core");
    let mutant = mutant.filter(|_| is_core);
    Some(mutant.map_or_else(Vec::new, |name| vec!["--cfg".to_owned(), format!("seawall_mutant=\"{name}\"")]))
}

/// Runs rustc with what this program's name adds; `None` if it is called by its own name.
pub(crate) fn run_as_rustc() -> Option<ExitCode> {
    let mut words = env::args_os();
    let program = words.next()?;
    let mut arguments: Vec<OsString> = words.collect();
    let added = addition(&program, env::var(MUTANT).ok().as_deref(), &arguments)?;
    if arguments.is_empty() {
        eprintln!(
            "xtask: {} is called by cargo, with the path of rustc first",
            Path::new(&program).display()
        );
        return Some(ExitCode::from(2));
    }
    let rustc = arguments.remove(0);
    Some(match Command::new(&rustc).args(arguments).args(added).status() {
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
    use std::ffi::{OsStr, OsString};

    use super::addition;

    fn added(program: &str, krate: &str) -> Option<Vec<String>> {
        let arguments = ["rustc", "--crate-name", krate, "src/lib.rs"].map(OsString::from);
        addition(OsStr::new(program), Some("lost_probe"), &arguments)
    }

    #[test]
    fn a_mutant_is_compiled_into_core_alone() {
        let mutant = ["--cfg", "seawall_mutant=\"lost_probe\""].map(str::to_owned).to_vec();
        assert_eq!(added("target/xtask/rustc/seawall-rustc-mutant", "seawall_core"), Some(mutant));
        assert_eq!(added("target/xtask/rustc/seawall-rustc-mutant", "breaker"), Some(vec![]));
    }

    #[test]
    fn narrow_words_are_for_core_and_its_tests() {
        let narrow = Some(["--cfg", "seawall_word32"].map(str::to_owned).to_vec());
        assert_eq!(added("seawall-rustc-narrow", "seawall_core"), narrow);
        assert_eq!(added("seawall-rustc-narrow", "props_breaker"), narrow);
    }

    #[test]
    fn the_task_runner_itself_is_no_wrapper() {
        assert_eq!(added("target/debug/xtask", "seawall_core"), None);
    }
}
