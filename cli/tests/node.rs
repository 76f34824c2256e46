//! `seawall node` as a program of its own.
#![cfg(unix)]

#[path = "support/program.rs"]
mod program;

use program::{Program, run, start};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A node that answers, and where it listens.
fn server() -> (Program, String) {
    let node = start(&["node", "--listen", "127.0.0.1:0"]);
    let line = node.line_with("listening on ");
    (node, line.split_once("listening on ").unwrap().1.to_owned())
}

/// Sends a short load to a node and returns what was printed.
fn load(peer: &str, options: &[&str]) -> String {
    let output = run(&[
        &["node", "--listen", "127.0.0.1:0", "--peer", peer, "--load", "100", "--load-ms", "500"],
        options,
    ]
    .concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn one_node_sends_a_load_to_another() {
    let (mut node, address) = server();
    for options in [&[][..], &["--unprotected"]] {
        let text = load(&address, options);
        assert!(text.contains("the load has ended: sent 50  succeeded 50  rejected 0  failed 0"), "{text}");
    }
    kill_process(Pid::from_raw(node.id()).unwrap(), Signal::TERM).unwrap();
    let (status, errors) = node.end();
    assert!(status.success(), "a polite request to end is no failure: {errors}");
}

#[test]
fn a_hostile_peer_does_not_end_the_node() {
    let (_node, address) = server();
    for bytes in [&u32::MAX.to_be_bytes()[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 64]] {
        let mut liar = TcpStream::connect(&address).unwrap();
        liar.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // The node says goodbye or resets the connection; either way the connection ends.
        _ = liar.read_to_end(&mut answer);
        assert!(answer.len() < 4096);
    }
    let text = load(&address, &["--unprotected"]);
    assert!(text.contains("succeeded 50"), "{text}");
}

#[test]
fn an_unreachable_peer_is_named() {
    // A port that was free a moment ago; nobody else is given it so soon.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for options in [&[][..], &["--unprotected"]] {
        let output =
            run(&[&["node", "--listen", "127.0.0.1:0", "--peer", &free, "--load", "50"], options].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.starts_with("error: ") && errors.contains(&free), "{errors}");
    }
}

#[test]
fn a_node_outlives_a_peer_that_it_cannot_reach() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut node = start(&["node", "--listen", "127.0.0.1:0", "--peer", &free]);
    let line = node.line_with("listening on ");
    let text = load(line.split_once("listening on ").unwrap().1, &["--unprotected"]);
    assert!(text.contains("succeeded 50"), "{text}");
    kill_process(Pid::from_raw(node.id()).unwrap(), Signal::TERM).unwrap();
    let (status, errors) = node.end();
    assert!(status.success());
    assert!(errors.contains(&format!("peer {free}: unreachable")), "{errors}");
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["node", "--listen", &address]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: ") && errors.contains(&address), "{errors}");
}

/// A policy whose faults strike every attempt, once they are armed.
#[cfg(feature = "chaos")]
const STRUCK: &str = "
    [send]
    retry = { enabled = false }
    circuit_breaker = { consecutive_failures = 10 }
    [[send.chaos.rules]]
    fault = { kind = 'error' }
    probability = 1
";

/// Sends a short load under this policy, and says what was printed on both streams.
fn load_under(policy: &str, options: &[&str]) -> std::process::Output {
    let (_node, address) = server();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, policy).unwrap();
    let words = ["node", "--listen", "127.0.0.1:0", "--peer", &address, "--load", "100", "--load-ms", "500"];
    run(&[&words[..], &["--config", path.to_str().unwrap()], options].concat())
}

#[cfg(feature = "chaos")]
#[test]
fn faults_of_the_policy_strike_where_they_are_armed_and_nowhere_else() {
    let armed = load_under(STRUCK, &["--arm-chaos"]);
    let (text, errors) = (String::from_utf8_lossy(&armed.stdout), String::from_utf8_lossy(&armed.stderr));
    assert!(armed.status.success(), "{errors}");
    assert_eq!(errors, "chaos: armed for send\n");
    assert!(text.contains("breaker closed → open: 10 failures in a row"), "{text}");
    assert!(text.contains("sent 50  succeeded 0  rejected ") && !text.contains("rejected 0  "), "{text}");

    let unarmed = load_under(STRUCK, &[]);
    let (text, errors) = (String::from_utf8_lossy(&unarmed.stdout), String::from_utf8_lossy(&unarmed.stderr));
    assert_eq!(errors, "chaos: the policy has faults for send, which strike only with --arm-chaos\n");
    assert!(text.contains("sent 50  succeeded 50  rejected 0  failed 0"), "{text}");
}

/// Faults that are silently not there would be taken for faults that were stood.
#[cfg(not(feature = "chaos"))]
#[test]
fn a_program_that_makes_no_faults_refuses_a_policy_that_has_some() {
    for options in [&[][..], &["--arm-chaos"]] {
        let refused = load_under(include_str!("../../policies/chaos.toml"), options);
        let errors = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{errors}");
        assert!(
            errors.contains("policy.toml: send.chaos needs a build with the feature `chaos`"),
            "{errors}"
        );
    }
}

#[test]
fn nothing_is_armed_that_is_not_there() {
    let refused = load_under("", &["--arm-chaos"]);
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{errors}");
    let why = if cfg!(feature = "chaos") { "nothing to arm" } else { "built without the feature `chaos`" };
    assert!(errors.starts_with("error: --arm-chaos: ") && errors.contains(why), "{errors}");
}
