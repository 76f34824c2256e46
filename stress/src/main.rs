//! Threads hammer each pattern at once, and what must hold at any interleaving is asserted.
//!
//! `cargo xtask test tsan` runs it under the thread sanitizer, which sees every race that the run comes to; loom sees every
//! interleaving, but of a few steps.
//! Without a sanitizer it is a test of its own: `cargo run --release --package seawall-stress`.
//! A plain program and no test, so that nothing uninstrumented of the test harness takes part.

mod admission;
mod health;
mod measure;
mod whole;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Threads that hammer one pattern.
const THREADS: u32 = 4;

/// A subject, and the function that hammers it once.
type Subject = (&'static str, fn(u32));

const SUBJECTS: &[Subject] = &[
    ("rate limiter", admission::rate_limiter),
    ("keyed rate limiter", admission::keyed_rate_limiter),
    ("bulkhead", admission::bulkhead),
    ("circuit breaker", admission::circuit_breaker),
    ("load shedder", admission::load_shedder),
    ("retry budget", admission::retry_budget),
    ("window", measure::window),
    ("histogram", measure::histogram),
    ("rotating histogram", measure::rotating_histogram),
    ("change detector", measure::change_detector),
    ("event ring", measure::event_ring),
    ("random generator", measure::rng),
    ("manual clock", measure::manual_clock),
    ("health check", health::check),
    ("error budget", health::error_budget),
    ("degradation", health::degradation),
    ("composite", health::composite),
    ("core's guard", whole::decisions),
    ("std guard", whole::guard),
];

fn main() {
    // Seconds for all subjects together; the sanitizer makes everything some ten times slower.
    let seconds: u64 = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(10);
    let share = Duration::from_secs(seconds) / u32::try_from(SUBJECTS.len()).unwrap_or(1);
    for (name, hammer) in SUBJECTS {
        let started = Instant::now();
        let mut rounds = 0;
        while rounds == 0 || started.elapsed() < share {
            hammer(rounds);
            rounds += 1;
        }
        println!("{name}: {rounds} rounds");
    }
}

/// Runs the threads, all from the same moment on, and returns what they return.
fn threads<T: Send>(each: impl Fn(u32) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        let (each, barrier) = (&each, &barrier);
        let running: Vec<_> = (0..THREADS)
            .map(|number| {
                scope.spawn(move || {
                    barrier.wait();
                    each(number)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// The sum of what the threads return.
fn sum(each: impl Fn(u32) -> u32 + Sync) -> u32 {
    threads(each).into_iter().sum()
}
