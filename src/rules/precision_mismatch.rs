//! Precisions that the launcher and the run say differently.

use super::ask::Call;
use super::configured::{Configured, configured};
use super::declare::declare_rule;
use super::framework::{label, push_new, push_of_each};
use super::launched::{HALVES, Started, started};
use super::report::plain;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::eval::Const;
use crate::lower::Analysis;
use crate::lower::launch::Launch;
use crate::model::Variant;
use crate::source::Span;
use crate::syntax::{Document, Entry, Scalar};

declare_rule! {
    /// ## What it does
    ///
    /// Reports runs for which `accelerate launch` (its option or its configuration) asks for one half precision and the configuration of
    /// the trainer, or the `DeepSpeed` file of accelerate, for another one. Configurations of axolotl count, too.
    ///
    /// ## Why it matters
    ///
    /// The trainer's configuration overwrites what accelerate was told without a word, so that the run trains in another precision than
    /// its launch line says; a `bf16: false` does not, and the launcher's `bf16` holds. With a `DeepSpeed` file that enables the other
    /// one, accelerate raises `ValueError`.
    ///
    /// ## Example
    ///
    /// ```python,beside
    /// from trl import DPOConfig, DPOTrainer, TrlParser
    ///
    /// args, = TrlParser(DPOConfig).parse_args_and_config()
    /// trainer = DPOTrainer(model=load(), args=args, train_dataset=data())
    /// ```
    ///
    /// ```sh,bad
    /// accelerate launch --mixed_precision fp16 train.py --bf16 True --output_dir out
    /// ```
    ///
    /// ```sh,good
    /// accelerate launch --mixed_precision bf16 train.py --bf16 True --output_dir out
    /// ```
    ///
    /// ```sh,good
    /// accelerate launch --mixed_precision fp16 train.py --output_dir out
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which of them is meant cannot be told.
    ///
    /// ## Versions
    ///
    /// All known releases of transformers. Only what is written is compared, not defaults.
    ///
    /// ## References
    ///
    /// - transformers `training_args.py`, `ACCELERATE_MIXED_PRECISION`; accelerate `DeepSpeedPlugin.set_mixed_precision`
    /// - transformers issue 39849, `MedicalGPT` issue 191
    PrecisionMismatch = "precision-mismatch", "DPL304", Error, "the launcher and the run say different precisions"
}

impl Rule for PrecisionMismatch {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, configured(analysis, context), of_configuration);
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        // Nothing but accelerate says a precision beside the run.
        let is_accelerate = |_: &Variant, launch: &Launch| launch.launcher("accelerate launch").is_some();
        for started in started(analysis, call.run, call.knowledge, is_accelerate) {
            push_new(found, refused(&started).or_else(|| overwritten(&started)));
        }
    }
}

/// The precision that the launcher says does not count, or counts although the run says no.
fn overwritten(started: &Started<'_>) -> Option<Diagnostic> {
    let (theirs, place) = started.accelerate_option("mixed_precision")?;
    let (own, other) = HALVES.into_iter().find(|(half, _)| *half == theirs)?;
    let said = |name: &str| Some((started.truth(name)?, started.field(name)?.1?));
    if let Some((true, ours)) = said(other) {
        // Who asks for both is refused, whatever the launcher says.
        if started.truth(own) == Some(true) {
            return None;
        }
        return Some(unheard((theirs, place), (other, ours)));
    }
    let (false, ours) = said(own)? else { return None };
    // Where `bf16` is left out some releases of TRL turn it on.
    (!started.truth(other)?).then(|| {
        let message = format!("the run trains in {theirs}, although it says no to it: the launcher's word holds");
        finding(Severity::Warning, message, label(ours, "this does not count"), label(place, "this does"))
    })
}

/// The same of a program that tells accelerate the precision of its configuration.
fn of_configuration(configured: &Configured<'_>) -> Option<Diagnostic> {
    let (theirs, place) =
        configured.accelerate_option("mixed_precision").filter(|_| configured.runs.overwrites_precision)?;
    let (_, other) = HALVES.into_iter().find(|(half, _)| *half == theirs)?;
    let key = configured.reader.configuration.get(other)?;
    matches!(key.value.scalar(), Some(Scalar::Bool(true))).then(|| unheard((theirs, place), (other, key.span)))
}

fn unheard((theirs, place): (&str, Span), (ours, said): (&str, Span)) -> Diagnostic {
    let message = format!("the run trains in {ours}, whatever the launcher says: {theirs}");
    finding(Severity::Warning, message, label(place, "this does not count"), label(said, "this does"))
}

/// What accelerate refuses: the precision of the run, and a `DeepSpeed` file that enables the other one.
fn refused(started: &Started<'_>) -> Option<Diagnostic> {
    let (document, named) = started.accelerate_deepspeed()?;
    // A file that the run names itself is compared with the run: another rule's.
    started.field("deepspeed").filter(|(value, _)| *value == Const::None)?;
    let is_run = |name: &str| started.truth(name);
    let (half, place) = match (is_run("fp16")?, is_run("bf16")?) {
        (true, _) => ("fp16", started.field("fp16")?.1),
        (_, true) => ("bf16", started.field("bf16")?.1),
        _ => {
            let (theirs, place) = started.accelerate_option("mixed_precision")?;
            (HALVES.iter().find(|(half, _)| *half == theirs)?.0, Some(place))
        }
    };
    let other = HALVES.into_iter().find(|(one, _)| *one == half)?.1;
    let enabled = enabled(document, other)?;
    let message = format!("the run is to train in {half}, and DeepSpeed's file enables {other}");
    let related = label(place.unwrap_or(started.launch.span), format!("this asks for {half}"));
    let mut finding =
        finding(Severity::Error, message, label(enabled.span, "ValueError: it does not go with the run"), related);
    finding.related.push(label(named, "the file is named here"));
    finding.help = Some(format!("write `\"auto\"` for `{other}.enabled`, which takes over what the run says"));
    Some(finding)
}

/// Where a `DeepSpeed` file enables a half precision.
fn enabled<'d>(document: &'d Document, half: &str) -> Option<&'d Entry> {
    let entry = document.root.get(half)?.entry("enabled")?;
    matches!(entry.value.scalar(), Some(Scalar::Bool(true))).then_some(entry)
}

fn finding(severity: Severity, message: String, primary: Label, related: Label) -> Diagnostic {
    let mut finding = plain(&PrecisionMismatch::META, severity, message, primary);
    finding.related = vec![related];
    finding.help = Some("say the same in both places".to_owned());
    finding
}
