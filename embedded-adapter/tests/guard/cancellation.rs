//! A future that is dropped gives everything back, wherever it was.

use core::cell::Cell;
use core::future::{pending, ready};
use core::task::Poll;

use seawall_embassy::core::circuit_breaker::{self, State};
use seawall_embassy::core::rate_limiter::Quota;
use seawall_embassy::core::{Backoff, Clock, bulkhead, retry};
use seawall_embassy::{Attempt, EmbassyClock, Error, Guard, Policy, Rejected};

use crate::millis;
use crate::world::{Task, World};

/// One slot, five tokens that hardly come back by themselves, one probe.
const ALL: Policy = Policy::new()
    .rate_limit(Quota::new(1, millis(3_600_000)).burst(5))
    .bulkhead(bulkhead::Config::new(1))
    .circuit_breaker(
        circuit_breaker::Config::consecutive_failures(1).open_for(millis(1000)).successes_to_close(1),
    )
    .retry(retry::Config::attempts(2, Backoff::constant(millis(10))))
    .timeout(millis(500));

#[derive(Debug, PartialEq)]
struct Held {
    slots: u32,
    waiting: u32,
    tokens: u32,
    probes: u32,
    failures: u32,
    cancelled: u64,
}

fn held(guard: &Guard) -> Held {
    let now = EmbassyClock.now();
    let decisions = guard.decisions();
    let (slots, breaker) =
        (decisions.bulkhead().unwrap().snapshot(), decisions.breaker().unwrap().status(now));
    Held {
        slots: slots.in_use,
        waiting: slots.waiting,
        tokens: decisions.limiter().unwrap().available(now),
        probes: breaker.probes,
        failures: breaker.consecutive_failures,
        cancelled: decisions.stats().cancelled,
    }
}

const NOTHING: Held = Held { slots: 0, waiting: 0, tokens: 5, probes: 0, failures: 0, cancelled: 0 };

#[test]
fn before_its_first_poll_it_holds_nothing() {
    let _world = World::new();
    let guard: Guard = Guard::new(ALL);
    drop(guard.call(|_| pending::<Result<(), ()>>()));
    assert_eq!(held(&guard), NOTHING);
}

#[test]
fn in_the_queue_it_gives_its_place_and_its_token_back() {
    let world = World::new();
    let guard: Guard = Guard::new(ALL);
    let mut holder = Task::new(guard.call(|_| pending::<Result<(), ()>>()));
    let mut second = Task::new(guard.call(|_| pending::<Result<(), ()>>()));
    let mut third = Task::new(guard.call(|_| ready(Ok::<_, ()>(3))));
    assert!(holder.poll().is_pending() && second.poll().is_pending() && third.poll().is_pending());
    assert_eq!(held(&guard), Held { slots: 1, waiting: 2, tokens: 2, ..NOTHING });
    world.advance(100);
    drop(second);
    assert_eq!(held(&guard), Held { slots: 1, waiting: 1, tokens: 3, cancelled: 1, ..NOTHING });
    drop(holder);
    assert!(third.was_woken(), "the next in the queue has the slot");
    assert_eq!(third.poll(), Poll::Ready(Ok(3)));
    assert_eq!(held(&guard), Held { tokens: 3, cancelled: 2, ..NOTHING });
}

#[test]
fn with_a_slot_that_it_did_not_collect_it_passes_its_turn_on() {
    let _world = World::new();
    let guard: Guard = Guard::new(ALL);
    let mut holder = Task::new(guard.call(|_| pending::<Result<(), ()>>()));
    let mut granted = Task::new(guard.call(|_| pending::<Result<(), ()>>()));
    let mut next = Task::new(guard.call(|_| ready(Ok::<_, ()>(()))));
    assert!(holder.poll().is_pending() && granted.poll().is_pending() && next.poll().is_pending());
    drop(holder);
    assert!(granted.was_woken() && !next.was_woken());
    drop(granted);
    assert!(next.was_woken());
    assert_eq!(next.poll(), Poll::Ready(Ok(())));
    assert_eq!(held(&guard), Held { tokens: 3, cancelled: 2, ..NOTHING }, "one that ran and one that tried");
}

