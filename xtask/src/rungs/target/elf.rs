//! The sizes of a program for 32 bits, from the section headers of its ELF file.

/// Bytes of flash and of RAM that a program takes before it runs; the stack comes on top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) flash: u32,
    pub(super) ram: u32,
}

/// RAM begins here on every Cortex-M.
const RAM: u32 = 0x2000_0000;
/// The section takes memory when the program runs.
const ALLOCATED: u32 = 2;
/// The section is zeroed or left as it is, so flash holds nothing of it.
const WITHOUT_BYTES: u32 = 8;

/// `None` if this is no little-endian ELF file for 32 bits.
pub(super) fn sizes(file: &[u8]) -> Option<Sizes> {
    if file.get(..6)? != b"\x7fELF\x01\x01" {
        return None;
    }
    let (headers, size, count) = (word(file, 0x20)?, half(file, 0x2e)?, half(file, 0x30)?);
    let mut sizes = Sizes::default();
    for at in 0..u32::from(count) {
        let header = usize::try_from(headers.checked_add(at * u32::from(size))?).ok()?;
        let field = |number: usize| word(file, header + number * 4);
        let (kind, flags, address, length) = (field(1)?, field(2)?, field(3)?, field(5)?);
        if flags & ALLOCATED == 0 {
            continue;
        }
        if address >= RAM {
            sizes.ram += length;
        }
        // What has a value at first is copied from flash to RAM.
        if kind != WITHOUT_BYTES {
            sizes.flash += length;
        }
    }
    Some(sizes)
}

fn word(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?))
}

fn half(file: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Sizes, sizes};

    /// A file with one section header for each kind, flags, address and length.
    fn file(sections: &[[u32; 4]]) -> Vec<u8> {
        let mut file = b"\x7fELF\x01\x01".to_vec();
        file.resize(52, 0);
        file[0x20..0x24].copy_from_slice(&52_u32.to_le_bytes());
        file[0x2e..0x30].copy_from_slice(&40_u16.to_le_bytes());
        file[0x30..0x32].copy_from_slice(&(sections.len() as u16).to_le_bytes());
        for [kind, flags, address, length] in sections {
            for field in [0, *kind, *flags, *address, 0, *length, 0, 0, 0, 0] {
                file.extend(u32::to_le_bytes(field));
            }
        }
        file
    }

    #[test]
    fn code_is_flash_zeros_are_ram_and_data_is_both() {
        let sections =
            [[1, 6, 0x400, 1000], [1, 3, 0x2000_0000, 20], [8, 3, 0x2000_0014, 300], [1, 0, 0, 9999]];
        assert_eq!(sizes(&file(&sections)), Some(Sizes { flash: 1020, ram: 320 }));
    }

    #[test]
    fn other_files_have_no_sizes() {
        assert_eq!(sizes(b"\x7fELF\x02\x01"), None);
        let mut cut = file(&[[1, 6, 0, 4]]);
        cut.pop();
        assert_eq!(sizes(&cut[..60]), None);
    }
}
