//! What the rules about reference models share: is it the same checkpoint, and how to do without it.

use std::sync::Arc;

use super::ask::{Call, Outcome};
use crate::diagnostic::{Applicability, Fix};
use crate::eval::{Argument, Const, Object, Tri, Value, is_none, same};
use crate::lower::Analysis;
use crate::syntax::python_edit;

/// The parameter that takes the reference.
pub(super) const REFERENCE: &str = "ref_model";

/// Whether the reference of a call is known to hold the same weights as its model.
pub(super) fn is_same_checkpoint(call: &Call<'_>) -> bool {
    let (Some(model), Some(reference)) = (call.argument("model"), call.argument(REFERENCE)) else { return false };
    let references = reference.value.value.alternatives();
    let mut given = references.iter().filter(|(_, value)| !matches!(value, Value::Const(Const::None))).peekable();
    given.peek().is_some() && given.all(|(_, value)| same_weights(&model.value.value, value))
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

/// Whether two objects were loaded by the same function from the same place. How they are held (dtype, device,
/// quantisation) does not matter to what they compute.
fn loaded_alike(left: &Arc<Object>, right: &Arc<Object>) -> bool {
    let path = |object: &Object| {
        let arguments = &object.args;
        let by_name =
            arguments.iter().find(|argument| argument.name.as_deref() == Some("pretrained_model_name_or_path"));
        by_name
            .or_else(|| arguments.first().filter(|argument| argument.name.is_none()))
            .map(|found| found.value.value.clone())
    };
    let revision = |object: &Object| {
        let found = object.args.iter().find(|argument| argument.name.as_deref() == Some("revision"));
        found.map(|argument| argument.value.value.clone())
    };
    let alike = |left: Option<Value>, right: Option<Value>| match (left, right) {
        (Some(left), Some(right)) => same(&left, &right).verdict() == Tri::Yes,
        (None, None) => true,
        _ => false,
    };
    left.callee == right.callee
        && left.callee.ends_with(".from_pretrained")
        && path(left).is_some()
        && alike(path(left), path(right))
        && alike(revision(left), revision(right))
}

/// Ways to do without the reference, the best first.
pub(super) fn reference_fixes(analysis: &Analysis, call: &Call<'_>, outcome: &Outcome) -> Vec<Fix> {
    let (Some(reference), Some(adapter)) = (call.argument(REFERENCE), call.argument("peft_config")) else {
        return Vec::new();
    };
    let Some(module) = analysis.modules.get(&reference.span.file) else { return Vec::new() };
    let applicability = if is_same_checkpoint(call) { Applicability::Safe } else { Applicability::Unsafe };
    // Where the adapter is there only under a flag, the reference must stay for the other case.
    let always = is_none(&adapter.value.value).verdict() == Tri::No || outcome.flags.is_empty();
    let (title, value) = if always {
        (String::from("pass `ref_model=None`"), String::from("None"))
    } else {
        let Some(value) = without_adapter(module, reference, adapter) else { return Vec::new() };
        (String::from("pass the reference only when there is no adapter"), value)
    };
    match python_edit::set_value(module, reference.value.span, &value) {
        Ok(edits) => vec![Fix { title, applicability, edits }],
        Err(_) => Vec::new(),
    }
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

/// Writes `None` for an argument.
pub(super) fn none_fix(analysis: &Analysis, argument: &Argument, applicability: Applicability) -> Vec<Fix> {
    let Some(module) = analysis.modules.get(&argument.span.file) else { return Vec::new() };
    let edits = python_edit::set_value(module, argument.value.span, "None").unwrap_or_default();
    if edits.is_empty() {
        Vec::new()
    } else {
        vec![Fix { title: "pass `ref_model=None`".to_owned(), applicability, edits }]
    }
}
