//! What rules about the settings of a trainer ask, however its script is started.

use super::ask::Call;
use crate::eval::{Cond, Const};
use crate::lower::{Held, Options, Told, TrainingRun};
use crate::model::LibraryCall;
use crate::source::Span;

/// A trainer whose settings are those of one way of starting its script.
pub(super) struct Settled<'a> {
    pub(super) run: TrainingRun<'a>,
    config: Option<Options<'a>>,
}

/// The ways in which a script is started around a trainer. Where a parser fills the configuration and nothing of the project starts the
/// script, the user's own words decide.
pub(super) fn settled<'a>(call: &Call<'a>) -> impl Iterator<Item = Settled<'a>> {
    let (run, knowledge): (&'a LibraryCall, _) = (call.run, call.knowledge);
    let is_plain = run.call().caught.is_empty() && !run.call().uncalled;
    let variants = run.variants.iter().filter(move |_| is_plain);
    variants.filter_map(move |variant| {
        let run = TrainingRun::of(run, variant, knowledge)?;
        let config = run.arguments().argument("args").and_then(|held| run.options(&held.value));
        let is_open = variant.origin.is_none() && config.as_ref().is_some_and(Options::is_parsed);
        (!is_open && !variant.is_open).then_some(Settled { run, config })
    })
}

/// [`settled`] of a trainer that is surely made, with all that it is given in sight, and not by a subclass, which may do the work itself.
pub(super) fn settled_directly<'a>(call: &Call<'a>) -> impl Iterator<Item = Settled<'a>> {
    let event = call.run.call();
    let is_direct = event.when == Cond::TRUE && !event.open && event.through.is_none();
    is_direct.then(|| settled(call)).into_iter().flatten()
}

impl Settled<'_> {
    /// What a setting is: an argument of the trainer, or a field of its configuration.
    pub(super) fn setting(&self, name: &str) -> Option<Held> {
        let of_trainer = || self.run.arguments().argument(name);
        self.config.as_ref().and_then(|config| config.get(name)).or_else(of_trainer)
    }

    /// Whether a setting is a truth value, and where it is set.
    pub(super) fn truth(&self, name: &str) -> Option<(bool, Option<Span>)> {
        let held = self.setting(name)?;
        match held.value {
            Told::Const(Const::Bool(value)) => Some((value, held.origin)),
            _ => None,
        }
    }

    /// Whether the trainer's configuration certainly says nothing that cuts the model into pieces.
    pub(super) fn is_whole(&self) -> bool {
        ["deepspeed", "fsdp"].into_iter().all(|name| match self.setting(name).map(|held| held.value) {
            None | Some(Told::Const(Const::None | Const::Bool(false))) => true,
            Some(Told::Const(Const::Str(text))) => text.is_empty(),
            Some(Told::List(items)) => items.is_empty(),
            _ => false,
        })
    }

    /// The call in the script that makes the trainer's configuration, where no parser fills it.
    pub(super) fn made_config(&self) -> Option<Span> {
        let config = self.config.as_ref()?;
        (!config.is_parsed()).then(|| config.span())
    }

    /// A setting that is a number, and where it is set.
    pub(super) fn number(&self, name: &str) -> Option<(f64, Option<Span>)> {
        let held = self.setting(name)?;
        match held.value {
            Told::Const(value @ (Const::Int(_) | Const::Float(_))) => Some((value.number()?, held.origin)),
            _ => None,
        }
    }

    /// How the trainer, or another one, works inside in the releases in effect; all values of a fact.
    pub(super) fn facts<'k>(&self, call: &Call<'k>, (package, trainer): (&str, &str), fact: &str) -> Vec<&'k str> {
        let Some(package) = call.knowledge.package(package) else { return Vec::new() };
        let Some(release) = self.run.releases.of(package.name()) else { return Vec::new() };
        let facts = call.knowledge.curated().trainer_facts(package.name(), trainer, fact);
        let holds = facts.filter(|one| package.releases_in(&one.releases).contains(release));
        holds.map(|one| one.value.as_str()).collect()
    }
}
