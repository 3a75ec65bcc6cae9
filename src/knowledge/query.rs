//! Questions that can be put to a package at one release.

use std::collections::BTreeMap;

use super::stored::{Callable, CallableKind, Forward, Guard, Names, Parameter, Read, Returns};
use super::{Knowledge, Package, ReleaseSet};

/// Inheritance is followed this far; a longer chain is a cycle.
const MAX_BASES: u32 = 16;

/// Bases outside the package that add nothing to a constructor.
const BARE_BASES: [&str; 7] = [
    "abc.ABC",
    "typing.Generic",
    "typing.Protocol",
    "typing.NamedTuple",
    "typing_extensions.Protocol",
    "builtins.object",
    // Fields of a model are those that it and its other bases declare.
    "pydantic.BaseModel",
    // Methods to upload a model; it has neither a constructor nor fields.
];

/// What a dotted name is at one release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution<'a> {
    /// A class or function, by the full name of its definition.
    Definition(&'a str),
    /// It can be imported, but is no class or function of this package: a module, a constant, something of another package.
    Other,
    /// Importing it fails.
    NotExported,
    /// It cannot be told: a private name, a module no release is known to have, a package that was mined in part.
    Unknown,
}

/// What a constructor or function accepts at one release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signature<'a> {
    /// Parameters that can be given by position, in order.
    pub positional: Vec<&'a str>,
    /// All parameters and fields, inherited ones included.
    pub parameters: BTreeMap<&'a str, &'a Parameter>,
    /// Whether further positional arguments are accepted.
    pub any_positional: bool,
    /// Whether any other keyword is accepted.
    pub any_keyword: bool,
    /// Whether this is all: no base outside the known packages adds parameters.
    pub complete: bool,
    /// Those bases, by the name they are imported by: `transformers.TrainingArguments`.
    pub external: Vec<&'a str>,
}

impl Signature<'_> {
    /// Whether a keyword argument of this name raises no `TypeError`; `None` when it cannot be told.
    pub fn accepts(&self, keyword: &str) -> Option<bool> {
        if self.any_keyword || self.parameters.contains_key(keyword) {
            Some(true)
        } else if self.complete {
            Some(false)
        } else {
            None
        }
    }
}

/// A default that is another one in a later release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultChange<'a> {
    /// The parameter or field.
    pub parameter: &'a str,
    /// Python source; `None`: required.
    pub before: Option<&'a str>,
    /// The same in the later release.
    pub after: Option<&'a str>,
}

impl<'a> Signature<'a> {
    /// Parameters that both have, whose defaults differ. Text is compared: `1e-6` and `0.000001` differ.
    pub fn default_changes(&self, later: &Self) -> Vec<DefaultChange<'a>> {
        let pairs = self.parameters.iter().filter_map(|(name, old)| Some((*name, *old, *later.parameters.get(name)?)));
        let changes = pairs.map(|(parameter, old, new)| DefaultChange {
            parameter,
            before: old.default.as_deref(),
            after: new.default.as_deref(),
        });
        changes.filter(|change| change.before != change.after).collect()
    }
}

impl Parameter {
    /// The words of `Literal["a", "b"]` in the annotation. Python does not check them when an object is made; argument
    /// parsers do.
    pub fn literals(&self) -> Vec<&str> {
        let annotation = self.annotation.as_deref().unwrap_or_default();
        let mut words = Vec::new();
        for list in annotation.split("Literal[").skip(1) {
            let list = list.split(']').next().unwrap_or_default();
            words.extend(list.split(['"', '\'']).skip(1).step_by(2));
        }
        words
    }
}

