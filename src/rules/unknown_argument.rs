//! Arguments that a callable does not have.

use super::ask::Call;
use super::declare::declare_rule;
use super::force_use_ref_model;
use super::misfit::{Fate, Unfit, report_unfit};
use super::misfit_settings::report_settings;
use super::rewritten;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label};
use crate::knowledge::ReleaseSet;
use crate::lower::{Analysis, Script};
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports arguments that a class or function of a known library does not have in a release that the project allows, and
    /// did not have in an older one either: misspelt ones, and those that only newer releases have. On launch lines it reports
    /// options that no dataclass of a strict parser (`HfArgumentParser`, `TrlParser`) has, in argument files the keys, where the
    /// release in effect minds them. Of a file that no launch line names, but that is a script's by its path and almost all of its
    /// keys, that is a warning.
    ///
    /// ## Why it matters
    ///
    /// The call raises `TypeError`, often after the models were loaded.
    ///
    /// Arguments that went away or are called otherwise are reported by `removed-argument`, `renamed-argument` and
    /// `moved-argument`.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.15.2
    /// ```
    ///
    /// ```python,bad
    /// from trl import DPOConfig
    ///
    /// args = DPOConfig(output_dir="out", max_lenght=1024)
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from trl import DPOConfig
    ///
    /// args = DPOConfig(output_dir="out", max_length=1024)
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOConfig
    ///
    /// args = DPOConfig(output_dir="out", max_length=1024)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// A misspelt name is replaced by the one that is written almost alike. Unsafe, since it is a guess.
    ///
    /// ## Versions
    ///
    /// The parameters of each release are mined from the released wheels, aliases that a decorator accepts included; those of
    /// base classes come from the release of their own package that is in effect.
    ///
    /// A release older than the one in effect counts only where a range lets it in by its floor (`trl>=0.8`).
    ///
    /// ## References
    ///
    /// - trl issues 2162 and 2853
    UnknownArgument = "unknown-argument", "DPL101", Error, "an argument is passed that the callable does not have"
}

impl Rule for UnknownArgument {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        found.extend(report_settings(analysis, script, context, &Self::META, |fate| {
            matches!(fate, Fate::NotYet | Fate::Never(_))
        }));
        found.extend(super::stray_options::check(analysis, script, context.knowledge, &Self::META));
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let is_ours = |unfit: &&Unfit<'_>| {
            // `force-use-ref-model` says where that option has gone.
            matches!(unfit.misfit.fate, Fate::NotYet | Fate::Never(_))
                && !force_use_ref_model::is_ours(call, unfit.argument)
        };
        for unfit in call.unfit().iter().filter(is_ours) {
            let Some(mut finding) = report_unfit(call, &Self::META, &[unfit]) else { continue };
            if let Fate::Never(Some(similar)) = &unfit.misfit.fate {
                finding.help = Some(format!("did you mean `{similar}`?"));
                finding.fixes.extend(respelt(analysis, unfit, similar));
            }
            if let Some(rewrite) = rewritten::rewrite(call, unfit.argument) {
                finding.fixes.extend(rewritten::fix(analysis, call, unfit.argument, rewrite));
                finding.help = finding.fixes.first().map(|fix| fix.title.clone());
            }
            found.push(finding);
        }
        if call.is_about_callee() {
            found.extend(too_many(call));
        }
    }
}

fn respelt(analysis: &Analysis, unfit: &Unfit<'_>, name: &str) -> Option<Fix> {
    let module = analysis.modules.get(&unfit.argument.span.file)?;
    let edits = python_edit::rename_argument(module, unfit.argument.span, name).ok()?;
    Some(Fix { title: format!("write `{name}`"), applicability: Applicability::Unsafe, edits })
}

/// More positional arguments than there are parameters.
fn too_many(call: &Call<'_>) -> Option<Diagnostic> {
    let in_effect = call.in_effect()?;
    let arguments = call.run.arguments();
    let excess = |release: usize| {
        let unknown = call.unknown_arguments(release);
        unknown.into_iter().find(|index| arguments[*index].name.is_none())
    };
    let first = call.near().iter().rev().find_map(excess)?;
    let lacking: ReleaseSet = call.package.all().iter().filter(|release| excess(*release) == Some(first)).collect();
    let outcome = call.when("True", &lacking);
    let reach = call.reach_in(&outcome, in_effect);
    if !call.versions().speaks_of(reach) {
        return None;
    }
    let releases = call.versions().meant(reach, in_effect, &lacking);
    let message = format!("`{}` of {releases} takes {first} positional arguments", call.short_name());
    let primary = Label { span: arguments[first].span, message: "TypeError: this is one more".to_owned() };
    let mut finding = call.finding(&UnknownArgument::META, reach, &lacking, message, primary);
    call.explain(&mut finding, &outcome);
    Some(finding)
}
