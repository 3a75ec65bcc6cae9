//! What a parser constructs: the settings of an argument file or a launch line are the arguments of the classes it fills.

use std::sync::Arc;

use super::flags::library_class;
use super::script::is_known;
use super::{Request, Script};
use crate::eval::{Argument, CallEvent, Caller, Cond, FlagOwner, Object, Parser, ParserKind, Traced, Value};
use crate::model::{LibraryCall, Setting, Variant};
use crate::source::{Sources, Span};

/// One construction for each way to start a script and each library class that its parsers fill, where something is set. Each
/// argument stands where it is set: in the argument file, or on the launch line.
pub(super) fn constructions(script: &Script, request: &Request<'_>) -> Vec<LibraryCall> {
    let mut found: Vec<LibraryCall> = Vec::new();
    for (index, parser) in script.trace.parsers.iter().enumerate() {
        if !matches!(parser.kind, ParserKind::HfArgumentParser | ParserKind::TrlParser) {
            continue;
        }
        for class in &parser.classes {
            let known = library_class(class).filter(|name| is_known(name, request.knowledge));
            let Some(name) = known.filter(|_| !changes_fields(class, request.sources)) else { continue };
            for variant in script.variants.iter() {
                let args = arguments(script, variant, index, &name);
                // A file that several lines name says the same to each of them.
                let is_told = |other: &LibraryCall| {
                    other.call().object.callee == name && spans(other.arguments()).eq(spans(&args))
                };
                if !args.is_empty() && !found.iter().any(is_told) {
                    found.push(construction(script, variant, (parser, class), (&name, args)));
                }
            }
        }
    }
    found
}

/// Whether a class of the project may give its fields other values before those that it derives from see them.
fn changes_fields(class: &Value, sources: &Sources) -> bool {
    match class {
        Value::Class(project) => {
            sources.get(project.span.file).slice(project.span).contains("__post_init__")
                || project.bases.iter().any(|base| changes_fields(base, sources))
        }
        _ => false,
    }
}

fn spans(arguments: &[Argument]) -> impl Iterator<Item = Span> {
    arguments.iter().map(|argument| argument.span)
}

/// What a variant sets of a class: of several settings of the same field the last.
fn arguments(script: &Script, variant: &Variant, parser: usize, class: &Arc<str>) -> Vec<Argument> {
    let is_its = |setting: &&Setting| {
        let flag = &script.trace.flags[setting.flag.0 as usize];
        let is_last = variant.setting(setting.flag).is_some_and(|last| last.origin == setting.origin);
        is_last
            && flag.parser.0 as usize == parser
            && matches!(&flag.owner, FlagOwner::External(owner) if owner == class)
    };
    let argument = |setting: &Setting| Argument {
        name: Some(Arc::clone(&script.trace.flags[setting.flag.0 as usize].name)),
        value: Traced { value: value(setting), span: setting.origin },
        span: setting.origin,
        unpacked: None,
        when: Cond::TRUE,
    };
    variant.settings.iter().filter(is_its).map(argument).collect()
}

fn value(setting: &Setting) -> Value {
    let constant = |value: &crate::eval::Const| Value::Const(value.clone());
    match (&setting.value, &setting.items) {
        (Some(value), _) => constant(value),
        (None, Some(items)) => {
            let item = |item| Traced { value: constant(item), span: setting.origin };
            Value::List(items.iter().map(item).collect::<Vec<_>>().into())
        }
        (None, None) => Value::Unknown,
    }
}

fn construction(
    script: &Script,
    variant: &Variant,
    (parser, class): (&Parser, &Value),
    (callee, args): (&Arc<str>, Vec<Argument>),
) -> LibraryCall {
    let through = match class {
        Value::Class(project) => Some(Arc::clone(project)),
        _ => None,
    };
    let object = Object {
        id: u32::MAX,
        callee: Arc::clone(callee),
        span: parser.span,
        args,
        stored: Vec::new(),
        copy_of: None,
        receiver: None,
        parsed: None,
    };
    let event = CallEvent {
        object: Arc::new(object),
        when: Cond::TRUE,
        caught: Vec::new(),
        handling: Vec::new(),
        open: variant.is_open,
        through,
        stack: Vec::new(),
        uncalled: false,
        by: Caller::Script,
    };
    LibraryCall {
        trains: false,
        script: script.path.clone(),
        trace: Arc::clone(&script.trace),
        call: 0,
        parsed: Some(Arc::new(event)),
        variants: vec![variant.clone()].into(),
        environment: Arc::clone(&script.environment),
    }
}
