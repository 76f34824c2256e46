//! The guard under every interleaving: what a call took is given back whoever refuses it, and the books balance.
#![cfg(loom)]

use core::task::Waker;
use core::time::Duration;

use seawall_core::circuit_breaker::State;
use seawall_core::guard::{Admit, Attempt, Begin, Call, Pattern, Policy, Report, Stats};
use seawall_core::rate_limiter::Quota;
use seawall_core::{Bulkhead, Deadline, Guard, Instant, Outcome, RateLimiter, bulkhead, circuit_breaker};
use seawall_loom::{leak, race};

const MINUTE: Duration = Duration::from_secs(60);
const NOW: Instant = Instant::from_secs(100);

type Link = &'static Guard<1, 1>;

fn guard(policy: Policy) -> Link {
    leak(Guard::new(policy))
}

/// A breaker that opens on as many failures in a row.
fn breaker(failures: u32) -> circuit_breaker::Config {
    circuit_breaker::Config::consecutive_failures(failures).open_for(MINUTE).successes_to_close(1)
}

fn begin(guard: Link) -> Call<'static, 1, 1> {
    guard.try_begin(Deadline::NONE, NOW).unwrap()
}

/// A call and its first attempt.
fn start(guard: Link) -> (Call<'static, 1, 1>, Attempt<'static, 1>) {
    let mut call = begin(guard);
    let attempt = call.try_attempt(NOW).unwrap();
    (call, attempt)
}

fn fail((mut call, attempt): (Call<'static, 1, 1>, Attempt<'static, 1>)) {
    let settled = call.settle(attempt, Report::new(Outcome::Failure).not_retryable(), NOW);
    assert!(settled.budget.is_none());
}

fn calls(stats: &Stats) -> u64 {
    stats.successes + stats.failures + stats.ignored + stats.cancelled + stats.rejected()
}

fn tokens(guard: Link) -> u32 {
    guard.limiter().unwrap().available(NOW)
}

fn assert_idle(guard: Link) {
    let snapshot = guard.bulkhead().unwrap().snapshot();
    assert_eq!((snapshot.in_use, snapshot.waiting), (0, 0));
}

// Mutant: guard_keeps_the_token_of_a_call_without_a_slot
#[test]
fn a_call_that_finds_no_slot_spends_no_token() {
    loom::model(|| {
        let policy =
            Policy::new().rate_limit(Quota::per_second(1).burst(2)).bulkhead(bulkhead::Config::new(1));
        let guard = guard(policy);
        let call = move || match guard.try_begin(Deadline::NONE, NOW) {
            Err(_) => 0,
            Ok(mut call) => {
                let attempt = call.try_attempt(NOW).unwrap();
                let _ = call.settle(attempt, Report::new(Outcome::Success), NOW);
                1
            }
        };
        let (one, other) = race(call, call);
        assert_eq!(tokens(guard), 2 - one - other);
        assert_eq!((calls(&guard.stats()), guard.stats().successes), (2, u64::from(one + other)));
        assert_idle(guard);
    });
}

// Mutant: guard_keeps_the_token_of_a_refused_attempt
#[test]
fn of_two_calls_at_the_end_of_the_open_time_one_probes_and_the_other_pays_nothing() {
    loom::model(|| {
        let policy = Policy::new().rate_limit(Quota::per_second(1).burst(2)).circuit_breaker(breaker(1));
        let guard = guard(policy);
        guard.breaker().unwrap().trip(Instant::from_secs(40));
        let ask = move || {
            let mut call = guard.try_begin(Deadline::NONE, NOW).ok()?;
            let attempt = call.try_attempt(NOW).ok()?;
            assert!(attempt.is_probe());
            Some((call, attempt))
        };
        let (one, other) = race(ask, ask);
        assert!(one.is_some() != other.is_some(), "one probe");
        assert_eq!((tokens(guard), guard.stats().rejected_by(Pattern::CircuitBreaker)), (1, 1));
        assert_eq!(guard.stats().transitions(State::Open, State::HalfOpen), 1);
    });
}

