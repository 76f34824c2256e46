//! What must hold for any calls that are recorded: their log replays to the same decisions, and damage adds none.

use std::time::Duration;

use seawall_core::guard::{Policy, Report};
use seawall_core::rate_limiter::Quota;
use seawall_core::record::{Decision, Entries, Live, Recorder, Replay, Steps};
use seawall_core::{Backoff, Deadline, Guard, Instant, Outcome, bulkhead, circuit_breaker, retry};

use crate::input::Input;

/// The slots for waiters and the buckets of the recorder.
const WAITERS: usize = 2;
const SLOTS: usize = 4;

/// Reads `bytes` as a decision; then records a script of them, replays the log, damages it, and reads that.
///
/// # Panics
///
/// If a decision is not written as it was, a whole log replays to other decisions, or a damaged one has more entries.
pub fn check(bytes: &[u8]) {
    if let Ok(decision) = Decision::decode(bytes) {
        let mut out = [0; Decision::MAX_LEN];
        let again = decision.encode(&mut out);
        assert_eq!(Decision::decode(again), Ok(decision));
    }
    let mut input = Input::new(bytes);
    let policy = policy(&mut input);
    let mut log = record(&policy, &mut input);
    replays(&log);
    let whole = entries(&log);
    for _ in 0..input.byte() % 4 {
        if let Some(at) = input.index(log.len()) {
            // The last bytes are changed as likely as the first.
            let at = if input.flag() { log.len() - 1 - at } else { at };
            log[at] ^= input.byte();
        }
    }
    if let Some(cut) = input.index(log.len()) {
        log.truncate(log.len() - if input.flag() { cut } else { 0 });
    }
    assert!(entries(&log) <= whole, "damage makes no entries");
}

/// How many entries are read before the log ends or is damaged.
fn entries(bytes: &[u8]) -> usize {
    Entries::of(bytes).map_or(0, |entries| entries.take_while(Result::is_ok).count())
}

fn policy(input: &mut Input<'_>) -> Policy {
    let parts = input.byte();
    let backoff = Backoff::constant(Duration::from_nanos(input.long()));
    let mut policy = Policy::new().retry(retry::Config::attempts(input.between(1, 4), backoff));
    if parts & 1 != 0 {
        policy = policy.rate_limit(Quota::new(3, Duration::from_millis(10)).burst(input.between(1, 9)));
    }
    if parts & 2 != 0 {
        policy = policy.bulkhead(bulkhead::Config::new(1).max_wait(Duration::from_millis(5)));
    }
    if parts & 4 != 0 {
        let config = circuit_breaker::Config::consecutive_failures(2);
        policy = policy.circuit_breaker(config.open_for(Duration::from_millis(20)));
    }
    policy
}

/// Records some calls.
fn record(policy: &Policy, input: &mut Input<'_>) -> Vec<u8> {
    let recorder =
        Recorder::<_, WAITERS, SLOTS>::try_new(*policy, [0; 4096]).expect("the policy is in order");
    let mut now = input.long() >> 1;
    for _ in 0..input.byte() % 24 {
        now = now.saturating_add(u64::from(input.half()) * 1_000);
        let at = Instant::from_nanos(now);
        let deadline =
            if input.flag() { Deadline::NONE } else { Deadline::after(at, Duration::from_millis(9)) };
        let Ok(mut call) = recorder.try_begin(deadline, at) else { continue };
        for _ in 0..input.byte() % 4 {
            let Ok(attempt) = call.try_attempt(at) else { break };
            let report = match input.byte() % 6 {
                0 => Report::new(Outcome::Success),
                1 => Report::new(Outcome::Failure),
                2 => Report::timed_out(),
                3 => Report::new(Outcome::Ignored).retry_after(Duration::from_nanos(input.long())),
                4 => Report::new(Outcome::Failure).not_retryable(),
                _ => {
                    drop(attempt);
                    continue;
                }
            };
            now = now.saturating_add(u64::from(input.byte()) * 1_000);
            let _ = call.settle(attempt, report, Instant::from_nanos(now));
        }
        if input.flag() {
            call.cancel(Instant::from_nanos(now));
        }
    }
    assert_eq!(recorder.lost(), 0, "the buffer is long enough");
    let mut log = vec![0; 4096];
    let len = recorder.drain(&mut log);
    log.truncate(len);
    log
}

/// A whole log gives the same decisions again.
fn replays(log: &[u8]) {
    let entries = Entries::of(log).expect("it was written just now");
    let guard = Guard::<WAITERS, SLOTS>::new(entries.header().policy_of_size());
    let mut live = [(); 8].map(|()| Live::default());
    let header = *entries.header();
    let mut replay = Replay::try_new(&header, &guard, &mut live).expect("it is a guard of the same size");
    for entry in entries {
        let entry = entry.expect("the log is whole");
        assert_eq!(replay.step(&entry), Ok(entry.decision), "{entry:?}");
    }
}
