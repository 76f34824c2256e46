//! The transition loop: every decision is one read-modify-write on one word.
//!
//! # Ordering
//!
//! This is the only file that names an ordering for a transition.
//! A successful exchange is `AcqRel`: it publishes what its thread did before (a timer armed, a slot filled) and
//! observes what the thread did whose word it replaces.
//! A load, and the reload after a failed exchange, is `Acquire`: a thread that only reads a decision sees everything
//! that was published with it.
//! All transitions of a pattern are read-modify-writes on one word, hence they have one order on which all threads
//! agree.

use super::sync::{AtomicU32, AtomicWide, Ordering, Wide};

/// What a word holds, unpacked.
pub(crate) trait Packed: Copy {
    /// The raw word.
    type Raw;
    /// Reads a word.
    fn unpack(raw: Self::Raw) -> Self;
    /// Writes a word.
    fn pack(self) -> Self::Raw;
}

macro_rules! word {
    ($(#[$meta:meta])* $name:ident, $atomic:ident, $raw:ty) => {
        $(#[$meta])*
        pub(crate) struct $name($atomic);

        impl $name {
            const_fn! {
                /// A word that starts as `raw`.
                pub(crate) const fn new(raw: $raw) -> Self {
                    Self($atomic::new(raw))
                }
            }

            /// The present value.
            #[inline]
            pub(crate) fn load<S: Packed<Raw = $raw>>(&self) -> S {
                let order =
                    if mutant!("word_load_relaxed") { Ordering::Relaxed } else { Ordering::Acquire };
                S::unpack(self.0.load(order))
            }

            /// Replaces the value by what `step` makes of it, in one atomic step.
            ///
            /// `step` returns the next value and what to tell the caller; no next value leaves the word alone.
            /// It runs again whenever another thread got in between, so it has no side effects.
            /// Lock-free: an exchange fails only because another one succeeded (or spuriously, on some targets).
            #[inline]
            pub(crate) fn transition<S: Packed<Raw = $raw>, T>(
                &self,
                mut step: impl FnMut(S) -> (Option<S>, T),
            ) -> T {
                let mut raw = self.0.load(Ordering::Acquire);
                loop {
                    let (next, out) = step(S::unpack(raw));
                    let Some(next) = next else { return out };
                    let won =
                        if mutant!("word_exchange_relaxed") { Ordering::Relaxed } else { Ordering::AcqRel };
                    let exchanged = if mutant!("word_stores_instead_of_exchanging") {
                        self.0.store(next.pack(), Ordering::Release);
                        Ok(raw)
                    } else {
                        self.0.compare_exchange_weak(raw, next.pack(), won, Ordering::Acquire)
                    };
                    match exchanged {
                        Err(actual) if !mutant!("word_takes_a_lost_exchange_for_won") => raw = actual,
                        _ => return out,
                    }
                }
            }
        }
    };
}

word!(
    /// A 32-bit word of state.
    Word,
    AtomicU32,
    u32
);
word!(
    /// A word of state as wide as the target exchanges in one step.
    WideWord,
    AtomicWide,
    Wide
);
