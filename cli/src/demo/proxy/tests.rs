use super::{LinkCounts, Proxy};
use crate::demo::timeline::{Phase, Schedule};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Guards a test against hanging; nothing is measured by it.
const LIMIT: Duration = Duration::from_secs(30);

fn schedule() -> Schedule {
    Schedule::new(1, Duration::from_secs(20))
}

/// A server that sends every frame back; it lives as long as the set.
async fn echo() -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(async move {
                let (mut from, mut to) = stream.into_split();
                _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    (addr, tasks)
}

async fn send(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    stream.write_u32(u32::try_from(body.len()).unwrap()).await?;
    stream.write_all(body).await
}

async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut body = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn link() -> (Proxy, TcpStream, JoinSet<()>) {
    let (server, tasks) = echo().await;
    let proxy = Proxy::start(server, schedule()).await.unwrap();
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    send(&mut client, b"hello").await.unwrap();
    assert_eq!(receive(&mut client).await.unwrap(), b"hello");
    (proxy, client, tasks)
}

#[tokio::test]
async fn a_good_link_carries_every_frame_unchanged() {
    let (proxy, mut client, _tasks) = link().await;
    let work = async {
        for length in [0_usize, 1, 3, 4, 5, 1000, 70_000, 1 << 20] {
            let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let (mut reader, mut writer) = client.split();
            let (sent, received) = tokio::join!(
                async {
                    writer.write_u32(u32::try_from(length).unwrap()).await?;
                    writer.write_all(&body).await
                },
                async {
                    let mut back = vec![0; reader.read_u32().await? as usize];
                    reader.read_exact(&mut back).await?;
                    io::Result::Ok(back)
                }
            );
            sent.unwrap();
            assert_eq!(received.unwrap(), body);
        }
    };
    tokio::time::timeout(LIMIT, work).await.expect("no frame hangs");
    let counts = proxy.counts();
    assert_eq!(
        counts,
        LinkCounts { connections: 1, frames_to_server: 9, frames_to_client: 9, ..LinkCounts::default() }
    );
}

#[tokio::test]
async fn a_slow_link_delays_both_ways_and_keeps_the_order() {
    let (proxy, mut client, _tasks) = link().await;
    proxy.enter(Phase::Slow);
    let schedule = schedule();
    let start = Instant::now();
    let work = async {
        for number in 0..20_u8 {
            send(&mut client, &[number]).await.unwrap();
        }
        for number in 0..20_u8 {
            assert_eq!(receive(&mut client).await.unwrap(), [number]);
        }
    };
    tokio::time::timeout(LIMIT, work).await.expect("no frame hangs");
    let least =
        schedule.added_latency_us.iter().min().map(|&micros| Duration::from_micros(u64::from(micros)));
    assert!(start.elapsed() >= 2 * least.unwrap(), "both directions are late");
    assert_eq!(proxy.counts().frames_delayed, 40);

    proxy.enter(Phase::Healthy);
    send(&mut client, b"again").await.unwrap();
    assert_eq!(receive(&mut client).await.unwrap(), b"again");
    assert_eq!(proxy.counts().frames_delayed, 40);
}

#[tokio::test]
async fn a_half_dead_link_loses_exactly_the_replies_of_the_schedule() {
    let (proxy, mut client, _tasks) = link().await;
    proxy.enter(Phase::HalfDead);
    let schedule = schedule();
    let work = async {
        for number in 0..200_u64 {
            send(&mut client, &number.to_le_bytes()).await.unwrap();
        }
        for number in (0..200_u64).filter(|number| !schedule.is_lost(*number)) {
            assert_eq!(receive(&mut client).await.unwrap(), number.to_le_bytes());
        }
    };
    tokio::time::timeout(LIMIT, work).await.expect("every reply that is not lost comes");
    assert_eq!(proxy.counts().replies_lost, 20);
}

#[tokio::test]
async fn the_handshake_of_a_connection_is_never_lost() {
    let (proxy, _client, _tasks) = link().await;
    proxy.enter(Phase::HalfDead);
    for _ in 0..20 {
        let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
        send(&mut client, b"hello").await.unwrap();
        let hello =
            tokio::time::timeout(LIMIT, receive(&mut client)).await.expect("a handshake comes through");
        assert_eq!(hello.unwrap(), b"hello");
    }
    assert_eq!(proxy.counts().replies_lost, 0);
}

#[tokio::test]
async fn a_reset_is_a_reset_and_hits_one_connection() {
    let (proxy, mut first, _tasks) = link().await;
    let mut second = TcpStream::connect(proxy.addr()).await.unwrap();
    send(&mut second, b"hello").await.unwrap();
    receive(&mut second).await.unwrap();

    proxy.reset(3);
    let error =
        tokio::time::timeout(LIMIT, receive(&mut second)).await.expect("the reset arrives").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    send(&mut first, b"still here").await.unwrap();
    assert_eq!(receive(&mut first).await.unwrap(), b"still here");
    assert_eq!(proxy.counts().resets, 1);
}

#[tokio::test]
async fn a_server_that_does_not_listen_resets_the_client() {
    let (server, tasks) = echo().await;
    drop(tasks);
    tokio::task::yield_now().await;
    let proxy = Proxy::start(server, schedule()).await.unwrap();
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    let error =
        tokio::time::timeout(LIMIT, receive(&mut client)).await.expect("the refusal arrives").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(proxy.counts().unreachable, 1);
    proxy.reset(0);
    assert_eq!(proxy.counts().resets, 0);
}

#[tokio::test]
async fn a_frame_that_claims_four_gigabytes_ends_its_connection_only() {
    let (proxy, mut first, _tasks) = link().await;
    let mut liar = TcpStream::connect(proxy.addr()).await.unwrap();
    liar.write_u32(u32::MAX).await.unwrap();
    let ended = tokio::time::timeout(LIMIT, receive(&mut liar)).await.expect("the connection ends");
    assert!(ended.is_err());
    send(&mut first, b"still here").await.unwrap();
    assert_eq!(receive(&mut first).await.unwrap(), b"still here");
}

#[tokio::test]
async fn a_dropped_proxy_takes_its_connections_with_it() {
    let (proxy, mut client, _tasks) = link().await;
    drop(proxy);
    let ended = tokio::time::timeout(LIMIT, receive(&mut client)).await.expect("the connection ends");
    assert!(ended.is_err());
}
