//! Whether a set of releases can be imported: every name that one needs of another is followed to where it is, or is not.
//!
//! Nothing is said on suspicion: what depends on something that is not known counts as working.

use std::collections::BTreeMap;
use std::str::FromStr;

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};
use rustc_hash::FxHashSet;

use super::imported::{Act, ModuleLines, NameLine};
use super::{ImportGraph, Knowledge, Package};
use crate::syntax::requirements::{normalize, parse_requirement_text};

/// What is installed next to the known libraries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// This release.
    Version(Version),
    /// Some release.
    Some,
    /// Surely none.
    None,
    /// It cannot be told.
    Unknown,
}

/// A set of releases.
pub struct Installed<'a> {
    knowledge: &'a Knowledge,
    /// Releases of known libraries, as indices into their lists.
    releases: BTreeMap<&'a str, usize>,
    /// What is installed besides, by normalised distribution name; of known libraries that are not in `releases`, too.
    others: &'a dyn Fn(&str) -> Presence,
}

/// What is imported: `trl:DPOTrainer`; without a name, the module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Dotted name of the module.
    pub module: String,
    /// A name in it; empty: the module itself.
    pub name: String,
    /// Whether the question is whether it can be trained with, once it is imported.
    pub trains: bool,
}

/// Whether an import works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does, as far as the known libraries are concerned.
    Works,
    /// It fails.
    Fails(Box<Refusal>),
    /// Nothing is known of what is imported.
    Unknown,
}

/// Why an import fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The library whose module asks.
    pub package: String,
    /// Its release.
    pub release: String,
    /// The module.
    pub module: String,
    /// What is the matter.
    pub reason: Reason,
}

/// What a module asks for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A name that a release of another library does not have.
    Name {
        /// The other library.
        package: String,
        /// Its release.
        release: String,
        /// Where the name is looked for.
        module: String,
        /// The name.
        name: String,
    },
    /// A module that a release of another library does not have.
    Module {
        /// The other library.
        package: String,
        /// Its release.
        release: String,
        /// The module.
        module: String,
    },
    /// A distribution that is not installed.
    Missing {
        /// The distribution.
        package: String,
        /// The function of another library that wrongly says it is: it returns a tuple, which is true.
        misled: Option<String>,
    },
    /// A release that the library refuses when it is imported.
    Version {
        /// The distribution.
        package: String,
        /// Its release.
        release: String,
        /// What is required: `<1.0,>=0.34`.
        required: String,
    },
    /// Distributions that install together and do not work together.
    Clash {
        /// What the exception says.
        message: String,
    },
    /// The module refuses this set of releases.
    Refuses,
    /// A class overrides a method that the class of another library below it calls in another way: it can be imported, and the
    /// training fails.
    Called {
        /// The other library.
        package: String,
        /// Its release.
        release: String,
        /// What the class defines: `get_batch_samples(model, batch)`.
        defined: String,
        /// How it is called.
        called: String,
    },
}

/// `Some`: it is known.
type Known = Option<bool>;

impl<'a> Installed<'a> {
    /// A set of releases of known libraries, and what is installed besides.
    pub fn new(
        knowledge: &'a Knowledge,
        releases: impl IntoIterator<Item = (&'a Package, usize)>,
        others: &'a dyn Fn(&str) -> Presence,
    ) -> Self {
        let releases = releases.into_iter().map(|(package, release)| (package.name(), release)).collect();
        Self { knowledge, releases, others }
    }

    /// Whether something can be imported.
    pub fn imports(&self, asked: &Asked) -> Verdict {
        self.imports_after(asked, &mut FxHashSet::default())
    }

    /// The same after something else: `loaded` are the modules that are there already.
    pub fn imports_after(&self, asked: &Asked, loaded: &mut FxHashSet<String>) -> Verdict {
        let root = root(&asked.module);
        let Some(at) = self.at(root) else { return Verdict::Unknown };
        let Some(module) = at.imports.module(&asked.module) else { return Verdict::Unknown };
        let found = at.found(module, &asked.name);
        if !asked.name.is_empty() && found.is_none() {
            return Verdict::Unknown;
        }
        if asked.trains {
            return self.trains(at.package, asked);
        }
        let mut walk = Walk { set: self, seen: std::mem::take(loaded) };
        let result = walk.load(&at, &asked.module).and_then(|()| walk.load_all(&at, found));
        match result {
            Ok(()) => {
                *loaded = walk.seen;
                Verdict::Works
            }
            Err(refusal) => Verdict::Fails(refusal),
        }
    }

    /// Whether a trainer can be trained with, once it is imported.
    fn trains(&self, package: &Package, asked: &Asked) -> Verdict {
        let release = |name: &str| self.releases.get(name).copied();
        let class = format!("{}.{}", asked.module, asked.name);
        let refusal = self.knowledge.misfit_override(package, &class, &release);
        refusal.map_or(Verdict::Works, |refusal| Verdict::Fails(Box::new(refusal)))
    }

    fn at(&self, package: &str) -> Option<At<'a>> {
        let imports = self.knowledge.imports(package)?;
        let package = self.knowledge.distribution(package)?;
        Some(At { package, release: *self.releases.get(package.name())?, imports })
    }

