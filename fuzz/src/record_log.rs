//! What must hold for any bytes that claim to be a log.

use seawall_core::Guard;
use seawall_core::record::{Damaged, Entries, Fault, Live, Log, Replay};

/// Longer inputs say nothing new.
const MOST: usize = 4096;
const WAITERS: usize = 16;
const SLOTS: usize = 10;

/// Checks the reader, and the replay of what it read, against one input.
///
/// # Panics
///
/// If one of them breaks its promises.
pub fn check(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(MOST)];
    examine(bytes);
    // Checksums that fit take chance out of the way: what stands behind them is read, too.
    examine(&repaired(bytes));
}

fn examine(bytes: &[u8]) {
    let entries = match Entries::of(bytes) {
        Ok(entries) => entries,
        Err(damaged) => return assert!(damaged.offset <= bytes.len(), "{damaged}"),
    };
    let header = *entries.header();
    let mut copy = Log::try_new(header, vec![0; 2 * MOST]).expect("a head that was read can be written");
    let guard = Guard::<WAITERS, SLOTS>::try_new(header.policy_of_size()).ok().map(Box::new);
    let mut live: Vec<Live<'_, WAITERS, SLOTS>> = (0..8).map(|_| Live::default()).collect();
    let mut replay = guard.as_ref().and_then(|guard| Replay::try_new(&header, guard, &mut live).ok());
    let mut reading = entries;
    let mut end = reading.offset();
    while let Some(read) = reading.next() {
        match read {
            Ok(entry) => {
                assert!(reading.offset() > end, "an entry has bytes");
                end = reading.offset();
                copy.append(&entry);
                // Any order of steps may come; the guard decides something, and does not panic.
                let _ = replay.as_mut().map(|replay| replay.step(&entry));
            }
            Err(damaged) => {
                assert!((end..=bytes.len()).contains(&damaged.offset), "{damaged}");
                assert!(reading.next().is_none(), "the first error is the last");
            }
        }
    }
    assert_eq!(copy.lost(), 0, "what was read fits as well when it is written");
    let mut again = vec![0; copy.len()];
    copy.drain(&mut again);
    assert!(again == bytes[..end], "each value is written in one way only");
}

/// The input with checksums that fit, as far as it can be read.
fn repaired(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Err(Damaged { offset, fault: Fault::Checksum, .. }) = Entries::of(&bytes) {
        let sum = fnv(0x811C_9DC5, &bytes[..offset - 4]);
        bytes[offset - 4..offset].copy_from_slice(&sum.to_le_bytes());
    }
    let Ok(mut entries) = Entries::of(&bytes) else { return bytes };
    let mut sum = fnv(0x811C_9DC5, &bytes[..entries.offset()]);
    let mut start = entries.offset();
    for number in 0.. {
        match entries.next() {
            Some(Ok(_)) => {}
            Some(Err(Damaged { offset, fault: Fault::Checksum, .. })) => {
                let check = fnv(sum, &bytes[start..offset]);
                bytes[offset] = check.to_le_bytes().into_iter().fold(0, |all, byte| all ^ byte);
                let Ok(again) = Entries::of(&bytes) else { return bytes };
                entries = again;
                assert!(
                    entries.by_ref().nth(number).is_some_and(|entry| entry.is_ok()),
                    "the check is as documented"
                );
            }
            _ => return bytes,
        }
        let end = entries.offset();
        sum = fnv(sum, &bytes[start..end - 1]);
        start = end;
    }
    bytes
}

/// FNV-1a, as the documentation of the format has it.
fn fnv(before: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(before, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(16_777_619))
}
