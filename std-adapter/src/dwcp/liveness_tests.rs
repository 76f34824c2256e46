use tokio::time::{Duration, Instant};

use super::{Liveness, Tick};

#[test]
fn a_silent_connection_is_dead_after_three_missed_pings() {
    let now = Instant::now();
    let mut liveness = Liveness::new(3);
    assert_eq!(liveness.on_tick(10, now), Tick::Ping(1));
    assert_eq!(liveness.on_tick(10, now), Tick::Ping(2));
    assert_eq!(liveness.on_tick(10, now), Tick::Ping(3));
    assert_eq!(liveness.missed(), 2);
    assert_eq!(liveness.on_tick(10, now), Tick::Dead);
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let now = Instant::now();
    let mut liveness = Liveness::new(2);
    for received in 1..100 {
        assert_ne!(liveness.on_tick(received, now), Tick::Dead);
    }
    assert_ne!(liveness.on_tick(99, now), Tick::Dead);
    assert_eq!(liveness.missed(), 1);
    assert_ne!(liveness.on_tick(100, now), Tick::Dead);
    assert_eq!(liveness.missed(), 0);
}

#[test]
fn a_busy_connection_is_pinged_only_now_and_then() {
    let now = Instant::now();
    let mut liveness = Liveness::new(3);
    let pings = (1..=20)
        .filter(|&received| {
            liveness.on_frame();
            liveness.on_tick(received, now) != Tick::Quiet
        })
        .count();
    assert_eq!(pings, 4);
}

#[test]
fn a_round_trip_longer_than_the_interval_is_measured() {
    let start = Instant::now();
    let second = Duration::from_secs(1);
    let mut liveness = Liveness::new(3);
    assert_eq!(liveness.on_tick(0, start), Tick::Ping(1));
    assert_eq!(liveness.on_tick(0, start + second), Tick::Ping(2));
    assert_eq!(liveness.on_pong(2, start + 2 * second), None);
    assert_eq!(liveness.on_pong(1, start + 2 * second), Some(2 * second));
    assert_eq!(liveness.on_pong(1, start + 3 * second), None);
}
