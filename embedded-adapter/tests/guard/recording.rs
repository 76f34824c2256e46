//! A firmware's guard that writes its steps down: a replay of the log decides the same.

use core::cell::Cell;
use core::future::{pending, ready};

use embassy_futures::join::join3;
use embassy_time::Timer;
use seawall_embassy::core::backoff::Jitter;
use seawall_embassy::core::guard::Pattern;
use seawall_embassy::core::record::{Decision, Entries, Entry, Input, Live, RecordError, Replay, Steps};
use seawall_embassy::core::{self as decision, Backoff, bulkhead, circuit_breaker, retry};
use seawall_embassy::{Attempt, Policy, RecordedGuard};

use crate::world::{Task, World};
use crate::{QUEUE, millis, takes};

const UPLINK: Policy = Policy::new()
    .bulkhead(bulkhead::Config::new(1).max_wait(millis(60)))
    .circuit_breaker(circuit_breaker::Config::consecutive_failures(4).open_for(millis(300)))
    .retry(retry::Config::attempts(3, Backoff::exponential(millis(10)).jitter(Jitter::Full)))
    .timeout(millis(30))
    .deadline(millis(200))
    .seed(3);

type Uplink<B> = RecordedGuard<B, 4>;

/// Takes what waits in the buffer, as a task that writes to a serial line would.
fn drain<B: AsMut<[u8]>>(guard: &Uplink<B>, log: &mut Vec<u8>) {
    let mut piece = [0; 16];
    loop {
        match guard.decisions().drain(&mut piece) {
            0 => return,
            n => log.extend_from_slice(&piece[..n]),
        }
    }
}

/// The entries of a log, each of which a replay decides as it is.
fn replayed(log: &[u8]) -> Vec<Entry> {
    let entries = Entries::of(log).unwrap();
    let guard: decision::Guard<4> = decision::Guard::new(entries.header().policy_of_size());
    let mut live: [Live<'_, 4, 10>; 16] = core::array::from_fn(|_| Live::default());
    let mut replay = Replay::try_new(entries.header(), &guard, &mut live).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(replay.step(&entry), Ok(entry.decision), "{entry:?}");
            entry
        })
        .collect()
}

#[test]
fn what_tasks_decide_is_replayed_to_the_same_decisions() {
    let world = World::new();
    let buffer: &'static mut [u8] = Box::leak(Box::new([0; 1024]));
    let guard: Uplink<&'static mut [u8]> = Uplink::recorded(UPLINK, buffer).unwrap();
    let (mut log, sent) = (Vec::new(), Cell::new(0));
    for round in 0..40_u64 {
        let call = |n: u64| {
            guard.call(move |attempt: Attempt| async move {
                Timer::after_millis((round * 7 + n * 13) % 37).await;
                if (round + n + u64::from(attempt.number())).is_multiple_of(4) {
                    Err("collision")
                } else {
                    Ok(1)
                }
            })
        };
        let results = world.run(join3(call(0), call(1), call(2)));
        sent.set(sent.get() + [results.0, results.1, results.2].into_iter().flatten().sum::<u32>());
        match round % 10 {
            7 => drop(guard.decisions().force_open()),
            8 => drop(guard.decisions().reset(decision::Clock::now(&seawall_embassy::EmbassyClock))),
            9 => assert!(guard.decisions().resize(1 + round as u32 / 10 % 2)),
            _ => {}
        }
        drain(&guard, &mut log);
    }
    assert_eq!(guard.decisions().lost(), 0, "1 KB is enough for a log that is drained");
    let (entries, stats) = (replayed(&log), guard.decisions().stats());
    assert_eq!(stats.successes, u64::from(sent.get()));
    assert!(stats.retries > 0 && stats.timeouts > 0 && stats.rejected_by(Pattern::Bulkhead) > 0, "{stats:?}");
    for (kind, there) in [
        ("waits", entries.iter().any(|it| matches!(it.decision, Decision::Waiting { .. }))),
        ("hands", entries.iter().any(|it| matches!(it.input, Input::ForceOpen))),
        ("refusals", entries.iter().any(|it| matches!(it.decision, Decision::Rejected { .. }))),
        ("sizes", entries.iter().any(|it| matches!(it.input, Input::Resize { .. }))),
    ] {
        assert!(there, "{kind}");
    }
}

#[test]
fn a_call_that_is_dropped_says_where_it_was() {
    let world = World::new();
    let guard: Uplink<[u8; 600]> = Uplink::recorded(QUEUE, [0; 600]).unwrap();
    let mut holder = Task::new(guard.call(|_| pending::<Result<(), ()>>()));
    let mut queued = Task::new(guard.call(|_| ready(Ok::<_, ()>(()))));
    assert!(holder.poll().is_pending() && queued.poll().is_pending());
    world.advance(3);
    drop(queued);
    drop(holder);
    let mut log = Vec::new();
    drain(&guard, &mut log);
    let entries = replayed(&log);
    let [begin, attempt, second, poll, gave_up, tried, cancelled] = entries[..] else {
        panic!("{entries:?}")
    };
    assert!(matches!((begin.input, second.input), (Input::Begin { .. }, Input::Begin { .. })));
    assert!(matches!((attempt.input, poll.input), (Input::Attempt { .. }, Input::Poll { .. })));
    assert!(matches!(gave_up.input, Input::CancelWaiting { .. }));
    assert!(matches!((tried.input, cancelled.input), (Input::DropAttempt { .. }, Input::Cancel { .. })));
    assert_eq!(cancelled.at.saturating_since(begin.at), millis(3));
}

#[test]
fn a_full_buffer_ends_the_log_and_no_call() {
    let world = World::new();
    let RecordError::BufferTooSmall { needed } = Uplink::recorded(UPLINK, [0; 8]).unwrap_err() else {
        panic!("it has 8 bytes")
    };
    assert!(needed < 300);
    let guard: Uplink<[u8; 300]> = Uplink::recorded(UPLINK, [0; 300]).unwrap();
    for _ in 0..20 {
        assert_eq!(world.run(guard.call(|_| takes(5))), Ok(5));
    }
    let (mut log, lost) = (Vec::new(), guard.decisions().lost());
    drain(&guard, &mut log);
    let written = replayed(&log).len() as u64;
    assert_eq!(written + lost, 80, "four steps a call");
    assert!(written > 4);
}
