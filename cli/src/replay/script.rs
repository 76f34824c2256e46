//! Executes a script, line by line.

use super::call::Call;
use super::expect::{count_fits, mismatches};
use super::fields::{Fields, Json};
use super::names::{Fault, Names};
use super::objects::inside;
use super::pretty;
use super::schema::{CONFIG, Info, STATE};
use super::statement::{self, Problem, Script, Statement, name_of};
use super::words;
use seawall::core::{Instant, Rng};
use std::io::{self, Write};

/// The most problems that are told at once.
const MAX_PROBLEMS: usize = 50;

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Everything was as expected.
    AsExpected,
    /// Something was not.
    Unexpected,
    /// The script is wrong.
    Wrong,
}

/// Executes the script `text`, which is called `file` in messages.
///
/// Decisions go to `out`, everything else to `err`.
pub(super) fn run(
    file: &str,
    text: &str,
    pretty: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Ending> {
    let script = match statement::read(text) {
        Ok(script) => script,
        Err(problems) => {
            tell(file, &problems, err)?;
            return Ok(Ending::Wrong);
        }
    };
    let mut run = Execution::new(&script);
    let mut table = pretty.then(pretty::Table::new);
    for statement in &script.statements {
        let result = run.statement(statement, &mut |fields| {
            if let Some(table) = &mut table {
                return table.row(fields, out);
            }
            serde_json::to_writer(&mut *out, fields)?;
            out.write_all(b"\n")
        });
        match result {
            Ok(differences) => {
                for (repeat, text) in differences {
                    let repeat = repeat.map(|repeat| format!(" (repeat {repeat})")).unwrap_or_default();
                    writeln!(err, "{file}:{}: {}{repeat}: {text}", statement.line, statement.op)?;
                }
            }
            Err(Stop::Fault(Fault(text))) => {
                writeln!(err, "{file}:{}: {}: {text}", statement.line, statement.op)?;
                return Ok(Ending::Wrong);
            }
            Err(Stop::Output(error)) => return Err(error),
        }
    }
    let Execution { operations, expected, failed, .. } = run;
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    writeln!(
        err,
        "{file}: {operations} operation{}, {expected} expectation{}, {failed} failed",
        plural(operations),
        plural(expected)
    )?;
    Ok(if failed == 0 { Ending::AsExpected } else { Ending::Unexpected })
}

fn tell(file: &str, problems: &[Problem], err: &mut dyn Write) -> io::Result<()> {
    for Problem { line, column, text } in problems.iter().take(MAX_PROBLEMS) {
        let column = column.map(|column| format!("{column}:")).unwrap_or_default();
        writeln!(err, "{file}:{line}:{column} {text}")?;
    }
    if problems.len() > MAX_PROBLEMS {
        writeln!(err, "{file}: {} more", problems.len() - MAX_PROBLEMS)?;
    }
    Ok(())
}

/// Why a script does not go on.
enum Stop {
    Fault(Fault),
    Output(io::Error),
}

/// Differences from what was expected, each with the repetition if there are several.
type Differences = Vec<(Option<u64>, String)>;

struct Execution<'a> {
    script: &'a Script,
    names: Names,
    draws: Rng,
    /// Where the clock stands.
    now: Instant,
    operations: u64,
    expected: u64,
    failed: u64,
}

impl<'a> Execution<'a> {
    fn new(script: &'a Script) -> Self {
        let draws = Rng::new(script.seed);
        let now = Instant::ZERO;
        Self { script, names: Names::default(), draws, now, operations: 0, expected: 0, failed: 0 }
    }

    fn statement(
        &mut self,
        statement: &Statement,
        print: &mut dyn FnMut(&Fields) -> io::Result<()>,
    ) -> Result<Differences, Stop> {
        let mut differences = Vec::new();
        let mut admitted = 0_u64;
        let start = statement.at.map_or(self.now, |at| at.from(self.now));
        let mut next = start;
        self.now = start;
        for repeat in 1..=statement.times.unwrap_or(1) {
            self.now = if statement.every.is_some() { next } else { self.now };
            next = statement.every.map_or(next, |every| next.saturating_add(every));
            let fields = self.operation(statement, repeat).map_err(Stop::Fault)?;
            print(&fields).map_err(Stop::Output)?;
            self.operations += 1;
            admitted += u64::from(fields.get("admitted") == Some(&Json::Flag(true)));
            if let Some(expect) = &statement.expect {
                let found = mismatches(expect, &fields);
                self.judge(found.is_empty());
                let number = statement.times.map(|_| repeat);
                differences.extend(found.into_iter().map(|text| (number, text)));
            }
        }
        if let Some(expected) = &statement.expect_admitted {
            let fits = count_fits(expected, admitted);
            self.judge(fits);
            if !fits {
                differences.push((None, format!("expected {expected} admitted, got {admitted}")));
            }
        }
        Ok(differences)
    }