impl Package {
    /// What `trl.trainer.DPOTrainer` is at a release.
    pub fn resolve(&self, dotted: &str, release: usize) -> Resolution<'_> {
        if self.module(dotted, "").is_some_and(|module| self.holds(&module.releases, release)) {
            // What a package imports from a module of the same name hides the module.
            let hiding =
                dotted.rsplit_once('.').and_then(|(path, name)| self.module(path, name)?.definitions.get(name));
            let hiding = hiding.and_then(|facts| self.at(facts, release));
            return hiding.map_or(Resolution::Other, |export| Resolution::Definition(&export.at));
        }
        let Some((path, name)) = dotted.rsplit_once('.') else { return Resolution::Unknown };
        let Some(module) = self.module(path, name).filter(|_| !name.starts_with('_')) else {
            return Resolution::Unknown;
        };
        if !self.holds(&module.releases, release) {
            return if self.is_partial() { Resolution::Unknown } else { Resolution::NotExported };
        }
        let is_in = |intervals: &str| self.is_in(intervals, release);
        if let Some(export) = module.definitions.get(name).and_then(|facts| self.at(facts, release)) {
            Resolution::Definition(&export.at)
        } else if module.others.get(name).is_some_and(|intervals| is_in(intervals)) {
            Resolution::Other
        } else if self.is_partial() || is_in(&module.dynamic) {
            Resolution::Unknown
        } else {
            Resolution::NotExported
        }
    }

    /// Whether some release defines a class or function that can be reached by this full name.
    pub fn defines(&self, dotted: &str) -> bool {
        let Some((path, name)) = dotted.rsplit_once('.') else { return false };
        self.module(path, name).is_some_and(|module| module.definitions.contains_key(name))
    }

    /// The module and name under which a release exports what other releases have under this full name; `None` where it has it
    /// there, too, or nothing of that name, or several things.
    pub fn relocated(&self, dotted: &str, release: usize) -> Option<(&str, String)> {
        let (_, name) = dotted.rsplit_once('.')?;
        if !self.defines(dotted) || self.resolve(dotted, release) != Resolution::NotExported {
            return None;
        }
        let at = |module: &str| {
            let facts = self.module(module, name).filter(|known| self.holds(&known.releases, release))?;
            let export = facts.definitions.get(name).and_then(|facts| self.at(facts, release))?;
            Some(export.at.as_str())
        };
        let places: Vec<(&str, &str)> =
            self.defining(name).into_iter().filter_map(|module| Some((module, at(module)?))).collect();
        let (_, definition) = places.first()?;
        if places.iter().any(|(_, other)| other != definition) {
            return None;
        }
        let nearest =
            places.iter().map(|(module, _)| *module).min_by_key(|module| (module.matches('.').count(), *module))?;
        Some((nearest, name.to_owned()))
    }

    /// The releases in which `name` can be imported from `module`.
    pub fn releases_exporting(&self, module: &str, name: &str) -> ReleaseSet {
        let Some(module) = self.module(module, name) else { return ReleaseSet::default() };
        let exists = if module.releases.is_empty() { self.all() } else { self.mined_in(&module.releases) };
        let definitions = module.definitions.get(name).into_iter().flatten().map(|fact| match &*fact.releases {
            "" => exists.clone(),
            intervals => self.mined_in(intervals),
        });
        let others = module.others.get(name).map(|intervals| &self.mined_in(intervals) & &exists);
        definitions.chain(others).fold(ReleaseSet::default(), |union, set| &union | &set)
    }

    /// What a definition accepts at a release, inheritance inside the package followed; `None` if it does not exist there.
    pub fn signature(&self, definition: &str, release: usize) -> Option<Signature<'_>> {
        Follow { elsewhere: &|_| None }.signature(self, definition, release, At::default())
    }

    /// When a constructor or function raises.
    pub fn guards(&self, definition: &str, release: usize) -> Vec<&Guard> {
        self.behaviour(definition, release, |callable| &callable.guards)
    }

    /// When a model refuses what was given, before defaults are filled in.
    pub fn checks_of_given(&self, definition: &str, release: usize) -> Vec<&Guard> {
        self.behaviour(definition, release, |callable| &callable.before)
    }

    /// When a constructor or function warns.
    pub fn warnings(&self, definition: &str, release: usize) -> Vec<&Guard> {
        self.behaviour(definition, release, |callable| &callable.warnings)
    }

    /// Attributes that a constructor reads from its parameters.
    pub fn reads(&self, definition: &str, release: usize) -> Vec<&Read> {
        self.behaviour(definition, release, |callable| &callable.reads)
    }

    /// What a constructor hands on to a base class of another package.
    pub fn forwards(&self, definition: &str, release: usize) -> Vec<&Forward> {
        self.behaviour(definition, release, |callable| &callable.forwards)
    }

    /// What a function returns; empty when nothing is known.
    pub fn returns(&self, definition: &str, release: usize) -> Vec<&Returns> {
        self.behaviour(definition, release, |callable| &callable.returns)
    }

    /// The callable, if it exists at a release.
    pub fn callable_at(&self, definition: &str, release: usize) -> Option<&Callable> {
        self.callable(definition).filter(|callable| self.holds(&callable.releases, release))
    }

    /// Facts of the constructor that is in effect: one that is inherited behaves as it does in the base.
    fn behaviour<'a, T>(
        &'a self,
        definition: &str,
        release: usize,
        facts: impl Fn(&'a Callable) -> &'a Vec<super::Fact<T>>,
    ) -> Vec<&'a T> {
        let mut callable = self.callable_at(definition, release);
        for _ in 0..MAX_BASES {
            let Some(current) = callable else { return Vec::new() };
            if !self.is_in(&current.inherits, release) {
                return self.all_at(facts(current), release).collect();
            }
            let mut bases = self.at(&current.bases, release).into_iter().flat_map(Names::iter);
            callable = bases.find_map(|base| self.callable_at(base, release));
        }
        Vec::new()
    }
}

