//! The one file that names an atomic type.
//!
//! Four backends have one face: the target's own atomics, `portable-atomic` where the hardware has no
//! compare-and-swap, and the models of loom and of shuttle.
//! Under `cfg(test)` the face also counts every access and can let weak exchanges fail spuriously, which
//! loom does not explore; see [`probe`].

#[cfg(not(any(loom, shuttle, feature = "portable-atomic")))]
use core::sync::atomic as backend;
#[cfg(loom)]
use loom::sync::atomic as backend;
#[cfg(all(not(any(loom, shuttle)), feature = "portable-atomic"))]
use portable_atomic as backend;
#[cfg(shuttle)]
use shuttle::sync::atomic as backend;

pub(crate) use backend::Ordering;

#[cfg(not(any(loom, shuttle)))]
pub(crate) use atomic_waker::AtomicWaker;

/// The waker cell as a lock, which is one more place where shuttle may go on with another thread.
#[cfg(shuttle)]
pub(crate) struct AtomicWaker(shuttle::sync::Mutex<Option<core::task::Waker>>);

#[cfg(shuttle)]
impl AtomicWaker {
    pub(crate) const fn new() -> Self {
        Self(shuttle::sync::Mutex::new(None))
    }

    pub(crate) fn register(&self, waker: &core::task::Waker) {
        *self.cell() = Some(waker.clone());
    }

    pub(crate) fn take(&self) -> Option<core::task::Waker> {
        self.cell().take()
    }

    fn cell(&self) -> shuttle::sync::MutexGuard<'_, Option<core::task::Waker>> {
        self.0.lock().unwrap_or_else(shuttle::sync::PoisonError::into_inner)
    }
}

/// loom's waker cell with the face of `atomic-waker`.
#[cfg(loom)]
pub(crate) struct AtomicWaker(loom::future::AtomicWaker);

#[cfg(loom)]
impl AtomicWaker {
    pub(crate) fn new() -> Self {
        Self(loom::future::AtomicWaker::new())
    }

    pub(crate) fn register(&self, waker: &core::task::Waker) {
        self.0.register_by_ref(waker);
    }

    pub(crate) fn take(&self) -> Option<core::task::Waker> {
        self.0.take_waker()
    }
}

/// Declares a constructor `const` everywhere but under loom, whose atomics have no `const` constructor.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $body:block) => {
        $(#[$meta])*
        #[cfg(not(loom))]
        $vis const fn $name($($arg: $ty),*) -> $ret $body
        $(#[$meta])*
        #[cfg(loom)]
        $vis fn $name($($arg: $ty),*) -> $ret $body
    };
}

/// Whether this line is to be broken, so that the model that guards it can be seen to fail.
///
/// Outside loom and shuttle it is `false` at compile time.
#[cfg(not(any(loom, shuttle)))]
macro_rules! mutant {
    ($name:literal) => {
        false
    };
}
#[cfg(any(loom, shuttle))]
macro_rules! mutant {
    ($name:literal) => {
        $crate::atomic::mutant::is_planted($name)
    };
}

/// An array whose elements are each made by the same constructor, in a `const` where the backend allows it.
macro_rules! array_of {
    ($len:expr, $element:expr) => {{
        #[cfg(not(loom))]
        let array = [const { $element }; $len];
        #[cfg(loom)]
        let array = core::array::from_fn::<_, { $len }, _>(|_| $element);
        array
    }};
}

macro_rules! atomic {
    ($(#[$meta:meta])* $name:ident, $int:ty) => {
        $(#[$meta])*
        pub(crate) struct $name(backend::$name);

        // Each width of word uses the operations that its pattern needs.
        #[allow(dead_code)]
        impl $name {
            const_fn! {
                /// A word that holds `value`.
                pub(crate) const fn new(value: $int) -> Self {
                    Self(backend::$name::new(value))
                }
            }

            #[inline]
            pub(crate) fn load(&self, order: Ordering) -> $int {
                probe::load();
                self.0.load(order)
            }

            #[inline]
            pub(crate) fn store(&self, value: $int, order: Ordering) {
                probe::write();
                self.0.store(value, order);
            }

            #[inline]
            pub(crate) fn swap(&self, value: $int, order: Ordering) -> $int {
                probe::write();
                self.0.swap(value, order)
            }

            #[inline]
            pub(crate) fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                probe::write();
                self.0.fetch_add(value, order)
            }

            #[inline]
            pub(crate) fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                probe::write();
                self.0.compare_exchange(current, new, success, failure)
            }

            #[inline]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                if probe::fails_spuriously() {
                    return Err(self.0.load(failure));
                }
                probe::write();
                self.0.compare_exchange_weak(current, new, success, failure)
            }
        }
    };
}