// Mutant: guard_frees_the_slot_first
#[test]
fn who_gets_the_slot_finds_the_call_before_accounted_for() {
    loom::model(|| {
        let guard = guard(Policy::new().bulkhead(bulkhead::Config::new(1)));
        let before = begin(guard);
        let follow = || guard.try_begin(Deadline::NONE, NOW).is_ok().then(|| guard.stats().cancelled);
        let ((), seen) = race(move || drop(before), follow);
        assert!(seen.is_none_or(|cancelled| cancelled >= 1), "the slot was free, its call was not settled");
        assert_idle(guard);
    });
}

// Mutant: guard_drops_a_waiter_but_not_its_token
#[test]
fn a_waiter_that_leaves_as_its_turn_comes_leaves_nothing_behind() {
    loom::model(|| {
        let slots = bulkhead::Config::new(1).max_wait(MINUTE);
        let guard = guard(Policy::new().rate_limit(Quota::per_second(1).burst(2)).bulkhead(slots));
        let before = start(guard);
        let Ok(Begin::Waiting(mut waiting)) = guard.begin(Deadline::NONE, NOW) else { panic!("one slot") };
        assert!(waiting.poll(Waker::noop(), NOW).is_pending());
        race(move || fail(before), move || drop(waiting));
        assert_idle(guard);
        assert_eq!((tokens(guard), guard.stats().failures, guard.stats().cancelled), (1, 1, 1));
    });
}

// Mutant: word_takes_a_lost_exchange_for_won, counter_loses_an_update
#[test]
fn calls_that_fail_together_are_counted_each_and_open_the_breaker_once() {
    loom::model(|| {
        let guard = guard(Policy::new().bulkhead(bulkhead::Config::new(2)).circuit_breaker(breaker(2)));
        let (one, other) = (start(guard), start(guard));
        race(move || fail(one), move || fail(other));
        let stats = guard.stats();
        assert_eq!((stats.failures, stats.transitions(State::Closed, State::Open)), (2, 1));
        assert!(guard.try_begin(Deadline::NONE, NOW).is_err());
        assert_idle(guard);
    });
}

// Mutant: guard_looks_at_the_switch_again
#[test]
fn a_call_that_began_in_shadow_mode_ends_in_it() {
    loom::model(|| {
        let policy =
            Policy::new().bulkhead(bulkhead::Config::new(0)).circuit_breaker(breaker(1)).shadow(true);
        let guard = guard(policy);
        let _ = guard.breaker().unwrap().force_open();
        let call = move || {
            let mut call = guard.try_begin(Deadline::NONE, NOW).ok()?;
            let attempt = call.try_attempt(NOW).expect("what began goes on");
            let _ = call.settle(attempt, Report::new(Outcome::Failure), NOW);
            Some(())
        };
        let (ended, was_on) = race(call, move || guard.set_shadow(false));
        let stats = guard.stats();
        let watched = u64::from(ended.is_some());
        assert!(was_on && !guard.is_shadow());
        assert_eq!(
            (stats.failures, stats.shadow.reject_by(Pattern::Bulkhead), stats.rejected()),
            (watched, watched, 1 - watched)
        );
    });
}

// Mutant: compose_keeps_what_it_took
#[test]
fn a_tuple_that_refuses_has_taken_nothing() {
    loom::model(|| {
        let limiter = RateLimiter::new(Quota::per_second(1).burst(2));
        let door = leak((limiter, Bulkhead::<0>::new(bulkhead::Config::new(1))));
        let call = || u32::from(door.try_acquire(NOW).is_ok());
        let (one, other) = race(call, call);
        assert_eq!((door.0.available(NOW), door.1.snapshot().in_use), (2 - one - other, 0));
    });
}
