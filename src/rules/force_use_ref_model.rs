//! The escape hatch, used where it does not exist.

use super::ask::{Call, Outcome, definition};
use super::declare::declare_rule;
use super::guards::requires;
use super::misfit_settings::is_strict;
use super::report::{Reach, objects, raises};
use super::{Rule, RuleMeta, option};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label};
use crate::eval::{Argument, Cond, FlagOwner, Object};
use crate::knowledge::ReleaseSet;
use crate::lower::{Analysis, Change};
use crate::model::Evidence;
use crate::source::Span;
use crate::syntax::{Edit, python_edit};

/// The option.
pub(super) const OPTION: &str = "force_use_ref_model";

declare_rule! {
    /// ## What it does
    ///
    /// Reports `force_use_ref_model` where a release that the project allows does not have it: as an argument of the trainer
    /// outside the releases that take it there, or as a field of the configuration (in the script, in an argument file or on a
    /// launch line) outside the releases that have it. Also `False` where that alone makes a release refuse a call that it takes
    /// otherwise.
    ///
    /// ## Why it matters
    ///
    /// The option allowed a reference model beside an adapter while TRL refused that. It moved from the trainer to the
    /// configuration, and is gone since both are accepted. Where it does not exist the call raises `TypeError`.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out", force_use_ref_model=True)
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=args)
    /// ```
    ///
    /// ```python,fixed
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out")
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=args)
    /// ```
    ///
    /// Where the option has moved to the configuration, it moves there:
    ///
    /// ```text,requirements
    /// trl==0.24.0
    /// ```
    ///
    /// ```python,bad
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out")
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=args, force_use_ref_model=True)
    /// ```
    ///
    /// ```python,fixed
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out", force_use_ref_model=True)
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=args)
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out")
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=args)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Safe: releases that lack the option accept what it allowed, so it is removed; where it moved to the configuration, it is
    /// moved. Unsafe where the project allows other releases that have it in the old place.
    ///
    /// ## Versions
    ///
    /// The releases whose constructor or configuration has the option, mined from the released wheels.
    ///
    /// ## References
    ///
    /// - trl `trainer/dpo_config.py`, the field and its removal
    ForceUseRefModel = "force-use-ref-model", "DPL013", Error, "`force_use_ref_model` is not an option of the release"
}

impl Rule for ForceUseRefModel {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        found.extend(on_the_trainer(analysis, call));
        found.extend(in_the_script(analysis, call));
        found.extend(in_settings(analysis, call));
        found.extend(explicit_no(analysis, call));
    }
}

/// The releases whose configuration of this class has the option, and those that have the class without it.
fn releases_of(call: &Call<'_>, config: &str) -> (ReleaseSet, ReleaseSet) {
    let package = call.package;
    let exists = |release: &usize| definition(package, config, *release).is_some();
    let has_it = |release: &usize| -> bool {
        let fields = definition(package, config, *release).and_then(|found| package.signature(found, *release));
        fields.is_some_and(|signature| signature.parameters.contains_key(OPTION))
    };
    let having: ReleaseSet = package.all().iter().filter(has_it).collect();
    let lacking = package.all().iter().filter(|release| exists(release) && !having.contains(*release)).collect();
    (having, lacking)
}

/// Safe, unless an allowed release knows the option where it stands now. Where nothing declares a release, the code may be meant
/// for one that does.
fn applicability(call: &Call<'_>, having: &ReleaseSet) -> Applicability {
    let is_declared = call.facts().is_some_and(|facts| facts.evidence > Evidence::Assumed);
    if is_declared && (&call.allowed() & having).is_empty() { Applicability::Safe } else { Applicability::Unsafe }
}

/// A finding about the option at a place, for releases that lack it there.
fn lacking_finding(
    call: &Call<'_>,
    reach: Reach,
    place: Span,
    (having, lacking): (&ReleaseSet, ReleaseSet),
    what: &str,
) -> Diagnostic {
    let outcome = Outcome::certainly(lacking);
    let releases = match (reach, call.in_effect()) {
        (Reach::InEffect, Some(release)) => call.release(release),
        _ => call.releases(&(&outcome.certain & &call.allowed())),
    };
    let message = format!("`{OPTION}` is not {what} of {releases}");
    let primary = Label { span: place, message: String::new() };
    let mut finding = call.finding(&ForceUseRefModel::META, reach, &outcome.certain, message, primary);
    if !having.is_empty() {
        finding.notes.push(format!("{} has it", call.releases(having)));
    }
    call.explain(&mut finding, &outcome);
    finding.help = Some("leave it out".to_owned());
    finding
}

