//! Faults that strike the attempts of a guard.

use core::future::{pending, ready};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::task::Poll;
use core::time::Duration;

use seawall_embassy::chaos::{Chaos, Config, Fault, Injector, Kind, Rule};
use seawall_embassy::core::circuit_breaker::State;
use seawall_embassy::core::retry::GiveUp;
use seawall_embassy::core::{Clock, Ratio};
use seawall_embassy::{EmbassyClock, Error, Guard, Policy};

use crate::world::{Task, World};
use crate::{BREAKER, RETRY, millis, takes};

/// Chaos of a test of its own, armed.
fn chaos(faults: &[Fault]) -> &'static Chaos {
    let rules = faults.iter().map(|fault| Rule::new(*fault, Ratio::ONE));
    let chaos = Box::leak(Box::new(Chaos::new(rules.fold(Config::new(), Config::rule))));
    chaos.arm(EmbassyClock.now());
    chaos
}

fn late(delay: Duration) -> Fault {
    Fault::Latency { min: delay, max: delay }
}

#[test]
fn nothing_strikes_that_is_not_armed() {
    let world = World::new();
    let chaos = chaos(&[Fault::Error]);
    let guard: Guard = Guard::new(Policy::new()).struck_by(Injector::new(chaos));
    let call = || world.run(guard.call(|_| ready(Ok::<_, ()>(7))));
    assert!(matches!(
        call(),
        Err(Error::Injected { fault: Kind::Error, attempts: 1, gave_up: Some(GiveUp::Attempts) })
    ));
    assert!(chaos.disarm());
    assert_eq!(call(), Ok(7));
    assert_eq!((chaos.stats().checks, chaos.stats().strikes), (1, 1));
}

#[test]
fn a_late_attempt_has_what_is_left_of_its_time() {
    let world = World::new();
    let guard: Guard =
        Guard::new(Policy::new().timeout(millis(100))).struck_by(Injector::new(chaos(&[late(millis(30))])));
    let told = world.run(guard.call(|attempt| ready(Ok::<_, ()>(attempt.remaining()))));
    assert_eq!((told, world.millis()), (Ok(millis(70)), 30));
    let cut = world.run(guard.call(|_| pending::<Result<(), ()>>()));
    assert_eq!(cut, Err(Error::TimedOut { limit: millis(70), attempts: 1, gave_up: Some(GiveUp::Attempts) }));
    assert_eq!(world.millis(), 130, "the timeout bounds the fault and the operation together");
}

#[test]
fn a_delay_beyond_the_timeout_is_a_timeout() {
    let world = World::new();
    let guard: Guard =
        Guard::new(Policy::new().timeout(millis(100))).struck_by(Injector::new(chaos(&[late(millis(500))])));
    let result = world.run(guard.call(|_| ready(Ok::<_, ()>(()))));
    assert_eq!(
        result,
        Err(Error::TimedOut { limit: millis(100), attempts: 1, gave_up: Some(GiveUp::Attempts) })
    );
    assert_eq!(world.millis(), 100);
}

#[test]
fn a_fault_is_worth_another_attempt_and_opens_the_breaker() {
    let world = World::new();
    let fault = Fault::Partition { time: millis(10_000) };
    let guard: Guard = Guard::new(RETRY).struck_by(Injector::new(chaos(&[fault])));
    let result = world.run(guard.call(|_| ready(Ok::<_, ()>(()))));
    let gave_up = Some(GiveUp::Attempts);
    assert_eq!(result, Err(Error::Injected { fault: Kind::Partition, attempts: 3, gave_up }));
    assert_eq!(world.millis(), 300, "with its pauses");

    let guard: Guard = Guard::new(BREAKER).struck_by(Injector::new(chaos(&[Fault::Error])));
    for _ in 0..2 {
        assert!(world.run(guard.call(|_| ready(Ok::<_, ()>(())))).is_err());
    }
    assert_eq!(guard.decisions().breaker().unwrap().status(EmbassyClock.now()).state, State::Open);
}

#[test]
fn a_panic_gives_everything_back() {
    let world = World::new();
    let guard: Guard = Guard::new(crate::QUEUE).struck_by(Injector::new(chaos(&[Fault::Panic])));
    let call = std::panic::AssertUnwindSafe(|| world.run(guard.call(|_| ready(Ok::<_, ()>(())))));
    assert!(std::panic::catch_unwind(call).is_err());
    assert_eq!(guard.decisions().bulkhead().unwrap().snapshot().in_use, 0);
}

#[test]
fn a_call_that_is_dropped_while_it_is_held_up_gives_everything_back() {
    let world = World::new();
    let guard: Guard = Guard::new(crate::QUEUE).struck_by(Injector::new(chaos(&[late(millis(50))])));
    let mut task = Task::new(guard.call(|_| ready(Ok::<_, ()>(()))));
    assert_eq!(task.poll(), Poll::Pending);
    assert_eq!(guard.decisions().bulkhead().unwrap().snapshot().in_use, 1);
    world.advance(10);
    drop(task);
    assert_eq!(guard.decisions().bulkhead().unwrap().snapshot().in_use, 0);
}

#[test]
fn the_firmware_is_told_what_memory_to_take() {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let world = World::new();
    let chaos = chaos(&[Fault::Memory { bytes: 4096, time: millis(100) }]);
    let injector = Injector::new(chaos).loads(|strike| {
        TAKEN.fetch_add(strike.memory.map_or(0, |memory| memory.bytes), Ordering::Relaxed);
    });
    let guard: Guard = Guard::new(Policy::new()).struck_by(injector);
    assert_eq!(world.run(guard.call(|_| takes(5))), Ok(5), "the operation runs beside it");
    assert_eq!(TAKEN.load(Ordering::Relaxed), 4096);
}

/// A poll that finds the processor busy lasts as long as that, on the clock.
#[test]
fn a_busy_processor_holds_the_executor_up_for_its_share_and_no_longer_than_its_time() {
    let world = World::new();
    let cpu = Fault::Cpu { threads: 2, share: Ratio::percent(25), time: millis(25) };
    let guard: Guard = Guard::new(Policy::new()).struck_by(Injector::new(chaos(&[cpu])));
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        // The clock goes on while the processor spins.
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                world.advance(1);
                std::thread::yield_now();
            }
        });
        let mut task = Task::new(guard.call(|_| takes(1_000)));
        let before = world.millis();
        let first = task.poll();
        let spun = world.millis() - before;
        let mut polls = 1;
        let mut output = first;
        while output.is_pending() {
            if task.was_woken() {
                output = task.poll();
                polls += 1;
            }
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(output, Poll::Ready(Ok(1_000)));
        assert!(spun >= 5, "half of 10 ms, and not {spun}");
        assert!((2..=8).contains(&polls), "a slice a poll while it lasts, and then it sleeps: {polls}");
    });
}
