//! Policy files: the one that is built in, and those of a user.

use seawall::config::{Invalid, Policies, PolicyFile};
use seawall::dwcp::TransportConfig;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The policy of the demonstration, so that an installed program works anywhere.
const DEMO: &str = include_str!("../../policies/demo.toml");
/// What stands for the built-in policy in place of a path.
pub(crate) const BUILT_IN: &str = "demo";

/// A policy file that cannot be used.
#[derive(Debug)]
pub(crate) enum PolicyError {
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It says something that cannot be.
    Invalid(PathBuf, Invalid),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Invalid(path, error) => {
                let problems = error.problems().join("; ");
                write!(f, "{}: {problems}", path.display())
            }
        }
    }
}

impl std::error::Error for PolicyError {}

/// Reads a policy file; [`BUILT_IN`] stands for the demonstration's, and none for the presets.
pub(crate) fn read(path: Option<&Path>) -> Result<(Policies, TransportConfig), PolicyError> {
    let Some(path) = path else { return Ok((Policies::default(), TransportConfig::default())) };
    let text = if path == Path::new(BUILT_IN) {
        DEMO.to_owned()
    } else {
        std::fs::read_to_string(path).map_err(|error| PolicyError::Unreadable(path.to_owned(), error))?
    };
    let file: PolicyFile = text.parse().map_err(|error| PolicyError::Invalid(path.to_owned(), error))?;
    Ok((file.policies, file.transport))
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, read};
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn the_built_in_policy_is_valid_and_quick() {
        let (policies, transport) = read(Some(Path::new(BUILT_IN))).unwrap();
        assert!(policies.send.idempotent);
        assert_eq!(policies.send.policy.timeout_config().limit(), Duration::from_millis(300));
        assert_eq!(policies.send.policy.retry_config().max_attempts(), 3);
        assert!(policies.send.policy.circuit_breaker_config().is_some());
        assert_eq!(transport.reconnect_max, Duration::from_millis(50));
    }

    #[test]
    fn without_a_file_the_presets_hold() {
        let (policies, transport) = read(None).unwrap();
        assert_eq!(policies, seawall::config::Policies::default());
        assert_eq!(transport, seawall::dwcp::TransportConfig::default());
    }

    #[test]
    fn a_bad_file_is_named_with_what_is_wrong_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.toml");
        let error = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let error = read(Some(&path)).unwrap_err().to_string();
            error.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
        };
        assert!(error("[send]\ncolor = 1\n").contains("color"));
        assert!(error("[send]\ntimeout = \"-1s\"\n").contains("send.timeout"));
        assert_eq!(
            error("[send]\ntimeout = \"0s\"\ndeadline = \"0s\"\n")
                .matches("must be greater than zero")
                .count(),
            2
        );
        let missing = directory.path().join("missing.toml");
        assert!(read(Some(&missing)).unwrap_err().to_string().starts_with(&missing.display().to_string()));
    }
}
