//! Releases that say the same: most releases change nothing about a name, and need not be asked by themselves.

use std::collections::BTreeSet;

use super::stored::{Callable, Fact, Module};
use super::{Knowledge, Package, ReleaseSet, Resolution};

/// The releases of a package, in runs that say the same about some names: what they stand for, what that accepts, and when it
/// raises or warns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    /// The first release of each run, ascending; the first of them is 0.
    starts: Vec<usize>,
}

impl Alike {
    /// The oldest release from which on nothing changes up to this one.
    pub fn oldest(&self, release: usize) -> usize {
        let after = self.starts.partition_point(|start| *start <= release);
        self.starts[..after].last().copied().unwrap_or_default()
    }

    /// A set of releases, cut into sets that say the same, oldest first.
    pub fn cut(&self, releases: &ReleaseSet) -> Vec<ReleaseSet> {
        let mut runs: Vec<(usize, ReleaseSet)> = Vec::new();
        for release in releases.iter() {
            let oldest = self.oldest(release);
            match runs.last_mut().filter(|(known, _)| *known == oldest) {
                Some((_, run)) => run.insert(release),
                None => runs.push((oldest, [release].into_iter().collect())),
            }
        }
        runs.into_iter().map(|(_, run)| run).collect()
    }
}

/// What about some callables is of interest.
#[derive(Debug, Clone, Copy)]
pub enum Aspect<'w> {
    /// Everything.
    Whole,
    /// Parameters and fields of these names.
    Parameters(&'w BTreeSet<&'w str>),
    /// Those, and which parameters can be given by position.
    Positions(&'w BTreeSet<&'w str>),
}

impl Knowledge {
    /// The runs of releases of `package` that say the same about `names`, which may be of other packages too: `in_effect` tells
    /// the release of those.
    pub fn alike<'n>(
        &self,
        package: &Package,
        names: impl IntoIterator<Item = &'n str>,
        aspect: Aspect<'_>,
        in_effect: &dyn Fn(&str) -> Option<usize>,
    ) -> Alike {
        // What was learnt about a release says nothing about its neighbours.
        let apart = package.learnt().iter().flat_map(|release| [*release, release + 1]);
        let (starts, seen) = (std::iter::once(0).chain(apart).collect(), BTreeSet::new());
        let mut walk = Walk { knowledge: self, package, aspect, in_effect, starts, seen };
        names.into_iter().for_each(|name| walk.name(name));
        Alike { starts: walk.starts.into_iter().filter(|start| *start < package.brief().len().max(1)).collect() }
    }

    /// Unpacks what is known of a name and of its bases, so that it is there when it is asked for.
    pub fn read_ahead(&self, name: &str) {
        let package = name.split('.').next().and_then(|top| self.package(top));
        let Some(package) = package else { return };
        let newest = |other: &str| self.package(other).and_then(|other| other.brief().len().checked_sub(1));
        self.alike(package, [name], Aspect::Parameters(&BTreeSet::new()), &newest);
    }
}

struct Walk<'a, 'f> {
    knowledge: &'a Knowledge,
    /// The package whose releases are told apart.
    package: &'a Package,
    aspect: Aspect<'f>,
    in_effect: &'f dyn Fn(&str) -> Option<usize>,
    starts: BTreeSet<usize>,
    /// Definitions that were walked through.
    seen: BTreeSet<String>,
}

impl Walk<'_, '_> {
    /// Whatever a full name stands for.
    fn name(&mut self, dotted: &str) {
        let top = dotted.split('.').next().unwrap_or(dotted);
        let Some(owner) = self.knowledge.package(&top.replace('_', "-")) else { return };
        if owner.name() == self.package.name() {
            let Some((path, name)) = dotted.rsplit_once('.') else { return };
            let Some(module) = owner.module(path, name) else { return };
            self.intervals(exported(module, name));
            if let Some(inner) = owner.module(dotted, "") {
                self.intervals(std::iter::once(inner.releases.as_str()));
            }
            for export in module.definitions.get(name).into_iter().flatten() {
                self.definition(owner, &export.fact.at);
            }
            // A base class may be named by its definition.
            self.definition(owner, dotted);
        } else if let Some(release) = (self.in_effect)(owner.name()) {
            let definition = match owner.resolve(dotted, release) {
                Resolution::Definition(definition) => definition,
                Resolution::Other | Resolution::NotExported | Resolution::Unknown => dotted,
            };
            self.definition(owner, definition);
        }
    }

    fn definition(&mut self, owner: &Package, definition: &str) {
        let Some(callable) = owner.callable(definition) else { return };
        if !self.seen.insert(definition.to_owned()) {
            return;
        }
        if owner.name() == self.package.name() {
            self.intervals(told(callable, self.aspect));
        }
        for base in callable.bases.iter().flat_map(|fact| fact.fact.iter()) {
            if owner.callable(base).is_some() {
                self.definition(owner, base);
            } else {
                self.name(base);
            }
        }
    }

