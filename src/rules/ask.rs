//! The question every rule asks: in which releases does this happen to this call, and which flag decides it?
//!
//! A condition (a mined guard, or a rule's own) speaks of the constructor's parameters. For one release it is evaluated with
//! the call's arguments bound to the parameters of that release; what is left speaks of flags and unknown things. Each way of
//! starting the script then fixes the flags.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Context;
pub(crate) use super::outcome::Outcome;
use crate::eval::{self, Assignment, Atom, Cond, Const, FlagId, FlagOwner, Root, Symbol, Tri, Value};
use crate::knowledge::{Forward, Guard, Knowledge, Package, ReleaseSet, Resolution, Signature, Takes};
use crate::lower::{ReleaseHost, Releases};
use crate::model::{LibraryCall, Variant};
use crate::source::Sources;

/// A call, ready to be asked what it does in the releases of one package.
///
/// A configuration of TRL has fields of transformers, too: what a call does depends on the releases of several packages. Each is
/// asked about by itself, with the releases of the others that are in effect.
pub struct Call<'a> {
    pub(crate) run: &'a LibraryCall,
    pub(crate) knowledge: &'a Knowledge,
    pub(super) sources: &'a Sources,
    /// The package whose releases are asked about.
    pub(crate) package: &'a Package,
    pub(super) runs: super::runs::Runs,
    near: OnceCell<ReleaseSet>,
    /// What the callee names, by release: the package that defines it, and the definition. Each is read when it is first asked for:
    /// most questions are settled by the few that the project allows.
    definitions: Vec<OnceCell<Option<(&'a Package, &'a str)>>>,
    /// By release, likewise.
    signatures: Vec<OnceCell<Option<Signature<'a>>>>,
    /// By release, likewise.
    guards: Vec<OnceCell<Vec<&'a Guard>>>,
    /// See [`Self::met`].
    met: [OnceCell<Vec<Met<'a>>>; 2],
    /// See [`Self::given_takes`]; by release, likewise.
    pub(super) given_takes: Vec<OnceCell<Vec<Takes<'a>>>>,
    /// See [`Self::raised`].
    pub(super) raised: OnceCell<Vec<super::raised::Raised<'a>>>,
    /// See [`Self::handed_on`].
    pub(super) handed_on: OnceCell<Option<Vec<&'a Forward>>>,
    pub(super) receiver: OnceCell<super::misfit::Receiver<'a>>,
    /// See [`Self::unfit`].
    pub(super) unfit: OnceCell<Vec<super::misfit::Unfit<'a>>>,
    /// See [`Self::judged`].
    pub(super) judged: OnceCell<Option<usize>>,
    /// By release and text.
    pub(super) conditions: RefCell<BTreeMap<usize, HashMap<String, Option<Cond>>>>,
    decided: RefCell<BTreeMap<(Cond, Cond, Assignment), Decision>>,
}

/// A guard that a call meets.
struct Met<'a> {
    guard: &'a Guard,
    /// The releases in which it does.
    releases: ReleaseSet,
    /// See [`Call::outcome`].
    outcome: OnceCell<Outcome>,
}

#[derive(Debug, Clone, PartialEq)]
enum Decision {
    Never,
    Certain,
    OnFlags(Cond),
    Unknown,
}

impl<'a> Call<'a> {
    /// Asks about the releases of the package that defines the callee; `None` when no known package does.
    pub(crate) fn new(run: &'a LibraryCall, context: &Context<'a>) -> Option<Self> {
        let package = context.knowledge.package(run.call().object.callee.split('.').next()?)?;
        Some(Self::about(package, run, context))
    }

    /// Asks about the releases of each package that has a say in what the call does, that of the callee first.
    pub(crate) fn about_each(run: &'a LibraryCall, context: &Context<'a>) -> Vec<Self> {
        let Some(own) = Self::new(run, context) else { return Vec::new() };
        let packages = own.in_effect().map(|release| own.releases_with(release).outside_packages(own.callee()));
        let others = packages.into_iter().flatten().map(|package| Self::about(package, run, context));
        std::iter::once(own).chain(others).collect()
    }

