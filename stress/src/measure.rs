//! What was seen.

use std::collections::HashSet;
use std::time::Duration;

use seawall_core::error_budget::Edge;
use seawall_core::events::{Event, EventKind, EventRing};
use seawall_core::histogram::buckets_for;
use seawall_core::window::{Sample, Span};
use seawall_core::{
    ChangeDetector, Clock, Histogram, Instant, ManualClock, Ratio, Rng, RotatingHistogram, Window, change,
};

use crate::{THREADS, threads};

/// Nothing is lost and nothing counted twice while buckets rotate.
pub(crate) fn window(_round: u32) {
    let window: Window<4> = Window::new(Span::time(Duration::from_secs(4_000)));
    threads(|_| {
        for i in 0..400 {
            window.record(Sample::new(i % 3 == 0, i % 5 == 0), Instant::from_secs(i * 9));
        }
    });
    let totals = window.totals(Instant::from_secs(3_600));
    assert_eq!(totals.calls, THREADS * 400);
    assert_eq!((totals.failures, totals.slow), (THREADS * 134, THREADS * 80));
}

const BUCKETS: usize = buckets_for(5, 100_000);

/// Every value is counted once, and a percentile is one of them, as exact as documented.
pub(crate) fn histogram(_round: u32) {
    let histogram: Histogram<5, BUCKETS> = Histogram::new();
    threads(|thread| {
        for i in 1..=500 {
            histogram.record(i * u64::from(thread + 1));
            assert!(histogram.percentile(Ratio::ONE).is_some_and(|most| most <= 2_100));
        }
    });
    assert_eq!(histogram.count(), u64::from(THREADS) * 500);
    assert_eq!(histogram.take().count(), u64::from(THREADS) * 500);
    assert_eq!(histogram.count(), 0);
}

/// Rotating while others record loses nothing that is within the span.
pub(crate) fn rotating_histogram(_round: u32) {
    let histogram: RotatingHistogram<5, BUCKETS> = RotatingHistogram::new(Duration::from_secs(1_000_000));
    threads(|_| {
        for i in 0..300 {
            histogram.record(i, Instant::from_secs(i));
            assert!(histogram.percentile(Ratio::percent(99), Instant::from_secs(i)).is_some());
        }
    });
    assert_eq!(histogram.count(Instant::from_secs(300)), u64::from(THREADS) * 300);
}

/// The mean stays among the values.
pub(crate) fn change_detector(_round: u32) {
    let detector = ChangeDetector::new(change::Config::new());
    threads(|thread| {
        for i in 0..500 {
            let _ = detector.observe(1_000 + (i + thread) % 10);
            assert!((900..=1_100).contains(&detector.mean()) || i < 50, "{}", detector.mean());
        }
    });
}

/// A reader gets whole events in the order of each writer, and knows how many it missed.
pub(crate) fn event_ring(_round: u32) {
    let ring: EventRing<16> = EventRing::new();
    threads(|thread| {
        if thread == 0 {
            let mut cursor = ring.cursor();
            for _ in 0..600 {
                if let Some(event) = ring.read(&mut cursor) {
                    let even = event.at.as_nanos() % 2 == 0;
                    let edge = if even { Edge::Exhausted } else { Edge::Recovered };
                    assert_eq!(event.kind, EventKind::Budget(edge), "an event is whole");
                }
            }
        } else {
            for i in 0..200 {
                let edge = if i % 2 == 0 { Edge::Exhausted } else { Edge::Recovered };
                ring.push(Event { at: Instant::from_nanos(i), kind: EventKind::Budget(edge) });
            }
        }
    });
    assert_eq!(ring.dropped(), (THREADS - 1) * 200 - 16);
}

/// No draw is given to two threads: the generator's period is 2³².
pub(crate) fn rng(round: u32) {
    let rng = Rng::new(round);
    let draws: Vec<u32> = threads(|_| (0..300).map(|_| rng.next_u32()).collect::<Vec<_>>()).concat();
    assert_eq!(draws.iter().collect::<HashSet<_>>().len(), draws.len());
}

/// A moment is never put together from two.
pub(crate) fn manual_clock(_round: u32) {
    let clock = ManualClock::new(Instant::ZERO);
    threads(|thread| {
        for i in 0..500_u64 {
            if thread == 0 {
                clock.set(Instant::from_nanos(i << 32 | i));
            } else {
                let now = clock.now().as_nanos();
                let low = now & u64::from(u32::MAX);
                assert!(low == now >> 32 || low == 0, "{now:#x}");
            }
        }
    });
}
