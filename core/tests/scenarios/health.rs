//! Error budgets, levels of degradation, and the events that remember them.

use seawall_core::degradation::{Component, Degradation, Level, LevelChange};
use seawall_core::error_budget::{Config, Edge, ErrorBudget};
use seawall_core::events::{Event, EventKind, EventRing};
use seawall_core::{Ratio, Rng};

use super::support::{MINUTE, s};

#[cfg_attr(test, test)]
pub(crate) fn a_budget_is_spent_overspent_and_recovers() {
    let config = Config::new(Ratio::percent(99), MINUTE).minimum_calls(100);
    let budget = ErrorBudget::<10>::new(config);
    for call in 0..200 {
        assert_eq!(budget.record(call % 100 != 99, s(1)), None, "call {call}");
    }
    let account = budget.snapshot(s(1));
    assert_eq!((account.calls, account.failures, account.allowed_failures), (200, 2, 2));
    assert_eq!((account.spent_millionths, account.exhausted), (1_000_000, false), "met exactly is met");
    assert_eq!(budget.record(false, s(2)), Some(Edge::Exhausted));
    assert_eq!(budget.record(false, s(3)), None, "an edge is told once");
    assert_eq!(budget.snapshot(s(3)).remaining, Ratio::per_million(0));
    assert_eq!(budget.check(s(66)), Some(Edge::Recovered));
    assert_eq!(budget.check(s(66)), None);
}

#[cfg_attr(test, test)]
pub(crate) fn an_objective_of_everything_is_missed_by_one_failure() {
    let budget = ErrorBudget::<10>::new(Config::new(Ratio::ONE, MINUTE));
    assert_eq!(budget.record(true, s(1)), None);
    assert_eq!(budget.record(false, s(1)), Some(Edge::Exhausted));
    assert_eq!(budget.snapshot(s(1)).spent_millionths, u32::MAX);
}

#[cfg_attr(test, test)]
pub(crate) fn the_level_of_the_whole_is_the_worst_of_its_components() {
    let service = Degradation::new();
    let (store, peers) = (Component::new(0), Component::new(15));
    let to = |from, to| Some(LevelChange { from, to });
    assert_eq!(service.set_level(store, Level::SeverelyDegraded), to(Level::Normal, Level::SeverelyDegraded));
    assert_eq!(service.set_level(peers, Level::Degraded), None);
    assert_eq!(service.set_level(store, Level::Normal), to(Level::SeverelyDegraded, Level::Degraded));
    assert_eq!(service.set_level(peers, Level::Emergency), to(Level::Degraded, Level::Emergency));
    assert_eq!(service.recover_all(), to(Level::Emergency, Level::Normal));
    for (value, level) in [
        (100, Level::Normal),
        (101, Level::Degraded),
        (150, Level::Degraded),
        (151, Level::SeverelyDegraded),
        (200, Level::SeverelyDegraded),
        (201, Level::Emergency),
    ] {
        assert_eq!(Level::for_ratio(value, 100), level, "{value} of 100");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn events_come_in_order_and_a_slow_reader_knows_what_it_missed() {
    static EVENTS: EventRing<8> = EventRing::new();
    let event = |n: u64| Event { at: s(n << 20), kind: EventKind::Budget(Edge::Exhausted) };
    let mut cursor = EVENTS.cursor();
    for n in 0..1000 {
        EVENTS.push(event(n));
        if n < 4 {
            assert_eq!(EVENTS.read(&mut cursor), Some(event(n)));
        }
    }
    for n in 992..1000 {
        assert_eq!(EVENTS.read(&mut cursor), Some(event(n)));
    }
    assert_eq!((EVENTS.read(&mut cursor), cursor.missed(), EVENTS.dropped()), (None, 988, 992));
}

#[cfg_attr(test, test)]
pub(crate) fn the_generator_draws_the_same_on_every_target() {
    let rng = Rng::new(7);
    let draws = [(); 3].map(|()| rng.next_u32());
    assert_eq!(draws, [0x3fd9_abdb, 0x489c_36cb, 0x0f7f_e56e]);
    let mut rolls = [0_u32; 6];
    for _ in 0..6000 {
        rolls[rng.below(6) as usize] += 1;
    }
    assert!(rolls.iter().all(|count| (850..1150).contains(count)), "{rolls:?}");
}
