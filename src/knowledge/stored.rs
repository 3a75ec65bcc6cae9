//! The stored form of knowledge: what the JSON under `schemas/knowledge` looks like.
//!
//! Every `in` is a list of release intervals, both ends included: `0.7.11 - 0.27.2, 0.28.0`. An end that is left out is the
//! oldest or the newest release of the file (`0.29.0 -`), so that adding a release changes only what that release changed. A
//! fact without `in` holds wherever the thing it belongs to exists.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A fact that holds for some releases: `"in": "0.7.11 - 0.27.2, 0.28.0"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact<T> {
    /// The releases; empty: all in which its owner exists.
    #[serde(rename = "in", skip_serializing_if = "String::is_empty")]
    pub releases: String,
    /// What holds there.
    #[serde(flatten)]
    pub fact: T,
}

/// A fact as the files write it.
#[derive(Deserialize)]
struct Written<T> {
    #[serde(rename = "in", default)]
    releases: String,
    #[serde(flatten)]
    fact: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fact<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Fact<T>;

            fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
                text.write_str("a fact")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fact<T>, A::Error> {
                let Written { releases, fact } = Written::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Fact { releases, fact })
            }

            /// As `build.rs` packs it, `[releases, fact]`: members that are mixed take several times as long to sort.
            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Fact<T>, A::Error> {
                let missing = || A::Error::custom("a packed fact is a pair");
                let releases = pair.next_element()?.ok_or_else(missing)?;
                Ok(Fact { releases, fact: pair.next_element()?.ok_or_else(missing)? })
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
    /// Why it was, in the words of its maintainers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Where an importable class or function lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Full name of the definition: `trl.trainer.dpo_trainer.DPOTrainer`.
    pub at: String,
}

/// A module and its public names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Module {
    /// The releases that have the module; empty: all.
    #[serde(rename = "in", default, skip_serializing_if = "String::is_empty")]
    pub releases: String,
    /// Releases in which names may exist that no source shows (a module-level `__getattr__`); `-` for all of them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dynamic: String,
    /// Classes and functions of the package by the name they are imported by here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub definitions: BTreeMap<String, Vec<Fact<Export>>>,
    /// Releases in which any other name exists (a constant, something of another package); `-` for all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<String, String>,
}

impl Module {
    /// The module as far as one of its names is concerned.
    pub(crate) fn only(&self, name: &str) -> Self {
        let definitions = self.definitions.get_key_value(name).map(|(name, facts)| (name.clone(), facts.clone()));
        let others = self.others.get_key_value(name).map(|(name, releases)| (name.clone(), releases.clone()));
        Self {
            releases: self.releases.clone(),
            dynamic: self.dynamic.clone(),
            definitions: definitions.into_iter().collect(),
            others: others.into_iter().collect(),
        }
    }
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
    /// Whether giving it warns (a decorator says so); warnings in the body are [`Callable::warnings`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// Whether it can only be given by keyword.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keyword_only: bool,
    /// The only values, where the annotation names an enumeration of the package or the field's metadata lists them. Mined of
    /// frameworks, whose fields a user fills from a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// What each of them is in a program, where that is another word: the values of an enumeration whose names are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What a parser of a command line takes for the field, where its metadata lists it. A script or a file may say anything else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
}

/// A `raise` in a constructor or `__post_init__`, or in a function that it calls with the same values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Exception class: `ValueError`.
    pub raises: String,
    /// Its message, shortened; `{...}` stands for what is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A Python expression over the parameters. Where it holds the call cannot succeed; elsewhere it still may fail.
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

/// What a constructor hands on to that of a base class in another package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The parameter of the base class: `eval_dataset`.
    pub parameter: String,
    /// A Python expression over the constructor's own parameters; `...` is a part that is not known.
    pub value: String,
}

/// What a function returns in one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returns {
    /// When, as an expression over the parameters; `...` is a part that could not be understood. The cases are exclusive.
    pub when: String,
    /// `None`, the full name of what is called to make it (`peft.LoraConfig`), or `...`.
    pub value: String,
}

/// A class, dataclass or function.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Callable {
    /// The releases that have it; empty: all.
    #[serde(rename = "in", default, skip_serializing_if = "String::is_empty")]
    pub releases: String,
    /// What it is, by release.
    pub kind: Vec<Fact<Kind>>,
    /// Base classes by full name (an external base keeps the name it is imported by: `transformers.Trainer`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bases: Vec<Fact<Names>>,
    /// Releases in which a class takes its constructor from its bases; `-` for all of them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub inherits: String,
    /// Names of parameters that can be given by position, in order, `self` left out. Of a dataclass its own fields only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positional: Vec<Fact<Names>>,
    /// Parameters and own fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Vec<Fact<Parameter>>>,
    /// Releases in which further positional arguments are accepted (`*args`); `-` for all of them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub any_positional: String,
    /// Releases in which any other keyword is accepted (`**kwargs`); `-` for all of them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub any_keyword: String,
    /// When the constructor (a dataclass: `__post_init__`) or function raises.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Fact<Guard>>,
    /// When a model refuses what was given, before defaults are filled in: what was not given is `None`, whatever its default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Fact<Guard>>,
    /// When it warns; [`Guard::raises`] is the category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Fact<Guard>>,
    /// Attributes read from parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Fact<Read>>,
    /// What the constructor hands on to a base class of another package; what is not listed is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<Fact<Forward>>,
    /// What a function returns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Fact<Returns>>,
    /// Methods that a class of another package calls, by name; see `overridden` in `schemas/surface.json`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub methods: BTreeMap<String, Vec<Fact<Method>>>,
}

/// What a method takes, `self` left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Method {
    /// By position, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positional: Vec<String>,
    /// Only by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keyword_only: Vec<String>,
    /// Whether it takes further positional arguments.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_positional: bool,
    /// Whether it takes any other keyword.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_keyword: bool,
}

/// See [`Callable::kind`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// What it is.
    pub kind: CallableKind,
}

/// A list of names, in order.
///
/// It is kept as one text: a large dataclass lists some hundred names again for every run of releases, and to make a string of
/// each is most of the work of reading one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    #[serde(serialize_with = "listed", deserialize_with = "joined")]
    names: String,
}

impl Names {
    /// Names of Python, so that none has a space in it.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self { names: names.into_iter().collect::<Vec<_>>().join(" ") }
    }

    /// Each of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.names.split(' ').filter(|name| !name.is_empty())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

fn listed<S: Serializer>(names: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.split(' ').filter(|name| !name.is_empty()))
}

/// A list as the files write it, or the text of it as it is packed.
fn joined<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Either;

    impl<'de> Visitor<'de> for Either {
        type Value = String;

        fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
            text.write_str("a list of names")
        }

        fn visit_str<E: Error>(self, names: &str) -> Result<String, E> {
            Ok(names.to_owned())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<String, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = list.next_element::<String>()? {
                names.push(name);
            }
            Ok(names.join(" "))
        }
    }

    deserializer.deserialize_any(Either)
}