    fn judge(&mut self, fits: bool) {
        self.expected += 1;
        self.failed += u64::from(!fits);
    }

    /// One execution of a line.
    fn operation(&mut self, statement: &Statement, repeat: u64) -> Result<Fields, Fault> {
        let mut fields = Fields::default();
        fields.put("line", statement.line as u64);
        if statement.times.is_some() {
            fields.put("repeat", repeat);
        }
        fields.nanos("at", Some(self.now.as_nanos()));
        fields.put("op", statement.op.as_str());
        if let Some(note) = &statement.note {
            fields.put("note", note.as_str());
        }
        let suffix = statement.times.map(|_| repeat.to_string()).unwrap_or_default();
        let mut operation = statement.signature.name;
        let named = if let Some(number) = statement.instance {
            self.script.instances.get(number)
        } else {
            let suffix = if statement.plain.is_empty() { suffix.as_str() } else { "" };
            let name = statement.args.text("what").unwrap_or_default() + suffix;
            let (what, of) = self.names.drop(&name, statement.line)?;
            fields.put("dropped", what);
            fields.put("of", of.as_str());
            operation = STATE.name;
            self.script.instances.iter().find(|named| named.name == of)
        };
        let Some(named) = named else { return Ok(fields) };
        let name = name_of(statement, repeat);
        let mut call = Call::new(
            self.now,
            &statement.args,
            &mut self.names,
            &self.draws,
            &named.name,
            statement.line,
            name.clone(),
            statement.name.is_some(),
            &suffix,
            &statement.plain,
        );
        if operation == CONFIG.name {
            *call.config() = named.config.printed();
        }
        named.instance.operate(operation, &mut call)?;
        self.now = call.now();
        fields.extend(call.into_out());
        if !statement.signature.gives.is_empty() {
            self.names.gone(&name, format!("stands for nothing: line {} gave nothing", statement.line));
        }
        debug_assert_eq!(undeclared(statement, named.pattern.info(), &fields), None, "{}", statement.op);
        Ok(fields)
    }
}

/// A field that no table mentions.
fn undeclared(statement: &Statement, pattern: &Info, fields: &Fields) -> Option<String> {
    let groups = [statement::HEADER]
        .into_iter()
        .chain(statement.signature.prints.iter().chain(pattern.prints).copied());
    let known: Vec<_> = groups.flat_map(statement::expand).collect();
    let stranger = fields.iter().map(|(name, _)| name.to_owned()).find(|name| !known.contains(name));
    stranger
        .or_else(|| fields.iter().find_map(|(name, value)| undeclared_inside(pattern.name, name, value)))
        .or_else(|| unlisted(pattern.name, fields))
}

/// A word that no table mentions.
fn unlisted(pattern: &str, fields: &Fields) -> Option<String> {
    let mut said = Vec::new();
    words::said("", fields, &mut said);
    let is_listed =
        |(place, word): &(String, &str)| words::of(pattern, place).is_some_and(|known| known.contains(word));
    said.iter().find(|said| !is_listed(said)).map(|(place, word)| format!("{word:?} of {place}"))
}

/// A field of an object that no table mentions.
fn undeclared_inside(pattern: &str, place: &str, value: &Json) -> Option<String> {
    match value {
        Json::List(list) => list.iter().find_map(|value| undeclared_inside(pattern, place, value)),
        Json::Object(fields) => {
            let known = inside(pattern, place).unwrap_or_default();
            fields.iter().find_map(|(name, value)| {
                let inner = format!("{place}.{name}");
                if known.iter().any(|known| known == name) {
                    undeclared_inside(pattern, &inner, value)
                } else {
                    Some(inner)
                }
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
