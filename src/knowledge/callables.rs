//! The callables of a package.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::joined::{Base, Joined};
use super::pack::Packing;
use super::parts::{Parts, Table};
use super::stored::Callable;

/// Callables by full name of their definition.
#[derive(Debug)]
pub(super) enum Callables {
    /// As they are stored.
    Stored(Parts<Callable>),
    /// Joined with what was learnt.
    Joined(Joined<Callable>),
}

impl Callables {
    /// Callables that are known as a whole.
    pub(super) fn whole(callables: BTreeMap<String, Callable>) -> Self {
        Self::Stored(Parts::Whole(callables))
    }

    /// Callables that are built into the tool.
    pub(super) fn packed(table: Table) -> Self {
        Self::Stored(Parts::packed(table))
    }

    /// Callables that were learnt.
    pub(super) fn read(packing: Packing) -> Self {
        Self::Stored(Parts::read(packing))
    }

    /// All names.
    pub(super) fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Stored(parts) => parts.names(),
            Self::Joined(joined) => Box::new(joined.names()),
        }
    }

    /// The callable of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Callable> {
        match self {
            Self::Stored(parts) => parts.get(name),
            Self::Joined(joined) => joined.get(name),
        }
    }
}

impl Base<Callable> for Callables {
    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        self.names()
    }

    fn part(&self, name: &str) -> Option<Callable> {
        self.get(name).cloned()
    }
}

impl<'de> Deserialize<'de> for Callables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Parts::deserialize(deserializer).map(Self::Stored)
    }
}

impl Serialize for Callables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.names().map(|name| (name, self.get(name))))
    }
}
