//! Values of a script, checked against their kind before anything runs.

use super::fields::{Fields, Json as Printed};
use super::schema::{Kind, Need, Param};
use super::suggest::{one_of, shortened, unknown, with_articles};
use seawall::config::{parse_duration, parse_share};
use seawall::core::{Instant, Ratio};
use serde_json::{Map, Value as Json};
use std::any::Any;
use std::time::Duration;

/// A value of a known kind.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Duration(Duration),
    Moment(Moment),
    Integer(u64),
    Flag(bool),
    Share(Ratio),
    Number(f64),
    Word(&'static str),
    Text(String),
    Instance(Shared),
    List(Vec<Value>),
    Table(Args),
}

/// An instance that another one, or an operation of another one, names.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) it: &'static dyn Any,
}

/// Finds an instance by its name and by the patterns that it may be of.
pub(super) type Find<'f> = dyn FnMut(&str, &[&str]) -> Option<&'static dyn Any> + 'f;

/// A time of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    At(Instant),
    After(Duration),
    Before(Duration),
}

impl Moment {
    /// The moment, seen from now.
    pub(super) fn from(self, now: Instant) -> Instant {
        match self {
            Self::At(moment) => moment,
            Self::After(duration) => now.saturating_add(duration),
            Self::Before(duration) => {
                let back = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
                Instant::from_nanos(now.as_nanos().saturating_sub(back))
            }
        }
    }
}

