//! Guards that write their steps down: whatever the threads and tasks do, a replay of the log decides the same.

use core::time::Duration;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use seawall::core::guard::Pattern;
use seawall::core::load_shedder;
use seawall::core::record::{Decision, Entries, Entry, Input, Live, RecordError, Replay};
use seawall::core::{Backoff, Ratio, backoff::Jitter, bulkhead, circuit_breaker, error_budget};
use seawall::core::{rate_limiter::Quota, retry, window::Span};
use seawall::guard::{Decisions, SLOTS, WAITERS};
use seawall::{Guard, Policy};

/// Every pattern takes part, and refuses something.
const FULL: Policy = Policy::new()
    .rate_limit(Quota::per_second(20_000).burst(200))
    .bulkhead(bulkhead::Config::new(2).max_wait(Duration::from_millis(20)).max_waiting(3))
    .circuit_breaker(
        circuit_breaker::Config::failure_rate(Ratio::percent(60), Span::time(Duration::from_millis(50)), 10)
            .or_consecutive_failures(6)
            .open_for(Duration::from_millis(2))
            .ramp(Duration::from_millis(2), Ratio::percent(20)),
    )
    .retry(
        retry::Config::attempts(3, Backoff::exponential(Duration::from_micros(50)).jitter(Jitter::Full))
            .budget(Ratio::percent(50), 100, 100),
    )
    .timeout(Duration::from_millis(5))
    .deadline(Duration::from_millis(50))
    .error_budget(error_budget::Config::new(Ratio::percent(90), Duration::from_millis(100)));

const RETRY: Policy = Policy::new().retry(retry::Config::attempts(2, Backoff::constant(Duration::ZERO)));
#[cfg(feature = "tokio")]
const QUEUE: Policy = Policy::new().bulkhead(bulkhead::Config::new(1));

fn taken(guard: &Guard<impl seawall::core::Clock>) -> Vec<u8> {
    let mut log = Vec::new();
    guard.recording().unwrap().drain_to(&mut log).unwrap();
    log
}

/// The entries of a log, each of which a replay decides as it is.
fn replayed(log: &[u8]) -> Vec<Entry> {
    let entries = Entries::of(log).unwrap();
    let guard = Box::new(Decisions::new(entries.header().policy_of_size()));
    let mut live: Vec<Live<'_, WAITERS, SLOTS>> = (0..64).map(|_| Live::default()).collect();
    let mut replay = Replay::try_new(entries.header(), &guard, &mut live).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(replay.step(&entry), Ok(entry.decision), "{entry:?}");
            entry
        })
        .collect()
}

/// What an operation does for the `n`th time.
fn work(n: u32) -> Result<u32, &'static str> {
    match n % 16 {
        0..4 => Err("no answer"),
        4 => {
            thread::sleep(Duration::from_micros(50));
            Ok(n)
        }
        _ => Ok(n),
    }
}

/// What an operator does now and then.
fn steer(guard: &Guard, n: u32) {
    match n % 8 {
        0 => guard.force_open(),
        1 => guard.force_closed(),
        2 => guard.trip(),
        3 => guard.refresh(),
        4 => assert!(guard.resize(1 + n % 3)),
        5 => {
            guard.set_shadow(true);
            thread::yield_now();
            guard.set_shadow(false);
        }
        6 => {
            guard.shadow_breaker(true);
            thread::yield_now();
        }
        _ => {}
    }
    guard.reset();
}

#[test]
fn what_threads_decide_together_is_replayed_to_the_same_decisions() {
    let guard = Guard::recorded("threads", FULL, vec![0; 1 << 22]).unwrap();
    thread::scope(|scope| {
        for worker in 0..4 {
            let guard = &guard;
            scope.spawn(move || {
                for n in 0..500_u32 {
                    let _ = catch_unwind(AssertUnwindSafe(|| {
                        guard.call_blocking(
                            |_| if n % 97 == 96 { panic!("{n}") } else { work(n * 7 + worker) },
                        )
                    }));
                    if n % 40 == worker {
                        steer(guard, n / 40 + worker);
                    }
                }
            });
        }
    });
    assert!(guard.close());
    assert!(guard.call_blocking(|_| work(9)).is_err());
    let recording = guard.recording().unwrap();
    assert_eq!(recording.lost(), 0);
    let entries = replayed(&taken(&guard));
    assert_eq!(recording.waiting(), 0);
    let (stats, count) =
        (guard.stats(), |kind: fn(&Entry) -> bool| entries.iter().filter(|it| kind(it)).count() as u64);
    let admitted = |it: &Entry| matches!(it.decision, Decision::Admitted { .. });
    let ended = |it: &Entry| matches!(it.input, Input::Drop { .. } | Input::Cancel { .. });
    assert_eq!(count(admitted), count(ended), "each call ends");
    assert_eq!(count(|it| matches!(it.input, Input::Begin { .. })), 2001);
    assert!(stats.successes > 100 && stats.failures > 100, "{stats:?}");
    for (what, there) in [
        ("hands", count(|it| matches!(it.input, Input::ForceOpen | Input::ForceClosed | Input::Trip))),
        ("shadow", count(|it| matches!(it.input, Input::SetShadow { .. } | Input::ShadowBreaker { .. }))),
        ("sizes", count(|it| matches!(it.input, Input::Resize { .. } | Input::Close))),
        ("refreshes", count(|it| matches!(it.input, Input::CheckBudget))),
        ("refusals", count(|it| matches!(it.decision, Decision::Rejected { .. }))),
    ] {
        assert!(there > 0, "{what}");
    }
}

