//! The tools that a rung needs: found, or installed where that is allowed, or named to the person.

mod firmware;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::job::Job;
pub(crate) use firmware::{Qemu, need_linker};

/// What a rung cannot run without, and how to get it.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// The output of a short question to a tool, or `None` where there is no such tool or it refuses.
pub(crate) fn ask(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Option<String> {
    let answer = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    answer.status.success().then(|| String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}

/// Fails with the way to get it where cargo lacks a component such as `clippy`.
pub(crate) fn need_component(job: &Job<'_>, subcommand: &str, component: &str) -> Result<()> {
    let found =
        job.context.cargo().args([subcommand, "--version"]).output().is_ok_and(|it| it.status.success());
    if !found {
        bail!(Missing(format!("no cargo {subcommand}: `rustup component add {component}`")));
    }
    Ok(())
}

/// A tool of exactly this version, from the path or from `target/tools`, where it is built if need be.
///
/// It is built without optimization: the tools of the ladder run for a second and would compile for minutes.
pub(crate) fn cargo_tool(job: &mut Job<'_>, name: &str, version: &str) -> Result<PathBuf> {
    let tools = job.context.target.join("tools");
    let own = tools.join("bin").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let wanted = format!("{name} {version}");
    // As a subcommand of cargo, which some of them only know themselves as, a tool is told its name again.
    let word = name.strip_prefix("cargo-").unwrap_or(name);
    for candidate in [own.clone(), PathBuf::from(name)] {
        let answers = [ask(&candidate, &["--version"]), ask(&candidate, &[word, "--version"])];
        if answers.into_iter().flatten().any(|answer| answer == wanted) {
            return Ok(candidate);
        }
    }
    job.progress(&format!("building {wanted} into {}", tools.display()))?;
    let build = tools.join("build");
    let mut install = job.context.cargo();
    install.args(["install", "--quiet", "--locked", "--debug", "--force", "--version", version, "--root"]);
    install.arg(&tools).arg(name).env("CARGO_TARGET_DIR", &build).env("CARGO_PROFILE_DEV_DEBUG", "0");
    let installed = job.step_within(&mut install, TOOL_LIMIT)?.passed();
    if build.exists() {
        std::fs::remove_dir_all(&build).with_context(|| format!("removing {}", build.display()))?;
    }
    if !installed {
        bail!(Missing(format!("no {wanted}: `cargo install --locked {name}@{version}`")));
    }
    Ok(own)
}

const TOOL_LIMIT: Duration = Duration::from_secs(8 * 60);

/// A C++ compiler, which libFuzzer is built with.
pub(crate) fn need_cxx(job: &mut Job<'_>) -> Result<()> {
    let found = || std::env::var_os("CXX").is_some() || ask("c++", &["--version"]).is_some();
    if found() || (apt_install(job, &["g++"])? && found()) {
        return Ok(());
    }
    bail!(Missing("no C++ compiler: `apt-get install g++`, or set CXX".to_owned()));
}

/// The machine that the compiler in use builds for.
pub(crate) fn host() -> Option<String> {
    let version = ask("rustc", &["--version", "--verbose"])?;
    version.lines().find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
}

/// `llvm-cov` and `llvm-profdata` of the compiler's own LLVM: other versions do not read its profiles.
pub(crate) fn llvm_tools(job: &mut Job<'_>) -> Result<(PathBuf, PathBuf)> {
    let version = ask("rustc", &["--version", "--verbose"]).unwrap_or_default();
    let major = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next().map(str::to_owned))
        .unwrap_or_default();
    let component = ask("rustc", &["--print", "target-libdir"]).map(|lib| Path::new(&lib).join("../bin"));
    let named = ["LLVM_COV", "LLVM_PROFDATA"].map(|name| std::env::var_os(name).map(PathBuf::from));
    if let [Some(cov), Some(profdata)] = named {
        return Ok((cov, profdata));
    }
    let find = || {
        let beside = component.iter().map(|bin| (bin.join("llvm-cov"), bin.join("llvm-profdata")));
        let packaged = [("", ""), ("-", major.as_str())].map(|(dash, number)| {
            (
                PathBuf::from(format!("llvm-cov{dash}{number}")),
                PathBuf::from(format!("llvm-profdata{dash}{number}")),
            )
        });
        beside.chain(packaged).find(|(cov, profdata)| {
            let fits = |tool: &Path| {
                ask(tool, &["--version"]).is_some_and(|text| text.contains(&format!("LLVM version {major}.")))
            };
            fits(cov) && fits(profdata)
        })
    };
    if let Some(tools) = find() {
        return Ok(tools);
    }
    if apt_install(job, &[&format!("llvm-{major}")])?
        && let Some(tools) = find()
    {
        return Ok(tools);
    }
    bail!(Missing(format!(
        "no llvm-cov and llvm-profdata of LLVM {major}: `rustup component add llvm-tools`, or on Debian `apt-get install \
         llvm-{major}`, or set LLVM_COV and LLVM_PROFDATA"
    )));
}

/// A compiler for targets without an operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bare {
    /// The compiler in use has the target.
    Installed,
    /// This compiler comes with the sources of `core` and `alloc`, to be built first.
    FromSource { rustc: PathBuf },
}

