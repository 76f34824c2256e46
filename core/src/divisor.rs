//! Division by a number that is known beforehand.
//!
//! Small processors divide 64 bits in a loop of a hundred instructions and more, and large ones take tens of cycles for it.
//! So what is divided by again and again carries its reciprocal, and a division is a multiplication and a correction.

/// A number to divide by, greater than zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Divisor {
    divisor: u64,
    /// 2⁶⁴ − 1 divided by it, rounded down.
    reciprocal: u64,
}

impl Divisor {
    /// Division by `divisor`.
    ///
    /// # Panics
    ///
    /// If it is zero, which no caller's is.
    pub(crate) const fn new(divisor: u64) -> Self {
        // The most usual divisor needs no division.
        Self { divisor, reciprocal: if divisor == 1 { u64::MAX } else { u64::MAX / divisor } }
    }

    /// The number itself.
    #[inline]
    pub(crate) const fn get(self) -> u64 {
        self.divisor
    }

    /// The quotient and the remainder of `number`.
    #[inline]
    pub(crate) const fn divide(self, number: u64) -> (u64, u64) {
        // The product is less than one below the quotient, so it is short by at most one.
        let short = ((number as u128 * self.reciprocal as u128) >> u64::BITS) as u64;
        let rest = number - short * self.divisor;
        if rest < self.divisor { (short, rest) } else { (short + 1, rest - self.divisor) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Divisor;
    use crate::atomic::rng::Rng;

    #[test]
    fn quotients_and_remainders_are_those_of_a_division() {
        let rng = Rng::new(1);
        // Numbers of every length, so that divisors and numbers of like length meet, too.
        let draw = || {
            let number = u64::from(rng.next_u32()) << 32 | u64::from(rng.next_u32());
            number >> rng.below(u64::BITS)
        };
        let check = |number: u64, divisor: u64| {
            let exact = (number / divisor, number % divisor);
            assert_eq!(Divisor::new(divisor).divide(number), exact, "{number} by {divisor}");
        };
        for _ in 0..100_000 {
            check(draw(), draw().max(1));
        }
        for divisor in [1, 2, 3, 10, 1_000_000_000, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX - 1, u64::MAX] {
            for multiple in [0, 1, 2, u64::MAX / divisor] {
                let number = multiple.saturating_mul(divisor);
                for near in [number.saturating_sub(1), number, number.saturating_add(1)] {
                    check(near, divisor);
                }
            }
            check(u64::MAX, divisor);
        }
    }
}
