//! What rules about `device_map` ask: the calls that place a model, and how the script around them is launched.

use crate::eval::{Argument, Cond, Const, ParserKind, Value};
use crate::lower::Analysis;
use crate::lower::launch::{Launch, Launcher};
use crate::model::{LibraryCall, Variant};
use crate::source::Span;
use crate::syntax::{Document, Scalar};

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

/// Where a launch says that `DeepSpeed` cuts the parameters into pieces (ZeRO-3).
pub(super) fn zero3(analysis: &Analysis, call: &LibraryCall, variant: &Variant) -> Option<Span> {
    let launch = launch(analysis, variant);
    let from = analysis.written.path_at(variant.origin?)?;
    let named = variant.settings.iter().rev().find(|setting| &*call.flag(setting.flag).name == "deepspeed");
    let named = named.and_then(|setting| match &setting.value {
        Some(Const::Str(file)) => analysis.written.document_from(file, from),
        _ => None,
    });
    let accelerate = || launcher_config(analysis, launch?, from);
    named.and_then(stage3).or_else(|| accelerate().and_then(|document| accelerate_stage3(analysis, document)))
}

/// The configuration of `accelerate launch`.
fn launcher_config<'a>(analysis: &'a Analysis, launch: &Launch, from: &std::path::Path) -> Option<&'a Document> {
    let flag = flag(launch.launcher("accelerate launch")?, "config_file")?;
    analysis.written.document_from(flag.0.as_str(), from)
}

fn stage3(document: &Document) -> Option<Span> {
    let entry = document.root.get("zero_optimization")?.entry("stage")?;
    matches!(entry.value.scalar(), Some(Scalar::Int(3))).then_some(entry.span)
}

fn accelerate_stage3(analysis: &Analysis, document: &Document) -> Option<Span> {
    let is_deepspeed = document.root.get("distributed_type")?.as_str() == Some("DEEPSPEED");
    let config = document.root.get("deepspeed_config").filter(|_| is_deepspeed)?;
    let stage = config.entry("zero_stage").filter(|entry| matches!(entry.value.scalar(), Some(Scalar::Int(3))));
    let file = || {
        let file = config.get("deepspeed_config_file")?.as_str()?;
        let from = analysis.written.path_at(document.root.entries().first()?.span)?;
        stage3(analysis.written.document_from(file, from)?)
    };
    stage.map(|entry| entry.span).or_else(file)
}

/// Where a launch says that it starts several processes, and how many.
pub(super) fn processes(analysis: &Analysis, variant: &Variant) -> Option<(Span, i64)> {
    let launch = launch(analysis, variant)?;
    let from = analysis.written.path_at(variant.origin?)?;
    let of = |launcher: &str, name: &str| {
        let (word, span) = flag(launch.launcher(launcher)?, name)?;
        Some((span, word.parse::<i64>().ok()?))
    };
    let config = || {
        let entry = launcher_config(analysis, launch, from)?.root.entry("num_processes")?;
        match entry.value.scalar() {
            Some(Scalar::Int(count)) => Some((entry.span, *count)),
            _ => None,
        }
    };
    let found = of("torchrun", "nproc_per_node")
        .or_else(|| of("accelerate launch", "num_processes"))
        .or_else(|| of("deepspeed", "num_gpus"))
        .or_else(config);
    found.filter(|(_, count)| *count > 1)
}

fn flag(launcher: &Launcher, name: &str) -> Option<(String, Span)> {
    let is_it = |entry: &&crate::syntax::Entry| entry.name().is_some_and(|known| known.replace('-', "_") == name);
    let entry = launcher.flags.iter().rev().find(is_it)?;
    Some((entry.value.as_str()?.to_owned(), entry.span))
}

fn launch<'a>(analysis: &'a Analysis, variant: &Variant) -> Option<&'a Launch> {
    analysis.written.launch_at(variant.origin?)
}
