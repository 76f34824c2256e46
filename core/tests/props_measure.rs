//! The change detector, the rotating histogram, events and deadlines, against exact models.
#![cfg(not(loom))]
#![allow(missing_docs)]

use core::time::Duration;
use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::change::{ChangeDetector, Config, Verdict};
use seawall_core::degradation::{Level, LevelChange};
use seawall_core::events::{Event, EventKind, EventRing};
use seawall_core::histogram::{Histogram, buckets_for};
use seawall_core::{Deadline, Instant, Ratio, RotatingHistogram, Timeout};

const BUCKETS: usize = buckets_for(4, 10_000);

proptest! {
    /// Nothing is cut here, so the rule is a plain moving mean: in fractions of 2⁴⁰, rounded far below the bound.
    #[test]
    fn the_mean_is_near_the_exact_moving_mean(
        shift in 1_u32..=6,
        values in vec(0_u32..10_000, 1..300),
    ) {
        let config = Config::new().weight_shift(shift).warm_up(1).tolerance(1000).least_spread(1_000_000);
        let detector = ChangeDetector::new(config);
        let mut mean = 0_i128;
        for (seen, &value) in values.iter().enumerate() {
            let verdict = detector.observe(value);
            prop_assert_eq!(verdict, if seen == 0 { Verdict::Learning } else { Verdict::Normal });
            let value = i128::from(value) << 40;
            mean = if seen == 0 { value } else { mean + ((value - mean) >> shift) };
            // The documented bound, 2ᵏ / 2048 of a unit, and the half unit of what is shown.
            let off = (i128::from(detector.mean()) << 40) - mean;
            prop_assert!(off.abs() <= (1 << (29 + shift)) + (1 << 39) + 1000, "{} is not {}", detector.mean(), mean >> 40);
        }
    }

    #[test]
    fn what_is_equal_is_never_anomalous_and_what_jumps_is(value in 0_u32..1_000_000, jump in 100_u32..1_000_000) {
        let detector = ChangeDetector::new(Config::new().warm_up(8));
        for _ in 0..40 {
            prop_assert!(!detector.observe(value).is_anomalous());
        }
        prop_assert_eq!((detector.mean(), detector.deviation()), (value, 0));
        let score_tenths = jump * 10;
        prop_assert_eq!(detector.observe(value + jump), Verdict::Anomalous { score_tenths, above: true });
    }

    #[test]
    fn recent_values_are_those_of_two_epochs(
        epoch in 1_u64..1_000_000,
        percent in 0_u32..=100,
        steps in vec((0_u64..3_000, 0_u64..12_000), 1..150),
    ) {
        let histogram = RotatingHistogram::<4, BUCKETS>::new(Duration::from_nanos(2 * epoch));
        let (mut now, mut values) = (0, Vec::new());
        for (thousandths, value) in steps {
            now += epoch * thousandths / 1_000;
            let at = Instant::from_nanos(now);
            histogram.record(value, at);
            values.push((now / epoch, value));
            let live = values.iter().filter(|(then, _)| then + 2 > now / epoch);
            let mut recent: Vec<u64> = live.map(|&(_, value)| value).collect();
            recent.sort_unstable();
            prop_assert_eq!(histogram.count(at), recent.len() as u64);
            let beyond = recent.iter().filter(|&&value| value > Histogram::<4, BUCKETS>::MAX_VALUE).count();
            let snapshot = histogram.snapshot(at);
            prop_assert_eq!((snapshot.count(), snapshot.out_of_range()), (recent.len() as u64, beyond as u64));
            prop_assert_eq!(histogram.out_of_range(at), beyond as u64);
            let share = Ratio::percent(percent);
            prop_assert_eq!(snapshot.percentile(share), histogram.percentile(share, at));
            let rank = (recent.len() * percent as usize).div_ceil(100).max(1);
            let exact = recent[rank - 1];
            let highest = Histogram::<4, BUCKETS>::MAX_VALUE;
            let seen = histogram.percentile(Ratio::percent(percent), at).unwrap();
            if exact > highest {
                prop_assert_eq!(seen, highest);
            } else {
                prop_assert!(exact <= seen && seen - exact <= exact / 16, "{} is not {}", seen, exact);
            }
        }
    }

    #[test]
    fn a_reader_gets_the_last_events_in_order(
        steps in vec((any::<bool>(), 0_usize..4, 0_usize..4, any::<u64>()), 1..200),
    ) {
        let ring = EventRing::<4>::new();
        let mut cursor = ring.cursor();
        let (mut unread, mut missed) = (VecDeque::new(), 0);
        for (reads, from, to, nanos) in steps {
            if reads {
                prop_assert_eq!(ring.read(&mut cursor), unread.pop_front());
                prop_assert_eq!(cursor.missed(), missed);
                continue;
            }
            let kind = EventKind::Level(LevelChange { from: Level::ALL[from], to: Level::ALL[to] });
            let event = Event { at: Instant::from_nanos(nanos), kind };
            ring.push(event);
            unread.push_back(event);
            if unread.len() > 4 {
                unread.pop_front();
                missed += 1;
            }
            prop_assert_eq!(ring.last(), Some(event));
        }
    }

    /// Each hop is told what remains, and takes its time; no hop believes in more time than the caller gave.
    #[test]
    fn a_deadline_over_hops_never_grows(
        limit in (any::<u64>(), 0_u32..64).prop_map(|(nanos, shift)| nanos >> shift),
        start in any::<u64>(),
        hops in vec((any::<u64>(), 0_u64..2_000_000_000), 1..20),
    ) {
        let start = Instant::from_nanos(start);
        let first = Deadline::after(start, Duration::from_nanos(limit));
        let mut millis = first.remaining_millis(start);
        let whole = u32::try_from(limit / 1_000_000).unwrap_or(u32::MAX);
        prop_assert_eq!(millis, if first.is_none() { u32::MAX } else { whole });
        for (clock, took) in hops {
            // Each node has a clock of its own.
            let arrived = Instant::from_nanos(clock >> 1);
            let deadline = Deadline::after(arrived, Duration::from_millis(u64::from(millis)));
            let sent = arrived.saturating_add(Duration::from_nanos(took));
            let left = deadline.remaining_millis(sent);
            prop_assert!(left <= millis);
            prop_assert!(u64::from(millis) <= u64::from(left) + took.div_ceil(1_000_000), "less than a millisecond is lost");
            prop_assert_eq!(deadline.is_expired(sent), took >= u64::from(millis) * 1_000_000);
            millis = left;
        }
    }

    #[test]
    fn an_attempt_ends_by_its_timeout_or_by_the_calls_deadline(limit in 1_u64.., now in any::<u64>(), call in any::<u64>()) {
        let timeout = Timeout::fixed(Duration::from_nanos(limit));
        let deadline = timeout.deadline(Instant::from_nanos(now), Deadline::at(Instant::from_nanos(call)));
        prop_assert_eq!(deadline.moment().as_nanos(), now.saturating_add(limit).min(call));
    }
}