/// Finds or installs what builds for the target: the target itself, or a compiler with its library's sources.
///
/// `minimum` is the oldest compiler that the workspace supports; a distribution's first release may be older.
pub(crate) fn bare_metal(job: &mut Job<'_>, target: &str, minimum: (u32, u32)) -> Result<Bare> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    if let Some(sysroot) = sysroot(Path::new(&rustc)) {
        if has_target(&sysroot, target) {
            return Ok(Bare::Installed);
        }
        if has_source(&sysroot) {
            return Ok(Bare::FromSource { rustc: rustc.into() });
        }
    }
    if let Some(bare) = distribution_rustc(minimum) {
        return Ok(bare);
    }
    // Where the package lists are old they have an older compiler, which is installed without complaint.
    for install in [apt_install, apt_install_newest] {
        if install(job, &["rustc-web", "rust-web-src"])?
            && let Some(bare) = distribution_rustc(minimum)
        {
            return Ok(bare);
        }
    }
    bail!(Missing(format!(
        "no {target}: `rustup target add {target}`, or on Debian `apt-get install --no-install-recommends \
         rustc-web rust-web-src` ({}.{} or newer)",
        minimum.0, minimum.1
    )));
}

fn distribution_rustc(minimum: (u32, u32)) -> Option<Bare> {
    let rustc = Path::new("/usr/bin/rustc");
    let version = release(&ask(rustc, &["--version"])?)?;
    (version >= minimum && has_source(&sysroot(rustc)?)).then(|| Bare::FromSource { rustc: rustc.to_owned() })
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    ask(rustc, &["--print", "sysroot"]).map(PathBuf::from)
}

fn has_target(sysroot: &Path, target: &str) -> bool {
    sysroot.join("lib/rustlib").join(target).join("lib").is_dir()
}

fn has_source(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").is_file()
}

/// Major and minor version in `rustc 1.88.0 (…)` or `1.88`.
pub(crate) fn release(text: &str) -> Option<(u32, u32)> {
    let number =
        text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Installs packages where this is Debian or a relative of it and the user is root; says whether it did.
///
/// Recommended packages are left out: on machines with backports they can conflict with the wanted ones.
/// The package lists are refreshed only if the first try fails, as that takes longer than most installations.
fn apt_install(job: &mut Job<'_>, packages: &[&str]) -> Result<bool> {
    if !can_install() {
        return Ok(false);
    }
    job.progress(&format!("installing {}", packages.join(", ")))?;
    if job.step_within(apt(&["install"]).args(packages), APT_LIMIT)?.passed() {
        return Ok(true);
    }
    apt_install_newest(job, packages)
}

/// As [`apt_install`], with the package lists of today.
fn apt_install_newest(job: &mut Job<'_>, packages: &[&str]) -> Result<bool> {
    if !can_install() {
        return Ok(false);
    }
    // One list that cannot be had is no reason to give up: the others may be all that is needed.
    job.step_within(&mut apt(&["update"]), APT_LIMIT)?;
    Ok(job.step_within(apt(&["install"]).args(packages), APT_LIMIT)?.passed())
}

fn can_install() -> bool {
    ask("id", &["-u"]).as_deref() == Some("0") && ask("apt-get", &["--version"]).is_some()
}

const APT_LIMIT: Duration = Duration::from_secs(5 * 60);

fn apt(words: &[&str]) -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-y", "--no-install-recommends"]);
    for option in [
        "Acquire::http::Timeout=20",
        "Acquire::https::Timeout=20",
        "Acquire::Retries=2",
        "DPkg::Lock::Timeout=120",
    ] {
        apt.args(["-o", option]);
    }
    apt.args(words);
    apt
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn a_release_is_read_from_what_rustc_prints() {
        assert_eq!(
            release("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"),
            Some((1, 96))
        );
        assert_eq!(release("rustc 1.97.0-nightly (e50aa6fba 2026-05-19)"), Some((1, 97)));
        assert_eq!(release("1.88"), Some((1, 88)));
        assert_eq!(release("command not found"), None);
    }
}
