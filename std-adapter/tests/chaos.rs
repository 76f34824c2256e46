//! Faults on purpose: every pattern sees them as it sees the real ones, and what they take comes back.
#![cfg(all(feature = "chaos", feature = "tokio"))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use seawall::chaos::{Config, Fault, Kind, Rule, probability};
use seawall::core::{Backoff, Instant, ManualClock, Ratio, bulkhead, circuit_breaker, retry};
use seawall::{Error, GiveUp, Guard, Policy};
use tokio::time;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

const POLICY: Policy = Policy::new()
    .bulkhead(bulkhead::Config::new(1))
    .circuit_breaker(circuit_breaker::Config::consecutive_failures(3))
    .retry(retry::Config::attempts(2, Backoff::constant(MILLI)))
    .timeout(Duration::from_millis(100));

fn guard() -> Guard<&'static ManualClock> {
    let clock = Box::leak(Box::new(ManualClock::new(Instant::from_secs(1))));
    Guard::with_clock("storage", POLICY, &*clock).unwrap()
}

fn always(fault: Fault) -> Config {
    Config::new().rule(Rule::new(fault, Ratio::ONE))
}

fn latency(time: Duration) -> Fault {
    Fault::Latency { min: time, max: time }
}

async fn call(guard: &Guard<&'static ManualClock>) -> Result<u32, Error<&'static str>> {
    guard.call(async |_| Ok(7)).await
}

#[tokio::test(start_paused = true)]
async fn nothing_strikes_before_it_is_armed_nor_after_it_is_disarmed() {
    let guard = guard();
    assert_eq!(call(&guard).await, Ok(7));
    assert!(!guard.disarm_chaos());
    guard.arm_chaos(&always(Fault::Error)).unwrap();
    assert!(guard.chaos().armed && call(&guard).await.is_err());
    assert!(guard.disarm_chaos());
    assert_eq!(call(&guard).await, Ok(7));
    let stats = guard.chaos();
    assert_eq!((stats.armed, stats.checks, stats.strikes, stats.injections(Kind::Error)), (false, 2, 2, 2));
    let wrong = always(latency(Duration::MAX));
    assert_eq!(guard.arm_chaos(&wrong).unwrap_err().field, "chaos.time");
}

/// CH1: the original's faults ran before every guard, and no pattern saw them.
#[tokio::test(start_paused = true)]
async fn ch1_the_breaker_the_retry_and_the_books_see_an_injected_error() {
    let guard = guard();
    guard.arm_chaos(&always(Fault::Error)).unwrap();
    let gave_up = Some(GiveUp::Attempts);
    assert_eq!(call(&guard).await, Err(Error::Injected { fault: Kind::Error, attempts: 2, gave_up }));
    let gave_up = Some(GiveUp::BreakerOpen);
    assert_eq!(call(&guard).await, Err(Error::Injected { fault: Kind::Error, attempts: 1, gave_up }));
    assert!(call(&guard).await.unwrap_err().is_rejected());
    assert_eq!((guard.stats().failures, guard.stats().retries), (2, 1));
    assert_eq!(guard.decisions().bulkhead().unwrap().snapshot().in_use, 0);
}

/// CH1: the original's delays ignored the deadline.
#[tokio::test(start_paused = true)]
async fn ch1_a_delay_is_bounded_by_the_timeout_of_its_attempt() {
    let guard = guard();
    guard.arm_chaos(&always(latency(60 * MILLI))).unwrap();
    let start = time::Instant::now();
    assert_eq!(call(&guard).await, Ok(7));
    assert_eq!(start.elapsed(), 60 * MILLI, "on the paused clock");

    for fault in [latency(SECOND), Fault::Timeout { after: SECOND }] {
        let guard = self::guard();
        guard.arm_chaos(&always(fault)).unwrap();
        let start = time::Instant::now();
        let Err(Error::TimedOut { limit, attempts, .. }) = call(&guard).await else { panic!("{fault:?}") };
        assert_eq!((limit, attempts, guard.stats().timeouts), (100 * MILLI, 2, 2));
        assert_eq!(start.elapsed(), 201 * MILLI, "two attempts and a pause");
    }
    let guard = self::guard();
    guard.arm_chaos(&always(Fault::Timeout { after: 50 * MILLI })).unwrap();
    let Err(Error::TimedOut { limit, .. }) = call(&guard).await else { panic!("the fault's own time") };
    assert_eq!(limit, 50 * MILLI);
}

/// CH2: the original's panics escaped before anything was settled.
#[tokio::test(start_paused = true)]
async fn ch2_a_panic_is_settled_as_any_panic() {
    let guard = guard();
    guard.arm_chaos(&always(Fault::Panic)).unwrap();
    let task = guard.clone();
    let ended = tokio::spawn(async move { call(&task).await }).await;
    assert!(ended.unwrap_err().is_panic());
    let blocking = catch_unwind(AssertUnwindSafe(|| guard.call_blocking(|_| Ok::<_, ()>(()))));
    assert!(blocking.is_err());
    assert_eq!((guard.stats().failures, guard.chaos().injections(Kind::Panic)), (2, 2));
    assert_eq!(guard.decisions().bulkhead().unwrap().snapshot().in_use, 0);
}

#[test]
fn a_blocking_call_is_struck_alike() {
    let guard = guard();
    guard.arm_chaos(&always(Fault::Partition { time: SECOND })).unwrap();
    let struck = guard.call_blocking(|_| Ok::<_, ()>(()));
    assert!(matches!(struck, Err(Error::Injected { fault: Kind::Partition, attempts: 2, .. })), "{struck:?}");
    assert_eq!(guard.decisions().breaker().unwrap().status(Instant::from_secs(1)).consecutive_failures, 2);

    let hasty = Guard::new("hasty", POLICY.timeout(MILLI)).unwrap();
    hasty.arm_chaos(&always(latency(Duration::from_secs(3600)))).unwrap();
    // The delay is longer than an attempt has, so the attempt's time is what it takes.
    let struck = hasty.call_blocking(|_| Ok::<_, ()>(()));
    assert!(matches!(struck, Err(Error::TimedOut { limit: MILLI, attempts: 2, .. })), "{struck:?}");
}

/// The same configuration strikes the same attempts, however often it is armed.
#[tokio::test(start_paused = true)]
async fn the_same_seed_strikes_the_same_attempts() {
    let half = |seed| Config::new().rule(Rule::new(Fault::Error, Ratio::percent(50))).seed(seed);
    let guard = Guard::new("storage", Policy::new()).unwrap();
    let run = async |seed| {
        guard.arm_chaos(&half(seed)).unwrap();
        let mut struck = Vec::new();
        for _ in 0..64 {
            struck.push(guard.call(async |_| Ok::<_, ()>(())).await.is_err());
        }
        struck
    };
    let first = run(7).await;
    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
    assert_eq!(guard.chaos().checks, 3 * 64, "the counts go on");
}

/// B79 and CH5: what is no probability is refused, and nothing and everything are exactly that.
#[test]
fn b79_a_probability_is_a_number_from_nothing_to_the_whole() {
    for wrong in [f64::NAN, -1.0, 1.1, f64::INFINITY, -f64::MIN_POSITIVE] {
        assert_eq!(probability(wrong), None, "{wrong}");
    }
    for (share, struck) in [(0.0, 0), (-0.0, 0), (1.0, 1000)] {
        let guard = Guard::new("storage", Policy::new()).unwrap();
        let rule = Rule::new(Fault::Error, probability(share).unwrap());
        guard.arm_chaos(&Config::new().rule(rule)).unwrap();
        let failed = (0..1000).filter(|_| guard.call_blocking(|_| Ok::<_, ()>(())).is_err()).count();
        assert_eq!(failed, struck, "{share}");
    }
}

/// CH3: the original never released what it took, and bounded nothing.
#[test]
fn ch3_what_a_fault_takes_comes_back() {
    let hour = Duration::from_secs(3600);
    let cpu = Fault::Cpu { threads: 2, share: Ratio::percent(1), time: hour };
    let all = always(Fault::Memory { bytes: 1 << 20, time: hour })
        .rule(Rule::along(Fault::Disk { bytes: 100_000, time: hour }))
        .rule(Rule::along(cpu));
    let guard = Guard::new("storage", Policy::new()).unwrap();
    guard.arm_chaos(&all).unwrap();
    for _ in 0..10 {
        assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(7)), Ok(7), "the operation runs beside it");
    }
    let loads = guard.chaos().loads;
    assert_eq!((loads.threads, loads.memory, loads.disk), (2, 1 << 20, 100_000), "one of each kind");
    guard.disarm_chaos();
    // An hour early, or this never ends.
    while guard.chaos().loads != Guard::new("new", Policy::new()).unwrap().chaos().loads {
        thread::yield_now();
    }

    let short = always(Fault::Memory { bytes: 1 << 20, time: MILLI })
        .rule(Rule::along(Fault::Disk { bytes: 1, time: MILLI }))
        .rule(Rule::along(Fault::Cpu { threads: 1, share: Ratio::ONE, time: MILLI }));
    guard.arm_chaos(&short).unwrap();
    assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(7)), Ok(7));
    while guard.chaos().loads.memory + guard.chaos().loads.disk + guard.chaos().loads.threads > 0 {
        thread::yield_now();
    }
}

