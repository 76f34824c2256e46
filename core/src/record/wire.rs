//! How values become bytes: little numbers little, and each value in one way only.
//!
//! Integers are written seven bits a byte, the lowest first; moments as differences from the entry before; calls and attempts
//! by how many began since.
//! A type says its fields once, with `wire_struct!` or `wire_enum!`, beside its definition: a field that is added and not
//! named there does not compile.

use core::time::Duration;

use super::decode::Fault;
use super::entry::{AttemptId, CallId};
use crate::time::Instant;

/// What numbers are written relative to; it moves on with each entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Base {
    /// The moment of the entry before, and of this one once that is known.
    pub(crate) now: Instant,
    /// Calls that began so far.
    pub(crate) calls: u32,
    /// Attempts that began so far.
    pub(crate) attempts: u32,
}

/// Writes into a piece of memory, and remembers if it did not suffice.
pub(crate) struct Writer<'b> {
    out: &'b mut [u8],
    len: usize,
    fits: bool,
    pub(crate) base: Base,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(out: &'b mut [u8], base: Base) -> Self {
        Self { out, len: 0, fits: true, base }
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        match self.out.get_mut(self.len) {
            Some(place) => *place = byte,
            None => self.fits = false,
        }
        self.len += 1;
    }

    pub(crate) fn number(&mut self, mut number: u64) {
        while number > 0x7F {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    /// A difference, with small ones in either direction short.
    fn difference(&mut self, from: u64, to: u64) {
        let difference = to.wrapping_sub(from).cast_signed();
        self.number(((difference << 1) ^ (difference >> 63)).cast_unsigned());
    }

    /// The bytes, or `None` if they did not fit.
    pub(crate) fn written(&self) -> Option<&[u8]> {
        if self.fits { self.out.get(..self.len) } else { None }
    }
}

/// Reads what a [`Writer`] wrote.
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    pub(crate) base: Base,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8], at: usize, base: Base) -> Self {
        Self { bytes, at, base }
    }

    /// The number of bytes before the next one.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        let byte = self.bytes.get(self.at).copied().ok_or(Fault::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            number |= bits << shift;
            if (number >> shift) & 0x7F != bits || (byte == 0 && shift > 0) {
                return Err(Fault::Number);
            }
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Fault::Number)
    }

    fn difference(&mut self, from: u64) -> Result<u64, Fault> {
        let zigzag = self.number()?;
        Ok(from.wrapping_add((zigzag >> 1) ^ (zigzag & 1).wrapping_neg()))
    }

    /// The next field of a type; the name is for whoever reads the macros.
    pub(crate) fn field<T: Wire>(&mut self, _name: &str) -> Result<T, Fault> {
        T::get(self)
    }
}

/// A value that can be written and read back.
pub(crate) trait Wire: Sized {
    fn put(&self, out: &mut Writer<'_>);
    fn get(input: &mut Reader<'_>) -> Result<Self, Fault>;
}

/// A structure is its fields in this order; a condition that no constructor would let pass is asked after reading.
macro_rules! wire_struct {
    ($name:ident ( $item:ident )) => {
        impl $crate::record::wire::Wire for $name {
            fn put(&self, out: &mut $crate::record::wire::Writer<'_>) {
                let Self($item) = self;
                $item.put(out);
            }

            fn get(input: &mut $crate::record::wire::Reader<'_>) -> Result<Self, $crate::record::Fault> {
                Ok(Self(input.field(stringify!($item))?))
            }
        }
    };
    ($name:ident { $($field:ident),* $(,)? } $(if |$value:ident| $condition:expr)?) => {
        impl $crate::record::wire::Wire for $name {
            fn put(&self, out: &mut $crate::record::wire::Writer<'_>) {
                let Self { $($field),* } = self;
                $($field.put(out);)*
            }

            fn get(input: &mut $crate::record::wire::Reader<'_>) -> Result<Self, $crate::record::Fault> {
                let read = Self { $($field: input.field(stringify!($field))?),* };
                $(
                    let $value = &read;
                    if !$condition {
                        return Err($crate::record::Fault::Value);
                    }
                )?
                Ok(read)
            }
        }
    };
}

/// An alternative is a byte and its fields in this order.
macro_rules! wire_enum {
    ($name:ident { $($tag:literal: $variant:ident
        $({ $($field:ident),* })? $(( $($item:ident),* ))?),* $(,)? }) => {
        impl $crate::record::wire::Wire for $name {
            fn put(&self, out: &mut $crate::record::wire::Writer<'_>) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(( $($item),* ))? => {
                        out.byte($tag);
                        $($($field.put(out);)*)?
                        $($($item.put(out);)*)?
                    })*
                }
            }

            fn get(
                input: &mut $crate::record::wire::Reader<'_>,
            ) -> Result<Self, $crate::record::Fault> {
                Ok(match input.byte()? {
                    $($tag => Self::$variant
                        $({ $($field: input.field(stringify!($field))?),* })?
                        $(( $(input.field(stringify!($item))?),* ))?,)*
                    other => return Err($crate::record::Fault::Unknown(other)),
                })
            }
        }
    };
}

impl Wire for u64 {
    fn put(&self, out: &mut Writer<'_>) {
        out.number(*self);
    }

    fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
        input.number()
    }
}

macro_rules! wire_integer {
    ($($int:ty),*) => {$(
        impl Wire for $int {
            fn put(&self, out: &mut Writer<'_>) {
                out.number(u64::from(*self));
            }

            fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
                input.number()?.try_into().map_err(|_| Fault::Value)
            }
        }
    )*};
}

wire_integer!(u8, u16, u32);

impl Wire for bool {
    fn put(&self, out: &mut Writer<'_>) {
        out.byte(u8::from(*self));
    }

    fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Fault::Unknown(other)),
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Writer<'_>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(if bool::get(input)? { Some(T::get(input)?) } else { None })
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Writer<'_>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok((A::get(input)?, B::get(input)?))
    }
}

/// Seconds and nanoseconds: `Duration::MAX` is more nanoseconds than 64 bits hold.
impl Wire for Duration {
    fn put(&self, out: &mut Writer<'_>) {
        out.number(self.as_secs());
        out.number(u64::from(self.subsec_nanos()));
    }

    fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
        let (seconds, nanos) = (input.number()?, input.number()?);
        if nanos < 1_000_000_000 { Ok(Self::new(seconds, nanos as u32)) } else { Err(Fault::Value) }
    }
}

impl Wire for Instant {
    fn put(&self, out: &mut Writer<'_>) {
        out.difference(out.base.now.as_nanos(), self.as_nanos());
    }

    fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
        input.difference(input.base.now.as_nanos()).map(Self::from_nanos)
    }
}

macro_rules! wire_id {
    ($name:ident, $count:ident) => {
        impl Wire for $name {
            fn put(&self, out: &mut Writer<'_>) {
                out.number(u64::from(out.base.$count.wrapping_sub(self.0)));
            }

            fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
                let distance = input.field("distance")?;
                let id = input.base.$count.checked_sub(distance).ok_or(Fault::Value)?;
                Ok(Self(id))
            }
        }
    };
}

wire_id!(CallId, calls);
wire_id!(AttemptId, attempts);
