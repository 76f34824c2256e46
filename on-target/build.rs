//! Picks the board's memory and clock, and finds core's scenarios.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// How many programs the scenarios are: `src/bin/scenarios_1.rs` and so on.
const PARTS: usize = 3;

/// What stands before each scenario: on the host it is a test.
const MARK: &str = "#[cfg_attr(test, test)]";

fn main() {
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo names the output folder"));
    let write = |name: &str, text: &str| {
        fs::write(out.join(name), text).unwrap_or_else(|error| panic!("writing {name}: {error}"));
    };
    let (flash, ram, hertz) = board();
    write(
        "memory.x",
        &format!(
            "MEMORY {{ FLASH : ORIGIN = 0x00000000, LENGTH = {flash}K  RAM : ORIGIN = 0x20000000, LENGTH = {ram}K }}\n"
        ),
    );
    write("board.rs", &format!("pub const CORE_HERTZ: u32 = {hertz};\n"));
    for (part, text) in scenarios(Path::new("../core/tests/scenarios")).iter().enumerate() {
        write(&format!("scenarios_{}.rs", part + 1), text);
    }
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg=-Tlink.x");
    println!("cargo:rustc-link-arg=--nmagic");
    println!("cargo:rerun-if-changed=build.rs");
}

/// Kibibytes of flash and of RAM, and the frequency of the core clock.
fn board() -> (u32, u32, u32) {
    let chosen = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    match (chosen("LM3S6965"), chosen("MICROBIT")) {
        (true, false) => (256, 64, 12_500_000),
        (false, true) => (256, 16, 16_000_000),
        _ => panic!("choose one board: `--features lm3s6965` or `--features microbit`"),
    }
}

/// The scenario files as modules, and a table of their scenarios, in parts that are about as long as each other.
///
/// All of them in one program do not fit the flash.
fn scenarios(folder: &Path) -> [String; PARTS] {
    println!("cargo:rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder).expect("core has scenarios");
    let mut files: Vec<(PathBuf, String)> = entries
        .map(|entry| {
            let path = fs::canonicalize(entry.expect("the folder can be listed").path());
            let path = path.expect("the file was just listed");
            let text = fs::read_to_string(&path).expect("a scenario file is text");
            (path, text)
        })
        .collect();
    files.sort_by_key(|(path, text)| (Reverse(text.len()), path.clone()));
    let mut parts = [const { (0, String::new(), String::new()) }; PARTS];
    for (file, text) in files {
        let module = file.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
        let table = table(&file, module, &text);
        // What has no scenarios is what the others share.
        let shared = table.is_empty();
        let shortest = parts.iter().map(|(length, ..)| *length).min();
        for (length, modules, tables) in &mut parts {
            if shared || Some(*length) == shortest {
                writeln!(modules, "#[path = {file:?}] mod {module};").expect("a string grows");
                tables.push_str(&table);
                *length += text.len();
                if !shared {
                    break;
                }
            }
        }
    }
    parts.map(|(_, modules, table)| {
        format!("{modules}\npub(crate) const SCENARIOS: &[(&str, fn())] = &[\n{table}];\n")
    })
}

/// The lines of a file's scenarios.
fn table(file: &Path, module: &str, text: &str) -> String {
    let mut table = String::new();
    let mut lines = text.lines();
    while lines.any(|line| line == MARK) {
        let function =
            lines.next().and_then(|line| line.strip_prefix("pub(crate) fn ")?.strip_suffix("() {"));
        let Some(function) = function else {
            panic!("{}: `{MARK}` stands before `pub(crate) fn NAME() {{`", file.display());
        };
        writeln!(table, "    (\"{module}::{function}\", {module}::{function}),").expect("a string grows");
    }
    table
}
