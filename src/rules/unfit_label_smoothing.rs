//! Label smoothing that the loss does not look at, or cannot take.

use super::ask::Call;
use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::report::plain;
use super::settled::{Settled, settled};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::eval::Const;
use crate::lower::{Analysis, Told};

/// The loss where nothing says another one.
const USUAL: &str = "sigmoid";

declare_rule! {
    /// ## What it does
    ///
    /// Reports a `label_smoothing` of `DPOConfig` that the loss of the release does not use, and one outside of `[0, 0.5)` for the loss
    /// `robust`.
    ///
    /// ## Why it matters
    ///
    /// Newer releases compute the loss `sigmoid` without it and say nothing, so that a run with noisy labels (cDPO) trains as if they were
    /// clean. `robust` divides by `1 - 2 * label_smoothing`.
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
    /// args = DPOConfig(output_dir="out", label_smoothing=0.1)
    /// trainer = DPOTrainer(load(), args=args, train_dataset=data())
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out", label_smoothing=0.1, loss_type="robust")
    /// trainer = DPOTrainer(load(), args=args, train_dataset=data())
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: another loss trains something else.
    ///
    /// ## Versions
    ///
    /// Which losses use it is known for every release of TRL.
    ///
    /// ## References
    ///
    /// - TRL `dpo_trainer.py`, the terms of each loss
    UnfitLabelSmoothing = "unfit-label-smoothing", "DPL702", Warning, "the loss does not use this label smoothing, or cannot take it"
}

impl Rule for UnfitLabelSmoothing {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        // Derived classes may compute the loss themselves.
        if call.run.call().through.is_none() && call.callee().starts_with("trl.") && call.short_name() == "DPOTrainer" {
            for settled in settled(call) {
                push_new(found, check(call, &settled));
            }
        }
    }
}

fn check(call: &Call<'_>, settled: &Settled<'_>) -> Option<Diagnostic> {
    let (smoothing, place) = settled.number("label_smoothing").filter(|(value, _)| *value != 0.0)?;
    let place = place?;
    let (losses, said) = losses(settled)?;
    let trainer = ("trl", "DPOTrainer");
    let using = settled.facts(call, trainer, "smoothed");
    let words: Vec<String> = losses.iter().map(|loss| format!("`{loss}`")).collect();
    let words = words.join(" and ");
    let mut finding = if losses.iter().all(|loss| !using.contains(&loss.as_str())) {
        let release = &call.package.brief().get(settled.run.release)?.version;
        let message = format!("the loss {words} does not use `label_smoothing` in trl {release}");
        let mut finding =
            plain(&UnfitLabelSmoothing::META, Severity::Warning, message, label(place, "this does nothing"));
        finding.help = Some(format!("leave it out, or take a loss that uses it: {}", using.join(", ")));
        finding
    } else if losses.iter().any(|loss| loss == "robust") && !(0.0..0.5).contains(&smoothing) {
        let message = format!("the loss `robust` cannot take a `label_smoothing` of {smoothing}");
        let outcome = "it should lie in [0.0, 0.5)";
        plain(&UnfitLabelSmoothing::META, Severity::Warning, message, label(place, outcome))
    } else {
        return None;
    };
    match said {
        Some(said) => finding.related.push(label(said, "this is the loss")),
        None => finding.notes.push(format!("the loss is {words} by default")),
    }
    Some(finding)
}

/// The losses of a run, and where they are set.
fn losses(settled: &Settled<'_>) -> Option<(Vec<String>, Option<crate::source::Span>)> {
    let Some(held) = settled.setting("loss_type").filter(|held| held.origin.is_some()) else {
        return Some((vec![USUAL.to_owned()], None));
    };
    let word = |told: &Told| match told {
        Told::Const(Const::Str(word)) => Some(word.to_string()),
        _ => None,
    };
    let losses = match &held.value {
        Told::List(items) => items.iter().map(word).collect::<Option<Vec<_>>>()?,
        one => vec![word(one)?],
    };
    (!losses.is_empty()).then_some((losses, held.origin))
}
