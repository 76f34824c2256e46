//! What must hold for any sequence of events: the sums of a window are those of a list of all events, bucket by bucket.

use std::time::Duration;

use seawall_core::Instant;
use seawall_core::window::{Sample, Span, Totals, Window};

use crate::input::Input;

const SLOTS: usize = 4;

/// Up to so many buckets behind the newest one, an event counts to it, and from further behind the window starts anew;
/// four spans are documented.
const BUCKETS_BEHIND: u64 = 4 * SLOTS as u64;

const SAMPLES: [Sample; 4] = [Sample::SUCCESS, Sample::FAILURE, Sample::SLOW_SUCCESS, Sample::SLOW_FAILURE];

/// Runs the script of `bytes` on a window of time or of calls.
///
/// # Panics
///
/// If a sum is wrong.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if input.flag() {
        of_calls(&mut input);
    } else {
        of_time(&mut input);
    }
}

fn add(totals: &mut Totals, sample: Sample) {
    totals.calls += 1;
    totals.failures += u32::from(sample.is_failure());
    totals.slow += u32::from(sample.is_slow());
}

fn sum(samples: impl Iterator<Item = Sample>) -> Totals {
    let mut totals = Totals::ZERO;
    samples.for_each(|sample| add(&mut totals, sample));
    totals
}

/// Every event with its bucket, and the newest bucket that had one.
struct Events {
    list: Vec<(u64, Sample)>,
    newest: u64,
    /// What was ever recorded.
    all: Totals,
    /// Up to this bucket, boundaries from before the clock was set back may count once more.
    doubtful: u64,
}

impl Events {
    /// The bucket that an event or a look at `bucket` belongs to; `None` if the clock stepped back too far to say.
    fn bucket(&self, bucket: u64) -> Option<u64> {
        (self.newest <= bucket + BUCKETS_BEHIND).then(|| self.newest.max(bucket))
    }

    /// Whether these are the sums at `bucket`: exactly, unless the clock stepped back.
    ///
    /// From an earlier bucket than the newest one, what expired or was cleared since may be seen still; and until the clock
    /// is beyond what it showed before, what was never replaced.
    fn are_counted(&self, seen: Totals, bucket: u64) {
        let Some(newest) = self.bucket(bucket) else { return };
        let (exact, is_doubtful) = (self.totals(newest), bucket <= self.doubtful);
        let least = if is_doubtful { Totals::ZERO } else { exact };
        let most = if is_doubtful || newest > bucket { self.all } else { exact };
        let pairs = |totals: Totals| [totals.calls, totals.failures, totals.slow];
        for ((seen, least), most) in pairs(seen).into_iter().zip(pairs(least)).zip(pairs(most)) {
            assert!((least..=most).contains(&seen), "{seen} is not {least} to {most} in bucket {bucket}");
        }
    }

    /// The sums of the events that are live at `bucket`.
    fn totals(&self, bucket: u64) -> Totals {
        sum(self.list.iter().filter(|(then, _)| then + SLOTS as u64 > bucket).map(|&(_, sample)| sample))
    }
}

fn of_time(input: &mut Input<'_>) {
    let width = input.long().clamp(1, 1 << 50);
    let span = Duration::from_nanos(width * SLOTS as u64);
    let window = Window::<SLOTS>::new(Span::time(span));
    let mut now = input.start(width);
    let mut events = Events { list: Vec::new(), newest: 0, all: Totals::ZERO, doubtful: 0 };
    let mut cleared = None;
    while let Some(operation) = input.operation() {
        let at = Instant::from_nanos(now);
        match operation % 10 {
            0..=3 => {
                let sample = input.pick(&SAMPLES);
                add(&mut events.all, sample);
                let bucket = events.bucket(now / width).unwrap_or_else(|| {
                    // The window starts anew.
                    events.list.clear();
                    events.doubtful = events.doubtful.max(events.newest + SLOTS as u64);
                    now / width
                });
                events.newest = bucket;
                events.list.push((bucket, sample));
                if operation & 16 == 0 {
                    window.record_only(sample, at);
                } else {
                    events.are_counted(window.record(sample, at), now / width);
                }
            }
            4 => now = now.saturating_add(width),
            5 => now = now.saturating_add(u64::from(input.byte())),
            6 => now = now.saturating_add(width.saturating_mul(u64::from(input.byte() % 32)) / 2),
            7 => now = now.saturating_add(input.long()),
            8 => now = now.saturating_sub(width.saturating_mul(u64::from(input.byte())) / 4),
            _ if now / width >= events.newest => {
                window.clear(at);
                events.list.clear();
                cleared = Some(now / width);
            }
            _ => {}
        }
        if cleared.is_some_and(|cleared| (now / width).saturating_add(BUCKETS_BEHIND) < cleared) {
            // A clear is not promised to survive a clock that is set far back.
            return;
        }
        if now / width > 1 << 30 {
            // Numbers of buckets start over far beyond this; the module's own tests go there.
            return;
        }
        let seen = window.totals(Instant::from_nanos(now));
        events.are_counted(seen, now / width);
    }
}

fn of_calls(input: &mut Input<'_>) {
    let calls = input.between(1, 40);
    let window = Window::<SLOTS>::new(Span::calls(calls));
    let width = u64::from(calls).div_ceil(SLOTS as u64);
    let live = u64::from(calls).div_ceil(width);
    let mut list: Vec<(u64, Sample)> = Vec::new();
    let mut recorded = 0_u64;
    while let Some(operation) = input.operation() {
        // Time takes no part.
        let at = Instant::from_nanos(u64::from(operation));
        if operation % 8 < 7 {
            let sample = SAMPLES[usize::from(operation / 8) % SAMPLES.len()];
            list.push((recorded / width, sample));
            recorded += 1;
            window.record_only(sample, at);
        } else {
            window.clear(at);
            list.clear();
        }
        let newest = recorded.saturating_sub(1) / width;
        list.retain(|(bucket, _)| bucket + live > newest);
        assert_eq!(window.totals(at), sum(list.iter().map(|&(_, sample)| sample)));
        assert!(list.len() as u64 <= live * width);
    }
}