    fn about(package: &'a Package, run: &'a LibraryCall, context: &Context<'a>) -> Self {
        let releases = package.brief().len();
        Self {
            run,
            knowledge: context.knowledge,
            sources: context.sources,
            package,
            runs: super::runs::Runs::default(),
            near: OnceCell::new(),
            definitions: vec![OnceCell::new(); releases],
            signatures: vec![OnceCell::new(); releases],
            guards: vec![OnceCell::new(); releases],
            met: [OnceCell::new(), OnceCell::new()],
            given_takes: vec![OnceCell::new(); releases],
            raised: OnceCell::new(),
            handed_on: OnceCell::new(),
            receiver: OnceCell::new(),
            unfit: OnceCell::new(),
            judged: OnceCell::new(),
            conditions: RefCell::default(),
            decided: RefCell::default(),
        }
    }

    /// Whether the releases asked about are those of the package that defines the callee.
    pub(crate) fn is_about_callee(&self) -> bool {
        self.callee().split('.').next() == Some(self.package.name())
    }

    /// One release of the package that is asked about, with those of the others that are in effect.
    pub(crate) fn releases_with(&self, release: usize) -> Releases<'a> {
        Releases::new(self.knowledge, &self.run.environment, self.package, release)
    }

    /// The full name that was called: `trl.DPOTrainer`.
    pub(crate) fn callee(&self) -> &'a str {
        &self.run.call().object.callee
    }

    /// The callee's last component: `DPOTrainer`.
    pub(crate) fn short_name(&self) -> &'a str {
        self.callee().rsplit('.').next().unwrap_or_default()
    }

    /// The definition that the callee names in a release.
    pub(crate) fn definition(&self, release: usize) -> Option<&'a str> {
        self.resolve(release).map(|(_, definition)| definition)
    }

    /// The same with the package that defines it.
    pub(super) fn resolve(&self, release: usize) -> Option<(&'a Package, &'a str)> {
        let resolve = || self.releases_with(release).resolve(self.callee());
        *self.definitions.get(release)?.get_or_init(resolve)
    }

    /// The callee's parameters in a release.
    pub(crate) fn signature(&self, release: usize) -> Option<&Signature<'a>> {
        let oldest = self.alike().oldest(release);
        let read = || self.releases_with(oldest).signature(self.callee());
        self.signatures.get(oldest)?.get_or_init(read).as_ref()
    }

    /// What the callee does with a keyword argument in a release.
    pub(crate) fn takes(&self, keyword: &str, release: usize) -> Takes<'a> {
        let Some((package, definition)) = self.resolve(release) else { return Takes::Unknown };
        let releases = self.releases_with(release);
        self.knowledge.takes(package, definition, keyword, &|package| releases.of(package))
    }

    /// The argument that reaches a parameter in any release, by name or by position.
    pub(crate) fn argument(&self, parameter: &str) -> Option<&'a eval::Argument> {
        let arguments = self.run.arguments();
        arguments.iter().find(|argument| argument.name.as_deref() == Some(parameter)).or_else(|| {
            arguments.iter().find(|argument| argument.name.is_none())?;
            let positions = self.package.all().iter().rev().find_map(|release| {
                let signature = self.signature(release)?;
                signature.positional.iter().position(|name| *name == parameter)
            })?;
            arguments.iter().filter(|argument| argument.name.is_none()).nth(positions)
        })
    }

    /// The classes and functions of the package that is asked about which take the arguments in a release: the callee, or its bases.
    fn takers(&self, release: usize) -> Vec<&'a str> {
        if self.is_about_callee() {
            return self.definition(release).into_iter().collect();
        }
        let bases = self.releases_with(release).outside_bases(self.callee()).into_iter();
        bases.filter(|(owner, _)| owner.name() == self.package.name()).map(|(_, base)| base).collect()
    }

    /// Whether the package that is asked about declares a parameter of the callee itself, so that its releases decide on it.
    pub(super) fn declares(&self, parameter: &str, release: usize) -> bool {
        let signatures = self.takers(release).into_iter().filter_map(|taker| self.package.signature(taker, release));
        signatures.into_iter().any(|signature| signature.parameters.contains_key(parameter))
    }

    /// The guards of the constructor in a release; every rule goes through all of them.
    fn guards(&self, release: usize) -> impl Iterator<Item = &'a Guard> {
        let release = self.alike().oldest(release);
        let read = || self.takers(release).into_iter().flat_map(|taker| self.package.guards(taker, release)).collect();
        self.guards.get(release).map(|guards| guards.get_or_init(read)).into_iter().flatten().copied()
    }

    /// The warnings that the callee's own constructor certainly gives in a release.
    pub(super) fn warned(&self, release: usize) -> Vec<(&'a Guard, Outcome)> {
        let definition = self.definition(release).filter(|_| self.is_about_callee());
        let warnings = definition.into_iter().flat_map(|definition| self.package.warnings(definition, release));
        let only = [release].into_iter().collect();
        let given = warnings.map(|warning| (warning, self.when(&warning.when, &only)));
        given.filter(|(_, outcome)| !outcome.certain.is_empty()).collect()
    }

    /// See [`Versions::near`](super::versions::Versions::near).
    pub(crate) fn near(&self) -> &ReleaseSet {
        self.near.get_or_init(|| self.versions().near())
    }

    /// Releases whose guards, among those that `select` picks, stop this call.
    pub(crate) fn stopped_by(&self, select: impl Fn(&Guard) -> bool) -> (Outcome, Option<&'a Guard>) {
        let mut outcome = Outcome::default();
        let mut example = None;
        for (guard, stops) in self.stops_with(select, |_, _| true) {
            outcome.merge(stops);
            example = example.or(Some(guard));
        }
        (outcome, example)
    }

    /// The same, where no release that counts may be among them.
    pub(crate) fn stopped_anywhere(&self, select: impl Fn(&Guard) -> bool) -> Outcome {
        let mut outcome = Outcome::default();
        for met in [self.met(true), self.met(false)].into_iter().flatten().filter(|met| select(met.guard)) {
            outcome.merge(self.outcome(met).clone());
        }
        outcome
    }

    /// Every guard of the releases that count (or of those that do not), with the releases that have it and in which the call
    /// comes that far. The guards of the newest release come first.
    fn met(&self, near: bool) -> &[Met<'a>] {
        let [others, counting] = &self.met;
        let find = || {
            let releases = if near { self.near().clone() } else { &self.package.all() - self.near() };
            let mut places = BTreeMap::new();
            let mut met: Vec<Met<'a>> = Vec::new();
            for run in self.runs(&releases).iter().rev() {
                for guard in run.iter().next().into_iter().flat_map(|release| self.guards(release)) {
                    // Most guards stay the same from release to release.
                    let place = *places.entry(std::ptr::from_ref(guard)).or_insert(met.len());
                    match met.get_mut(place) {
                        Some(known) => known.releases = &known.releases | run,
                        None => met.push(Met { guard, releases: run.clone(), outcome: OnceCell::new() }),
                    }
                }
            }
            met
        };
        if near { counting } else { others }.get_or_init(find)
    }

    /// What comes of a guard; several rules ask about the same ones.
    fn outcome<'m>(&self, met: &'m Met<'a>) -> &'m Outcome {
        met.outcome.get_or_init(|| self.when(&met.guard.when, &met.releases))
    }

    /// Every guard that stops this call in some release which counts, with all the releases in which it does. A release that does
    /// not take the arguments never comes that far; the one by which the call is judged is asked all the same, since the guard
    /// is what it meets next.
    pub(crate) fn stops(&self) -> Vec<(&'a Guard, Outcome)> {
        // Another text of the same check is the same mistake; what other checks other releases have is of no interest.
        self.stops_with(|_| true, |known, other| known.raises == other.raises && known.message == other.message)
    }

    /// `widens` tells whether a guard of a release that does not count says more about one of a release that does.
    fn stops_with(
        &self,
        select: impl Fn(&Guard) -> bool,
        widens: impl Fn(&Guard, &Guard) -> bool,
    ) -> Vec<(&'a Guard, Outcome)> {
        let mut found: Vec<(&'a Guard, Outcome)> = Vec::new();
        // The other releases are of interest only to say how far it reaches.
        for is_near in [true, false] {
            for met in self.met(is_near) {
                let guard = met.guard;
                if !is_near && !found.iter().any(|(known, _)| widens(known, guard)) {
                    continue;
                }
                let stops = || !self.outcome(met).is_never();
                // Few guards stop a call. What comes of all those nearby is asked anyway, unless the arguments do not fit.
                let asks_all = is_near && self.unfit().is_empty();
                let counts = (!asks_all || stops()) && select(guard) && stops();
                if !counts {
                    continue;
                }
                let decided = self.outcome(met).clone();
                match found.iter_mut().find(|(known, _)| std::ptr::eq(*known, guard)) {
                    Some((_, outcome)) => outcome.merge(decided),
                    None => found.push((guard, decided)),
                }
            }
            if found.is_empty() {
                break;
            }
        }
        found
    }

    /// Releases, among `releases`, in which a condition over the parameters holds.
    pub(crate) fn when(&self, condition: &str, releases: &ReleaseSet) -> Outcome {
        let mut outcome = Outcome::default();
        // A single release needs no comparison with others.
        let is_single = releases.len() == 1;
        let runs = if is_single { vec![releases.clone()] } else { self.alike_for(condition).cut(releases) };
        for run in runs {
            let holds = run.iter().next().and_then(|release| self.bound(condition, release));
            outcome.merge(holds.map_or_else(Outcome::default, |holds| self.holds(&holds, &run)));
        }
        outcome
    }

    /// Releases, among `releases`, in which a condition over flags holds whenever the call is reached.
    pub(crate) fn holds(&self, condition: &Cond, releases: &ReleaseSet) -> Outcome {
        let mut outcome = Outcome::default();
        if *condition == Cond::FALSE {
            return outcome;
        }
        let path = &self.run.call().when;
        if compares_releases(condition) || compares_releases(path) {
            for release in releases.iter() {
                let (path, holds) = (self.fix_releases(path, release), self.fix_releases(condition, release));
                outcome.merge(self.decided_in(&path, &holds, release, &[release].into_iter().collect()));
            }
            return outcome;
        }
        let is_field = |id: &FlagId| matches!(self.run.flag(*id).owner, FlagOwner::External(_));
        let fields: Vec<FlagId> = flags_of(path).chain(flags_of(condition)).filter(is_field).collect();
        let runs = if fields.is_empty() { vec![releases.clone()] } else { self.alike_for_flags(fields).cut(releases) };
        for run in runs {
            outcome.merge(
                run.iter()
                    .next()
                    .map_or_else(Outcome::default, |release| self.decided_in(path, condition, release, &run)),
            );
        }
        outcome
    }

    /// What the flags decide, in one release and so in all of `run`.
    fn decided_in(&self, path: &Cond, holds: &Cond, release: usize, run: &ReleaseSet) -> Outcome {
        if *holds == Cond::FALSE {
            return Outcome::default();
        }
        let mut outcome = Outcome { flags: flags_of(holds).collect(), ..Outcome::default() };
        let mut started = false;
        for (index, variant) in self.run.variants.iter().enumerate() {
            started |= variant.origin.is_some();
            let known = self.assignment(variant, path, holds, release);
            match self.decide(path, holds, &known) {
                Decision::Certain => {
                    outcome.certain = run.clone();
                    outcome.variants.push(index);
                }
                Decision::OnFlags(condition) => {
                    outcome.conditional = run.clone();
                    outcome.condition = Some(condition);
                }
                Decision::Never | Decision::Unknown => {}
            }
        }
        if outcome.certain.is_empty() && !started {
            // Nothing starts the script: its users do, with flags of their own.
            match self.decide(path, holds, &Assignment::new()) {
                Decision::OnFlags(condition) => {
                    outcome.conditional = run.clone();
                    outcome.condition = Some(condition);
                }
                Decision::Certain if flags_of(path).next().is_some() => {
                    outcome.flags.extend(flags_of(path));
                    outcome.conditional = run.clone();
                    outcome.condition = Some(path.clone());
                }
                Decision::Certain | Decision::Never | Decision::Unknown => {}
            }
        }
        outcome
    }

    /// Whether the condition of an outcome can hold with at most one flag that differs from its default.
    pub(crate) fn is_one_flag_away(&self, outcome: &Outcome, release: usize) -> bool {
        let Some(condition) = &outcome.condition else { return true };
        let flags: Vec<FlagId> = flags_of(condition).collect();
        let defaults = |but: Option<FlagId>| -> Assignment {
            let others = flags.iter().filter(|id| Some(**id) != but);
            others.filter_map(|id| Some((symbol_of(*id), self.default(*id, release)?))).collect()
        };
        let is_open = |but: Option<FlagId>| condition.assign(&defaults(but)).verdict() != Tri::No;
        is_open(None) || flags.iter().any(|id| is_open(Some(*id)))
    }

    /// Whether the call is reached in a variant and a condition over the parameters certainly does not hold then.
    pub(crate) fn is_never(&self, condition: &str, variant: &Variant, release: usize) -> bool {
        let Some(holds) = self.condition(condition, release) else { return false };
        let path = self.fix_releases(&self.run.call().when, release);
        let known = self.assignment(variant, &path, &holds, release);
        let path = path.assign(&known);
        path.verdict() != Tri::No && path.and(holds.assign(&known)).verdict() == Tri::No
    }

    /// What a variant says about the flags of a condition.
    pub(crate) fn settings_of(&self, variant: &Variant, condition: &Cond, release: usize) -> Assignment {
        self.assignment(variant, &Cond::TRUE, condition, release)
    }

    /// The values of flags in a variant: what it sets, else the default. Where the call is not reached with the defaults, those
    /// that are `None` stay open: every user sets one of them.
    fn assignment(&self, variant: &Variant, path: &Cond, holds: &Cond, release: usize) -> Assignment {
        let mut known = Assignment::new();
        let mut unset = Vec::new();
        for id in flags_of(path).chain(flags_of(holds)) {
            let symbol = symbol_of(id);
            let value = match variant.setting(id) {
                Some(setting) => setting.value.clone(),
                None if variant.is_open => None,
                None => self.default(id, release).inspect(|default| {
                    if *default == Const::None {
                        unset.push(Arc::clone(&symbol));
                    }
                }),
            };
            known.extend(value.map(|value| (symbol, value)));
        }
        if path.assign(&known).verdict() == Tri::No {
            known.retain(|symbol, _| !unset.contains(symbol));
        }
        known
    }

    /// The default of a flag; a library's field has the one of the release.
    pub(crate) fn default(&self, id: FlagId, release: usize) -> Option<Const> {
        let flag = self.run.flag(id);
        let value = match (&flag.default, &flag.owner) {
            (Value::Const(constant), _) => return Some(constant.clone()),
            (_, FlagOwner::External(class)) => {
                ReleaseHost::new(self.releases_with(release), &self.run.trace.flags).field_default(class, &flag.name)?
            }
            _ => return None,
        };
        match value {
            Value::Const(constant) => Some(constant),
            _ => None,
        }
    }

    fn decide(&self, path: &Cond, holds: &Cond, known: &Assignment) -> Decision {
        let key = (path.clone(), holds.clone(), known.clone());
        if let Some(decision) = self.decided.borrow().get(&key) {
            return decision.clone();
        }
        let (path, holds) = (path.assign(known), holds.assign(known));
        let decision = decision(&path, &holds);
        self.decided.borrow_mut().insert(key, decision.clone());
        decision
    }
}

