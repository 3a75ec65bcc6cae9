//! The escape hatch, used where it does not exist.

use super::ask::{Call, Outcome, definition};
use super::declare::declare_rule;
use super::report::{Reach, objects};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label};
use crate::knowledge::ReleaseSet;
use crate::lower::Analysis;

const OPTION: &str = "force_use_ref_model";

declare_rule! {
    /// ## What it does
    ///
    /// Reports `force_use_ref_model` where a release that the project allows does not have it: as an argument of the trainer
    /// outside the releases that take it there, or as a field of the configuration outside the releases that have it.
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
    /// ```python,good
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out")
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=args)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Safe in releases that accept a reference model beside an adapter without it: the argument is removed.
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

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let Some(arguments) = call.argument("args") else { return };
        for object in objects(&arguments.value.value) {
            let Some(argument) = object.args.iter().find(|argument| argument.name.as_deref() == Some(OPTION)) else {
                continue;
            };
            let package = call.package;
            let has_it = |release: &usize| -> bool {
                let fields =
                    definition(package, &object.callee, *release).and_then(|found| package.signature(found, *release));
                fields.is_some_and(|signature| signature.parameters.contains_key(OPTION))
            };
            let exists = |release: &usize| definition(package, &object.callee, *release).is_some();
            let having: ReleaseSet = package.all().iter().filter(has_it).collect();
            let lacking: ReleaseSet =
                package.all().iter().filter(|release| exists(release) && !having.contains(*release)).collect();
            if having.is_empty() {
                continue;
            }
            let outcome = Outcome::certainly(lacking);
            let reach = call.reach(&outcome);
            if reach == Reach::Elsewhere {
                continue;
            }
            let releases = call.releases(&(&outcome.certain & &call.allowed()));
            let message = format!("`{OPTION}` is not an option of {releases}, so this raises TypeError");
            let primary = Label { span: argument.span, message: String::new() };
            let mut finding = call.finding(&Self::META, reach, &outcome.certain, message, primary);
            finding.notes.push(format!("{} has it", call.releases(&having)));
            call.explain(&mut finding, &outcome);
            finding.help = Some("leave it out".to_owned());
            found.push(finding);
        }
    }
}
