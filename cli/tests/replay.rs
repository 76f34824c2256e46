//! `seawall replay` as a user runs it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use seawall::core::{Backoff, backoff::Jitter, bulkhead, circuit_breaker, rate_limiter::Quota, retry};
use seawall::{Guard, Policy};

/// Runs the program with these arguments and this text on standard input.
fn replay(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_seawall"))
        .arg("replay")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that does not read to the end closes the pipe.
    _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    child.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the output is text")
}

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "jsonl")).collect();
    scripts.sort();
    scripts
}

#[test]
fn every_example_is_as_it_expects_and_prints_one_json_object_a_line() {
    let scripts = examples();
    assert!(scripts.len() >= 18, "the examples are there");
    for script in scripts {
        let output = replay(&[script.to_str().unwrap()], "");
        let complaints = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{complaints}");
        assert!(complaints.contains(" 0 failed"), "{complaints}");
        let lines = text(&output.stdout);
        assert!(lines.lines().count() > 10);
        for line in lines.lines() {
            let decision: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(decision["line"].is_u64() && decision["at_ns"].is_u64(), "{line}");
        }
        let again = replay(&[script.to_str().unwrap()], "");
        assert_eq!(again.stdout, output.stdout, "the same bytes each time");
    }
}

const SCRIPT: &str = r#"{"policy": {"rate_limiter": {"rate": 1}}}
{"op": "rate_limiter.try_acquire", "times": 2, "expect_admitted": 1}
"#;

#[test]
fn the_exit_status_says_how_it_ended() {
    let as_expected = replay(&["-"], SCRIPT);
    assert_eq!(as_expected.status.code(), Some(0));
    let unexpected = replay(&["-"], &SCRIPT.replace("admitted\": 1", "admitted\": 2"));
    assert_eq!(unexpected.status.code(), Some(1));
    assert_eq!(unexpected.stdout, as_expected.stdout);
    let errors = text(&unexpected.stderr);
    assert!(errors.starts_with("standard input:2: rate_limiter.try_acquire: expected 2 admitted, got 1\n"));
    for wrong in
        [SCRIPT.replace("\"op\"", "\"opp\""), "PK\u{3}\u{4}".to_owned(), String::new(), "{".to_owned()]
    {
        let wrong = replay(&["-"], &wrong);
        assert_eq!(wrong.status.code(), Some(2));
        assert!(wrong.stdout.is_empty(), "nothing runs");
        assert!(text(&wrong.stderr).starts_with("standard input"));
    }
    assert_eq!(replay(&["no such file"], "").status.code(), Some(2));
    assert_eq!(replay(&[], "").status.code(), Some(2));
}

#[test]
fn a_script_that_is_wrong_or_missing_prints_no_decision() {
    let missing = replay(&["no such file.jsonl"], "");
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).starts_with("seawall: no such file.jsonl: "), "{}", text(&missing.stderr));
    let script = r#"{"policy": {"circuit_breaker": {"consecutive_failures": 1}}}
{"op": "circuit_breaker.trip"}
{"op": "circuit_breaker.trip", "expect": {"counts": {"sucesses": null}}}"#;
    let wrong = replay(&["-"], script);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stdout.is_empty(), "{}", text(&wrong.stdout));
    assert!(text(&wrong.stderr).contains("unknown field \"sucesses\""), "{}", text(&wrong.stderr));
}

/// A file without an end is refused before it fills the memory.
#[test]
fn a_file_that_is_too_long_is_refused() {
    for file in ["/dev/zero", "-"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_seawall"))
            .args(["replay", file])
            .stdin(std::fs::File::open("/dev/zero").unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        assert_eq!(child.wait().unwrap().code(), Some(2));
        let errors = text(&child.wait_with_output().unwrap().stderr);
        assert!(errors.contains("is longer than 64 MiB"), "{errors}");
    }
}

#[test]
fn a_table_for_people_has_a_row_for_each_decision() {
    let output = replay(&["--pretty", "-"], SCRIPT);
    let table = text(&output.stdout);
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0].contains("operation") && rows[1].contains("2.1") && rows[2].contains("retry_after=1s"));
}