/// The definition that a full name stands for in a release.
pub(crate) fn definition<'a>(package: &'a Package, name: &str, release: usize) -> Option<&'a str> {
    match package.resolve(name, release) {
        Resolution::Definition(definition) => Some(definition),
        Resolution::Other | Resolution::NotExported | Resolution::Unknown => None,
    }
}

fn decision(path: &Cond, holds: &Cond) -> Decision {
    let both = path.clone().and(holds.clone());
    if both.verdict() == Tri::No {
        return Decision::Never;
    }
    if path.implies(holds) {
        return Decision::Certain;
    }
    let on_flags = both.atoms().into_iter().all(|atom| flag_of(atom).is_some());
    if on_flags { Decision::OnFlags(both) } else { Decision::Unknown }
}

/// The flag an atom asks about, if it asks about a flag.
fn flag_of(atom: &Atom) -> Option<FlagId> {
    let symbol = atom.subject()?;
    match symbol.root {
        Root::Flag(id) if symbol.path.is_empty() => Some(id),
        _ => None,
    }
}

/// What a condition calls a flag.
fn symbol_of(id: FlagId) -> Arc<Symbol> {
    Arc::new(Symbol { root: Root::Flag(id), path: Vec::new() })
}

/// Whether a condition asks which release of a library is installed.
fn compares_releases(condition: &Cond) -> bool {
    condition.atoms().into_iter().any(|atom| matches!(atom, Atom::Release(..)))
}

fn flags_of(condition: &Cond) -> impl Iterator<Item = FlagId> {
    let flags: std::collections::BTreeSet<FlagId> = condition.atoms().into_iter().filter_map(flag_of).collect();
    flags.into_iter()
}
