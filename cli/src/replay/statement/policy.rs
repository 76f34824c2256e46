//! Reads the policy of a script: its instances.

use super::{Named, Reader};
use crate::replay::patterns;
use crate::replay::schema::{Kind, Param, Pattern};
use crate::replay::suggest::{one_of, shortened, unknown};
use crate::replay::value::{Args, read_table};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The most instances of a script.
const MAX_INSTANCES: usize = 1000;

/// The most entries of all tables of a script together.
const MAX_ENTRIES: u64 = 1 << 21;

impl Reader {
    pub(super) fn policy(&mut self, line: usize, object: &Map<String, Value>) {
        self.has_policy = true;
        for key in object.keys() {
            if !["policy", "seed", "note"].contains(&key.as_str()) {
                self.problem(line, unknown("key", key, ["policy", "seed", "note"]));
            }
        }
        match object.get("seed").map(|seed| seed.as_u64().and_then(|seed| u32::try_from(seed).ok())) {
            Some(None) => self.problem(line, "seed must be an integer from 0 to 4294967295".to_owned()),
            Some(Some(seed)) => self.seed = seed,
            None => {}
        }
        let Some(Value::Object(policy)) = object.get("policy") else {
            return self.problem(line, "policy must be an object: {NAME: CONFIG, …}".to_owned());
        };
        if policy.is_empty() {
            self.problem(line, "policy names no instance of any pattern".to_owned());
        }
        if policy.len() > MAX_INSTANCES {
            return self.problem(
                line,
                format!("policy names {} instances, must be at most {MAX_INSTANCES}", policy.len()),
            );
        }
        self.declared.extend(policy.keys().cloned());
        // Those that name others are made when the others are there.
        let mut left: BTreeMap<&str, Vec<&str>> =
            policy.iter().map(|(name, config)| (name.as_str(), others(name, config))).collect();
        loop {
            let is_ready = |name: &str| left[name].iter().all(|other| !left.contains_key(other));
            let ready: Vec<_> = policy.iter().filter(|(name, _)| left.contains_key(name.as_str())).collect();
            let ready: Vec<_> = ready.into_iter().filter(|(name, _)| is_ready(name)).collect();
            if ready.is_empty() {
                break;
            }
            for (name, config) in ready {
                left.remove(name.as_str());
                self.instance(line, name, config);
            }
        }
        self.circles(line, policy, &left);
    }

    /// Says which instances are parts of themselves, and what is wrong with those that name them.
    fn circles(&mut self, line: usize, policy: &Map<String, Value>, left: &BTreeMap<&str, Vec<&str>>) {
        let mut told = BTreeSet::new();
        for &name in left.keys() {
            let Some(circle) = circle(name, left) else { continue };
            self.broken.extend(pattern_of(name, &policy[name]).map(|pattern| (name.to_owned(), pattern)));
            if told.insert(name) {
                let names = circle.iter().map(|name| format!("names {:?}", shortened(name)));
                let names = names.collect::<Vec<_>>().join(", which ");
                self.problem(line, format!("{name}: it {names}: nothing can be a part of itself"));
            }
            told.extend(circle);
        }
        for name in left.keys().filter(|name| !told.contains(*name)) {
            self.instance(line, name, &policy[*name]);
        }
    }

    /// Puts the instances that are named in the places of their names.
    pub(super) fn resolve(&self, args: &mut Args, params: &[Param], place: &str, problems: &mut Vec<String>) {
        args.resolve(params, &mut |name, patterns| {
            let wrong = match self.instances.iter().find(|named| named.name == name) {
                Some(named) if patterns.contains(&named.pattern.info().name) => {
                    return Some(named.instance.shared());
                }
                Some(named) => format!(
                    "{:?} is of the pattern {}, must be of {}",
                    shortened(name),
                    named.pattern.info().name,
                    one_of(patterns)
                ),
                None if self.broken.iter().any(|(known, _)| known == name) => {
                    format!("{:?} is wrong itself", shortened(name))
                }
                None => {
                    // Nothing is a part of itself.
                    let others = self.declared.iter().map(String::as_str).filter(|other| *other != place);
                    unknown("instance", name, others)
                }
            };
            problems.push(format!("{place}: {wrong}"));
            None
        });
    }

