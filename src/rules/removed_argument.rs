//! Arguments that a callable no longer has.

use super::ask::Call;
use super::declare::declare_rule;
use super::force_use_ref_model;
use super::misfit::{Fate, Unfit, by_reach, report_unfit};
use super::misfit_settings::report_settings;
use super::rewritten;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix};
use crate::lower::{Analysis, Script};
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports arguments that older releases of a library have, and a release that the project allows does not have any more.
    ///
    /// ## Why it matters
    ///
    /// The call raises `TypeError`. Libraries drop settings from release to release, often without a word in an error that
    /// says since when, or what to do instead.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.0.0
    /// ```
    ///
    /// ```python,bad
    /// from trl import DPOConfig
    ///
    /// args = DPOConfig(output_dir="out", beta=0.2, generate_during_eval=True)
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from trl import DPOConfig
    ///
    /// args = DPOConfig(output_dir="out", beta=0.2)
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOConfig
    ///
    /// args = DPOConfig(output_dir="out", beta=0.2)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The argument is removed. Unsafe, since what it asked for is then no longer asked for; safe where it asks for what was the
    /// default. Where the release says the same in another way (`warmup_ratio` became a value of `warmup_steps`), it is said so.
    ///
    /// ## Versions
    ///
    /// The parameters of each release are mined from the released wheels; those of base classes come from the release of their
    /// own package that is in effect.
    ///
    /// ## References
    ///
    /// - trl issue 4928, transformers migration guide of 5.0
    RemovedArgument = "removed-argument", "DPL110", Error, "an argument is passed that the callable no longer has",
        left_by: ["moved-argument", "training-arguments-for-trl-trainer"]
}

impl Rule for RemovedArgument {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        found.extend(report_settings(analysis, script, context, &Self::META, |fate| *fate == Fate::Gone));
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let is_ours =
            |unfit: &&Unfit<'_>| unfit.misfit.fate == Fate::Gone && !force_use_ref_model::is_ours(call, unfit.argument);
        let ours: Vec<&Unfit<'_>> = call.unfit().iter().filter(is_ours).collect();
        // What can be said otherwise is mended by itself, and what says nothing new may go without a thought.
        let (said, rest): (Vec<_>, Vec<_>) = ours
            .into_iter()
            .map(|unfit| (unfit, rewritten::rewrite(call, unfit.argument)))
            .partition(|one| one.1.is_some());
        for (unfit, rewrite) in said {
            let Some(mut finding) = report_unfit(call, &Self::META, &[unfit]) else { continue };
            finding.fixes.extend(rewrite.and_then(|rewrite| rewritten::fix(analysis, call, unfit.argument, rewrite)));
            finding.help = finding.fixes.first().map(|fix| fix.title.clone());
            found.push(finding);
        }
        let (idle, rest): (Vec<_>, Vec<_>) =
            rest.into_iter().map(|one| one.0).partition(|unfit| rewritten::is_default(call, unfit));
        for (some, applicability) in [(rest, Applicability::Unsafe), (idle, Applicability::Safe)] {
            for group in by_reach(some.into_iter()) {
                let Some(mut finding) = report_unfit(call, &Self::META, &group) else { continue };
                finding.fixes.extend(removed(analysis, &group, applicability));
                found.push(finding);
            }
        }
    }
}

fn removed(analysis: &Analysis, group: &[&Unfit<'_>], applicability: Applicability) -> Option<Fix> {
    let spans: Vec<_> = group.iter().map(|unfit| unfit.argument.span).collect();
    let module = analysis.modules.get(&spans.first()?.file)?;
    if spans.iter().any(|span| span.file != module.file()) {
        return None;
    }
    let edits = python_edit::remove_arguments(module, &spans).ok()?;
    let names: Vec<String> = group.iter().map(|unfit| format!("`{}`", unfit.name())).collect();
    let title = format!("remove {}", super::versions::enumerate(&names));
    let is_sure = group.iter().all(|unfit| unfit.argument.unpacked.is_none());
    Some(Fix { title, applicability: if is_sure { applicability } else { Applicability::Unsafe }, edits })
}
