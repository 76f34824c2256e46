//! Reads a script as a whole: everything that is wrong with it is found before anything runs.

mod policy;

use super::schema::{Group, Instance, Kind, Param, Pattern, Signature};
use super::strict::Strict;
use super::suggest::{near, shortened, unknown};
use super::value::{Args, Moment, read_table};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most executions of one line.
const MAX_TIMES: u64 = 1_000_000;

/// What every statement may say.
pub(super) const COMMON: &[Param] = &[
    Param::optional(
        "at",
        Kind::Moment,
        "when; left out, it is when the line before ended. It may be earlier: a clock that steps back",
    ),
    Param::optional("as", Kind::Text, "the name of what the operation gives"),
    Param::optional(
        "times",
        Kind::Integer(MAX_TIMES),
        "executes the line so often; names get the number of the repetition behind them: p1, p2, …, \
         unless only the name without a number was given",
    ),
    Param::optional(
        "every",
        Kind::Duration,
        "with times: the time between two starts; left out, each starts when the one before ended",
    ),
    Param::optional("note", Kind::Text, "printed with the decision"),
];

/// Statement keys whose values are looked at elsewhere.
const RAW: [&str; 3] = ["op", "expect", "expect_admitted"];

/// The fields that every decision may have, before those of its operation.
pub(super) const HEADER: Group = &["line", "repeat", "at+ns", "op", "note", "as", "gave"];

/// The operation that belongs to no pattern.
pub(super) const DROP: Signature = Signature {
    name: "drop",
    about: "drops what a name stands for, as a caller that goes away: a permit settles as cancelled",
    params: &[Param::required("what", Kind::Held(&["thing that an operation gave"]), "the name")],
    gives: &[],
    prints: &[&["dropped", "of"]],
};

/// A script that was checked.
pub(super) struct Script {
    pub(super) seed: u32,
    pub(super) instances: Vec<Named>,
    pub(super) statements: Vec<Statement>,
}

/// An instance of a pattern under its name.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) pattern: &'static dyn Pattern,
    pub(super) instance: Box<dyn Instance>,
    /// What it was configured with.
    pub(super) config: Args,
}

/// One line that says what to do.
pub(super) struct Statement {
    pub(super) line: usize,
    /// The operation as it is written.
    pub(super) op: String,
    pub(super) at: Option<Moment>,
    /// The number of the instance; none for an operation that belongs to no pattern.
    pub(super) instance: Option<usize>,
    pub(super) signature: Signature,
    pub(super) args: Args,
    /// The arguments that name the same thing in each repetition.
    pub(super) plain: Vec<&'static str>,
    pub(super) name: Option<String>,
    pub(super) times: Option<u64>,
    pub(super) every: Option<Duration>,
    pub(super) note: Option<String>,
    pub(super) expect: Option<Map<String, Value>>,
    pub(super) expect_admitted: Option<Value>,
}

/// Something that is wrong with a script, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) column: Option<usize>,
    pub(super) text: String,
}

/// Reads a script.
pub(super) fn read(text: &str) -> Result<Script, Vec<Problem>> {
    let mut reader = Reader::default();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim_start_matches('\u{feff}').trim_end();
        let start = line.trim_start();
        if !start.is_empty() && !start.starts_with('#') && !start.starts_with("//") {
            reader.line(i + 1, line);
        }
    }
    if !reader.has_policy && reader.problems.is_empty() {
        reader.problem(text.lines().count().max(1), FIRST.to_owned());
    }
    if reader.problems.is_empty() {
        Ok(Script { seed: reader.seed, instances: reader.instances, statements: reader.statements })
    } else {
        Err(reader.problems)
    }
}

const FIRST: &str = "the first statement must be the policy: {\"policy\": {NAME: CONFIG, …}}";

