use core::time::Duration;

use super::{Admit, Serve, Shed, Took};
use crate::admission::adaptive_concurrency::{self, AdaptiveConcurrency};
use crate::admission::adaptive_rate::{self, AdaptiveRate};
use crate::admission::bulkhead::{self, Bulkhead};
use crate::admission::circuit_breaker::{self, CircuitBreaker, State};
use crate::admission::keyed::{self, KeyedRateLimiter, circuit_breaker::KeyedCircuitBreaker};
use crate::admission::load_shedder::{self, LoadShedder, Priority};
use crate::admission::rate_limiter::{Quota, RateLimiter, adjustable::AdjustableRateLimiter};
use crate::atomic::sync::probe::count;
use crate::guard::{Pattern, Rejected};
use crate::health::degradation::{Component, Degradation, Level};
use crate::health::error_budget::{self, Edge, ErrorBudget};
use crate::health::latency_budget::{self, LatencyBudget};
use crate::outcome::Outcome;
use crate::ratio::Ratio;
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
    door.1.refund(token, later);
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

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn a_settlement_tells_every_part_how_the_call_ended_and_each_says_what_that_changed() {
    let door = (
        CircuitBreaker::<0>::new(BREAKER),
        RateLimiter::new(Quota::per_second(1).burst(5)),
        Bulkhead::<0>::new(bulkhead::Config::new(1)),
        AdaptiveConcurrency::new(adaptive_concurrency::Config::aimd(10).samples(1).window(Duration::ZERO)),
        LatencyBudget::<4, 365>::new(
            latency_budget::Config::new(Ratio::percent(95), 10 * MILLI, 10 * SECOND).minimum_calls(1),
        ),
    );
    let permits = door.try_acquire(T).unwrap();
    let changes = door.settle(permits, Took::new(Outcome::Failure, 11 * MILLI), T);
    let (breaker, (), (), limit, edge) = changes;
    assert_eq!(breaker.transition().unwrap().to, State::Open);
    let limit = limit.unwrap();
    assert!((limit.from, limit.to < 10) == (10, true));
    assert_eq!(edge, Some(Edge::Exhausted));
    assert_eq!((door.1.available(T), door.2.snapshot().in_use, door.3.snapshot().in_flight), (4, 0, 0));
    assert_eq!(pattern(door.try_acquire(T)), Some(Pattern::CircuitBreaker));
}

#[test]
fn results_that_say_nothing_teach_nobody_anything() {
    let budget: LatencyBudget<4, 365> = LatencyBudget::new(
        latency_budget::Config::new(Ratio::percent(95), 10 * MILLI, 10 * SECOND).minimum_calls(1),
    );
    for outcome in [Outcome::Ignored, Outcome::Cancelled] {
        budget.settle((), Took::new(outcome, SECOND), T);
    }
    assert_eq!(budget.snapshot(T).calls, 0);
    assert_eq!(budget.settle((), Took::new(Outcome::Slow, SECOND), T), Some(Edge::Exhausted));
    budget.give_back((), T);
    assert_eq!((Admit::check(&budget, T), budget.snapshot(T).calls), (Ok(()), 1), "it refuses nobody");
}

