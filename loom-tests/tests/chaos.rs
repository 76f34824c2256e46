//! Models of chaos: what is disarmed stays so, and nothing of one arming reaches into the next.
#![cfg(loom)]

use core::time::Duration;

use seawall_core::chaos::{Chaos, Config, Ending, Fault, Rule};
use seawall_core::{Instant, Ratio};
use seawall_loom::{leak, race};

const SECOND: Duration = Duration::from_secs(1);
const NOW: Instant = Instant::from_secs(100);
const LATER: Instant = Instant::from_secs(102);

fn armed(config: Config) -> &'static Chaos {
    let chaos = leak(Chaos::new(config));
    chaos.arm(NOW);
    chaos
}

// Mutant: chaos_end_of_phases_arms_again
#[test]
fn who_finds_the_phases_over_does_not_arm_again_what_another_disarms() {
    loom::model(|| {
        let chaos = armed(Config::new().rule(Rule::new(Fault::Error, Ratio::ONE).lasting(SECOND)));
        let (struck, was_armed) = race(|| chaos.decide(LATER), || chaos.disarm());
        assert_eq!((struck, was_armed), (None, true));
        assert!(!chaos.is_armed());
    });
}

// Mutant: chaos_partition_of_a_later_arming
#[test]
fn a_partition_holds_up_nobody_after_its_arming() {
    loom::model(|| {
        let partition = Fault::Partition { time: 60 * SECOND };
        let chaos = armed(Config::new().rule(Rule::new(partition, Ratio::ONE).after(SECOND)));
        let (struck, _) = race(|| chaos.decide(LATER), || chaos.arm(LATER));
        let ending = struck.and_then(|strike| strike.ending);
        assert!(matches!(ending, None | Some(Ending::Unreachable)));
        assert_eq!(chaos.decide(LATER), None, "the phase of the new arming has not begun");
    });
}

// Mutant: rng_draws_in_two_steps
#[test]
fn two_attempts_take_two_draws() {
    loom::model(|| {
        let config = Config::new().rule(Rule::new(Fault::Error, Ratio::percent(50))).seed(3);
        let chaos = armed(config);
        let strike = move || chaos.decide(NOW).is_some();
        let (one, other) = race(strike, strike);
        assert!(one != other, "of the first two draws one strikes");
    });
}

// Mutant: counter_loses_an_update
#[test]
fn every_strike_is_counted() {
    loom::model(|| {
        let chaos = armed(Config::new().rule(Rule::new(Fault::Error, Ratio::ONE)));
        let strike = move || chaos.decide(NOW).is_some();
        let (one, other) = race(strike, strike);
        let stats = chaos.stats();
        assert!(one && other);
        assert_eq!((stats.checks, stats.strikes, stats.injections(Fault::Error.kind())), (2, 2, 2));
    });
}
