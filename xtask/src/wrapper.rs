//! This program in the place of rustc, to compile the workspace's own crates with one more `--cfg`.
//!
//! A flag in `RUSTFLAGS` would compile every dependency again.
//! Cargo calls `RUSTC_WORKSPACE_WRAPPER` for workspace members alone, and keeps what each wrapper path built
//! apart from what the others built.
//! So each cfg gets a path of its own: a link to this program, whose file name carries the cfg.
//! Dependencies are shared, and switching between cfgs rebuilds nothing.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

const MUTANT: &str = "seawall-rustc-mutant.";
const CFG: &str = "seawall-rustc-cfg.";

/// A cfg that workspace members are compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtraCfg<'n> {
    /// `--cfg seawall_mutant="NAME"`.
    Mutant(&'n str),
    /// `--cfg NAME`.
    Plain(&'n str),
}

impl ExtraCfg<'_> {
    /// Links this program under a name that carries the cfg, and returns the path for `RUSTC_WORKSPACE_WRAPPER`.
    pub(crate) fn link(self, folder: &Path) -> Result<PathBuf> {
        let name = match self {
            Self::Mutant(name) => format!("{MUTANT}{name}"),
            Self::Plain(name) => format!("{CFG}{name}"),
        };
        let link = folder.join(name + env::consts::EXE_SUFFIX);
        let program = env::current_exe().context("this program's own path")?;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        if link.exists() {
            fs::remove_file(&link).with_context(|| format!("removing {}", link.display()))?;
        }
        if fs::hard_link(&program, &link).is_err() {
            fs::copy(&program, &link)
                .with_context(|| format!("copying this program to {}", link.display()))?;
        }
        Ok(link)
    }

    fn arguments(self) -> [String; 2] {
        let value = match self {
            Self::Mutant(name) => format!("seawall_mutant=\"{name}\""),
            Self::Plain(name) => name.to_owned(),
        };
        ["--cfg".to_owned(), value]
    }
}

/// The cfg that the name of the running program carries.
fn carried_by(program: &OsStr) -> Option<ExtraCfg<'_>> {
    let name = Path::new(program).file_name()?.to_str()?;
    let name = name.strip_suffix(env::consts::EXE_SUFFIX).unwrap_or(name);
    if let Some(mutant) = name.strip_prefix(MUTANT) {
        Some(ExtraCfg::Mutant(mutant))
    } else {
        name.strip_prefix(CFG).map(ExtraCfg::Plain)
    }
}

/// Runs rustc with the cfg that this program's name carries; `None` if it carries none.
pub(crate) fn run_as_rustc() -> Option<ExitCode> {
    let mut words = env::args_os();
    let program = words.next()?;
    let cfg = carried_by(&program)?;
    let Some(rustc) = words.next() else {
        eprintln!(
            "xtask: {} is called by cargo, with the path of rustc first",
            Path::new(&program).display()
        );
        return Some(ExitCode::from(2));
    };
    let rest: Vec<OsString> = words.collect();
    Some(match Command::new(&rustc).args(rest).args(cfg.arguments()).status() {
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
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

    use super::{ExtraCfg, carried_by};

    #[test]
    fn the_name_of_the_program_carries_the_cfg() {
        let of = |name| carried_by(OsStr::new(name));
        assert_eq!(
            of("target/xtask/rustc/seawall-rustc-mutant.lost-probe"),
            Some(ExtraCfg::Mutant("lost-probe"))
        );
        assert_eq!(of("seawall-rustc-cfg.seawall_word32"), Some(ExtraCfg::Plain("seawall_word32")));
        assert_eq!(of("target/debug/xtask"), None);
    }

    #[test]
    fn a_mutant_becomes_a_named_cfg() {
        assert_eq!(ExtraCfg::Mutant("a").arguments(), ["--cfg", "seawall_mutant=\"a\""]);
        assert_eq!(ExtraCfg::Plain("b").arguments(), ["--cfg", "b"]);
    }
}
