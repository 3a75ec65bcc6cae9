//! Arguments: those that loaders take for themselves, those that fail later, and how they are said in other releases.

use serde::Deserialize;

use super::{Curated, matches};
use crate::knowledge::later::{LaterCheck, LaterChoice};

/// How an argument that a release does not take is said there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// The package whose releases count.
    pub package: String,
    /// Releases in which the new form is right, as intervals.
    pub releases: String,
    /// The short name of the callable; `None`: every one that takes the new form.
    #[serde(default)]
    pub callable: Option<String>,
    /// The argument.
    pub argument: String,
    /// The value it speaks of, as Python writes it; `None`: any.
    #[serde(default)]
    pub value: Option<String>,
    /// What to pass instead; empty: nothing, as the release does so anyway.
    pub becomes: Vec<Passed>,
    /// Whether the program does the same afterwards.
    #[serde(default)]
    pub keeps_meaning: bool,
    /// Where this was read.
    pub source: String,
}

/// An argument as it is to be passed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passed {
    /// Its name.
    pub argument: String,
    /// Its value as Python; `{value}` is that of the old argument, `{old}` what this argument was before.
    pub value: String,
    /// What `{old}` is where the call does not pass this argument.
    #[serde(default)]
    pub old: Option<String>,
}

/// Callables with `**kwargs`, which take some keywords for themselves and pass the rest on to something that refuses them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PassingOn {
    /// `*` stands for any letters inside one component. All are of one package.
    callables: Vec<String>,
    arguments: Vec<OwnArgument>,
}

/// An argument that some releases of a callable take for themselves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnArgument {
    /// Its name.
    pub argument: String,
    /// The releases that take it.
    pub releases: String,
    /// Those of them that warn about it.
    #[serde(default)]
    pub deprecated: String,
    /// What says the same in other releases.
    pub instead: Option<Instead>,
    /// Where this was read.
    pub source: String,
}

/// Another way to write an argument.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instead {
    /// The other name.
    pub argument: String,
    /// What stands for `True`, as Python; absent: the value stays as it is.
    pub value: Option<String>,
    /// What this value needs to be imported: `transformers.BitsAndBytesConfig`.
    pub import: Option<String>,
}

impl Curated {
    /// The arguments that some releases of a callable take for themselves and others pass on to something that refuses them.
    pub fn own_arguments<'a>(&'a self, callee: &'a str) -> impl Iterator<Item = &'a OwnArgument> {
        let entries = self.passing_on.iter();
        let of = move |entry: &&PassingOn| entry.callables.iter().any(|pattern| matches(pattern, callee));
        entries.filter(of).flat_map(|entry| &entry.arguments)
    }

    /// Whether [`Self::own_arguments`] has any for this callable.
    pub fn passes_arguments_on(&self, callee: &str) -> bool {
        self.own_arguments(callee).next().is_some()
    }

    /// How arguments are said in releases that do not take them.
    pub fn rewrites(&self) -> impl Iterator<Item = &Rewrite> {
        self.rewrites.iter()
    }

    /// Arguments of a callable whose value is compared with known words only later, when it is used.
    pub fn later_choices<'a>(&'a self, callee: &'a str) -> impl Iterator<Item = &'a LaterChoice> {
        self.later_choices.iter().filter(move |entry| entry.callables.iter().any(|pattern| matches(pattern, callee)))
    }

    /// Arguments of a callable whose value is checked only later, when it is used.
    pub fn later_checks<'a>(&'a self, callee: &'a str) -> impl Iterator<Item = &'a LaterCheck> {
        self.later_checks.iter().filter(move |entry| entry.callables.iter().any(|pattern| matches(pattern, callee)))
    }
}