    fn instance(&mut self, line: usize, name: &str, config: &Value) {
        let Value::Object(config) = config else {
            return self.problem(
                line,
                format!(
                    "{:?} is {}, must be an object of its configuration",
                    shortened(name),
                    shortened(&config.to_string())
                ),
            );
        };
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            return self.problem(
                line,
                format!("the name {:?} of an instance must be of letters, digits, _ and -", shortened(name)),
            );
        }
        let mut config = config.clone();
        let known = || patterns::all().map(|pattern| pattern.info().name);
        let word = match config.remove("pattern") {
            None if patterns::find(name).is_none() => {
                let text = format!(
                    "{name}: its pattern is missing; {}, or say \"pattern\"",
                    unknown("pattern", name, known())
                );
                self.has_strangers = true;
                return self.problem(line, text);
            }
            None => name.to_owned(),
            Some(Value::String(word)) => word,
            Some(other) => {
                return self.problem(
                    line,
                    format!(
                        "{name}.pattern is {}, must be the name of a pattern",
                        shortened(&other.to_string())
                    ),
                );
            }
        };
        let Some(pattern) = patterns::find(&word) else {
            self.has_strangers = true;
            return self.problem(line, format!("{name}: {}", unknown("pattern", &word, known())));
        };
        let seeded = pattern.info().keys.iter().any(|key| key.name == "seed");
        if seeded && !config.contains_key("seed") {
            config.insert("seed".to_owned(), self.seed.into());
        }
        let mut problems = Vec::new();
        let mut args = read_table(pattern.info().keys, &config, name, &mut problems);
        self.resolve(&mut args, pattern.info().keys, name, &mut problems);
        let entries = args.integer("entries").unwrap_or(0);
        self.entries += entries;
        if self.entries > MAX_ENTRIES && self.entries - entries <= MAX_ENTRIES {
            problems
                .push(format!("{name}.entries: all tables of a script together have at most {MAX_ENTRIES}"));
        }
        if problems.is_empty() {
            match pattern.configure(&args) {
                Ok(instance) => {
                    let name = name.to_owned();
                    return self.instances.push(Named { name, pattern, instance, config: args });
                }
                Err(wrong) => problems.extend(wrong.iter().map(|wrong| format!("{name}.{wrong}"))),
            }
        }
        self.broken.push((name.to_owned(), pattern));
        for text in problems {
            self.problem(line, text);
        }
    }
}

/// The pattern that a configuration is of, if there is one.
fn pattern_of(name: &str, config: &Value) -> Option<&'static dyn Pattern> {
    patterns::find(config.get("pattern").map_or(Some(name), Value::as_str)?)
}

/// The other instances that a configuration names.
fn others<'c>(name: &str, config: &'c Value) -> Vec<&'c str> {
    let Some(pattern) = pattern_of(name, config) else { return Vec::new() };
    let is_instance = |kind: &Kind| matches!(kind, Kind::Instance(_) | Kind::List(Kind::Instance(_)));
    let keys = pattern.info().keys.iter().filter(|key| is_instance(&key.kind));
    keys.filter_map(|key| config.get(key.name))
        .flat_map(|value| match value {
            Value::Array(list) => list.iter().collect(),
            value => vec![value],
        })
        .filter_map(Value::as_str)
        .collect()
}

/// The way from an instance by those that are named back to it, without its beginning.
fn circle<'n>(from: &str, left: &BTreeMap<&'n str, Vec<&'n str>>) -> Option<Vec<&'n str>> {
    let mut seen = BTreeSet::new();
    let mut ways: Vec<Vec<&str>> = vec![Vec::new()];
    while let Some(way) = ways.pop() {
        for other in left.get(way.last().copied().unwrap_or(from)).into_iter().flatten() {
            let mut longer = way.clone();
            longer.push(other);
            if *other == from {
                return Some(longer);
            }
            if seen.insert(*other) {
                ways.push(longer);
            }
        }
    }
    None
}
