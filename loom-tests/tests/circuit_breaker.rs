//! The breaker under every interleaving: one word decides, a second one knows until when.
#![cfg(loom)]

use core::time::Duration;

use seawall_core::circuit_breaker::{Cause, Config, Permit, Reason, Settlement, State, Tally, Ticket};
use seawall_core::window::Span;
use seawall_core::{CircuitBreaker, Instant, Outcome, Ratio};
use seawall_loom::{leak, race, race3};

const MINUTE: Duration = Duration::from_secs(60);

type Breaker<const SLOTS: usize> = &'static CircuitBreaker<SLOTS>;

fn at(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

/// A breaker that every thread of the model may borrow.
fn breaker<const SLOTS: usize>(config: Config) -> Breaker<SLOTS> {
    leak(CircuitBreaker::new(config.open_for(MINUTE)))
}

/// Trips after `n` failures in a row and closes after one success.
fn in_a_row(n: u32) -> Config {
    Config::consecutive_failures(n).successes_to_close(1)
}

/// A breaker that opened at time 0, its failures reported by one thread.
fn opened(config: Config) -> Breaker<0> {
    let breaker = breaker(config);
    breaker.trip(at(0));
    breaker
}

fn admitted<const SLOTS: usize>(breaker: Breaker<SLOTS>, now: Instant) -> Permit<'static, SLOTS> {
    breaker.try_acquire(now).unwrap()
}

/// Takes a probe that never reports by itself, and says whether there was one.
fn try_probe(breaker: Breaker<0>, now: Instant) -> Option<Ticket> {
    breaker.try_acquire(now).ok().map(Permit::into_ticket)
}

fn count(changes: impl IntoIterator<Item = Settlement>) -> usize {
    changes.into_iter().filter(|settlement| settlement.transition().is_some()).count()
}

// Mutant: breaker_ignores_generation
#[test]
fn late_permit_never_leaks_into_a_new_cycle() {
    for outcome in [Outcome::Success, Outcome::Failure] {
        loom::model(move || {
            let breaker = breaker(in_a_row(1));
            let late = admitted(breaker, at(0));
            assert_eq!(count([admitted(breaker, at(0)).record(Outcome::Failure, at(0))]), 1);
            let (settlement, probe) =
                race(move || late.record(outcome, at(60)), || try_probe(breaker, at(60)));
            assert_eq!(settlement, Settlement::Stale);
            let status = breaker.status(at(60));
            assert_eq!((status.state, status.probes, status.successes), (State::HalfOpen, 1, 0));
            assert!(probe.is_some() && breaker.try_acquire(at(60)).is_err());
        });
    }
}

// Mutant: breaker_ignores_generation
#[test]
fn a_cancelled_probe_of_an_earlier_cycle_frees_no_place() {
    loom::model(|| {
        let breaker = opened(in_a_row(1).probes(2));
        let late = admitted(breaker, at(60));
        let failed = admitted(breaker, at(60));
        let fail_and_go_on = move || {
            assert_eq!(count([failed.record(Outcome::Failure, at(60))]), 1);
            try_probe(breaker, at(120)).is_some()
        };
        let (probes, ()) = race(fail_and_go_on, || drop(late));
        assert!(probes);
        assert_eq!(breaker.status(at(120)).probes, 1);
    });
}

// Mutant: breaker_admits_loser_of_the_race, word_takes_a_lost_exchange_for_won, word_stores_instead_of_exchanging
#[test]
fn at_most_n_probes_are_admitted_at_the_deadline() {
    for quota in [1, 2] {
        loom::model(move || {
            let breaker = opened(in_a_row(1).probes(quota));
            let ask = move || {
                breaker.try_acquire(at(60)).ok().map(|probe| (probe.transition(), probe.into_ticket()))
            };
            let probes: Vec<_> = race3(ask).into_iter().flatten().collect();
            assert_eq!(probes.len(), quota as usize);
            let transitions = probes.iter().filter(|(transition, _)| transition.is_some()).count();
            assert_eq!((transitions, breaker.status(at(60)).probes), (1, quota));
        });
    }
}

