//! A method of the project that a library's class calls with arguments it does not take.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ask::Outcome;
use super::declare::declare_rule;
use super::versions::{Versions, enumerate};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label};
use crate::eval::{Class, Value};
use crate::knowledge::{self, BaseCall, ReleaseSet};
use crate::lower::{Analysis, Script};
use crate::source::Span;
use crate::syntax::python::PythonModule;
use crate::syntax::python_edit::{self, Method};

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer of the project that overrides a method of its base class without a parameter which a release that the
    /// project allows passes to it.
    ///
    /// ## Why it matters
    ///
    /// The training loop calls `compute_loss`, `training_step` and `log` itself. A newer release passes more to them, and the run
    /// stops with `TypeError` at its first step.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// transformers==4.57.6
    /// ```
    ///
    /// ```python,bad
    /// from transformers import Trainer
    ///
    ///
    /// class WeightedTrainer(Trainer):
    ///     def compute_loss(self, model, inputs, return_outputs=False):
    ///         outputs = model(**inputs)
    ///         return (outputs.loss, outputs) if return_outputs else outputs.loss
    ///
    ///
    /// trainer = WeightedTrainer(model=model, train_dataset=data)
    /// ```
    ///
    /// ```python,fixed
    /// from transformers import Trainer
    ///
    ///
    /// class WeightedTrainer(Trainer):
    ///     def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
    ///         outputs = model(**inputs)
    ///         return (outputs.loss, outputs) if return_outputs else outputs.loss
    ///
    ///
    /// trainer = WeightedTrainer(model=model, train_dataset=data)
    /// ```
    ///
    /// ```python,good
    /// from transformers import Trainer
    ///
    ///
    /// class WeightedTrainer(Trainer):
    ///     def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
    ///         outputs = model(**inputs)
    ///         return (outputs.loss, outputs) if return_outputs else outputs.loss
    ///
    ///
    /// trainer = WeightedTrainer(model=model, train_dataset=data)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Safe: a parameter with a default is added, and older releases do not pass it.
    ///
    /// ## Versions
    ///
    /// How each release calls the methods is listed by hand, from the sources of transformers. Nothing is reported where the
    /// project overrides a method that leads to the call as well.
    ///
    /// ## References
    ///
    /// - transformers issues 36331 and 35838
    OverrideSignature = "override-signature", "DPL116", Error,
        "a method is overridden that the base class calls with other arguments", aliases: ["compute-loss-signature"]
}

impl Rule for OverrideSignature {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let mut seen = BTreeSet::new();
        for event in &script.trace.calls {
            let Some(class) = event.through.as_ref().filter(|class| seen.insert(class.id)) else { continue };
            let Some(overridden) = overridden(analysis, class) else { continue };
            for call in context.knowledge.curated().base_calls(&event.object.callee) {
                found.extend(check(script, context, class, &overridden, call));
            }
        }
    }
}

/// A method of the project, the span of its class and the module it stands in.
type Override<'a> = (Method, Span, &'a PythonModule);

/// The methods of a class and of those of the project that it derives from, the closest first; `None` where one of them cannot
/// be read.
fn overridden<'a>(analysis: &'a Analysis, class: &Arc<Class>) -> Option<Vec<Override<'a>>> {
    let mut found: Vec<Override<'a>> = Vec::new();
    let mut open = vec![Arc::clone(class)];
    let mut seen = BTreeSet::new();
    while let Some(class) = open.pop().filter(|class| seen.insert(class.id)) {
        let module = analysis.modules.get(&class.span.file)?;
        let methods = python_edit::methods(module, class.span);
        found.extend(methods.into_iter().map(|method| (method, class.span, &**module)));
        for base in class.bases.iter().rev() {
            match base {
                Value::Class(base) => open.push(Arc::clone(base)),
                Value::External(_) => {}
                _ => return None,
            }
        }
    }
    Some(found)
}

fn check(
    script: &Script,
    context: &Context<'_>,
    class: &Class,
    overridden: &[Override<'_>],
    call: &BaseCall,
) -> Option<Diagnostic> {
    let (method, owner, module) = overridden.iter().find(|(method, ..)| method.name == call.method)?;
    if overridden.iter().any(|(other, ..)| call.unless.contains(&other.name)) {
        return None;
    }
    let missing = call.missing(&taken(method));
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    let package = context.knowledge.package(&call.package).filter(|_| !missing.is_empty())?;
    let versions = Versions::new(package, &script.environment);
    let in_effect = versions.in_effect()?;
    let calling: ReleaseSet = package.releases_in(&call.releases);
    let reach = versions.reach(&Outcome::certainly(calling.clone()), in_effect);
    if !versions.speaks_of(reach) {
        return None;
    }
    let releases = versions.meant(reach, in_effect, &calling);
    let message = format!("{releases} passes {} to `{}`, which does not take it", enumerate(&names), call.method);
    let primary = Label { span: method.span, message: "TypeError at the first call".to_owned() };
    let mut finding = versions.finding(&OverrideSignature::META, reach, &calling, message, primary);
    let base = class.bases.iter().find_map(|base| match base {
        Value::External(name) => name.rsplit('.').next(),
        _ => None,
    });
    if let Some(base) = base {
        finding.notes.push(format!("`{}` is called by the training loop of `{base}`", call.method));
    }
    versions.explain(&mut finding);
    finding.help = Some(format!("add {} or `**kwargs` to its parameters", enumerate(&names)));
    if let Some(edits) = python_edit::add_parameters(module, *owner, method, &missing) {
        let title = format!("add {} to `{}`", enumerate(&names), call.method);
        finding.fixes.push(Fix { title, applicability: Applicability::Safe, edits });
    }
    Some(finding)
}

fn taken(method: &Method) -> knowledge::Method {
    knowledge::Method {
        positional: method.positional.clone(),
        keyword_only: method.keyword_only.clone(),
        any_positional: method.any_positional,
        any_keyword: method.any_keyword,
    }
}
