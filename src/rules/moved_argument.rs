//! Arguments of a trainer that belong into its configuration.

use super::ask::Call;
use super::declare::declare_rule;
use super::force_use_ref_model;
use super::misfit::{Fate, Unfit, by_reach, report_unfit};
use super::report::objects;
use super::training_arguments::{self, TrainingArgumentsForTrlTrainer, missing_attribute, plain_arguments};
use super::versions::enumerate;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix};
use crate::eval::{Object, Root, Value};
use crate::lower::Analysis;
use crate::syntax::python::PythonModule;
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports arguments of a trainer that are fields of its configuration class in a release which the project allows.
    ///
    /// ## Why it matters
    ///
    /// Most settings of TRL's trainers moved into configuration classes, with a warning at first. The call then raises
    /// `TypeError`, after the models were loaded.
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
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out"), beta=0.1, max_length=512)
    /// ```
    ///
    /// ```python,fixed
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out", beta=0.1, max_length=512))
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out", beta=0.1, max_length=512))
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The arguments are moved into the call that builds the configuration, where the project has one such call. Safe for
    /// constants and for values from a parsed command line; unsafe for other expressions, which may mean something else there.
    /// Where the call is out of reach (a parser fills the configuration, or another function builds it), the fields are set
    /// right before the trainer is built; unsafe.
    ///
    /// ## Versions
    ///
    /// The parameters of each release are mined from the released wheels. The configuration class is the one that the trainer
    /// names for its parameter `args`.
    ///
    /// ## References
    ///
    /// - trl pull requests 1942 and 2162
    MovedArgument = "moved-argument", "DPL103", Error, "an argument is passed to a trainer that is a field of its configuration",
        left_by: ["removed-argument", "training-arguments-for-trl-trainer"]
}

impl Rule for MovedArgument {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let is_ours = |unfit: &&Unfit<'_>| {
            matches!(unfit.misfit.fate, Fate::Moved(_)) && !force_use_ref_model::is_ours(call, unfit.argument)
        };
        for group in by_reach(call.unfit().iter().filter(is_ours)) {
            let Some(mut finding) = report_unfit(call, &Self::META, &group) else { continue };
            let config = match &group[0].misfit.fate {
                Fate::Moved(config) => config.rsplit('.').next().unwrap_or(config),
                _ => "",
            };
            finding.help = Some(format!("set it in `{config}`"));
            let within = moved(analysis, call, &group, config).filter(|fix| fix.applicability > Applicability::Display);
            finding.fixes.extend(within.or_else(|| stored(analysis, call, &group, config)));
            if let Some(given) = plain_arguments(call) {
                finding.fixes.extend(training_arguments::rebuilt(analysis, call, &given));
            }
            // Where these come with plain `TrainingArguments`, the cause is that the trainer's own configuration is missing.
            if call.in_effect().is_some_and(|release| missing_attribute(call, release).is_some()) {
                finding.follows =
                    call.argument("args").map(|args| (TrainingArgumentsForTrlTrainer::META.name, args.span));
            }
            found.push(finding);
        }
    }
}

/// Moves arguments into the one call that builds the configuration.
fn moved(analysis: &Analysis, call: &Call<'_>, group: &[&Unfit<'_>], config: &str) -> Option<Fix> {
    let given = objects(&call.argument("args")?.value.value);
    let [object] = &given[..] else { return None };
    let is_built_here = object.parsed.is_none() && object.callee.rsplit('.').next() == Some(config);
    let target = analysis.modules.get(&object.span.file).filter(|_| is_built_here)?;
    let source = analysis.modules.get(&group.first()?.argument.span.file)?;
    if group.iter().any(|unfit| unfit.argument.span.file != source.file()) {
        return None;
    }
    let written: Vec<(&str, &str)> = group.iter().map(|unfit| (unfit.name(), text(source, unfit))).collect();
    let spans: Vec<_> = group.iter().map(|unfit| unfit.argument.span).collect();
    let mut edits = python_edit::remove_arguments(source, &spans).ok()?;
    edits.extend(python_edit::insert_keywords(target, object.span, &written).ok()?);
    edits.sort_unstable();
    let worst = group.iter().map(|unfit| applicability(unfit, source, object)).min()?;
    let names: Vec<String> = group.iter().map(|unfit| format!("`{}`", unfit.name())).collect();
    Some(Fix { title: format!("move {} into `{config}`", enumerate(&names)), applicability: worst, edits })
}

