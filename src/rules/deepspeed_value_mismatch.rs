//! Values of a `DeepSpeed` configuration that are others than those of the run.

use std::path::Path;

use super::configured::deepspeed;
use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::launched::{HALVES, deepspeed_of_accelerate};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Confidence, Diagnostic, Fix, Severity};
use crate::eval::Const;
use crate::lower::{Analysis, Configuration, Script};
use crate::source::Span;
use crate::syntax::{Entry, Node, Scalar};

/// Where the configuration has what a run calls otherwise: the path in the file, and the key of the run.
const SAME: [(&str, &str); 7] = [
    ("train_micro_batch_size_per_gpu", "per_device_train_batch_size"),
    ("gradient_accumulation_steps", "gradient_accumulation_steps"),
    ("gradient_clipping", "max_grad_norm"),
    ("optimizer.params.lr", "learning_rate"),
    ("optimizer.params.weight_decay", "weight_decay"),
    ("bf16.enabled", "bf16"),
    ("fp16.enabled", "fp16"),
];

declare_rule! {
    /// ## What it does
    ///
    /// Reports values in a `DeepSpeed` configuration (batch size, accumulation, clipping, learning rate, precision) that differ from
    /// those which the run sets that names the file, gets it from accelerate, or has it in its own configuration (axolotl).
    ///
    /// ## Why it matters
    ///
    /// The trainer of transformers compares them and stops: `Please correct the following DeepSpeed config values that mismatch
    /// TrainingArguments values`. It says so when training starts, after the model was loaded.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// llamafactory==0.9.3
    /// ```
    ///
    /// ```json,deepspeed
    /// {
    ///   "train_micro_batch_size_per_gpu": 4,
    ///   "gradient_accumulation_steps": "auto",
    ///   "bf16": {"enabled": "auto"}
    /// }
    /// ```
    ///
    /// ```yaml,bad
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// deepspeed: ds.json
    /// per_device_train_batch_size: 1
    /// output_dir: out
    /// ```
    ///
    /// ```yaml,good
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// deepspeed: ds.json
    /// per_device_train_batch_size: 4
    /// gradient_accumulation_steps: 8
    /// bf16: true
    /// output_dir: out
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The value becomes `"auto"`, which takes over what the run says. Safe: the run does not start otherwise.
    ///
    /// ## Versions
    ///
    /// All releases of transformers that read `DeepSpeed` configurations. Only what the run itself sets is compared.
    ///
    /// ## References
    ///
    /// - transformers issue 12021, `MedicalGPT` issue 191
    DeepspeedValueMismatch = "deepspeed-value-mismatch", "DPL403", Error, "a DeepSpeed value differs from that of the run"
}

impl Rule for DeepspeedValueMismatch {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, _: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for configuration in &analysis.configurations {
            push_new(found, of_configuration(analysis, configuration));
        }
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, _: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for variant in script.variants.iter() {
            let setting = |name: &str| {
                let is_it = |id: &crate::model::Setting| &*script.trace.flags[id.flag.0 as usize].name == name;
                let setting = variant.settings.iter().rev().find(|setting| is_it(setting))?;
                Some((setting.value.clone()?, setting.origin))
            };
            let from = variant.origin.and_then(|origin| context_path(analysis, origin)).unwrap_or(&script.path);
            let (document, named, same) = match setting("deepspeed") {
                Some((Const::Str(file), named)) => {
                    let Some(document) = analysis.written.document_from(&file, from) else { continue };
                    (document, named, &SAME[..])
                }
                Some(_) => continue,
                None => {
                    let launch = variant.origin.and_then(|origin| analysis.written.launch_at(origin));
                    let found = launch.and_then(|launch| deepspeed_of_accelerate(analysis, launch, from));
                    let Some((document, named)) = found else { continue };
                    // Precisions are another rule's there: the launcher has one of its own.
                    (document, named, &SAME[..SAME.len() - HALVES.len()])
                }
            };
            push_new(found, compare(analysis, &document.root, (named, same), &setting));
        }
    }
}

