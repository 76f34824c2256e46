//! Whether the demonstration showed what it claims.

use super::PassSummary;
use serde::Serialize;
use std::fmt;

/// The verdict, with the reason for a bad one.
///
/// The demonstration claims three things of its protected pass: the books balance, the breaker opened while the link
/// was bad, and it is closed at the end. A policy whose breaker never opens is not wrong, but nothing was shown, so that
/// run does not pass either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "reason")]
pub(crate) enum Verdict {
    Passed,
    Failed(String),
}

impl Verdict {
    /// Judges the passes; the unprotected one must only have kept its books.
    pub(crate) fn of(protected: &PassSummary, unprotected: Option<&PassSummary>) -> Self {
        if let Some(problem) = protected.audit.problems().first() {
            return Self::Failed(format!("the books do not balance: {problem}"));
        }
        if let Some(problem) = unprotected.and_then(|pass| pass.audit.problems().into_iter().next()) {
            return Self::Failed(format!("the books of the unprotected pass do not balance: {problem}"));
        }
        if protected.openings == 0 {
            return Self::Failed("the breaker never opened: this policy had no reason to".to_owned());
        }
        if protected.heal_to_closed_ms.is_none() {
            return Self::Failed("the breaker did not close after the link had healed".to_owned());
        }
        Self::Passed
    }

    /// Whether the verdict is a good one.
    pub(crate) const fn passed(&self) -> bool {
        matches!(self, Self::Passed)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.pad("The books balance, and the breaker opened and closed again."),
            Self::Failed(reason) => f.pad(reason),
        }
    }
}
