//! A node that is started and stopped, over real sockets.
#![cfg(feature = "dwcp")]

use std::time::Duration;

use seawall::Error;
use seawall::Policy;
use seawall::core::bulkhead;
use seawall::core::degradation::Level;
use seawall::core::rate_limiter::Quota;
use seawall::dwcp::{
    CallError, IncomingRequest, Manager, ManagerConfig, ManagerError, Operation, Rejection, Reply,
    StartError, Status,
};

const HANG: Duration = Duration::from_secs(30);

async fn echo(request: IncomingRequest) -> Reply {
    Reply::ok(request.body)
}

fn config(listen: Option<&str>, peers: &[String]) -> ManagerConfig {
    let mut config = ManagerConfig::new(listen, peers.to_vec());
    config.client.transport.drain_limit = Duration::from_millis(500);
    config.client.transport.reconnect_initial = Duration::from_millis(2);
    config.client.transport.reconnect_max = Duration::from_millis(10);
    config
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(HANG, waiting).await.unwrap_or_else(|_| panic!("{what} takes for ever"));
}

#[tokio::test]
async fn a_node_starts_stops_and_starts_again() {
    let far = Manager::new(config(Some("127.0.0.1:0"), &[]), echo).unwrap();
    assert!(!far.is_running() && !far.is_healthy());
    far.start().await.unwrap();
    assert!(far.is_running() && far.is_healthy(), "a node without peers has nothing to miss");
    let address = far.local_addr().unwrap().to_string();

    let near = Manager::new(config(None, &[address]), echo).unwrap();
    assert!(near.client().is_none());
    for round in 1..=3 {
        near.start().await.unwrap();
        assert!(matches!(near.start().await, Err(ManagerError::AlreadyRunning)));
        eventually("connecting", || near.is_healthy()).await;
        let client = near.client().unwrap();
        assert_eq!(client.send("hello").await.unwrap(), "hello");
        // The guards live through stops and starts.
        assert_eq!(near.stats().outbound.guard("send").unwrap().calls.successes, round);

        assert!(near.stop().await.is_complete());
        assert!(!near.is_running() && !near.is_healthy() && near.client().is_none());
        assert!(client.send("hello").await.is_err(), "a client of the last start stays closed");
        // That was a call, too, but none that says anything about the peer.
        assert_eq!(near.stats().outbound.guard("send").unwrap().calls.ignored, round);
    }
    assert!(near.stop().await.is_complete(), "stopping what is stopped changes nothing");

    eventually("the goodbyes", || far.stats().server.unwrap().connections == 0).await;
    assert_eq!(far.stats().inbound.guard("inbound-send").unwrap().calls.successes, 3);
    assert_eq!(far.degradation_level(), Level::Normal);
    far.stop().await;
}