/// The keys of an object with their values; what was left out has its default.
#[derive(Clone, Debug, Default)]
pub(super) struct Args(Vec<(&'static str, Value)>);

/// Takes a value out by its kind. The tables name the kind, so another one is a defect of the program, which its tests
/// would meet.
macro_rules! getters {
    ($($name:ident: $variant:ident => $type:ty;)*) => {
        $(pub(super) fn $name(&self, key: &str) -> Option<$type> {
            match self.get(key) {
                Some(Value::$variant(value)) => Some(value.clone()),
                _ => None,
            }
        })*
    };
}

impl Args {
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    getters! {
        duration: Duration => Duration;
        moment: Moment => Moment;
        integer: Integer => u64;
        flag: Flag => bool;
        share: Share => Ratio;
        number: Number => f64;
        word: Word => &'static str;
        text: Text => String;
        instance: Instance => Shared;
        list: List => Vec<Value>;
        table: Table => Args;
    }

    /// An integer whose kind has the bound of 32 bits.
    pub(super) fn u32(&self, key: &str) -> Option<u32> {
        self.integer(key).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// These keys alone.
    pub(super) fn only(&self, keys: &[&str]) -> Self {
        Self(self.0.iter().filter(|(key, _)| keys.contains(key)).cloned().collect())
    }

    /// The same without a key.
    pub(super) fn without(&self, key: &str) -> Self {
        Self(self.0.iter().filter(|(known, _)| *known != key).cloned().collect())
    }

    /// Puts instances in the places of their names.
    pub(super) fn resolve(&mut self, params: &[Param], find: &mut Find<'_>) {
        for (key, value) in &mut self.0 {
            if let Some(param) = params.iter().find(|param| param.name == *key) {
                value.resolve(&param.kind, find);
            }
        }
    }

    /// The first number that is none or has no end, and where it stands.
    pub(super) fn not_finite(&self) -> Option<(String, f64)> {
        self.0.iter().find_map(|(key, value)| match value {
            Value::Number(number) if !number.is_finite() => Some(((*key).to_owned(), *number)),
            Value::Table(table) => {
                table.not_finite().map(|(place, number)| (format!("{key}.{place}"), number))
            }
            _ => None,
        })
    }

    /// The object as a decision prints it: a policy can take it.
    pub(super) fn printed(&self) -> Fields {
        let mut fields = Fields::default();
        for (key, value) in &self.0 {
            fields.put(key, value.printed());
        }
        fields
    }

    /// The object as a policy file has it.
    pub(super) fn to_json(&self) -> Json {
        let entries = self.0.iter().map(|(key, value)| ((*key).to_owned(), value.to_json()));
        Json::Object(entries.collect())
    }
}

impl Value {
    fn resolve(&mut self, kind: &Kind, find: &mut Find<'_>) {
        match (kind, &mut *self) {
            (Kind::Instance(patterns), Self::Text(name)) => {
                if let Some(it) = find(name, patterns) {
                    *self = Self::Instance(Shared { name: std::mem::take(name), it });
                }
            }
            (Kind::List(kind), Self::List(list)) => {
                for value in list {
                    value.resolve(kind, find);
                }
            }
            _ => {}
        }
    }

    fn printed(&self) -> Printed {
        match self {
            Self::Duration(duration) => (*duration).into(),
            Self::Moment(moment) => {
                let moment = moment.from(Instant::ZERO);
                let is_never = moment == Instant::NEVER;
                if is_never { "never".into() } else { Duration::from_nanos(moment.as_nanos()).into() }
            }
            Self::Integer(number) => (*number).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Share(share) => (*share).into(),
            Self::Number(number) => match serde_json::Number::from_f64(*number) {
                Some(number) => Printed::Decimal(number),
                None => number.to_string().into(),
            },
            Self::Word(word) => (*word).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Instance(shared) => shared.name.as_str().into(),
            Self::List(list) => Printed::List(list.iter().map(Self::printed).collect()),
            Self::Table(table) => table.printed().into(),
        }
    }

    fn to_json(&self) -> Json {
        match self {
            Self::Duration(Duration::MAX) => "forever".into(),
            Self::Duration(duration) => {
                format!("{}s {}ns", duration.as_secs(), duration.subsec_nanos()).into()
            }
            Self::Moment(moment) => format!("{moment:?}").into(),
            Self::Integer(number) => (*number).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Share(share) => format!("{}/{}", share.numerator(), share.denominator()).into(),
            Self::Number(number) if number.is_finite() => (*number).into(),
            Self::Number(number) => number.to_string().into(),
            Self::Word(word) => (*word).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Instance(shared) => shared.name.as_str().into(),
            Self::List(list) => list.iter().map(Self::to_json).collect(),
            Self::Table(table) => table.to_json(),
        }
    }
}

/// Reads an object; `path` names it in what is wrong with it.
pub(super) fn read_table(
    params: &[Param],
    object: &Map<String, Json>,
    path: &str,
    problems: &mut Vec<String>,
) -> Args {
    for key in object.keys() {
        if !params.iter().any(|param| param.name == key) {
            let known = params.iter().map(|param| param.name);
            let of = if path.is_empty() { String::new() } else { format!("{path}: ") };
            problems.push(format!("{of}{}", unknown("key", key, known)));
        }
    }
    let mut args = Vec::new();
    for param in params {
        let place = if path.is_empty() { param.name.to_owned() } else { format!("{path}.{}", param.name) };
        match (object.get(param.name), param.need) {
            (Some(json), _) => {
                args.extend(read(&param.kind, json, &place, problems).map(|value| (param.name, value)));
            }
            (None, Need::Default(text)) => {
                let json: Json = serde_json::from_str(text).unwrap_or(Json::Null);
                args.extend(read(&param.kind, &json, &place, problems).map(|value| (param.name, value)));
            }
            (None, Need::Required) => {
                problems.push(format!("{place} is missing: it must be {}", param.kind));
            }
            (None, Need::Optional) => {}
        }
    }
    Args(args)
}

/// Whether a value is of a kind.
pub(super) fn is_of(kind: &Kind, json: &Json) -> bool {
    read(kind, json, "", &mut Vec::new()).is_some()
}

/// Reads a value; `place` names it in what is wrong with it.
fn read(kind: &Kind, json: &Json, place: &str, problems: &mut Vec<String>) -> Option<Value> {
    match (kind, json) {
        (Kind::Table(params), Json::Object(object)) => {
            return Some(Value::Table(read_table(params, object, place, problems)));
        }
        (Kind::List(kind), Json::Array(list)) => {
            let values = list
                .iter()
                .enumerate()
                .map(|(i, json)| read(kind, json, &format!("{place}[{i}]"), problems))
                .collect::<Vec<_>>();
            return values.into_iter().collect::<Option<_>>().map(Value::List);
        }
        (Kind::Either(kinds), _) => {
            // An object that fits one of the kinds is checked as such, so that its own problems are told.
            let tables = |kind: &&Kind| matches!((kind, json), (Kind::Table(_), Json::Object(_)));
            if let Some(kind) = kinds.iter().find(tables) {
                return read(kind, json, place, problems);
            }
            let fits = kinds.iter().find_map(|kind| read(kind, json, place, &mut Vec::new()));
            if fits.is_some() {
                return fits;
            }
        }
        (Kind::Word(words), Json::String(word)) => {
            if let Some(known) = words.iter().find(|known| *known == word) {
                return Some(Value::Word(known));
            }
            problems.push(format!("{place}: {}", unknown("word", word, words.iter().copied())));
            return None;
        }
        _ => {}
    }
    let value = read_plain(kind, json);
    if value.is_none() {
        problems.push(format!("{place} is {}, must be {kind}", shortened(&json.to_string())));
    }
    value
}

fn read_plain(kind: &Kind, json: &Json) -> Option<Value> {
    Some(match (kind, json) {
        (Kind::Duration, _) => Value::Duration(read_duration(json)?),
        (Kind::Moment, _) => Value::Moment(read_moment(json)?),
        (Kind::Integer(max), Json::Number(number)) => {
            Value::Integer(number.as_u64().filter(|number| number <= max)?)
        }
        (Kind::Between(min, max), Json::Number(number)) => {
            Value::Integer(number.as_u64().filter(|number| min <= number && number <= max)?)
        }
        (Kind::Flag, Json::Bool(flag)) => Value::Flag(*flag),
        (Kind::Share, Json::Number(number)) => Value::Share(parse_share(&decimal(number)?)?),
        (Kind::Share, Json::String(text)) => Value::Share(parse_share(text)?),
        (Kind::Number, Json::Number(number)) => Value::Number(number.as_f64()?),
        (Kind::Number, Json::String(text)) => Value::Number(match text.as_str() {
            "NaN" => f64::NAN,
            "inf" => f64::INFINITY,
            "-inf" => f64::NEG_INFINITY,
            _ => return None,
        }),
        (Kind::Held(_) | Kind::Instance(_) | Kind::Text, Json::String(text)) if !text.is_empty() => {
            Value::Text(text.clone())
        }
        _ => return None,
    })
}

/// The number without an exponent; shares are exact to a millionth.
fn decimal(number: &serde_json::Number) -> Option<String> {
    let share = number.as_f64()?;
    (0.0..=1.0).contains(&share).then(|| format!("{share:.6}"))
}

/// A text such as `"1.5s"`, or a number of nanoseconds.
pub(super) fn read_duration(json: &Json) -> Option<Duration> {
    match json {
        Json::Number(number) => number.as_u64().map(Duration::from_nanos),
        Json::String(text) => parse_duration(text),
        _ => None,
    }
}

/// A duration since the start; with a sign, since or before now; or `"never"`.
pub(super) fn read_moment(json: &Json) -> Option<Moment> {
    if let Json::String(text) = json {
        let text = text.trim();
        if text == "never" {
            return Some(Moment::At(Instant::NEVER));
        }
        if let Some(rest) = text.strip_prefix('+') {
            return parse_duration(rest).map(Moment::After);
        }
        if let Some(rest) = text.strip_prefix('-') {
            return parse_duration(rest).map(Moment::Before);
        }
    }
    let since_start = u64::try_from(read_duration(json)?.as_nanos()).ok()?;
    Some(Moment::At(Instant::from_nanos(since_start)))
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Duration => {
                f.write_str("a duration such as \"250ms\", \"forever\", or an integer of nanoseconds")
            }
            Self::Moment => f.write_str(
                "a time since the start such as \"1.5s\" (at most 18446744073709551615 ns), \"+100ms\" or \"-100ms\" \
                 from now, \"never\", or an integer of nanoseconds",
            ),
            Self::Integer(max) => write!(f, "an integer from 0 to {max}"),
            Self::Between(min, max) => write!(f, "an integer from {min} to {max}"),
            Self::Flag => f.write_str("true or false"),
            Self::Share => f.write_str("a share such as 0.5, \"50%\" or \"1/2\""),
            Self::Number => f.write_str("a number, \"NaN\", \"inf\" or \"-inf\""),
            Self::Word(words) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
                f.write_str(&one_of(&quoted))
            }
            Self::Held(what) => write!(f, "the name of {}", with_articles(what)),
            Self::Instance(patterns) => {
                write!(f, "the name of an instance of {}", one_of(patterns))
            }
            Self::Text => f.write_str("a text of one character or more"),
            Self::List(kind) => write!(f, "a list, each of it {kind}"),
            Self::Table(params) => {
                let names: Vec<_> = params.iter().map(|param| param.name).collect();
                write!(f, "an object of {}", names.join(", "))
            }
            Self::Either(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(ToString::to_string).collect();
                f.write_str(&kinds.join(", or "))
            }
        }
    }
}

#[cfg(test)]
mod tests;
