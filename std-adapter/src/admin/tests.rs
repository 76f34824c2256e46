use std::time::Duration;

use seawall_core::{Instant, ManualClock, Ratio, circuit_breaker, error_budget};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::guard::Guard;
use crate::{Policy, stats::Stats};

const HANG: Duration = Duration::from_secs(30);

fn manual_clock() -> &'static ManualClock {
    Box::leak(Box::new(ManualClock::new(Instant::from_secs(1))))
}

fn guard(name: &str, clock: &'static ManualClock) -> Guard<&'static ManualClock> {
    let policy = Policy::new()
        .circuit_breaker(circuit_breaker::Config::consecutive_failures(1).open_for(Duration::from_secs(10)))
        .error_budget(
            error_budget::Config::new(Ratio::percent(50), Duration::from_secs(60)).minimum_calls(1),
        );
    Guard::with_clock(name, policy, clock).unwrap()
}

fn admin(guards: &[Guard<&'static ManualClock>]) -> Admin<&'static ManualClock> {
    let guards = guards.to_vec();
    Admin::new(move || guards.clone())
}

async fn serve(admin: Admin<&'static ManualClock>) -> AdminServer {
    admin.serve("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.status, 200);
        assert!(self.head.contains("content-type: application/json"), "{}", self.head);
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn ask(server: &AdminServer, request: &str) -> Answer {
    let exchange = async {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        let request = format!("{request}\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(HANG, exchange).await.expect("the server answers");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

async fn get(server: &AdminServer, path: &str) -> Answer {
    ask(server, &format!("GET {path} HTTP/1.1")).await
}

#[tokio::test]
async fn readiness_follows_the_required_breakers() {
    let clock = manual_clock();
    let (send, sync) = (guard("send", clock), guard("sync", clock));
    let server = serve(admin(&[send.clone(), sync.clone()]).require(["send"])).await;
    let ready = async || {
        let answer = get(&server, "/readyz").await;
        (answer.status, answer.body)
    };
    assert_eq!(ready().await, (200, "ready\n".to_owned()));

    // A breaker that nobody requires.
    assert!(sync.call_blocking(|_| Err::<(), _>("no")).is_err());
    assert_eq!(ready().await.0, 200);

    assert!(send.call_blocking(|_| Err::<(), _>("no")).is_err());
    clock.advance(Duration::from_millis(2500));
    let reason = "the circuit breaker of `send` is open for 7.500 s more\n";
    assert_eq!(ready().await, (503, reason.to_owned()));
    assert_eq!(get(&server, "/livez").await.status, 200);
    assert_eq!(get(&server, "/healthz").await.status, 200);

    // The open time is over, and the breaker waits for a probe that only comes if the node is asked.
    clock.advance(Duration::from_millis(7500));
    assert_eq!(ready().await.0, 200);
    // So it is while the probe is out, and no other call would pass.
    let probe = send.call(async |attempt| {
        assert!(attempt.is_probe());
        assert_eq!(ready().await.0, 200);
        Err::<(), _>("no")
    });
    assert!(probe.await.is_err());
    assert_eq!(ready().await.0, 503);

    send.force_open();
    let reason = "the circuit breaker of `send` is open until it is reset\n";
    assert_eq!(ready().await, (503, reason.to_owned()));
    send.reset();
    assert_eq!(ready().await.0, 200);
    server.shutdown().await;
}

#[tokio::test]
async fn a_draining_node_is_live_and_not_ready() {
    let page = admin(&[]).require(["send"]);
    let draining = page.drain();
    let server = serve(page).await;
    assert_eq!(get(&server, "/readyz").await.body, "there is no guard `send`\n");
    draining.begin();
    let answer = get(&server, "/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "draining\nthere is no guard `send`\n"));
    assert_eq!(get(&server, "/livez").await.status, 200);
    let node = get(&server, "/stats").await.json();
    assert_eq!((&node["ready"], &node["draining"]), (&Value::Bool(false), &Value::Bool(true)));
}

#[tokio::test]
async fn metrics_come_in_the_format_that_was_asked_for() {
    let server = serve(admin(&[guard("send", manual_clock())])).await;
    let text = get(&server, "/metrics").await;
    assert_eq!(text.status, 200);
    assert!(
        text.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{}",
        text.head
    );
    assert!(text.body.contains("# TYPE dwcp_circuit_breaker_requests_total counter\n"));
    assert!(!text.body.contains("# EOF"));

    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    let open_metrics = ask(&server, &format!("GET /metrics HTTP/1.1\r\naccept: {accept}")).await;
    let wanted = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(open_metrics.head.contains(wanted), "{}", open_metrics.head);
    assert!(open_metrics.body.contains("# TYPE dwcp_circuit_breaker_requests counter\n"));
    assert!(open_metrics.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn metrics_can_have_another_namespace() {
    let guards = [guard("send", manual_clock())];
    let list = guards.clone();
    let metrics = Metrics::with_namespace("uplink", GuardCollector::new(move || list.clone())).unwrap();
    let server = serve(admin(&guards).metrics(metrics)).await;
    let body = get(&server, "/metrics").await.body;
    assert!(body.contains("uplink_circuit_breaker_state{name=\"send\"} 0\n"), "{body}");
    assert!(!body.contains("dwcp_"));
}

#[tokio::test]
async fn statistics_are_the_same_at_both_paths_and_can_be_read_back() {
    let clock = manual_clock();
    let send = guard("send", clock);
    let server = serve(admin(std::slice::from_ref(&send))).await;
    assert!(send.call_blocking(|_| Err::<(), _>("no")).is_err());
    let node = get(&server, "/stats").await.json();
    assert_eq!((&node["ready"], &node["draining"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!(node["guards"][0]["circuit_breaker"]["last_transition"]["cause"], "1 failure in a row");
    assert_eq!(node["guards"][0]["error_budget"]["exhausted"], Value::Bool(true));
    assert_eq!(node, get(&server, "/debug/resilience").await.json());
    let read: Stats = serde_json::from_value(node).unwrap();
    assert_eq!(read, Stats::of([&send]));
}

#[tokio::test]
async fn asking_for_statistics_lets_the_budget_of_an_idle_guard_recover() {
    let clock = manual_clock();
    let send = guard("send", clock);
    let server = serve(admin(std::slice::from_ref(&send))).await;
    assert!(send.call_blocking(|_| Err::<(), _>("no")).is_err());
    clock.advance(Duration::from_secs(61));
    let node = get(&server, "/stats").await.json();
    let last = node["guards"][0]["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["pattern"], &last["exhausted"]), (&Value::from("error_budget"), &Value::Bool(false)));
}

#[tokio::test]
async fn nothing_can_be_changed() {
    let server = serve(admin(&[])).await;
    for path in ["/metrics", "/livez", "/healthz", "/readyz", "/stats", "/debug/resilience"] {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let answer = ask(&server, &format!("{method} {path} HTTP/1.1\r\ncontent-length: 0")).await;
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
    assert_eq!(get(&server, "/reset").await.status, 404);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let server = serve(admin(&[])).await;
    let addr = server.local_addr();
    let error = admin(&[]).serve(addr).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot serve the admin page at {addr}: the address is in use"));
    server.shutdown().await;
}

#[tokio::test]
async fn after_a_shutdown_the_port_is_free_though_a_client_keeps_its_connection() {
    let server = serve(admin(&[])).await;
    let addr = server.local_addr();
    let mut idle = TcpStream::connect(addr).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut some = [0; 16];
    idle.read_exact(&mut some).await.unwrap();
    assert_eq!(&some[..15], b"HTTP/1.1 200 OK");
    tokio::time::timeout(HANG, server.shutdown()).await.expect("it waits for a second at most");
    assert!(TcpStream::connect(addr).await.is_err());
    let mut rest = Vec::new();
    tokio::time::timeout(HANG, idle.read_to_end(&mut rest))
        .await
        .expect("it closes idle connections")
        .unwrap();
}

#[tokio::test]
async fn dropping_the_server_stops_it() {
    let server = serve(admin(&[])).await;
    let addr = server.local_addr();
    drop(server);
    let stopped = async {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(HANG, stopped).await.expect("it stops");
}

#[tokio::test]
async fn the_router_nests() {
    let app = Router::new().nest("/admin", admin(&[]).router());
    let server = AdminServer::start(app, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    assert_eq!(get(&server, "/admin/livez").await.status, 200);
    assert_eq!(get(&server, "/livez").await.status, 404);
}
