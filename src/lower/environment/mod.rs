//! Which releases of which packages a script will get, and how that is known.
//!
//! Three steps. *Reading*: every declaring file becomes [`statement::Statements`], one reader per format, files that include
//! each other are joined. *Governing*: for one script and one package, the closest declarations are chosen by folder and
//! purpose ([`govern`]). *Resolving*: the strongest evidence among them is put together with the known releases
//! ([`resolve`]).

mod checkout;
mod choose;
mod collect;
mod commands;
mod conda;
mod govern;
mod inline;
mod installed;
mod kind;
mod lock;
mod marker;
mod nearest;
mod pairs;
mod pin;
mod pixi;
mod poetry;
mod pyproject;
mod requirements;
mod resolve;
mod setup_cfg;
mod setup_py;
mod solve;
mod statement;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use self::installed::installed;
pub use self::kind::is_canonical;
pub use self::marker::Pythons;
pub use self::nearest::{NoSet, Pools, nearest};
pub use self::pairs::{Pair, Pairs};
pub use self::pin::{PinError, bound_pin, raise_pin, rewrite_pin};

use self::govern::{Governed, Joined};
use self::resolve::{Resolved, resolve};
use self::statement::intersect;
use super::Request;
use crate::diagnostic::Problem;
use crate::knowledge::{Knowledge, Package};
use crate::model::{Choice, Declaration, Environment, Evidence};
use crate::source::{MemoryFileSystem, Sources};

/// Everything that a project declares about packages.
#[derive(Debug)]
pub struct Environments<'a> {
    knowledge: &'a Knowledge,
    /// What each declaring file says together with those it includes.
    joined: Vec<Joined>,
    /// Folders with a `.git` entry: nothing outside the nearest governs a script.
    repositories: BTreeSet<PathBuf>,
    /// Packages whose source the project is, and where: which release that is, no file says.
    own: Vec<(String, PathBuf)>,
    /// Frameworks whose source the project holds.
    checkouts: Vec<checkout::Checkout>,
    /// `--target` and `--python`, which hold for every script.
    given: Vec<Declaration>,
    /// Whether what `--python` names sees nothing but its own folder.
    is_isolated: bool,
    /// Which releases an installer is taken to choose.
    choice: Choice,
    /// Input that could not be read.
    problems: Vec<Problem>,
    /// Files that are included and not there, each with the folder that the including file governs.
    missing: Vec<(PathBuf, Problem)>,
}

/// The releases of an install of these requirements and a package, whatever any project says.
pub fn environment_of_targets(targets: &[String], package: &str, knowledge: &Knowledge) -> Environment {
    let (disk, sources) = (MemoryFileSystem::default(), Sources::default());
    let choice = Choice::default();
    let request = Request {
        file_system: &disk,
        sources: &sources,
        knowledge,
        files: &[],
        targets,
        python: None,
        choice: &choice,
        is_stopped: &|| false,
    };
    Environments::collect(&request).of_configuration(Path::new("config.yaml"), package)
}

impl<'a> Environments<'a> {
    /// Reads every declaring file of a request and the files they include.
    pub fn collect(request: &Request<'a>) -> Self {
        collect::collect(request)
    }

    /// Input that could not be read, as far as it matters to one of these scripts: an include that leads nowhere in a file that
    /// governs none of them changes no answer.
    pub fn problems_for(&self, scripts: &[&Path]) -> Vec<Problem> {
        let governs = |folder: &PathBuf| scripts.iter().any(|script| script.starts_with(folder));
        let missing = self.missing.iter().filter(|(folder, _)| governs(folder)).map(|(_, problem)| problem);
        let mut problems: Vec<Problem> = self.problems.iter().chain(missing).cloned().collect();
        problems.sort_unstable();
        problems.dedup();
        problems
    }

    /// Whether a folder holds a framework's source.
    pub fn has_source(&self, framework: &str, folder: &Path) -> bool {
        self.checkouts.iter().any(|one| one.package == framework && one.folder.parent() == Some(folder))
    }

    /// The packages that a script gets.
    pub fn of(&self, script: &Path) -> Environment {
        self.with(script, None)
    }

    /// The packages that a configuration gets which a framework reads: an install has the framework, declared or not.
    pub fn of_configuration(&self, path: &Path, framework: &str) -> Environment {
        self.with(path, Some(framework))
    }

    fn with(&self, script: &Path, framework: Option<&str>) -> Environment {
        let governing = govern::govern(&self.joined, &self.repositories, script);
        let python = governing.python.first().map(|_| intersect(governing.python.iter().copied()));
        let pythons = Pythons::new(python.as_ref());
        let mut resolved = BTreeMap::new();
        let given = self.given.iter().map(|one| one.package.as_str());
        let known = self.knowledge.packages().map(Package::name);
        let known = known.chain(framework);
        let names: BTreeSet<&str> = governing.packages.keys().copied().chain(given).chain(known).collect();
        for name in names {
            let mut governing = governing.of(name, &self.given);
            let checkout = self.checkouts.iter().find(|one| one.package == name && governing.is_empty());
            if let Some(checkout) = checkout {
                // Its source says which release it is, or that it is none.
                let Some(release) = &checkout.release else {
                    resolved.insert(name.to_owned(), resolve(name, &governing, &pythons, None));
                    continue;
                };
                governing.declare(release);
            }
            let is_own = self.own.iter().any(|(package, folder)| package == name && script.starts_with(folder));
            // Where nothing is declared, the project's own source counts, not a release.
            let known = self.knowledge.distribution(name).filter(|_| !is_own || !governing.is_empty());
            resolved.insert(name.to_owned(), resolve(name, &governing, &pythons, known));
        }
        let contradiction = choose::choose(self.knowledge, &mut resolved, framework, &pythons, &self.choice);
        let is_complete = self.is_complete(&governing, &resolved);
        let packages = resolved.into_iter().map(|(name, one)| (name, one.facts)).collect();
        let python_places = governing.python_places;
        Environment { packages, python, python_places, contradiction, choice: self.choice.clone(), is_complete }
    }

    /// Whether everything that is installed is known: one lock has all libraries, or the environment on disk.
    fn is_complete(&self, governing: &Governed<'_>, resolved: &BTreeMap<String, Resolved>) -> bool {
        let libraries = || {
            let declared = resolved.values().map(|one| &one.facts).filter(|facts| facts.deciding > 0);
            declared.filter(|facts| self.knowledge.is_library(&facts.package))
        };
        if libraries().all(|facts| facts.evidence == Evidence::Installed) {
            return self.is_isolated && libraries().next().is_some();
        }
        libraries().all(|facts| matches!(facts.evidence, Evidence::Lock | Evidence::Pin))
            && governing.is_complete(libraries().map(|facts| facts.package.as_str()))
    }
}
