//! The adapter of a run: where it comes from, and what it is.

use super::values::{number, numbers, word, words};
use super::{Reader, TRAINER, names};
use crate::eval::Const;
use crate::lower::{Held, Options, Told};
use crate::runner::{BiasTraining, LoraSpec, Targets};

/// No adapter is larger: that of a module would be wider than the module.
const MOST_RANK: f64 = 65_536.0;

impl Reader<'_> {
    pub(super) fn find_adapter(&mut self) {
        let Some(held) = self.trainer.argument("peft_config").filter(|held| !held.value.is_none()) else {
            return self.find_adapter_of_model();
        };
        let Some(adapter) = self.run.options(&held.value) else {
            return self.refuse("whether there is an adapter cannot be told", held.origin);
        };
        // `get_peft_config(model_args)` hands on fields under names of their own.
        let from = adapter.maker().and_then(|maker| {
            let mut arguments = ["model_args", "model_config"].into_iter();
            arguments.find_map(|name| self.run.options(&maker.any_argument(name)?.value))
        });
        self.is_from_model_config = from.is_some();
        self.adapter = from.or(Some(adapter));
    }

    /// The adapter of a model that has one before the trainer gets it: `get_peft_model(model, LoraConfig(...))`.
    fn find_adapter_of_model(&mut self) {
        let Some(model) = self.trainer.argument("model") else { return };
        let Some(made) = self.run.options(&model.value).filter(|made| self.makes_adapter_model(made)) else { return };
        let config = made.argument("peft_config").and_then(|held| self.run.options(&held.value));
        match config {
            Some(config) => {
                self.adapter = Some(config);
                self.comes_with_adapter = true;
            }
            None => self.refuse("the adapter of the model cannot be told", model.origin),
        }
    }

    pub(super) fn makes_adapter_model(&self, made: &Options<'_>) -> bool {
        self.knowledge.curated().makes_adapter_model(made.callee())
    }

    /// Whether the release in effect takes an adapter on the output layer whatever else is set.
    pub(super) fn takes_head_adapter(&self) -> bool {
        let mut refusals = self.knowledge.curated().head_refusals("trl", TRAINER);
        let refuses = |releases: &str| {
            self.knowledge.package("trl").is_some_and(|trl| trl.releases_in(releases).contains(self.run.release))
        };
        !refusals.any(|refusal| refusal.when == "True" && refuses(&refusal.releases))
    }

    /// Whether numbers are dropped in training. A configuration without such a setting is that of an old release.
    pub(super) fn drops(&mut self) -> bool {
        if self.held("disable_dropout").is_some() { !self.truth("disable_dropout") } else { self.config.is_some() }
    }

    pub(super) fn lora(&mut self, drops: bool) -> Option<LoraSpec> {
        let adapter = self.adapter.clone()?;
        let from_model = self.is_from_model_config;
        if !from_model && !adapter.callee().ends_with("LoraConfig") {
            self.refuse(&format!("only LoRA is trained here, no `{}`", adapter.callee()), Some(adapter.span()));
            return None;
        }
        let get = |name: &str| adapter.get(names::adapter_field(name, from_model));
        let [rank, alpha, dropout] = ["r", "lora_alpha", "lora_dropout"].map(|name| {
            let held = get(name);
            let known = held.as_ref().and_then(|held| number(&held.value).ok()).flatten();
            known.unwrap_or_else(|| {
                self.refuse(&format!("`{name}` cannot be told"), held.and_then(|held| held.origin));
                0.0
            })
        });
        let targets = self.targets(get("target_modules"));
        let bias = self.bias(get("bias"));
        let modules_to_save = self.modules_to_save(get("modules_to_save"));
        let [rslora, dora] = ["use_rslora", "use_dora"].map(|name| self.is_on(name, get(name)));
        let dropout = if drops { dropout } else { 0.0 };
        if dropout > 0.0 {
            let what = "stays on, and other numbers are dropped here than PyTorch drops: losses are not those of TRL";
            self.note(format!("`lora_dropout` {what}"), get("lora_dropout").and_then(|held| held.origin));
        }
        // Both are empty where nothing is said, by a function that makes the default.
        let set = adapter.names_set();
        let given = |name: &str| get(name).filter(|_| set.iter().any(|other| other == name));
        let rank_pattern = self.pattern("rank_pattern", given("rank_pattern"));
        let alpha_pattern = self.pattern("alpha_pattern", given("alpha_pattern"));
        let rank = self.rank("r", rank, get("r"));
        let place = given("rank_pattern");
        let rank_pattern: Vec<(String, usize)> =
            rank_pattern.into_iter().map(|(end, rank)| (end, self.rank("rank_pattern", rank, place.clone()))).collect();
        Some(LoraSpec {
            rank,
            alpha,
            dropout,
            targets,
            rslora,
            dora,
            modules_to_save,
            bias,
            rank_pattern,
            alpha_pattern,
        })
    }

    /// A rank, which PEFT wants to be positive.
    fn rank(&mut self, name: &str, rank: f64, held: Option<Held>) -> usize {
        let is_known = held.as_ref().is_some_and(|held| !matches!(number(&held.value), Err(()) | Ok(None)));
        if !(1.0..=MOST_RANK).contains(&rank) || rank.fract() != 0.0 {
            // What cannot be told is refused already.
            if is_known || name != "r" {
                self.refuse(&format!("`{name}` is {rank}, no rank of an adapter"), held.and_then(|held| held.origin));
            }
            return 1;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "asked for just before")]
        let rank = rank as usize;
        rank
    }

    fn is_on(&mut self, name: &str, held: Option<Held>) -> bool {
        match held {
            None => false,
            Some(Held { value: Told::Const(constant), .. }) => constant.truthy(),
            Some(held) => {
                self.refuse(&format!("`{name}` cannot be told"), held.origin);
                false
            }
        }
    }

    fn bias(&mut self, held: Option<Held>) -> BiasTraining {
        let Some(held) = held.filter(|held| !held.value.is_none()) else { return BiasTraining::None };
        match word(&held.value).as_deref() {
            Some("all") => return BiasTraining::All,
            Some("lora_only") => return BiasTraining::LoraOnly,
            Some("none") => {}
            Some(other) => self.refuse(&format!("`bias` is {other:?}, which PEFT does not know"), held.origin),
            None => self.refuse("`bias` cannot be told", held.origin),
        }
        BiasTraining::None
    }

    fn modules_to_save(&mut self, held: Option<Held>) -> Vec<String> {
        let Some(held) = held.filter(|held| !held.value.is_none()) else { return Vec::new() };
        let is_told = match &held.value {
            Told::List(items) => items.iter().all(|item| word(item).is_some()),
            other => word(other).is_some(),
        };
        if !is_told {
            self.refuse("`modules_to_save` cannot be told", held.origin);
        }
        words(&held.value)
    }

    /// Numbers of an adapter for ends of paths.
    fn pattern(&mut self, name: &str, held: Option<Held>) -> Vec<(String, f64)> {
        let Some(held) = held else { return Vec::new() };
        numbers(&held.value).unwrap_or_else(|| {
            self.refuse(&format!("`{name}` cannot be told"), held.origin);
            Vec::new()
        })
    }

    fn targets(&mut self, held: Option<Held>) -> Targets {
        let Some(held) = held else { return Targets::Default };
        match &held.value {
            Told::Const(Const::None) => Targets::Default,
            Told::Const(Const::Str(text)) if &**text == "all-linear" => Targets::AllLinear,
            Told::Const(Const::Str(text)) => Targets::Regex(text.to_string()),
            Told::List(items) if items.iter().all(|item| word(item).is_some()) => {
                let mut names: Vec<String> = items.iter().filter_map(word).collect();
                // One word in a list is how command lines write it.
                if names == ["all-linear"] { Targets::AllLinear } else { Targets::Names(std::mem::take(&mut names)) }
            }
            _ => {
                self.refuse("`target_modules` cannot be told", held.origin);
                Targets::Default
            }
        }
    }
}