/// RL5: the time that a call spends in our own queues and pauses teaches neither the rate nor the limit.
#[test]
fn rl5_the_latency_is_that_of_the_operation() {
    let rate = AdaptiveRate::new(adaptive_rate::Config::new(Quota::per_second(100), 10 * MILLI).samples(1));
    let config = adaptive_concurrency::Config::aimd(10).samples(1).window(Duration::ZERO);
    let limit = AdaptiveConcurrency::new(config.slow_after(10 * MILLI));
    let door = (&rate, &limit);
    for second in 0..10 {
        let began = T.saturating_add(second * SECOND);
        let permits = door.try_acquire(began).unwrap();
        let ended = began.saturating_add(SECOND / 2);
        assert_eq!(door.settle(permits, Took::new(Outcome::Success, 9 * MILLI), ended), (None, None));
    }
    assert_eq!(limit.snapshot().limit, 10);
    let later = T.saturating_add(20 * SECOND);
    let permits = door.try_acquire(later).unwrap();
    let (_, lowered) = door.settle(permits, Took::new(Outcome::Success, 10 * MILLI), later);
    assert!(lowered.unwrap().to < 10, "it was slow by itself");
    // The next window judges the rate by the one call of the window before.
    let slow = Took::new(Outcome::Success, 13 * MILLI);
    let permits = door.try_acquire(later).unwrap();
    assert_eq!(door.settle(permits, slow, later).0, None);
    let after = later.saturating_add(SECOND);
    let permits = door.try_acquire(after).unwrap();
    assert_eq!(door.settle(permits, slow, after).0.unwrap().to.rate_in_thousandths(), 90_000);
}

#[test]
fn adaptive_parts_refuse_by_their_own_names_and_take_back_what_was_not_used() {
    let rate = AdaptiveRate::new(adaptive_rate::Config::new(Quota::per_second(100).burst(2), MILLI));
    let limit = AdaptiveConcurrency::new(adaptive_concurrency::Config::aimd(1));
    let door = (&rate, &limit);
    let permits = door.try_acquire(T).unwrap();
    assert_eq!(pattern(Admit::check(&limit, T)), Some(Pattern::AdaptiveConcurrency));
    assert_eq!(pattern(door.try_acquire(T)), Some(Pattern::AdaptiveConcurrency));
    assert_eq!(rate.available(T), 1, "the token came back");
    door.give_back(permits, T);
    assert_eq!((rate.available(T), limit.snapshot().in_flight), (2, 0));
    assert!(door.check(T).is_ok());
    let _spent = [rate.try_acquire(T).unwrap(), rate.try_acquire(T).unwrap()];
    let refused = door.try_acquire(T).unwrap_err();
    assert_eq!((refused.pattern(), refused.retry_after()), (Pattern::AdaptiveRate, Some(10 * MILLI)));
    assert_eq!(pattern(door.check(T)), Some(Pattern::AdaptiveRate));
    rate.set_shadow(true);
    assert!(rate.is_shadow() && door.check(T).is_ok() && door.try_acquire(T).is_ok(), "it is only watched");
}

#[test]
fn a_limiter_whose_quota_changes_takes_part_as_one_whose_quota_does_not() {
    let limiter = AdjustableRateLimiter::new(Quota::per_second(1).burst(3));
    let slots = Bulkhead::<0>::new(bulkhead::Config::new(1));
    let door = (&limiter, &slots);
    let permits = door.try_acquire(T).unwrap();
    assert_eq!(pattern(door.try_acquire(T)), Some(Pattern::Bulkhead));
    assert_eq!(limiter.available(T), 2, "what the slots refused gave its token back");
    assert_eq!(door.settle(permits, Took::new(Outcome::Success, MILLI), T), ((), ()));
    assert_eq!(limiter.available(T), 2, "a call that ended has spent its token");

    let permits = door.try_acquire(T).unwrap();
    limiter.set_quota(Quota::per_second(2).burst(3), T).unwrap();
    assert_eq!(limiter.available(T), 1);
    door.give_back(permits, T);
    assert_eq!((limiter.available(T), slots.snapshot().in_use), (1, 0), "its token was of an earlier quota");

    let permits = door.try_acquire(T).unwrap();
    let refused = Admit::check(&limiter, T).unwrap_err();
    assert_eq!((refused.pattern(), refused.retry_after()), (Pattern::RateLimiter, Some(SECOND / 2)));
    assert_eq!(pattern(door.check(T)), Some(Pattern::RateLimiter));
    limiter.set_shadow(true);
    assert!(Admit::check(&limiter, T).is_ok(), "it is only watched");
    limiter.set_shadow(false);
    door.give_back(permits, T);
    assert!(door.check(T).is_ok());
}

