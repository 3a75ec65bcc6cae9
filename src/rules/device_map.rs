//! What rules about `device_map` ask: the calls that place a model on devices, and how to leave that out.

use super::RuleMeta;
use super::framework::label;
use super::report::plain;
use crate::diagnostic::{Applicability, Diagnostic, Fix, Severity};
use crate::eval::{Argument, Cond, Const, ParserKind, Value};
use crate::lower::Analysis;
use crate::model::LibraryCall;
use crate::source::Span;
use crate::syntax::python_edit;

/// The argument of a `from_pretrained` that surely places the model on devices.
pub(super) fn placed(call: &LibraryCall) -> Option<&Argument> {
    let event = call.call();
    let is_certain =
        event.when == Cond::TRUE && event.caught.is_empty() && event.object.callee.ends_with(".from_pretrained");
    let argument = event.object.args.iter().find(|argument| argument.name.as_deref() == Some("device_map"))?;
    (is_certain && argument.when == Cond::TRUE).then_some(argument)
}

/// The word of a `device_map`: `auto`.
pub(super) fn word(argument: &Argument) -> Option<&str> {
    match &argument.value.value {
        Value::Const(Const::Str(word)) => Some(word),
        _ => None,
    }
}

/// Whether the script parses its arguments before a place: only then the model is loaded with `DeepSpeed`'s settings known.
pub(super) fn parses_before(call: &LibraryCall, place: Span) -> bool {
    call.trace.parsers.iter().any(|parser| {
        let is_trainer = matches!(parser.kind, ParserKind::HfArgumentParser | ParserKind::TrlParser);
        is_trainer && (parser.span.file != place.file || parser.span.start < place.start)
    })
}

/// A finding about such an argument, with the fix that removes it.
pub(super) fn finding(
    analysis: &Analysis,
    meta: &RuleMeta,
    argument: &Argument,
    message: String,
    outcome: String,
    applicability: Applicability,
) -> Option<Diagnostic> {
    let module = analysis.modules.get(&argument.span.file)?;
    let edits = python_edit::remove_argument(module, argument.span).ok();
    let fix = edits.map(|edits| Fix { title: "remove `device_map`".to_owned(), applicability, edits });
    let mut finding = plain(meta, Severity::Error, message, label(argument.span, outcome));
    finding.fixes = fix.into_iter().collect();
    Some(finding)
}
