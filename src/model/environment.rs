//! Which releases a script will get, and how that is known.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

use crate::diagnostic::VersionScope;
use crate::knowledge::Package;
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

/// Which releases an installer is taken to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Which end of what is allowed.
    pub order: Order,
    /// Only releases up to this day count, `2025-03-01`.
    pub as_of: Option<String>,
}

/// Which end of what is allowed is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest releases, as installers do.
    #[default]
    Highest,
    /// The oldest ones.
    Lowest,
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

/// How a place in a file is written for a reader: `requirements.txt:4`.
pub type Shown<'a> = dyn Fn(Span) -> String + 'a;

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
    /// A marker or group under which it holds (`python_version < "3.9"`, `extra: rlhf`, `group: dev`), as written; several
    /// are joined by `; `.
    pub condition: Option<String>,
    /// A source other than a registry (`git+https://...`, a path): the release number says little.
    pub direct: Option<String>,
    /// Extras that are asked for, by normalised name: `peft` of `trl[peft]`.
    pub extras: BTreeSet<String>,
}

/// What is known of one package for one script.
#[derive(Debug, Clone)]
pub struct PackageFacts {
    /// Normalised distribution name.
    pub package: String,
    /// Whether the tool knows the package's releases at all.
    pub known: bool,
    /// Every declaration that governs the script, those that decide first.
    pub declarations: Vec<Declaration>,
    /// How many of [`Self::declarations`] decide; the rest is weaker or stands farther away.
    pub deciding: usize,
    /// The strongest evidence.
    pub evidence: Evidence,
    /// The known releases that the declarations allow, oldest first. Empty: the declarations contradict each other, name
    /// a release that the tool does not know, or name no release at all (a branch of a repository).
    pub allowed: Vec<Version>,
    /// The release that an install gets; `None` when nothing is allowed or the source is no registry.
    pub in_effect: Option<Version>,
    /// Why it is not the newest one allowed: `trl 0.12.2 needs transformers<4.47.0`.
    pub limits: Vec<String>,
}

/// The packages of one script: those that are declared, and those of which something is known
/// ([`Evidence::Assumed`] where nothing declares them).
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// By normalised distribution name.
    pub packages: BTreeMap<String, PackageFacts>,
    /// `requires-python` or what stands for it.
    pub python: Option<VersionSpecifiers>,
    /// Where that is written.
    pub python_places: Vec<Span>,
    /// Requirements of releases that contradict each other, so that nothing can be installed.
    pub contradiction: Vec<String>,
    /// Which releases an installer is taken to choose.
    pub choice: Choice,
    /// Whether [`Self::packages`] are all that is installed: a lock or an environment on disk governs.
    pub is_complete: bool,
}

impl Environment {
    /// What is known of a package, by normalised distribution name.
    pub fn package(&self, name: &str) -> Option<&PackageFacts> {
        self.packages.get(name)
    }

    /// The release of a package that counts, as an index into its releases; the newest one where nothing speaks of the package.
    pub fn in_effect(&self, package: &Package) -> Option<usize> {
        match self.package(package.name()) {
            None => package.matching(&VersionSpecifiers::empty()).iter().next_back(),
            Some(facts) => package.index_of(facts.in_effect.as_ref()?),
        }
    }
}

impl Declaration {
    /// The requirement in one normal form: `trl>=0.9,<1`, `trl @ git+https://...`.
    pub fn requirement(&self) -> String {
        match &self.direct {
            Some(source) => format!("{} @ {source}", self.package),
            None => format!("{}{}", self.package, self.specifiers.to_string().replace(", ", ",")),
        }
    }

    /// The one release it names, if it is a pin.
    pub fn pinned(&self) -> Option<&Version> {
        self.specifiers
            .iter()
            .find(|one| matches!(one.operator(), Operator::Equal | Operator::ExactEqual))
            .map(VersionSpecifier::version)
    }

