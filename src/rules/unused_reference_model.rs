//! A reference that nothing compares with.

use super::ask::Call;
use super::declare::declare_rule;
use super::framework::{Reader, Stage, label, push_new, readers, removed};
use super::reference::{REFERENCE, loaded_alike};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Confidence, Diagnostic, Fix, Label, Severity};
use crate::eval::{CallEvent, Object, Tri, Value, same};
use crate::knowledge::{Curated, Effect, Pointless};
use crate::lower::{Analysis, Script};
use crate::source::Span;
use crate::syntax::python::PythonModule;
use crate::syntax::python_edit::{self, UnusedValue};

declare_rule! {
    /// ## What it does
    ///
    /// Reports a reference model that is loaded, in a script that builds a trainer, and then used by nothing: a second copy of
    /// the model, a copy made with `deepcopy` or `create_reference_model`, or a model in a variable called a reference.
    ///
    /// ## Why it matters
    ///
    /// The model stays in memory, on the GPU often, for the whole of the training, although no trainer gets it. It is what is
    /// left where `ref_model=ref_model` was changed to `ref_model=None`.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.24.0
    /// ```
    ///
    /// ```python,bad
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer, create_reference_model
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// ref_model = create_reference_model(model)
    /// ref_model.eval()
    /// trainer = DPOTrainer(model=model, ref_model=None, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// trainer = DPOTrainer(model=model, ref_model=None, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ```python,good
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer, create_reference_model
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// ref_model = create_reference_model(model)
    /// print(ref_model.num_parameters())
    /// trainer = DPOTrainer(model=model, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Unsafe: loading a model may do something besides. Statements that only make the reference ready (`ref_model.eval()`), what
    /// was computed for it alone and imports that served nothing else go with it. Nothing is reported, and nothing removed, where
    /// something may still read the variable.
    ///
    /// ## Versions
    ///
    /// Every release.
    ///
    /// ## References
    ///
    /// - trl `models/modeling_base.py`, `create_reference_model`
    UnusedReferenceModel = "unused-reference-model", "DPL016", Warning, "a reference model is loaded and never used",
        left_by: ["ref-model-with-peft-config", "redundant-reference-model", "ref-model-is-model"]
}

impl Rule for UnusedReferenceModel {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for reader in readers(analysis, context) {
            for pointless in &reader.configuration.consumer.pointless {
                push_new(found, unread(analysis, &reader, pointless));
            }
        }
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let trainers = analysis.calls.iter().filter(|call| call.trains && call.script == script.path);
        let mut calls: Vec<Call<'_>> = trainers.filter_map(|run| Call::new(run, context)).collect();
        let curated = context.knowledge.curated();
        // Whether a trainer takes a reference costs far more to tell than whether something is unused.
        if !script.trace.calls.iter().any(|event| unused_reference(analysis, event, &calls, curated).is_some()) {
            return;
        }
        calls.retain(takes_reference);
        if calls.is_empty() {
            return;
        }
        let mut known: Vec<UnusedValue> = Vec::new();
        for event in &script.trace.calls {
            let Some(unused) = unused_reference(analysis, event, &calls, curated) else { continue };
            // `if flag: ref = load(a)`, `else: ref = load(b)`: one variable, one finding.
            if !known.iter().any(|other| other.edits == unused.edits) {
                found.push(report(&unused, event, &calls));
                known.push(unused);
            }
        }
    }
}

/// Whether the trainer has a parameter for a reference.
fn takes_reference(call: &Call<'_>) -> bool {
    let signature = call.judged().and_then(|release| call.signature(release));
    signature.is_some_and(|signature| signature.parameters.contains_key(REFERENCE))
}

fn report(unused: &UnusedValue, event: &CallEvent, calls: &[Call<'_>]) -> Diagnostic {
    let name = &unused.name;
    let trainer = |call: &Call<'_>| Label {
        span: call.argument(REFERENCE).map_or(call.run.call().object.span, |argument| argument.span),
        message: format!("`{}` does not get it", call.short_name()),
    };
    let mut related: Vec<Label> = calls.iter().map(trainer).collect();
    related.sort_unstable();
    related.dedup();
    let object = Value::Object(std::sync::Arc::clone(&event.object));
    Diagnostic {
        rule: UnusedReferenceModel::META.name,
        code: UnusedReferenceModel::META.code,
        severity: Severity::Warning,
        confidence: Confidence::High,
        message: format!("the reference model `{name}` is loaded and nothing uses it"),
        primary: Label { span: unused.statement, message: "it stays in memory next to the model".to_owned() },
        related,
        notes: super::memory::second_copy(&calls[0], &object).into_iter().collect(),
        help: Some(format!("remove `{name}`")),
        versions: Vec::new(),
        fixes: vec![Fix {
            title: format!("remove `{name}` and what only it needs"),
            applicability: Applicability::Unsafe,
            edits: unused.edits.clone(),
        }],
        follows: None,
    }
}

