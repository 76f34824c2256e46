//! Reading a log that may be cut off, damaged, or no log at all.

use core::fmt;

use super::entry::Entry;
use super::header::{Header, check_byte, checksum};
use super::wire::{Base, Reader};

/// Where and how a log is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damaged {
    /// How many bytes were read before the one at which this was seen.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes do not begin as a log does.
    NotALog,
    /// The log has a version that this reader does not know.
    Version(u8),
    /// The log ends within its head or an entry.
    Truncated,
    /// A number is longer than 64 bits, or longer than it has to be.
    Number,
    /// No alternative has this number.
    Unknown(u8),
    /// A value lies outside its range, or a call or an attempt never began.
    Value,
    /// The checksum is another one: bytes before this were changed, lost or added.
    Checksum,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotALog => f.pad("this is no log"),
            Self::Version(version) => write!(f, "the log has version {version}, which is unknown"),
            Self::Truncated => f.pad("the log is cut off"),
            Self::Number => f.pad("a number is too long"),
            Self::Unknown(tag) => write!(f, "{tag} means nothing here"),
            Self::Value => f.pad("a value is out of range"),
            Self::Checksum => f.pad("the checksum is wrong"),
        }
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.fault)
    }
}

impl core::error::Error for Damaged {}

/// The entries of a log, one after the other; the iteration ends after the first error.
///
/// # Examples
///
/// ```
/// use seawall_core::record::{Entries, Fault, Recorder, Steps};
/// use seawall_core::{Deadline, Instant, Policy};
///
/// let recorder = Recorder::<_>::try_new(Policy::new(), [0; 512]).unwrap();
/// drop(recorder.try_begin(Deadline::NONE, Instant::from_secs(1)));
/// let mut log = [0; 512];
/// let len = recorder.drain(&mut log);
///
/// let entries = Entries::of(&log[..len]).unwrap();
/// assert_eq!(entries.header().policy, Policy::new().seed(0));
/// assert_eq!(entries.count(), 2, "the call began, and was dropped");
/// assert_eq!(Entries::of(b"something else").unwrap_err().fault, Fault::NotALog);
/// ```
#[derive(Clone, Debug)]
pub struct Entries<'b> {
    header: Header,
    bytes: &'b [u8],
    at: usize,
    base: Base,
    sum: u32,
    ended: bool,
}

impl<'b> Entries<'b> {
    /// Reads the head of a log.
    ///
    /// # Errors
    ///
    /// [`Damaged`] if the head is not whole.
    pub fn of(bytes: &'b [u8]) -> Result<Self, Damaged> {
        let (header, at) = Header::decode(bytes)?;
        let sum = checksum(super::header::START, bytes.get(..at).unwrap_or_default());
        Ok(Self { header, bytes, at, base: Base::default(), sum, ended: false })
    }

    /// The head of the log.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How many bytes were read so far: where the next entry begins.
    pub const fn offset(&self) -> usize {
        self.at
    }

    fn read(&mut self) -> Result<Entry, Damaged> {
        let mut reader = Reader::new(self.bytes, self.at, self.base);
        let entry = Entry::get(&mut reader).map_err(|fault| Damaged { offset: reader.offset(), fault })?;
        let end = reader.offset();
        let sum = checksum(self.sum, self.bytes.get(self.at..end).unwrap_or_default());
        match reader.byte() {
            Ok(byte) if byte == check_byte(sum) => {}
            Ok(_) => return Err(Damaged { offset: end, fault: Fault::Checksum }),
            Err(fault) => return Err(Damaged { offset: end, fault }),
        }
        (self.at, self.base, self.sum) = (reader.offset(), reader.base, sum);
        Ok(entry)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.at >= self.bytes.len() {
            return None;
        }
        let entry = self.read();
        self.ended = entry.is_err();
        Some(entry)
    }
}
