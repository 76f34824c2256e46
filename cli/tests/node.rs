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
