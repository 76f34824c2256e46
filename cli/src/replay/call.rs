//! One execution of an operation: what it is asked with, and what it prints.

use super::fields::Fields;
use super::names::{Fault, Names};
use super::schema::CONFIG;
use super::value::Args;
use seawall::core::{Instant, Rng};
use std::any::Any;
use std::time::Duration;

/// One execution of an operation.
pub(super) struct Call<'a> {
    now: Instant,
    args: &'a Args,
    names: &'a mut Names,
    draws: &'a Rng,
    /// The name of the instance.
    instance: &'a str,
    line: usize,
    /// What `as` says, or the name that stands for it.
    name: String,
    /// Whether that is what `as` says.
    has_name: bool,
    /// Put behind the names of arguments where a line is repeated.
    suffix: &'a str,
    /// The arguments whose names are the same in each repetition.
    plain: &'a [&'static str],
    out: Fields,
}

impl<'a> Call<'a> {
    #[expect(clippy::too_many_arguments, reason = "they are the fields, and it is made in one place")]
    pub(super) fn new(
        now: Instant,
        args: &'a Args,
        names: &'a mut Names,
        draws: &'a Rng,
        instance: &'a str,
        line: usize,
        name: String,
        has_name: bool,
        suffix: &'a str,
        plain: &'a [&'static str],
    ) -> Self {
        Self {
            now,
            args,
            names,
            draws,
            instance,
            line,
            name,
            has_name,
            suffix,
            plain,
            out: Fields::default(),
        }
    }

    /// The moment, which is `at` plus what the operation took.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// The clock moves on.
    pub(super) fn pass(&mut self, duration: Duration) {
        self.now = self.now.saturating_add(duration);
    }

    pub(super) fn args(&self) -> &'a Args {
        self.args
    }

    /// What stands behind names where a line is repeated.
    pub(super) fn suffix(&self) -> &'a str {
        self.suffix
    }

    /// The name under which `keep` keeps.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn out(&mut self) -> &mut Fields {
        &mut self.out
    }

    /// The configuration that is printed.
    pub(super) fn config(&mut self) -> &mut Fields {
        self.out.object(CONFIG.name)
    }

    pub(super) fn into_out(self) -> Fields {
        self.out
    }

    /// The next draw of the script's own generator.
    pub(super) fn draw(&self) -> u32 {
        self.draws.next_u32()
    }

    /// The argument `draw`, or the next draw.
    pub(super) fn draw_or_next(&self) -> u32 {
        self.args.u32("draw").unwrap_or_else(|| self.draw())
    }

    /// The moment of an argument, or now.
    pub(super) fn moment(&self, key: &str) -> Option<Instant> {
        self.args.moment(key).map(|moment| moment.from(self.now))
    }

    /// Keeps what the operation gave under the name of `as`.
    pub(super) fn keep<T: Any>(&mut self, what: &'static str, value: T) -> Result<(), Fault> {
        let name = self.name.clone();
        self.keep_as(&name, what, value)
    }

    /// Keeps what the operation gave under another name.
    pub(super) fn keep_as<T: Any>(&mut self, name: &str, what: &'static str, value: T) -> Result<(), Fault> {
        self.names.keep(name, what, self.instance, self.line, Box::new(value))?;
        self.out.put("as", name);
        self.out.put("gave", what);
        Ok(())
    }

    /// Keeps under the name of `as` what another instance gave on the way.
    pub(super) fn keep_of<T: Any>(&mut self, of: &str, what: &'static str, value: T) -> Result<(), Fault> {
        let name = self.name.clone();
        self.names.keep(&name, what, of, self.line, Box::new(value))?;
        self.out.put("as", name);
        self.out.put("gave", what);
        Ok(())
    }

    /// Keeps what something became under the name of `as`, or else under the one that it had.
    pub(super) fn keep_in_place<T: Any>(
        &mut self,
        key: &str,
        what: &'static str,
        value: T,
    ) -> Result<(), Fault> {
        let name = if self.has_name { self.name.clone() } else { self.name_of(key)? };
        self.keep_as(&name, what, value)
    }

    /// The name that an argument gives, as it is in this repetition.
    pub(super) fn name_of(&self, key: &str) -> Result<String, Fault> {
        match self.args.text(key) {
            Some(name) if self.plain.contains(&key) => Ok(name),
            Some(name) => Ok(format!("{name}{}", self.suffix)),
            None => Err(Fault::new(format!("{key} is missing"))),
        }
    }

    /// Takes what an argument names, which this instance must have given.
    pub(super) fn take<T: Any>(&mut self, key: &str, what: &str) -> Result<T, Fault> {
        let name = self.name_of(key)?;
        self.names.take(&name, what, Some(self.instance), self.line)
    }

    /// Takes what an argument names, whichever instance gave it.
    pub(super) fn take_any<T: Any>(&mut self, key: &str, what: &str) -> Result<T, Fault> {
        let name = self.name_of(key)?;
        self.names.take(&name, what, None, self.line)
    }

    /// What an argument names, whichever instance gave it.
    pub(super) fn look_any<T: Any>(&mut self, key: &str, what: &str) -> Result<&mut T, Fault> {
        let name = self.name_of(key)?;
        self.names.look(&name, what, None)
    }

    /// What an argument names, which this instance must have given.
    pub(super) fn look<T: Any>(&mut self, key: &str, what: &str) -> Result<&mut T, Fault> {
        let name = self.name_of(key)?;
        self.names.look(&name, what, Some(self.instance))
    }
}
