//! The manual clock under every interleaving: two words, and no reading that mixes the later halves of both.
#![cfg(loom)]

use seawall_core::{Clock as _, Instant, ManualClock};
use seawall_loom::{leak, race};

const OLD: Instant = Instant::from_nanos((1 << 32) + 5);
const NEW: Instant = Instant::from_nanos((2 << 32) + 3);

// Mutant: clock_keeps_the_low_word
#[test]
fn no_reading_is_later_than_what_the_clock_was_set_to() {
    loom::model(|| {
        let clock = leak(ManualClock::new(OLD));
        let ((), reading) = race(|| clock.set(NEW), || clock.now());
        assert!(reading <= NEW, "{reading:?}");
        assert_eq!(clock.now(), NEW);
    });
}

// Mutant: clock_does_not_look_again
#[test]
fn a_reading_across_the_change_is_not_far_in_the_past() {
    loom::model(|| {
        let [old, new] = [OLD, NEW].map(|moment| moment.as_nanos() >> 32 << 32);
        let clock = leak(ManualClock::new(OLD));
        let ((), reading) = race(|| clock.set(NEW), || clock.now());
        let plausible = [old, old + 5, new, new + 3];
        assert!(plausible.contains(&reading.as_nanos()), "{reading:?}");
    });
}
