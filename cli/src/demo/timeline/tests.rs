use super::{Action, Phase, Schedule};
use proptest::prelude::*;
use std::time::Duration;

const RUN: Duration = Duration::from_secs(20);

#[test]
fn one_seed_makes_one_schedule() {
    assert_eq!(Schedule::new(1, RUN), Schedule::new(1, RUN));
    assert_eq!(
        serde_json::to_string(&Schedule::new(1, RUN)).unwrap(),
        serde_json::to_string(&Schedule::new(1, RUN)).unwrap()
    );
}

#[test]
fn another_seed_makes_another_schedule() {
    let (one, two) = (Schedule::new(1, RUN), Schedule::new(2, RUN));
    assert_ne!(one.events, two.events);
    assert_ne!(one.added_latency_us, two.added_latency_us);
    assert_ne!(one.lost_replies, two.lost_replies);
}

#[test]
fn the_default_story_is_the_one_that_is_told() {
    let schedule = Schedule::new(1, RUN);
    let bounds: Vec<_> = schedule.phases.iter().map(|span| (span.phase, span.from_ms, span.to_ms)).collect();
    assert_eq!(
        bounds,
        [
            (Phase::Healthy, 0, 4_000),
            (Phase::Slow, 4_000, 7_000),
            (Phase::HalfDead, 7_000, 11_000),
            (Phase::Dead, 11_000, 15_000),
            (Phase::Healed, 15_000, 20_000),
        ]
    );
    assert_eq!(schedule.healed_at_ms(), 15_000);
    let server: Vec<_> = schedule
        .events
        .iter()
        .filter(|event| matches!(event.action, Action::StopServer | Action::KillServer | Action::StartServer))
        .map(|event| (event.at_ms, event.action))
        .collect();
    assert_eq!(
        server,
        [(11_000, Action::StopServer), (12_600, Action::KillServer), (15_000, Action::StartServer)]
    );
}

proptest! {
    #[test]
    fn every_schedule_is_whole(seed: u64, seconds in 4_u64..=600, half: bool) {
        let full = Schedule::new(seed, Duration::from_secs(seconds));
        let scaled = full.scaled_to(full.duration() / if half { 2 } else { 5 });
        for schedule in [full, scaled] {
            prop_assert_eq!(schedule.phases[0].from_ms, 0);
            prop_assert_eq!(schedule.phases[4].to_ms, schedule.duration_ms);
            for pair in schedule.phases.windows(2) {
                prop_assert_eq!(pair[0].to_ms, pair[1].from_ms);
                prop_assert!(pair[0].from_ms < pair[0].to_ms);
            }
            prop_assert!(schedule.events.is_sorted_by_key(|event| event.at_ms));
            for event in &schedule.events {
                let phase = schedule.phase_at(event.at_ms);
                match event.action {
                    Action::Enter(entered) => prop_assert_eq!(phase, entered),
                    Action::Reset { .. } => prop_assert_eq!(phase, Phase::HalfDead),
                    Action::StopServer | Action::KillServer => prop_assert_eq!(phase, Phase::Dead),
                    Action::StartServer => prop_assert_eq!(phase, Phase::Healed),
                }
            }
            prop_assert!(schedule.lost_replies.is_sorted());
            prop_assert!(schedule.lost_replies.iter().all(|place| *place < schedule.loss_cycle));
        }
    }

    #[test]
    fn losses_follow_the_list_and_go_round(seed: u64, nth in 0_u64..10_000) {
        let schedule = Schedule::new(seed, RUN);
        let place = u32::try_from(nth % 100).unwrap();
        prop_assert_eq!(schedule.is_lost(nth), schedule.lost_replies.contains(&place));
        let added = schedule.added_latency(nth);
        prop_assert!(added >= Duration::from_millis(25) && added < Duration::from_millis(60));
    }
}
