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
    /// What is armed if the program says so.
    #[cfg(feature = "chaos")]
    chaos: Option<crate::guard::chaos::Config>,
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
            Ok(Protected {
                guard,
                idempotent: of.idempotent,
                #[cfg(feature = "chaos")]
                chaos: of.chaos,
            })
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

    /// Arms the guards of the operations that have faults, and says which these are.
    #[cfg(feature = "chaos")]
    pub(in crate::dwcp) fn arm_chaos(&self) -> Vec<Operation> {
        // The rules were checked when the guard was made.
        let arm = |of: &Protected| of.chaos.is_some_and(|chaos| of.guard.arm_chaos(&chaos).is_ok());
        self.those(arm)
    }

    /// Disarms all guards, and says which were armed.
    #[cfg(feature = "chaos")]
    pub(in crate::dwcp) fn disarm_chaos(&self) -> Vec<Operation> {
        self.those(|of| of.guard.disarm_chaos())
    }

    #[cfg(feature = "chaos")]
    fn those(&self, are: impl Fn(&Protected) -> bool) -> Vec<Operation> {
        Operation::ALL.into_iter().filter(|&operation| are(self.get(operation))).collect()
    }
}
