//! Arguments that `from_pretrained` of one release takes for itself and that of another passes on to the model.

use super::ask::Call;
use super::declare::declare_rule;
use super::report::Reach;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label, Severity};
use crate::eval::{Argument, Caller, Cond, Const, Value};
use crate::knowledge::{Instead, OwnArgument, ReleaseSet};
use crate::lower::Analysis;
use crate::source::Span;
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports keyword arguments of a model's `from_pretrained` that only other releases of transformers than those which the
    /// project allows take for themselves.
    ///
    /// ## Why it matters
    ///
    /// `from_pretrained` takes any keyword. What it does not know it passes on to the constructor of the model, which raises
    /// `TypeError`: `load_in_4bit`, `use_auth_token` and `use_flash_attention_2` went this way.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// transformers==5.3.0
    /// ```
    ///
    /// ```python,bad
    /// from transformers import AutoModelForCausalLM
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", load_in_4bit=True)
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", quantization_config=BitsAndBytesConfig(load_in_4bit=True))
    /// ```
    ///
    /// ```python,good
    /// from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    ///
    /// quantization = BitsAndBytesConfig(load_in_4bit=True)
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", quantization_config=quantization)
    /// ```
    ///
    /// ```python,bad
    /// from transformers import AutoModelForCausalLM
    ///
    /// model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.2-1B", use_auth_token=True)
    /// ```
    ///
    /// ```python,fixed
    /// from transformers import AutoModelForCausalLM
    ///
    /// model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.2-1B", token=True)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// A new name for the same value is safe where every release that the project allows knows it. What turns into something else
    /// (`quantization_config=BitsAndBytesConfig(...)`), or into nothing (`load_in_8bit=False`), is unsafe.
    ///
    /// With `trust_remote_code=True` the model may have a constructor of its own, which may take anything: a warning.
    ///
    /// ## Versions
    ///
    /// The releases that take each of these arguments are listed by hand, from the sources of transformers, since no signature
    /// shows them.
    ///
    /// ## References
    ///
    /// - transformers pull request 41287, peft issue 1552
    FromPretrainedArgument = "from-pretrained-argument", "DPL114", Error,
        "`from_pretrained` gets an argument that the release passes on to the model"
}

impl Rule for FromPretrainedArgument {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        // A class of the project has a constructor of its own.
        if matches!(call.run.call().object.receiver, Some(Value::Class(_))) {
            return;
        }
        let arguments = call.run.arguments().iter().filter(|argument| argument.when == Cond::TRUE);
        let known = arguments.filter_map(|argument| Some((argument, own(call, argument.name.as_deref()?)?)));
        found.extend(known.filter_map(|(argument, fact)| check(analysis, call, argument, fact)));
    }
}

/// What is known of an argument of the callee.
pub(super) fn own<'a>(call: &Call<'a>, name: &str) -> Option<&'a OwnArgument> {
    call.knowledge.curated().own_arguments(call.callee()).find(|fact| fact.argument == name)
}

fn check(analysis: &Analysis, call: &Call<'_>, argument: &Argument, fact: &OwnArgument) -> Option<Diagnostic> {
    let in_effect = call.in_effect()?;
    let having = call.package.releases_in(&fact.releases);
    let lacking = &call.package.all() - &having;
    let outcome = call.holds(&Cond::TRUE, &lacking);
    let reach = call.reach_in(&outcome, in_effect);
    if !call.versions().speaks_of(reach) {
        return None;
    }
    let releases = call.versions().meant(reach, in_effect, &lacking);
    let counted =
        if reach == Reach::InEffect { Some(in_effect) } else { (&lacking & &call.allowed()).iter().next_back() };
    let is_gone = having.iter().next().is_some_and(|oldest| counted.is_some_and(|release| oldest < release));
    let name = &fact.argument;
    let message =
        format!("`from_pretrained` of {releases} does not know `{name}` {}", if is_gone { "any more" } else { "yet" });
    let primary =
        Label { span: argument.span, message: "TypeError: passed on to the constructor of the model".to_owned() };
    let mut finding = call.finding(&FromPretrainedArgument::META, reach, &lacking, message, primary);
    let has_own_code = call.argument("trust_remote_code").is_some_and(|given| !is_const(given, &Const::Bool(false)));
    if has_own_code {
        finding.severity = finding.severity.min(Severity::Warning);
        "passed on to the constructor of the model".clone_into(&mut finding.primary.message);
    }
    finding.notes.push(format!("{} takes `{name}`", call.releases(&having)));
    call.explain(&mut finding, &outcome);
    if let Some(instead) = fact.instead.as_ref().filter(|instead| takes(call, &instead.argument, counted)) {
        let value = instead.value.as_deref().map_or(String::new(), |value| format!("={value}"));
        finding.help = Some(format!("pass it as `{}{value}`", instead.argument));
        finding.fixes.extend(written_otherwise(analysis, call, argument, instead));
    }
    Some(finding)
}