/// Whether this rule speaks of an argument: the option, of a trainer that has it in some release, or of its configuration.
pub(super) fn is_ours(call: &Call<'_>, argument: &Argument) -> bool {
    argument.name.as_deref() == Some(OPTION) && argument.when == Cond::TRUE && !accepting(call, true).is_empty()
}

/// The releases whose trainer takes the option, or does not.
fn accepting(call: &Call<'_>, wanted: bool) -> ReleaseSet {
    let accepts = |release: usize| call.signature(release).and_then(|signature| signature.accepts(OPTION));
    call.package.all().iter().filter(|release| accepts(*release) == Some(wanted)).collect()
}

/// As an argument of the trainer.
fn on_the_trainer(analysis: &Analysis, call: &Call<'_>) -> Option<Diagnostic> {
    let argument = call.run.arguments().iter().find(|argument| is_ours(call, argument))?;
    let in_effect = call.in_effect()?;
    let having = accepting(call, true);
    let lacking = accepting(call, false);
    let reach = call.reach_in(&call.when("True", &lacking), in_effect);
    if reach == Reach::Elsewhere {
        return None;
    }
    let mut finding = lacking_finding(call, reach, argument.span, (&having, lacking), "an argument");
    if reach == Reach::InEffect {
        finding.fixes.extend(moved(analysis, call, argument, in_effect, applicability(call, &having)));
    }
    Some(finding)
}

/// Moves the argument of the trainer to the configuration of a release, or removes it where that has no such option.
fn moved(
    analysis: &Analysis,
    call: &Call<'_>,
    argument: &Argument,
    release: usize,
    applicability: Applicability,
) -> Option<Fix> {
    let module = analysis.modules.get(&argument.span.file)?;
    let mut edits = python_edit::remove_argument(module, argument.span).ok()?;
    let default = call.callee().replace("Trainer", "Config");
    let configs = call.argument("args").map(|args| objects(&args.value.value)).unwrap_or_default();
    let has_it = |config: &str| releases_of(call, config).0.contains(release);
    if !configs.iter().any(|config| has_it(&config.callee)) && !has_it(&default) {
        return Some(Fix { title: format!("remove `{OPTION}`"), applicability, edits });
    }
    let config = plain_config(analysis, &configs).filter(|config| has_it(&config.callee))?;
    let value = &module.text()[std::ops::Range::<usize>::from(module.range(argument.value.span))];
    // Only a constant means the same at the other place.
    matches!(value, "True" | "False").then_some(())?;
    edits.extend(insert(analysis, config, value)?);
    edits.sort_unstable();
    Some(Fix { title: format!("move `{OPTION}` to the configuration"), applicability, edits })
}

/// The configuration, if the script builds exactly one and builds it itself.
fn plain_config<'a>(analysis: &Analysis, configs: &'a [std::sync::Arc<Object>]) -> Option<&'a Object> {
    let [config] = configs else { return None };
    (config.parsed.is_none() && analysis.modules.contains_key(&config.span.file)).then_some(config)
}

fn insert(analysis: &Analysis, object: &Object, value: &str) -> Option<Vec<Edit>> {
    let module = analysis.modules.get(&object.span.file)?;
    python_edit::insert_keyword(module, object.span, OPTION, value).ok()
}

/// As a field of a configuration that the script builds.
fn in_the_script(analysis: &Analysis, call: &Call<'_>) -> Option<Diagnostic> {
    let (config, argument) = option::written(call, OPTION)?;
    let (having, lacking) = releases_of(call, &config.callee);
    let reach = call.reach(&call.when("True", &lacking));
    if reach == Reach::Elsewhere || having.is_empty() {
        return None;
    }
    let mut finding = lacking_finding(call, reach, argument.span, (&having, lacking), "an option");
    if reach == Reach::InEffect {
        finding.fixes.extend(removal(analysis, &argument, applicability(call, &having)));
    }
    Some(finding)
}

fn removal(analysis: &Analysis, argument: &Argument, applicability: Applicability) -> Option<Fix> {
    let module = analysis.modules.get(&argument.span.file)?;
    let edits = python_edit::remove_argument(module, argument.span).ok()?;
    Some(Fix { title: format!("remove `{OPTION}`"), applicability, edits })
}

/// The finding about the option where a file or a launch line sets it.
pub(super) fn cause(place: Span) -> (&'static str, Span) {
    (ForceUseRefModel::META.name, place)
}

