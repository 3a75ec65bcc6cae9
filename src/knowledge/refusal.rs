//! Why an import fails, in words.

use std::fmt;

use super::closure::{Reason, Refusal};

impl Refusal {
    /// Whether it is about the known libraries alone: what of the distributions around is there depends on the day and on what else
    /// is declared.
    pub fn is_certain(&self) -> bool {
        !matches!(self.reason, Reason::Clash { .. } | Reason::Missing { misled: None, .. })
    }

    /// Whether a distribution is missing that no known library says it needs.
    pub fn is_about_others(&self) -> bool {
        matches!(self.reason, Reason::Missing { misled: None, .. })
    }

    /// Whether everything can be imported, and the training fails.
    pub fn is_in_training(&self) -> bool {
        matches!(self.reason, Reason::Called { .. })
    }

    /// Whether it is the same failure, whatever release of the other library it is about.
    pub fn is_like(&self, other: &Self) -> bool {
        let is_same = match (&self.reason, &other.reason) {
            (Reason::Name { module, name, .. }, Reason::Name { module: other, name: same, .. }) => {
                (module, name) == (other, same)
            }
            (Reason::Module { module, .. }, Reason::Module { module: other, .. }) => module == other,
            (Reason::Version { package, required, .. }, Reason::Version { package: other, required: same, .. }) => {
                (package, required) == (other, same)
            }
            (Reason::Called { called, .. }, Reason::Called { called: same, .. }) => called == same,
            (left, right) => left == right,
        };
        is_same && (&self.package, &self.release, &self.module) == (&other.package, &other.release, &other.module)
    }
}

/// `trl 0.13.0 imports X from transformers.y, which transformers 5.3.0 does not have (in trl.trainer.utils)`
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.package, self.release)?;
        match &self.reason {
            Reason::Name { package, release, module, name } => {
                write!(f, "imports `{name}` from `{module}`, which {package} {release} does not have there")?;
            }
            Reason::Module { package, release, module } => {
                write!(f, "imports `{module}`, which {package} {release} does not have")?;
            }
            Reason::Missing { package, misled: None } => write!(f, "imports {package}, which is not installed")?,
            Reason::Missing { package, misled: Some(function) } => {
                write!(
                    f,
                    "imports {package}, which is not installed: `{function}` returns a tuple, which is always true"
                )?;
            }
            Reason::Version { package, release, required } => {
                write!(
                    f,
                    "requires {package}{required} when it is imported, and {package} {release} would be installed"
                )?;
            }
            Reason::Clash { message } => write!(f, "cannot be imported: {message}")?,
            Reason::Called { package, release, defined, called } => {
                write!(f, "defines `{defined}`, which {package} {release} calls as `{called}`")?;
            }
            Reason::Refuses => write!(f, "refuses to be imported next to these releases")?,
        }
        write!(f, " (in `{}`)", self.module)
    }
}
