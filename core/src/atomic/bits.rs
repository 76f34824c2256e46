//! Packed fields of a 32-bit word, as plain constants.

/// A contiguous range of bits in a `u32`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    shift: u32,
    width: u32,
}

impl Field {
    /// The `width` least significant bits.
    pub(crate) const fn lowest(width: u32) -> Self {
        assert!(width > 0 && width < u32::BITS);
        Self { shift: 0, width }
    }

    /// The `width` bits directly above this field.
    pub(crate) const fn then(self, width: u32) -> Self {
        assert!(width > 0 && self.end() + width <= u32::BITS);
        Self { shift: self.end(), width }
    }

    /// The position above the field's last bit.
    pub(crate) const fn end(self) -> u32 {
        self.shift + self.width
    }

    /// The largest value that the field holds.
    pub(crate) const fn max(self) -> u32 {
        u32::MAX >> (u32::BITS - self.width)
    }

    /// The field's value in `word`.
    pub(crate) const fn get(self, word: u32) -> u32 {
        (word >> self.shift) & self.max()
    }

    /// `word` with the field set to `value`; bits of `value` that the field does not hold are cut off.
    pub(crate) const fn set(self, word: u32, value: u32) -> u32 {
        (word & !(self.max() << self.shift)) | ((value & self.max()) << self.shift)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Field;

    const LOW: Field = Field::lowest(3);
    const MID: Field = LOW.then(9);
    const TOP: Field = MID.then(20);

    #[test]
    fn fields_do_not_touch_each_other() {
        assert_eq!(TOP.end(), u32::BITS);
        for field in [LOW, MID, TOP] {
            let others = !field.set(0, field.max());
            for value in [0, 1, field.max() / 2, field.max()] {
                for word in [0, u32::MAX, 0xA5A5_5A5A] {
                    let set = field.set(word, value);
                    assert_eq!(field.get(set), value);
                    assert_eq!(set & others, word & others);
                }
            }
        }
    }

    #[test]
    fn a_value_too_large_is_cut_off_and_harms_no_neighbor() {
        assert_eq!(MID.set(0, u32::MAX), MID.set(0, MID.max()));
    }
}
