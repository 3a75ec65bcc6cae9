//! Reads released wheels (or an installed copy) of a library and writes down what each release exports, accepts and rejects.
//!
//! The bundled files under `schemas/knowledge` are made here, and a user can run the same code on releases this tool has never
//! seen. Nothing of the library is executed: modules are parsed, imports followed, constructors evaluated with their
//! parameters as unknowns. One file per step:
//!
//! - [`wheel`]: the archive or folder, its metadata and its modules;
//! - [`scope`]: the names of one module, lazy imports and availability branches included;
//! - [`library`]: names followed across modules to where they are defined;
//! - [`definition`]: classes, dataclasses and functions with their parameters;
//! - [`model`]: models of pydantic and their validators;
//! - [`program`]: modules that are programs, and what their own parser takes;
//! - [`choices`]: the only values that a field takes;
//! - [`alias`]: fields that a dataclass still takes under a former name;
//! - [`held`]: classes that the fields of a class hold;
//! - [`behaviour`]: when a constructor raises or warns, what it reads, what a function returns;
//! - [`overrides`]: methods that a class of another package calls;
//! - [`unpacking`]: functions that check what a parser filled;
//! - [`forward`]: what a constructor hands on to a base class of another package;
//! - [`imports`]: what happens when modules are imported, for several libraries together;
//! - [`surface`]: which part of a large library is mined;
//! - [`combine`]: one release after another folded into facts that hold for intervals;
//! - [`cache`]: releases that were mined for a user, kept on disk;
//! - [`render`]: the text of the stored form, the same on every run.

mod alias;
mod behaviour;
mod bounds;
mod cache;
mod choices;
mod combine;
mod condition;
mod definition;
mod forward;
mod held;
mod host;
mod imports;
mod library;
mod model;
mod overrides;
mod passing;
mod program;
mod render;
mod scope;
mod surface;
mod unpacking;
mod wheel;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::knowledge::{Learnt, LoadError, Package, Parameter};

pub use cache::Cache;
pub use imports::{Library as WheelsOfLibrary, mine_imports};
pub use render::{render, render_imports};

/// Why nothing could be mined.
#[derive(Debug, thiserror::Error)]
pub enum MineError {
    /// A wheel or folder that cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The wheel.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not the library that was asked for, or says no version.
    #[error("{path}: {what}", path = path.display())]
    Content {
        /// The wheel.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The index of upload days.
    #[error("the index of releases: {0}")]
    Index(#[from] serde_json::Error),
    /// Its version is none.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// What to mine.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// Distribution name: `trl`.
    pub package: &'a str,
    /// Text of `schemas/index/<package>.json`: upload day and withdrawal by version, which no wheel knows of itself.
    pub index: Option<&'a str>,
    /// Short names of the classes and functions to keep, with those they derive from; empty: everything public.
    pub only: &'a [String],
}

/// Mines wheels, or `site-packages` folders that hold an installed copy, in any order.
pub fn mine(options: &Options<'_>, wheels: &[PathBuf]) -> Result<Package, MineError> {
    let index = options.index.map(wheel::Index::parse).transpose()?.unwrap_or_default();
    let surface =
        if options.only.is_empty() { surface::Surface::of(options.package) } else { surface::Surface::default() };
    let mined: Result<Vec<_>, _> = wheels.par_iter().map(|path| mine_one(options, &surface, &index, path)).collect();
    let is_part = !options.only.is_empty() || surface.is_configured();
    Ok(combine::combine(options.package, is_part, mined?))
}

/// Mines the release of a package in one wheel or `site-packages` folder, to be kept for this user.
pub fn learn(package: &str, path: &Path) -> Result<Learnt, MineError> {
    let (options, surface) = (Options { package, ..Options::default() }, surface::Surface::of(package));
    let wheel = wheel::read(package, &surface, path)?;
    let mark = wheel.mark.clone();
    let mined = describe(&options, &surface, &wheel::Index::default(), wheel);
    Ok(Learnt::new(&combine::combine(package, surface.is_configured(), vec![mined]), mark)?)
}

/// The name and version of the distribution in a wheel.
pub fn distribution(wheel: &Path) -> Result<(String, String), MineError> {
    wheel::distribution(wheel)
}

/// What [`Learnt::source`] is of the copy of a package that is installed in a `site-packages` folder.
pub fn installed_source(package: &str, folder: &Path) -> Result<String, MineError> {
    wheel::installed_mark(package, folder)
}

fn mine_one(
    options: &Options<'_>,
    surface: &surface::Surface,
    index: &wheel::Index,
    path: &Path,
) -> Result<combine::Mined, MineError> {
    Ok(describe(options, surface, index, wheel::read(options.package, surface, path)?))
}

fn describe(
    options: &Options<'_>,
    surface: &surface::Surface,
    index: &wheel::Index,
    wheel: wheel::Wheel,
) -> combine::Mined {
    let library = library::Library::new(&wheel.modules);
    let wanted = |full: &str, short: &str| {
        surface.keeps(full) && (options.only.is_empty() || options.only.iter().any(|one| one == short))
    };
    let mut definitions = definition::definitions(&library, surface, &wanted);
    let fields = definitions.values_mut().flat_map(|one| one.parameters.values_mut());
    if surface.is_configured() {
        fields.for_each(|one| one.words.clear());
        definitions.extend(definition::programs(&library, &wanted));
    } else {
        // A script gives what it likes to a dataclass; its own checks say what is refused.
        fields.for_each(|one| one.choices.clear());
    }
    if surface.is_passing() {
        passing::describe(&library, &mut definitions);
    }
    if surface.is_bare() {
        for definition in definitions.values_mut() {
            definition.positional.clear();
            definition.parameters.values_mut().for_each(|one| *one = Parameter::default());
        }
    }
    // A package that is mined in part is asked for its fields; conditions need the classes around them.
    if options.only.is_empty() {
        behaviour::describe(&library, surface, &mut definitions);
        overrides::describe(&library, surface, &mut definitions);
    }
    let mut release = index.complete(wheel.release);
    if surface.is_narrow() || !options.only.is_empty() {
        // What an extra needs is most of the metadata of transformers, and is for a package that is mined whole.
        release.requires.retain(|requirement| !requirement.contains("extra =="));
    }
    let is_part = !options.only.is_empty() || surface.is_configured();
    let kept = is_part.then(|| definitions.keys().cloned().collect());
    let mut exports = library.exports(kept.as_ref());
    // A parser is no name of its module that another one could import; here it is how the program is called.
    for full in definitions.keys().filter(|full| library.is_variable(full)) {
        let Some((module, parser)) = full.rsplit_once('.') else { continue };
        let names = &mut exports.entry(module.to_owned()).or_default().names;
        names.insert(parser.to_owned(), Some(full.clone()));
    }
    combine::Mined { release, exports, definitions }
}
