//! What the rules about reference models share: is it the same checkpoint, and how to do without it.

use std::sync::Arc;

use super::ask::{Call, Outcome};
use super::reference_settings::settings_fix;
use crate::diagnostic::{Applicability, Fix};
use crate::eval::{Argument, Cond, Const, Object, Tri, Value, is_none, same};
use crate::knowledge::ReleaseSet;
use crate::lower::Analysis;
use crate::syntax::python_edit;

/// The parameter that takes the reference.
pub(super) const REFERENCE: &str = "ref_model";

/// Arguments of `from_pretrained` that decide which weights the model has.
const WEIGHTS: [&str; 6] = ["revision", "subfolder", "variant", "quantization_config", "load_in_4bit", "load_in_8bit"];

/// Whether a reference is known to hold the same weights as a model, wherever there is one.
fn is_same_checkpoint(model: &Value, reference: &Value) -> bool {
    let references = reference.alternatives();
    let mut given = references.iter().filter(|(_, value)| !matches!(value, Value::Const(Const::None))).peekable();
    given.peek().is_some() && given.all(|(_, value)| same_weights(model, value))
}

/// Whether the model of a call without its adapter computes what its reference computes.
pub(super) fn is_spare(call: &Call<'_>) -> bool {
    let (Some(model), Some(reference)) = (call.argument("model"), call.argument(REFERENCE)) else { return false };
    is_spare_with(call, &model.value.value, &reference.value.value)
}

/// The same for what is known of the two models in one run.
pub(super) fn is_spare_with(call: &Call<'_>, model: &Value, reference: &Value) -> bool {
    is_same_checkpoint(model, reference) && leaves_base_alone(call) && !is_overwritten(call)
}

/// Whether every release that the project allows works without a reference.
pub(super) fn serves_everywhere(call: &Call<'_>) -> bool {
    let having: ReleaseSet = call.allowed().iter().filter(|release| call.definition(*release).is_some()).collect();
    having.is_subset(&serving_releases(call))
}

/// The releases in which a trainer does with the model without its adapter all that it does with a reference.
pub(super) fn serving_releases(call: &Call<'_>) -> ReleaseSet {
    let releases = call.knowledge.curated().base_is_reference(call.package.name(), call.short_name());
    releases.map(|intervals| call.package.releases_in(intervals)).unwrap_or_default()
}

/// Whether switching the adapter off gives the base model back.
fn leaves_base_alone(call: &Call<'_>) -> bool {
    let Some(adapter) = call.argument("peft_config") else { return false };
    let is_harmless = |value: &Value, harmless: &[serde_json::Value]| match value {
        Value::Const(Const::None) => harmless.iter().any(serde_json::Value::is_null),
        Value::Const(Const::Bool(value)) => harmless.iter().any(|other| other.as_bool() == Some(*value)),
        Value::Const(Const::Str(value)) => harmless.iter().any(|other| other.as_str() == Some(value)),
        _ => false,
    };
    let changes = |argument: &Argument| {
        let mut settings = call.knowledge.curated().base_changing();
        settings.any(|(name, harmless)| {
            argument.name.as_deref() == Some(name) && !is_harmless(&argument.value.value, harmless)
        })
    };
    !super::report::objects(&adapter.value.value).iter().any(|config| config.args.iter().any(changes))
}

/// Whether weights from elsewhere are put into the model or the reference after they were loaded.
fn is_overwritten(call: &Call<'_>) -> bool {
    let models = ["model", REFERENCE].into_iter().filter_map(|name| call.argument(name));
    let models: Vec<u32> =
        models.flat_map(|model| super::report::objects(&model.value.value)).map(|object| object.id).collect();
    let overwrites = |object: &Object| {
        object.callee.ends_with(".load_state_dict")
            && object.receiver.as_ref().is_some_and(|receiver| {
                super::report::objects(receiver).iter().any(|object| models.contains(&object.id))
            })
    };
    call.run.trace.calls.iter().any(|event| overwrites(&event.object))
}

fn same_weights(model: &Value, reference: &Value) -> bool {
    if same(model, reference).verdict() == Tri::Yes {
        return true;
    }
    let models = model.alternatives();
    match reference {
        Value::Object(reference) => match &reference.copy_of {
            Some(original) => same_weights(model, original),
            None => models.iter().all(|(_, model)| match model {
                Value::Object(model) => loaded_alike(model, reference),
                _ => false,
            }),
        },
        _ => false,
    }
}

/// Whether two objects were loaded by the same function from the same place, quantised alike. How they are held otherwise
/// (dtype, device) hardly matters to what they compute.
pub(super) fn loaded_alike(left: &Arc<Object>, right: &Arc<Object>) -> bool {
    let path = |object: &Object| {
        let arguments = &object.args;
        let by_name =
            arguments.iter().find(|argument| argument.name.as_deref() == Some("pretrained_model_name_or_path"));
        by_name
            .or_else(|| arguments.first().filter(|argument| argument.name.is_none()))
            .map(|found| found.value.value.clone())
    };
    let given = |object: &Object, name: &str| {
        let found = object.args.iter().find(|argument| argument.name.as_deref() == Some(name));
        found.map(|argument| argument.value.value.clone())
    };
    let alike = |left: Option<Value>, right: Option<Value>| match (left, right) {
        (Some(left), Some(right)) => is_equal(&left, &right),
        (None, None) => true,
        _ => false,
    };
    left.callee == right.callee
        && left.callee.ends_with(".from_pretrained")
        && path(left).is_some()
        && alike(path(left), path(right))
        && WEIGHTS.iter().all(|name| alike(given(left, name), given(right, name)))
}