/// What a callable does with a keyword argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes<'a> {
    /// It has this parameter or field.
    Parameter(&'a Parameter),
    /// It has no parameter of the name, and takes any other keyword.
    AnyKeyword,
    /// It raises `TypeError`.
    Nothing,
    /// That cannot be told.
    Unknown,
}

impl Knowledge {
    /// What a callable does with a keyword argument; `in_effect` tells the release of a package.
    pub fn takes<'a>(
        &'a self,
        package: &'a Package,
        definition: &str,
        keyword: &str,
        in_effect: &dyn Fn(&str) -> Option<usize>,
    ) -> Takes<'a> {
        let Some(release) = in_effect(package.name()) else { return Takes::Unknown };
        let elsewhere = self.elsewhere(in_effect);
        Follow { elsewhere: &elsewhere }.takes(package, definition, keyword, release, At::default())
    }

    /// The classes of other packages from which a class of `package` derives, each where it first leaves its package.
    pub fn outside_bases<'a>(
        &'a self,
        package: &'a Package,
        definition: &str,
        in_effect: &dyn Fn(&str) -> Option<usize>,
    ) -> Vec<(&'a Package, &'a str)> {
        let Some(release) = in_effect(package.name()) else { return Vec::new() };
        let elsewhere = self.elsewhere(in_effect);
        let mut found = Vec::new();
        Follow { elsewhere: &elsewhere }.leave(package, definition, release, 0, &mut found);
        found
    }

    /// Finds the package that a full name belongs to and the release of it that is in effect.
    fn elsewhere<'a>(
        &'a self,
        in_effect: &dyn Fn(&str) -> Option<usize>,
    ) -> impl Fn(&str) -> Option<(&'a Package, usize)> {
        move |dotted| {
            let root = dotted.split('.').next().unwrap_or(dotted);
            let package = self.package(&root.replace('_', "-"))?;
            Some((package, in_effect(package.name())?))
        }
    }

    /// As [`Package::signature`], with bases looked up in the other packages too. `in_effect` tells the release of a package.
    pub fn signature<'a>(
        &'a self,
        package: &'a Package,
        definition: &str,
        in_effect: &dyn Fn(&str) -> Option<usize>,
    ) -> Option<Signature<'a>> {
        let release = in_effect(package.name())?;
        let elsewhere = self.elsewhere(in_effect);
        Follow { elsewhere: &elsewhere }.signature(package, definition, release, At::default())
    }
}

/// Finds the package that a full name belongs to and the release of it that is in effect.
type Elsewhere<'a, 'f> = &'f dyn Fn(&str) -> Option<(&'a Package, usize)>;

struct Follow<'a, 'f> {
    elsewhere: Elsewhere<'a, 'f>,
}

/// Where in a hierarchy of classes a question is asked.
#[derive(Clone, Copy, Default)]
struct At {
    /// How many classes are below.
    depth: u32,
    /// Whether a class below is a dataclass: it takes over the fields of its bases, and calls no constructor of theirs.
    for_fields: bool,
}

impl At {
    fn base_of_dataclass(self) -> Self {
        Self { depth: self.depth + 1, for_fields: true }
    }

