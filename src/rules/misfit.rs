//! Keyword arguments that a callable does not take in some release that the project allows, and what became of them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::RuleMeta;
use super::ask::{Call, Outcome};
use super::lower_bound_too_low;
use super::versions::{Reach, Versions, enumerate};
use crate::diagnostic::{Diagnostic, Label};
use crate::eval::{Argument, Cond};
use crate::knowledge::{Aspect, Knowledge, Package, Parameter, ReleaseSet, Takes};
use crate::lower::Releases;
use crate::model::Environment;
use crate::source::did_you_mean;

/// A class or function that gets keyword arguments, from a call, an argument file or a launch line.
pub(super) struct Receiver<'a> {
    knowledge: &'a Knowledge,
    environment: &'a Environment,
    /// Full name: `trl.DPOConfig`.
    callee: Arc<str>,
    /// The packages that have a say in what the callee takes, its own first.
    packages: Vec<Versions<'a>>,
}

/// An argument that does not fit.
#[derive(Debug, Clone)]
pub(super) struct Misfit<'a> {
    /// The package whose releases make the difference.
    pub(super) versions: Versions<'a>,
    /// Releases that lack the argument.
    pub(super) lacking: ReleaseSet,
    /// Releases that have it.
    pub(super) having: ReleaseSet,
    pub(super) fate: Fate,
}

/// What became of an argument in the release in effect, or in the newest allowed one that lacks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has another name there.
    Renamed(String),
    /// It is a field of this class, an object of which the callee gets: `trl.DPOConfig`.
    Moved(String),
    /// Older releases have it.
    Gone,
    /// Newer releases have it.
    NotYet,
    /// No known release has it; there is one of a similar name.
    Never(Option<String>),
}

impl Misfit<'_> {
    /// What is wrong with these names, in these releases.
    pub(super) fn headline(&self, callee: &str, releases: &str, names: &[&str], in_effect: usize) -> String {
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let quoted = enumerate(&quoted);
        let first = self.having.iter().next().filter(|_| names.len() == 1);
        let short = |name: &str| format!("`{}`", name.rsplit('.').next().unwrap_or(name));
        let is_own = callee.split('.').next() == Some(self.versions.package.name());
        // `DPOConfig` of trl has fields of the class of transformers from which it derives.
        let callee = format!("{} {}", short(callee), if is_own { "of" } else { "with" });
        let counted = judged(&self.versions, &self.lacking).unwrap_or(in_effect);
        let was_earlier = self.having.iter().next().is_some_and(|oldest| oldest < counted);
        match &self.fate {
            Fate::Renamed(new) if was_earlier => format!("{callee} {releases} takes `{new}`, not {quoted} any more"),
            Fate::Renamed(new) => format!("{callee} {releases} takes `{new}`, not yet {quoted}"),
            Fate::Moved(config) => format!("{callee} {releases} takes {quoted} as part of {}", short(config)),
            Fate::Gone => format!("{callee} {releases} has no {quoted} any more"),
            Fate::NotYet => match first {
                Some(first) => {
                    format!("{callee} {releases} has no {quoted}, which {} added", self.versions.release(first))
                }
                None => format!("{callee} {releases} has no {quoted} yet"),
            },
            Fate::Never(_) => format!("{callee} {releases} has no parameter {quoted}"),
        }
    }

    /// Which releases have the argument.
    pub(super) fn having_note(&self, name: &str) -> Option<String> {
        if self.having.is_empty() {
            return matches!(self.fate, Fate::Never(_)).then(|| format!("no known release has `{name}`"));
        }
        Some(format!("{} has `{name}`", self.versions.releases(&self.having)))
    }
}

impl<'a> Receiver<'a> {
    /// The callable of a full name, in what the project says about releases.
    pub(super) fn new(knowledge: &'a Knowledge, environment: &'a Environment, callee: &Arc<str>) -> Self {
        let own = callee.split('.').next().and_then(|top| knowledge.package(top));
        let own = own.map(|own| Versions::new(own, environment));
        let others = own.and_then(|own| {
            let at = Releases::new(knowledge, environment, own.package, own.in_effect()?);
            Some(at.outside_packages(callee).into_iter().map(|package| Versions::new(package, environment)))
        });
        let packages = own.into_iter().chain(others.into_iter().flatten());
        Self { knowledge, environment, callee: Arc::clone(callee), packages: packages.collect() }
    }

    /// Its full name.
    pub(super) fn callee(&self) -> &str {
        &self.callee
    }

