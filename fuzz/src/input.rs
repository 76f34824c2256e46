//! Numbers out of a fuzzer's bytes: the one way in which every target of operations reads its script.
//!
//! Bytes that are missing are zero, so every input is a script, and a prefix of a script is one too.

/// More operations than this are not run: they would be slow, and say nothing new.
const MOST_OPERATIONS: u32 = 500;

/// What is left of an input.
#[derive(Debug)]
pub struct Input<'a> {
    bytes: &'a [u8],
    operations: u32,
}

impl<'a> Input<'a> {
    /// The whole of it.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, operations: 0 }
    }

    /// The number of the next operation, unless the script is over.
    pub fn operation(&mut self) -> Option<u8> {
        self.operations += 1;
        (!self.bytes.is_empty() && self.operations <= MOST_OPERATIONS).then(|| self.byte())
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        first
    }

    /// Whether the next byte is odd.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number of two bytes.
    pub fn half(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A number of four bytes.
    pub fn word(&mut self) -> u32 {
        u32::from(self.half()) | u32::from(self.half()) << 16
    }

    /// A number of any size, each size as likely as another: a byte for its bits, and eight more.
    pub fn long(&mut self) -> u64 {
        let bits = u32::from(self.byte()) % 65;
        let number = u64::from(self.word()) | u64::from(self.word()) << 32;
        number.checked_shr(64 - bits).unwrap_or(0)
    }

    /// A moment of any size, but so early that numbers of buckets of this width do not start over.
    pub fn start(&mut self, width: u64) -> u64 {
        self.long() % width.saturating_mul(1 << 28)
    }

    /// As [`Input::long`], in 32 bits.
    pub fn any_word(&mut self) -> u32 {
        let bits = u32::from(self.byte()) % 33;
        self.word().checked_shr(32 - bits).unwrap_or(0)
    }

    /// From `low` to `high`, both included, by one byte.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + u32::from(self.byte()) % (high - low + 1)
    }

    /// The index of one of so many things, if there is any.
    pub fn index(&mut self, things: usize) -> Option<usize> {
        let byte = usize::from(self.byte());
        byte.checked_rem(things)
    }

    /// One of the list, which is not empty.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::from(self.byte()) % list.len()]
    }
}
