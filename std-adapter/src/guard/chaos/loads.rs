//! Processors, memory and disk that are taken for a time, on threads of their own.

use std::fs::{File, OpenOptions};
use std::hint::{black_box, spin_loop};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use seawall_core::chaos::{Cpu, Held, Strike};

/// How long a busy thread is busy and rests together.
const SLICE: Duration = Duration::from_millis(10);

/// How much of a file is written at a time.
const PIECE: usize = 8 * 1024;

/// Tells the files of one process apart.
static FILES: AtomicU64 = AtomicU64::new(0);

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
    /// Begins what `strike` asks for, unless one of the kind is under way.
    pub(super) fn begin(&self, strike: &Strike) {
        let round = self.0.round();
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
        for _ in 0..cpu.threads {
            let one = Released { taken: Arc::clone(&self.0), count: |taken| &taken.threads, amount: 1 };
            spawn("cpu", move || {
                let end = Instant::now() + cpu.time;
                let busy = SLICE * cpu.share.numerator() / cpu.share.denominator();
                while let Some(left) =
                    end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
                {
                    let until = Instant::now() + busy.min(left);
                    while Instant::now() < until {
                        spin_loop();
                    }
                    if one.taken.ends_within(SLICE.saturating_sub(busy).min(left), round) {
                        return;
                    }
                }
            });
        }
    }

    fn take(
        &self,
        held: Held,
        round: u64,
        count: fn(&Taken) -> &AtomicU32,
        kind: &'static str,
        occupy: fn(u32, &mut dyn FnMut()) -> io::Result<()>,
    ) {
        if !claim(count(&self.0), held.bytes) {
            return;
        }
        let taken = Released { taken: Arc::clone(&self.0), count, amount: held.bytes };
        spawn(kind, move || {
            let wait = &mut || {
                taken.taken.ends_within(held.time, round);
            };
            if let Err(error) = occupy(held.bytes, wait) {
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

/// Memory that is really there: every byte is written.
fn hold_memory(bytes: u32, wait: &mut dyn FnMut()) -> io::Result<()> {
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(bytes as usize).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    memory.resize(bytes as usize, 1);
    wait();
    drop(black_box(memory));
    Ok(())
}

/// A file of one's own, removed in the end whatever happens.
fn hold_file(bytes: u32, wait: &mut dyn FnMut()) -> io::Result<()> {
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let path = env::temp_dir().join(format!("seawall-chaos-{}-{number}", process::id()));
    let mut file = Temporary::create(path)?;
    let piece = [1; PIECE];
    let mut left = bytes as usize;
    while left > 0 {
        let next = left.min(PIECE);
        file.file.write_all(&piece[..next])?;
        left -= next;
    }
    file.file.flush()?;
    wait();
    Ok(())
}

struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let path: &Path = &self.path;
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "chaos could not remove its file");
        }
    }
}