    fn base_of_class(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'a> Follow<'a, '_> {
    fn signature(&self, package: &'a Package, definition: &str, release: usize, at: At) -> Option<Signature<'a>> {
        let callable = package.callable_at(definition, release).filter(|_| at.depth < MAX_BASES)?;
        let kind = package.at(&callable.kind, release)?.kind;
        let mut bases = package.at(&callable.bases, release).into_iter().flat_map(Names::iter);
        let inherits = package.is_in(&callable.inherits, release);
        let mut signature = Signature { complete: true, ..Signature::default() };
        if kind == CallableKind::Dataclass || at.for_fields {
            // Fields of the first base win, so it comes last.
            for base in bases.rev() {
                signature.extend(self.base(package, base, release, at.base_of_dataclass()));
            }
        } else if inherits {
            let base = bases.find(|base| !BARE_BASES.contains(base));
            return Some(base.map_or(signature, |base| self.base(package, base, release, at.base_of_class())));
        }
        if kind == CallableKind::Dataclass || !at.for_fields {
            signature.extend(own(package, callable, release));
        }
        Some(signature)
    }

    fn takes(&self, package: &'a Package, definition: &str, keyword: &str, release: usize, at: At) -> Takes<'a> {
        let callable = package.callable_at(definition, release).filter(|_| at.depth < MAX_BASES);
        let Some(callable) = callable else { return Takes::Unknown };
        let is_dataclass = package.at(&callable.kind, release).is_some_and(|kind| kind.kind == CallableKind::Dataclass);
        let has_fields = is_dataclass || at.for_fields;
        let counts = is_dataclass || !at.for_fields;
        let own = callable.parameters.get(keyword).filter(|_| counts).and_then(|facts| package.at(facts, release));
        if let Some(found) = own {
            return Takes::Parameter(found);
        }
        let inherits = package.is_in(&callable.inherits, release);
        let bases = package.at(&callable.bases, release).into_iter().flat_map(Names::iter);
        let mut bases = bases.filter(|base| !BARE_BASES.contains(base));
        let next = if has_fields { at.base_of_dataclass() } else { at.base_of_class() };
        let inherited = |base: &'a str| match self.base_of(package, base, release) {
            Some((owner, base, release)) => self.takes(owner, base, keyword, release, next),
            None => Takes::Unknown,
        };
        if inherits && !has_fields {
            return bases.next().map_or(Takes::Nothing, inherited);
        }
        let any = counts && package.is_in(&callable.any_keyword, release);
        let own = if any { Takes::AnyKeyword } else { Takes::Nothing };
        if !has_fields {
            return own;
        }
        // A parameter of one base is one of the class; short of that, what is not known of one base is not known.
        bases.map(inherited).fold(own, |taken, next| match (taken, next) {
            (Takes::Parameter(_), _) => taken,
            (_, Takes::Parameter(_)) => next,
            (Takes::AnyKeyword, _) | (_, Takes::Nothing) => taken,
            (_, other) => other,
        })
    }

    fn leave(
        &self,
        package: &'a Package,
        definition: &str,
        release: usize,
        depth: u32,
        found: &mut Vec<(&'a Package, &'a str)>,
    ) {
        let Some(callable) = package.callable_at(definition, release).filter(|_| depth < MAX_BASES) else { return };
        for base in package.at(&callable.bases, release).into_iter().flat_map(Names::iter) {
            match self.base_of(package, base, release) {
                Some((owner, base, release)) if owner.name() == package.name() => {
                    self.leave(owner, base, release, depth + 1, found);
                }
                Some((owner, base, _)) => found.push((owner, base)),
                None => {}
            }
        }
    }

    /// The package, definition and release that the name of a base class leads to.
    fn base_of(&self, package: &'a Package, base: &'a str, release: usize) -> Option<(&'a Package, &'a str, usize)> {
        if package.callable_at(base, release).is_some() {
            return Some((package, base, release));
        }
        let (other, release) = (self.elsewhere)(base)?;
        let definition = match other.resolve(base, release) {
            Resolution::Definition(definition) => definition,
            _ => base,
        };
        other.callable_at(definition, release).map(|_| (other, definition, release))
    }

    fn base(&self, package: &'a Package, base: &'a str, release: usize, at: At) -> Signature<'a> {
        let found = self.base_of(package, base, release);
        let found = found.and_then(|(owner, base, release)| self.signature(owner, base, release, at));
        found.unwrap_or_else(|| {
            let adds_nothing = BARE_BASES.contains(&base);
            Signature {
                complete: adds_nothing,
                external: if adds_nothing { vec![] } else { vec![base] },
                ..Signature::default()
            }
        })
    }
}

/// What the definition itself declares.
fn own<'a>(package: &'a Package, callable: &'a Callable, release: usize) -> Signature<'a> {
    let parameters = callable.parameters.iter();
    let parameters: BTreeMap<&str, &Parameter> =
        parameters.filter_map(|(name, facts)| Some((name.as_str(), package.at(facts, release)?))).collect();
    let positional: Vec<&str> = package.at(&callable.positional, release).into_iter().flat_map(Names::iter).collect();
    // The order of fields is not written down where some are those of another package.
    let is_dataclass = package.at(&callable.kind, release).is_some_and(|kind| kind.kind == CallableKind::Dataclass);
    let is_unordered =
        is_dataclass && positional.is_empty() && parameters.values().any(|parameter| !parameter.keyword_only);
    Signature {
        positional,
        parameters,
        any_positional: is_unordered || package.is_in(&callable.any_positional, release),
        any_keyword: package.is_in(&callable.any_keyword, release),
        complete: true,
        external: Vec::new(),
    }
}

impl<'a> Signature<'a> {
    /// Adds the fields of a derived dataclass: a field that is declared again keeps its place.
    fn extend(&mut self, derived: Self) {
        let new = derived.positional.into_iter().filter(|name| !self.parameters.contains_key(name));
        self.positional.extend(new.collect::<Vec<&'a str>>());
        self.parameters.extend(derived.parameters);
        self.any_positional |= derived.any_positional;
        self.any_keyword |= derived.any_keyword;
        self.complete &= derived.complete;
        self.external.extend(derived.external);
    }
}
