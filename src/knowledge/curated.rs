//! Facts that no signature and no constructor of a library shows, each with its source.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::LoadError;
use super::later::{LaterCheck, LaterChoice};

/// `schemas/knowledge/curated.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curated {
    effects: Vec<EffectEntry>,
    adapter_models: Vec<Named>,
    instances: Vec<InstanceEntry>,
    fluent_methods: Methods,
    patches: Vec<Patch>,
    parsers: Vec<ParserEntry>,
    strict_parsers: Vec<StrictParser>,
    later_choices: Vec<LaterChoice>,
    later_checks: Vec<LaterCheck>,
    adapter_references: Vec<AdapterReference>,
    base_references: Vec<BaseReference>,
    base_changing: Vec<BaseChanging>,
    adapter_wakers: Vec<AdapterWaker>,
    base_calls: Vec<BaseCall>,
    strict_adapter_files: Vec<StrictAdapterFile>,
    head_refusals: Vec<HeadRefusal>,
    target_words: Vec<TargetWord>,
    passing_on: Vec<PassingOn>,
    models: Vec<ModelSize>,
    rewrites: Vec<Rewrite>,
    #[serde(skip)]
    sizes: std::sync::OnceLock<BTreeMap<String, u64>>,
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

/// Against what a trainer compares a `PeftModel` that comes without a reference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterReference {
    /// The trainer.
    pub callable: String,
    /// The package whose releases count.
    pub package: String,
    /// Releases in which the reference is a frozen copy of the adapter; in older ones it is the base model.
    pub copied_adapter: String,
    /// Where this was read.
    pub source: String,
}

/// How an argument that a release does not take is said there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// The package whose releases count.
    pub package: String,
    /// Releases in which the new form is right, as intervals.
    pub releases: String,
    /// The short name of the callable; `None`: every one that takes the new form.
    #[serde(default)]
    pub callable: Option<String>,
    /// The argument.
    pub argument: String,
    /// The value it speaks of, as Python writes it; `None`: any.
    #[serde(default)]
    pub value: Option<String>,
    /// What to pass instead; empty: nothing, as the release does so anyway.
    pub becomes: Vec<Passed>,
    /// Whether the program does the same afterwards.
    #[serde(default)]
    pub keeps_meaning: bool,
    /// Where this was read.
    pub source: String,
}

/// An argument as it is to be passed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passed {
    /// Its name.
    pub argument: String,
    /// Its value as Python; `{value}` is that of the old argument, `{old}` what this argument was before.
    pub value: String,
    /// What `{old}` is where the call does not pass this argument.
    #[serde(default)]
    pub old: Option<String>,
}

/// A trainer for which, with an adapter and without a reference, the model with the adapter switched off is the reference in
/// all it does with one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseReference {
    /// The class, wherever it lives in the release.
    trainer: String,
    package: String,
    releases: String,
    #[serde(rename = "source")]
    _source: String,
}

/// An argument of an adapter's configuration with which switching the adapter off does not give the base model back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseChanging {
    argument: String,
    /// Values with which it does.
    harmless: Vec<serde_json::Value>,
    #[serde(rename = "source")]
    _source: String,
}

/// A trainer that adds an adapter to a `PeftModel`, and by that may make the one that is there trainable.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterWaker {
    /// The class, wherever it lives in the release.
    pub trainer: String,
    /// Its package.
    pub package: String,
    /// The releases that do so.
    pub releases: String,
    /// The releases of the other package with which an adapter that was frozen stays frozen all the same.
    pub frozen: Interval,
    /// Where this was read.
    pub source: String,
}

/// A trainer that refuses an adapter on the head of the model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadRefusal {
    /// The class, wherever it lives in the release.
    pub trainer: String,
    /// Its package.
    pub package: String,
    /// The releases that refuse it.
    pub releases: String,
    /// Under this condition over the parameters.
    pub when: String,
    /// Where this was read.
    pub source: String,
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
    /// Methods that lead to the call: where one of them is overridden, too, it need not happen.
    pub unless: Vec<String>,
    /// Where this was read.
    pub source: String,
}

/// Releases that cannot load an adapter whose file has a key of which they know nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictAdapterFile {
    package: String,
    releases: String,
    #[serde(rename = "source")]
    _source: String,
}

/// A word that stands for modules where an adapter's configuration wants their names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetWord {
    /// The word.
    pub word: String,
    /// The package that knows it.
    pub package: String,
    /// In these releases.
    pub releases: String,
    /// Where this was read.
    pub source: String,
}

/// Releases of a package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Its name.
    pub package: String,
    /// As intervals.
    pub releases: String,
}

/// Callables with `**kwargs`, which take some keywords for themselves and pass the rest on to something that refuses them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PassingOn {
    /// `*` stands for any letters inside one component. All are of one package.
    callables: Vec<String>,
    arguments: Vec<OwnArgument>,
}

