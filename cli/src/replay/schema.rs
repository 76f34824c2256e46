//! What a script may say: patterns, their configuration, their operations and arguments, as data.
//!
//! The same tables check a script, execute it and print the reference, so that none of the three can be stale.

use super::call::Call;
use super::fields::Fields;
use super::names::Fault;
use super::value::Args;
use seawall::core::Instant;
use std::any::Any;

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A duration.
    Duration,
    /// A time since the start, or with a sign before or after now.
    Moment,
    /// An integer from 0 to this.
    Integer(u64),
    /// An integer from this to that.
    Between(u64, u64),
    /// True or false.
    Flag,
    /// A share of a whole.
    Share,
    /// Any number, also none: `"NaN"`, `"inf"`, `"-inf"`.
    Number,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The name of something that an operation gave.
    Held(&'static [&'static str]),
    /// The name of an instance of one of these patterns.
    Instance(&'static [&'static str]),
    /// Any text.
    Text,
    /// Several of one kind.
    List(&'static Kind),
    /// An object with these keys.
    Table(&'static [Param]),
    /// One of several kinds.
    Either(&'static [Kind]),
}

/// Every `u32`.
pub(super) const U32: Kind = Kind::Integer(u32::MAX as u64);
/// Every `u64`.
pub(super) const U64: Kind = Kind::Integer(u64::MAX);

/// Whether a key has to be there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need {
    Required,
    Optional,
    /// JSON.
    Default(&'static str),
}

/// A key of a configuration, or an argument of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) need: Need,
    pub(super) about: &'static str,
}

impl Param {
    pub(super) const fn required(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, need: Need::Required, about }
    }

    pub(super) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, need: Need::Optional, about }
    }

    pub(super) const fn or(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self { name, kind, need: Need::Default(default), about }
    }
}

/// Names of fields that belong together.
pub(super) type Group = &'static [&'static str];

/// What every answer to "may it start?" prints.
pub(super) const ADMISSION: Group = &["admitted", "rejected", "rejected_by", "retry_after+ns"];

/// An operation as it is written and documented.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) params: &'static [Param],
    /// What `as` names.
    pub(super) gives: &'static [&'static str],
    /// The fields that it prints besides those of the pattern's state.
    pub(super) prints: &'static [Group],
}

/// An operation of a pattern whose instances are `T`.
pub(super) struct Operation<T: 'static> {
    pub(super) signature: Signature,
    pub(super) run: Run<T>,
}

/// How an operation is executed.
pub(super) type Run<T> = fn(&'static T, &mut Call<'_>) -> Result<(), Fault>;

impl<T> Operation<T> {
    pub(super) const fn new(
        name: &'static str,
        about: &'static str,
        params: &'static [Param],
        run: Run<T>,
    ) -> Self {
        Self { signature: Signature { name, about, params, gives: &[], prints: &[] }, run }
    }

    /// What puts into the configuration that is printed what the policy did not say, or what has changed.
    pub(super) const fn config(run: Run<T>) -> Self {
        Self { signature: CONFIG, run }
    }

    pub(super) const fn gives(mut self, what: &'static [&'static str]) -> Self {
        self.signature.gives = what;
        self
    }

    pub(super) const fn prints(mut self, fields: &'static [Group]) -> Self {
        self.signature.prints = fields;
        self
    }
}

/// A pattern as it is configured and documented.
#[derive(Clone, Copy, Debug)]
pub(super) struct Info {
    /// Its name in scripts, which is that of core's module.
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) keys: &'static [Param],
    /// The fields of its state, which every operation prints.
    pub(super) prints: &'static [Group],
    /// A script.
    pub(super) example: &'static str,
}

/// A pattern whose instances are `T`.
pub(super) struct Spec<T: 'static> {
    pub(super) info: Info,
    pub(super) operations: &'static [Operation<T>],
    /// Prints the state at a moment.
    pub(super) state: fn(&T, Instant, &mut Fields),
    pub(super) configure: Configure,
}

/// Makes an instance, or says everything that is wrong with its configuration.
pub(super) type Configure = fn(&Args) -> Result<Box<dyn Instance>, Vec<String>>;

/// A pattern, whatever its instances are.
pub(super) trait Pattern: Sync {
    fn info(&self) -> &Info;

    fn operations(&self) -> Vec<Signature>;

    /// An instance, or everything that is wrong with its configuration.
    fn configure(&self, config: &Args) -> Result<Box<dyn Instance>, Vec<String>>;
}

/// An instance of a pattern, ready to be asked.
pub(super) trait Instance {
    /// Executes the operation of this name, and prints its result and the state.
    fn operate(&self, operation: &str, call: &mut Call<'_>) -> Result<(), Fault>;

    /// What another instance names it for.
    fn shared(&self) -> &'static dyn Any;
}

/// An operation that every pattern has.
pub(super) const STATE: Signature = Signature {
    name: "state",
    about: "prints the state and changes nothing",
    params: &[],
    gives: &[],
    prints: &[],
};

/// The other operation that every pattern has.
///
/// It prints what the policy said, with the defaults; a pattern whose configuration can change, or that says more of it, has an
/// operation of this name of its own, which puts that in.
pub(super) const CONFIG: Signature = Signature {
    name: "config",
    about: "prints the configuration that holds, as a policy can take it",
    params: &[],
    gives: &[],
    prints: &[&["config"]],
};

impl<T> Pattern for Spec<T> {
    fn info(&self) -> &Info {
        &self.info
    }

    fn operations(&self) -> Vec<Signature> {
        let own = self.operations.iter().map(|operation| operation.signature);
        let common = [CONFIG, STATE].into_iter();
        let missing = common.filter(|common| own.clone().all(|signature| signature.name != common.name));
        own.clone().chain(missing).collect()
    }

    fn configure(&self, config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
        (self.configure)(config)
    }
}

struct Bound<T: 'static> {
    spec: &'static Spec<T>,
    instance: &'static T,
}

impl<T> Spec<T> {
    /// Binds an instance to its operations.
    ///
    /// It lives as long as the program, so that what it gives can be kept under a name.
    pub(super) fn bind(&'static self, instance: T) -> Box<dyn Instance> {
        Box::new(Bound { spec: self, instance: Box::leak(Box::new(instance)) })
    }
}

impl<T> Instance for Bound<T> {
    fn operate(&self, operation: &str, call: &mut Call<'_>) -> Result<(), Fault> {
        if let Some(known) = self.spec.operations.iter().find(|known| known.signature.name == operation) {
            (known.run)(self.instance, call)?;
        }
        let now = call.now();
        (self.spec.state)(self.instance, now, call.out());
        Ok(())
    }

    fn shared(&self) -> &'static dyn Any {
        self.instance
    }
}
