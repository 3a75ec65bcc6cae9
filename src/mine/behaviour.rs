//! When a constructor or function raises or warns, what it reads from its arguments, and what it returns.
//!
//! The evaluator runs it with every parameter unknown and writes down under which condition each `raise` is reached. What
//! is kept is a condition over the parameters alone:
//!
//! - optional libraries are taken to be installed: a question such as `is_peft_available()` is answered with yes, since
//!   what a project needs is in its environment or fails long before;
//! - what depends on anything else (the hardware, a file, the content of a data set) is taken not to hold: what is stored is
//!   enough for the call to fail, not necessary; only in what a function returns it is shown, as `...`;
//! - "no earlier check has raised" is left out (see [`crate::eval::run_function`]), since the call fails either way.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use ruff_python_ast::{self as ast, Expr, Stmt};

use super::condition::{shown, sufficient, sufficient_cases};
use super::definition::Definition;
use super::host::{LibraryHost, post_init};
use super::library::{Library, Target};
use super::model::{Stage, Validator};
use super::scope::Binding;
use super::surface::Surface;
use crate::eval::{CallEvent, Cond, Const, Trace, Value};
use crate::knowledge::{CallableKind, Guard, Read, Returns};

/// Longer messages are cut at a word.
const MAX_MESSAGE: usize = 120;
/// A function with more ways out than this is not described.
const MAX_RETURNS: usize = 4;
/// Conditions of reads are kept shorter than those of failures: one certain read is enough to tell a wrong class.
const MAX_READ_CONDITION: usize = 80;
/// Bases are followed this far; a longer chain is a cycle.
const MAX_BASES: usize = 16;

/// Adds behaviour to the definitions of one release.
pub(super) fn describe(library: &Library<'_>, surface: &Surface, definitions: &mut BTreeMap<String, Definition>) {
    let host = LibraryHost::new(library, surface);
    let fields = declared_fields(definitions);
    let asked = definitions.par_iter_mut().filter(|(name, _)| surface.asks(name));
    asked.for_each(|(name, definition)| {
        let Some((module, short)) = name.rsplit_once('.') else { return };
        match definition.kind {
            CallableKind::Class if definition.inherits => {}
            CallableKind::Class => {
                let Some(trace) = host.run(module, &format!("{short}.__init__")) else { return };
                definition.reads = reads(&trace, &fields);
                definition.forwards = super::forward::forwards(&trace, name);
                complain(definition, &trace);
            }
            CallableKind::Dataclass if library.is_variable(name) => {
                let Some(trace) = host.run(module, &super::program::stand_in(short)) else { return };
                complain(definition, &trace);
            }
            CallableKind::Dataclass => {
                for (module, class) in checking_classes(library, name) {
                    if let Some(trace) = host.run_post_init(&module, &class) {
                        complain(definition, &trace);
                    }
                }
                validate(library, &host, name, definition);
                if let Some((module, Binding::Class(class))) = library.definition(name) {
                    for method in super::host::validating(class, surface) {
                        let Some(trace) = host.run(module, &super::host::validator(short, method)) else { continue };
                        complain(definition, &trace);
                    }
                }
            }
            CallableKind::Function if surface.unpacks(name) => {
                let Some(trace) = host.run(module, &super::unpacking::stand_in(short)) else { return };
                complain(definition, &trace);
            }
            CallableKind::Function => {
                let Some(trace) = host.run(module, short) else { return };
                definition.returns = returns(&trace);
                complain(definition, &trace);
            }
        }
    });
    // What it takes apart was checked when it was made.
    let checked: Vec<Guard> = definitions
        .values()
        .filter(|definition| definition.kind == CallableKind::Dataclass)
        .flat_map(|definition| definition.guards.clone())
        .collect();
    for (_, definition) in definitions.iter_mut().filter(|(name, _)| surface.unpacks(name)) {
        definition.guards.retain(|guard| !checked.contains(guard));
        definition.warnings.retain(|warning| !checked.contains(warning));
    }
}

/// Names of fields of the package's own dataclasses: only a read of these tells one configuration class from another.
fn declared_fields(definitions: &BTreeMap<String, Definition>) -> BTreeSet<String> {
    let dataclasses = definitions.values().filter(|definition| definition.kind == CallableKind::Dataclass);
    dataclasses.flat_map(|definition| definition.parameters.keys().cloned()).collect()
}

/// The classes whose `__post_init__` runs when a dataclass is made: the nearest one that has it, and those that it reaches
/// by `super()`. Each as module and name.
fn checking_classes(library: &Library<'_>, name: &str) -> Vec<(String, String)> {
    let mut classes = Vec::new();
    let mut next = name.to_owned();
    for _ in 0..MAX_BASES {
        let Some((module, Binding::Class(class))) = library.definition(&next) else { break };
        if let Some(method) = post_init(class) {
            classes.push((module.to_owned(), class.name.to_string()));
            if !calls_super(method) {
                break;
            }
        }
        let own = class.bases().iter().find_map(|base| match library.resolve_expression(module, base) {
            Target::Definition(base) => Some(base),
            _ => None,
        });
        let Some(base) = own else { break };
        next = base;
    }
    classes
}

