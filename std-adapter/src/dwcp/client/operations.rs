//! The four operations with their guards.

use crate::config::{OperationPolicy, Policies};
use crate::dwcp::wire::Operation;
use crate::guard::Guard;
use crate::registry::{RegisterError, Registry};

/// An operation with its guard.
#[derive(Debug)]
pub(in crate::dwcp) struct Protected {
    pub(in crate::dwcp) guard: Guard,
    pub(in crate::dwcp) idempotent: bool,
}

/// All of them, in the order of [`Operation::ALL`].
#[derive(Debug)]
pub(in crate::dwcp) struct Operations([Protected; Operation::ALL.len()]);

impl Operations {
    /// Registers a guard for each operation under its name, with `prefix` in front.
    pub(in crate::dwcp) fn register(
        policies: &Policies,
        prefix: &str,
        registry: &Registry,
    ) -> Result<Self, RegisterError> {
        let protect = |operation: Operation, of: OperationPolicy| -> Result<Protected, RegisterError> {
            let name = format!("{prefix}{operation}");
            let invalid = |error| RegisterError::Config { name: name.clone(), error };
            let guard = registry.add(of.guard(&name).map_err(invalid)?)?;
            Ok(Protected { guard, idempotent: of.idempotent })
        };
        Ok(Self([
            protect(Operation::Send, policies.send)?,
            protect(Operation::Receive, policies.receive)?,
            protect(Operation::Sync, policies.sync)?,
            protect(Operation::Consensus, policies.consensus)?,
        ]))
    }

    pub(in crate::dwcp) const fn get(&self, operation: Operation) -> &Protected {
        let [send, receive, sync, consensus] = &self.0;
        match operation {
            Operation::Send => send,
            Operation::Receive => receive,
            Operation::Sync => sync,
            Operation::Consensus => consensus,
        }
    }

    pub(in crate::dwcp) const fn all(&self) -> &[Protected] {
        &self.0
    }
}