/// The file that a place is in.
fn context_path(analysis: &Analysis, place: Span) -> Option<&Path> {
    analysis.written.path_at(place)
}

fn of_configuration(analysis: &Analysis, configuration: &Configuration) -> Vec<Diagnostic> {
    let Some(key) = configuration.get("deepspeed") else { return Vec::new() };
    let Some(theirs) = deepspeed(analysis, key, &configuration.path) else { return Vec::new() };
    let called = configuration.consumer.runs().map(|runs| &runs.called);
    let setting = |name: &str| {
        let key = configuration.get(called.and_then(|called| called.get(name)).map_or(name, String::as_str))?;
        Some((number(key.value.scalar()?)?, key.span))
    };
    compare(analysis, theirs, (key.span, &SAME), &setting)
}

/// What differs, one finding for each value.
fn compare(
    analysis: &Analysis,
    theirs: &Node,
    (named, same): (Span, &'static [(&str, &str)]),
    setting: &dyn Fn(&str) -> Option<(Const, Span)>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for &(path, key) in same {
        let Some(entry) = entry_of(theirs, path) else { continue };
        let Some(theirs) = entry.value.scalar().and_then(number).filter(|value| !matches!(value, Const::Str(_))) else {
            continue;
        };
        let said = |key: &str| setting(key).and_then(|(value, place)| Some((plain(&value)?, place)));
        // Who trains in one half precision does not train in the other, which is off unless it is asked for.
        let excluded = || {
            let (_, other) = HALVES.into_iter().find(|(half, _)| *half == key)?;
            let (_, place) = said(other).filter(|(value, _)| *value == Const::Bool(true))?;
            setting(key).is_none().then_some((Const::Bool(false), place))
        };
        let Some((ours, place)) = said(key).or_else(excluded) else { continue };
        if theirs.equals(&ours) {
            continue;
        }
        let message = format!("DeepSpeed's `{path}` is {theirs}, and `{key}` of the run is {ours}");
        let mut finding = Diagnostic {
            rule: DeepspeedValueMismatch::META.name,
            code: DeepspeedValueMismatch::META.code,
            severity: Severity::Error,
            confidence: Confidence::High,
            message,
            primary: label(entry.span, "ValueError: it mismatches TrainingArguments"),
            related: vec![label(place, "this is what the run says"), label(named, "the run names the file here")],
            notes: Vec::new(),
            help: Some("write `\"auto\"`, which takes over what the run says".to_owned()),
            versions: Vec::new(),
            fixes: Vec::new(),
            follows: None,
        };
        let edit = analysis.written.set_at(entry.span, "auto");
        finding.fixes.extend(edit.map(|edit| Fix {
            title: format!("set `{path}` to `\"auto\"`"),
            applicability: Applicability::Safe,
            edits: vec![edit],
        }));
        found.push(finding);
    }
    found
}

/// The entry at a path of keys.
fn entry_of<'d>(root: &'d Node, path: &str) -> Option<&'d Entry> {
    let mut keys = path.split('.');
    let mut entry = root.entry(keys.next()?)?;
    for key in keys {
        entry = entry.value.entry(key)?;
    }
    Some(entry)
}

/// The value of a scalar; of a word the number or truth value that it says.
fn number(scalar: &Scalar) -> Option<Const> {
    Some(match scalar {
        Scalar::Bool(value) => Const::Bool(*value),
        Scalar::Int(value) => Const::Int(*value),
        Scalar::Float(value) => Const::float(*value),
        Scalar::Str(text) => Const::Str(text.as_str().into()),
        Scalar::Null | Scalar::Date(_) => return None,
    })
}

/// A number or truth value, also where it is written as a word.
fn plain(value: &Const) -> Option<Const> {
    let Const::Str(word) = value else { return Some(value.clone()).filter(|value| *value != Const::None) };
    match word.to_ascii_lowercase().as_str() {
        "true" => Some(Const::Bool(true)),
        "false" => Some(Const::Bool(false)),
        word => word.parse().map(Const::Int).or_else(|_| word.parse().map(Const::float)).ok(),
    }
}
