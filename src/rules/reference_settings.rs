//! A reference that a launch line or an argument file asks for: there it is taken away, not in the script, which serves other
//! runs as well.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ask::{Call, Outcome};
use super::reference::{REFERENCE, is_spare_with, serves_everywhere};
use crate::diagnostic::{Applicability, Fix};
use crate::eval::{Argument, Const, FlagId, Object, Root, Tri, Value};
use crate::lower::{Analysis, Change};
use crate::model::{Setting, Variant};
use crate::source::Span;
use crate::syntax::Edit;

/// Takes the reference away in every file that asks for it; `None` where one of the runs gets it from the script itself.
pub(super) fn settings_fix(analysis: &Analysis, call: &Call<'_>, outcome: &Outcome) -> Option<Fix> {
    let reference = call.argument(REFERENCE)?;
    let mut flags = BTreeSet::new();
    flowing(&reference.value.value, &mut flags);
    let mut titles: Vec<String> = Vec::new();
    let mut edits: Vec<Edit> = Vec::new();
    for index in &outcome.variants {
        let (title, own, origin) = without_reference(analysis, call, &call.run.variants[*index], &flags)?;
        if is_shared(analysis, call, origin, &outcome.variants) {
            return None;
        }
        if !titles.contains(&title) {
            titles.push(title);
        }
        edits.extend(own);
    }
    edits.sort_unstable();
    edits.dedup();
    let is_spare = outcome.variants.iter().all(|index| is_spare_in(call, &call.run.variants[*index]));
    let applicability = if is_spare && serves_everywhere(call) { Applicability::Safe } else { Applicability::Unsafe };
    (!edits.is_empty()).then(|| Fix { title: titles.join(" and "), applicability, edits })
}

/// Whether one way to start the script makes the reference the same checkpoint as the model.
pub(super) fn is_spare_in(call: &Call<'_>, variant: &Variant) -> bool {
    let (Some(model), Some(reference)) = (call.argument("model"), call.argument(REFERENCE)) else { return false };
    is_spare_with(call, &resolved(call, variant, &model.value.value), &resolved(call, variant, &reference.value.value))
}

/// The change of one variant that leaves its trainer without a reference: what it does, the edits, and the setting's place.
fn without_reference(
    analysis: &Analysis,
    call: &Call<'_>,
    variant: &Variant,
    flags: &BTreeSet<FlagId>,
) -> Option<(String, Vec<Edit>, Span)> {
    let release = call.judged()?;
    let speaks = |id: &FlagId| super::unused_reference_model::speaks_of_reference(&call.run.flag(*id).name);
    let candidates = variant.settings.iter().filter_map(|setting| match setting.value {
        Some(Const::Bool(true)) if speaks(&setting.flag) => Some((setting, Change::Off)),
        Some(Const::Str(_)) if flags.contains(&setting.flag) => Some((setting, Change::Unset)),
        _ => None,
    });
    let in_force = |(setting, _): &(&Setting, Change)| {
        variant.setting(setting.flag).is_some_and(|last| last.origin == setting.origin)
    };
    candidates.filter(in_force).find_map(|(setting, change)| {
        let rewrite = analysis.written.rewrite(variant, setting, change)?;
        let after = rewrite.applied(variant, setting.origin);
        let is_gone = call.is_never("ref_model is not None", &after, release);
        is_gone.then_some((rewrite.title, rewrite.edits, setting.origin))
    })
}

/// Whether a run that is not to be changed has the setting from the same place.
pub(super) fn is_shared(analysis: &Analysis, call: &Call<'_>, origin: Span, changed: &[usize]) -> bool {
    analysis.calls.iter().filter(|run| run.trains).any(|run| {
        run.variants.iter().enumerate().any(|(index, variant)| {
            let has_it = variant.settings.iter().any(|setting| setting.origin == origin);
            has_it && !(run.script == call.run.script && changed.contains(&index))
        })
    })
}

/// The flags that a model is or is loaded from.
fn flowing(value: &Value, flags: &mut BTreeSet<FlagId>) {
    for (_, value) in value.alternatives() {
        match &value {
            Value::Symbol(symbol) if symbol.path.is_empty() => {
                if let Root::Flag(flag) = symbol.root {
                    flags.insert(flag);
                }
            }
            Value::Object(object) => {
                let is_path = |argument: &&Argument| {
                    argument.name.as_deref().is_none_or(|name| name == "pretrained_model_name_or_path")
                };
                object.args.iter().filter(is_path).take(1).for_each(|argument| flowing(&argument.value.value, flags));
            }
            _ => {}
        }
    }
}

/// A value with the flags that a variant decides put in.
fn resolved(call: &Call<'_>, variant: &Variant, value: &Value) -> Value {
    let release = call.judged().unwrap_or_default();
    match value {
        Value::Symbol(symbol) => match symbol.root {
            Root::Flag(flag) if symbol.path.is_empty() => {
                let known = match variant.setting(flag) {
                    Some(setting) => setting.value.clone(),
                    None if variant.is_open => None,
                    None => call.default(flag, release),
                };
                known.map_or_else(|| value.clone(), Value::Const)
            }
            _ => value.clone(),
        },
        Value::Object(object) => {
            let mut object = Object::clone(object);
            for argument in &mut object.args {
                argument.value.value = resolved(call, variant, &argument.value.value);
            }
            object.copy_of = object.copy_of.map(|original| resolved(call, variant, &original));
            Value::Object(Arc::new(object))
        }
        Value::Choice(_) => {
            let alternatives = value.alternatives();
            let mut possible = alternatives
                .iter()
                .filter(|(when, _)| when.assign(&call.settings_of(variant, when, release)).verdict() != Tri::No);
            match (possible.next(), possible.next()) {
                (Some((_, only)), None) => resolved(call, variant, only),
                _ => value.clone(),
            }
        }
        other => other.clone(),
    }
}