// Mutant: word_takes_a_lost_exchange_for_won, word_stores_instead_of_exchanging
#[test]
fn two_failures_that_cross_the_threshold_make_one_transition() {
    for threshold in [1, 2] {
        loom::model(move || {
            let breaker = breaker::<0>(in_a_row(threshold));
            let [one, other] = [admitted(breaker, at(0)), admitted(breaker, at(0))];
            let record = |permit: Permit<'static>| move || permit.record(Outcome::Failure, at(0));
            let settlements = <[_; 2]>::from(race(record(one), record(other)));
            assert_eq!(count(settlements), 1, "{settlements:?}");
            let status = breaker.status(at(0));
            assert_eq!((status.state, status.generation), (State::Open, 1));
            assert_eq!(status.retry_after, Some(MINUTE));
        });
    }
}

// Mutant: word_takes_a_lost_exchange_for_won
#[test]
fn the_failure_rate_trips_once_however_its_failures_interleave() {
    loom::model(|| {
        let span = Span::time(Duration::from_secs(10));
        let breaker = breaker::<1>(Config::failure_rate(Ratio::percent(60), span, 3));
        assert_eq!(count([admitted(breaker, at(0)).record(Outcome::Success, at(0))]), 0);
        let [one, other] = [admitted(breaker, at(0)), admitted(breaker, at(0))];
        let record = |permit: Permit<'static, 1>| move || permit.record(Outcome::Failure, at(0));
        let settlements = <[_; 2]>::from(race(record(one), record(other)));
        assert_eq!(count(settlements), 1, "{settlements:?}");
        assert_eq!(breaker.status(at(0)).generation, 1);
    });
}

// Mutant: breaker_leaves_the_deadline_to_another
#[test]
fn an_open_phase_without_a_deadline_gets_one_from_whoever_meets_it() {
    loom::model(|| {
        let breaker = breaker::<0>(in_a_row(1));
        let failing = admitted(breaker, at(0));
        // This thread may be stopped after it opened the breaker and before it set the deadline.
        let fail = move || failing.record(Outcome::Failure, at(0));
        let ask_twice = || {
            let Err(rejected) = breaker.try_acquire(at(0)) else { return };
            let later = at(0).saturating_add(rejected.retry_after.unwrap());
            assert!(breaker.try_acquire(later).is_ok(), "told when to come back, and refused again");
        };
        let (settlement, ()) = race(fail, ask_twice);
        assert_eq!(count([settlement]), 1);
    });
}

// Mutant: timer_overwrites_later_generation
#[test]
fn a_delayed_arming_never_overwrites_a_later_deadline() {
    loom::model(|| {
        let breaker = breaker::<0>(in_a_row(1));
        let trip = |now| move || (breaker.trip(at(now)).generation, now);
        let (one, other) = race(trip(0), trip(10));
        let (_, last) = one.max(other);
        assert_eq!(breaker.try_acquire(at(last + 59)).unwrap_err().retry_after, Some(Duration::from_secs(1)));
        assert!(breaker.try_acquire(at(last + 60)).is_ok());
    });
}

// Mutant: timer_lets_an_earlier_lease_win
#[test]
fn the_lease_runs_from_the_last_probe_whichever_thread_writes_it_last() {
    loom::model(|| {
        let breaker = opened(in_a_row(1).probes(2));
        let ask = |now| move || try_probe(breaker, at(now)).is_some();
        assert_eq!(race(ask(60), ask(70)), (true, true));
        assert!(breaker.try_acquire(at(129)).is_err(), "the probe of 70 s has a lease until 130 s");
        assert!(breaker.try_acquire(at(130)).is_ok());
    });
}

// Mutant: breaker_reclaims_within_the_cycle
#[test]
fn a_lost_probe_is_given_out_once() {
    loom::model(|| {
        let breaker = opened(in_a_row(1));
        let lost = try_probe(breaker, at(60)).unwrap();
        let ask = move || try_probe(breaker, at(120)).is_some();
        let (one, other) = race(ask, ask);
        assert!(one != other, "exactly one of them gets it");
        assert_eq!(breaker.settle(lost, Outcome::Success, at(121)), Settlement::Stale);
        assert_eq!(breaker.status(at(121)).state, State::HalfOpen);
    });
}

