//! The message that the demonstration sends: a unique number, a payload made from it, and a checksum.
//!
//! The reply repeats the number and the checksum and carries a mark of its own, so a reply that belongs to another
//! request, an echo by something that is not a node, and a flipped bit are all told apart from the right answer.

/// Bytes of payload between the number and the checksum.
const PAYLOAD: usize = 52;
/// Length of an encoded message.
pub(crate) const MESSAGE_LEN: usize = 8 + PAYLOAD + 4;
/// Length of an encoded reply.
const REPLY_LEN: usize = 4 + 8 + 4;
/// First bytes of every reply.
const REPLY_MARK: [u8; 4] = *b"done";

/// One numbered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    number: u64,
}

impl Message {
    /// The message with this number.
    pub(crate) const fn new(number: u64) -> Self {
        Self { number }
    }

    /// The number that no other message of the run carries.
    pub(crate) const fn number(self) -> u64 {
        self.number
    }

    /// The bytes that go over the wire.
    pub(crate) fn encode(self) -> [u8; MESSAGE_LEN] {
        let mut bytes = [0; MESSAGE_LEN];
        let (number, rest) = bytes.split_at_mut(8);
        let (payload, checksum) = rest.split_at_mut(PAYLOAD);
        number.copy_from_slice(&self.number.to_le_bytes());
        fastrand::Rng::with_seed(self.number).fill(payload);
        checksum.copy_from_slice(&self.checksum(payload).to_le_bytes());
        bytes
    }

    /// Reads a message, or says nothing if the length or the checksum is wrong.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; MESSAGE_LEN] = bytes.try_into().ok()?;
        let (number, _) = bytes.split_first_chunk::<8>()?;
        let message = Self::new(u64::from_le_bytes(*number));
        (message.encode() == *bytes).then_some(message)
    }

    /// The bytes that answer this message.
    pub(crate) fn reply(self) -> [u8; REPLY_LEN] {
        let message = self.encode();
        let mut bytes = [0; REPLY_LEN];
        let (mark, rest) = bytes.split_at_mut(4);
        let (number, checksum) = rest.split_at_mut(8);
        mark.copy_from_slice(&REPLY_MARK);
        number.copy_from_slice(&message[..8]);
        checksum.copy_from_slice(&message[MESSAGE_LEN - 4..]);
        bytes
    }

    /// Whether these bytes are the reply to this message and to no other.
    pub(crate) fn is_answered_by(self, reply: &[u8]) -> bool {
        reply == self.reply()
    }

    fn checksum(self, payload: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.number.to_le_bytes());
        hasher.update(payload);
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::Message;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_survives_the_wire(number: u64) {
            let message = Message::new(number);
            prop_assert_eq!(Message::decode(&message.encode()), Some(message));
            prop_assert!(message.is_answered_by(&message.reply()));
        }

        #[test]
        fn a_flipped_bit_is_noticed(number: u64, bit in 0..super::MESSAGE_LEN * 8) {
            let mut bytes = Message::new(number).encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Message::decode(&bytes), None);
        }

        #[test]
        fn the_reply_to_another_message_is_refused(a: u64, b: u64) {
            prop_assume!(a != b);
            prop_assert!(!Message::new(a).is_answered_by(&Message::new(b).reply()));
        }
    }

    #[test]
    fn an_echo_is_no_reply() {
        let message = Message::new(7);
        assert!(!message.is_answered_by(&message.encode()));
        assert!(!message.is_answered_by(&[]));
    }
}
