//! A page of metrics, read as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};

use crate::metrics::{Format, Metrics};

/// What text 0.0.4 says, read by its rules.
#[derive(Default)]
pub(super) struct Page {
    /// Type, help and label names of each family.
    pub(super) families: BTreeMap<String, (String, String, BTreeSet<String>)>,
    /// Values by name with labels, as written.
    pub(super) samples: BTreeMap<String, f64>,
}

impl Page {
    pub(super) fn of(metrics: &Metrics) -> Self {
        Self::parse(&metrics.encode(Format::Text))
    }

    fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let mut family = String::new();
        let mut help = None;
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                assert_eq!(help.replace(rest.split_once(' ').unwrap()), None, "{line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                let (described, words) = help.take().expect("a help comes before each type");
                assert_eq!(described, name);
                family = name.to_owned();
                let entry = (kind.to_owned(), words.to_owned(), BTreeSet::new());
                assert!(page.families.insert(family.clone(), entry).is_none(), "{name} is there twice");
            } else {
                assert!(!line.starts_with('#'), "{line}");
                page.sample(&family, line);
            }
        }
        page
    }

    fn sample(&mut self, family: &str, line: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').expect("every series has labels");
        let (kind, _, known) = self.families.get_mut(family).expect("a type comes before each sample");
        let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line} in {family}");
        for label in labels.strip_suffix('}').unwrap().split("\",") {
            known.insert(label.split_once("=\"").unwrap().0.to_owned());
        }
        let value = if value == "+Inf" { f64::INFINITY } else { value.parse().unwrap() };
        assert!(self.samples.insert(series.to_owned(), value).is_none(), "{series} is there twice");
    }

    #[track_caller]
    pub(super) fn expect(&self, series: &str, value: f64) {
        let found = *self.samples.get(series).unwrap_or_else(|| panic!("there is no {series}"));
        assert!((found - value).abs() < 1e-9, "{series} is {found} and not {value}");
    }

    pub(super) fn is_counter(&self, series: &str) -> bool {
        let name = series.split('{').next().unwrap();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let family = base.filter(|base| self.families.contains_key(*base)).unwrap_or(name);
        matches!(self.families[family].0.as_str(), "counter" | "histogram")
    }

    /// The families with their types and labels, without the boundaries of histograms.
    pub(super) fn written(self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let families = self.families.into_iter();
        families
            .map(|(name, (kind, _, labels))| {
                (name, (kind, labels.into_iter().filter(|label| label != "le").collect()))
            })
            .collect()
    }

    /// What `promtool check metrics` says of names: <https://prometheus.io/docs/practices/naming>.
    pub(super) fn lint(&self) {
        const UNITS: [&str; 8] = ["ms", "us", "ns", "sec", "secs", "milliseconds", "percent", "kb"];
        for (name, (kind, help, labels)) in &self.families {
            assert!(!help.is_empty(), "{name} has no help");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            assert!(
                name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_'),
                "{name}"
            );
            let wrong = name.split('_').find(|word| {
                UNITS.contains(word) || ["gauge", "counter", "histogram", "summary"].contains(word)
            });
            assert_eq!(wrong, None, "{name}");
            let reserved = ["_count", "_sum", "_bucket", "_info"];
            assert!(!reserved.iter().any(|suffix| name.ends_with(suffix)), "{name}");
            assert!(kind == "histogram" || !labels.contains("le"), "{name}");
            assert!(!labels.contains("quantile"), "{name}");
        }
    }
}
