//! The generator under every interleaving: its draws are shared out, not copied.
#![cfg(loom)]

use seawall_core::Rng;
use seawall_loom::{leak, race};

// Mutant: rng_draws_in_two_steps
#[test]
fn two_threads_share_the_sequence_of_one() {
    loom::model(|| {
        let [rng, sequence] = [7, 7].map(|seed| leak(Rng::new(seed)));
        let (one, other) = race(|| rng.next_u32(), || rng.next_u32());
        let expected = [sequence.next_u32(), sequence.next_u32()];
        assert!([one, other] == expected || [other, one] == expected);
    });
}
