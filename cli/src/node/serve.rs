//! What a node does with the messages of its peers.

use super::output::Output;
use crate::message::Message;
use crate::report::Line;
use seawall::dwcp::Handler;
use seawall::dwcp::{IncomingRequest, Operation, Reply};
use std::sync::Arc;

/// Answers a numbered message with its reply and anything else with itself.
#[derive(Debug)]
pub(crate) struct Answering {
    report_to: Option<Arc<Output>>,
}

impl Answering {
    /// A handler that tells `report_to`, if there is one, which messages it executes.
    pub(crate) const fn new(report_to: Option<Arc<Output>>) -> Self {
        Self { report_to }
    }
}

impl Handler for Answering {
    async fn handle(&self, request: IncomingRequest) -> Reply {
        if request.operation != Operation::Send {
            return Reply::unsupported();
        }
        let Some(message) = Message::decode(&request.body) else { return Reply::ok(request.body) };
        // The line is with the operating system before the reply is: a node that is killed between both has told what
        // it did.
        if let Some(output) = &self.report_to {
            output.line(&Line::Executed(message.number()));
        }
        Reply::ok(message.reply().to_vec())
    }
}
