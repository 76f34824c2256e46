//! What one attempt to send a message came to.

use crate::message::Message;
use crate::report::Failure;
use seawall::dwcp::{Response, Status, TransportError};

/// Reads what the transport brought back.
pub(crate) fn judge(message: Message, reply: &Result<Response, TransportError>) -> Result<(), Failure> {
    match reply {
        Ok(response) if response.status != Status::Ok => Err(Failure::Peer),
        Ok(response) if message.is_answered_by(&response.body) => Ok(()),
        Ok(_) => Err(Failure::WrongReply),
        Err(TransportError::TimedOut { .. }) => Err(Failure::Timeout),
        Err(_) => Err(Failure::Connection),
    }
}

/// Whether the attempt was handed to a connection, so that its bytes may have reached the peer.
pub(crate) const fn reached_the_wire(reply: &Result<Response, TransportError>) -> bool {
    matches!(reply, Ok(_) | Err(TransportError::ConnectionLost { .. } | TransportError::TimedOut { .. }))
}
