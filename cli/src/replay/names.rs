//! What operations gave and nobody has settled yet, by name.

use super::suggest::{article, unknown};
use std::any::Any;
use std::collections::BTreeMap;

/// A script asks for something that cannot be: what, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) String);

impl Fault {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Something that an operation gave.
struct Held {
    /// What it is: `permit`.
    what: &'static str,
    /// The instance that gave it.
    of: String,
    line: usize,
    value: Box<dyn Any>,
}

/// What became of a name.
enum Place {
    Held(Held),
    /// It is gone, and this is why.
    Gone(String),
}

/// The names of a script.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, Place>);

impl Names {
    /// Keeps what `of` gave under a name.
    pub(super) fn keep(
        &mut self,
        name: &str,
        what: &'static str,
        of: &str,
        line: usize,
        value: Box<dyn Any>,
    ) -> Result<(), Fault> {
        if let Some(Place::Held(held)) = self.0.get(name) {
            return Err(Fault::new(format!(
                "{name:?} is still the name of {} {} of line {}: settle or drop it first, or take another name",
                article(held.what),
                held.what,
                held.line
            )));
        }
        self.0.insert(name.to_owned(), Place::Held(Held { what, of: of.to_owned(), line, value }));
        Ok(())
    }

    /// Notes why a name stands for nothing.
    pub(super) fn gone(&mut self, name: &str, why: String) {
        if !matches!(self.0.get(name), Some(Place::Held(_))) {
            self.0.insert(name.to_owned(), Place::Gone(why));
        }
    }

    /// Takes something out by its name and type; `of` is the instance that must have given it, if that matters.
    pub(super) fn take<T: Any>(
        &mut self,
        name: &str,
        expected: &str,
        of: Option<&str>,
        line: usize,
    ) -> Result<T, Fault> {
        self.look::<T>(name, expected, of)?;
        let why = format!("was settled by line {line}");
        let Some(Place::Held(held)) = self.0.insert(name.to_owned(), Place::Gone(why)) else {
            return Err(Fault::new(format!("{name:?} stands for nothing")));
        };
        held.value
            .downcast()
            .map(|value| *value)
            .map_err(|_| Fault::new(format!("{name:?} is no {expected}")))
    }

    /// Something by its name and type.
    pub(super) fn look<T: Any>(
        &mut self,
        name: &str,
        expected: &str,
        of: Option<&str>,
    ) -> Result<&mut T, Fault> {
        // The words are looked through only where there is something to say.
        if !self.0.contains_key(name) {
            return Err(Fault::new(unknown("name", name, self.0.keys().map(String::as_str))));
        }
        match self.0.get_mut(name) {
            None => Err(Fault::new(format!("{name:?} stands for nothing"))),
            Some(Place::Gone(why)) => Err(Fault::new(format!("{name:?} {why}"))),
            Some(Place::Held(held)) => {
                if let Some(of) = of
                    && held.of != of
                {
                    return Err(Fault::new(format!(
                        "{name:?} is {} {} of {:?}, not of {of:?} (line {})",
                        article(held.what),
                        held.what,
                        held.of,
                        held.line
                    )));
                }
                // A snapshot of another shape is one, too.
                let instead = if held.what == expected {
                    "of another shape than this one".to_owned()
                } else {
                    format!("not {} {expected}", article(expected))
                };
                let text = format!(
                    "{name:?} is {} {} of {:?} (line {}), {instead}",
                    article(held.what),
                    held.what,
                    held.of,
                    held.line
                );
                held.value.downcast_mut().ok_or(Fault(text))
            }
        }
    }

    /// Drops something by its name, and says what it was and whose.
    pub(super) fn drop(&mut self, name: &str, line: usize) -> Result<(&'static str, String), Fault> {
        match self.0.get(name) {
            None => Err(Fault::new(unknown("name", name, self.0.keys().map(String::as_str)))),
            Some(Place::Gone(why)) => Err(Fault::new(format!("{name:?} {why}"))),
            Some(Place::Held(_)) => {
                match self.0.insert(name.to_owned(), Place::Gone(format!("was dropped by line {line}"))) {
                    Some(Place::Held(held)) => Ok((held.what, held.of)),
                    _ => Err(Fault::new(format!("{name:?} stands for nothing"))),
                }
            }
        }
    }
}
