//! Which releases a script will get, and how that is known.

use std::collections::BTreeMap;

use pep440_rs::{Version, VersionSpecifiers};

use crate::source::Span;

/// How a version is known. Ordered: later beats earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Evidence {
    /// Nothing is declared; the newest release is assumed.
    Assumed,
    /// A range: `trl>=0.9`.
    Range,
    /// Exactly one release: `trl==0.9.6`.
    Pin,
    /// A lock file.
    Lock,
    /// An installed distribution (`--python`).
    Installed,
    /// The user asked for it (`--target`).
    Target,
}

impl Evidence {
    /// `assumed`, `range`, `pin`, `lock`, `installed`, `target`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assumed => "assumed",
            Self::Range => "range",
            Self::Pin => "pin",
            Self::Lock => "lock",
            Self::Installed => "installed",
            Self::Target => "target",
        }
    }
}

/// Where a declaration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file of the project.
    File(Span),
    /// On the command line or in the tool's configuration (`--target trl==0.12`), as written.
    CommandLine(String),
    /// In the metadata of an installed distribution, as a path.
    Installed(String),
}

/// One statement about one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Normalised distribution name (PEP 503): `trl`.
    pub package: String,
    /// What it allows. Empty: everything.
    pub specifiers: VersionSpecifiers,
    /// How strong it is.
    pub evidence: Evidence,
    /// Where it stands.
    pub origin: Origin,
    /// A marker or group under which it holds (`python_version < "3.9"`, `extra: rlhf`, `group: dev`), as written.
    pub condition: Option<String>,
    /// A source other than a registry (`git+https://...`, a path): the release number says little.
    pub direct: Option<String>,
}

/// What is known of one package for one script.
#[derive(Debug, Clone)]
pub struct PackageFacts {
    /// Every declaration that governs the script, the strongest first.
    pub declarations: Vec<Declaration>,
    /// The strongest evidence.
    pub evidence: Evidence,
    /// The known releases that the declarations allow, oldest first. Empty: the declarations contradict each other or name
    /// a release that the tool does not know.
    pub allowed: Vec<Version>,
    /// The release that an install gets; `None` when nothing is allowed or the source is no registry.
    pub in_effect: Option<Version>,
}

/// The packages of one script. A package that nothing declares is absent.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// By normalised distribution name.
    pub packages: BTreeMap<String, PackageFacts>,
    /// `requires-python` or what stands for it.
    pub python: Option<VersionSpecifiers>,
}