    /// The release of a distribution that is installed.
    fn version(&self, name: &str) -> Presence {
        if let Some((package, &release)) = self.knowledge.distribution(name).zip(self.releases.get(name)) {
            return package.versions().get(release).cloned().map_or(Presence::Some, Presence::Version);
        }
        (self.others)(name)
    }

    fn holds(&self, when: &str) -> Known {
        let mut all = Some(true);
        for literal in when.split(' ').filter(|literal| !literal.is_empty()) {
            match self.literal(literal) {
                Some(false) => return Some(false),
                None => all = None,
                Some(true) => {}
            }
        }
        all
    }

    fn literal(&self, literal: &str) -> Known {
        if literal == "?" {
            return None;
        }
        if let Some(positive) = literal.strip_prefix('!') {
            return self.literal(positive).map(|holds| !holds);
        }
        if let Some((package, function)) = literal.split_once('@') {
            return if self.returns_tuple(function) { Some(true) } else { self.literal(package) };
        }
        let Some(at) = literal.find(['<', '>', '=', '!']) else {
            return match self.version(&normalize(literal)) {
                Presence::Version(_) | Presence::Some => Some(true),
                Presence::None => Some(false),
                Presence::Unknown => None,
            };
        };
        match self.version(&normalize(&literal[..at])) {
            Presence::None => Some(false),
            Presence::Version(version) => compare(&version, &literal[at..]),
            Presence::Some | Presence::Unknown => None,
        }
    }

    fn returns_tuple(&self, function: &str) -> bool {
        let Some((module, name)) = function.rsplit_once('.') else { return false };
        let Some(at) = self.at(root(module)) else { return false };
        at.imports.module(module).and_then(|module| at.found(module, name)).is_some_and(|found| found.tuple)
    }
}

/// A library in its release.
#[derive(Clone, Copy)]
struct At<'a> {
    package: &'a Package,
    release: usize,
    imports: &'a ImportGraph,
}

impl<'a> At<'a> {
    fn found(&self, module: ModuleLines<'a>, name: &str) -> Option<NameLine<'a>> {
        module.names(name).find(|line| self.package.holds(line.releases, self.release))
    }

    fn refusal(&self, module: &str, reason: Reason) -> Box<Refusal> {
        let (package, release) = (self.package.name().to_owned(), self.version());
        Box::new(Refusal { package, release, module: module.to_owned(), reason })
    }

    fn version(&self) -> String {
        self.package.brief().get(self.release).map(|release| release.version.clone()).unwrap_or_default()
    }
}

struct Walk<'w, 'a> {
    set: &'w Installed<'a>,
    seen: FxHashSet<String>,
}

impl<'a> Walk<'_, 'a> {
    /// Loads a module and the packages around it, which are there if the module is.
    fn load(&mut self, at: &At<'a>, module: &str) -> Result<(), Box<Refusal>> {
        if self.seen.contains(module) {
            return Ok(());
        }
        let ends = module.match_indices('.').map(|(end, _)| end).chain([module.len()]);
        for end in ends {
            self.load_one(at, &module[..end])?;
        }
        Ok(())
    }

    fn load_all(&mut self, at: &At<'a>, found: Option<NameLine<'_>>) -> Result<(), Box<Refusal>> {
        let mut loads = found.into_iter().flat_map(|found| found.loads.split(' ')).filter(|module| !module.is_empty());
        loads.try_for_each(|module| self.load(at, module))
    }

    fn load_one(&mut self, at: &At<'a>, name: &str) -> Result<(), Box<Refusal>> {
        if self.seen.contains(name) {
            return Ok(());
        }
        self.seen.insert(name.to_owned());
        if name == at.package.name() {
            self.check(at)?;
            self.clash(at)?;
        }
        let Some(module) = at.imports.module(name) else { return Ok(()) };
        for line in module.acts() {
            if !at.package.holds(line.releases, at.release) || self.set.holds(line.when) != Some(true) {
                continue;
            }
            match line.act {
                Act::Raises => return Err(at.refusal(name, Reason::Refuses)),
                Act::Requires => self.require(at, name, line.thing)?,
                Act::Needs => self.need(at, name, line.thing, line.when)?,
                Act::Loads => self.load(at, line.thing)?,
            }
        }
        Ok(())
    }

