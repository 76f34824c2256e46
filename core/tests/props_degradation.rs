//! Levels of degradation, wholes of members, thresholds and shedding, against plain lists and exact shares.
#![cfg(not(loom))]
#![allow(missing_docs)]

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::auto_degradation::{self, AutoDegradation};
use seawall_core::composite::{Composite, Rule};
use seawall_core::degradation::{Component, Degradation, Level};
use seawall_core::load_shedder::{self, LoadShedder, Priority};
use seawall_core::threshold::Threshold;
use seawall_core::{Instant, Ratio};

const MILLI: u64 = 1_000_000;

/// How many of the bounds 1, 1.5 and 2 times `threshold * share` lie below `value`.
fn passed(value: u64, threshold: u64, percent: u64) -> usize {
    let doubled = 200 * u128::from(value);
    [2, 3, 4].iter().filter(|&&times| doubled > times * u128::from(threshold * percent)).count()
}

proptest! {
    #[test]
    fn the_level_of_the_whole_is_the_worst_and_its_changes_are_a_chain(
        steps in vec(prop::option::weighted(0.95, (0_u8..16, 0_usize..4)), 1..200),
    ) {
        let service = Degradation::new();
        let (mut levels, mut told) = ([Level::Normal; 16], Level::Normal);
        for step in steps {
            let change = if let Some((n, level)) = step {
                levels[usize::from(n)] = Level::ALL[level];
                service.set_level(Component::new(n), Level::ALL[level])
            } else {
                levels = [Level::Normal; 16];
                service.recover_all()
            };
            let worst = levels.into_iter().max().unwrap();
            prop_assert_eq!(service.level(), worst);
            prop_assert_eq!(change.map(|change| (change.from, change.to)), (told != worst).then_some((told, worst)));
            told = worst;
        }
    }

    /// At once when it gets worse; a step better after the time to be calm.
    #[test]
    fn levels_follow_the_measure_as_the_model_does(
        threshold in 0_u64..1_000,
        percent in 1_u32..=100,
        calm in 0_u64..60,
        steps in vec((0_u64..50, 0_u64..2_500), 1..200),
    ) {
        let config = auto_degradation::Config::new(threshold)
            .recovery(Ratio::percent(percent))
            .calm_for(Duration::from_millis(calm));
        let auto = AutoDegradation::new(config);
        let (mut now, mut level, mut held) = (1_000, 0, 0);
        for (pause, value) in steps {
            now += pause;
            let before = level;
            if passed(value, threshold, 100) > level {
                (level, held) = (passed(value, threshold, 100), now);
            } else if level > 0 && passed(value, threshold, u64::from(percent)) >= level {
                held = now;
            } else if level > 0 && now - held >= calm {
                (level, held) = (level - 1, now);
            }
            let change = auto.observe(value, Instant::from_nanos(now * MILLI));
            prop_assert_eq!(change.is_some(), before != level);
            prop_assert_eq!(auto.level(), Level::ALL[level]);
        }
    }

    #[test]
    fn a_whole_is_healthy_if_enough_members_are(
        (members, quorum) in (1_u8..=32).prop_flat_map(|members| (Just(members), 1..=members)),
        steps in vec((any::<u8>(), any::<bool>()), 1..200),
    ) {
        let composite = Composite::new(members, Rule::Quorum(quorum));
        let mut healthy = vec![false; usize::from(members)];
        for (member, reported) in steps {
            let before = composite.is_healthy();
            let edge = composite.report(member, reported);
            if let Some(one) = healthy.get_mut(usize::from(member)) {
                *one = reported;
            }
            let enough = healthy.iter().filter(|&&it| it).count() >= usize::from(quorum);
            prop_assert_eq!(composite.is_healthy(), enough);
            prop_assert_eq!(edge.is_some(), before != enough);
        }
    }

    #[test]
    fn a_threshold_is_two_comparisons_and_what_is_no_number_meets_none(
        min in any::<f64>(), max in any::<f64>(), value in any::<f64>(), integers in any::<[i64; 3]>(),
    ) {
        let threshold = Threshold::between(min, max);
        prop_assert_eq!(threshold.is_met_by(value), min <= value && value <= max);
        prop_assert!(!threshold.is_met_by(f64::NAN));
        prop_assert_eq!(Threshold::try_between(min, max).is_ok(), min <= max);
        let [min, max, value] = integers;
        prop_assert_eq!(Threshold::between(min, max).is_met_by(value), (min..=max).contains(&value));
    }

    /// With one draw of each of equal parts, the share that is shed is the share that is too much, but for one call a class.
    #[test]
    fn exactly_what_is_too_much_is_shed_for_any_draw(
        arrived in prop::array::uniform4(1_u32..40),
        max_load in 1_u32..1_000,
        over in 1_u32..3_000,
    ) {
        let load = max_load + over;
        let shedder = LoadShedder::<2>::new(load_shedder::Config::new(max_load, Duration::from_secs(2)));
        let now = Instant::from_secs(1);
        // The traffic that the shares are taken from, at a load that sheds nothing.
        for (priority, &calls) in Priority::ALL.into_iter().zip(&arrived) {
            for _ in 0..calls {
                prop_assert!(shedder.try_admit(priority, max_load, now).is_ok());
            }
        }
        let mut before = 0_u64;
        for (class, priority) in Priority::ALL.into_iter().enumerate() {
            // One call more of this class is in the window when it is judged.
            let mut arrived = arrived.map(u64::from);
            arrived[class] += 1;
            let all: u64 = arrived.iter().sum();
            let below: u64 = arrived[..class].iter().sum();
            // Of the class, the share (all * over / load - below) / class, cut to 0 and 1.
            let too_much = (all * u64::from(over)).saturating_sub(below * u64::from(load));
            let whole = arrived[class] * u64::from(load);
            let draw = |draw: u32| {
                let fresh = LoadShedder::<2>::new(load_shedder::Config::new(max_load, Duration::from_secs(2)));
                for (priority, &calls) in Priority::ALL.into_iter().zip(&arrived) {
                    let calls = calls - u64::from(priority as usize == class);
                    assert!((0..calls).all(|_| fresh.try_admit(priority, 0, now).is_ok()));
                }
                fresh.try_admit_drawn(priority, load, draw, now).is_err()
            };
            let exact = u128::from(too_much.min(whole)) << 32;
            let threshold = exact.div_ceil(u128::from(whole));
            if let Ok(first) = u32::try_from(threshold) {
                prop_assert!(!draw(first), "the first draw that passes");
            }
            if let Some(last) = threshold.checked_sub(1) {
                prop_assert!(draw(u32::try_from(last).unwrap()), "the last draw that is shed");
            }
            prop_assert!(before == 0 || too_much <= whole * before, "a class is touched after those below it");
            before = too_much;
        }
    }
}
