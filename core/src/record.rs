//! A guard's inputs and decisions, written to a compact log, and replayed to the same decisions.
//!
//! A [`Recorder`] is a guard that writes each step down: the moment, what was asked, and what was decided.
//! The log begins with the whole policy, so it needs nothing beside it: `seawall replay LOG` makes the guard again on any
//! machine, gives it the same inputs, and says whether the decisions are the same, bit for bit.
//! Use it to take what happened on a device to a desk, and to try there what another policy would have decided.
//!
//! # Examples
//!
//! ```
//! use seawall_core::guard::Report;
//! use seawall_core::record::{Entries, Live, Recorder, Replay, Steps};
//! use seawall_core::{circuit_breaker, Deadline, Guard, Instant, Outcome, Policy};
//!
//! let policy = Policy::new().circuit_breaker(circuit_breaker::Config::consecutive_failures(1));
//! let recorder: Recorder<[u8; 512]> = Recorder::try_new(policy, [0; 512]).unwrap();
//! let mut call = recorder.try_begin(Deadline::NONE, Instant::from_secs(1)).unwrap();
//! let attempt = call.try_attempt(Instant::from_secs(1)).unwrap();
//! let _ = call.settle(attempt, Report::new(Outcome::Failure), Instant::from_secs(2));
//! drop(call);
//! assert!(recorder.try_begin(Deadline::NONE, Instant::from_secs(3)).is_err());
//!
//! let mut log = [0; 512];
//! let len = recorder.drain(&mut log);
//! assert_eq!(recorder.lost(), 0);
//!
//! let entries = Entries::of(&log[..len]).unwrap();
//! let guard: Guard = Guard::new(entries.header().policy_of_size());
//! let mut live: [Live<8, 10>; 4] = Default::default();
//! let mut replay = Replay::try_new(entries.header(), &guard, &mut live).unwrap();
//! for entry in entries {
//!     let entry = entry.unwrap();
//!     assert_eq!(replay.step(&entry), Ok(entry.decision));
//! }
//! ```
//!
//! # Format
//!
//! ```text
//! head   "SWLG" | version 1 | layout 32 or 64 | waiters | slots | policy | checksum 4
//! entry  time | input | decision | check 1
//! ```
//!
//! Integers are written seven bits a byte, the lowest first, the last byte below 128, and never longer than they have to be.
//! The time is the difference from the entry before (from 0 for the first) in nanoseconds, modulo 2⁶⁴, with its sign in the
//! lowest bit: a clock may step back.
//! Other moments are written in the same way as differences from the entry's own time; durations as seconds and nanoseconds;
//! a value that may be missing as a byte 0, or 1 and the value.
//! Inputs and decisions begin with the byte of their kind, as numbered in `record/entry.rs`; the numbers of calls and
//! attempts are written as the distance back from the next one that begins.
//! The checksum of the head is FNV-1a over all bytes before it, the lowest byte first.
//! The check byte of an entry is the exclusive or of the four bytes of the same sum carried on over head and entries,
//! without the checks: what is damaged once does not fit again.
//!
//! A successful call without waiting is four entries, some 35 bytes.
//!
//! # Trade-offs
//!
//! The order of the entries is the order of the decisions, which only one thread or a lock can give: [`Recorder`] is for one
//! thread or one executor.
//! A program whose threads share a guard implements [`Steps`] with a [`Log`] behind a lock; the guards of `seawall` do.
//! A log must begin with a guard that is new, and have no gap: where the buffer is full, the log ends, and what came later is
//! counted, not written.
//! A step in which a waker panics ends it too, and so does a waker that takes a step within another one.
//! A ring that drops the oldest entries instead would need the state of every pattern beside it to be replayed.
//!
//! The rate limiter's arithmetic and the rounding of deadlines differ between 64-bit words and 32-bit words; the head names
//! the layout, and a replay is exact on the same one.
//! The program `seawall` has both.
//!
//! # Cost
//!
//! A step costs what it costs without a recorder, 128 bytes of stack, and some ten instructions a byte; no atomic access.

#[macro_use]
pub(crate) mod wire;
mod call;
mod decode;
mod entry;
mod header;
mod log;
pub mod loose;
mod recorder;
mod replay;
mod steps;
#[cfg(all(test, not(loom)))]
mod tests;
mod values;

pub use call::{Attempt, Begin, Call, Waiting};
pub use decode::{Damaged, Entries, Fault};
pub use entry::{AttemptId, CallId, Decision, Entry, Input};
pub use header::{Header, Layout};
pub use log::{Log, RecordError};
pub use recorder::Recorder;
pub use replay::{Live, Mismatch, OutOfPlaces, Replay};
pub use steps::{Numbers, Steps};
