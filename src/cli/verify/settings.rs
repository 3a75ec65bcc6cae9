//! From what the linter read of a run to what the runner trains.
//!
//! Every setting of the user's is either in the specification, or changes nothing about losses, or is refused with its place.

mod adapter;
mod loss;
mod quiet;
mod reference;
mod values;

use super::names;
use super::weights::Weight;
use crate::knowledge::Knowledge;
use crate::lower::{Held, Options, Told, TrainingRun};
use crate::runner::{Accumulated, AccumulationEnd, Era, OptimizerSpec, Quirks, RunSpec, Schedule, Truncation};
use crate::source::Span;
use values::{number, numbers, seed, shown, word};

/// A run as the runner trains it, and what it leaves out.
pub(super) struct Settled {
    pub spec: RunSpec,
    pub steps: StepPlan,
    /// What is done in another way than the user's run does it.
    pub notes: Vec<Remark>,
    /// Whether a reference model is passed although the adapter can be switched off.
    pub has_spare_reference: bool,
    /// Why the losses of the user's own run are others, from the same model, data and seed.
    pub differs: Vec<String>,
    /// The model by the name or path that the script loads.
    pub model: Option<String>,
    /// Where settings are set, for what only the model or the data tell.
    pub places: Vec<(String, Span)>,
}

/// What a setting comes to, and where it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remark {
    pub message: String,
    pub place: Option<Span>,
}

/// How long a run is, of which only the data tell the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct StepPlan {
    pub max_steps: Option<usize>,
    pub epochs: f64,
    pub warmup_steps: f64,
    pub warmup_ratio: f64,
}

impl StepPlan {
    /// Writes the length of the run and of its warm-up, for so many pairs.
    pub fn settle(&self, spec: &mut RunSpec, pairs: usize) {
        let passes = pairs.div_ceil(spec.batch_size).div_ceil(spec.accumulation).max(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "as Python rounds it"
        )]
        let rounded = |of: usize, share: f64| (of as f64 * share).ceil().max(0.0) as usize;
        spec.total_steps = self.max_steps.unwrap_or_else(|| rounded(passes, self.epochs).max(1));
        spec.optimizer.warmup_steps = match self.warmup_steps {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of steps")]
            steps if steps >= 1.0 => steps as usize,
            share if share > 0.0 => rounded(spec.total_steps, share),
            _ => rounded(spec.total_steps, self.warmup_ratio),
        };
    }
}

/// Reads a run; what cannot be trained comes back as a list.
pub(super) fn settle(run: &TrainingRun<'_>, knowledge: &Knowledge) -> Result<Settled, Vec<Remark>> {
    let mut reader = Reader::new(run, knowledge);
    let mut settled = reader.settle();
    reader.refuse_collator();
    reader.look_at_quiet_settings();
    reader.refuse_the_rest();
    settled.notes.append(&mut reader.notes);
    if reader.refused.is_empty() { Ok(settled) } else { Err(reader.refused) }
}

/// The trainer whose runs are trained.
const TRAINER: &str = "DPOTrainer";

/// The largest seed that a number holds exactly.
const MOST_SEED: f64 = 9_007_199_254_740_992.0;

/// So many batches are one step at most.
const MOST_BATCHES: usize = 1_000_000;

struct Reader<'a> {
    run: &'a TrainingRun<'a>,
    knowledge: &'a Knowledge,
    trainer: Options<'a>,
    config: Option<Options<'a>>,
    adapter: Option<Options<'a>>,
    /// Where adapters are configured by a model configuration of TRL.
    is_from_model_config: bool,
    /// Whether the model has the adapter before the trainer gets it.
    comes_with_adapter: bool,
    notes: Vec<Remark>,
    refused: Vec<Remark>,
}

impl<'a> Reader<'a> {
    fn new(run: &'a TrainingRun<'a>, knowledge: &'a Knowledge) -> Self {
        let trainer = run.arguments();
        let config = trainer.argument("args").and_then(|held| run.options(&held.value));
        let mut reader = Reader {
            run,
            knowledge,
            trainer,
            config,
            adapter: None,
            is_from_model_config: false,
            comes_with_adapter: false,
            notes: Vec::new(),
            refused: Vec::new(),
        };
        reader.find_adapter();
        reader
    }