#[test]
fn a_service_serves_the_priorities_that_its_level_admits() {
    let service = Degradation::new();
    service.set_level(Component::new(3), Level::SeverelyDegraded);
    for priority in Priority::ALL {
        let part = Serve::new(&service, priority);
        assert_eq!(part.try_acquire(T).is_ok(), Level::SeverelyDegraded.admits(priority));
        assert_eq!(part.check(T), part.try_acquire(T));
    }
}

#[test]
fn the_bucket_of_a_key_takes_part_and_gets_back_what_a_later_part_refused() {
    let tenants = KeyedRateLimiter::<8>::new(Quota::per_second(1).burst(2), keyed::Config::seeded(1));
    let slots = Bulkhead::<0>::new(bulkhead::Config::new(1));
    let door = |tenant: &str| (tenants.bucket(tenant), &slots);
    let left = |tenant: &str| tenants.bucket(tenant).status(T).map(|status| status.available);
    let a = door("a");
    let permits = a.try_acquire(T).unwrap();
    assert_eq!((left("a"), left("b")), (Some(1), None));
    assert_eq!(pattern(door("b").try_acquire(T)), Some(Pattern::Bulkhead));
    assert_eq!(left("b"), Some(2), "its token came back");
    a.give_back(permits, T);
    assert_eq!(left("a"), Some(2));
    for _ in 0..2 {
        let permits = a.try_acquire(T).unwrap();
        assert_eq!(a.settle(permits, Took::new(Outcome::Success, MILLI), T), ((), ()));
    }
    assert_eq!(left("a"), Some(0), "a call that ended has spent its token");
    let refused = a.try_acquire(T).unwrap_err();
    assert_eq!(Admit::check(&tenants.bucket("a"), T), Err(refused));
    assert_eq!((refused.pattern(), refused.retry_after()), (Pattern::RateLimiter, Some(SECOND)));
    assert!(matches!(refused, Rejected::KeyedRateLimiter(keyed::Rejected::Limited { .. })));
    assert!(door("b").check(T).is_ok());
}

#[test]
fn the_breaker_of_a_key_takes_part_and_learns_how_its_calls_ended() {
    let tenants = KeyedCircuitBreaker::<1>::new(BREAKER, keyed::Config::seeded(1));
    let limiter = RateLimiter::new(Quota::per_second(1).burst(2));
    let a = (tenants.breaker("a"), &limiter);
    let permits = a.try_acquire(T).unwrap();
    let (settled, ()) = a.settle(permits, Took::new(Outcome::Failure, MILLI), T);
    assert_eq!(settled.transition().unwrap().to, State::Open);
    let refused = a.try_acquire(T).unwrap_err();
    assert_eq!((refused.pattern(), refused.retry_after()), (Pattern::CircuitBreaker, Some(SECOND)));
    assert_eq!(Admit::check(&tenants.breaker("a"), T), Err(refused));
    let full = Admit::try_acquire(&tenants.breaker("b"), T).unwrap_err();
    assert!(matches!(
        full,
        Rejected::KeyedCircuitBreaker(keyed::circuit_breaker::Rejected::TableFull { .. })
    ));
    assert_eq!((full.pattern(), limiter.available(T)), (Pattern::CircuitBreaker, 1));
    // A probe that was given back is free for the next call.
    let later = T.saturating_add(SECOND);
    let permits = a.try_acquire(later).unwrap();
    assert!(a.check(later).is_err(), "one probe at a time");
    a.give_back(permits, later);
    let permits = a.try_acquire(later).unwrap();
    assert_eq!(
        a.settle(permits, Took::new(Outcome::Success, MILLI), later).0.transition().unwrap().to,
        State::Closed
    );
}