// Mutant: breaker_reclaims_within_the_cycle
#[test]
fn a_lost_probe_that_reports_after_all_counts_only_if_nobody_took_its_place() {
    loom::model(|| {
        let breaker = opened(in_a_row(1));
        let lost = try_probe(breaker, at(60)).unwrap();
        let report = move || breaker.settle(lost, Outcome::Success, at(120));
        let (settlement, next) = race(report, || admitted(breaker, at(120)));
        if next.is_probe() {
            assert_eq!(settlement, Settlement::Stale);
            assert_eq!(breaker.status(at(120)).state, State::HalfOpen);
        } else {
            assert_eq!(settlement.transition().map(|change| change.to), Some(State::Closed));
        }
        drop(next);
    });
}

// Mutant: word_stores_instead_of_exchanging, word_takes_a_lost_exchange_for_won
#[test]
fn cancelled_probe_frees_its_place_once() {
    loom::model(|| {
        let breaker = opened(in_a_row(1).probes(2));
        let [one, other] = [admitted(breaker, at(60)), admitted(breaker, at(60))];
        race(move || drop(one), move || drop(other));
        let again: Vec<_> = (0..3).filter_map(|_| try_probe(breaker, at(60))).collect();
        assert_eq!(again.len(), 2);
    });
}

// Mutant: word_stores_instead_of_exchanging
#[test]
fn a_place_that_is_freed_while_another_is_taken_is_neither_lost_nor_doubled() {
    loom::model(|| {
        let breaker = opened(in_a_row(1).probes(2));
        let leaving = admitted(breaker, at(60));
        let ((), taken) = race(move || drop(leaving), || try_probe(breaker, at(60)));
        assert!(taken.is_some(), "one place was free all the time");
        assert_eq!(breaker.status(at(60)).probes, 1);
    });
}

// Mutant: word_stores_instead_of_exchanging
#[test]
fn probes_that_succeed_together_close_the_breaker_once() {
    loom::model(|| {
        let breaker = opened(Config::consecutive_failures(1).probes(2).successes_to_close(2));
        let [one, other] = [admitted(breaker, at(60)), admitted(breaker, at(60))];
        let record = |permit: Permit<'static>| move || permit.record(Outcome::Success, at(60));
        let settlements = <[_; 2]>::from(race(record(one), record(other)));
        let transitions: Vec<_> = settlements.into_iter().filter_map(Settlement::transition).collect();
        let [closed] = transitions[..] else { panic!("{settlements:?}") };
        assert_eq!((closed.to, closed.cause), (State::Closed, Cause::ProbesSucceeded { successes: 2 }));
    });
}

// Mutant: word_takes_a_lost_exchange_for_won
#[test]
fn of_a_probe_that_succeeds_and_one_that_fails_only_the_first_decides() {
    loom::model(|| {
        let breaker = opened(in_a_row(1).probes(2));
        let [good, bad] = [admitted(breaker, at(60)), admitted(breaker, at(60))];
        let record = |permit: Permit<'static>, outcome| move || permit.record(outcome, at(60));
        let settlements = <[_; 2]>::from(race(record(good, Outcome::Success), record(bad, Outcome::Failure)));
        assert_eq!(count(settlements), 1, "{settlements:?}");
        assert!(settlements.contains(&Settlement::Stale));
        let decided = settlements.into_iter().find_map(Settlement::transition).unwrap();
        assert_eq!(breaker.status(at(60)).state, decided.to);
    });
}

// Mutant: breaker_forgets_a_failed_probe
#[test]
fn probes_that_fail_together_open_the_breaker_once() {
    loom::model(|| {
        let breaker = opened(in_a_row(1).probes(2).probe_failures_to_open(2));
        let [one, other] = [admitted(breaker, at(60)), admitted(breaker, at(60))];
        let record = |permit: Permit<'static>| move || permit.record(Outcome::Failure, at(60));
        let settlements = <[_; 2]>::from(race(record(one), record(other)));
        let transitions: Vec<_> = settlements.into_iter().filter_map(Settlement::transition).collect();
        let [opened] = transitions[..] else { panic!("{settlements:?}") };
        assert_eq!((opened.to, opened.cause), (State::Open, Cause::ProbesFailed { failures: 2 }));
    });
}