/// The variable that a call fills with a reference model which nothing uses.
fn unused_reference(
    analysis: &Analysis,
    event: &CallEvent,
    calls: &[Call<'_>],
    curated: &Curated,
) -> Option<UnusedValue> {
    let object = &event.object;
    let is_copy = is_copy_of_model(object, calls, curated);
    if !is_copy && curated.is_instance(&object.callee, "Module") != Some(true) {
        return None;
    }
    let unused = |span: Span| {
        let module = analysis.modules.get(&span.file)?;
        let unused = python_edit::unused_value(module, span)?;
        (!is_read_elsewhere(analysis, module, &unused)).then_some(unused)
    };
    if let Some(unused) = unused(object.span) {
        let is_second = || calls.iter().any(|call| is_second_copy(object, call));
        return (is_copy || speaks_of_reference(&unused.name) || is_second()).then_some(unused);
    }
    // A helper of the project that loads a model may return something else: only the variable's name tells.
    let helper = event.stack.last().copied().and_then(unused)?;
    speaks_of_reference(&helper.name).then_some(helper)
}

/// Whether a call copies a model: one that a library loaded, or the one that a trainer gets.
fn is_copy_of_model(object: &Object, calls: &[Call<'_>], curated: &Curated) -> bool {
    let Some(Effect::Copy(position, name)) = curated.effect(&object.callee) else { return false };
    let by_name = object.args.iter().find(|argument| argument.name.as_deref() == Some(name));
    let positional = || object.args.iter().filter(|argument| argument.name.is_none()).nth(position);
    let Some(original) = by_name.or_else(positional).map(|argument| &argument.value.value) else { return false };
    let loaded = super::report::objects(original);
    let is_model = |object: &std::sync::Arc<Object>| curated.is_instance(&object.callee, "Module") == Some(true);
    let is_trained = |call: &Call<'_>| {
        call.argument("model").is_some_and(|model| same(original, &model.value.value).verdict() == Tri::Yes)
    };
    !loaded.is_empty() && loaded.iter().all(is_model) || calls.iter().any(is_trained)
}

/// Whether an object is loaded like the model of a call, and is not that model.
fn is_second_copy(object: &std::sync::Arc<Object>, call: &Call<'_>) -> bool {
    let models = call.argument("model").map(|model| super::report::objects(&model.value.value)).unwrap_or_default();
    models.iter().any(|model| model.span != object.span && loaded_alike(model, object))
}

pub(super) fn speaks_of_reference(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.split('_').any(|word| matches!(word, "ref" | "refs" | "refmodel")) || lower.contains("reference")
}

/// Whether another module of the project imports this one and speaks of the variable.
fn is_read_elsewhere(analysis: &Analysis, module: &PythonModule, unused: &UnusedValue) -> bool {
    if !unused.is_global {
        return false;
    }
    let Some(stem) = module.path().file_stem().and_then(|stem| stem.to_str()) else { return true };
    let names = |text: &str, name: &str| {
        text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == name)
    };
    let imports = |line: &str| {
        let line = line.trim_start();
        (line.starts_with("import ") || line.starts_with("from ")) && names(line, stem)
    };
    let mut others = analysis.modules.values().filter(|other| other.file() != module.file());
    others.any(|other| names(other.text(), &unused.name) && other.text().lines().any(imports))
}
/// A reference in a configuration whose program does not look at it.
fn unread(analysis: &Analysis, reader: &Reader<'_>, pointless: &Pointless) -> Option<Diagnostic> {
    let key = reader.configuration.get(&pointless.key)?;
    let is_given = !matches!(key.value.scalar(), Some(crate::syntax::Scalar::Null));
    if !is_given || !reader.holds(&pointless.when, reader.release, Stage::Checked) {
        return None;
    }
    let message = format!("{} does not look at `{}`: {}", reader.title(), pointless.key, pointless.why);
    let primary = label(key.span, "it does nothing");
    let mut finding = reader.finding(&UnusedReferenceModel::META, Severity::Warning, message, primary);
    finding.fixes.extend(removed(analysis, key.span, &pointless.key, Applicability::Unsafe));
    Some(finding)
}