    /// What is wrong with a keyword; `None` where every release that counts takes it, or that cannot be told.
    pub(super) fn misfit(&self, keyword: &str) -> Option<Misfit<'a>> {
        let lacks = |versions: &Versions<'a>| {
            !self.releases(versions, &versions.near(), keyword, |takes| takes == Takes::Nothing).is_empty()
        };
        let candidates: Vec<Versions<'a>> = self.packages.iter().copied().filter(lacks).collect();
        let own = *candidates.first()?;
        let having = |versions: &Versions<'a>| {
            let is_taken = |takes| matches!(takes, Takes::Parameter(_) | Takes::AnyKeyword);
            self.releases(versions, &versions.package.all(), keyword, is_taken)
        };
        let found = candidates.into_iter().map(|versions| (versions, having(&versions)));
        let (versions, having) =
            found.into_iter().find(|(_, having)| !having.is_empty()).unwrap_or((own, ReleaseSet::default()));
        let lacking = self.releases(&versions, &versions.package.all(), keyword, |takes| takes == Takes::Nothing);
        let release = judged(&versions, &lacking)?;
        let fate = self.fate(&versions, release, keyword, &having);
        Some(Misfit { versions, lacking, having, fate })
    }

    /// Whether the callee takes a keyword in the releases that are in effect, or that cannot be told.
    pub(super) fn may_take(&self, keyword: &str) -> bool {
        let own = self.packages.first();
        own.and_then(|own| Some(self.takes(own.package, own.in_effect()?, keyword))) != Some(Takes::Nothing)
    }

    /// The package that declares a keyword, and its releases in which `is` holds of it.
    pub(super) fn among(
        &self,
        keyword: &str,
        is: impl Fn(&'a Parameter) -> bool,
    ) -> Option<(Versions<'a>, ReleaseSet)> {
        let own = *self.packages.first()?;
        let declares = |release| {
            let (package, definition) = self.at(own.package, release).resolve(&self.callee)?;
            Some(package.signature(definition, release)?.parameters.contains_key(keyword))
        };
        let is_own = declares(own.in_effect()?) == Some(true);
        let packages = if is_own { &self.packages[..1] } else { &self.packages[1..] };
        let holds = |takes| matches!(takes, Takes::Parameter(parameter) if is(parameter));
        packages.iter().find_map(|versions| {
            let releases = |among: &ReleaseSet| self.releases(versions, among, keyword, holds);
            (!releases(&versions.near()).is_empty()).then(|| (*versions, releases(&versions.package.all())))
        })
    }

    /// The releases, among `among`, that do something with a keyword.
    fn releases(
        &self,
        versions: &Versions<'a>,
        among: &ReleaseSet,
        keyword: &str,
        does: impl Fn(Takes<'a>) -> bool,
    ) -> ReleaseSet {
        let package = versions.package;
        let at = self.at(package, 0);
        let asked = BTreeSet::from([keyword]);
        let alike =
            self.knowledge.alike(package, [&*self.callee], Aspect::Parameters(&asked), &|package| at.of(package));
        let mut found = ReleaseSet::default();
        for run in alike.cut(among) {
            let first = run.iter().next();
            if first.is_some_and(|release| self.at(package, release).resolve(&self.callee).is_some()) {
                if first.is_some_and(|release| does(self.takes(package, release, keyword))) {
                    found = &found | &run;
                }
            } else {
                // Where it has another place, nothing is known of changes there.
                found = &found | &run.iter().filter(|release| does(self.takes(package, *release, keyword))).collect();
            }
        }
        found
    }

    /// Whether every release that the project allows takes a new name, and an old one at most for the same.
    pub(super) fn means_the_same(&self, versions: &Versions<'a>, old: &str, new: &str) -> bool {
        let is_alias_of = |one: &Parameter, other: &str| one.alias_of.as_deref() == Some(other);
        let takes = |release, name| self.takes(versions.package, release, name);
        versions.allowed().iter().all(|release| match (takes(release, old), takes(release, new)) {
            (Takes::Parameter(former), Takes::Parameter(present)) => {
                is_alias_of(former, new) || is_alias_of(present, old)
            }
            (Takes::Nothing, Takes::Parameter(_)) => true,
            _ => false,
        })
    }

    fn at(&self, package: &'a Package, release: usize) -> Releases<'a> {
        Releases::new(self.knowledge, self.environment, package, release)
    }

    fn takes(&self, package: &'a Package, release: usize, keyword: &str) -> Takes<'a> {
        let at = self.at(package, release);
        match at.takes(&self.callee, keyword) {
            Takes::Unknown => at.takes(&self.name(at), keyword),
            known => known,
        }
    }

    /// The callee's full name in a release: it may live in another module there.
    fn name(&self, at: Releases<'a>) -> Cow<'_, str> {
        let relocated = || at.relocated(&self.callee).map(|(module, name)| Cow::Owned(format!("{module}.{name}")));
        if at.resolve(&self.callee).is_some() { None } else { relocated() }.unwrap_or(Cow::Borrowed(&*self.callee))
    }

    fn fate(&self, versions: &Versions<'a>, release: usize, keyword: &str, having: &ReleaseSet) -> Fate {
        if let Some(name) = self.other_name(versions.package, release, keyword, having) {
            Fate::Renamed(name)
        } else if let Some(config) = self.configuration(versions.package, release, keyword) {
            Fate::Moved(config)
        } else if having.iter().next().is_some_and(|oldest| oldest < release) {
            Fate::Gone
        } else if having.is_empty() {
            Fate::Never(self.similar(versions.package, release, keyword))
        } else {
            Fate::NotYet
        }
    }

    /// The name under which a release takes what other releases take under `keyword`: one is an alias of the other in some
    /// release.
    fn other_name(&self, package: &'a Package, release: usize, keyword: &str, having: &ReleaseSet) -> Option<String> {
        let is_taken = |name: &str| matches!(self.takes(package, release, name), Takes::Parameter(_));
        // What holds in one release and not in the next one says the most: the nearest releases come first.
        let mut nearest: Vec<usize> = having.iter().collect();
        nearest.sort_by_key(|one| one.abs_diff(release));
        for one in nearest {
            let at = self.at(package, one);
            let callee = self.name(at);
            if let Some(new) = at.parameter(&callee, keyword).and_then(|parameter| parameter.alias_of.as_deref()) {
                if is_taken(new) {
                    return Some(new.to_owned());
                }
                continue;
            }
            let Some(signature) = at.signature(&callee) else { continue };
            let old = signature.parameters.iter().find(|(_, known)| known.alias_of.as_deref() == Some(keyword));
            if let Some((old, _)) = old.filter(|(old, _)| is_taken(old)) {
                return Some((*old).to_owned());
            }
        }
        None
    }

    /// The class of an argument `args` that has `keyword` as a field.
    pub(super) fn configuration(&self, package: &'a Package, release: usize, keyword: &str) -> Option<String> {
        let at = self.at(package, release);
        let annotation = at.parameter(&self.callee, "args")?.annotation.as_deref()?;
        let (module, _) = self.callee.rsplit_once('.')?;
        let names = annotation.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let classes = names.filter(|name| name.starts_with(char::is_uppercase)).map(|name| format!("{module}.{name}"));
        classes.into_iter().find(|class| matches!(at.takes(class, keyword), Takes::Parameter(_)))
    }

    /// A parameter that is written almost like `keyword`.
    fn similar(&self, package: &'a Package, release: usize, keyword: &str) -> Option<String> {
        let signature = self.at(package, release).signature(&self.callee)?;
        did_you_mean(keyword, signature.parameters.keys().copied()).map(str::to_owned)
    }
}

/// The release whose parameters are of interest: the one in effect, or the newest allowed one that lacks the argument.
fn judged(versions: &Versions<'_>, lacking: &ReleaseSet) -> Option<usize> {
    let in_effect = versions.in_effect()?;
    if lacking.contains(in_effect) { Some(in_effect) } else { (lacking & &versions.allowed()).iter().next_back() }
}

/// An argument of a call that does not fit, and when.
pub(super) struct Unfit<'a> {
    pub(super) argument: &'a Argument,
    pub(super) misfit: Misfit<'a>,
    pub(super) outcome: Outcome,
    pub(super) reach: Reach,
}

impl<'a> Call<'a> {
    /// Indices of arguments that the constructor of a release does not have; none where that is not known.
    pub(crate) fn unknown_arguments(&self, release: usize) -> Vec<usize> {
        let takes = self.given_takes(release).iter().zip(self.run.arguments()).enumerate();
        let unknown = takes.filter(|(_, (takes, given))| **takes == Takes::Nothing && given.when == Cond::TRUE);
        unknown.map(|(index, _)| index).collect()
    }

    /// What a release does with each of the arguments; those by position are either too many or not looked into.
    pub(super) fn given_takes(&self, release: usize) -> &[Takes<'a>] {
        let oldest = self.alike_for_arguments().oldest(release);
        self.given_takes.get(oldest).map_or(&[], |known| known.get_or_init(|| self.find_given_takes(oldest)))
    }

    fn find_given_takes(&self, release: usize) -> Vec<Takes<'a>> {
        let arguments = self.run.arguments().iter();
        let by_position = arguments.clone().any(|argument| argument.name.is_none());
        let signature = by_position.then(|| self.signature(release)).flatten();
        let room = signature.filter(|signature| signature.complete && !signature.any_positional);
        let room = room.map_or(usize::MAX, |signature| signature.positional.len());
        let mut positional = 0;
        let takes = arguments.map(|argument| {
            if let Some(name) = argument.name.as_deref() {
                return self.takes(name, release);
            }
            positional += 1;
            if positional > room { Takes::Nothing } else { Takes::Unknown }
        });
        takes.collect()
    }

    /// The keyword arguments of the call that some release which counts does not take, as far as the package asked about makes the
    /// difference.
    pub(super) fn unfit(&self) -> &[Unfit<'a>] {
        self.unfit.get_or_init(|| self.find_unfit().unwrap_or_default())
    }

    fn find_unfit(&self) -> Option<Vec<Unfit<'a>>> {
        let in_effect = self.in_effect()?;
        let receiver = self.receiver();
        let near: Vec<&[Takes<'a>]> = self
            .alike_for_arguments()
            .cut(self.near())
            .iter()
            .filter_map(|run| Some(self.given_takes(run.iter().next()?)))
            .collect();
        let fits = |place: usize| {
            let takes =
                |taken: &&[Takes<'a>]| matches!(taken.get(place), Some(Takes::Parameter(_) | Takes::AnyKeyword));
            near.iter().all(takes)
        };
        let arguments = self.run.arguments().iter().enumerate();
        let doubtful = arguments.filter(|(place, argument)| argument.when == Cond::TRUE && !fits(*place));
        let unfit = doubtful.filter_map(|(_, argument)| {
            let misfit = receiver.misfit(argument.name.as_deref()?)?;
            if misfit.versions.package.name() != self.package.name() {
                return None;
            }
            // A call without conditions on it: the arguments are passed whenever it is reached.
            let outcome = self.when("True", &misfit.lacking);
            let reach = self.reach_in(&outcome, in_effect);
            self.versions().speaks_of(reach).then_some(Unfit { argument, misfit, outcome, reach })
        });
        Some(unfit.collect())
    }

    /// What gets the arguments of the call.
    pub(super) fn receiver(&self) -> &Receiver<'a> {
        let new = || Receiver::new(self.knowledge, &self.run.environment, &self.run.call().object.callee);
        self.receiver.get_or_init(new)
    }
}

impl Unfit<'_> {
    /// The argument's name.
    pub(super) fn name(&self) -> &str {
        self.argument.name.as_deref().unwrap_or_default()
    }
}

/// Arguments that are wrong in equally many releases, as groups to be reported together.
pub(super) fn by_reach<'u, 'a: 'u>(unfit: impl Iterator<Item = &'u Unfit<'a>>) -> Vec<Vec<&'u Unfit<'a>>> {
    let mut groups: Vec<Vec<&Unfit<'_>>> = Vec::new();
    for one in unfit {
        match groups.iter_mut().find(|group| group[0].reach == one.reach) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// One finding for arguments of one call that are wrong in the same way.
pub(super) fn report_unfit(call: &Call<'_>, meta: &RuleMeta, unfit: &[&Unfit<'_>]) -> Option<Diagnostic> {
    let (first, rest) = unfit.split_first()?;
    let lacking = unfit.iter().fold(first.misfit.lacking.clone(), |lacking, one| &lacking & &one.misfit.lacking);
    let in_effect = call.in_effect().unwrap_or_default();
    let releases = call.versions().meant(first.reach, in_effect, &lacking);
    let names: Vec<&str> = unfit.iter().map(|one| one.name()).collect();
    let message = first.misfit.headline(call.callee(), &releases, &names, in_effect);
    let primary = Label { span: first.argument.span, message: "TypeError: unexpected argument".to_owned() };
    let mut finding = call.finding(meta, first.reach, &lacking, message, primary);
    finding
        .related
        .extend(rest.iter().map(|one| Label { span: one.argument.span, message: "this one too".to_owned() }));
    finding.notes.extend(unfit.iter().filter_map(|one| one.misfit.having_note(one.name())));
    finding.follows = lower_bound_too_low::cause(call.versions(), &lacking);
    call.explain(&mut finding, &first.outcome);
    Some(finding)
}