fn is_const(argument: &Argument, constant: &Const) -> bool {
    matches!(&argument.value.value, Value::Const(given) if given == constant)
}

/// Whether a release takes an argument; those of which nothing is said are taken by all.
fn takes(call: &Call<'_>, name: &str, release: Option<usize>) -> bool {
    own(call, name).is_none_or(|fact| release.is_some_and(|one| call.package.releases_in(&fact.releases).contains(one)))
}

/// Writes an argument the other way, or drops it where it asks for nothing.
pub(super) fn written_otherwise(
    analysis: &Analysis,
    call: &Call<'_>,
    argument: &Argument,
    instead: &Instead,
) -> Option<Fix> {
    let module = analysis.modules.get(&argument.span.file)?;
    let name = argument.name.as_deref()?;
    let Some(value) = &instead.value else {
        let edits = python_edit::rename_argument(module, argument.span, &instead.argument).ok()?;
        let allowed: ReleaseSet = call.allowed();
        let is_known = !call.versions().is_assumed() && argument.unpacked.is_none();
        let is_sure = is_known && allowed.iter().all(|release| takes(call, &instead.argument, Some(release)));
        let applicability = if is_sure { Applicability::Safe } else { Applicability::Unsafe };
        return Some(Fix { title: format!("rename `{name}` to `{}`", instead.argument), applicability, edits });
    };
    // What is made beside it would have to be a dictionary in a configuration.
    if call.run.call().by != Caller::Script && instead.import.is_some() {
        return None;
    }
    let applicability = Applicability::Unsafe;
    let is_said = call.argument(&instead.argument).is_some();
    if is_said || [Const::Bool(false), Const::None].iter().any(|none| is_const(argument, none)) {
        let edits = python_edit::remove_argument(module, argument.span).ok()?;
        return Some(Fix { title: format!("remove `{name}`"), applicability, edits });
    }
    if !is_const(argument, &Const::Bool(true)) || speaks_for_more(call, argument.span) {
        return None;
    }
    let (value, brought) = match &instead.import {
        None => (value.clone(), Vec::new()),
        Some(import) => {
            let (spelled, edits) = python_edit::bring(module, import).ok()?;
            (value.replace(import.rsplit('.').next()?, &spelled), edits)
        }
    };
    let mut edits = python_edit::rename_argument(module, argument.span, &instead.argument).ok()?;
    edits.extend(python_edit::set_value(module, argument.value.span, &value).ok()?);
    edits.extend(brought);
    edits.sort_unstable();
    Some(Fix { title: format!("pass `{}={value}`", instead.argument), applicability, edits })
}

/// Whether other arguments of the call belong to the same setting (`bnb_4bit_compute_dtype=...` next to `load_in_4bit=True`).
fn speaks_for_more(call: &Call<'_>, but: Span) -> bool {
    let others = call.run.arguments().iter().filter(|other| other.span != but);
    others
        .filter_map(|other| other.name.as_deref())
        .any(|name| name.starts_with("bnb_4bit_") || name.starts_with("llm_int8_") || name.starts_with("load_in_"))
}
