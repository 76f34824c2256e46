//! What must hold for any sequence of results: a health check says what its documentation says of their list.

use std::time::Duration;

use seawall_core::check::{Cause, Config, HealthCheck, Status};
use seawall_core::window::Span;
use seawall_core::{Instant, Ratio};

use crate::input::Input;

const MILLI: u64 = 1_000_000;
const SLOTS: usize = 3;

/// Runs the script of `bytes` on a health check and on its list.
///
/// # Panics
///
/// If they disagree.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (rise, fall) = (input.between(1, 4), input.between(1, 4));
    // Whole milliseconds: a tick of the narrow layout is finer than that for a stale time of this size.
    let (stale, width) = (u64::from(input.between(1, 60)), u64::from(input.between(1, 60)));
    let rate = input.flag().then(|| (input.between(0, 100), input.between(0, 6)));
    let mut config = Config::new()
        .rise(rise)
        .fall(fall)
        .stale_after(Duration::from_millis(stale))
        .window(Span::time(Duration::from_millis(width * SLOTS as u64)));
    if let Some((percent, minimum)) = rate {
        config = config.success_rate(Ratio::percent(percent), minimum);
    }
    let check = HealthCheck::<SLOTS>::new(config);
    let mut list = List {
        rise,
        fall,
        stale,
        width,
        rate,
        status: Status::Unknown,
        row: (true, 0),
        newest: None,
        results: Vec::new(),
    };
    let (mut now, mut told) = (u64::from(input.half()), Status::Unknown);
    while let Some(operation) = input.operation() {
        let at = Instant::from_nanos(now * MILLI);
        let (seen, cause) = match operation % 8 {
            0..=3 => {
                let took = u64::from(input.byte()).min(now) / 4;
                let success = operation % 8 < 2;
                let started = Instant::from_nanos((now - took) * MILLI);
                (check.record(success, started, at), list.record(success, now - took, now))
            }
            4 => (check.expire(at), Some(list.go_stale(now))),
            5 if operation > 128 => {
                (list.status, list.row, list.newest) = (Status::Unknown, (true, 0), Some(now));
                list.results.clear();
                (check.reset(at), Some(Cause::Reset))
            }
            _ => {
                // Ticks wrap after 32 times the time to become stale at least.
                now += u64::from(input.byte()) % (16 * stale);
                let at = Instant::from_nanos(now * MILLI);
                (check.expire(at), Some(list.go_stale(now)))
            }
        };
        let expected = (told != list.status).then_some((told, list.status, cause));
        assert_eq!(seen.map(|edge| (edge.from, edge.to, Some(edge.cause))), expected, "at {now} ms");
        told = list.status;
        let at = Instant::from_nanos(now * MILLI);
        assert_eq!(check.status(at), list.status);
        let snapshot = check.snapshot(at);
        let row = if list.row.0 {
            (snapshot.successes_in_row, snapshot.failures_in_row)
        } else {
            (snapshot.failures_in_row, snapshot.successes_in_row)
        };
        assert_eq!((snapshot.status, row), (list.status, (list.row.1.min(255), 0)));
        assert_eq!((snapshot.results, snapshot.failures), list.counts(now));
    }
}

/// What the documentation says, with exact time and no packing.
struct List {
    rise: u32,
    fall: u32,
    stale: u64,
    width: u64,
    /// Percent, and the least results to judge by.
    rate: Option<(u32, u32)>,
    status: Status,
    /// So many results in a row were successes, or failures.
    row: (bool, u32),
    newest: Option<u64>,
    results: Vec<(u64, bool)>,
}

impl List {
    fn go_stale(&mut self, now: u64) -> Cause {
        if self.newest.is_some_and(|newest| now - newest >= self.stale) {
            (self.status, self.row) = (Status::Unknown, (true, 0));
        }
        Cause::Stale
    }

    fn record(&mut self, success: bool, started: u64, now: u64) -> Option<Cause> {
        if now - started >= self.stale {
            return Some(self.go_stale(now));
        }
        self.results.push((now, success));
        if self.newest.is_some_and(|newest| started < newest) {
            return None;
        }
        self.go_stale(now);
        self.newest = Some(started);
        self.row = if self.row.0 == success { (success, self.row.1 + 1) } else { (success, 1) };
        let (results, failures) = self.counts(now);
        let successes = results - failures;
        if let Some((percent, minimum)) = self.rate
            && results >= minimum
            && u64::from(successes) * 100 < u64::from(results) * u64::from(percent)
        {
            self.status = Status::Unhealthy;
            return Some(Cause::SuccessRate { successes, results });
        }
        if success && self.row.1 >= self.rise {
            self.status = Status::Healthy;
            return Some(Cause::Successes(self.row.1.min(255)));
        }
        if !success && self.row.1 >= self.fall {
            self.status = Status::Unhealthy;
            return Some(Cause::Failures(self.row.1.min(255)));
        }
        Some(Cause::Stale)
    }

    /// The results in the window, and the failures among them.
    fn counts(&self, now: u64) -> (u32, u32) {
        let live = self.results.iter().filter(|(at, _)| at / self.width + SLOTS as u64 > now / self.width);
        live.fold((0, 0), |(results, failures), &(_, success)| (results + 1, failures + u32::from(!success)))
    }
}
