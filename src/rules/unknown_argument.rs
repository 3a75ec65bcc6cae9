//! Arguments that the constructor does not have.

use std::collections::BTreeMap;

use super::ask::{Call, Outcome};
use super::declare::declare_rule;
use super::force_use_ref_model;
use super::report::Reach;
use super::training_arguments::{TrainingArgumentsForTrlTrainer, moved_arguments};
use super::versions::enumerate;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label};
use crate::eval::Argument;
use crate::knowledge::ReleaseSet;
use crate::lower::Analysis;
use crate::source::Span;

declare_rule! {
    /// ## What it does
    ///
    /// Reports arguments of a trainer that its constructor does not have in a release that the project allows.
    ///
    /// ## Why it matters
    ///
    /// Constructors of TRL lose arguments from release to release: most settings of `DPOTrainer` moved to `DPOConfig`, and
    /// `tokenizer` became `processing_class`. The call then raises `TypeError`, after the models were loaded.
    ///
    /// Settings that stand next to plain `TrainingArguments` are part of another mistake and reported with it, by
    /// `training-arguments-for-trl-trainer`.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.15.2
    /// ```
    ///
    /// ```python,bad
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out"), beta=0.1)
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out", beta=0.1))
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix yet.
    ///
    /// ## Versions
    ///
    /// The parameters of each release are mined from the released wheels, aliases that a decorator accepts included.
    ///
    /// A release older than the one in effect counts only where a range lets it in by its floor (`trl>=0.8`).
    ///
    /// ## References
    ///
    /// - trl issues 2162 and 2853
    UnknownArgument = "unknown-argument", "DPL101", Error, "a trainer gets an argument that its constructor does not have"
}

impl Rule for UnknownArgument {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let arguments = call.run.arguments();
        let mut unknown: BTreeMap<usize, ReleaseSet> = BTreeMap::new();
        for release in call.package.all().iter() {
            // `force-use-ref-model` says where that option has gone.
            let unknown_here = call.unknown_arguments(release).into_iter();
            for index in unknown_here.filter(|index| !force_use_ref_model::is_ours(call, &arguments[*index])) {
                unknown.entry(index).or_default().insert(release);
            }
        }
        let Some(in_effect) = call.in_effect().filter(|_| !unknown.is_empty()) else { return };
        // A call without conditions on it: the arguments are passed whenever it is reached.
        let reached: Vec<(&Argument, Outcome, Reach)> = unknown
            .into_iter()
            .map(|(index, releases)| {
                let outcome = call.when("True", &releases);
                let reach = call.reach_in(&outcome, in_effect);
                (&arguments[index], outcome, reach)
            })
            .filter(|(_, _, reach)| call.versions().speaks_of(*reach))
            .collect();
        let Some(worst) = reached.iter().map(|(_, _, reach)| *reach).max() else { return };
        let worst: Vec<_> = reached.into_iter().filter(|(_, _, reach)| *reach == worst).collect();
        // Where these come with plain `TrainingArguments`, the cause is that the trainer's own configuration is missing.
        let moved: Vec<Span> =
            moved_arguments(call, in_effect).into_iter().map(|index| arguments[index].span).collect();
        let (moved, rest): (Vec<_>, Vec<_>) =
            worst.into_iter().partition(|(argument, ..)| moved.contains(&argument.span));
        found.extend(report(call, &rest, in_effect));
        if let Some(mut finding) = report(call, &moved, in_effect) {
            finding.follows = call.argument("args").map(|args| (TrainingArgumentsForTrlTrainer::META.name, args.span));
            found.push(finding);
        }
    }
}

/// One finding for all arguments that are wrong in the same way.
fn report(call: &Call<'_>, unknown: &[(&Argument, Outcome, Reach)], in_effect: usize) -> Option<Diagnostic> {
    let ((first, outcome, reach), rest) = unknown.split_first()?;
    let shown = |argument: &Argument| {
        argument.name.as_deref().map_or_else(|| String::from("a positional argument"), |name| format!("`{name}`"))
    };
    let names: Vec<String> = unknown.iter().map(|(argument, ..)| shown(argument)).collect();
    let noun = if rest.is_empty() { "parameter" } else { "parameters" };
    let list = format!("no {noun} {}", enumerate(&names));
    let releases = match reach {
        Reach::InEffect => call.release(in_effect),
        _ => call.releases(&(&(&outcome.certain | &outcome.conditional) & &call.allowed())),
    };
    let message = format!("`{}` of {releases} has {list}", call.short_name());
    let primary = Label { span: first.span, message: "TypeError: unexpected argument".to_owned() };
    let affected = if outcome.certain.is_empty() { &outcome.conditional } else { &outcome.certain };
    let mut finding = call.finding(&UnknownArgument::META, *reach, affected, message, primary);
    for (argument, ..) in rest {
        finding.related.push(Label { span: argument.span, message: "this one too".to_owned() });
    }
    if let Some(name) = first.name.as_deref() {
        let having: ReleaseSet = call
            .package
            .all()
            .iter()
            .filter(|release| call.signature(*release).is_some_and(|signature| signature.parameters.contains_key(name)))
            .collect();
        if having.is_empty() {
            finding.notes.push(format!("no known release has `{name}`"));
        } else {
            finding.notes.push(format!("{} has `{name}`", call.releases(&having)));
        }
    }
    call.explain(&mut finding, outcome);
    Some(finding)
}
