//! Traffic on a guard, recorded, with the log on standard output in hexadecimal digits: the host replays it.
//!
//! Time is an argument, so this needs no clock; the buffer is far smaller than the log, as on a device that sends it off.

#![no_std]
#![no_main]

use core::task::{Poll, Waker};
use core::time::Duration;

use seawall_core::guard::{Policy, Report, Verdict};
use seawall_core::rate_limiter::Quota;
use seawall_core::record::{self, Begin, Call, Steps, Waiting};
use seawall_core::window::Span;
use seawall_core::{
    Backoff, Deadline, Instant, Outcome, Ratio, Rng, backoff::Jitter, bulkhead, circuit_breaker,
    error_budget, retry,
};
use seawall_on_target as _;
use semihosting::{print, println, process};

const WAITERS: usize = 2;
const SLOTS: usize = 4;
type Recorder = record::Recorder<[u8; 512], WAITERS, SLOTS>;

/// Rates and times that do not divide one another, so that rounding shows.
const POLICY: Policy = Policy::new()
    .rate_limit(Quota::new(70, Duration::from_millis(999)).burst(4))
    .bulkhead(bulkhead::Config::new(1).max_wait(Duration::from_millis(70)))
    .circuit_breaker(
        circuit_breaker::Config::failure_rate(Ratio::percent(50), Span::time(Duration::from_secs(2)), 5)
            .or_consecutive_failures(3)
            .open_for(Duration::from_millis(333)),
    )
    .retry(retry::Config::attempts(3, Backoff::exponential(Duration::from_millis(7)).jitter(Jitter::Full)))
    .timeout(Duration::from_millis(45))
    .deadline(Duration::from_millis(900))
    .error_budget(error_budget::Config::new(Ratio::percent(90), Duration::from_secs(20)))
    .seed(0x5EA);

/// Sends what waits in the recorder.
fn send(recorder: &Recorder) {
    let mut piece = [0; 32];
    loop {
        let n = recorder.drain(&mut piece);
        if n == 0 {
            return;
        }
        print!("log ");
        for byte in &piece[..n] {
            print!("{byte:02x}");
        }
        println!();
    }
}

/// Runs a call to its end, and returns the time then.
fn run(mut call: Call<'_, Recorder, WAITERS, SLOTS>, rng: &Rng, mut now: Instant) -> Instant {
    while let Ok(attempt) = call.try_attempt(now) {
        now = now.saturating_add(Duration::from_micros(u64::from(rng.below(30_000))));
        let report = match rng.below(8) {
            0 => Report::timed_out(),
            1 => Report::new(Outcome::Ignored).retry_after(Duration::from_millis(3)),
            2 | 3 => Report::new(Outcome::Failure),
            _ => Report::new(Outcome::Success),
        };
        match call.settle(attempt, report, now).verdict {
            Verdict::RetryAfter(delay) => now = now.saturating_add(delay),
            _ => return now,
        }
    }
    now
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let recorder = Recorder::try_new(POLICY, [0; 512]).expect("the policy is valid, and its head fits");
    let rng = Rng::new(7);
    let mut now = Instant::from_millis(50);
    let mut queued: Option<Waiting<'_, Recorder, WAITERS, SLOTS>> = None;
    for round in 0..400 {
        send(&recorder);
        now = match rng.below(30) {
            // A clock that steps back, one that stands still, and one that wraps what 32 bits of milliseconds hold.
            0 => Instant::from_nanos(now.as_nanos().saturating_sub(u64::from(rng.below(50_000_000)))),
            _ if round == 200 => now.saturating_add(Duration::from_secs(50 * 86_400)),
            1..5 => now,
            _ => now.saturating_add(Duration::from_nanos(u64::from(rng.below(40_000_000)))),
        };
        let call = match recorder.begin(Deadline::after(now, Duration::from_millis(200)), now) {
            Ok(Begin::Started(call)) => call,
            Ok(Begin::Waiting(waiting)) => {
                queued = Some(waiting);
                continue;
            }
            Err(_) => continue,
        };
        // Another one comes while the slot is taken.
        if let Ok(Begin::Waiting(waiting)) = recorder.begin(Deadline::NONE, now) {
            queued = Some(waiting);
        }
        send(&recorder);
        now = run(call, &rng, now);
        send(&recorder);
        if let Some(mut waiting) = queued.take() {
            match waiting.poll(Waker::noop(), now) {
                Poll::Ready(Ok(call)) => now = run(call, &rng, now),
                Poll::Ready(Err(_)) => {}
                Poll::Pending => waiting.cancel(now),
            }
        }
        if round % 50 == 49 {
            recorder.reset(now);
        }
    }
    drop(queued);
    send(&recorder);
    println!("lost {}", recorder.lost());
    process::exit(i32::from(recorder.lost() > 0))
}
