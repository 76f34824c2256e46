//! How values of the core are written.

use seawall_core::check::Status;
use seawall_core::circuit_breaker::State;
use seawall_core::degradation::Level;
use serde::{Deserialize, Serialize};

/// The names of the states that the metrics use, too.
#[derive(Serialize, Deserialize)]
#[serde(remote = "State", rename_all = "kebab-case")]
pub(super) enum StateName {
    Closed,
    HalfOpen,
    Open,
}

/// The names of the levels, as [`Level::name`] has them.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Level", rename_all = "snake_case")]
pub(super) enum LevelName {
    Normal,
    Degraded,
    SeverelyDegraded,
    Emergency,
}

/// The names of what is known of a dependency, as [`Status::name`] has them.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Status", rename_all = "snake_case")]
pub(super) enum StatusName {
    Unknown,
    Healthy,
    Unhealthy,
}

/// A duration as a number of seconds.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::stats) fn serialize<S: Serializer>(duration: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_f64(duration.as_secs_f64())
    }

    pub(in crate::stats) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// A duration as a number of seconds, if there is one.
pub(super) mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    // The shape of the function is serde's.
    #[allow(clippy::ref_option)]
    pub(in crate::stats) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(|duration| duration.as_secs_f64()).serialize(out)
    }

    pub(in crate::stats) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(from)?;
        seconds.map(Duration::try_from_secs_f64).transpose().map_err(de::Error::custom)
    }
}
