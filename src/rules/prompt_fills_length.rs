//! Prompts that may be as long as prompt and answer together.

use super::ask::Call;
use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::report::plain;
use super::settled::{Settled, settled};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::eval::Const;
use crate::lower::{Analysis, Told};

declare_rule! {
    /// ## What it does
    ///
    /// Reports a `max_prompt_length` that is not below `max_length`, in releases and for trainers that cut long examples so that nothing
    /// is left of their answers.
    ///
    /// ## Why it matters
    ///
    /// Where prompt and answer are longer than `max_length` together, these trainers cut the answer to `max_length - max_prompt_length`
    /// tokens, or everything behind the first `max_length`. Such examples keep no token of their answer: they are trained on without a
    /// word, and teach nothing.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.11.4
    /// ```
    ///
    /// ```python,bad
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out", max_length=1024, max_prompt_length=1024)
    /// trainer = DPOTrainer(load(), args=args, train_dataset=data())
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out", max_length=1024, max_prompt_length=512)
    /// trainer = DPOTrainer(load(), args=args, train_dataset=data())
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: how long prompts are is not known.
    ///
    /// ## Versions
    ///
    /// What each release of TRL does with both is known by trainer. `CPOTrainer` refuses such lengths since 0.17, which
    /// `constructor-raises` says.
    ///
    /// ## References
    ///
    /// - TRL `dpo_trainer.py`, `kto_trainer.py`, `orpo_trainer.py`; trl issue 1271
    PromptFillsLength = "prompt-fills-length", "DPL605", Warning, "prompts may be so long that nothing is left of the answers"
}

impl Rule for PromptFillsLength {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        if call.callee().starts_with("trl.") {
            for settled in settled(call) {
                push_new(found, check(call, &settled));
            }
        }
    }
}

fn check(call: &Call<'_>, settled: &Settled<'_>) -> Option<Diagnostic> {
    let (prompt, prompt_place) = settled.number("max_prompt_length")?;
    let (whole, whole_place) = settled.number("max_length").filter(|(whole, _)| prompt >= *whole)?;
    let cut = *settled.facts(call, ("trl", call.short_name()), "answers_cut").first()?;
    let keeps_start = || match settled.setting("truncation_mode").map(|held| held.value) {
        Some(Told::Const(Const::Str(word))) => &*word == "keep_start",
        _ => false,
    };
    if cut == "behind the prompt" && !keeps_start() {
        return None;
    }
    let message =
        format!("an example of more than {whole} tokens keeps nothing of its answer: its prompt may have {prompt}");
    let place = prompt_place.or(whole_place)?;
    let outcome = match prompt_place {
        Some(_) => "this is for prompts alone".to_owned(),
        None => format!("`max_prompt_length` is {prompt} by default"),
    };
    let mut finding = plain(&PromptFillsLength::META, Severity::Warning, message, label(place, outcome));
    match whole_place.filter(|_| prompt_place.is_some()) {
        Some(place) => finding.related.push(label(place, "this is for prompt and answer together")),
        None if prompt_place.is_some() => finding.notes.push(format!("`max_length` is {whole} by default")),
        None => {}
    }
    finding.help = Some("leave room for the answers: a lower `max_prompt_length`, or a higher `max_length`".to_owned());
    Some(finding)
}