    /// `transformers.utils:is_rich_available`
    fn need(&mut self, asking: &At<'a>, by: &str, need: &str, when: &str) -> Result<(), Box<Refusal>> {
        let (module, name) = need.split_once(':').unwrap_or((need, ""));
        let root = root(module);
        let Some(at) = self.set.at(root) else {
            if self.set.version(&normalize(root)) != Presence::None {
                return Ok(());
            }
            let misled = when.split(' ').find_map(|literal| literal.strip_prefix(root)?.strip_prefix('@'));
            let reason = Reason::Missing { package: normalize(root), misled: misled.map(str::to_owned) };
            return Err(asking.refusal(by, reason));
        };
        let Some(found) = at.imports.module(module) else { return Ok(()) };
        let (package, release) = (at.package.name().to_owned(), at.version());
        if !at.package.holds(found.releases(), at.release) {
            return Err(asking.refusal(by, Reason::Module { package, release, module: module.to_owned() }));
        }
        let target = at.found(found, name);
        // Of a module that fills itself nothing is missing.
        let is_dynamic = !found.dynamic().is_empty() && at.package.holds(found.dynamic(), at.release);
        if !name.is_empty() && target.is_none() && !is_dynamic {
            let (module, name) = (module.to_owned(), name.to_owned());
            return Err(asking.refusal(by, Reason::Name { package, release, module, name }));
        }
        self.load(&at, module)?;
        self.load_all(&at, target)
    }

    /// Whether something that a library requires cannot be imported next to what else is installed.
    fn clash(&self, at: &At<'a>) -> Result<(), Box<Refusal>> {
        for clash in self.set.knowledge.curated().neighbours().clashes() {
            let is_required =
                at.package.needs().iter().any(|need| need.name == clash.imports && need.releases.contains(at.release));
            if is_required && self.set.holds(&clash.when) == Some(true) {
                return Err(at.refusal(at.package.name(), Reason::Clash { message: clash.message.clone() }));
            }
        }
        Ok(())
    }

    /// What a library compares with its declared requirements whenever it is imported.
    fn check(&self, at: &At<'a>) -> Result<(), Box<Refusal>> {
        let checked = &at.imports.checks().checked;
        if checked.is_empty() {
            return Ok(());
        }
        let needs =
            at.package.needs().iter().filter(|need| need.marker.is_none() && need.releases.contains(at.release));
        for need in needs {
            let is_checked = checked.get(&need.name).is_some_and(|releases| at.package.holds(releases, at.release));
            if is_checked {
                self.compare(at, at.package.name(), &need.name, &need.specifiers)?;
            }
        }
        Ok(())
    }

    fn require(&self, at: &At<'a>, by: &str, requirement: &str) -> Result<(), Box<Refusal>> {
        match parse_requirement_text(requirement) {
            Some((name, specifiers)) => self.compare(at, by, &name, &specifiers),
            None => Ok(()),
        }
    }

    fn compare(&self, at: &At<'a>, by: &str, name: &str, specifiers: &VersionSpecifiers) -> Result<(), Box<Refusal>> {
        match self.set.version(name) {
            Presence::Version(version) if !specifiers.contains(&version) => {
                let required = specifiers.to_string().replace(", ", ",");
                let (package, release) = (name.to_owned(), version.to_string());
                Err(at.refusal(by, Reason::Version { package, release, required }))
            }
            _ => Ok(()),
        }
    }
}

fn root(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

/// `>=4.46`, compared as Python does, pre-releases included.
fn compare(version: &Version, comparison: &str) -> Known {
    let length = comparison.len() - comparison.trim_start_matches(['<', '>', '=', '!']).len();
    let (operator, bound) = comparison.split_at(length);
    let bound = Version::from_str(bound).ok()?;
    Some(match operator {
        "<" => *version < bound,
        "<=" => *version <= bound,
        ">" => *version > bound,
        ">=" => *version >= bound,
        "==" => VersionSpecifier::from_version(Operator::Equal, bound).ok()?.contains(version),
        "!=" => !VersionSpecifier::from_version(Operator::Equal, bound).ok()?.contains(version),
        _ => return None,
    })
}
