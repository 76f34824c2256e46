//! Loops around one operation, on one thread or on several that share it.

use core::fmt;
use core::time::Duration;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use crate::rows::Floor;

/// One operation to measure.
pub struct Row {
    /// What it belongs to.
    pub group: &'static str,
    /// What it is.
    pub name: &'static str,
    /// The bare instructions that it is compared with.
    pub floor: Option<Floor>,
    run: Box<dyn Fn(u64, usize) -> Duration>,
}

impl Row {
    /// A row that does `operation` on one `subject`, which all threads share.
    pub(crate) fn new<S, F>(group: &'static str, name: &'static str, subject: S, operation: F) -> Self
    where
        S: Sync + 'static,
        F: Fn(&S) + Sync + 'static,
    {
        let run = move |iterations, threads| measure(iterations, threads, || operation(&subject));
        Self { group, name, floor: None, run: Box::new(run) }
    }

    /// The same row, compared with `floor`.
    pub(crate) fn beside(self, floor: Floor) -> Self {
        Self { floor: Some(floor), ..self }
    }

    /// How long one thread takes for so many iterations while `threads` do them at once.
    pub fn run(&self, iterations: u64, threads: usize) -> Duration {
        (self.run)(iterations, threads)
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.group, self.name)
    }
}

fn measure(iterations: u64, threads: usize, operation: impl Fn() + Sync) -> Duration {
    let timed = || {
        let start = Instant::now();
        for _ in 0..iterations {
            operation();
        }
        start.elapsed()
    };
    if threads < 2 {
        return timed();
    }
    let start = Barrier::new(threads);
    let total: Duration = thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    timed()
                })
            })
            .collect();
        start.wait();
        let own = timed();
        let others = others.into_iter().map(|thread| thread.join().expect("an operation panicked"));
        own + others.sum::<Duration>()
    });
    total / u32::try_from(threads).unwrap_or(u32::MAX)
}