// Mutant: breaker_judges_probes_by_an_old_count
#[test]
fn the_last_of_the_probes_decides_by_the_share_of_all() {
    for (share, to) in [(50, State::Open), (51, State::Closed)] {
        loom::model(move || {
            let breaker = opened(in_a_row(1).probes(2).close_below(Ratio::percent(share), 2));
            let [good, bad] = [admitted(breaker, at(60)), admitted(breaker, at(60))];
            let record = |permit: Permit<'static>, outcome| move || permit.record(outcome, at(60));
            let settlements =
                <[_; 2]>::from(race(record(good, Outcome::Success), record(bad, Outcome::Failure)));
            let transitions: Vec<_> = settlements.into_iter().filter_map(Settlement::transition).collect();
            let [decided] = transitions[..] else { panic!("{settlements:?}") };
            assert_eq!((decided.to, decided.cause), (to, Cause::ProbeRate { calls: 2, failures: 1 }));
        });
    }
}

/// A breaker whose ramp lasts from 60 s to 160 s.
fn ramping(config: Config, from: Ratio) -> Breaker<0> {
    let breaker = opened(config.ramp(Duration::from_secs(100), from));
    let closed = admitted(breaker, at(60)).record(Outcome::Success, at(60));
    assert_eq!(count([closed]), 1);
    assert!(breaker.status(at(60)).ramping);
    breaker
}

// Mutant: breaker_ends_a_ramp_that_is_over
#[test]
fn a_ramp_that_ends_undoes_no_trip() {
    loom::model(|| {
        let breaker = ramping(in_a_row(1), Ratio::ONE);
        let failing = admitted(breaker, at(159));
        let fail = move || failing.record(Outcome::Failure, at(160));
        let (settlement, _) = race(fail, || breaker.try_acquire(at(160)).map(drop));
        assert_eq!(count([settlement]), 1, "the call in flight belongs to the closed phase still");
        assert_eq!(breaker.status(at(160)).state, State::Open);
    });
}

// Mutant: word_stores_instead_of_exchanging
#[test]
fn a_ramp_that_ends_loses_no_failure_and_ends_for_good() {
    loom::model(|| {
        let breaker = ramping(in_a_row(2), Ratio::ONE);
        let failing = admitted(breaker, at(159));
        let ask = || breaker.try_acquire(at(160)).map(Permit::into_ticket).is_ok();
        let (settlement, asked) = race(move || failing.record(Outcome::Failure, at(160)), ask);
        assert_eq!((settlement, asked), (Settlement::Counted, true));
        let status = breaker.status(at(160));
        assert_eq!((status.consecutive_failures, status.ramping), (1, false));
    });
}

// Mutant: breaker_leaves_the_deadline_to_another
#[test]
fn a_ramp_without_a_deadline_gets_one_from_whoever_meets_it() {
    loom::model(|| {
        let breaker = opened(in_a_row(1).ramp(Duration::from_secs(100), Ratio::ZERO));
        let probe = admitted(breaker, at(60));
        // This thread may be stopped after it closed the breaker and before it set the deadline.
        let close = move || probe.record(Outcome::Success, at(60));
        let ask_twice = || match breaker.try_acquire(at(60)) {
            Err(rejected) if rejected.reason == Reason::Ramping => {
                let later = at(60).saturating_add(rejected.retry_after.unwrap());
                assert!(breaker.try_acquire(later).is_ok(), "told when the ramp ends, and refused again");
            }
            asked => drop(asked),
        };
        let (settlement, ()) = race(close, ask_twice);
        assert_eq!(count([settlement]), 1);
    });
}

// Mutant: breaker_lets_the_configured_open_time_win
#[test]
fn the_open_time_that_the_peer_asks_for_holds_whoever_meets_the_phase_first() {
    loom::model(|| {
        let breaker = breaker::<0>(in_a_row(1).honor_retry_after(5 * MINUTE));
        let failing = admitted(breaker, at(0));
        let fail = move || failing.record_with(Outcome::Failure, Some(2 * MINUTE), at(0));
        let (settlement, _) = race(fail, || breaker.try_acquire(at(0)).map(drop));
        assert_eq!(count([settlement]), 1);
        assert_eq!(breaker.status(at(0)).retry_after, Some(2 * MINUTE));
    });
}

