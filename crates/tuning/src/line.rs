//! What became of one setting or one file, as a line a person reads.

use serde::Serialize;
use std::fmt::{self, Display, Formatter};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// A setting as its finding calls it, a file of the kernel, or a file that keeps settings.
    pub name: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Set {
        from: String,
        to: String,
    },
    /// The kernel took the value and made another one of it.
    Rounded {
        from: String,
        wanted: String,
        to: String,
    },
    /// The kernel refuses the value; the former one stands.
    Refused {
        wanted: String,
        why: String,
    },
    /// Written, or linked; takes effect when the machine starts.
    Written,
    Restored {
        to: String,
    },
    Removed,
    /// It was changed after Loge set it, and keeps that.
    Left {
        why: String,
    },
    /// What was set is no longer there, like a disk that was unplugged.
    Gone,
    Failed {
        why: String,
    },
}

impl Line {
    pub(crate) fn new(name: &str, outcome: Outcome) -> Self {
        Self { name: name.into(), outcome }
    }

    pub(crate) fn failed(name: &str, why: impl Display) -> Self {
        Self::new(name, Outcome::Failed { why: why.to_string() })
    }

    pub fn is_failure(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.outcome {
            Outcome::Set { from, to } => write!(f, "{name}: {from} → {to}"),
            Outcome::Rounded { from, wanted, to } => {
                write!(f, "{name}: {from} → {to}; the kernel rounded {wanted}")
            }
            Outcome::Refused { wanted, why } => {
                write!(f, "{name}: the kernel refuses {wanted} ({why}); left as it was")
            }
            Outcome::Written => write!(f, "{name}: written; takes effect at every start"),
            Outcome::Restored { to } => write!(f, "{name}: restored to {to}"),
            Outcome::Removed => write!(f, "{name}: removed"),
            Outcome::Left { why } => write!(f, "{name}: left as it is; {why}"),
            Outcome::Gone => write!(f, "{name}: no longer there, nothing to restore"),
            Outcome::Failed { why } => write!(f, "{name}: failed: {why}"),
        }
    }
}
