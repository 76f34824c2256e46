//! The adaptive limit against a sequential model of its rules.

use core::time::Duration;

use proptest::prelude::*;
use seawall_core::adaptive_concurrency::{AdaptiveConcurrency, Config, Permit};
use seawall_core::{Instant, Outcome, Ratio};

#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire,
    Settle(usize, Outcome, u64),
    Drop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        6 => Just(Outcome::Success),
        2 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignored),
        1 => Just(Outcome::Cancelled),
    ];
    prop_oneof![
        4 => Just(Step::Acquire),
        4 => (any::<usize>(), outcome, 0_u64..200).prop_map(|(n, outcome, millis)| Step::Settle(n, outcome, millis)),
        1 => any::<usize>().prop_map(Step::Drop),
    ]
}

/// AIMD in plain integers.
struct Model {
    limit: u64,
    samples: u64,
    bad: bool,
    busy: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn aimd_is_its_model(
        (min, initial, max) in (1_u32..10, 0_u32..10, 0_u32..10)
            .prop_map(|(min, initial, max)| (min, min + initial, min + initial + max)),
        samples in 1_u32..=31,
        increase in 1_u32..4,
        backoff in 0_u32..100,
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let config = Config::aimd(initial)
            .between(min, max)
            .samples(samples)
            .window(Duration::ZERO)
            .increase(increase)
            .backoff(Ratio::percent(backoff))
            .slow_after(Duration::from_millis(100));
        let limiter = AdaptiveConcurrency::new(config);
        let mut model = Model { limit: initial.into(), samples: 0, bad: false, busy: false };
        // The calls that run: whether half of the limit was in use when each was admitted.
        let mut running = Vec::new();
        for step in steps {
            match step {
                Step::Acquire => {
                    let admitted = limiter.try_acquire(Instant::ZERO);
                    prop_assert_eq!(admitted.is_ok(), (running.len() as u64) < model.limit);
                    if let Ok(permit) = admitted {
                        running.push((permit.into_ticket(), 2 * (running.len() as u64 + 1) >= model.limit));
                    }
                }
                Step::Drop(_) | Step::Settle(..) if running.is_empty() => {}
                Step::Drop(n) => {
                    let (ticket, _) = running.swap_remove(n % running.len());
                    prop_assert!(limiter.settle(ticket, Outcome::Cancelled, Instant::ZERO).is_none());
                }
                Step::Settle(n, outcome, millis) => {
                    let busy_at_end = 2 * running.len() as u64 >= model.limit;
                    let (ticket, busy) = running.swap_remove(n % running.len());
                    let adjustment = limiter.settle(ticket, outcome, Instant::from_millis(millis));
                    let before = model.limit;
                    if matches!(outcome, Outcome::Success | Outcome::Failure) {
                        model.samples += 1;
                        model.bad |= outcome == Outcome::Failure || millis >= 100;
                        model.busy |= busy || busy_at_end;
                        if model.samples == u64::from(samples) {
                            if model.bad {
                                model.limit = model.limit * u64::from(backoff) / 100;
                            } else if model.busy {
                                model.limit += u64::from(increase);
                            }
                            let limit = model.limit.clamp(min.into(), max.into());
                            model = Model { limit, samples: 0, bad: false, busy: false };
                        }
                    }
                    let told = adjustment.map(|change| (u64::from(change.from), u64::from(change.to)));
                    prop_assert_eq!(told, (before != model.limit).then_some((before, model.limit)));
                }
            }
            let now = limiter.snapshot();
            prop_assert_eq!((u64::from(now.limit), now.in_flight as usize), (model.limit, running.len()));
        }
    }

    #[test]
    fn a_gradient_keeps_its_bounds_and_loses_no_place(
        (min, initial, max) in (1_u32..10, 0_u32..20, 0_u32..40)
            .prop_map(|(min, initial, max)| (min, min + initial, min + initial + max)),
        samples in 1_u32..=31,
        tolerance in 1000_u32..=3000,
        queue in 0_u32..10,
        probe_every in 0_u32..20,
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let config = Config::gradient(initial)
            .between(min, max)
            .samples(samples)
            .window(Duration::ZERO)
            .tolerance(tolerance)
            .queue(queue)
            .probe_every(probe_every);
        let limiter = AdaptiveConcurrency::new(config);
        let mut running = Vec::new();
        let mut limit = initial;
        for step in steps {
            let adjustment = match step {
                Step::Acquire => {
                    let admitted = limiter.try_acquire(Instant::ZERO);
                    prop_assert_eq!(admitted.is_ok(), (running.len() as u32) < limit);
                    running.extend(admitted.map(Permit::into_ticket));
                    None
                }
                Step::Drop(n) | Step::Settle(n, ..) if !running.is_empty() => {
                    let ticket = running.swap_remove(n % running.len());
                    let (outcome, millis) = match step {
                        Step::Settle(_, outcome, millis) => (outcome, millis),
                        _ => (Outcome::Cancelled, 0),
                    };
                    limiter.settle(ticket, outcome, Instant::from_millis(millis))
                }
                _ => None,
            };
            if let Some(change) = adjustment {
                prop_assert_eq!(change.from, limit, "adjustments are a chain");
                limit = change.to;
            }
            let now = limiter.snapshot();
            prop_assert_eq!((now.limit, now.in_flight as usize), (limit, running.len()));
            prop_assert!((min..=max).contains(&limit));
        }
    }
}
