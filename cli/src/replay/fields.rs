//! What a decision prints: fields in the order in which they were put.

use seawall::core::{Instant, Ratio};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::time::Duration;

/// A value of a field. There are no floats but where a configuration has one: every value is exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Flag(bool),
    Number(u64),
    /// A number of a configuration, in the script's words.
    Decimal(serde_json::Number),
    Text(String),
    /// A duration of a configuration, which is printed once, so that a policy can take it.
    Span(Duration),
    /// A share of a configuration, likewise.
    Share(Ratio),
    List(Vec<Json>),
    Object(Fields),
}

/// An object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, Json)>);

impl From<Duration> for Json {
    fn from(duration: Duration) -> Self {
        Self::Span(duration)
    }
}

impl From<Ratio> for Json {
    fn from(share: Ratio) -> Self {
        Self::Share(share)
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u32> for Json {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Fields> for Json {
    fn from(fields: Fields) -> Self {
        Self::Object(fields)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl Fields {
    /// Puts a field, in place of one of the same name.
    pub(super) fn put(&mut self, name: &str, value: impl Into<Json>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Puts a duration twice, as `name` for people and as `name_ns`; no duration, and one without end, is null.
    pub(super) fn duration(&mut self, name: &str, duration: impl Into<Option<Duration>>) {
        let nanos = duration.into().and_then(|duration| u64::try_from(duration.as_nanos()).ok());
        let nanos = nanos.filter(|&nanos| nanos != u64::MAX);
        self.nanos(name, nanos);
    }

    /// Puts a moment twice, as `name` for people and as `name_ns`; one that never comes is null.
    pub(super) fn moment(&mut self, name: &str, moment: Instant) {
        self.nanos(name, (moment != Instant::NEVER).then_some(moment.as_nanos()));
    }

    /// Puts a number of nanoseconds twice.
    pub(super) fn nanos(&mut self, name: &str, nanos: Option<u64>) {
        self.put(name, nanos.map(text_of_nanos));
        self.put(&format!("{name}_ns"), nanos);
    }

    /// Puts a share twice, as a fraction and as `name_millionths`, rounded down.
    pub(super) fn share(&mut self, name: &str, share: Ratio) {
        self.put(name, text_of_share(share));
        self.put(&format!("{name}_millionths"), millionths(share));
    }

    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The object of this name, which is made if there is none.
    pub(super) fn object(&mut self, name: &str) -> &mut Self {
        if !matches!(self.get(name), Some(Json::Object(_))) {
            self.put(name, Self::default());
        }
        let place = self.0.iter_mut().find_map(|(known, value)| match value {
            Json::Object(fields) if known == name => Some(fields),
            _ => None,
        });
        place.expect("it is there now")
    }

    /// The fields in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Appends other fields.
    pub(super) fn extend(&mut self, others: Self) {
        for (name, value) in others.0 {
            self.put(&name, value);
        }
    }
}

/// A number of nanoseconds as a person writes it, exactly: `1.5s`, `250ms`.
pub(super) fn text_of_nanos(nanos: u64) -> String {
    let (unit, name) = match nanos {
        0 | 1_000_000_000.. => (1_000_000_000, "s"),
        1_000_000.. => (1_000_000, "ms"),
        1_000.. => (1_000, "us"),
        _ => (1, "ns"),
    };
    let (whole, part) = (nanos / unit, nanos % unit);
    if part == 0 {
        return format!("{whole}{name}");
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{part:0digits$}");
    format!("{whole}.{}{name}", fraction.trim_end_matches('0'))
}

/// A duration as a policy has it; core's longest one stands for no end.
pub(super) fn text_of_duration(duration: Duration) -> String {
    match u64::try_from(duration.as_nanos()) {
        Ok(nanos) if nanos < u64::MAX => text_of_nanos(nanos),
        Ok(_) => "forever".to_owned(),
        Err(_) if duration == Duration::MAX => "forever".to_owned(),
        Err(_) => format!("{}s {}ns", duration.as_secs(), duration.subsec_nanos()),
    }
}

/// A share as a fraction.
pub(super) fn text_of_share(share: Ratio) -> String {
    let (part, whole) = lowest_terms(share);
    format!("{part}/{whole}")
}

/// A share in millionths, rounded down.
pub(super) fn millionths(share: Ratio) -> u64 {
    u64::from(share.numerator()) * 1_000_000 / u64::from(share.denominator())
}

/// The fraction without common factors.
fn lowest_terms(share: Ratio) -> (u32, u32) {
    let (mut a, mut b) = (share.numerator(), share.denominator());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    // The denominator is not zero, so neither is the divisor.
    (share.numerator() / a, share.denominator() / a)
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Decimal(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Span(duration) => serializer.serialize_str(&text_of_duration(*duration)),
            Self::Share(share) => serializer.serialize_str(&text_of_share(*share)),
            Self::List(list) => serializer.collect_seq(list),
            Self::Object(fields) => fields.serialize(serializer),
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seawall::config::parse_duration;

    #[test]
    fn nanoseconds_are_written_exactly_and_read_back() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5us"),
            (250_000_000, "250ms"),
            (1_000_000_001, "1.000000001s"),
            (3_600_000_000_000, "3600s"),
            (u64::MAX, "18446744073.709551615s"),
        ] {
            assert_eq!(text_of_nanos(nanos), text);
            assert_eq!(parse_duration(text), Some(Duration::from_nanos(nanos)));
        }
    }

    #[test]
    fn fields_keep_their_order_and_have_one_value_each() {
        let mut fields = Fields::default();
        fields.put("z", true);
        fields.duration("a", Duration::from_millis(5));
        fields.duration("b", Duration::MAX);
        fields.duration("b", Duration::from_nanos(u64::MAX));
        fields.share("c", Ratio::percent(50));
        fields.put("z", false);
        assert_eq!(
            serde_json::to_string(&fields).unwrap(),
            r#"{"z":false,"a":"5ms","a_ns":5000000,"b":null,"b_ns":null,"c":"1/2","c_millionths":500000}"#
        );
    }
}
