use core::time::Duration;

use super::{Admit, Shed};
use crate::admission::bulkhead::{self, Bulkhead};
use crate::admission::circuit_breaker::{self, CircuitBreaker, State};
use crate::admission::load_shedder::{self, LoadShedder, Priority};
use crate::admission::rate_limiter::{Quota, RateLimiter};
use crate::atomic::sync::probe::count;
use crate::guard::{Pattern, Rejected};
use crate::outcome::Outcome;
use crate::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const T: Instant = Instant::from_secs(100);

const BREAKER: circuit_breaker::Config =
    circuit_breaker::Config::consecutive_failures(1).open_for(SECOND).successes_to_close(1);

fn pattern<T>(result: Result<T, Rejected>) -> Option<Pattern> {
    result.err().map(|rejected| rejected.pattern())
}

#[test]
fn to_check_a_bulkhead_takes_nothing_from_it() {
    let bulkhead: Bulkhead<0> = Bulkhead::new(bulkhead::Config::new(1));
    let (accesses, checked) = count(|| Admit::check(&bulkhead, T));
    assert!(checked.is_ok());
    assert_eq!(accesses.writes, 0);
    let permit = bulkhead.try_acquire(T).unwrap();
    assert!(Admit::check(&bulkhead, T).is_err());
    drop(permit);
    assert!(Admit::check(&bulkhead, T).is_ok());
}

#[test]
fn b3_a_probe_comes_back_when_a_later_pattern_refuses() {
    let door = (CircuitBreaker::<0>::new(BREAKER), RateLimiter::new(Quota::per_second(1).burst(1)));
    let (permit, _) = door.try_acquire(T).unwrap();
    let _ = permit.record(Outcome::Failure, T);
    let later = T.saturating_add(SECOND);
    let token = door.1.try_acquire(later).unwrap();
    for _ in 0..10 {
        assert_eq!(pattern(door.try_acquire(later)), Some(Pattern::RateLimiter), "not the breaker");
    }
    door.1.refund(&token, later);
    let (permit, _) = door.try_acquire(later).unwrap();
    assert!(permit.is_probe());
    let _ = permit.record(Outcome::Success, later);
    assert_eq!(door.0.status(later).state, State::Closed);
}

#[test]
fn b3_everything_taken_comes_back_whichever_part_refuses() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(5));
    let slots = Bulkhead::<0>::new(bulkhead::Config::new(5));
    let breaker = CircuitBreaker::<0>::new(BREAKER);
    let none = Bulkhead::<0>::new(bulkhead::Config::new(0));
    let untouched = || (limiter.available(T), slots.snapshot().in_use, breaker.status(T).state);
    let before = untouched();
    assert_eq!(pattern((&limiter, &none).try_acquire(T)), Some(Pattern::Bulkhead));
    assert_eq!(pattern((&limiter, &slots, &none).try_acquire(T)), Some(Pattern::Bulkhead));
    assert_eq!(pattern((&limiter, &slots, &breaker, &none).try_acquire(T)), Some(Pattern::Bulkhead));
    assert!((&slots, &slots, &limiter, &breaker, &none).try_acquire(T).is_err());
    assert!((&slots, &slots, &limiter, &limiter, &breaker, &none).try_acquire(T).is_err());
    assert!(((&slots, &limiter), (&breaker, &none)).try_acquire(T).is_err(), "tuples of tuples");
    assert_eq!(untouched(), before);
    let permits = (&limiter, (&slots, &breaker)).try_acquire(T).unwrap();
    assert_eq!((limiter.available(T), slots.snapshot().in_use), (4, 1));
    (&limiter, (&slots, &breaker)).give_back(permits, T);
    assert_eq!(untouched(), before);
}

#[test]
fn a_check_says_the_same_and_takes_nothing() {
    let door = (
        RateLimiter::new(Quota::per_second(1).burst(2)),
        Bulkhead::<0>::new(bulkhead::Config::new(1)),
        CircuitBreaker::<0>::new(BREAKER),
    );
    for _ in 0..10 {
        assert!(door.check(T).is_ok());
    }
    let (_token, slot, permit) = door.try_acquire(T).unwrap();
    assert_eq!(pattern(door.check(T)), Some(Pattern::Bulkhead));
    drop(slot);
    let _ = permit.record(Outcome::Failure, T);
    assert_eq!(pattern(door.check(T)), Some(Pattern::CircuitBreaker));
    assert_eq!(door.0.available(T), 1);
}

#[test]
fn a_shedder_takes_part_with_the_priority_of_each_call() {
    let shedder = LoadShedder::<10>::new(load_shedder::Config::new(0, 10 * SECOND));
    let limiter = RateLimiter::new(Quota::per_second(1).burst(2));
    let shed = Shed::new(&shedder, Priority::Low, 1);
    assert!(shed.check(T).is_ok(), "it draws for a call that comes");
    let Err(Rejected::LoadShedder(rejected)) = (shed, &limiter).try_acquire(T) else { panic!("overload") };
    assert_eq!((rejected.priority, rejected.load, limiter.available(T)), (Priority::Low, 1, 2));
    let ((), _token) = (Shed::new(&shedder, Priority::High, 0), &limiter).try_acquire(T).unwrap();
    assert_eq!((shedder.stats(Priority::Low).shed, shedder.stats(Priority::High).admitted), (1, 1));
}

/// What is left out costs nothing, and what takes part no more than itself.
#[test]
fn a_tuple_is_as_large_as_its_parts() {
    type Limiter = RateLimiter;
    type Slots = Bulkhead<8>;
    type Breaker = CircuitBreaker<0>;
    let parts = size_of::<Limiter>() + size_of::<Slots>() + size_of::<Breaker>();
    let align = align_of::<(Limiter, Slots, Breaker)>();
    assert_eq!(size_of::<(Limiter, Slots, Breaker)>(), parts.next_multiple_of(align));
    assert_eq!(size_of::<(&Limiter, &Breaker)>(), 2 * size_of::<usize>());
}
