//! The modules of a package. `build.rs` cuts those that are built into the tool into pieces of neighbouring names, since most
//! questions are about one name.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::parts::{Parts, Table};
use super::stored::Module;

/// Stands between the name of a module and the first name of a piece of it; no module has it in its name.
const PIECE: &str = ":";

/// Modules by name, whole or in pieces.
#[derive(Debug)]
pub(super) struct Exports(Parts<Module>);

impl Exports {
    /// Modules that are whole.
    pub(super) fn whole(modules: std::collections::BTreeMap<String, Module>) -> Self {
        Self(Parts::Whole(modules))
    }

    /// Modules that are built into the tool.
    pub(super) fn packed(table: &'static Table) -> Self {
        Self(Parts::packed(table))
    }

    /// The names of all modules.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.names().filter(|name| !name.contains(PIECE))
    }

    /// The piece of a module that tells about a name in it; all say the same about the module itself.
    pub(super) fn piece(&self, module: &str, name: &str) -> Option<&Module> {
        let key = [module, PIECE, name].concat();
        self.0.last_up_to(&key, |found| is_piece_of(module, found)).or_else(|| self.0.get(module))
    }

    /// All pieces of a module.
    pub(super) fn pieces(&self, module: &str) -> impl Iterator<Item = &Module> {
        let names = self.0.names().filter(move |piece| *piece == module || is_piece_of(module, piece));
        names.filter_map(|piece| self.0.get(piece))
    }
}

/// Whether a part is a piece of a module other than the first.
fn is_piece_of(module: &str, part: &str) -> bool {
    part.strip_prefix(module).is_some_and(|rest| rest.starts_with(PIECE))
}

impl<'de> Deserialize<'de> for Exports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Parts::deserialize(deserializer).map(Self)
    }
}

impl Serialize for Exports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = |module: &str| {
            self.pieces(module).cloned().reduce(|mut whole, piece| {
                whole.definitions.extend(piece.definitions);
                whole.others.extend(piece.others);
                whole
            })
        };
        serializer.collect_map(self.names().map(|module| (module, whole(module))))
    }
}
