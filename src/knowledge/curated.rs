//! Facts that no signature and no constructor of a library shows, each with its source.

mod adapters;
mod arguments;
mod frameworks;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use adapters::{AdapterReference, AdapterWaker, HeadRefusal, TargetWord};
use adapters::{BaseChanging, BaseReference, StrictAdapterFile};
use arguments::PassingOn;
pub use arguments::{Instead, OwnArgument, Passed, Rewrite};
pub use frameworks::StartCheck;

use super::later::{LaterCheck, LaterChoice};
use super::neighbours::Neighbours;
use super::parts::by_hand;

/// `schemas/knowledge/curated.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curated {
    effects: Vec<EffectEntry>,
    adapter_models: Vec<Named>,
    instances: Vec<InstanceEntry>,
    fluent_methods: Methods,
    computed_names: Vec<ComputedName>,
    patches: Vec<Patch>,
    parsers: Vec<ParserEntry>,
    strict_parsers: Vec<ParserReleases>,
    none_words: Vec<ParserReleases>,
    later_choices: Vec<LaterChoice>,
    later_checks: Vec<LaterCheck>,
    lost_methods: Vec<LostMethods>,
    adapter_references: Vec<AdapterReference>,
    base_references: Vec<BaseReference>,
    base_changing: Vec<BaseChanging>,
    adapter_wakers: Vec<AdapterWaker>,
    trainer_facts: Vec<TrainerFact>,
    base_calls: Vec<BaseCall>,
    strict_adapter_files: Vec<StrictAdapterFile>,
    head_refusals: Vec<HeadRefusal>,
    target_words: Vec<TargetWord>,
    passing_on: Vec<PassingOn>,
    models: Vec<ModelSize>,
    rewrites: Vec<Rewrite>,
    start_checks: Vec<StartCheck>,
    neighbours: Neighbours,
    #[serde(skip)]
    sizes: std::sync::OnceLock<BTreeMap<String, u64>>,
}

/// Methods that neither a class nor a class below it has any more.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostMethods {
    class: String,
    /// The package whose releases count.
    pub package: String,
    /// The releases that lack them.
    pub releases: String,
    /// Their names.
    pub methods: Vec<String>,
    /// What the class does since.
    pub instead: String,
    #[serde(rename = "source")]
    _source: String,
}

/// What a call does with one of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect<'a> {
    /// It returns a copy of the argument at this position or of this name.
    Copy(usize, &'a str),
    /// It returns the argument itself.
    Same(usize, &'a str),
    /// A method that returns what it was called on: `model.eval()`.
    Receiver,
    /// It returns a `PeftModel`, never `None`.
    AdapterModel,
    /// It returns an object of its own, never `None`.
    Object,
}

/// An argument parser with a meaning of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParserName {
    /// `argparse.ArgumentParser`.
    Argparse,
    /// `transformers.HfArgumentParser`.
    Hf,
    /// `trl.TrlParser`.
    Trl,
}

