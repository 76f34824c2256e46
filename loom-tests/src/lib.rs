//! Loom models of `seawall-core`, through its public API; see `tests/`. Here is what they share.
//!
//! Loom leaves out interleavings that it takes for equal to one that it has run, and to find out it remembers the last
//! access to each atomic only.
//! A thread that loads a word before it exchanges it so hides the load of another thread, and loom never tries to let
//! the exchange come first: a model in which one thread only looks can end after a single execution.
//! Threads that begin with a read-modify-write on a common word have no such gap, since loom tries both orders of those;
//! `race` and `race3` see to it.
#![cfg(loom)]

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

/// A value that every thread of a model may borrow. It is leaked in each execution.
pub fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Lets two threads loose at once, and returns what they return.
///
/// # Panics
///
/// If one of them does.
pub fn race<A: 'static, B>(one: impl FnOnce() -> A + 'static, other: impl FnOnce() -> B) -> (A, B) {
    let gate = leak(AtomicU32::new(0));
    let thread = start(gate, one);
    // ORDERING: none, the gate orders nothing; it is there for loom.
    gate.fetch_add(1, Ordering::Relaxed);
    let other = other();
    (thread.join().unwrap(), other)
}

/// Lets three threads do the same at once, and returns what they return.
///
/// # Panics
///
/// If one of them does.
pub fn race3<T: 'static>(run: impl Fn() -> T + Copy + 'static) -> [T; 3] {
    let gate = leak(AtomicU32::new(0));
    let threads = [start(gate, run), start(gate, run)];
    // ORDERING: as above.
    gate.fetch_add(1, Ordering::Relaxed);
    let last = run();
    let [one, two] = threads.map(|thread| thread.join().unwrap());
    [one, two, last]
}

fn start<T: 'static>(gate: &'static AtomicU32, run: impl FnOnce() -> T + 'static) -> thread::JoinHandle<T> {
    thread::spawn(move || {
        // ORDERING: as above.
        gate.fetch_add(1, Ordering::Relaxed);
        run()
    })
}
