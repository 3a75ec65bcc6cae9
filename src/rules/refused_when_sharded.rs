//! Options of the trainer that it refuses where the model is cut into pieces.

use super::ask::Call;
use super::checkpointing::fact;
use super::configured::{Configured, configured};
use super::declare::declare_rule;
use super::framework::{label, push_new, push_of_each};
use super::launched::{Started, started, zero3};
use super::report::plain;
use super::tree::refused_with_stage3;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::eval::Const;
use crate::knowledge::Knowledge;
use crate::lower::Analysis;
use crate::source::Span;
use crate::syntax::Scalar;

/// The facts about the trainer, and the options that they are about.
const BEST: (&str, &str) = ("best_of_models_only", "save_only_model");
const FOUND: (&str, &str) = ("batch_size_found", "auto_find_batch_size");

declare_rule! {
    /// ## What it does
    ///
    /// Reports runs with `DeepSpeed` or FSDP that ask for `save_only_model` together with `load_best_model_at_end`, and runs with stage
    /// 3 of `DeepSpeed` that ask for `auto_find_batch_size`. Of xtuner: a `DPO` that has to copy its model for a reference, with stage 3.
    ///
    /// ## Why it matters
    ///
    /// The best model is loaded with the engine's own checkpoint, which `save_only_model` leaves out, and stage 3 cannot start again with
    /// another batch. The trainer of transformers raises `ValueError`, after the model was loaded.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// transformers==5.20.0
    /// ```
    ///
    /// ```python,beside
    /// from trl import DPOConfig, DPOTrainer, TrlParser
    ///
    /// args, = TrlParser(DPOConfig).parse_args_and_config()
    /// trainer = DPOTrainer(model=load(), args=args, train_dataset=data())
    /// ```
    ///
    /// ```json,deepspeed
    /// {"zero_optimization": {"stage": 2}}
    /// ```
    ///
    /// ```sh,bad
    /// torchrun --nproc_per_node 8 train.py --deepspeed ds.json --save_only_model True --load_best_model_at_end True
    /// ```
    ///
    /// ```sh,good
    /// torchrun --nproc_per_node 8 train.py --deepspeed ds.json --load_best_model_at_end True
    /// ```
    ///
    /// ```sh,good
    /// torchrun --nproc_per_node 8 train.py --save_only_model True --load_best_model_at_end True
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which of the options is wanted cannot be told.
    ///
    /// ## Versions
    ///
    /// The releases of transformers with these checks are known.
    ///
    /// ## References
    ///
    /// - transformers `trainer.py`, `create_accelerator_and_postprocess`; transformers issue 27751
    RefusedWhenSharded = "refused-when-sharded", "DPL503", Error, "the trainer refuses an option with DeepSpeed or FSDP"
}

impl Rule for RefusedWhenSharded {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, configured(analysis, context), |configured| {
            of_configuration(configured, context.knowledge)
        });
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        push_new(found, refused_with_stage3(analysis, call, &Self::META));
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        for started in started(analysis, call.run, call.knowledge, |_, _| true) {
            push_new(found, best_of_models(&started, call.knowledge));
            push_new(found, batch_size(analysis, call, &started));
        }
    }
}

fn best_of_models(started: &Started<'_>, knowledge: &Knowledge) -> Option<Diagnostic> {
    let said = |name: &str| match started.field(name)? {
        (Const::Bool(true), place) => place,
        _ => None,
    };
    let (only, best) = (said(BEST.1)?, said("load_best_model_at_end")?);
    let (by, place) = started.sharded()?;
    fact(&started.run, knowledge, ("transformers", "Trainer"), BEST.0)?;
    let (message, primary) = refused_best(by, only);
    let mut finding = plain(&RefusedWhenSharded::META, Severity::Error, message, primary);
    finding.related = vec![label(best, "with this"), label(place, format!("this is {by}"))];
    Some(finding)
}

fn batch_size(analysis: &Analysis, call: &Call<'_>, started: &Started<'_>) -> Option<Diagnostic> {
    let (_, place) = started.field(FOUND.1).filter(|(value, _)| *value == Const::Bool(true))?;
    let stage = zero3(analysis, call.run, started.run.variant)?;
    fact(&started.run, call.knowledge, ("transformers", "Trainer"), FOUND.0)?;
    let (message, primary) = refused_search(place?);
    let mut finding = plain(&RefusedWhenSharded::META, Severity::Error, message, primary);
    finding.related = vec![label(stage, "this is stage 3")];
    Some(finding)
}

/// The same of a program whose keys go to the trainer as they are.
fn of_configuration(configured: &Configured<'_>, knowledge: &Knowledge) -> Vec<Diagnostic> {
    let reader = &configured.reader;
    let said = |name: &str| {
        let key = reader.configuration.get(name)?;
        let is_true = match key.value.scalar() {
            Some(Scalar::Bool(value)) => *value,
            Some(Scalar::Str(word)) => word.eq_ignore_ascii_case("true"),
            _ => false,
        };
        // What the program declares itself, it may do something else with.
        (is_true && !reader.declares(name)).then_some(key.span)
    };
    let is_known = |fact: &str| {
        let package = knowledge.package("transformers")?;
        let release = reader.at(reader.release).of(package.name())?;
        let mut facts = knowledge.curated().trainer_facts(package.name(), "Trainer", fact);
        facts.find(|one| package.releases_in(&one.releases).contains(release)).map(|_| ())
    };
    let finding = |(message, primary): (String, Label), related: Vec<Label>| {
        let mut finding = reader.finding(&RefusedWhenSharded::META, Severity::Error, message, primary);
        finding.related = related;
        finding
    };
    let best = || {
        let (only, best) = (said(BEST.1)?, said("load_best_model_at_end")?);
        let (by, place) = configured.sharded()?;
        is_known(BEST.0)?;
        Some(finding(refused_best(by, only), vec![label(best, "with this"), label(place, format!("this is {by}"))]))
    };
    let search = || {
        let (place, stage) = (said(FOUND.1)?, configured.stage3()?);
        is_known(FOUND.0)?;
        Some(finding(refused_search(place), vec![label(stage, "this is stage 3")]))
    };
    best().into_iter().chain(search()).collect()
}

fn refused_best(by: &str, only: Span) -> (String, Label) {
    let message = format!("{by} cannot load the best model of a run that saves only models");
    (message, label(only, format!("ValueError: {by} can't be used with it along with `load_best_model_at_end`")))
}

fn refused_search(place: Span) -> (String, Label) {
    let message = "stage 3 of DeepSpeed does not look for a batch size".to_owned();
    (message, label(place, "ValueError: it isn't supported yet with DeepSpeed Zero-3"))
}
