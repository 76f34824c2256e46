//! The hash of a key: SipHash-1-3, keyed by a seed of 128 bits.
//!
//! Aumasson and Bernstein: *`SipHash`: a fast short-input PRF*, 2012.
//! Who does not know the seed cannot choose keys that meet in one set of the table.

use core::hash::{Hash, Hasher};

/// The hash of `key` under `seed`.
#[inline]
pub(super) fn hash_of<K: Hash + ?Sized>(seed: u128, key: &K) -> u64 {
    let mut hasher = SipHasher13::new(seed);
    key.hash(&mut hasher);
    hasher.finish()
}

/// `SipHash` with one round a block and three at the end.
struct SipHasher13 {
    state: [u64; 4],
    /// The bytes that do not fill a block yet, the first of them lowest.
    tail: u64,
    /// All bytes so far; the lowest three bits say how many are in the tail.
    len: u64,
}

impl SipHasher13 {
    /// The bytes of `seed` are the key, the lowest first.
    const fn new(seed: u128) -> Self {
        let (low, high) = (seed as u64, (seed >> 64) as u64);
        // The letters of "somepseudorandomlygeneratedbytes", as the authors chose them.
        let state = [
            low ^ 0x736F_6D65_7073_6575,
            high ^ 0x646F_7261_6E64_6F6D,
            low ^ 0x6C79_6765_6E65_7261,
            high ^ 0x7465_6462_7974_6573,
        ];
        Self { state, tail: 0, len: 0 }
    }

    #[inline]
    fn absorb(&mut self, block: u64) {
        self.state[3] ^= block;
        round(&mut self.state);
        self.state[0] ^= block;
    }
}

impl Hasher for SipHasher13 {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.tail |= u64::from(byte) << (8 * (self.len % 8));
            self.len = self.len.wrapping_add(1);
            if self.len.is_multiple_of(8) {
                self.absorb(self.tail);
                self.tail = 0;
            }
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        let mut last = Self { state: self.state, tail: 0, len: 0 };
        last.absorb(self.tail | (self.len << 56));
        last.state[2] ^= 0xFF;
        for _ in 0..3 {
            round(&mut last.state);
        }
        last.state.iter().fold(0, |hash, word| hash ^ word)
    }
}

#[inline]
const fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use core::hash::{Hash, Hasher};
    use std::collections::hash_map::DefaultHasher;

    use super::{SipHasher13, hash_of};

    /// Outputs of the reference implementation for the key 00 01 … 0f and the text 00 01 02 …
    #[test]
    fn the_hash_is_siphash_1_3() {
        let seed = u128::from_le_bytes(core::array::from_fn(|at| at as u8));
        let text: [u8; 63] = core::array::from_fn(|at| at as u8);
        for (len, hash) in [
            (0, 0xABAC_0158_050F_C4DC_u64),
            (1, 0xC9F4_9BF3_7D57_CA93),
            (2, 0x82CB_9B02_4DC7_D44D),
            (7, 0xD392_7D98_9BB1_1140),
            (8, 0x3690_9511_8D29_9A8E),
            (9, 0x25A4_8EB3_6C06_3DE4),
            (15, 0xD320_D86D_2A51_9956),
            (16, 0xCC4F_DD1A_7D90_8B66),
            (63, 0x9D19_9062_B7BB_B3A8),
        ] {
            let mut whole = SipHasher13::new(seed);
            whole.write(&text[..len]);
            assert_eq!(whole.finish(), hash, "{len} bytes");
            let mut in_pieces = SipHasher13::new(seed);
            for piece in text[..len].chunks(3) {
                in_pieces.write(piece);
            }
            assert_eq!(in_pieces.finish(), hash, "{len} bytes in pieces");
        }
    }

    /// The standard library hashes by the same function with a key of zeros.
    #[test]
    fn keys_of_every_kind_hash_as_in_the_standard_library() {
        fn same<K: Hash + ?Sized>(key: &K) {
            let mut std = DefaultHasher::new();
            key.hash(&mut std);
            assert_eq!(hash_of(0, key), std.finish());
        }
        same("10.0.0.1");
        same(&7_u32);
        same(&(u64::MAX, "tenant", [1_u8; 40]));
        same(&());
    }

    #[test]
    fn another_seed_gives_another_hash() {
        assert_ne!(hash_of(1, "a"), hash_of(2, "a"));
        assert_ne!(hash_of(1, "a"), hash_of(1 << 64, "a"));
    }
}
