//! `seawall demo` as a user runs it: real processes, real sockets, a few seconds.
#![cfg(unix)]

#[path = "support/program.rs"]
mod program;

use program::{LIMIT, run, start};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// Options of a short run without a second pass.
const SHORT: [&str; 9] =
    ["demo", "--seconds", "6", "--rate", "100", "--no-compare", "--plain", "--admin", "127.0.0.1:0"];

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The address in a line such as `metrics at http://127.0.0.1:1234/metrics, …`.
fn admin(line: &str) -> String {
    let rest = line.split_once("http://").unwrap().1;
    rest.split_once('/').unwrap().0.to_owned()
}

/// The processes that a process has started, read while it runs.
#[cfg(target_os = "linux")]
fn children(id: i32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<i32>>())
        .collect()
}

/// Whether a process is gone, or only waits for somebody to take note of its end.
#[cfg(target_os = "linux")]
fn is_gone(id: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/status"))
        .map_or(true, |status| status.lines().any(|line| line.starts_with("State:") && line.contains('Z')))
}

fn signal(id: i32, signal: Signal) {
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
}

/// Asks the address `host:port` for a page, and returns the status line and the body.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("the address answers");
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

/// Waits until this holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_short_run_passes_twice_with_the_same_faults() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let (first, second, drawing) = (file("first.json"), file("second.json"), file("run.svg"));
    let with = |options: &[&str]| start(&[&SHORT, options].concat());
    let mut one =
        with(&["--seed", "1", "--json", first.to_str().unwrap(), "--svg", drawing.to_str().unwrap()]);
    let mut two = with(&["--seed", "1", "--json", second.to_str().unwrap()]);

    let address = admin(&one.line_with("metrics at http://"));
    let (status, metrics) = get(&address, "/metrics");
    assert!(status.contains("200"), "{status}");
    for family in [
        "dwcp_circuit_breaker_state",
        "dwcp_rate_limiter_current_rate",
        "dwcp_bulkhead_concurrent",
        "dwcp_retry_attempts_total",
        "dwcp_error_budget_remaining",
    ] {
        assert!(metrics.contains(family), "{family} is missing:\n{metrics}");
    }
    assert!(get(&address, "/livez").0.contains("200"));
    assert!(get(&address, "/readyz").0.contains("200"), "the node is ready while the link is good");
    let page = get(&address, "/stats").1;
    assert!(serde_json::from_str::<Value>(&page).is_ok(), "{page}");

    for program in [&mut one, &mut two] {
        let (status, errors) = program.end();
        assert!(status.success(), "{status}: {errors}");
    }
    let (first, second) = (json(&first), json(&second));
    let summary = &first["protected"]["summary"];
    let audit = &summary["audit"];
    let number = |name: &str| audit[name].as_u64().unwrap_or_else(|| panic!("{name} is a number"));
    assert_eq!(number("sent"), 600);
    assert_eq!(number("sent"), number("succeeded") + number("failed") + number("rejected"));
    for flaw in [
        "without_fate",
        "counted_twice",
        "wrong_replies",
        "answered_not_executed",
        "rejected_but_executed",
        "strange_executions",
    ] {
        assert_eq!(number(flaw), 0, "{flaw}");
    }
    assert!(number("executions") >= number("succeeded"));
    assert!(summary["openings"].as_u64().unwrap() >= 1);
    assert!(summary["heal_to_closed_ms"].is_u64());
    let schedule = &first["protected"]["record"]["schedule"];
    assert_eq!(schedule, &second["protected"]["record"]["schedule"]);
    assert_eq!(schedule["duration_ms"], 6_000);
    assert!(std::fs::read_to_string(&drawing).unwrap().starts_with("<svg "));
}

#[test]
fn control_c_ends_the_run_and_its_nodes() {
    let mut demo = start(&SHORT);
    let address = admin(&demo.line_with("metrics at http://"));
    signal(demo.id(), Signal::INT);
    let (status, errors) = demo.end();
    assert_eq!(status.code(), Some(130));
    assert_eq!(errors.trim(), "seawall demo: stopped before the end");
    until("the client node is gone", || TcpStream::connect(&address).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_leaves_no_node_behind_even_one_that_stands_still() {
    let mut demo = start(&SHORT);
    demo.line_with("the server process is stopped");
    let nodes = children(demo.id());
    assert_eq!(nodes.len(), 2);
    signal(demo.id(), Signal::KILL);
    demo.end();
    until("both nodes are gone", || nodes.iter().all(|&id| is_gone(id)));
}

#[test]
fn an_address_in_use_is_named_and_nothing_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["demo", "--admin", &address]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.starts_with(&format!("error: --admin {address}: ")), "{errors}");
    assert!(output.stdout.is_empty());
}

#[test]
fn bad_values_are_refused_before_anything_starts() {
    for (options, part) in [
        (&["--rate", "0"][..], "0 is not in 50..=20000"),
        (&["--seconds", "-3"], "-3 is not in 4..=600"),
        (&["--json", "/no/such/directory/run.json"], "error: --json /no/such/directory/run.json: "),
        (&["--policy", "/no/such/policy.toml"], "error: --policy /no/such/policy.toml: "),
    ] {
        let output = run(&[&["demo", "--admin", "127.0.0.1:0"], options].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(part), "{errors}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_policy_with_an_unknown_key_or_a_bad_duration_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    for (text, part) in [("colour = \"blue\"\n", "colour"), ("not toml", "policy.toml")] {
        std::fs::write(&path, text).unwrap();
        let output = run(&["demo", "--admin", "127.0.0.1:0", "--policy", path.to_str().unwrap()]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(part), "{errors}");
    }
}