/// How a class calls a method of its own, which a class that derives from it may override.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseCall {
    classes: Vec<String>,
    /// The method.
    pub method: String,
    /// What it gets by position, by the names that the class itself has for them.
    pub positional: Vec<String>,
    /// What it gets by name.
    pub keywords: Vec<String>,
    /// The package that has the call.
    pub package: String,
    /// The releases that have it.
    pub releases: String,
    /// The parameters of a method that only has the same name: the call reaches it and means another one.
    #[serde(default)]
    pub mistaken: Vec<String>,
    /// Methods that lead to the call: where one of them is overridden, too, it need not happen.
    pub unless: Vec<String>,
    /// Where this was read.
    pub source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EffectEntry {
    callable: String,
    effect: EffectKind,
    argument: String,
    position: usize,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EffectKind {
    Copy,
    Same,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    callable: String,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceEntry {
    /// `*` stands for any letters inside one component.
    callable: String,
    is: Vec<String>,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Methods {
    names: Vec<String>,
    #[serde(rename = "source")]
    _source: String,
}

/// Names that a package makes up when they are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ComputedName {
    package: String,
    ending: String,
    releases: String,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    package: String,
    patched: String,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParserEntry {
    callable: String,
    kind: ParserName,
    #[serde(rename = "source")]
    _source: String,
}

/// Releases of a parser of which something is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParserReleases {
    kind: ParserName,
    package: String,
    releases: String,
    #[serde(rename = "source")]
    _source: String,
}

impl ParserReleases {
    fn of(all: &[Self], kind: ParserName) -> Option<(&str, &str)> {
        let found = all.iter().find(|entry| entry.kind == kind)?;
        Some((&found.package, &found.releases))
    }
}

/// How a trainer works inside, by release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerFact {
    trainer: String,
    package: String,
    fact: String,
    /// What holds.
    pub value: String,
    /// In which releases.
    pub releases: String,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelSize {
    model: String,
    parameters: u64,
    #[serde(rename = "source")]
    _source: String,
}

/// Classes that an object made by a library is not: `isinstance(model, str)` is what constructors ask of a model.
const BUILTIN_CLASSES: [&str; 9] = ["str", "int", "float", "bool", "dict", "list", "tuple", "NoneType", "Path"];

/// Classes of which an object is at most one, so that being one says it is no other.
const EXCLUSIVE_CLASSES: [&str; 6] =
    ["str", "PeftModel", "PreTrainedModel", "PreTrainedTokenizerBase", "PeftConfig", "TrainingArguments"];

impl Curated {
    /// What is known of how a trainer of this class name works inside: one fact, with the releases in which it has each value.
    pub fn trainer_facts<'a, 'n>(
        &'a self,
        package: &'n str,
        trainer: &'n str,
        fact: &'n str,
    ) -> impl Iterator<Item = &'a TrainerFact> + use<'a, 'n> {
        let is_meant = move |one: &&TrainerFact| one.package == package && one.trainer == trainer && one.fact == fact;
        self.trainer_facts.iter().filter(is_meant)
    }

    /// Facts about distributions next to the known libraries.
    pub fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    /// Reads what is built in.
    pub(super) fn load() -> Option<Self> {
        by_hand(include_bytes!(concat!(env!("OUT_DIR"), "/curated.lz4")))
    }

    /// What a call of `callee` (a full name) does with its arguments, as far as it is known.
    pub fn effect(&self, callee: &str) -> Option<Effect<'_>> {
        if let Some(entry) = self.effects.iter().find(|entry| entry.callable == callee) {
            return Some(match entry.effect {
                EffectKind::Copy => Effect::Copy(entry.position, &entry.argument),
                EffectKind::Same => Effect::Same(entry.position, &entry.argument),
            });
        }
        if self.makes_adapter_model(callee) {
            return Some(Effect::AdapterModel);
        }
        // A method of what a known call returned: `transformers.AutoModel.from_pretrained.eval`.
        if let Some((maker, method)) = callee.rsplit_once('.')
            && self.fluent_methods.names.iter().any(|name| name == method)
            && self.classes(maker).is_some()
        {
            return Some(Effect::Receiver);
        }
        self.classes(callee).map(|_| Effect::Object)
    }

    /// Whether a call of `callee` returns a `PeftModel`.
    pub fn makes_adapter_model(&self, callee: &str) -> bool {
        self.adapter_models.iter().any(|named| named.callable == callee)
    }

    /// Whether an object made by calling `callee` is an instance of the class with the short name `class`.
    pub fn is_instance(&self, callee: &str, class: &str) -> Option<bool> {
        let classes = self.classes(callee)?;
        if classes.contains(&class) {
            Some(true)
        } else if BUILTIN_CLASSES.contains(&class) {
            Some(false)
        } else {
            let settled =
                EXCLUSIVE_CLASSES.contains(&class) && classes.iter().any(|one| EXCLUSIVE_CLASSES.contains(one));
            settled.then_some(false)
        }
    }

    /// The classes that an object made by `callee` is known to be an instance of.
    fn classes(&self, callee: &str) -> Option<Vec<&str>> {
        if self.makes_adapter_model(callee) {
            return Some(vec!["PeftModel", "Module"]);
        }
        let entry = self.instances.iter().find(|entry| matches(&entry.callable, callee))?;
        Some(entry.is.iter().map(String::as_str).collect())
    }

    /// The releases of a package, as intervals, that may export a name although none of their modules has it.
    pub fn computing<'a>(&'a self, package: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
        let entries = self.computed_names.iter();
        let of = move |entry: &&ComputedName| entry.package == package && name.ends_with(&entry.ending);
        entries.filter(of).map(|entry| entry.releases.as_str())
    }

    /// Whether importing `package` changes what `patched` accepts, so that nothing can be said about its calls.
    pub fn patches(&self, package: &str, patched: &str) -> bool {
        self.patches.iter().any(|patch| patch.package == package && patch.patched == patched)
    }

    /// Packages whose import changes what `patched` accepts.
    pub fn patchers<'a>(&'a self, patched: &'a str) -> impl Iterator<Item = &'a str> {
        self.patches.iter().filter(move |patch| patch.patched == patched).map(|patch| patch.package.as_str())
    }

    /// The argument parser that a call of `callee` builds.
    pub fn parser(&self, callee: &str) -> Option<ParserName> {
        self.parsers.iter().find(|entry| entry.callable == callee).map(|entry| entry.kind)
    }

    /// The releases of a package, as intervals, whose parser of this kind refuses an argument file with a key of which it knows
    /// nothing; `None` where that does not depend on the release.
    pub fn refusing_unknown_keys(&self, kind: ParserName) -> Option<(&str, &str)> {
        ParserReleases::of(&self.strict_parsers, kind)
    }

    /// The releases of a package, as intervals, whose parser of this kind reads the words `none` and `null` as `None` where a field
    /// may be that; `None` where none does.
    pub fn reading_none(&self, kind: ParserName) -> Option<(&str, &str)> {
        ParserReleases::of(&self.none_words, kind)
    }

    /// How a class, by the name it is imported by, calls methods that may be overridden.
    pub fn base_calls<'a>(&'a self, class: &str) -> impl Iterator<Item = &'a BaseCall> {
        let (top, name) = (class.split('.').next(), class.rsplit('.').next());
        let is_it = move |known: &String| known.split('.').next() == top && known.rsplit('.').next() == name;
        let found: Vec<&BaseCall> = self.base_calls.iter().filter(|entry| entry.classes.iter().any(is_it)).collect();
        found.into_iter()
    }

    /// Methods that a class has lost.
    pub fn lost_methods<'a>(&'a self, class: &'a str) -> impl Iterator<Item = &'a LostMethods> {
        self.lost_methods.iter().filter(move |entry| entry.class == class)
    }

    /// How many parameters a well-known model has, as its own card says.
    pub fn parameters_of(&self, model: &str) -> Option<u64> {
        let sizes = self
            .sizes
            .get_or_init(|| self.models.iter().map(|entry| (entry.model.to_lowercase(), entry.parameters)).collect());
        sizes.get(&model.to_lowercase()).copied()
    }
}

