//! A switch that is set at run time.

use super::sync::{AtomicU32, Ordering};

/// Whether something is on. It leads to no other data, so who looks while it is set may see either.
pub(crate) struct Switch(AtomicU32);

impl Switch {
    const_fn! {
        pub(crate) const fn new(on: bool) -> Self {
            Self(AtomicU32::new(on as u32))
        }
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        // ORDERING: none is needed, the switch leads to no other data.
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Says what it was.
    pub(crate) fn set(&self, on: bool) -> bool {
        // ORDERING: as above.
        self.0.swap(on.into(), Ordering::Relaxed) != 0
    }
}
