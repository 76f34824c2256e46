//! The bytes of a log that were written and not yet taken away.

use core::fmt;

use super::entry::{AttemptId, CallId, Decision, Entry, Input};
use super::header::{Header, MAX_HEAD, START, check_byte, checksum};
use super::steps::Numbers;
use super::wire::{Base, Writer};
use crate::config::ConfigError;
use crate::time::Instant;

/// The most bytes of an entry with its checksum; asserted by the tests.
pub(crate) const MAX_ENTRY: usize = 128;

/// Why a recorder cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// A value of the policy lies outside its bound.
    Config(ConfigError),
    /// The buffer cannot hold the head of the log.
    BufferTooSmall {
        /// The bytes of the head.
        needed: usize,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::BufferTooSmall { needed } => write!(f, "the buffer must hold at least {needed} bytes"),
        }
    }
}

impl core::error::Error for RecordError {}

impl From<ConfigError> for RecordError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// A log in a buffer that the caller gives: entries go in at one end, and bytes are taken away at the other.
///
/// It keeps whole entries only.
/// The first entry that finds no room ends the log, since a replay cannot go on after a gap; that one and those after it are
/// counted.
/// Use it through [`Recorder`](super::Recorder); adapters with locks of their own take their steps through it.
pub struct Log<B> {
    buffer: B,
    /// Where the first byte stands that was not taken.
    head: usize,
    len: usize,
    base: Base,
    sum: u32,
    lost: u64,
}

impl<B: AsMut<[u8]>> Log<B> {
    /// A log that begins with `header`.
    ///
    /// # Errors
    ///
    /// [`RecordError::BufferTooSmall`] if the header does not fit the buffer.
    pub fn try_new(header: Header, mut buffer: B) -> Result<Self, RecordError> {
        let mut scratch = [0; MAX_HEAD];
        let head = header.encode(&mut scratch).unwrap_or_default();
        let Some(place) = buffer.as_mut().get_mut(..head.len()) else {
            return Err(RecordError::BufferTooSmall { needed: head.len() });
        };
        place.copy_from_slice(head);
        let (len, sum) = (head.len(), checksum(START, head));
        Ok(Self { buffer, head: 0, len, base: Base::default(), sum, lost: 0 })
    }

    /// Takes a step and writes it down: at `now`, or for a step that is told no moment at that of the entry before.
    ///
    /// `alone` is asked when it was taken: if another step came between, the log ends.
    /// A step that does not come to its end, since a waker in it panics, ends the log, too.
    pub fn step<T>(
        &mut self,
        now: Option<Instant>,
        input: Input,
        alone: impl FnOnce() -> bool,
        take: impl FnOnce(Numbers) -> (T, Decision),
    ) -> T {
        let at = now.unwrap_or(self.base.now);
        let next = Numbers { call: self.next_call(), attempt: self.next_attempt() };
        // Lost until it is written.
        self.stop();
        let (value, decision) = take(next);
        if alone() {
            self.lost = self.lost.saturating_sub(1);
            self.append(&Entry { at, input, decision });
        }
        value
    }

    /// Writes an entry, or counts it as lost.
    pub fn append(&mut self, entry: &Entry) {
        if self.lost > 0 {
            self.stop();
            return;
        }
        let mut scratch = [0; MAX_ENTRY];
        let mut writer = Writer::new(&mut scratch, self.base);
        entry.put(&mut writer);
        let base = writer.base;
        let sum = checksum(self.sum, writer.written().unwrap_or_default());
        writer.byte(check_byte(sum));
        let room = self.buffer.as_mut().len() - self.len;
        match writer.written() {
            Some(bytes) if bytes.len() <= room => {
                let buffer = self.buffer.as_mut();
                let mut end = self.head + self.len;
                for byte in bytes {
                    if end >= buffer.len() {
                        end -= buffer.len();
                    }
                    if let Some(place) = buffer.get_mut(end) {
                        *place = *byte;
                    }
                    end += 1;
                }
                self.len += bytes.len();
                (self.base, self.sum) = (base, sum);
            }
            _ => self.stop(),
        }
    }

    /// Ends the log here: an entry is missing.
    pub fn stop(&mut self) {
        self.lost = self.lost.saturating_add(1);
    }

    /// Moves bytes to `out`, the oldest first, and says how many. What was taken makes room for new entries.
    pub fn drain(&mut self, out: &mut [u8]) -> usize {
        let buffer = self.buffer.as_mut();
        let (capacity, count) = (buffer.len(), self.len.min(out.len()));
        for place in out.iter_mut().take(count) {
            if let Some(byte) = buffer.get(self.head) {
                *place = *byte;
            }
            self.head = (self.head + 1) % capacity;
        }
        self.len -= count;
        count
    }

    /// The bytes that wait to be taken.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no bytes wait to be taken.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries that were not written. While it is 0, the log is whole.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The number of the call that begins next.
    pub const fn next_call(&self) -> CallId {
        CallId(self.base.calls)
    }

    /// The number of the attempt that begins next.
    pub const fn next_attempt(&self) -> AttemptId {
        AttemptId(self.base.attempts)
    }

    /// The moment of the last entry.
    pub const fn now(&self) -> Instant {
        self.base.now
    }
}

impl<B> fmt::Debug for Log<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("len", &self.len).field("lost", &self.lost).finish_non_exhaustive()
    }
}
