//! What happens when modules of the libraries are imported, and which names they import from each other.
//!
//! Installers look at declared requirements only; most sets that install and do not work fail at an import. Steps:
//!
//! - [`release`]: one wheel, its modules parsed when they are reached;
//! - [`names`] and [`guard`]: conditions around imports as statements about installed packages;
//! - [`statements`]: what importing a module does, in order;
//! - [`module`]: the same with the names of the package followed, lazy loaders included;
//! - [`fold`]: one release after another folded into facts that hold for intervals.
//!
//! What is tried (`try: ... except ImportError`), what only type checkers see, and what depends on anything but installed
//! packages and their releases is left out: nothing certain follows from it.

mod fold;
mod guard;
mod module;
mod names;
mod release;
mod statements;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use self::module::Mined;
use self::release::{Archive, Linked};
use super::MineError;
use super::surface::Surface;
use crate::knowledge::{Imports, Release};

/// Wheels of one library.
#[derive(Debug, Clone)]
pub struct Library {
    /// Distribution name.
    pub package: String,
    /// One for each release, in any order.
    pub wheels: Vec<PathBuf>,
}

/// `(module, name)` that something imports; an empty name is the module itself.
type Wanted = BTreeSet<(String, String)>;

/// One release, mined.
struct MinedRelease {
    release: Release,
    modules: BTreeMap<String, Mined>,
    /// By module: the names that are wanted of it, with the modules that are loaded to get them, and whether they are
    /// functions that return tuples.
    names: BTreeMap<String, BTreeMap<String, (Vec<String>, bool)>>,
}

/// Mines the imports of libraries that import each other.
///
/// Of a library that is mined whole every module counts, of the others what the rest imports and what the surface lists as
/// `reached`.
pub fn mine_imports(libraries: &[Library]) -> Result<Vec<Imports>, MineError> {
    let (narrow, whole): (Vec<_>, Vec<_>) =
        libraries.iter().partition(|one| Surface::of(&one.package).reached().is_some());
    let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
    let mut mined: BTreeMap<&str, Vec<MinedRelease>> = BTreeMap::new();
    // What the whole ones import of each other is known only when all were read; names are cheap, so they are read twice.
    let bundled: BTreeSet<&str> = libraries.iter().map(|library| library.package.as_str()).collect();
    for library in whole.iter().chain(&narrow) {
        let releases = mine_all(library, wanted.get(&library.package), &bundled)?;
        note_wanted(libraries, &releases, &mut wanted);
        mined.insert(&library.package, releases);
    }
    for library in &whole {
        mined.insert(&library.package, mine_all(library, wanted.get(&library.package), &bundled)?);
    }
    Ok(mined.into_iter().map(|(package, releases)| fold::fold(package, releases)).collect())
}

fn note_wanted(libraries: &[Library], releases: &[MinedRelease], wanted: &mut BTreeMap<String, Wanted>) {
    for module in releases.iter().flat_map(|release| release.modules.values()) {
        let asked = module.needs.values().flatten().flat_map(|way| way.split(' '));
        let functions = asked.filter_map(|literal| literal.split_once('@')?.1.rsplit_once('.'));
        let needs = module.needs.keys().filter_map(|need| need.split_once(':'));
        for (module, name) in needs.chain(functions) {
            let root = module.split('.').next().unwrap_or(module);
            if libraries.iter().any(|library| library.package == root) {
                wanted.entry(root.to_owned()).or_default().insert((module.to_owned(), name.to_owned()));
            }
        }
    }
}

fn mine_all(
    library: &Library,
    wanted: Option<&Wanted>,
    bundled: &BTreeSet<&str>,
) -> Result<Vec<MinedRelease>, MineError> {
    let surface = Surface::of(&library.package);
    let empty = Wanted::new();
    let wanted = wanted.unwrap_or(&empty);
    let mined: Result<Vec<_>, _> =
        library.wheels.par_iter().map(|wheel| mine_one(&library.package, &surface, wanted, wheel)).collect();
    let mut mined = mined?;
    let named: BTreeSet<String> =
        mined.iter().flat_map(|one| one.release.requires.iter().map(|text| distribution(text))).collect();
    for one in &mut mined {
        let declared = one.release.requires.iter().filter(|text| !text.contains("extra =="));
        let declared: BTreeSet<String> = declared.map(|text| distribution(text)).collect();
        for module in one.modules.values_mut() {
            module.needs.retain(|need, ways| {
                let root = need.split(['.', ':']).next().unwrap_or(need);
                let name = root.replace('_', "-").to_lowercase();
                // Of other libraries those count that the library itself calls optional, or has forgotten to declare.
                if bundled.contains(root) {
                    return true;
                }
                let is_asked = ways.iter().any(|way| way.contains(&format!("{root}@")));
                // Behind a guard that is right, it is there.
                ways.retain(|way| !way.split(' ').any(|literal| names::is_about(literal, root)));
                (named.contains(&name) || is_asked)
                    && !declared.contains(&name)
                    && !names::PRESENT.contains(&root)
                    && !ways.is_empty()
            });
        }
    }
    Ok(mined)
}

/// The name in a `Requires-Dist`.
fn distribution(requirement: &str) -> String {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    requirement.chars().take_while(|letter| is_name(*letter)).collect::<String>().replace('_', "-").to_lowercase()
}

fn mine_one(package: &str, surface: &Surface, wanted: &Wanted, wheel: &Path) -> Result<MinedRelease, MineError> {
    let archive = Archive::open(package, wheel)?;
    let linked = Linked::new(&archive);
    let mut names: BTreeMap<String, BTreeMap<String, (Vec<String>, bool)>> = BTreeMap::new();
    let mut reached: Vec<String> = Vec::new();
    let roots = surface.reached().map(|names| names.iter().map(|name| (package.to_owned(), name.clone())));
    let users: Wanted = match roots {
        Some(roots) => roots.collect(),
        // Everything that a user can import of the package itself.
        None => linked.names(package).into_iter().map(|name| (package.to_owned(), name)).collect(),
    };
    for (module, name) in wanted.iter().chain(&users) {
        if linked.module(module).is_none() {
            continue;
        }
        reached.push(module.clone());
        let found = if name.is_empty() { None } else { linked.route(module, name) };
        if let Some(loads) = found {
            let is_tuple = linked.tuples(module).contains(name);
            reached.extend(loads.iter().cloned());
            names.entry(module.clone()).or_default().insert(name.clone(), (loads, is_tuple));
        }
    }
    if surface.reached().is_none() {
        reached.extend(archive.names().map(str::to_owned));
    }
    let mut modules: BTreeMap<String, Mined> = BTreeMap::new();
    while let Some(name) = reached.pop() {
        if modules.contains_key(&name) {
            continue;
        }
        let Some(mined) = module::mine(&linked, &name) else { continue };
        reached.extend(mined.loads.keys().cloned());
        reached.extend(name.rsplit_once('.').map(|(parent, _)| parent.to_owned()));
        modules.insert(name, mined);
    }
    Ok(MinedRelease { release: archive.release.clone(), modules, names })
}