    /// Whether it says which release is the oldest one.
    pub fn has_floor(&self) -> bool {
        let is_floor = |one: &VersionSpecifier| {
            matches!(
                one.operator(),
                Operator::GreaterThan | Operator::GreaterThanEqual | Operator::TildeEqual | Operator::EqualStar
            )
        };
        self.specifiers.iter().any(is_floor)
    }

    /// Whether it pins this release; a build of it (`+cu121`) is the same release.
    pub fn names(&self, version: &Version) -> bool {
        self.pinned().is_some_and(|pin| pin.clone().without_local() == version.clone().without_local())
    }
}

impl Origin {
    /// Its place in a file.
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::File(span) => Some(*span),
            Self::CommandLine(_) | Self::Installed(_) => None,
        }
    }

    /// The place for a reader: `requirements.txt:4`, `--target trl==0.12`, a folder.
    pub fn place(&self, shown: &Shown<'_>) -> String {
        self.place_if(Some(shown)).unwrap_or_default()
    }

    /// Without `shown`, nothing is said about a place in a file.
    fn place_if(&self, shown: Option<&Shown<'_>>) -> Option<String> {
        match self {
            Self::File(span) => shown.map(|shown| shown(*span)),
            Self::CommandLine(written) => Some(format!("--target {written}")),
            Self::Installed(folder) => Some(folder.clone()),
        }
    }
}

impl PackageFacts {
    /// The declarations that decide; empty when the release is assumed.
    pub fn deciding(&self) -> &[Declaration] {
        &self.declarations[..self.deciding.min(self.declarations.len())]
    }

    /// The extras that are asked for, those under a condition left aside.
    pub fn extras(&self) -> BTreeSet<String> {
        let always = self.deciding().iter().filter(|one| one.condition.is_none());
        always.flat_map(|one| one.extras.iter().cloned()).collect()
    }

    /// Where the deciding declaration stands, if a file has it.
    pub fn origin(&self) -> Option<Span> {
        self.deciding().iter().find_map(|declaration| declaration.origin.span())
    }

    /// Whether a range says which release is the oldest that the project means: `trl>=0.9`.
    pub fn has_floor(&self) -> bool {
        self.evidence == Evidence::Range && self.deciding().iter().any(Declaration::has_floor)
    }

    /// Whether the release in effect is one of those the tool knows.
    pub fn is_known_release(&self) -> bool {
        self.in_effect.as_ref().is_some_and(|version| self.allowed.binary_search(version).is_ok())
    }

    /// The line of a finding that speaks of this package; `affected` are the releases that behave as it says.
    pub fn scope(&self, affected: Vec<String>) -> VersionScope {
        VersionScope {
            package: self.package.clone(),
            affected,
            effect: None,
            in_effect: self.in_effect.as_ref().map(Version::to_string),
            evidence: self.evidence.as_str().to_owned(),
            origin: self.origin(),
        }
    }

    /// One line for a reader: `trl 0.12.2 (pinned in requirements.txt:4)`.
    pub fn describe(&self, shown: &Shown<'_>) -> String {
        let package = &self.package;
        match &self.in_effect {
            Some(version) => format!("{package} {version} ({})", self.reason(shown)),
            None => format!("{package} ({})", self.reason(shown)),
        }
    }

    /// The same for a reader who sees the declarations.
    pub fn describe_briefly(&self) -> String {
        let package = &self.package;
        let reason = self.reason_with(None);
        match &self.in_effect {
            Some(version) if self.deciding().is_empty() && self.limits.is_empty() => {
                format!("{package} {version} is assumed, the newest known release: no file declares {package}")
            }
            Some(version) if self.deciding().is_empty() => {
                let limits = self.limits.join(" and ");
                format!("{package} {version} is assumed: no file declares {package}, and {limits}")
            }
            Some(version) => format!("{package} {version} is in effect: {reason}"),
            None => format!("no release of {package} is certain: {reason}"),
        }
    }

