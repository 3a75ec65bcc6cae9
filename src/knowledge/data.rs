//! The stored form of knowledge, and the questions that can be put to it.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::OnceLock;

use pep440_rs::{Operator, Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};

use super::ReleaseSet;

/// Knowledge that cannot be read: a damaged bundled file or a user's own.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not the JSON that `schemas/knowledge.schema.json` describes.
    #[error("knowledge of {package}: {source}")]
    Json {
        /// The package.
        package: String,
        /// What and where.
        source: serde_json::Error,
    },
    /// A version or an interval that is none.
    #[error("knowledge of {package}: {what}")]
    Content {
        /// The package.
        package: String,
        /// What is wrong.
        what: String,
    },
}

/// A fact that holds for some releases: `"in": "0.7.11 - 0.27.2, 0.28.0"`, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact<T> {
    /// The releases as intervals; see [`Package::releases_in`].
    #[serde(rename = "in")]
    pub releases: String,
    /// What holds there.
    #[serde(flatten)]
    pub fact: T,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// PEP 440 version.
    pub version: String,
    /// Day of the upload, `2024-11-29`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// `Requires-Python`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires_python: Option<String>,
    /// `Requires-Dist`, as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// Whether the release was withdrawn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yanked: bool,
}

/// Where an importable name lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Full name of the definition (`trl.trainer.dpo_trainer.DPOTrainer`); absent when it is no class or function of the
    /// package, or is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// What a callable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallableKind {
    /// A class with a constructor of its own or inherited.
    Class,
    /// A dataclass: the parameters are its fields.
    Dataclass,
    /// A function.
    Function,
}

/// A parameter or a dataclass field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The default as Python source; absent when it is required. `field(default=X)` is stored as `X`, a
    /// `default_factory` as the call of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The annotation as Python source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation: Option<String>,
    /// The name it stands for, when it is a deprecated alias (a decorator renames it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_of: Option<String>,
    /// Whether it can only be given by keyword.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keyword_only: bool,
}

/// A `raise` in a constructor or `__post_init__`, or in a function that it calls with the same values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Exception class: `ValueError`.
    pub raises: String,
    /// Its message, shortened; `{...}` stands for what is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A Python expression over the parameters; `...` is a part that could not be understood.
    pub when: String,
}

/// An attribute that a constructor reads from one of its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// `args.model_init_kwargs`.
    pub path: String,
    /// When, as in [`Guard::when`].
    pub when: String,
}

/// What a function returns in one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returns {
    /// When, as in [`Guard::when`]. The cases are exclusive.
    pub when: String,
    /// `None`, the full name of what is called to make it (`peft.LoraConfig`), or `...`.
    pub value: String,
}

/// A class, dataclass or function.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Callable {
    /// What it is, by release.
    pub kind: Vec<Fact<Kind>>,
    /// Base classes by full name (an external base keeps the name it is imported by: `transformers.Trainer`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bases: Vec<Fact<Names>>,
    /// Names of parameters that can be given by position, in order, `self` left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positional: Vec<Fact<Names>>,
    /// Parameters and own fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Vec<Fact<Parameter>>>,
    /// Releases in which any other keyword is accepted (`**kwargs`), as intervals.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub any_keyword: String,
    /// Guards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Fact<Guard>>,
    /// Attributes read from parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Fact<Read>>,
    /// What a function returns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Fact<Returns>>,
}

/// See [`Callable::kind`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// What it is.
    pub kind: CallableKind,
}

/// A list of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// In order.
    pub names: Vec<String>,
}

/// Everything known of one library. The stored form is the JSON of this type.
#[derive(Debug, Serialize, Deserialize)]
pub struct Package {
    /// Normalised distribution name, `trl`.
    pub package: String,
    /// Releases, oldest first.
    pub releases: Vec<Release>,
    /// Importable names by module: `exports["trl.trainer"]["DPOConfig"]`.
    pub exports: BTreeMap<String, BTreeMap<String, Vec<Fact<Export>>>>,
    /// Callables by full name of their definition.
    pub callables: BTreeMap<String, Callable>,
    #[serde(skip)]
    versions: OnceLock<Vec<Version>>,
}