/// The file of a disk fault outlived the process that wrote it.
#[test]
#[cfg(target_os = "linux")]
fn the_file_of_a_disk_fault_has_no_name_to_be_left_behind() {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    const BYTES: u32 = 123_457;
    let guard = Guard::new("storage", Policy::new()).unwrap();
    guard.arm_chaos(&always(Fault::Disk { bytes: BYTES, time: Duration::from_secs(3600) })).unwrap();
    assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(7)), Ok(7));
    let file = loop {
        let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok);
        let mut files = open.filter_map(|entry| fs::metadata(entry.path()).ok());
        if let Some(file) = files.find(|file| file.is_file() && file.len() == u64::from(BYTES)) {
            break file;
        }
        thread::yield_now();
    };
    assert_eq!(file.nlink(), 0);
    guard.disarm_chaos();
    while guard.chaos().loads.disk > 0 {
        thread::yield_now();
    }
}

/// The operation was told of time that the injected delay had used up.
#[test]
fn an_operation_that_starts_late_is_told_what_is_left_of_its_time() {
    let guard = Guard::new("storage", Policy::new().timeout(Duration::from_secs(60))).unwrap();
    guard.arm_chaos(&always(latency(30 * MILLI))).unwrap();
    let told = guard.call_blocking(|attempt| Ok::<_, ()>(attempt.remaining())).unwrap();
    assert!(told + 30 * MILLI <= 60 * SECOND, "{told:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let told = runtime.block_on(guard.call(async |attempt| Ok::<_, ()>(attempt.remaining()))).unwrap();
    // The timer may fire as much early as its granularity.
    assert!(told + 28 * MILLI <= 60 * SECOND, "{told:?}");

    let unlimited = Guard::new("unlimited", Policy::new()).unwrap();
    unlimited.arm_chaos(&always(latency(MILLI))).unwrap();
    assert_eq!(unlimited.call_blocking(|attempt| Ok::<_, ()>(attempt.remaining())), Ok(Duration::MAX));
}

/// B79: chaos is armed by a feature that no default includes.
#[test]
fn b79_no_feature_is_on_by_default() {
    let (_, features) = include_str!("../Cargo.toml").split_once("[features]").unwrap();
    let (features, _) = features.split_once("\n[").unwrap();
    let turning_it_on: Vec<_> =
        features.lines().filter(|line| line.contains("chaos") && !line.starts_with('#')).collect();
    assert!(turning_it_on.iter().all(|line| line.starts_with("chaos = [")), "{turning_it_on:?}");
    assert_eq!(turning_it_on.len(), 1);
    assert!(!features.lines().any(|line| line.starts_with("default")));
}