    /// The declaration in a file and what is to be seen there, if it alone decides and says all: `trl 0.12.2 is pinned here`.
    pub fn at_the_declaration(&self) -> Option<(Span, String)> {
        let [only] = self.deciding() else { return None };
        let place = only.origin.span()?;
        let version = self.in_effect.as_ref().filter(|_| self.is_known_release())?;
        let package = &self.package;
        let message = match (&only.direct, only.evidence) {
            (Some(_), _) => format!("{package} {version} is asked for here"),
            (None, Evidence::Lock) if only.names(version) => format!("{package} {version} is locked here"),
            (None, _) if only.names(version) => format!("{package} {version} is pinned here"),
            (None, _) => format!("{package} {version} is the newest release that this allows"),
        };
        Some((place, message))
    }

    /// How the release in effect is known, or why there is none.
    pub fn reason(&self, shown: &Shown<'_>) -> String {
        self.reason_with(Some(shown))
    }

    /// Without `shown`, places are left out.
    fn reason_with(&self, shown: Option<&Shown<'_>>) -> String {
        let Some(first) = self.deciding().first() else {
            return match self.in_effect {
                Some(_) if self.limits.is_empty() => format!("nothing declares {}; newest known release", self.package),
                Some(_) => format!("nothing declares {}; {}", self.package, self.limits.join(", ")),
                None => format!("nothing declares {}", self.package),
            };
        };
        let Some(version) = &self.in_effect else { return self.reason_for_none(first, shown) };
        let unknown = if !self.known || self.is_known_release() { "" } else { "; not among the known releases" };
        let at = within(first, shown);
        match &first.direct {
            Some(source) if first.names(version) => format!("from {source}{at}{unknown}"),
            None if first.names(version) => match first.evidence {
                Evidence::Lock => format!("locked{at}{unknown}"),
                Evidence::Installed => format!("installed{at}{unknown}"),
                Evidence::Target => {
                    format!("asked for by {}{unknown}", first.origin.place_if(shown).unwrap_or_default())
                }
                Evidence::Assumed | Evidence::Range | Evidence::Pin => format!("pinned{at}{unknown}"),
            },
            _ => {
                let (list, several) = self.list(" and ", shown);
                let limits = self.limits.iter().fold(String::new(), |all, limit| all + "; " + limit);
                format!("newest that {list} {}{limits}", if several { "allow" } else { "allows" })
            }
        }
    }

    fn reason_for_none(&self, first: &Declaration, shown: Option<&Shown<'_>>) -> String {
        if first.direct.as_deref() == Some(".") {
            let place = first.origin.place_if(shown).map(|place| format!(", {place}"));
            return format!("the project itself{}", place.unwrap_or_default());
        }
        if let Some(source) = &first.direct {
            return format!("from {source}{}; the release cannot be told", within(first, shown));
        }
        match self.list(" and ", shown) {
            (list, _) if !self.known => format!("{list}; no release of it is known"),
            (list, true) => format!("no known release satisfies both {list}"),
            (list, false) => format!("no known release satisfies {list}"),
        }
    }

    /// The deciding declarations with their places, and whether there are several. A bare `trl` next to a range adds nothing.
    fn list(&self, separator: &str, shown: Option<&Shown<'_>>) -> (String, bool) {
        let bare = self.deciding().iter().all(|one| one.specifiers.is_empty());
        // A branch of a repository is no reason for a release.
        let speaks = |one: &&Declaration| one.direct.is_none() && (bare || !one.specifiers.is_empty());
        let mut texts: Vec<String> = Vec::new();
        for one in self.deciding().iter().filter(speaks) {
            let text = match &one.origin {
                Origin::CommandLine(_) => one.origin.place_if(shown).unwrap_or_default(),
                Origin::File(_) | Origin::Installed(_) => format!("{}{}", one.requirement(), within(one, shown)),
            };
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        (texts.join(separator), texts.len() > 1)
    }
}

/// ` in requirements.txt:4`
fn within(declaration: &Declaration, shown: Option<&Shown<'_>>) -> String {
    declaration.origin.place_if(shown).map(|place| format!(" in {place}")).unwrap_or_default()
}