#[test]
fn an_objective_refuses_nobody_and_counts_calls_that_say_something() {
    let config = error_budget::Config::new(Ratio::percent(50), 10 * SECOND).minimum_calls(1);
    let budget: ErrorBudget = ErrorBudget::new(config);
    let settle = |outcome| Admit::settle(&budget, (), Took::new(outcome, MILLI), T);
    Admit::observe(&budget, Took::new(Outcome::Failure, MILLI), T);
    budget.give_back((), T);
    assert_eq!((settle(Outcome::Ignored), settle(Outcome::Cancelled)), (None, None));
    assert_eq!(budget.snapshot(T).calls, 0, "of attempts, and of results that say nothing");
    assert_eq!(settle(Outcome::Failure), Some(Edge::Exhausted));
    assert!(Admit::try_acquire(&budget, T).is_ok() && Admit::check(&budget, T).is_ok());
    assert_eq!((settle(Outcome::Slow), settle(Outcome::Success)), (Some(Edge::Recovered), None));
    assert_eq!((budget.snapshot(T).calls, budget.snapshot(T).failures), (3, 1));
}

#[test]
fn a_part_that_is_left_out_admits_everything() {
    let slots = Bulkhead::<0>::new(bulkhead::Config::new(1));
    let door = |none: bool| (if none { None } else { Some(&slots) }, None::<&AdaptiveRate>);
    let (with, without) = (door(false), door(true));
    let held = with.try_acquire(T).unwrap();
    assert!(held.0.is_some() && held.1.is_none());
    assert_eq!(pattern(with.check(T)), Some(Pattern::Bulkhead));
    assert_eq!(pattern(with.try_acquire(T)), Some(Pattern::Bulkhead));
    let passes = without.try_acquire(T).unwrap();
    assert!(without.check(T).is_ok());
    assert_eq!(without.settle(passes, Took::new(Outcome::Success, MILLI), T), (None, None));
    assert_eq!(with.settle(held, Took::new(Outcome::Success, MILLI), T), (Some(()), None));
    let held = with.try_acquire(T).unwrap();
    with.give_back(held, T);
    assert_eq!(slots.snapshot().in_use, 0);
    let tokens = Some(RateLimiter::new(Quota::per_second(1).burst(5)));
    let token = Admit::try_acquire(&tokens, T).unwrap();
    tokens.give_back(token, T);
    assert_eq!(tokens.map(|limiter| limiter.available(T)), Some(5), "a token comes back through it");
}

/// What follows each attempt learns of each; what counts calls learns of the last one alone.
#[test]
fn attempts_before_the_last_one_teach_what_follows_attempts() {
    let rate = AdaptiveRate::new(adaptive_rate::Config::new(Quota::per_second(100), 10 * MILLI).samples(1));
    let budget: LatencyBudget<4, 365> = LatencyBudget::new(
        latency_budget::Config::new(Ratio::percent(95), 10 * MILLI, 10 * SECOND).minimum_calls(1),
    );
    let breaker = CircuitBreaker::<0>::new(BREAKER);
    let door = (&rate, (Some(&budget), None::<LatencyBudget>), &breaker);
    let permits = door.try_acquire(T).unwrap();
    door.observe(Took::new(Outcome::Ignored, 50 * MILLI), T);
    assert_eq!(budget.snapshot(T).calls, 0, "it says nothing");
    door.observe(Took::new(Outcome::Failure, 50 * MILLI), T);
    assert_eq!((budget.snapshot(T).calls, budget.is_exhausted(T)), (1, true));
    assert_eq!(breaker.status(T).state, State::Closed, "the call has not ended");
    let after = T.saturating_add(SECOND);
    let (judged, ..) = door.settle(permits, Took::new(Outcome::Success, MILLI), after);
    assert_eq!(
        judged.unwrap().to.rate_in_thousandths(),
        90_000,
        "by the attempt before, in the window before"
    );
    assert_eq!(budget.snapshot(after).calls, 2);
}
