//! A seedable random generator on one word.
//!
//! `SplitMix` (Steele, Lea, Flood: *Fast Splittable Pseudorandom Number Generators*, 2014), in its 32-bit form: a counter
//! that grows by a fixed odd step, and a mixer that turns the counter into the draw.
//! The counter is one shared word, so a generator can stand in a `static` and serve every thread; the same seed gives the
//! same sequence of draws.
//! It is for jitter and sampling, not for secrets.
//!
//! # Examples
//!
//! ```
//! use seawall_core::Rng;
//!
//! static JITTER: Rng = Rng::new(0x5EA_3A11);
//! assert!(JITTER.below(10) < 10);
//! assert_eq!(Rng::new(7).next_u32(), Rng::new(7).next_u32());
//! ```
//!
//! # Progress
//!
//! Wait-free: one `fetch_add` a draw.

use super::sync::{AtomicU32, Ordering};

/// The odd 32-bit constant nearest to 2³² divided by the golden ratio.
const STEP: u32 = 0x9E37_79B9;

/// A seedable random generator that many threads may share.
pub struct Rng {
    counter: AtomicU32,
}

impl Rng {
    const_fn! {
        /// A generator that starts from `seed`.
        ///
        /// Devices that must not act in step need different seeds: a serial number, a noise reading.
        pub const fn new(seed: u32) -> Self {
            Self { counter: AtomicU32::new(seed) }
        }
    }

    /// The next draw, uniform over all 32-bit values.
    #[inline]
    pub fn next_u32(&self) -> u32 {
        if mutant!("rng_draws_in_two_steps") {
            // ORDERING: none, the lines are wrong by intent.
            let next = self.counter.load(Ordering::Relaxed).wrapping_add(STEP);
            self.counter.store(next, Ordering::Relaxed);
            return mix(next);
        }
        // ORDERING: none is needed, the counter leads to no other data.
        mix(self.counter.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }

    /// A draw from `0..bound`, by multiplication; the bias is below `bound` / 2³². For `bound` 0 it is 0.
    #[inline]
    pub fn below(&self, bound: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }
}

/// The draws of one decision, from a first draw.
#[cfg(feature = "chaos")]
pub(crate) struct Draws(u32);

#[cfg(feature = "chaos")]
impl Draws {
    pub(crate) const fn new(first: u32) -> Self {
        Self(first)
    }

    pub(crate) const fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }
}

impl core::fmt::Debug for Rng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rng").finish_non_exhaustive()
    }
}

/// A bijective mixer of 32 bits ("lowbias32", Chris Wellons, 2018: found by search for the lowest bias).
const fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Rng;

    #[test]
    fn a_seed_fixes_the_sequence_and_another_seed_another_one() {
        let draws = |seed| {
            let rng = Rng::new(seed);
            core::array::from_fn::<u32, 64, _>(|_| rng.next_u32())
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn below_covers_its_range_and_nothing_else() {
        let rng = Rng::new(3);
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[rng.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (800..1200).contains(&n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }
}