#[test]
fn in_an_attempt_it_gives_its_slot_back_after_the_operation_was_dropped() {
    struct InFlight<'a>(&'a Guard, &'a Cell<u32>);
    impl Drop for InFlight<'_> {
        fn drop(&mut self) {
            self.1.set(held(self.0).slots);
        }
    }
    let _world = World::new();
    let guard: Guard = Guard::new(ALL);
    let slots_at_drop = Cell::new(u32::MAX);
    let mut task = Task::new(guard.call(async |_| {
        let _work = InFlight(&guard, &slots_at_drop);
        pending::<Result<(), ()>>().await
    }));
    assert!(task.poll().is_pending());
    drop(task);
    assert_eq!(slots_at_drop.get(), 1, "the slot is held until the work has ended");
    assert_eq!(held(&guard), Held { tokens: 4, cancelled: 1, ..NOTHING }, "it may have used its token");
}

#[test]
fn as_a_probe_it_gives_the_probe_back_and_counts_nothing() {
    let world = World::new();
    let guard: Guard = Guard::new(ALL.retry(retry::Config::never()));
    assert!(world.run(guard.call(|_| ready(Err::<(), _>(())))).is_err());
    world.advance(1001);
    let mut probe = Task::new(guard.call(|attempt: Attempt| {
        assert!(attempt.is_probe());
        pending::<Result<(), ()>>()
    }));
    assert!(probe.poll().is_pending());
    assert_eq!(held(&guard).probes, 1);
    drop(probe);
    assert_eq!(held(&guard), Held { tokens: 3, cancelled: 1, ..NOTHING });
    let status = guard.decisions().breaker().unwrap().status(EmbassyClock.now());
    assert_eq!(status.state, State::HalfOpen, "neither success nor failure");
    assert_eq!(world.run(guard.call(async |attempt| Ok::<_, ()>(attempt.is_probe()))), Ok(true));
}

#[test]
fn in_a_pause_it_gives_its_slot_back() {
    let world = World::new();
    let breaker = circuit_breaker::Config::consecutive_failures(9);
    let guard: Guard = Guard::new(ALL.circuit_breaker(breaker));
    let mut task = Task::new(guard.call(|_| ready(Err::<(), _>("busy"))));
    assert!(task.poll().is_pending());
    assert_eq!(held(&guard), Held { slots: 1, tokens: 4, failures: 1, ..NOTHING }, "in the pause");
    world.advance(5);
    drop(task);
    assert_eq!(held(&guard), Held { tokens: 4, failures: 1, cancelled: 1, ..NOTHING });
}

#[test]
fn a_thousand_dropped_calls_leak_nothing() {
    let world = World::new();
    let guard: Guard = Guard::new(ALL.rate_limit(Quota::per_second(1000).burst(5)));
    for n in 0..1000_u32 {
        let mut holder = Task::new(guard.call(|_| pending::<Result<(), ()>>()));
        let mut waiter = Task::new(guard.call(|_| pending::<Result<(), ()>>()));
        assert!(holder.poll().is_pending());
        assert!(waiter.poll().is_pending());
        if n % 2 == 0 {
            drop(holder);
            assert!(n % 4 == 0 || waiter.poll().is_pending());
        }
        drop(waiter);
        world.advance(2);
    }
    assert_eq!(held(&guard), Held { cancelled: 2000, ..NOTHING });
    let refused =
        world.run(Guard::<8>::new(ALL.bulkhead(bulkhead::Config::new(0))).call(|_| ready(Ok::<_, ()>(()))));
    assert!(matches!(refused, Err(Error::Rejected(Rejected::Bulkhead(_)))));
}