/// An argument that some releases of a callable take for themselves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnArgument {
    /// Its name.
    pub argument: String,
    /// The releases that take it.
    pub releases: String,
    /// Those of them that warn about it.
    #[serde(default)]
    pub deprecated: String,
    /// What says the same in other releases.
    pub instead: Option<Instead>,
    /// Where this was read.
    pub source: String,
}

/// Another way to write an argument.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instead {
    /// The other name.
    pub argument: String,
    /// What stands for `True`, as Python; absent: the value stays as it is.
    pub value: Option<String>,
    /// What this value needs to be imported: `transformers.BitsAndBytesConfig`.
    pub import: Option<String>,
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

/// Releases of a parser that refuse an argument file with a key of which they know nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictParser {
    kind: ParserName,
    package: String,
    releases: String,
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
    /// Reads the stored form.
    pub fn load(json: &str) -> Result<Self, LoadError> {
        serde_json::from_str(json).map_err(|source| LoadError::Json { package: "curated".to_owned(), source })
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
        let entry = self.strict_parsers.iter().find(|entry| entry.kind == kind)?;
        Some((&entry.package, &entry.releases))
    }

    /// Arguments of a callable whose value is compared with known words only later, when it is used.
    pub fn later_choices<'a>(&'a self, callee: &'a str) -> impl Iterator<Item = &'a LaterChoice> {
        self.later_choices.iter().filter(move |entry| entry.callables.iter().any(|one| one == callee))
    }

    /// Arguments of a callable whose value is checked only later, when it is used.
    pub fn later_checks<'a>(&'a self, callee: &'a str) -> impl Iterator<Item = &'a LaterCheck> {
        self.later_checks.iter().filter(move |entry| entry.callables.iter().any(|one| one == callee))
    }

    /// What the trainer `callee` takes as the reference of a `PeftModel`.
    pub fn adapter_reference(&self, callee: &str) -> Option<&AdapterReference> {
        self.adapter_references.iter().find(|entry| entry.callable == callee)
    }

    /// The releases of a package, as intervals, in which the model without its adapter does all that a reference does for a
    /// trainer of this class name; `None` where that is not known.
    pub fn base_is_reference(&self, package: &str, trainer: &str) -> Option<&str> {
        let entry = self.base_references.iter().find(|entry| entry.package == package && entry.trainer == trainer)?;
        Some(&entry.releases)
    }

    /// How a trainer of this class name may make a frozen adapter trainable.
    pub fn adapter_waker(&self, package: &str, trainer: &str) -> Option<&AdapterWaker> {
        self.adapter_wakers.iter().find(|entry| entry.package == package && entry.trainer == trainer)
    }

    /// When a trainer of this class name refuses an adapter on the head of the model.
    pub fn head_refusals<'a>(&'a self, package: &'a str, trainer: &'a str) -> impl Iterator<Item = &'a HeadRefusal> {
        self.head_refusals.iter().filter(move |entry| entry.package == package && entry.trainer == trainer)
    }

    /// How a class, by the name it is imported by, calls methods that may be overridden.
    pub fn base_calls<'a>(&'a self, class: &str) -> impl Iterator<Item = &'a BaseCall> {
        let (top, name) = (class.split('.').next(), class.rsplit('.').next());
        let is_it = move |known: &String| known.split('.').next() == top && known.rsplit('.').next() == name;
        let found: Vec<&BaseCall> = self.base_calls.iter().filter(|entry| entry.classes.iter().any(is_it)).collect();
        found.into_iter()
    }

    /// The releases of a package that cannot load an adapter whose file has a key of which they know nothing.
    pub fn strict_adapter_files(&self, package: &str) -> Option<&str> {
        self.strict_adapter_files.iter().find(|entry| entry.package == package).map(|entry| &*entry.releases)
    }

    /// The word that stands for modules in the configurations of a package.
    pub fn target_word(&self, package: &str) -> Option<&TargetWord> {
        self.target_words.iter().find(|entry| entry.package == package)
    }

    /// Arguments of an adapter's configuration that may change the base model, each with the values that do not.
    pub fn base_changing(&self) -> impl Iterator<Item = (&str, &[serde_json::Value])> {
        self.base_changing.iter().map(|entry| (entry.argument.as_str(), entry.harmless.as_slice()))
    }

    /// The arguments that some releases of a callable take for themselves and others pass on to something that refuses them.
    pub fn own_arguments<'a>(&'a self, callee: &'a str) -> impl Iterator<Item = &'a OwnArgument> {
        let entries = self.passing_on.iter();
        let of = move |entry: &&PassingOn| entry.callables.iter().any(|pattern| matches(pattern, callee));
        entries.filter(of).flat_map(|entry| &entry.arguments)
    }

    /// Whether [`Self::own_arguments`] has any for this callable.
    pub fn passes_arguments_on(&self, callee: &str) -> bool {
        self.own_arguments(callee).next().is_some()
    }

    /// How arguments are said in releases that do not take them.
    pub fn rewrites(&self) -> impl Iterator<Item = &Rewrite> {
        self.rewrites.iter()
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