    fn intervals<'i>(&mut self, intervals: impl Iterator<Item = &'i str>) {
        self.starts.extend(intervals.flat_map(|intervals| self.package.changes(intervals)));
    }
}

/// Every `in` that tells what a module exports under a name.
fn exported<'m>(module: &'m Module, name: &str) -> impl Iterator<Item = &'m str> {
    let plain = [module.releases.as_str(), module.dynamic.as_str()];
    let other = module.others.get(name).map(String::as_str);
    plain.into_iter().chain(other).chain(module.definitions.get(name).into_iter().flat_map(|facts| of(facts)))
}

/// Every `in` of a callable that tells about an aspect of it.
fn told<'c>(callable: &'c Callable, aspect: Aspect<'c>) -> Box<dyn Iterator<Item = &'c str> + 'c> {
    let plain = [&callable.releases, &callable.inherits, &callable.any_positional, &callable.any_keyword];
    let shape = plain.into_iter().map(String::as_str).chain(of(&callable.kind)).chain(of(&callable.bases));
    let positions = of(&callable.positional);
    let those = |names: &'c BTreeSet<&'c str>| {
        names.iter().filter_map(|name| callable.parameters.get(*name)).flat_map(|facts| of(facts))
    };
    match aspect {
        Aspect::Parameters(asked) => Box::new(shape.chain(those(asked)).chain(of(&callable.forwards))),
        Aspect::Positions(asked) => Box::new(shape.chain(positions).chain(those(asked)).chain(of(&callable.forwards))),
        Aspect::Whole => Box::new(
            shape
                .chain(positions)
                .chain(callable.parameters.values().flat_map(|facts| of(facts)))
                .chain(of(&callable.guards))
                .chain(of(&callable.before))
                .chain(of(&callable.warnings))
                .chain(of(&callable.reads))
                .chain(of(&callable.forwards))
                .chain(of(&callable.returns)),
        ),
    }
}

fn of<T>(facts: &[Fact<T>]) -> impl Iterator<Item = &str> {
    facts.iter().map(|fact| fact.releases.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each release the answers about some names, once asked of the release and once of the one that stands for it.
    fn differs(
        package: &str,
        name: &str,
        aspect: Aspect<'_>,
        answer: impl Fn(&Package, &str, usize) -> String,
    ) -> bool {
        let knowledge = Knowledge::bundled();
        let package = knowledge.package(package).expect("it is bundled");
        let alike = knowledge.alike(package, [name], aspect, &|_| None);
        let runs = alike.cut(&package.all());
        assert!(runs.len() > 1 && runs.len() < package.brief().len(), "{name}: {} runs", runs.len());
        (0..package.brief().len()).any(|release| {
            let oldest = alike.oldest(release);
            assert!(oldest <= release && alike.oldest(oldest) == oldest);
            answer(package, name, release) != answer(package, name, oldest)
        })
    }

    fn whole(package: &Package, name: &str, release: usize) -> String {
        match package.resolve(name, release) {
            Resolution::Definition(definition) => format!(
                "{:?} {:?} {:?}",
                package.signature(definition, release),
                package.guards(definition, release),
                package.warnings(definition, release),
            ),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn releases_that_are_alike_say_the_same() {
        for (package, name) in [
            ("trl", "trl.DPOTrainer"),
            ("trl", "trl.DPOConfig"),
            ("trl", "trl.trainer.SFTConfig"),
            ("peft", "peft.LoraConfig"),
            ("transformers", "transformers.TrainingArguments"),
        ] {
            assert!(!differs(package, name, Aspect::Whole, whole), "{name}");
        }
        let asked = BTreeSet::from(["beta"]);
        let aspect = Aspect::Parameters(&asked);
        let beta = |package: &Package, name: &str, release: usize| match package.resolve(name, release) {
            Resolution::Definition(definition) => {
                format!(
                    "{:?}",
                    package.signature(definition, release).map(|known| known.parameters.get("beta").copied())
                )
            }
            other => format!("{other:?}"),
        };
        assert!(!differs("trl", "trl.DPOTrainer", aspect, beta));
        assert!(differs("trl", "trl.DPOTrainer", aspect, whole), "the rest of it changes in between");
    }

    #[test]
    fn bases_of_other_packages_count() {
        let knowledge = Knowledge::bundled();
        let package = knowledge.package("transformers").expect("it is bundled");
        let trl = knowledge.package("trl").expect("it is bundled");
        let newest = |name: &str| (name == "trl").then(|| trl.brief().len() - 1);
        let of = |name: &str| knowledge.alike(package, [name], Aspect::Whole, &newest);
        assert_eq!(of("trl.DPOConfig"), of("transformers.TrainingArguments"));
        assert_eq!(of("trl.no_such_name").cut(&package.all()).len(), 1);
    }
}