atomic!(
    /// A 32-bit word, which a Cortex-M3 can compare and swap.
    AtomicU32,
    u32
);

/// The widest word that the target exchanges in one step: 64 bits on servers, 32 bits in firmware.
///
/// A 64-bit word that is emulated by a table of locks can hang when an interrupt handler touches it, so it is
/// never taken where the hardware has none.
/// `--cfg seawall_word32` takes the narrow layout on any host, so that the whole suite can run on it.
#[cfg(all(target_has_atomic = "64", not(seawall_word32)))]
pub(crate) type Wide = u64;
#[cfg(all(target_has_atomic = "64", not(seawall_word32)))]
atomic!(
    /// The atomic form of [`Wide`].
    AtomicU64,
    u64
);
#[cfg(all(target_has_atomic = "64", not(seawall_word32)))]
pub(crate) type AtomicWide = AtomicU64;

#[cfg(not(all(target_has_atomic = "64", not(seawall_word32))))]
pub(crate) type Wide = u32;
#[cfg(not(all(target_has_atomic = "64", not(seawall_word32))))]
pub(crate) type AtomicWide = AtomicU32;

/// A statistic that only grows: 64 bits wide on servers; in firmware it wraps at 2³².
///
/// Statistics take part in no decision.
pub(crate) struct Counter(AtomicWide);

impl Counter {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicWide::new(0))
        }
    }

    #[inline]
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    #[inline]
    pub(crate) fn add(&self, n: Wide) {
        if mutant!("counter_loses_an_update") {
            // ORDERING: none, the line is wrong by intent.
            self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
            return;
        }
        // ORDERING: none is needed, a statistic is not used to find other data.
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        // ORDERING: as above.
        u64::from(self.0.load(Ordering::Relaxed))
    }
}

/// Counts accesses and injects spurious failures, per thread, in this crate's own tests only.
#[cfg(test)]
pub(crate) mod probe {
    extern crate std;
    use core::cell::Cell;
    use std::boxed::Box;
    use std::thread_local;

    thread_local! {
        static LOADS: Cell<u32> = const { Cell::new(0) };
        static WRITES: Cell<u32> = const { Cell::new(0) };
        static FAIL_EVERY: Cell<u32> = const { Cell::new(0) };
        static EXCHANGES: Cell<u32> = const { Cell::new(0) };
        static INTERRUPT: Cell<Option<(u32, Handler)>> = const { Cell::new(None) };
    }

    /// What runs in the middle of a call, as an interrupt handler would.
    type Handler = Box<dyn FnOnce()>;

    /// The atomic accesses of this thread while `call` ran.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Accesses {
        pub(crate) loads: u32,
        pub(crate) writes: u32,
    }

    /// Runs `call` and counts its loads and its writes (stores and read-modify-writes).
    pub(crate) fn count<T>(call: impl FnOnce() -> T) -> (Accesses, T) {
        let before = (LOADS.get(), WRITES.get());
        let out = call();
        (Accesses { loads: LOADS.get() - before.0, writes: WRITES.get() - before.1 }, out)
    }

    /// Lets every `n`th weak exchange of this thread fail while `call` runs.
    pub(crate) fn with_spurious_failures<T>(n: u32, call: impl FnOnce() -> T) -> T {
        FAIL_EVERY.set(n);
        let out = call();
        FAIL_EVERY.set(0);
        out
    }

    /// Runs `call` with `handler` in front of its `n`th access, from zero, or after it if it has fewer; returns whether it
    /// had as many.
    pub(crate) fn interrupted(n: u32, handler: impl FnOnce() + 'static, call: impl FnOnce()) -> bool {
        INTERRUPT.set(Some((n, Box::new(handler))));
        call();
        match INTERRUPT.take() {
            None => true,
            Some((_, handler)) => {
                handler();
                false
            }
        }
    }

    fn tick() {
        match INTERRUPT.take() {
            Some((0, handler)) => handler(),
            Some((n, handler)) => INTERRUPT.set(Some((n - 1, handler))),
            None => {}
        }
    }

    pub(super) fn load() {
        tick();
        LOADS.set(LOADS.get() + 1);
    }

    pub(super) fn write() {
        tick();
        WRITES.set(WRITES.get() + 1);
    }

    pub(super) fn fails_spuriously() -> bool {
        let n = FAIL_EVERY.get();
        EXCHANGES.set(EXCHANGES.get().wrapping_add(1));
        n != 0 && EXCHANGES.get().is_multiple_of(n)
    }
}

/// Outside tests the probe is nothing.
#[cfg(not(test))]
mod probe {
    #[inline]
    pub(super) const fn load() {}
    #[inline]
    pub(super) const fn write() {}
    #[inline]
    pub(super) const fn fails_spuriously() -> bool {
        false
    }
}
