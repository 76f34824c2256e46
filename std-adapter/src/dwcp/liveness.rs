//! When to ping, and when a connection is dead. A pure state machine, driven by ticks.

use tokio::time::{Duration, Instant};

/// A ping is sent at least each so many ticks even on a busy connection, so that the round trip stays known.
const REFRESH_TICKS: u32 = 5;

/// Watches one connection; one tick is one ping interval.
#[derive(Debug)]
pub(crate) struct Liveness {
    missed_limit: u32,
    missed: u32,
    received: u64,
    active: bool,
    ticks_since_ping: u32,
    seq: u32,
    /// The ping that is being timed.
    outstanding: Option<(u32, Instant)>,
}

/// What a tick asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    /// Nothing.
    Quiet,
    /// A ping with this number.
    Ping(u32),
    /// The end of the connection.
    Dead,
}

impl Liveness {
    pub(crate) fn new(missed_limit: u32) -> Self {
        Self {
            missed_limit,
            missed: 0,
            received: 0,
            active: false,
            ticks_since_ping: 0,
            seq: 0,
            outstanding: None,
        }
    }

    /// A frame other than a pong arrived.
    pub(crate) fn on_frame(&mut self) {
        self.active = true;
    }

    /// A pong arrived; returns the round trip if it answers the ping that is being timed.
    pub(crate) fn on_pong(&mut self, seq: u32, now: Instant) -> Option<Duration> {
        match self.outstanding {
            Some((expected, sent)) if expected == seq => {
                self.outstanding = None;
                Some(now.saturating_duration_since(sent))
            }
            _ => None,
        }
    }

    /// One interval passed; `received` counts all bytes of the connection.
    pub(crate) fn on_tick(&mut self, received: u64, now: Instant) -> Tick {
        if received != self.received {
            self.received = received;
            self.missed = 0;
        } else if self.outstanding.is_some() {
            self.missed += 1;
            if self.missed >= self.missed_limit {
                return Tick::Dead;
            }
        }
        let idle = !core::mem::take(&mut self.active);
        self.ticks_since_ping += 1;
        if !idle && self.ticks_since_ping < REFRESH_TICKS {
            return Tick::Quiet;
        }
        self.ticks_since_ping = 0;
        self.seq = self.seq.wrapping_add(1);
        // TCP loses no ping: one that is still out will be answered, and that answer is the next sample.
        self.outstanding.get_or_insert((self.seq, now));
        Tick::Ping(self.seq)
    }

    /// Intervals without any sign of life after a ping.
    pub(crate) fn missed(&self) -> u32 {
        self.missed
    }
}

#[cfg(test)]
#[path = "liveness_tests.rs"]
mod tests;