impl Package {
    /// A package from its parts.
    pub fn new(
        package: String,
        releases: Vec<Release>,
        exports: BTreeMap<String, BTreeMap<String, Vec<Fact<Export>>>>,
        callables: BTreeMap<String, Callable>,
    ) -> Self {
        Self { package, releases, exports, callables, versions: OnceLock::new() }
    }

    /// Reads the stored form.
    pub fn load(package: &str, json: &str) -> Result<Self, LoadError> {
        let loaded: Self =
            serde_json::from_str(json).map_err(|source| LoadError::Json { package: package.to_owned(), source })?;
        for release in &loaded.releases {
            Version::from_str(&release.version)
                .map_err(|error| LoadError::Content { package: package.to_owned(), what: error.to_string() })?;
        }
        Ok(loaded)
    }

    /// The versions, oldest first, parallel to [`Self::releases`].
    pub fn versions(&self) -> &[Version] {
        self.versions.get_or_init(|| {
            self.releases.iter().filter_map(|release| Version::from_str(&release.version).ok()).collect()
        })
    }

    /// All releases.
    pub fn all(&self) -> ReleaseSet {
        (0..self.releases.len()).collect()
    }

    /// The place of a version in the list of releases.
    pub fn index_of(&self, version: &Version) -> Option<usize> {
        self.versions().binary_search(version).ok()
    }

    /// The releases that specifiers allow, pre-releases and yanked ones included only when pinned.
    pub fn matching(&self, specifiers: &VersionSpecifiers) -> ReleaseSet {
        self.versions()
            .iter()
            .enumerate()
            .filter(|(index, version)| {
                specifiers.contains(version)
                    && (!(version.any_prerelease() || self.releases[*index].yanked)
                        || specifiers
                            .iter()
                            .any(|one| matches!(one.operator(), Operator::Equal | Operator::ExactEqual)))
            })
            .map(|(index, _)| index)
            .collect()
    }

    /// The releases of an interval text: `0.7.11 - 0.27.2, 0.28.0`; both ends included, unknown ends are widened to the
    /// nearest known release inside.
    pub fn releases_in(&self, intervals: &str) -> ReleaseSet {
        let mut set = ReleaseSet::default();
        for interval in intervals.split(", ").filter(|text| !text.is_empty()) {
            let (first, last) = interval.split_once(" - ").unwrap_or((interval, interval));
            let (Ok(first), Ok(last)) = (Version::from_str(first), Version::from_str(last)) else { continue };
            let from = self.versions().partition_point(|version| *version < first);
            let to = self.versions().partition_point(|version| *version <= last);
            (from..to).for_each(|index| set.insert(index));
        }
        set
    }

    /// The inverse of [`Self::releases_in`].
    pub fn intervals(&self, set: &ReleaseSet) -> Vec<String> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for index in set.iter() {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == index => *last = index,
                _ => runs.push((index, index)),
            }
        }
        let name = |index: usize| self.releases[index].version.as_str();
        runs.into_iter()
            .map(
                |(first, last)| {
                    if first == last { name(first).to_owned() } else { format!("{} - {}", name(first), name(last)) }
                },
            )
            .collect()
    }

    /// The fact of a list that holds at a release.
    pub fn at<'a, T>(&self, facts: &'a [Fact<T>], release: usize) -> Option<&'a T> {
        facts.iter().find(|fact| self.releases_in(&fact.releases).contains(release)).map(|fact| &fact.fact)
    }
}

/// The bundled packages.
#[derive(Debug, Default)]
pub struct Knowledge {
    packages: BTreeMap<String, Package>,
}

impl Knowledge {
    /// Knowledge made of these packages.
    pub fn new(packages: impl IntoIterator<Item = Package>) -> Self {
        Self { packages: packages.into_iter().map(|package| (package.package.clone(), package)).collect() }
    }

    /// What is known of a package, by normalised distribution name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.get(name)
    }
}
