//! Methods that a trainer no longer has.

use super::ask::Call;
use super::declare::declare_rule;
use super::framework::label;
use super::report::{Reach, called, objects};
use super::{Rule, RuleMeta};
use crate::diagnostic::Diagnostic;
use crate::eval::{Atom, CallEvent, Cond};
use crate::knowledge::{LostMethods, ReleaseSet};
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports calls of methods that the trainer's class had in older releases and has no more: `step` and `generate` of `PPOTrainer`.
    ///
    /// ## Why it matters
    ///
    /// In trl 0.12.0 another class took the name `PPOTrainer`. A loop over `generate` and `step` ends with `AttributeError`, after all models
    /// were loaded.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.14.0
    /// ```
    ///
    /// ```python,bad
    /// from trl import PPOConfig, PPOTrainer
    ///
    /// trainer = PPOTrainer(PPOConfig(output_dir="out"), tokenizer, model, reference, reward)
    /// for batch in trainer.dataloader:
    ///     answers = trainer.generate(batch["input_ids"])
    ///     trainer.step(batch["input_ids"], answers, score(answers))
    /// ```
    ///
    /// ```python,good
    /// from trl import PPOConfig, PPOTrainer
    ///
    /// trainer = PPOTrainer(PPOConfig(output_dir="out"), tokenizer, model, reference, reward)
    /// trainer.train()
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: the script has to be written anew, or an older release to be asked for.
    ///
    /// ## Versions
    ///
    /// The methods of the class and of the classes below it were read from every wheel of TRL.
    ///
    /// ## References
    ///
    /// - trl issues 2314, 3146 and 3250
    RemovedMethod = "removed-method", "DPL117", Error, "a method is called that the class no longer has"
}

impl Rule for RemovedMethod {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        // A class of the project may have them itself.
        if call.run.call().through.is_none() {
            let lost = call.knowledge.curated().lost_methods(call.callee());
            found.extend(lost.filter_map(|lost| check(analysis, call, lost)));
        }
    }
}

/// One finding for all of them: they are one mistake.
fn check(analysis: &Analysis, call: &Call<'_>, lost: &LostMethods) -> Option<Diagnostic> {
    let own = call.run.call().object.id;
    let method = |event: &CallEvent| {
        let name = event.object.callee.rsplit('.').next()?.to_owned();
        let receiver = event.object.receiver.as_ref()?;
        let is_meant = objects(receiver).iter().any(|object| object.id == own) && lost.methods.contains(&name);
        (is_meant && !is_guarded(event)).then_some((name, event.object.span))
    };
    let mut uses = call.run.trace.calls.iter().filter_map(method);
    let (name, place) = uses.next()?;
    let affected: ReleaseSet =
        call.package.releases_in(&lost.releases).iter().filter(|release| call.definition(*release).is_some()).collect();
    let outcome = call.holds(&Cond::TRUE, &affected);
    let reach = call.reach_in(&outcome, call.in_effect()?);
    if !call.versions().speaks_of(reach) || reach == Reach::Conditional {
        return None;
    }
    let releases = call.versions().meant(reach, call.in_effect()?, &affected);
    let message = format!("`{}` of {releases} has no method `{name}` any more", call.short_name());
    let primary = label(called(analysis, place)?, "AttributeError");
    let mut finding = call.finding(&RemovedMethod::META, reach, &affected, message, primary);
    let others = uses.filter(|(_, other)| *other != place);
    let mut others: Vec<_> = others.filter_map(|(name, place)| Some((called(analysis, place)?, name))).collect();
    others.dedup();
    finding.related.extend(others.into_iter().map(|(place, name)| label(place, format!("`{name}` is missing, too"))));
    finding.notes.push(lost.instead.clone());
    let older = affected.iter().next().and_then(|first| first.checked_sub(1));
    finding.help = older.map(|older| format!("{} is the last release that has it", call.release(older)));
    call.explain(&mut finding, &outcome);
    Some(finding)
}

/// Whether a human has thought of it: an exception is caught, the release or the method is asked for.
fn is_guarded(event: &CallEvent) -> bool {
    let catches = |name: &std::sync::Arc<str>| matches!(&**name, "AttributeError" | "Exception" | "*");
    let asks = event.when.atoms().into_iter().any(|atom| matches!(atom, Atom::Release(..)));
    asks || event.caught.iter().any(catches) || event.when.to_string().contains("hasattr(")
}
