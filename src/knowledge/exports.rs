//! The modules of a package. `build.rs` cuts those that are built into the tool into pieces of neighbouring names, since most
//! questions are about one name.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::joined::{Base, Joined};
use super::pack::Packing;
use super::parts::{Parts, Table};
use super::stored::Module;

/// Stands between the name of a module and the first name of a piece of it; no module has it in its name.
pub(super) const PIECE: &str = ":";

/// Modules by name.
#[derive(Debug)]
pub(super) enum Exports {
    /// Whole, or in pieces.
    Stored(Parts<Module>),
    /// Joined with what was learnt: each name of a module by itself, `module:name`, and whole modules for those who want all names.
    Joined(Joined<Module>),
}

impl Exports {
    /// Modules that are whole.
    pub(super) fn whole(modules: BTreeMap<String, Module>) -> Self {
        Self::Stored(Parts::Whole(modules))
    }

    /// Modules that are built into the tool.
    pub(super) fn packed(table: Table) -> Self {
        Self::Stored(Parts::packed(table))
    }

    /// Modules that were learnt; none is cut.
    pub(super) fn read(packing: Packing) -> Self {
        Self::Stored(Parts::read(packing))
    }

    /// The names of all modules.
    pub(super) fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Stored(parts) => Box::new(parts.names().filter(|name| !name.contains(PIECE))),
            Self::Joined(joined) => Box::new(joined.names()),
        }
    }

    /// The piece of a module that tells about a name in it; all say the same about the module itself.
    pub(super) fn piece(&self, module: &str, name: &str) -> Option<&Module> {
        match self {
            Self::Stored(parts) => {
                let key = [module, PIECE, name].concat();
                parts.last_up_to(&key, |found| is_piece_of(module, found)).or_else(|| parts.get(module))
            }
            Self::Joined(joined) => joined.get(&[module, PIECE, name].concat()),
        }
    }

    /// All pieces of a module.
    pub(super) fn pieces(&self, module: &str) -> Box<dyn Iterator<Item = &Module> + '_> {
        match self {
            Self::Stored(parts) => {
                let module = module.to_owned();
                let names = parts.names().filter(move |part| *part == module || is_piece_of(&module, part));
                Box::new(names.filter_map(|part| parts.get(part)))
            }
            Self::Joined(joined) => Box::new(joined.get(module).into_iter()),
        }
    }
}

impl Base<Module> for Exports {
    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        self.names()
    }

    fn part(&self, name: &str) -> Option<Module> {
        if let Some((module, name)) = name.split_once(PIECE) {
            return self.piece(module, name).map(|piece| piece.only(name));
        }
        self.pieces(name).cloned().reduce(|mut whole, piece| {
            whole.definitions.extend(piece.definitions);
            whole.others.extend(piece.others);
            whole
        })
    }
}

/// Whether a part is a piece of a module other than the first.
fn is_piece_of(module: &str, part: &str) -> bool {
    part.strip_prefix(module).is_some_and(|rest| rest.starts_with(PIECE))
}

impl<'de> Deserialize<'de> for Exports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Parts::deserialize(deserializer).map(Self::Stored)
    }
}

impl Serialize for Exports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.names().map(|module| (module, self.part(module))))
    }
}
