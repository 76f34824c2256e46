//! The head of a log: everything that a replay needs to make the guard again.

use super::decode::{Damaged, Fault};
use super::wire::{Base, Reader, Wire, Writer};
use crate::atomic::sync::Wide;
use crate::guard::Policy;

/// The first bytes of a log.
const MAGIC: [u8; 4] = *b"SWLG";
/// The version of the format.
pub(crate) const VERSION: u8 = 1;
/// The most bytes of a head; asserted by the tests.
pub(crate) const MAX_HEAD: usize = 384;
/// The bytes of the checksum.
const CHECK: usize = 4;

/// How wide the words were with which the decisions were taken: the rate limiter's arithmetic and the accuracy of deadlines
/// depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// 32 bits: microcontrollers.
    Narrow,
    /// 64 bits, where the target has such atomics.
    Wide,
}

impl Layout {
    /// The layout of this build.
    pub const THIS: Self = if Wide::BITS == 64 { Self::Wide } else { Self::Narrow };
}

wire_enum!(Layout { 32: Narrow, 64: Wide });

/// The head of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The layout of the build that wrote the log.
    pub layout: Layout,
    /// The guard's slots for waiters.
    pub waiters: u32,
    /// The buckets of its windows.
    pub slots: u32,
    /// Its policy, with the seed of its jitter.
    pub policy: Policy,
}

wire_struct!(Header { layout, waiters, slots, policy });

impl Header {
    /// The head of the log of a guard of this size, on this build.
    ///
    /// The policy must have its seed, see [`Policy::or_seed`].
    pub const fn of<const WAITERS: usize, const SLOTS: usize>(policy: Policy) -> Self {
        Self { layout: Layout::THIS, waiters: WAITERS as u32, slots: SLOTS as u32, policy }
    }

    /// The policy, with the places in the queue that its guard had by its size.
    ///
    /// A replay can then be made with a guard that has more slots, see [`Replay::try_new`](super::Replay::try_new).
    #[must_use = "the header itself does not change"]
    pub const fn policy_of_size(&self) -> Policy {
        match self.policy.bulkhead_config() {
            Some(config) => self.policy.bulkhead(config.seated(self.waiters)),
            None => self.policy,
        }
    }

    /// Writes the head into `out`; the bytes, or `None` if they do not fit.
    pub(crate) fn encode(self, out: &mut [u8]) -> Option<&[u8]> {
        let len = {
            let mut writer = Writer::new(out, Base::default());
            for byte in MAGIC {
                writer.byte(byte);
            }
            writer.byte(VERSION);
            self.put(&mut writer);
            let sum = checksum(START, writer.written()?);
            for byte in sum.to_le_bytes() {
                writer.byte(byte);
            }
            writer.written()?.len()
        };
        out.get(..len)
    }

    /// Reads the head, and returns it with its length.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, usize), Damaged> {
        let mut reader = Reader::new(bytes, 0, Base::default());
        Self::take_all(&mut reader, bytes)
            .map(|header| (header, reader.offset()))
            .map_err(|fault| Damaged { offset: reader.offset(), fault })
    }

    fn take_all(reader: &mut Reader<'_>, bytes: &[u8]) -> Result<Self, Fault> {
        for expected in MAGIC {
            if reader.byte()? != expected {
                return Err(Fault::NotALog);
            }
        }
        let version = reader.byte()?;
        if version != VERSION {
            return Err(Fault::Version(version));
        }
        let header = Self::get(reader)?;
        let sum = checksum(START, bytes.get(..reader.offset()).ok_or(Fault::Truncated)?);
        let mut read = [0; CHECK];
        for byte in &mut read {
            *byte = reader.byte()?;
        }
        if u32::from_le_bytes(read) == sum { Ok(header) } else { Err(Fault::Checksum) }
    }
}

/// The checksum of nothing.
pub(crate) const START: u32 = 0x811C_9DC5;

/// The checksum of what came before and these bytes: FNV-1a (Fowler, Noll, Vo), 32 bits.
///
/// Each step is a bijection of the sum, so a difference between two logs stays to their ends.
pub(crate) fn checksum(before: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(before, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The byte of the sum that stands behind each entry.
pub(crate) fn check_byte(sum: u32) -> u8 {
    (sum ^ (sum >> 8) ^ (sum >> 16) ^ (sum >> 24)) as u8
}