/// A server whose threads share a guard that records, from its calls to the line that the program prints.
#[test]
fn the_log_of_a_servers_guard_is_replayed_to_the_decisions_that_it_took() {
    let policy = Policy::new()
        .rate_limit(Quota::per_second(5000).burst(50))
        .bulkhead(bulkhead::Config::new(2).max_wait(Duration::from_millis(5)))
        .circuit_breaker(circuit_breaker::Config::consecutive_failures(4).open_for(Duration::from_millis(1)))
        .retry(retry::Config::attempts(2, Backoff::constant(Duration::from_micros(20)).jitter(Jitter::Full)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storage.log");
    let guard = Guard::recorded("storage", policy, vec![0; 1 << 20]).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let guard = &guard;
            scope.spawn(move || {
                for n in 0..200 {
                    let _ = guard.call_blocking(|_| if (n + worker) % 5 < 2 { Err(()) } else { Ok(n) });
                }
            });
        }
    });
    guard.force_open();
    let recording = guard.recording().unwrap();
    recording.save(&path).unwrap();
    assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_err());
    recording.save(&path).unwrap();
    assert_eq!(recording.lost(), 0);

    let output = replay(&[path.to_str().unwrap()], "");
    let (lines, end) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{end}");
    let steps = lines.lines().count() - 1;
    assert_eq!(end, format!("{}: {steps} decisions, each as recorded\n", path.display()));
    assert!(steps > 600, "{steps}");
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["op"], &last["rejected_by"]), (&"guard.begin".into(), &"circuit_breaker".into()));

    // What goes around the log is seen by its replay.
    let guard = Guard::recorded("storage", policy, vec![0; 1 << 12]).unwrap();
    guard.decisions().breaker().unwrap().force_open();
    assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_err());
    let other = folder.path().join("around.log");
    guard.recording().unwrap().save(&other).unwrap();
    let output = replay(&[other.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains(r#""differs":true"#));
}

#[test]
fn hostile_scripts_are_errors_and_no_panics() {
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let policy = r#"{"policy": {"rate_limiter": {"rate": 1}, "guard": {}}}"#;
    let name = "n".repeat(100_000);
    for hostile in [
        nested.clone(),
        format!("{{\"policy\": {nested}}}"),
        format!("{policy}\n{{\"op\": \"{name}\"}}"),
        format!("{policy}\n{{\"op\": \"rate_limiter.{name}\"}}"),
        format!("{policy}\n{{\"op\": \"rate_limiter.try_acquire\", \"as\": \"\"}}"),
        format!("{policy}\n{{\"op\": \"rate_limiter.try_acquire\", \"at\": \"99999999999999999999999999y\"}}"),
        format!("{policy}\n{{\"op\": \"rate_limiter.check\", \"cost\": 1e400}}"),
        format!("{policy}\n{{\"op\": \"guard.call\", \"outcomes\": []}}"),
        format!("{policy}\n{{\"op\": \"guard.call\", \"outcomes\": [\"success\"], \"outcome\": \"success\"}}"),
        format!("{policy}\n{{\"op\": \"drop\", \"what\": \"\\u0000\"}}"),
        "{\"policy\": {\"guard\": {\"retry\": {\"multiplier\": \"NaN\", \"backoff\": \"exponential\"}}}}".to_owned(),
        "{\"policy\": {\"guard\": {\"retry\": {\"max_attempts\": 4294967295, \"budget\": {\"ratio\": 1, \"cap\": \
         4294967295}}}}}\n{\"op\": \"guard.call\", \"outcome\": \"failure\"}"
            .to_owned(),
    ] {
        let output = replay(&["-"], &hostile);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(!errors.contains("panicked"), "{errors}");
    }
}