/// Sets the fields of a configuration that is built elsewhere, right before the call.
fn stored(analysis: &Analysis, call: &Call<'_>, group: &[&Unfit<'_>], config: &str) -> Option<Fix> {
    let args = call.argument("args")?;
    let given = objects(&args.value.value);
    let is_ours = |object: &Object| object.callee.rsplit('.').next() == Some(config);
    if given.is_empty() || !given.iter().all(|object| is_ours(object)) {
        return None;
    }
    let module = analysis.modules.get(&group.first()?.argument.span.file)?;
    if group.iter().any(|unfit| unfit.argument.span.file != module.file() || unfit.argument.unpacked.is_some()) {
        return None;
    }
    let owner = &module.text()[std::ops::Range::<usize>::from(module.range(args.value.span))];
    let is_name = owner.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '.'));
    let lines: Vec<String> =
        group.iter().map(|unfit| format!("{owner}.{} = {}", unfit.name(), text(module, unfit))).collect();
    if !is_name || args.span.file != module.file() || lines.iter().any(|line| line.contains('\n')) {
        return None;
    }
    let spans: Vec<_> = group.iter().map(|unfit| unfit.argument.span).collect();
    let mut edits = python_edit::remove_arguments(module, &spans).ok()?;
    edits.extend(python_edit::insert_before(module, call.run.call().object.span, &lines).ok()?);
    edits.sort_unstable();
    let names: Vec<String> = group.iter().map(|unfit| format!("`{}`", unfit.name())).collect();
    Some(Fix { title: format!("set {} in `{owner}`", enumerate(&names)), applicability: Applicability::Unsafe, edits })
}

fn text<'m>(module: &'m PythonModule, unfit: &Unfit<'_>) -> &'m str {
    &module.text()[std::ops::Range::<usize>::from(module.range(unfit.argument.value.span))]
}

/// How sure it is that the value means the same where the configuration is built.
fn applicability(unfit: &Unfit<'_>, source: &PythonModule, config: &Object) -> Applicability {
    if unfit.argument.unpacked.is_some() {
        return Applicability::Unsafe;
    }
    let text = text(source, unfit);
    let is_same_file = config.span.file == source.file();
    match &unfit.argument.value.value {
        // Written out, or under a name that may be bound later.
        Value::Const(_)
            if !text.starts_with(|first: char| first.is_alphabetic()) || matches!(text, "None" | "True" | "False") =>
        {
            Applicability::Safe
        }
        Value::Symbol(symbol)
            if matches!(symbol.root, Root::Flag(_)) && is_same_file && is_read_before(source, text, config) =>
        {
            Applicability::Safe
        }
        _ if is_same_file && is_read_before(source, text, config) => Applicability::Unsafe,
        _ => Applicability::Display,
    }
}

/// Whether every name of an expression stands somewhere above the end of the call that builds the configuration.
fn is_read_before(module: &PythonModule, expression: &str, config: &Object) -> bool {
    let above = &module.text()[..std::ops::Range::<usize>::from(module.range(config.span)).end];
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut names = expression
        .split(|letter: char| !is_part(letter) && letter != '.')
        .filter(|name| name.starts_with(|first: char| first.is_alphabetic() || first == '_'));
    names.all(|name| {
        let root = name.split('.').next().unwrap_or(name);
        above
            .match_indices(root)
            .any(|(at, _)| !above[..at].ends_with(is_part) && !above[at + root.len()..].starts_with(is_part))
    })
}
