//! Processors, memory and disk that are taken for a time, on threads of their own.

use std::hint::{black_box, spin_loop};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use seawall_core::chaos::{Cpu, Held, Strike};

/// How long a busy thread is busy and rests together.
const SLICE: Duration = Duration::from_millis(10);

/// How much of a file is written at a time.
const PIECE: usize = 8 * 1024;

/// How much memory is written at a time.
const STRETCH: usize = 1 << 20;

/// What is taken at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadStats {
    /// Threads that keep processors busy.
    pub threads: u32,
    /// Bytes of memory.
    pub memory: u32,
    /// Bytes in temporary files.
    pub disk: u32,
}

/// The loads of a guard: one of each kind at a time. They end with it.
#[derive(Default)]
pub(super) struct Loads(Arc<Taken>);

#[derive(Default)]
struct Taken {
    threads: AtomicU32,
    memory: AtomicU32,
    disk: AtomicU32,
    /// How often everything was ended.
    ended: Mutex<u64>,
    changed: Condvar,
}

impl Loads {
    /// What [`begin`](Self::begin) is told: the round that the next [`end`](Self::end) ends.
    pub(super) fn round(&self) -> u64 {
        self.0.round()
    }

    /// Begins what `strike` asks for, unless one of the kind is under way; all of it ends with `round`.
    pub(super) fn begin(&self, strike: &Strike, round: u64) {
        if self.0.round() != round {
            return;
        }
        if let Some(cpu) = strike.cpu {
            self.keep_busy(cpu, round);
        }
        if let Some(held) = strike.memory {
            self.take(held, round, |taken| &taken.memory, "memory", hold_memory);
        }
        if let Some(held) = strike.disk {
            self.take(held, round, |taken| &taken.disk, "disk", hold_file);
        }
    }

    /// Ends everything that is under way.
    pub(super) fn end(&self) {
        *self.0.ended.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_all();
    }

    // ORDERING: here and below the counts lead to no other data; what a load took is its thread's own.
    pub(super) fn stats(&self) -> LoadStats {
        let read = |count: &AtomicU32| count.load(Ordering::Relaxed);
        LoadStats { threads: read(&self.0.threads), memory: read(&self.0.memory), disk: read(&self.0.disk) }
    }

    fn keep_busy(&self, cpu: Cpu, round: u64) {
        if !claim(&self.0.threads, cpu.threads) {
            return;
        }
        let one = || Released { taken: Arc::clone(&self.0), count: |taken| &taken.threads, amount: 1 };
        let mut all: Vec<_> = (0..cpu.threads).map(|_| one()).collect();
        // The caller starts one thread, which starts the others.
        spawn("cpu", move || {
            let own = all.pop();
            for another in all {
                spawn("cpu", move || be_busy(&another, cpu, round));
            }
            if let Some(own) = own {
                be_busy(&own, cpu, round);
            }
        });
    }

    fn take(
        &self,
        held: Held,
        round: u64,
        count: fn(&Taken) -> &AtomicU32,
        kind: &'static str,
        occupy: fn(u32, &Ends<'_>) -> io::Result<()>,
    ) {
        if !claim(count(&self.0), held.bytes) {
            return;
        }
        let taken = Released { taken: Arc::clone(&self.0), count, amount: held.bytes };
        spawn(kind, move || {
            let ends = Ends { taken: &taken.taken, round, time: held.time };
            if let Err(error) = occupy(held.bytes, &ends) {
                tracing::warn!(kind, %error, "chaos could not take what it was to take");
            }
        });
    }
}

impl Drop for Loads {
    fn drop(&mut self) {
        self.end();
    }
}

impl Taken {
    fn round(&self) -> u64 {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `time`, or until the round is over, and says if it is.
    fn ends_within(&self, time: Duration, round: u64) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(ended, time, |ended| *ended == round);
        let (ended, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *ended != round
    }
}

/// Gives an amount back when the thread that has it ends, or was never started.
struct Released {
    taken: Arc<Taken>,
    count: fn(&Taken) -> &AtomicU32,
    amount: u32,
}

impl Drop for Released {
    fn drop(&mut self) {
        (self.count)(&self.taken).fetch_sub(self.amount, Ordering::Relaxed);
    }
}

/// Takes the amount if nothing is taken.
fn claim(count: &AtomicU32, amount: u32) -> bool {
    count.compare_exchange(0, amount, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

/// A thread that cannot be started drops what it was to do.
fn spawn(kind: &'static str, run: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(format!("chaos-{kind}")).spawn(run) {
        tracing::warn!(kind, %error, "chaos could not start a thread");
    }
}

/// When what is taken has to be given back.
struct Ends<'a> {
    taken: &'a Taken,
    round: u64,
    time: Duration,
}

impl Ends<'_> {
    fn now(&self) -> bool {
        self.taken.round() != self.round
    }

    fn wait(&self) {
        self.taken.ends_within(self.time, self.round);
    }
}

fn be_busy(one: &Released, cpu: Cpu, round: u64) {
    let end = Instant::now() + cpu.time;
    let busy = SLICE * cpu.share.numerator() / cpu.share.denominator();
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        let until = Instant::now() + busy.min(left);
        while Instant::now() < until {
            spin_loop();
        }
        if one.taken.ends_within(SLICE.saturating_sub(busy).min(left), round) {
            return;
        }
    }
}

/// Memory that is really there: every byte is written.
fn hold_memory(bytes: u32, ends: &Ends<'_>) -> io::Result<()> {
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(bytes as usize).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    while memory.len() < bytes as usize {
        if ends.now() {
            return Ok(());
        }
        memory.resize((bytes as usize).min(memory.len() + STRETCH), 1);
    }
    ends.wait();
    drop(black_box(memory));
    Ok(())
}

/// A file without a name: it is gone when it is closed, at the latest with the process.
fn hold_file(bytes: u32, ends: &Ends<'_>) -> io::Result<()> {
    let mut file = tempfile::tempfile()?;
    let piece = [1; PIECE];
    let mut left = bytes as usize;
    while left > 0 {
        if ends.now() {
            return Ok(());
        }
        let next = left.min(PIECE);
        file.write_all(&piece[..next])?;
        left -= next;
    }
    file.flush()?;
    ends.wait();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call was decided on, another thread disarmed, and the first one goes on.
    #[test]
    fn loads_of_a_round_that_is_over_never_begin() {
        let hour = Duration::from_secs(3600);
        let held = Held { bytes: 1 << 20, time: hour };
        let cpu = Cpu { threads: 2, share: seawall_core::Ratio::percent(1), time: hour };
        let mut strike = Strike::default();
        (strike.cpu, strike.memory, strike.disk) = (Some(cpu), Some(held), Some(held));

        let loads = Loads::default();
        let round = loads.round();
        loads.end();
        loads.begin(&strike, round);
        assert_eq!(loads.stats(), LoadStats::default());
        loads.begin(&strike, loads.round());
        assert_eq!(loads.stats(), LoadStats { threads: 2, memory: 1 << 20, disk: 1 << 20 });
        loads.end();
        // An hour early, or this never ends.
        while loads.stats() != LoadStats::default() {
            thread::yield_now();
        }
    }
}
