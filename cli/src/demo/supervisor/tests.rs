use super::{Node, NodeError, Role};
use crate::report::Line;
use rustix::process::{Pid, test_kill_process};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// Guards a test against hanging; nothing is measured by it.
const LIMIT: Duration = Duration::from_secs(30);

/// A process that says what a node would say; `then` is what it does once it is ready.
async fn shell(then: &str) -> (Result<Node, NodeError>, mpsc::Receiver<Line>) {
    let (sender, lines) = mpsc::channel(16);
    let ready = r#"echo '{"ready":{"listen":"127.0.0.1:1","admin":null}}'"#;
    let script = format!("{ready}; {then}");
    let arguments = [OsString::from("-c"), OsString::from(script)];
    let node = Node::start(Path::new("/bin/sh"), Role::Server, &arguments, sender).await;
    (node.map(|(node, _)| node), lines)
}

async fn next(lines: &mut mpsc::Receiver<Line>) -> Option<Line> {
    tokio::time::timeout(LIMIT, lines.recv()).await.expect("the output goes on or ends")
}

#[tokio::test]
async fn a_dismissed_node_ends_and_its_last_lines_arrive() {
    let (node, mut lines) = shell(r#"echo '{"executed":1}'; cat; echo '{"executed":2}'"#).await;
    let mut node = node.unwrap();
    assert_eq!(next(&mut lines).await, Some(Line::Executed(1)));
    assert!(node.ended().await.is_none());
    node.dismiss();
    assert_eq!(next(&mut lines).await, Some(Line::Executed(2)));
    assert_eq!(next(&mut lines).await, None);
    node.gone().await.unwrap();
}

#[tokio::test]
async fn a_stopped_node_is_killed_and_what_it_wrote_before_is_not_lost() {
    let (node, mut lines) = shell(r#"printf '{"executed":7}\n{"executed":8}\n{"exec'; exec sleep 600"#).await;
    let mut node = node.unwrap();
    assert_eq!(next(&mut lines).await, Some(Line::Executed(7)));
    node.stop().unwrap();
    node.kill().await.unwrap();
    assert_eq!(next(&mut lines).await, Some(Line::Executed(8)));
    assert_eq!(next(&mut lines).await, None);
    assert!(matches!(node.stop(), Err(NodeError::Ended(Role::Server, ..))));
}

#[tokio::test]
async fn a_dropped_node_is_killed() {
    let (node, mut lines) = shell("exec sleep 600").await;
    let node = node.unwrap();
    let pid = Pid::from_raw(node.child.id().unwrap().cast_signed()).unwrap();
    assert!(test_kill_process(pid).is_ok());
    drop(node);
    assert_eq!(next(&mut lines).await, None);
    // The runtime reaps the process soon after; until then it is a zombie.
    let gone = async {
        while test_kill_process(pid).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.expect("the process is gone");
}

#[tokio::test]
async fn a_node_that_ends_early_is_explained_by_its_own_words() {
    let (sender, _lines) = mpsc::channel(16);
    let arguments = [OsString::from("-c"), OsString::from("echo 'error: no such policy' >&2; exit 2")];
    let error = Node::start(Path::new("/bin/sh"), Role::Client, &arguments, sender).await.unwrap_err();
    assert_eq!(error.to_string(), "the client node ended by itself (exit status: 2): error: no such policy");

    let (node, _lines) = shell("echo 'broken pipe' >&2; exit 3").await;
    let mut node = node.unwrap();
    let error = loop {
        if let Some(error) = node.ended().await {
            break error;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(error.to_string(), "the server node ended by itself (exit status: 3): broken pipe");
}

#[tokio::test]
async fn a_program_that_is_no_node_is_refused() {
    let (sender, _lines) = mpsc::channel(16);
    let arguments = [OsString::from("hello")];
    let error = Node::start(Path::new("/bin/echo"), Role::Server, &arguments, sender).await.unwrap_err();
    assert_eq!(error.to_string(), "the server node wrote what is no report: hello");

    let (sender, _lines) = mpsc::channel(16);
    let error = Node::start(Path::new("/no/such/program"), Role::Server, &[], sender).await.unwrap_err();
    assert!(error.to_string().starts_with("the server node: No such file"), "{error}");
}
