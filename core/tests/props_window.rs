//! The window against a list of events.
#![cfg(not(loom))]
#![allow(missing_docs)]

use core::time::Duration;
use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::Instant;
use seawall_core::measure::window::{Sample, Span, Totals, Window};

/// Widths of buckets in nanoseconds, and how far time moves between two operations.
const WIDTHS: [u64; 4] = [1, 7, 1_000, 1_000_000_007];

#[derive(Clone, Copy, Debug)]
enum Step {
    Record(Sample),
    Read,
    Clear,
}

fn sample() -> impl Strategy<Value = Sample> {
    (any::<bool>(), any::<bool>()).prop_map(|(failure, slow)| Sample::new(failure, slow))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![12 => sample().prop_map(Step::Record), 6 => Just(Step::Read), 1 => Just(Step::Clear)]
}

/// Mostly small moves, in units of a third of a bucket, and now and then a long pause.
fn pause() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0_u64), 8 => 0_u64..4, 2 => 0_u64..40, 1 => 0_u64..100_000]
}

fn add(totals: &mut Totals, sample: Sample) {
    totals.calls += 1;
    totals.failures += u32::from(sample.is_failure());
    totals.slow += u32::from(sample.is_slow());
}

fn sum<'a>(samples: impl Iterator<Item = &'a Sample>) -> Totals {
    let mut totals = Totals::ZERO;
    samples.for_each(|&sample| add(&mut totals, sample));
    totals
}

fn time_model<const SLOTS: usize>(
    start: u64,
    width: u64,
    steps: &[(u64, Step)],
) -> Result<(), TestCaseError> {
    let window = Window::<SLOTS>::new(Span::time(Duration::from_nanos(width * SLOTS as u64)));
    let mut events = Vec::new();
    let mut now = start;
    for &(pause, step) in steps {
        now += pause * width.div_ceil(3);
        let at = Instant::from_nanos(now);
        let expected = |events: &[(u64, Sample)]| {
            let live = events.iter().filter(|&&(then, _)| now / width - then / width < SLOTS as u64);
            sum(live.map(|(_, sample)| sample))
        };
        match step {
            Step::Record(sample) => {
                events.push((now, sample));
                prop_assert_eq!(window.record(sample, at), expected(&events));
            }
            Step::Read => prop_assert_eq!(window.totals(at), expected(&events)),
            Step::Clear => {
                window.clear(at);
                events.clear();
                prop_assert_eq!(window.totals(at), Totals::ZERO);
            }
        }
    }
    Ok(())
}

/// An event counts while its bucket is among the last `live` buckets of calls.
fn calls_model<const SLOTS: usize>(n: u32, steps: &[(u64, Step)]) -> Result<(), TestCaseError> {
    let window = Window::<SLOTS>::new(Span::calls(n));
    let width = n.div_ceil(SLOTS as u32);
    let live = n.div_ceil(width);
    let mut events: VecDeque<(u32, Sample)> = VecDeque::new();
    let mut calls = 0_u32;
    for &(_, step) in steps {
        match step {
            Step::Record(sample) => {
                events.push_back((calls / width, sample));
                calls += 1;
                window.record_only(sample, Instant::ZERO);
            }
            Step::Read => {}
            Step::Clear => {
                window.clear(Instant::ZERO);
                events.clear();
            }
        }
        let newest = calls.saturating_sub(1) / width;
        events.retain(|&(bucket, _)| newest - bucket < live);
        prop_assert_eq!(window.totals(Instant::ZERO), sum(events.iter().map(|(_, sample)| sample)));
        if n <= SLOTS as u32 {
            prop_assert!(events.len() <= n as usize);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn sums_equal_the_model_of_aligned_buckets(
        start in prop_oneof![Just(0), 0_u64..1_000_000, Just(1_760_000_000_000_000_000)],
        width in prop::sample::select(&WIDTHS[..]),
        steps in vec((pause(), step()), 1..300),
    ) {
        time_model::<1>(start, width, &steps)?;
        time_model::<3>(start, width, &steps)?;
        time_model::<10>(start, width, &steps)?;
    }

    #[test]
    fn the_last_calls_equal_the_model(n in 1_u32..60, steps in vec((Just(0), step()), 1..300)) {
        calls_model::<1>(n, &steps)?;
        calls_model::<4>(n, &steps)?;
        calls_model::<10>(n, &steps)?;
    }

    /// Whatever the clock does, no event counts twice and the sums fit together.
    #[test]
    fn a_clock_that_jumps_at_will_counts_nothing_twice(
        steps in vec((any::<u64>(), 0_u32..64, sample()), 1..200),
    ) {
        let window = Window::<5>::new(Span::time(Duration::from_nanos(50)));
        let mut all = Totals::ZERO;
        for (nanos, shift, sample) in steps {
            let now = Instant::from_nanos(nanos >> shift);
            let sums = window.record(sample, now);
            add(&mut all, sample);
            prop_assert!(sums.calls <= all.calls && sums.failures <= all.failures && sums.slow <= all.slow);
            prop_assert!(sums.failures <= sums.calls && sums.slow <= sums.calls);
            prop_assert!(sums.calls > 0);
        }
    }
}