// Mutant: breaker_leaves_shadow_with_the_phase
#[test]
fn a_trip_and_the_beginning_of_shadow_mode_do_not_undo_each_other() {
    loom::model(|| {
        let breaker = breaker::<0>(in_a_row(1));
        let failing = admitted(breaker, at(0));
        let fail = move || failing.record(Outcome::Failure, at(0));
        let (settlement, begun) = race(fail, || breaker.shadow(true));
        assert_eq!((count([settlement]), begun.from), (1, begun.to));
        let refused = admitted(breaker, at(1));
        assert_eq!(refused.would_reject().map(|rejected| rejected.reason), Some(Reason::Open));
        assert!(breaker.status(at(1)).shadow);
    });
}

// Mutant: breaker_counts_refused_calls
#[test]
fn only_probes_of_a_shadow_decide() {
    loom::model(|| {
        let breaker = opened(Config::consecutive_failures(1).successes_to_close(2).in_shadow());
        let ask = move || {
            let permit = admitted(breaker, at(60));
            (permit.would_reject().is_some(), permit.into_ticket())
        };
        let asked = <[_; 2]>::from(race(ask, ask));
        assert_eq!(asked.iter().filter(|(refused, _)| *refused).count(), 1, "one place, two calls");
        for (refused, ticket) in asked {
            let expected = if refused { Settlement::Uncounted } else { Settlement::Counted };
            assert_eq!(breaker.settle(ticket, Outcome::Success, at(60)), expected);
        }
        assert_eq!((breaker.status(at(60)).state, breaker.status(at(60)).successes), (State::HalfOpen, 1));
    });
}

// Mutant: breaker_reset_keeps_the_generation
#[test]
fn reset_against_a_trip_leaves_a_consistent_breaker() {
    loom::model(|| {
        let breaker = breaker::<0>(in_a_row(1));
        let failing = admitted(breaker, at(0));
        let fail = move || failing.record(Outcome::Failure, at(0));
        let (settlement, reset) = race(fail, || breaker.reset(at(0)));
        let tripped_first = reset.from == State::Open;
        assert_eq!(settlement.transition().is_some(), tripped_first, "{settlement:?}");
        assert_eq!(
            breaker.status(at(0)).state,
            State::Closed,
            "a failure from before the reset opens nothing"
        );
        assert_eq!(count([admitted(breaker, at(30)).record(Outcome::Failure, at(30))]), 1);
        assert_eq!(breaker.status(at(30)).retry_after, Some(MINUTE), "the earlier deadline is gone");
    });
}

// Mutant: word_takes_a_lost_exchange_for_won
#[test]
fn a_breaker_that_is_forced_open_admits_no_probe_afterwards() {
    loom::model(|| {
        let breaker = opened(in_a_row(1));
        let (probe, forced) = race(move || try_probe(breaker, at(60)), || breaker.force_open());
        assert_eq!(probe.is_some(), forced.from == State::HalfOpen, "the probe came first, or not at all");
        assert!(breaker.try_acquire(at(600)).is_err());
    });
}

// Mutant: word_exchange_relaxed, word_load_relaxed
#[test]
fn who_sees_the_breaker_closed_sees_its_window_cleared() {
    loom::model(|| {
        let span = Span::time(Duration::from_secs(10));
        let breaker = breaker::<1>(Config::failure_rate(Ratio::ONE, span, 2));
        assert_eq!(count([admitted(breaker, at(0)).record(Outcome::Failure, at(0))]), 0);
        breaker.force_open();
        let look = || {
            if breaker.try_acquire(at(0)).is_ok() {
                assert_eq!(
                    breaker.status(at(0)).window.calls,
                    0,
                    "the failure was forgotten before the reset"
                );
            }
        };
        race(move || breaker.reset(at(0)), look);
    });
}

// Mutant: tally_loses_a_result
#[test]
fn a_tally_counts_every_result() {
    loom::model(|| {
        let tally = leak(Tally::new());
        let note = || tally.note(Outcome::Success, Settlement::Counted);
        race(note, note);
        assert_eq!((tally.counts().successes, tally.counts().consecutive_successes), (2, 2));
    });
}

// Mutant: tally_goes_back_to_an_older_baseline
#[test]
fn of_two_changes_the_later_one_begins_the_tally_anew() {
    loom::model(|| {
        let tally = leak(Tally::new());
        let later = || {
            tally.note(Outcome::Success, Settlement::Counted);
            tally.clear();
        };
        race(|| tally.clear(), later);
        assert_eq!(tally.counts().successes, 0);
    });
}