#[tokio::test]
async fn a_node_whose_peer_goes_and_comes_is_unhealthy_in_between() {
    let far = Manager::new(config(Some("127.0.0.1:0"), &[]), echo).unwrap();
    far.start().await.unwrap();
    let address = far.local_addr().unwrap().to_string();
    let near = Manager::new(config(None, std::slice::from_ref(&address)), echo).unwrap();
    near.start().await.unwrap();
    eventually("connecting", || near.is_healthy()).await;
    far.stop().await;
    eventually("losing it", || !near.is_healthy()).await;
    // The same address, so the port must have been given back.
    let back = Manager::new(config(Some(&address), &[]), echo).unwrap();
    back.start().await.unwrap();
    eventually("finding it", || near.is_healthy()).await;
    near.client().unwrap().consensus("vote").await.unwrap();
    near.stop().await;
    back.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_named_and_the_node_can_start_later() {
    let first = Manager::new(config(Some("127.0.0.1:0"), &[]), echo).unwrap();
    first.start().await.unwrap();
    let address = first.local_addr().unwrap().to_string();
    let second = Manager::new(config(Some(&address), &[]), echo).unwrap();
    let error = second.start().await.unwrap_err();
    assert!(matches!(error, ManagerError::Start(StartError::Bind { .. })));
    assert!(error.to_string().contains(&address), "{error}");
    assert!(!second.is_running());
    first.stop().await;
    second.start().await.unwrap();
    second.stop().await;
}

#[tokio::test]
async fn an_overloaded_node_refuses_what_it_cannot_do_and_says_when_to_come_back() {
    let mut limits = config(Some("127.0.0.1:0"), &[]);
    let inbound = limits.inbound.as_mut().unwrap();
    inbound.send.policy = Policy::new().rate_limit(Quota::new(1, HANG * 10));
    inbound.sync.policy = Policy::new().bulkhead(bulkhead::Config::new(0).max_waiting(0));
    let far = Manager::new(limits, echo).unwrap();
    far.start().await.unwrap();
    let mut plain = config(None, &[far.local_addr().unwrap().to_string()]);
    plain.client.policies.send.policy = Policy::new();
    plain.client.policies.sync.policy = Policy::new();
    let near = Manager::new(plain, echo).unwrap();
    near.start().await.unwrap();
    let client = near.client().unwrap();

    client.send("fits").await.unwrap();
    let Err(Error::Failed { error: CallError::Refused { status, retry_after, .. }, .. }) =
        client.send("too much").await
    else {
        panic!("the bucket holds one")
    };
    assert_eq!(status, Status::Rejected(Rejection::Limited));
    assert!(retry_after.is_some_and(|after| after > HANG && after <= HANG * 10), "{retry_after:?}");
    let Err(Error::Failed { error, .. }) = client.sync("no slot").await else { panic!("there is no slot") };
    assert_eq!(error.kind(), "rejected_by_peer");
    client.consensus("another operation").await.unwrap();

    let stats = far.stats();
    assert_eq!(stats.inbound.guard("inbound-send").unwrap().calls.rejected.rate_limiter, 1);
    assert_eq!(stats.inbound.guard("inbound-sync").unwrap().calls.rejected.bulkhead, 1);
    near.stop().await;
    far.stop().await;
}

#[tokio::test]
async fn the_error_budget_of_an_operation_can_be_asked_for() {
    let node = Manager::new(config(None, &["127.0.0.1:1".to_owned()]), echo).unwrap();
    let before = node.check_error_budget(Operation::Sync).unwrap();
    assert_eq!((before.calls, before.exhausted), (0, false));
    node.start().await.unwrap();
    let client = node.client().unwrap();
    let deadline = seawall::dwcp::CallOptions::new().deadline(Duration::from_millis(200));
    client.request(Operation::Sync, "state", deadline).await.unwrap_err();
    let after = node.check_error_budget(Operation::Sync).unwrap();
    assert_eq!((after.calls, after.failures, after.exhausted), (1, 1, false));
    assert_eq!(node.check_error_budget(Operation::Send).unwrap().calls, 0);
    node.stop().await;
}

/// B79: chaos by mistake. What the policies say strikes nobody before the program says so, and then the right operations.
#[cfg(feature = "chaos")]
#[tokio::test]
async fn chaos_of_the_policies_is_armed_by_hand_and_for_requests_to_peers() {
    use seawall::chaos::{Config, Fault, Kind, Rule};
    use seawall::core::Ratio;

    let faults = Some(Config::new().rule(Rule::new(Fault::Error, Ratio::ONE)));
    let far = {
        let mut config = config(Some("127.0.0.1:0"), &[]);
        config.client.policies.send.chaos = faults;
        config.inbound = Some(config.client.policies);
        Manager::new(config, echo).unwrap()
    };
    far.start().await.unwrap();
    let mut config = config(None, &[far.local_addr().unwrap().to_string()]);
    config.client.policies.send.chaos = faults;
    let near = Manager::new(config, echo).unwrap();
    near.start().await.unwrap();
    let client = near.client().unwrap();
    assert_eq!(client.send("hello").await.unwrap(), "hello");
    assert!(near.disarm_chaos().is_empty());

    assert_eq!(far.arm_chaos(), [Operation::Send]);
    assert_eq!(client.send("hello").await.unwrap(), "hello", "what comes from peers is not struck");
    assert!(near.registry().guards().iter().all(|guard| !guard.chaos().armed));
    assert_eq!(near.arm_chaos(), [Operation::Send]);
    let struck = client.send("hello").await;
    assert!(matches!(struck, Err(Error::Injected { fault: Kind::Error, .. })), "{struck:?}");
    assert_eq!(client.sync("state").await.unwrap(), "state", "it has no faults");
    assert_eq!(near.stats().outbound.guard("send").unwrap().calls.failures, 1);

    near.stop().await;
    near.start().await.unwrap();
    assert_eq!(near.client().unwrap().disarm_chaos(), [Operation::Send], "it is armed until it is not");
    assert_eq!(near.client().unwrap().send("hello").await.unwrap(), "hello");

    let mut wrong = self::config(None, &[]);
    wrong.client.policies.sync.chaos = Some(Config::new().wake(Duration::MAX));
    assert_eq!(Manager::new(wrong, echo).unwrap_err().to_string(), "sync.chaos.wake must be at most an hour");
    near.stop().await;
    far.stop().await;
}