/// Whether a dotted name fits a pattern with `*` inside its components.
fn matches(pattern: &str, name: &str) -> bool {
    // Nearly all differ before the first `*`, and hundreds are asked.
    let same = pattern.bytes().zip(name.bytes()).take_while(|(one, other)| one == other).count();
    if pattern.as_bytes().get(same).is_some_and(|byte| *byte != b'*') {
        return false;
    }
    let (mut patterns, mut names) = (pattern.split('.'), name.split('.'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) if component_matches(pattern, name) => {}
            _ => return false,
        }
    }
}

fn component_matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let mut last = "";
    for piece in pieces {
        last = piece;
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    if pattern.contains('*') { last.is_empty() || name.ends_with(last) } else { rest.is_empty() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Knowledge;

    #[test]
    fn patterns_stay_inside_components() {
        for (pattern, name, expected) in [
            ("a.B*.c", "a.B.c", true),
            ("a.B*.c", "a.Bxy.c", true),
            ("a.B*.c", "a.B.x.c", false),
            ("a.*For*LM.c", "a.LlamaForCausalLM.c", true),
            ("a.*For*LM.c", "a.LlamaForLMx.c", false),
            ("a.*Config", "a.LoraConfig", true),
            ("a.b", "a.bc", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn bundled_facts_answer() {
        let curated = Knowledge::bundled().curated();
        for (callee, effect) in [
            ("copy.deepcopy", Some(Effect::Copy(0, "x"))),
            ("trl.create_reference_model", Some(Effect::Copy(0, "model"))),
            ("peft.prepare_model_for_kbit_training", Some(Effect::Same(0, "model"))),
            ("peft.get_peft_model", Some(Effect::AdapterModel)),
            ("transformers.AutoModelForCausalLM.from_pretrained", Some(Effect::Object)),
            ("transformers.AutoModelForCausalLM.from_pretrained.eval", Some(Effect::Receiver)),
            ("peft.LoraConfig", Some(Effect::Object)),
            ("torch.load", None),
        ] {
            assert_eq!(curated.effect(callee), effect, "{callee}");
        }
        let model = "transformers.AutoModelForCausalLM.from_pretrained";
        for (callee, class, expected) in [
            (model, "str", Some(false)),
            (model, "PreTrainedModel", Some(true)),
            (model, "PeftModel", Some(false)),
            (model, "LlamaForCausalLM", None),
            ("peft.get_peft_model", "PeftModel", Some(true)),
            ("peft.get_peft_model", "PreTrainedModel", Some(false)),
            ("mine.load", "str", None),
            ("builtins.str", "str", Some(true)),
            ("builtins.str", "PeftModel", Some(false)),
            ("builtins.str", "Path", Some(false)),
        ] {
            assert_eq!(curated.is_instance(callee, class), expected, "{callee} {class}");
        }
        assert_eq!(curated.parser("trl.TrlParser"), Some(ParserName::Trl));
        assert!(curated.patches("unsloth", "trl") && !curated.patches("peft", "trl"));
        // The model card rounds to 0.49 billion.
        assert_eq!(curated.parameters_of("qwen/Qwen2.5-0.5B").map(|count| count / 10_000_000), Some(49));
        assert!(curated.adapter_reference("trl.DPOTrainer").is_some());
    }
}