#[test]
fn a_replay_of_another_policy_decides_otherwise() {
    let guard = Guard::recorded("other", Policy::new(), vec![0; 4096]).unwrap();
    assert!((0..3).all(|n| guard.call_blocking(|_| Ok::<_, ()>(n)).is_ok()));
    let log = taken(&guard);
    let entries = Entries::of(&log).unwrap();
    let strict = Box::new(Decisions::new(Policy::new().rate_limit(Quota::new(1, Duration::from_secs(3600)))));
    let mut live = [(); 4].map(|()| Live::default());
    let mut replay = Replay::try_new(entries.header(), &strict, &mut live).unwrap();
    let as_it_was = entries.filter(|entry| {
        let entry = entry.unwrap();
        replay.step(&entry) == Ok(entry.decision)
    });
    assert_eq!(as_it_was.count(), 4, "the first call");
}

#[test]
fn what_cannot_record_is_refused() {
    let refusal = |policy, bytes| Guard::recorded("none", policy, vec![0; bytes]).unwrap_err();
    // The seed is part of the head, and a larger one is longer.
    let full = FULL.seed(1);
    let RecordError::BufferTooSmall { needed } = refusal(full, 16) else { panic!("it has 16 bytes") };
    assert!(Guard::recorded("small", full, vec![0; needed]).is_ok());
    assert!(matches!(refusal(full, needed - 1), RecordError::BufferTooSmall { .. }));
    let wrong = refusal(Policy::new().deadline(Duration::ZERO), 4096);
    assert!(matches!(wrong, RecordError::Config(error) if error.field == "deadline"));
    assert!(Guard::new("plain", FULL).unwrap().recording().is_none());
}

#[test]
fn a_full_buffer_ends_the_log_and_no_call() {
    let guard = Guard::recorded("full", Policy::new(), vec![0; 400]).unwrap();
    for n in 0..100 {
        assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(n)), Ok(n));
    }
    let recording = guard.recording().unwrap();
    let (lost, log) = (recording.lost(), taken(&guard));
    let written = replayed(&log).len() as u64;
    assert_eq!(written + lost, 400, "four steps a call");
    assert!(written > 4);
    assert!(guard.call_blocking(|_| Ok::<_, ()>(1)).is_ok());
    assert_eq!((recording.lost(), taken(&guard).len()), (lost + 4, 0), "room that comes later opens no gap");
}

#[test]
fn a_buffer_that_is_drained_in_time_holds_any_log() {
    let guard = Guard::recorded("drained", RETRY, vec![0; 2048]).unwrap();
    let mut log = Vec::new();
    for n in 0..300 {
        let _ = guard.call_blocking(|_| work(n));
        guard.recording().unwrap().drain_to(&mut log).unwrap();
    }
    assert_eq!(guard.recording().unwrap().lost(), 0);
    assert!(replayed(&log).len() > 900);
}

/// Calls that are turned away before they reach the guard's patterns are no steps of it.
#[test]
fn what_the_shedder_turns_away_is_not_in_the_log() {
    let guard = Guard::recorded("shed", Policy::new(), vec![0; 4096]).unwrap();
    guard.shed(load_shedder::Config::new(10, Duration::from_secs(1))).unwrap();
    guard.set_load(1000);
    assert!(guard.call_blocking(|_| Ok::<_, ()>(())).unwrap_err().is_rejected());
    guard.set_load(0);
    assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_ok());
    assert_eq!(guard.stats().rejected_by(Pattern::LoadShedder), 1);
    assert_eq!(replayed(&taken(&guard)).len(), 4);
}

/// Takes a few bytes at a time, and fails now and then.
struct Unwilling {
    taken: Vec<u8>,
    turn: usize,
}