/// Adds what the validators of a model raise, those of its bases included.
fn validate(library: &Library<'_>, host: &LibraryHost, name: &str, definition: &mut Definition) {
    let mut open = vec![name.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        let Some((module, Binding::Class(class))) = library.definition(&next) else { continue };
        if !seen.insert(next.clone()) {
            continue;
        }
        for Validator { name, stage } in super::model::validators(class) {
            let Some(trace) = host.run(module, &name) else { continue };
            let guards = if stage == Stage::Before { &mut definition.before } else { &mut definition.guards };
            add_new(guards, raises(&trace));
        }
        open.extend(class.bases().iter().filter_map(|base| match library.resolve_expression(module, base) {
            Target::Definition(base) => Some(base),
            _ => None,
        }));
    }
}

/// Whether a method calls `super().__post_init__()`.
fn calls_super(method: &ast::StmtFunctionDef) -> bool {
    method.body.iter().any(|statement| {
        let Stmt::Expr(expression) = statement else { return false };
        let Expr::Call(call) = &*expression.value else { return false };
        let Expr::Attribute(called) = &*call.func else { return false };
        let Expr::Call(receiver) = &*called.value else { return false };
        matches!(&*receiver.func, Expr::Name(name) if name.id.as_str() == "super")
    })
}

/// Adds what a trace raises and warns of.
fn complain(definition: &mut Definition, trace: &Trace) {
    add_new(&mut definition.guards, raises(trace));
    add_new(&mut definition.warnings, trace.calls.iter().filter_map(warning));
}

/// What a trace raises.
fn raises(trace: &Trace) -> impl Iterator<Item = Guard> {
    trace.raises.iter().filter(|event| event.caught.is_empty()).flat_map(|event| {
        let guard = |when| Guard {
            raises: event.exception.to_string(),
            message: event.message.as_deref().map(shortened),
            when,
        };
        sufficient_cases(&event.when).into_iter().map(guard)
    })
}

/// `warnings.warn(message, FutureWarning)`.
fn warning(call: &CallEvent) -> Option<Guard> {
    if &*call.object.callee != "warnings.warn" {
        return None;
    }
    let argument = |index: usize, name: &str| {
        let by_name = call.object.args.iter().find(|argument| argument.name.as_deref() == Some(name));
        by_name.or_else(|| call.object.args.iter().filter(|argument| argument.name.is_none()).nth(index))
    };
    let message = argument(0, "message").and_then(|argument| match &argument.value.value {
        Value::Const(Const::Str(text)) => Some(shortened(text)),
        _ => None,
    });
    let raises = match argument(1, "category").map(|argument| &argument.value.value) {
        Some(Value::External(class)) => class.rsplit('.').next().unwrap_or(class).to_owned(),
        Some(Value::Class(class)) => class.name.rsplit('.').next().unwrap_or(&class.name).to_owned(),
        _ => "UserWarning".to_owned(),
    };
    Some(Guard { raises, message, when: sufficient(&call.when)? })
}

fn add_new<T: PartialEq>(list: &mut Vec<T>, items: impl Iterator<Item = T>) {
    for item in items {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

/// Attributes of the configuration that a constructor reads, where the condition is simple enough to be of use.
fn reads(trace: &Trace, fields: &BTreeSet<String>) -> Vec<Read> {
    let mut by_path: BTreeMap<&str, Cond> = BTreeMap::new();
    for read in &trace.reads {
        let Some(field) = read.path.strip_prefix("args.") else { continue };
        if fields.contains(field) {
            let when = by_path.entry(&read.path).or_insert(Cond::FALSE);
            *when = std::mem::replace(when, Cond::FALSE).or(read.when.clone());
        }
    }
    let read = |(path, when): (&str, Cond)| {
        let when = sufficient(&when).filter(|when| when.len() <= MAX_READ_CONDITION)?;
        Some(Read { path: path.to_owned(), when })
    };
    by_path.into_iter().filter_map(read).collect()
}

/// What a function returns, where at least one case says something.
fn returns(trace: &Trace) -> Vec<Returns> {
    let Some(returned) = &trace.returned else { return Vec::new() };
    let mut cases: Vec<(String, Cond)> = Vec::new();
    for (when, value) in returned.alternatives() {
        let value = match value {
            Value::Const(Const::None) => "None".to_owned(),
            Value::Object(object) if object.copy_of.is_none() => object.callee.to_string(),
            _ => "...".to_owned(),
        };
        match cases.iter_mut().find(|(known, _)| *known == value) {
            Some((_, known)) => *known = std::mem::replace(known, Cond::FALSE).or(when),
            None => cases.push((value, when)),
        }
    }
    let is_plain = cases.iter().all(|(value, when)| value == "..." || (value == "None" && *when == Cond::TRUE));
    if is_plain || cases.len() > MAX_RETURNS {
        return Vec::new();
    }
    let cases = cases.into_iter();
    cases.map(|(value, when)| Returns { when: shown(&when), value }).collect()
}

/// A message on one line, cut at a word.
fn shortened(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() <= MAX_MESSAGE {
        return line;
    }
    let end = line.char_indices().take_while(|(at, _)| *at < MAX_MESSAGE).map(|(at, _)| at).last().unwrap_or(0);
    let cut = line[..end].rfind(' ').unwrap_or(end);
    format!("{} ...", &line[..cut])
}
