//! A ring of records in a fixed number of slots: writers never wait, readers notice what they missed.

use crate::atomic::sync::{AtomicU32, Ordering};

/// The words of one record.
pub(crate) const WORDS: usize = 6;

/// Set in a stamp while its slot is being written.
const BUSY: u32 = 1;

/// Positions in a stamp are taken modulo this.
const LAP: u32 = 1 << 31;

struct Slot {
    /// The position of the record, above [`BUSY`].
    stamp: AtomicU32,
    words: [AtomicU32; WORDS],
}

/// What one reader has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    next: u32,
    pub(crate) missed: u32,
}

/// What a slot holds, seen from a position.
enum Seen {
    Record([u32; WORDS]),
    /// The record of this position is yet to come.
    Pending,
    /// The record was replaced by a newer one.
    Replaced,
}

/// The last `N` records, in order.
pub(crate) struct Ring<const N: usize> {
    slots: [Slot; N],
    /// The position of the next record.
    end: AtomicU32,
}

impl<const N: usize> Ring<N> {
    /// The first position, two rounds on: no position that a reader looks at is that of an empty slot, zero.
    const START: u32 = 2 * N as u32;

    const_fn! {
        pub(crate) const fn new() -> Self {
            const {
                assert!(N == 0 || N.is_power_of_two(), "a ring has a power of two of slots");
                assert!(N <= 1 << 16, "a ring has at most 65536 slots");
            }
            Self {
                slots: array_of!(N, Slot::new()),
                end: AtomicU32::new(Self::START),
            }
        }
    }

    /// Appends a record, in place of the oldest one if the ring is full.
    pub(crate) fn push(&self, words: [u32; WORDS]) {
        // ORDERING: release; a reader that sees the new end sees what the writer did before. Acquire for the same
        // between writers.
        let position = if mutant!("events_position_in_two_steps") {
            let position = self.end.load(Ordering::Acquire);
            self.end.store(position.wrapping_add(1), Ordering::Release);
            position
        } else {
            self.end.fetch_add(1, Ordering::AcqRel)
        };
        if N > 0 {
            self.slot(position).write(position % LAP, words);
        }
    }

    /// The next record that `cursor` has not read.
    pub(crate) fn read(&self, cursor: &mut Cursor) -> Option<[u32; WORDS]> {
        if N == 0 {
            return None;
        }
        loop {
            let waiting = self.end().wrapping_sub(cursor.next);
            if waiting == 0 {
                return None;
            }
            let missed = waiting.saturating_sub(N as u32);
            cursor.next = cursor.next.wrapping_add(missed);
            cursor.missed = cursor.missed.saturating_add(missed);
            match self.slot(cursor.next).read(cursor.next % LAP) {
                Seen::Record(words) => {
                    cursor.next = cursor.next.wrapping_add(1);
                    return Some(words);
                }
                Seen::Pending => return None,
                // Whoever replaced it moved the end first, so that the next round skips it.
                Seen::Replaced => {}
            }
        }
    }

    /// The newest record that is complete.
    pub(crate) fn last(&self) -> Option<[u32; WORDS]> {
        if N == 0 {
            return None;
        }
        let end = self.end();
        (1..=N as u32).find_map(|back| {
            let position = end.wrapping_sub(back);
            match self.slot(position).read(position % LAP) {
                Seen::Record(words) => Some(words),
                Seen::Pending | Seen::Replaced => None,
            }
        })
    }

    /// A cursor before the oldest record.
    pub(crate) fn oldest(&self) -> Cursor {
        let end = self.end();
        let recorded = end.wrapping_sub(Self::START);
        Cursor { next: end.wrapping_sub(recorded.min(N as u32)), missed: 0 }
    }

    /// A cursor after the newest record.
    pub(crate) fn newest(&self) -> Cursor {
        Cursor { next: self.end(), missed: 0 }
    }

    /// How many records are no longer there.
    pub(crate) fn dropped(&self) -> u32 {
        self.end().wrapping_sub(Self::START).saturating_sub(N as u32)
    }

    fn end(&self) -> u32 {
        // ORDERING: acquire pairs with the release of `push`.
        self.end.load(Ordering::Acquire)
    }

    fn slot(&self, position: u32) -> &Slot {
        &self.slots[position as usize % N]
    }
}

impl Slot {
    const_fn! {
        const fn new() -> Self {
            Self { stamp: AtomicU32::new(0), words: array_of!(WORDS, AtomicU32::new(0)) }
        }
    }

    /// Writes the record of `position`, unless a writer of another lap is here.
    fn write(&self, position: u32, words: [u32; WORDS]) {
        // ORDERING: acquire, as the exchange below.
        let seen = self.stamp.load(Ordering::Acquire);
        let busy = seen & BUSY != 0 && !mutant!("events_write_over_a_writer");
        let written = position << 1;
        if busy
            || is_newer(seen >> 1, position)
            // ORDERING: acquire orders the words written next after those of the writer before; release says that
            // readers who meet them must see the claim.
            || self.stamp.compare_exchange(seen, written | BUSY, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return;
        }
        let order = if mutant!("events_words_relaxed") { Ordering::Relaxed } else { Ordering::Release };
        for (slot, word) in self.words.iter().zip(words) {
            // ORDERING: release; a reader that loads the word sees the claim.
            slot.store(word, order);
        }
        // ORDERING: release; a reader that sees the stamp sees the words.
        self.stamp.store(written, Ordering::Release);
    }

    fn read(&self, position: u32) -> Seen {
        // ORDERING: acquire pairs with the release of `write`.
        let stamp = self.stamp.load(Ordering::Acquire);
        if is_newer(stamp >> 1, position) {
            return Seen::Replaced;
        }
        if stamp != position << 1 {
            return Seen::Pending;
        }
        let mut words = [0; WORDS];
        for (word, slot) in words.iter_mut().zip(&self.words) {
            // ORDERING: acquire; a word that is newer than the stamp shows the newer stamp at the second look.
            *word = slot.load(Ordering::Acquire);
        }
        // ORDERING: none is needed, see the words.
        let replaced = self.stamp.load(Ordering::Relaxed) != stamp;
        if replaced && !mutant!("events_torn_read") {
            return Seen::Replaced;
        }
        Seen::Record(words)
    }
}

/// Whether `position` comes after `other`, by less than half a lap.
const fn is_newer(position: u32, other: u32) -> bool {
    let ahead = position.wrapping_sub(other) % LAP;
    0 < ahead && ahead < LAP / 2
}

#[cfg(all(test, not(loom)))]
mod tests;