impl Write for Unwilling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.turn += 1;
        match self.turn % 5 {
            0 => Err(io::ErrorKind::StorageFull.into()),
            3 => Err(io::ErrorKind::Interrupted.into()),
            4 if self.turn.is_multiple_of(3) => Ok(0),
            n => {
                let len = bytes.len().min(n * 3);
                self.taken.extend_from_slice(&bytes[..len]);
                Ok(len)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_a_writer_does_not_take_is_kept_for_the_next_time() {
    let guard = Guard::recorded("unwilling", RETRY, vec![0; 1 << 16]).unwrap();
    for n in 0..50 {
        let _ = guard.call_blocking(|_| work(n));
    }
    let recording = guard.recording().unwrap();
    let mut out = Unwilling { taken: Vec::new(), turn: 0 };
    let mut failures = 0;
    while recording.drain_to(&mut out).is_err() {
        failures += 1;
    }
    assert!(failures > 20, "{failures}");
    assert!(replayed(&out.taken).len() > 150);
    assert_eq!((recording.drain_to(&mut out).unwrap(), recording.lost()), (0, 0));
}

#[test]
fn one_drains_at_a_time_and_calls_go_on_meanwhile() {
    struct Busy<'a>(&'a Guard, Vec<u8>);
    impl Write for Busy<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert!(self.0.call_blocking(|_| Ok::<_, ()>(())).is_ok(), "a writer that is guarded, too");
            let again = self.0.recording().unwrap().drain_to(io::sink()).unwrap_err();
            assert_eq!(again.kind(), io::ErrorKind::ResourceBusy);
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let guard = Guard::recorded("busy", Policy::new(), vec![0; 4096]).unwrap();
    let mut out = Busy(&guard, Vec::new());
    guard.recording().unwrap().drain_to(&mut out).unwrap();
    let mut log = out.1;
    assert_eq!(Entries::of(&log).unwrap().count(), 0, "what came meanwhile waits");
    log.extend(taken(&guard));
    assert_eq!(replayed(&log).len(), 4);
}

#[test]
fn a_log_begins_a_file_and_goes_on_in_it() {
    let folder = std::env::temp_dir().join(format!("seawall-recording-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let (path, other) = (folder.join("storage.log"), folder.join("other.log"));
    let guard = Guard::recorded("saved", Policy::new(), vec![0; 4096]).unwrap();
    let recording = guard.recording().unwrap();
    std::fs::write(&path, "the log of another run").unwrap();
    assert_eq!(recording.save(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    std::fs::remove_file(&path).unwrap();
    for _ in 0..3 {
        assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_ok());
        assert!(recording.save(&path).unwrap() > 0);
    }
    assert_eq!(recording.save(&other).unwrap_err().kind(), io::ErrorKind::NotFound);
    let log = std::fs::read(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!((replayed(&log).len(), recording.lost()), (12, 0));
}

#[test]
fn a_log_that_could_not_begin_begins_elsewhere() {
    let folder = std::env::temp_dir().join(format!("seawall-beginning-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let guard = Guard::recorded("beginning", Policy::new(), vec![0; 4096]).unwrap();
    let recording = guard.recording().unwrap();
    let nowhere = recording.save(folder.join("missing").join("storage.log")).unwrap_err();
    assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
    let mut full = Unwilling { taken: Vec::new(), turn: 4 };
    assert_eq!(recording.drain_to(&mut full).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_ok());
    let path = folder.join("storage.log");
    let written = recording.save(&path);
    let again = recording.save(&path);
    let log = std::fs::read(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!((written.unwrap(), again.unwrap()), (log.len() as u64, 0), "nothing is written twice");
    assert_eq!((replayed(&log).len(), recording.lost()), (4, 0));
}

/// A disk that was full at the first save left an empty file behind, and each later save found a file that was there before.
#[test]
#[cfg(unix)]
fn a_file_that_was_made_and_not_written_is_this_log_s() {
    const NAME: &str = "a_file_that_was_made_and_not_written_is_this_log_s";
    let Some(path) = std::env::var_os("SEAWALL_UNWRITABLE") else {
        // A process that may write to no file: it is told that the file is too large, as it would be told that the disk is full.
        let folder = std::env::temp_dir().join(format!("seawall-unwritable-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let output = std::process::Command::new("sh")
            .args(["-c", "ulimit -f 0; trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env("SEAWALL_UNWRITABLE", folder.join("storage.log"))
            .output()
            .unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    };
    let path = std::path::Path::new(&path);
    let guard = Guard::recorded("unwritable", Policy::new(), vec![0; 4096]).unwrap();
    let recording = guard.recording().unwrap();
    for _ in 0..2 {
        assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_ok());
        assert_eq!(recording.save(path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(std::fs::metadata(path).unwrap().len(), 0);
    }
    assert_eq!((replayed(&taken(&guard)).len(), recording.lost()), (8, 0), "nothing is lost by it");
}

#[cfg(feature = "tokio")]
#[path = "recording/asynchronous.rs"]
mod asynchronous;
