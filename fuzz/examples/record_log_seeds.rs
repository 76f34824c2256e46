//! Writes logs of short traffic as the first corpus of `record_log`: `cargo run --example record_log_seeds FOLDER`.

use std::time::Duration;
use std::{env, fs};

use seawall_core::guard::{Report, Verdict};
use seawall_core::rate_limiter::Quota;
use seawall_core::record::{Begin, Recorder, Steps};
use seawall_core::window::Span;
use seawall_core::{
    Backoff, Deadline, Instant, Outcome, Policy, Ratio, Rng, bulkhead, circuit_breaker, error_budget, retry,
};

fn policy(number: u32) -> Policy {
    let mut policy = Policy::new().seed(number);
    if number & 1 != 0 {
        policy = policy.rate_limit(Quota::per_second(50).burst(2));
    }
    if number & 2 != 0 {
        policy = policy.bulkhead(bulkhead::Config::new(1).max_wait(Duration::from_millis(20)));
    }
    if number & 4 != 0 {
        let span = Span::time(Duration::from_secs(1));
        policy = policy.circuit_breaker(
            circuit_breaker::Config::failure_rate(Ratio::percent(50), span, 3).or_consecutive_failures(2),
        );
    }
    if number & 8 != 0 {
        let backoff = Backoff::exponential(Duration::from_millis(2));
        policy = policy.retry(retry::Config::attempts(3, backoff)).timeout(Duration::from_millis(30));
    }
    if number & 16 != 0 {
        policy = policy.error_budget(error_budget::Config::new(Ratio::percent(90), Duration::from_secs(5)));
    }
    policy
}

fn main() {
    let folder = env::args().nth(1).expect("the folder to write to");
    fs::create_dir_all(&folder).expect("the folder can be made");
    for number in 0..32 {
        let recorder: Recorder<Vec<u8>> =
            Recorder::try_new(policy(number), vec![0; 4096]).expect("the policy is valid");
        let rng = Rng::new(number);
        let mut now = Instant::from_millis(u64::from(number));
        for _ in 0..4 + number {
            now = now.saturating_add(Duration::from_micros(u64::from(rng.below(20_000))));
            let Ok(Begin::Started(mut call)) = recorder.begin(Deadline::NONE, now) else { continue };
            // What comes while the slot is taken waits, and is dropped.
            drop(recorder.begin(Deadline::after(now, Duration::from_millis(5)), now));
            while let Ok(attempt) = call.try_attempt(now) {
                let outcome = if rng.below(3) == 0 { Outcome::Success } else { Outcome::Failure };
                match call.settle(attempt, Report::new(outcome), now).verdict {
                    Verdict::RetryAfter(delay) => now = now.saturating_add(delay),
                    _ => break,
                }
            }
        }
        recorder.reset(now);
        let mut log = vec![0; 4096];
        let len = recorder.drain(&mut log);
        fs::write(format!("{folder}/traffic-{number:02}"), &log[..len]).expect("the seed can be written");
    }
}
