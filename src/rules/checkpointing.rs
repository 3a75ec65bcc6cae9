//! What rules about gradient checkpointing ask: whether a run trains an adapter with it, and whether it is the reentrant kind.

use super::launched::Started;
use crate::eval::Const;
use crate::knowledge::Knowledge;
use crate::lower::{Analysis, Held, Told, TrainingRun};
use crate::source::Span;
use crate::syntax::{Scalar, edit};

/// What says which kind of checkpointing it is.
pub(super) const KWARGS: &str = "gradient_checkpointing_kwargs";

/// Gradient checkpointing of a run that trains an adapter.
pub(super) struct Checkpointing {
    pub(super) is_reentrant: bool,
    /// Where that is said; `None`: it is what the releases in effect do.
    pub(super) said: Option<Span>,
    /// Where checkpointing is switched on; likewise.
    pub(super) switched_on: Option<Span>,
    /// Where the adapter is given.
    pub(super) adapter: Span,
}

/// The checkpointing of a run, where both it and the adapter are certain and its kind is known.
pub(super) fn of_adapter(started: &Started<'_>, analysis: &Analysis, knowledge: &Knowledge) -> Option<Checkpointing> {
    let (switched, switched_on) = started.field("gradient_checkpointing")?;
    if switched != Const::Bool(true) {
        return None;
    }
    let adapter = adapter(started, knowledge)?;
    let kwargs = started.option(KWARGS);
    let (is_reentrant, said) = kind(&started.run, kwargs, analysis, knowledge)?;
    Some(Checkpointing { is_reentrant, said, switched_on, adapter })
}

/// Whether the run certainly trains an adapter, and where that is given.
fn adapter(started: &Started<'_>, knowledge: &Knowledge) -> Option<Span> {
    let trainer = started.run.arguments();
    if let Some(held) = trainer.argument("peft_config").filter(|held| !held.value.is_none()) {
        let is_config = |callee: &str| callee.starts_with("peft.") && callee.ends_with("Config");
        return held.origin.filter(|_| started.run.options(&held.value).is_some_and(|made| is_config(made.callee())));
    }
    let model = trainer.argument("model")?;
    let made = started.run.options(&model.value)?;
    model.origin.filter(|_| knowledge.curated().makes_adapter_model(made.callee()))
}

/// Whether checkpointing is reentrant, and where that is said, with what is set for [`KWARGS`].
pub(super) fn kind(
    run: &TrainingRun<'_>,
    held: Option<Held>,
    analysis: &Analysis,
    knowledge: &Knowledge,
) -> Option<(bool, Option<Span>)> {
    let Some(held) = held else { return Some((by_default(run, knowledge)?, None)) };
    let said = |value: bool| Some((value, held.origin));
    match &held.value {
        Told::Dict(entries) => {
            match entries.iter().find(|(key, _)| *key == Const::Str("use_reentrant".into())).map(|(_, value)| value) {
                Some(Told::Const(Const::Bool(value))) => said(*value),
                Some(_) => None,
                None => Some((by_default(run, knowledge)?, None)),
            }
        }
        Told::Const(Const::None) => Some((by_default(run, knowledge)?, None)),
        Told::Const(Const::Str(json)) => said(in_json(json)?),
        // A mapping in an argument file.
        _ => {
            let (_, document) = analysis.written.document_at(held.origin?)?;
            match edit::entry_at(document, held.origin?)?.value.get("use_reentrant")?.scalar()? {
                Scalar::Bool(value) => said(*value),
                _ => None,
            }
        }
    }
}

/// `{"use_reentrant": false}` as a word of a command line.
pub(super) fn in_json(word: &str) -> Option<bool> {
    let value = word.split_once("use_reentrant")?.1.trim_start_matches(['"', '\'', ':', ' ']);
    ["true", "false"]
        .into_iter()
        .find(|truth| value.to_ascii_lowercase().starts_with(truth))
        .map(|truth| truth == "true")
}

/// What the releases in effect do where nothing is said: TRL's own trainers decide, else transformers.
fn by_default(run: &TrainingRun<'_>, knowledge: &Knowledge) -> Option<bool> {
    if run.variant.is_open {
        return None;
    }
    let arguments = run.arguments();
    let (package, trainer) =
        arguments.callee().split_once('.').map(|(package, rest)| (package, rest.rsplit('.').next()))?;
    let trainer = trainer?;
    if package == "trl" {
        // What other trainers do is not known.
        knowledge.curated().trainer_facts("trl", trainer, "reentrant").next()?;
        if fact(run, knowledge, ("trl", trainer), "reentrant") == Some("no") {
            return Some(false);
        }
    }
    Some(fact(run, knowledge, ("transformers", "Trainer"), "reentrant") == Some("yes"))
}

/// How a trainer works inside in the releases in effect.
pub(super) fn fact<'k>(
    run: &TrainingRun<'_>,
    knowledge: &'k Knowledge,
    (package, trainer): (&str, &str),
    fact: &str,
) -> Option<&'k str> {
    let package = knowledge.package(package)?;
    let release = run.releases.of(package.name())?;
    let mut facts = knowledge.curated().trainer_facts(package.name(), trainer, fact);
    facts.find(|one| package.releases_in(&one.releases).contains(release)).map(|one| one.value.as_str())
}