    fn refuse(&mut self, message: &str, place: Option<Span>) {
        self.refused.push(Remark { message: message.to_owned(), place });
    }

    fn note(&mut self, message: String, place: Option<Span>) {
        self.notes.push(Remark { message, place });
    }

    /// A setting of the run: the trainer's own argument where it is given, else the configuration's field.
    fn held(&self, name: &str) -> Option<Held> {
        let own = self.trainer.argument(name).filter(|held| self.trainer.has(name) && !held.value.is_none());
        own.or_else(|| self.config.as_ref()?.get(name)).or_else(|| self.trainer.get(name))
    }

    fn number(&mut self, name: &str) -> Option<f64> {
        let held = self.held(name)?;
        match number(&held.value) {
            Ok(number) => number,
            Err(()) => self.standing_in(name, &held, number),
        }
    }

    /// What is used instead of a value that cannot be told: the default of the release.
    fn standing_in<T>(&mut self, name: &str, held: &Held, read: impl Fn(&Told) -> Result<Option<T>, ()>) -> Option<T> {
        let default =
            self.config.as_ref().and_then(|config| config.default(name)).or_else(|| self.trainer.default(name));
        let value = default.as_ref().and_then(|default| read(default).ok().flatten());
        let what = default.as_ref().map_or_else(|| String::from("none"), shown);
        self.note(format!("`{name}` cannot be told; its default is used: {what}"), held.origin);
        value
    }