/// In an argument file or on a launch line. Where the parser may ignore what it does not know, this is a warning.
fn in_settings(analysis: &Analysis, call: &Call<'_>) -> Option<Diagnostic> {
    let (config, flag) = option::flag(call, OPTION)?;
    if !matches!(call.run.flag(flag).owner, FlagOwner::External(_)) {
        return None;
    }
    let (having, lacking) = releases_of(call, &config.callee);
    let reach = call.reach(&Outcome::certainly(lacking.clone()));
    let variants = call.run.variants.iter().enumerate();
    let setting: Vec<usize> =
        variants.filter(|(_, variant)| variant.setting(flag).is_some()).map(|(index, _)| index).collect();
    if reach == Reach::Elsewhere || having.is_empty() {
        return None;
    }
    let variant = &call.run.variants[*setting.first()?];
    let place = variant.setting(flag)?.origin;
    let script = analysis.scripts.iter().find(|script| script.path == call.run.script);
    let parser = script.and_then(|script| script.trace.parsers.get(call.run.flag(flag).parser.0 as usize));
    let refuses =
        script.zip(parser).is_some_and(|(script, parser)| is_strict(script, parser, variant, place, call.knowledge));
    let shown = if refuses { reach } else { reach.min(Reach::Allowed) };
    let mut finding = lacking_finding(call, shown, place, (&having, lacking), "an option");
    if reach == Reach::InEffect {
        let applicability = applicability(call, &having);
        finding.fixes.extend(option::take_back(analysis, call, flag, &setting, Change::Gone, applicability));
    }
    Some(finding)
}

/// `False` where a release refuses that and would accept nothing said.
fn explicit_no(analysis: &Analysis, call: &Call<'_>) -> Option<Diagnostic> {
    let (outcome, guard) = call.stopped_by(is_about_explicit_no);
    let (guard, reach) = (guard?, call.reach(&outcome));
    if reach == Reach::Elsewhere {
        return None;
    }
    let written = option::written(call, OPTION).map(|(_, argument)| argument);
    let flag = option::flag(call, OPTION).map(|(_, flag)| flag);
    let setting = || {
        let variant = &call.run.variants[*outcome.variants.first()?];
        variant.setting(flag?).map(|setting| setting.origin)
    };
    let place = written.as_ref().map(|argument| argument.span).or_else(setting)?;
    let affected = if outcome.certain.is_empty() { &outcome.conditional } else { &outcome.certain };
    let releases = call.releases(&(affected & &call.allowed()));
    let message = format!("`{OPTION}=False` makes {releases} refuse a reference next to an adapter");
    let primary = Label { span: place, message: "without it, both are accepted".to_owned() };
    let mut finding = call.finding(&ForceUseRefModel::META, reach, affected, message, primary);
    raises(&mut finding, guard);
    call.explain(&mut finding, &outcome);
    finding.help = Some("leave it out".to_owned());
    let fix = match (&written, flag) {
        (Some(argument), _) => removal(analysis, argument, Applicability::Safe),
        (None, Some(flag)) => {
            option::take_back(analysis, call, flag, &outcome.variants, Change::Gone, Applicability::Safe)
        }
        (None, None) => None,
    };
    finding.fixes.extend(fix);
    Some(finding)
}

/// Whether a guard stops a call only because the option is given, and says no.
pub(super) fn is_about_explicit_no(guard: &crate::knowledge::Guard) -> bool {
    guard.when.contains(OPTION)
        && requires(guard, &["args.force_use_ref_model is not None", "not args.force_use_ref_model"])
}

/// Keeps a reference that is meant, where the release by which the call is judged has the option: in the configuration that the
/// script builds, or on the trainer.
pub(super) fn force_fix(analysis: &Analysis, call: &Call<'_>) -> Option<Fix> {
    let release = call.judged()?;
    let configs = call.argument("args").map(|args| objects(&args.value.value)).unwrap_or_default();
    let config =
        plain_config(analysis, &configs).filter(|config| releases_of(call, &config.callee).0.contains(release));
    let (owner, edits) = if let Some(config) = config {
        (config.callee.rsplit('.').next().unwrap_or_default(), say_yes(analysis, config)?)
    } else {
        call.signature(release)?.accepts(OPTION)?.then_some(())?;
        (call.short_name(), insert(analysis, &call.run.call().object, "True")?)
    };
    let title = format!("keep the reference: pass `{OPTION}=True` to `{owner}`");
    Some(Fix { title, applicability: Applicability::Display, edits })
}

/// Sets the option of a configuration to true.
fn say_yes(analysis: &Analysis, config: &Object) -> Option<Vec<Edit>> {
    let Some(argument) = config.args.iter().find(|argument| argument.name.as_deref() == Some(OPTION)) else {
        return insert(analysis, config, "True");
    };
    let module = analysis.modules.get(&argument.span.file)?;
    python_edit::set_value(module, argument.value.span, "True").ok()
}
