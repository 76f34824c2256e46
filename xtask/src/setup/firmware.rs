//! What it takes to build and run programs for microcontrollers: a linker and an emulator.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{APT_LIMIT, Bare, Missing, apt, apt_install, ask, sysroot};
use crate::job::Job;

impl Bare {
    /// Lets cargo build with this compiler, and with its library's sources where the target is not installed.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        if let Self::FromSource { rustc } = self {
            cargo.arg("-Zbuild-std=core,alloc").env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
        }
    }
}

/// Tells cargo which linker makes programs for `triple`, where the compiler does not bring its own.
pub(crate) fn need_linker(job: &mut Job<'_>, bare: &Bare, triple: &str, cargo: &mut Command) -> Result<()> {
    let Bare::FromSource { rustc } = bare else { return Ok(()) };
    if sysroot(rustc).and_then(|sysroot| lld_in(&sysroot)).is_some() {
        return Ok(());
    }
    let other = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut linker = sysroot(Path::new(&other)).and_then(|sysroot| lld_in(&sysroot)).or_else(lld);
    if linker.is_none() && apt_install(job, &["lld"])? {
        linker = lld();
    }
    let Some(linker) = linker else {
        bail!(Missing("no lld: `apt-get install lld`, or a Rust toolchain that has rust-lld".to_owned()));
    };
    let triple = triple.to_uppercase().replace('-', "_");
    cargo.env(format!("CARGO_TARGET_{triple}_LINKER"), linker);
    Ok(())
}

fn lld() -> Option<PathBuf> {
    ask("ld.lld", &["--version"]).map(|_| "ld.lld".into())
}

/// The linker that a toolchain of rustup brings for bare targets.
fn lld_in(sysroot: &Path) -> Option<PathBuf> {
    let hosts = fs::read_dir(sysroot.join("lib/rustlib")).ok()?;
    let mut found = hosts.filter_map(|host| Some(host.ok()?.path().join("bin/rust-lld")));
    found.find(|lld| lld.is_file())
}

/// QEMU for ARM, and where the libraries lie that it was unpacked with.
#[derive(Debug)]
pub(crate) struct Qemu {
    program: PathBuf,
    libraries: Option<OsString>,
}

impl Qemu {
    const NAME: &'static str = "qemu-system-arm";

    /// Finds QEMU, or unpacks Debian's into `target/tools`, or says how to get it.
    ///
    /// It is unpacked and not installed: its packages ask for others of their very version, and an installation would
    /// then remove what the machine has of another one.
    pub(crate) fn need(job: &mut Job<'_>) -> Result<Self> {
        let installed = Self { program: Self::NAME.into(), libraries: None };
        if installed.works() {
            return Ok(installed);
        }
        let folder = job.context.target.join("tools").join("qemu");
        if let Some(unpacked) = Self::unpacked(&folder.join("root")) {
            return Ok(unpacked);
        }
        if ask("apt-get", &["--version"]).is_some() && ask("dpkg-deb", &["--version"]).is_some() {
            job.progress(&format!("unpacking {} into {}", Self::NAME, folder.display()))?;
            unpack(job, &folder)?;
            if let Some(unpacked) = Self::unpacked(&folder.join("root")) {
                return Ok(unpacked);
            }
        }
        bail!(Missing(format!("no {0}: `apt-get install {0}`", Self::NAME)));
    }

    fn unpacked(root: &Path) -> Option<Self> {
        let mut libraries = Vec::new();
        for folder in [root.join("usr/lib"), root.join("lib")] {
            let triples = fs::read_dir(folder).ok()?;
            libraries.extend(triples.filter_map(|it| Some(it.ok()?.path())).filter(|path| path.is_dir()));
        }
        let libraries = std::env::join_paths(libraries).ok();
        let qemu = Self { program: root.join("usr/bin").join(Self::NAME), libraries };
        qemu.works().then_some(qemu)
    }

    fn works(&self) -> bool {
        self.command().arg("--version").output().is_ok_and(|answer| answer.status.success())
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }
}

/// Downloads the package with all that the machine lacks for it, and unpacks them into `folder/root`.
fn unpack(job: &mut Job<'_>, folder: &Path) -> Result<()> {
    let packages = folder.join("packages");
    fs::create_dir_all(packages.join("partial")).with_context(|| format!("making {}", packages.display()))?;
    let download = || {
        let mut download = apt(&["install"]);
        let cache = format!("Dir::Cache::archives={}", packages.display());
        download.args(["--download-only", "-o", "Debug::NoLocking=1", "-o", &cache, Qemu::NAME]);
        download
    };
    if !job.step_within(&mut download(), APT_LIMIT)?.passed() {
        job.step_within(&mut apt(&["update"]), APT_LIMIT)?;
        if !job.step_within(&mut download(), APT_LIMIT)?.passed() {
            return Ok(());
        }
    }
    for entry in fs::read_dir(&packages).with_context(|| format!("listing {}", packages.display()))? {
        let package = entry.with_context(|| format!("listing {}", packages.display()))?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            job.step(Command::new("dpkg-deb").arg("-x").arg(&package).arg(folder.join("root")))?;
        }
    }
    Ok(())
}
