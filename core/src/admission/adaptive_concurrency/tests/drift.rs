//! A dependency whose latency changes for good, under more load than it can take.

use std::collections::VecDeque;

use super::*;

/// A dependency that does a hundred calls at once, each in its own time, and lets the others wait; as many are offered as the
/// limit admits.
struct Dependency {
    limiter: AdaptiveConcurrency,
    now: u64,
    /// The calls that run, in the order of their ends in milliseconds.
    running: VecDeque<(u64, Ticket)>,
}

impl Dependency {
    const CAPACITY: u64 = 100;

    fn new(config: Config) -> Self {
        Self { limiter: AdaptiveConcurrency::new(config), now: 1_000_000, running: VecDeque::new() }
    }

    fn at(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    /// Lets so many seconds pass in which a call takes `base` milliseconds; the limit at their end.
    fn serve(&mut self, base: u64, seconds: u64) -> u32 {
        for _ in 0..seconds * 200 {
            self.now += 5;
            while self.running.front().is_some_and(|(end, _)| *end <= self.now) {
                let Some((_, ticket)) = self.running.pop_front() else { break };
                self.limiter.settle(ticket, Outcome::Success, self.at());
            }
            while let Ok(permit) = self.limiter.try_acquire(self.at()) {
                let queue = (self.running.len() as u64 + 1).max(Self::CAPACITY);
                let end = self.now + base * queue / Self::CAPACITY;
                let place = self.running.partition_point(|(other, _)| *other <= end);
                self.running.insert(place, (end, permit.into_ticket()));
            }
        }
        limit(&self.limiter)
    }
}

/// B53, baseline drift: three times as slow is beyond what the gradient tolerates, and more so ten times.
#[test]
fn b53_who_is_slower_for_good_is_not_starved_for_good() {
    for (before, after) in [(10, 30), (45, 135), (50, 150), (50, 200), (100, 300), (100, 1000), (500, 1500)] {
        let mut dependency = Dependency::new(Config::gradient(20));
        let settled = dependency.serve(before, 120);
        assert!(settled >= 90, "{before} ms: {settled}");
        // A hundred windows, which are longer where calls are, until the probe, and as many to grow after it.
        let grown = dependency.serve(after, 120 + after);
        assert!((90..=250).contains(&grown), "{before} to {after} ms: {grown}");
        let back = dependency.serve(before, 120);
        assert!((90..=250).contains(&back), "back from {after} to {before} ms: {back}");
    }
}
