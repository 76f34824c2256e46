//! Reads the policy of a script: its instances.

use super::{Named, Reader};
use crate::replay::patterns;
use crate::replay::schema::{Kind, Param};
use crate::replay::suggest::{shortened, unknown};
use crate::replay::value::{Args, read_table};
use serde_json::{Map, Value};

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
        // Those that name others are made when the others are there.
        for among_others in [false, true] {
            for (name, config) in
                policy.iter().filter(|(name, config)| names_others(name, config) == among_others)
            {
                self.instance(line, name, config);
            }
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
                    patterns.join(" or ")
                ),
                None if self.broken.iter().any(|(known, _)| known == name) => {
                    format!("{:?} is wrong itself", shortened(name))
                }
                None => unknown("instance", name, self.instances.iter().map(|named| named.name.as_str())),
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

/// Whether a configuration names other instances.
fn names_others(name: &str, config: &Value) -> bool {
    let pattern = config.get("pattern").map_or(Some(name), Value::as_str);
    pattern.and_then(patterns::find).is_some_and(|pattern| {
        let is_instance = |kind: &Kind| matches!(kind, Kind::Instance(_) | Kind::List(Kind::Instance(_)));
        pattern.info().keys.iter().any(|key| is_instance(&key.kind) && config.get(key.name).is_some())
    })
}