/// Whether two values are one, or configurations made by the same call with the same arguments.
fn is_equal(left: &Value, right: &Value) -> bool {
    if same(left, right).verdict() == Tri::Yes {
        return true;
    }
    let (ones, others) = (left.alternatives(), right.alternatives());
    let is_pair = |(one, other): (&(Cond, Value), &(Cond, Value))| {
        one.0 == other.0
            && match (&one.1, &other.1) {
                (Value::Object(one), Value::Object(other)) => is_made_alike(one, other),
                (one, other) => same(one, other).verdict() == Tri::Yes,
            }
    };
    ones.len() == others.len() && ones.iter().zip(&others).all(is_pair)
}

fn is_made_alike(left: &Object, right: &Object) -> bool {
    let is_pair = |(one, other): (&Argument, &Argument)| {
        one.name == other.name && one.when == other.when && is_equal(&one.value.value, &other.value.value)
    };
    left.callee == right.callee
        && left.callee.ends_with("Config")
        && left.stored.is_empty()
        && right.stored.is_empty()
        && left.args.len() == right.args.len()
        && left.args.iter().zip(&right.args).all(is_pair)
}

/// Ways to do without the reference, the best first: where it is asked for, then in the script.
pub(super) fn reference_fixes(analysis: &Analysis, call: &Call<'_>, outcome: &Outcome) -> Vec<Fix> {
    settings_fix(analysis, call, outcome).into_iter().chain(script_fixes(analysis, call, outcome)).collect()
}

fn script_fixes(analysis: &Analysis, call: &Call<'_>, outcome: &Outcome) -> Vec<Fix> {
    let (Some(reference), Some(adapter)) = (call.argument(REFERENCE), call.argument("peft_config")) else {
        return Vec::new();
    };
    let Some(module) = analysis.modules.get(&reference.span.file) else { return Vec::new() };
    let is_safe = is_spare(call) && serves_everywhere(call) && !may_be_forced(call);
    let applicability = if is_safe { Applicability::Safe } else { Applicability::Unsafe };
    // Where the adapter is there only under a flag, the reference must stay for the other case.
    if is_none(&adapter.value.value).verdict() == Tri::No || outcome.flags.is_empty() {
        return none_fix(analysis, reference, applicability);
    }
    let Some(value) = without_adapter(module, reference, adapter) else { return Vec::new() };
    let title = String::from("pass the reference only when there is no adapter");
    let edits = python_edit::set_value(module, reference.value.span, &value).unwrap_or_default();
    if edits.is_empty() { Vec::new() } else { vec![Fix { title, applicability, edits }] }
}

/// Whether an argument file that is not there, or options that are not seen, may ask for the reference beside the adapter: then it is
/// meant, and what it is used for (`sync_ref_model`) is not known.
fn may_be_forced(call: &Call<'_>) -> bool {
    let flag = super::option::flag(call, super::force_use_ref_model::OPTION);
    flag.is_some_and(|(_, flag)| {
        call.run.variants.iter().any(|variant| variant.is_open && variant.setting(flag).is_none())
    })
}

/// `None if args.use_peft else deepcopy(model)`, in the words of the call.
fn without_adapter(
    module: &crate::syntax::python::PythonModule,
    reference: &Argument,
    adapter: &Argument,
) -> Option<String> {
    let written =
        |argument: &Argument| module.text().get(std::ops::Range::<usize>::from(module.range(argument.value.span)));
    let (reference, adapter) = (written(reference)?, written(adapter)?);
    if reference.contains('\n') || adapter.contains('\n') || reference.contains(" if ") {
        return None;
    }
    // `config if flag else None`: the same flag decides the reference.
    let test = adapter.strip_suffix(" else None").and_then(|start| start.rsplit_once(" if ")).map(|(_, test)| test);
    Some(match test {
        Some(test) => format!("None if {test} else {reference}"),
        None => format!("{reference} if {adapter} is None else None"),
    })
}

/// Writes `None` for an argument. What only the code needed that goes with the value is removed by an unsafe fix; a variable
/// that is left is mended in the next round (`unused-reference-model`).
pub(super) fn none_fix(analysis: &Analysis, argument: &Argument, applicability: Applicability) -> Vec<Fix> {
    let Some(module) = analysis.modules.get(&argument.span.file) else { return Vec::new() };
    let edits = python_edit::set_value(module, argument.value.span, "None").unwrap_or_default();
    if edits.is_empty() {
        return Vec::new();
    }
    let title = "pass `ref_model=None`".to_owned();
    let written = &module.text()[std::ops::Range::<usize>::from(module.range(argument.value.span))];
    let is_variable = written.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    let mut thorough =
        if is_variable { Vec::new() } else { python_edit::remove_unused_after(module, &[argument.value.span]) };
    if thorough.is_empty() {
        return vec![Fix { title, applicability, edits }];
    }
    thorough.extend(edits.iter().cloned());
    thorough.sort_unstable();
    let all = Fix {
        title: format!("{title} and remove what only the reference needed"),
        applicability: Applicability::Unsafe,
        edits: thorough,
    };
    let only = Fix { title, applicability, edits };
    if applicability == Applicability::Safe { vec![all, only] } else { vec![all] }
}