/// The number of the instance that is asked, what it is asked, and its pattern; an operation of no pattern has neither.
type Asked = (Option<usize>, Signature, Option<&'static dyn Pattern>);

/// Who gave what a name stands for.
#[derive(Clone, Copy)]
struct Giver {
    pattern: &'static dyn Pattern,
    /// The number of the instance; none where several gave something under one name, or one that is wrong.
    instance: Option<usize>,
}

#[derive(Default)]
struct Reader {
    seed: u32,
    has_policy: bool,
    /// The names of all instances, also of those that are not made yet.
    declared: Vec<String>,
    instances: Vec<Named>,
    /// Instances whose configuration is wrong: their operations are checked all the same.
    broken: Vec<(String, &'static dyn Pattern)>,
    /// Some instance is of no known pattern: nothing can be said about what is asked of it.
    has_strangers: bool,
    statements: Vec<Statement>,
    /// Of all tables so far.
    entries: u64,
    /// The names that were given, and by whom.
    names: BTreeMap<String, Giver>,
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, line: usize, text: String) {
        self.problems.push(Problem { line, column: None, text });
    }

    fn line(&mut self, line: usize, text: &str) {
        let object = match serde_json::from_str(text) {
            Ok(Strict(Value::Object(object))) => object,
            Ok(_) => return self.problem(line, "a statement is a JSON object".to_owned()),
            Err(error) => {
                let message = error.to_string();
                let message =
                    message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
                let text = if error.is_eof() {
                    format!("{message}: a statement is one whole JSON object on one line")
                } else {
                    message.to_owned()
                };
                return self.problems.push(Problem { line, column: Some(error.column()), text });
            }
        };
        match (self.has_policy, object.contains_key("policy")) {
            (false, true) => self.policy(line, &object),
            (false, false) => {
                self.has_policy = true;
                self.problem(line, FIRST.to_owned());
            }
            (true, true) => {
                self.problem(line, "there is one policy, and it is the first statement".to_owned());
            }
            (true, false) if self.has_strangers => {}
            (true, false) => self.statement(line, &object),
        }
    }

    /// The operation of a statement, and the number of the instance that it is asked of.
    fn operation(&self, op: &str) -> Result<Asked, String> {
        if op == DROP.name {
            return Ok((None, DROP, None));
        }
        let written = shortened(op);
        let Some((name, method)) = op.split_once('.') else {
            return Err(format!("unknown operation {written:?}: it must be NAME.METHOD, or {:?}", DROP.name));
        };
        let number = self.instances.iter().position(|named| named.name == name);
        let broken = self.broken.iter().find(|(known, _)| known == name).map(|(_, pattern)| *pattern);
        let Some(pattern) = number.map(|number| self.instances[number].pattern).or(broken) else {
            let instances = self.instances.iter().map(|named| named.name.as_str());
            let known = instances.chain(self.broken.iter().map(|(name, _)| name.as_str()));
            return Err(format!("unknown operation {written:?}: {}", unknown("instance", name, known)));
        };
        let operations = pattern.operations();
        if let Some(found) = operations.iter().find(|known| known.name == method) {
            return Ok((number, *found, Some(pattern)));
        }
        let text = unknown("operation", method, operations.iter().map(|known| known.name));
        let rest = text.split_once(';').map_or("", |(_, rest)| rest);
        Err(format!("unknown operation {written:?};{rest}"))
    }

    fn statement(&mut self, line: usize, object: &Map<String, Value>) {
        let op = match object.get("op") {
            Some(Value::String(op)) => op.clone(),
            Some(other) => {
                return self.problem(
                    line,
                    format!("op is {}, must be \"NAME.METHOD\"", shortened(&other.to_string())),
                );
            }
            None => {
                let known = || RAW.into_iter().chain(COMMON.iter().map(|known| known.name));
                let misspelled =
                    |key: &&String| !known().any(|known| known == *key) && near(key, known()) == Some("op");
                let text = match object.keys().find(misspelled) {
                    Some(key) => unknown("key", key, known()),
                    None => "op is missing: it must be \"NAME.METHOD\"".to_owned(),
                };
                return self.problem(line, text);
            }
        };
        let (instance, signature, pattern) = match self.operation(&op) {
            Ok(found) => found,
            Err(text) => return self.problem(line, text),
        };
        let mut problems = Vec::new();
        let (mut common, mut own) = (Map::new(), Map::new());
        for (key, value) in object {
            if signature.params.iter().any(|param| param.name == key) {
                own.insert(key.clone(), value.clone());
            } else if COMMON.iter().any(|param| param.name == key) {
                common.insert(key.clone(), value.clone());
            } else if !RAW.contains(&key.as_str()) {
                let known = signature.params.iter().chain(COMMON).map(|param| param.name).chain(RAW);
                problems.push(format!("{op}: {}", unknown("key", key, known)));
            }
        }
        let common = read_table(COMMON, &common, "", &mut problems);
        let mut args = read_table(signature.params, &own, &op, &mut problems);
        self.resolve(&mut args, signature.params, &op, &mut problems);
        let expect = match object.get("expect") {
            None => None,
            Some(Value::Object(expect)) => {
                // What is dropped prints the state of whatever gave it.
                let times = common.integer("times");
                let giver = args.text("what").and_then(|name| self.names.get(&self.repeated(&name, times).0));
                let pattern = pattern.or(giver.map(|giver| giver.pattern));
                let state = pattern.map_or(&[][..], |pattern| pattern.info().prints);
                let groups = [HEADER].into_iter().chain(signature.prints.iter().chain(state).copied());
                let known: Vec<String> = groups.flat_map(expand).collect();
                for (key, expected) in expect {
                    if known.contains(key) {
                        let mut wrong = Vec::new();
                        let printer = pattern.map_or("", |pattern| pattern.info().name);
                        super::expect::check(printer, key, expected, &mut wrong);
                        problems.extend(wrong.iter().map(|text| format!("{op}: {text}")));
                    } else {
                        let text = unknown("field", key, known.iter().map(String::as_str));
                        problems.push(format!("{op}: expect: {text}"));
                    }
                }
                Some(expect.clone())
            }
            Some(other) => {
                problems.push(format!(
                    "expect is {}, must be an object of fields of the decision",
                    shortened(&other.to_string())
                ));
                None
            }
        };
        let mut statement = Statement {
            line,
            plain: Vec::new(),
            at: common.moment("at"),
            instance,
            signature,
            args,
            name: common.text("as"),
            times: common.integer("times"),
            every: common.duration("every"),
            note: common.text("note"),
            expect,
            expect_admitted: object.get("expect_admitted").cloned(),
            op,
        };
        self.check_names(&mut statement, pattern, &mut problems);
        if statement.every.is_some() && statement.times.is_none() {
            problems.push("every is for lines with times".to_owned());
        }
        check_expectations(&statement, &mut problems);
        let is_clean = problems.is_empty();
        for text in problems {
            self.problem(line, text);
        }
        if is_clean {
            self.statements.push(statement);
        }
    }

    /// The name in the last repetition, and whether it is the same in each: that is so where it was given and no numbered
    /// one was.
    fn repeated(&self, name: &str, times: Option<u64>) -> (String, bool) {
        let Some(last) = times else { return (name.to_owned(), false) };
        let numbered = |repeat: u64| format!("{name}{repeat}");
        let is_numbered = [1, last].iter().any(|&repeat| self.names.contains_key(&numbered(repeat)));
        if !is_numbered && self.names.contains_key(name) {
            (name.to_owned(), true)
        } else {
            (numbered(last), false)
        }
    }

    /// Checks that every name was given before it is used, and notes those that this statement gives.
    fn check_names(
        &mut self,
        statement: &mut Statement,
        pattern: Option<&'static dyn Pattern>,
        problems: &mut Vec<String>,
    ) {
        let last = statement.times.unwrap_or(1);
        for param in statement.signature.params.iter().filter(|param| matches!(param.kind, Kind::Held(_))) {
            let Some(name) = statement.args.text(param.name) else { continue };
            let (name, is_plain) = self.repeated(&name, statement.times);
            if is_plain {
                statement.plain.push(param.name);
            }
            match self.names.get(&name) {
                None if last > 0 => {
                    let text = unknown("name", &name, self.names.keys().map(String::as_str));
                    problems.push(format!("{}.{}: {text}", statement.op, param.name));
                }
                Some(Giver { instance: Some(giver), .. })
                    if is_of_one_instance(&param.kind)
                        && statement.instance.is_some_and(|asked| asked != *giver) =>
                {
                    problems.push(format!(
                        "{}.{}: {:?} is of {:?}",
                        statement.op,
                        param.name,
                        shortened(&name),
                        self.instances[*giver].name
                    ));
                }
                _ => {}
            }
        }
        let (Some(pattern), false) = (pattern, statement.signature.gives.is_empty()) else {
            if let Some(name) = &statement.name {
                problems.push(format!(
                    "{} gives nothing that {name:?} could name: leave \"as\" out",
                    statement.op
                ));
            }
            return;
        };
        if statement.name.as_ref().is_some_and(|name| name.starts_with('#')) {
            problems.push("a name does not begin with #: such names are given by the program".to_owned());
        }
        // What is asked of another instance on the way is that one's.
        let other = statement.signature.params.iter().find_map(|param| statement.args.instance(param.name));
        let other = other.and_then(|other| self.instances.iter().position(|named| named.name == other.name));
        let giver = Giver {
            pattern: other.map_or(pattern, |number| self.instances[number].pattern),
            instance: other.or(statement.instance),
        };
        for repeat in 1..=last {
            self.names
                .entry(name_of(statement, repeat))
                .and_modify(|known| {
                    if known.instance != giver.instance {
                        *known = Giver { instance: None, ..giver };
                    }
                })
                .or_insert(giver);
        }
        // What is turned into something else keeps its name, which is known already.
    }
}

/// Says what is expected where there is nothing to expect it of.
fn check_expectations(statement: &Statement, problems: &mut Vec<String>) {
    if let Some(wrong) = &statement.expect_admitted {
        if !super::expect::is_count(wrong) {
            problems.push(format!(
                "expect_admitted is {}, must be an integer or {{\"min\": a, \"max\": b}}",
                shortened(&wrong.to_string())
            ));
        }
        if statement.times.is_none() {
            problems.push("expect_admitted is for lines with times".to_owned());
        }
        if !statement.signature.prints.iter().any(|group| group.contains(&"admitted")) {
            problems.push(format!("{} admits nothing: leave expect_admitted out", statement.op));
        }
    }
    if statement.times == Some(0) && (statement.expect.is_some() || statement.expect_admitted.is_some()) {
        problems.push("with times 0 there is nothing that an expectation could look at".to_owned());
    }
}

/// Whether something is used where it came from: a ticket and a snapshot are values, and go anywhere.
fn is_of_one_instance(kind: &Kind) -> bool {
    matches!(kind, Kind::Held(what)
        if !what.iter().any(|what| what.ends_with(" ticket") || what.ends_with(" snapshot")))
}

/// The name of what a statement gives in one of its repetitions.
pub(super) fn name_of(statement: &Statement, repeat: u64) -> String {
    match (&statement.name, statement.times) {
        (Some(name), None) => name.clone(),
        (Some(name), Some(_)) => format!("{name}{repeat}"),
        (None, None) => format!("#{}", statement.line),
        (None, Some(_)) => format!("#{}.{repeat}", statement.line),
    }
}

/// The fields of a group, those that are printed twice as two.
pub(super) fn expand(group: Group) -> Vec<String> {
    group
        .iter()
        .flat_map(|field| match field.split_once('+') {
            Some((name, unit)) => vec![name.to_owned(), format!("{name}_{unit}")],
            None => vec![(*field).to_owned()],
        })
        .collect()
}

#[cfg(test)]
mod tests;