    /// A number of things, of which there is at least one.
    fn whole(&mut self, name: &str) -> Option<usize> {
        let number = self.number_within(name, "a positive whole number", |one| one >= 1.0 && one.fract() == 0.0)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "asked for just before")]
        Some(number as usize)
    }

    /// A number that must be so; another one is refused.
    fn number_within(&mut self, name: &str, what: &str, is_good: impl Fn(f64) -> bool) -> Option<f64> {
        let number = self.number(name)?;
        if !is_good(number) {
            let place = self.held(name).and_then(|held| held.origin);
            self.refuse(&format!("`{name}` is {number}, not {what}"), place);
            return None;
        }
        Some(number)
    }

    /// A seed. That of a run seeds numpy, too, which takes no others.
    fn seed(&mut self, name: &str, most: f64) -> Option<u64> {
        self.number_within(name, "a seed that can be set", |one| (0.0..=most).contains(&one)).map(seed)
    }

    /// A truth value that decides what is computed: it must be known.
    fn truth(&mut self, name: &str) -> bool {
        let Some(held) = self.held(name) else { return false };
        if let Told::Const(constant) = &held.value {
            return constant.truthy();
        }
        self.refuse(&format!("`{name}` cannot be told"), held.origin);
        false
    }

    /// A word that decides what is computed.
    fn word(&mut self, name: &str, default: &str) -> (String, Option<Span>) {
        let Some(held) = self.held(name) else { return (default.to_owned(), None) };
        match word(&held.value) {
            // The module's own name for what a release optimises with.
            Some(word) if word == "default_optim" => {
                (self.fact_of("transformers", "Trainer", "default_optim").unwrap_or(default).to_owned(), None)
            }
            Some(word) => (word, held.origin),
            None if held.value.is_none() => (default.to_owned(), None),
            None => {
                self.refuse(&format!("`{name}` cannot be told"), held.origin);
                (default.to_owned(), None)
            }
        }
    }

    /// How the trainer works inside.
    fn fact(&self, fact: &str) -> Option<&'a str> {
        self.fact_of("trl", TRAINER, fact)
    }

    fn fact_of(&self, package: &str, trainer: &str, fact: &str) -> Option<&'a str> {
        let package = self.knowledge.package(package)?;
        let release = self.run.releases.of(package.name())?;
        let mut facts = self.knowledge.curated().trainer_facts(package.name(), trainer, fact);
        facts.find(|one| package.releases_in(&one.releases).contains(release)).map(|one| one.value.as_str())
    }

    fn settle(&mut self) -> Settled {
        let era = match self.fact("tokenises") {
            Some("parts" | "collator") => Era::Collator,
            Some("separate") => Era::Separate,
            Some("together") => Era::Together,
            _ => Era::CommonPrefix,
        };
        let truncation = self.truncation();
        let drops = self.drops();
        let lora = self.lora(drops);
        let (reference, has_spare_reference) = self.reference(lora.is_some());
        self.precision();
        let usual = RunSpec::default();
        let spec = RunSpec {
            era,
            beta: self.number("beta").unwrap_or(usual.beta),
            losses: self.losses(),
            likelihood: self.likelihood(),
            skips_zeros: self.fact("likelihood") == Some("skips_zeros"),
            divergence: self.divergence(),
            label_smoothing: self.number("label_smoothing").unwrap_or(usual.label_smoothing),
            ld_alpha: self.number("ld_alpha"),
            weighting: self.weighting(),
            keeps_logits: self.truth("use_logits_to_keep"),
            discopop_tau: self.number("discopop_tau").unwrap_or(usual.discopop_tau),
            reference,
            lora,
            takes_head_adapter: self.takes_head_adapter(),
            drops,
            max_length: self.length("max_length"),
            max_prompt_length: self.length("max_prompt_length"),
            max_completion_length: self.length("max_completion_length"),
            truncation,
            quirks: self.quirks(),
            drops_full_prompts: self.fact("drops_full_prompts").is_some(),
            batch_size: self.whole("per_device_train_batch_size").unwrap_or(usual.batch_size),
            accumulation: self.accumulation().unwrap_or(usual.accumulation),
            accumulation_end: match self.fact_of("transformers", "Trainer", "accumulation") {
                Some("across_passes") => AccumulationEnd::InNextPass,
                Some("scaled") => AccumulationEnd::Part,
                _ => AccumulationEnd::Whole,
            },
            optimizer: self.optimizer(),
            total_steps: 1,
            seed: self.seed("seed", f64::from(u32::MAX)).unwrap_or(usual.seed),
            data_seed: self.seed("data_seed", MOST_SEED),
            shuffle: self.is_shuffled(),
        };
        let steps = self.steps();
        let model = self.model();
        let places = self.places();
        let (notes, differs) = (std::mem::take(&mut self.notes), self.differences());
        Settled { spec, steps, notes, has_spare_reference, differs, model, places }
    }

    fn steps(&mut self) -> StepPlan {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "asked for just before")]
        let max_steps = self.number("max_steps").filter(|steps| *steps >= 1.0).map(|steps| steps as usize);
        let epochs = if max_steps.is_some() {
            self.number("num_train_epochs")
        } else {
            self.number_within("num_train_epochs", "a number of passes", |epochs| epochs > 0.0 && epochs.is_finite())
        };
        StepPlan {
            max_steps,
            epochs: epochs.unwrap_or(3.0),
            warmup_steps: self.number("warmup_steps").unwrap_or(0.0),
            warmup_ratio: self
                .number_within("warmup_ratio", "a share of all steps", |share| (0.0..=1.0).contains(&share))
                .unwrap_or(0.0),
        }
    }

    fn accumulation(&mut self) -> Option<usize> {
        let count = self.whole("gradient_accumulation_steps")?;
        if count > MOST_BATCHES {
            let place = self.held("gradient_accumulation_steps").and_then(|held| held.origin);
            self.refuse(
                &format!("`gradient_accumulation_steps` is {count}; no step of so many batches ends here"),
                place,
            );
        }
        Some(count)
    }

    /// Where everything that is set is set.
    fn places(&self) -> Vec<(String, Span)> {
        let all = [self.adapter.as_ref(), Some(&self.trainer), self.config.as_ref()];
        let set = all.into_iter().flatten().flat_map(|options| {
            let place = |name: String| Some((options.get(&name)?.origin?, name));
            options.names_set().into_iter().filter_map(place).map(|(place, name)| (name, place)).collect::<Vec<_>>()
        });
        set.collect()
    }

    fn quirks(&self) -> Quirks {
        let is = |fact: &str, value: &str| self.fact(fact) == Some(value);
        let told = is("losses", "divided");
        let (gradients, adds_losses) = match self.fact_of("transformers", "Trainer", "accumulated") {
            Some("added_up") => (Accumulated::Sum, true),
            Some("gradients_added_up") => (Accumulated::Sum, false),
            Some("gradients_divided_twice") => (Accumulated::DividedTwice, false),
            Some("added_up_unless_told") if !told => (Accumulated::Sum, true),
            _ => (Accumulated::Mean, false),
        };
        Quirks {
            tokenises_parts: is("tokenises", "parts"),
            needs_start: is("start_token", "needed"),
            keeps_merged: is("merged_token", "of_answer"),
            repeats_marks: is("special_tokens", "repeated"),
            cuts_last: is("last_column", "cut"),
            gradients,
            adds_losses,
        }
    }

    /// What keeps the user's run from drawing the same random numbers.
    fn differences(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let seeds = |callee: &str| {
            callee.ends_with("set_seed") || callee.ends_with("manual_seed") || callee.ends_with("seed_everything")
        };
        let is_seeded = self.run.call.trace.calls.iter().any(|call| seeds(&call.object.callee));
        if self.adapter.is_some() && self.fact("seeds_adapter").is_none() && !is_seeded {
            reasons.push(String::from(
                "this release draws the adapter before it seeds, and the script does not call set_seed: its losses differ from the third on",
            ));
        }
        if self.fact_of("transformers", "Trainer", "sampler").is_none() {
            reasons.push(String::from("this release of transformers draws the order of the rows in another way"));
        }
        reasons
    }

    fn length(&mut self, name: &str) -> Option<usize> {
        self.whole(name).or_else(|| self.fact(name)?.parse().ok())
    }

    fn truncation(&mut self) -> Truncation {
        let (mode, place) = self.word("truncation_mode", "keep_start");
        match (mode.as_str(), self.fact("keep_end")) {
            ("keep_start", _) | ("keep_end", Some("as_keep_start")) => Truncation::KeepStart,
            ("keep_end", Some("of_batch")) => Truncation::KeepEndOfBatch,
            ("keep_end", _) => Truncation::KeepEnd,
            (other, _) => {
                self.refuse(&format!("`truncation_mode` is {other:?}, which TRL refuses"), place);
                Truncation::KeepStart
            }
        }
    }

    fn precision(&mut self) {
        for name in ["bf16", "fp16"] {
            let Some(held) = self.held(name) else { continue };
            if matches!(&held.value, Told::Const(constant) if constant.truthy()) {
                self.note(format!("`{name}` is set; here everything is computed in 32 bits"), held.origin);
            }
        }
        let Some(adapter) = self.adapter.clone() else { return };
        for name in ["load_in_4bit", "load_in_8bit"] {
            let held =
                adapter.get(name).filter(|held| matches!(&held.value, Told::Const(constant) if constant.truthy()));
            if let Some(held) = held {
                self.note(format!("`{name}` is set; here the base model is not quantised"), held.origin);
            }
        }
    }

    fn optimizer(&mut self) -> OptimizerSpec {
        let (name, place) = self.word("optim", "adamw_torch");
        if !names::is_adamw(&name) {
            self.refuse(&format!("`optim` {name:?} is not implemented here, only torch's AdamW"), place);
        }
        let usual = RunSpec::default().optimizer;
        let share = "a share below 1, which AdamW needs";
        let is_share = |one| (0.0..1.0).contains(&one);
        OptimizerSpec {
            // What torch's AdamW refuses is refused.
            learning_rate: self.not_negative("learning_rate").unwrap_or(usual.learning_rate),
            beta1: self.number_within("adam_beta1", share, is_share).unwrap_or(usual.beta1),
            beta2: self.number_within("adam_beta2", share, is_share).unwrap_or(usual.beta2),
            epsilon: self.not_negative("adam_epsilon").unwrap_or(usual.epsilon),
            weight_decay: self.not_negative("weight_decay").unwrap_or(usual.weight_decay),
            // Transformers clips nothing where it is not positive.
            max_grad_norm: self.number("max_grad_norm").unwrap_or(0.0),
            schedule: self.schedule(),
            warmup_steps: 0,
        }
    }

    fn not_negative(&mut self, name: &str) -> Option<f64> {
        self.number_within(name, "a number from 0 on, which AdamW needs", |one| one >= 0.0)
    }

    fn schedule(&mut self) -> Schedule {
        let (name, place) = self.word("lr_scheduler_type", "linear");
        let more = self.held("lr_scheduler_kwargs");
        let arguments = more.as_ref().map_or(Some(Vec::new()), |held| numbers(&held.value));
        let Some(arguments) = arguments else {
            self.refuse("`lr_scheduler_kwargs` cannot be told", more.and_then(|held| held.origin));
            return Schedule::Linear;
        };
        let kind = name.to_ascii_lowercase();
        for (key, _) in &arguments {
            if !names::schedule_arguments(&kind).contains(&key.as_str()) {
                let place = more.as_ref().and_then(|held| held.origin);
                self.refuse(&format!("`{key}` of `lr_scheduler_kwargs` is not implemented here with {name:?}"), place);
            }
        }
        let rate = self.number("learning_rate").unwrap_or(RunSpec::default().optimizer.learning_rate);
        names::schedule(&kind, &arguments, rate).unwrap_or_else(|| {
            self.refuse(&format!("`lr_scheduler_type` {name:?} is not implemented here"), place);
            Schedule::Linear
        })
    }

    fn is_shuffled(&mut self) -> bool {
        let (strategy, place) = self.word("train_sampling_strategy", "random");
        if strategy == "group_by_length" {
            self.refuse("`train_sampling_strategy` \"group_by_length\" is not implemented here", place);
        }
        strategy != "sequential"
    }

    /// Batches that the project makes in its own way are not made here.
    fn refuse_collator(&mut self) {
        let Some(held) = self.trainer.argument("data_collator").filter(|held| !held.value.is_none()) else { return };
        if !self.run.options(&held.value).is_some_and(|made| made.callee().starts_with("trl.")) {
            self.refuse("`data_collator` is not run here: batches are made as TRL's own does it", held.origin);
        }
    }

    /// What is set and neither implemented nor without influence is refused, unless it is the default anyway.
    fn refuse_the_rest(&mut self) {
        let all = [self.config.clone(), Some(self.trainer.clone()), self.adapter.clone()];
        let kinds = [Weight::of_config, Weight::of_trainer, Weight::of_adapter];
        for (options, weigh) in all.into_iter().zip(kinds) {
            let Some(options) = options else { continue };
            for name in options.names_set() {
                if weigh(&name) != Weight::Decides {
                    continue;
                }
                let Some(held) = options.get(&name) else { continue };
                let is_default = options.default(&name).is_some_and(|default| default.is_same(&held.value));
                if !is_default && !held.value.is_none() {
                    self.refuse(&format!("`{name}` is not implemented here"), held.origin);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `TrainingArguments.get_warmup_steps` and the trainer round: up.
    #[test]
    fn parts_of_passes_and_of_warm_ups_are_rounded_up() {
        let plan = StepPlan { max_steps: None, epochs: 0.5, warmup_steps: 0.0, warmup_ratio: 0.1 };
        let settled = |plan: &StepPlan, pairs: usize| {
            let mut spec = RunSpec { batch_size: 2, accumulation: 2, ..RunSpec::default() };
            plan.settle(&mut spec, pairs);
            (spec.total_steps, spec.optimizer.warmup_steps)
        };
        // 21 pairs are 11 batches and 6 steps.
        assert_eq!(settled(&plan, 21), (3, 1));
        assert_eq!(settled(&StepPlan { epochs: 2.6, ..plan }, 21), (16, 2));
        assert_eq!(settled(&StepPlan { epochs: 2.6, warmup_steps: 0.3, ..plan }, 21), (16, 5));
        assert_eq!(settled(&StepPlan { max_steps: Some(7), warmup_steps: 3.0, ..plan }, 21), (7, 3));
    }
}
