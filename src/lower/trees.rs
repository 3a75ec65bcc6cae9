//! Configurations that are Python files: each dictionary in them that says what it becomes is a call, which the program makes that reads
//! the file.
//!
//! A file is known by what it holds: one of the names that the program reads leads to a dictionary that becomes something of the
//! program's own package. Of the others nothing is said, whatever they are called.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::Written;
use super::launch::{Launch, Program};
use crate::eval::{Argument, CallEvent, Caller, Cond, Const, Dict, Object, Trace, Traced, Value};
use crate::knowledge::{Consumer, Tree};
use crate::source::{FileId, Span};
use crate::syntax::NodeKind;

/// Whether a file may be such a configuration, told by its text.
pub(super) fn may_be(text: &str) -> bool {
    Consumer::trees().iter().any(|tree| tree.may_be(text))
}

/// What a command that starts such a program says: the file, and what it sets of it.
pub struct Start<'a> {
    /// The program.
    pub tree: &'static Tree,
    /// The configuration, as it is written.
    pub configuration: Option<(&'a str, Span)>,
    /// The keys that it overwrites: `model.lora.r`.
    overwritten: Vec<&'a str>,
}

impl<'a> Start<'a> {
    /// Whether a command in a file reads another file.
    pub fn reads(&self, from: &Path, path: &Path) -> bool {
        self.configuration.is_some_and(|(file, _)| is_file(file, from, path))
    }

    /// The configuration, where it is a file that the project should have: not one that the program copies out of its own.
    pub fn named_file(&self) -> Option<(&'a str, Span)> {
        let is_python = |file: &str| file.rsplit_once('.').is_some_and(|(_, ending)| ending == "py");
        self.configuration.filter(|(file, _)| is_python(file) && !file.ends_with(&self.tree.copied))
    }
}

/// What a command starts, where it is such a program.
pub fn start(launch: &Launch) -> Option<Start<'_>> {
    let tree = Consumer::trees().iter().find(|tree| match &launch.program {
        Program::Command { tool, command } => {
            command.text.as_deref().is_some_and(|command| tree.is_started_by(tool, command))
        }
        Program::Script { known_end, .. } => tree.is_script(known_end),
        Program::Module(_) => false,
    })?;
    // Words behind an option that stands before the file may be the option's.
    let first = launch.flags.first().filter(|first| first.key.is_none());
    let configuration = first.and_then(|word| Some((word.value.as_str()?, word.value.span)));
    let words = launch.flags.iter().flat_map(|flag| match &flag.value.kind {
        NodeKind::List(items) => items.iter().filter_map(|item| item.value.as_str()).collect(),
        _ => flag.value.as_str().into_iter().collect::<Vec<_>>(),
    });
    let overwritten = words.filter_map(|word| Some(word.split_once('=')?.0)).collect();
    Some(Start { tree, configuration, overwritten })
}

/// Adds the calls that the reader of a file makes to what its evaluation left behind, if it is a configuration. The program is returned.
///
/// One that others read is a part of theirs, unless a command names it.
pub(super) fn complete(trace: &mut Trace, (path, is_base): (&Path, bool), written: &Written) -> Option<&'static Tree> {
    let names = std::mem::take(&mut trace.names);
    if names.is_empty() {
        return None;
    }
    let starts: Vec<Start<'_>> = written
        .launches()
        .filter_map(|(source, launch)| Some((source, start(launch)?)))
        .filter(|(source, start)| start.reads(source.path(), path))
        .map(|(_, start)| start)
        .collect();
    if is_base && starts.is_empty() {
        return None;
    }
    let find = |wanted: &str| names.iter().find(|(name, _)| **name == *wanted).map(|(_, value)| value);
    for tree in Consumer::trees() {
        let is_merged = find(&tree.reads[1]).is_some();
        let starts = starts.iter().filter(|start| std::ptr::eq(start.tree, tree));
        let overwritten = starts.flat_map(|start| start.overwritten.iter().copied()).collect();
        let mut calls = Calls { tree, is_merged, events: Vec::new(), seen: BTreeSet::new(), overwritten };
        for root in &tree.roots {
            if let Some(value) = find(root) {
                calls.walk(value, root, root);
            }
        }
        let is_own = |event: &CallEvent| event.object.callee.split('.').next() == Some(&*tree.package);
        if calls.events.iter().any(is_own) {
            trace.calls.extend(calls.events);
            return Some(tree);
        }
    }
    None
}

/// Whether a path in a file means another file of the project.
fn is_file(written: &str, from: &Path, path: &Path) -> bool {
    let written = Path::new(written.trim_start_matches("./"));
    let around = from.parent().into_iter().flat_map(Path::ancestors);
    around.map(|folder| folder.join(written)).any(|one| one == path)
}

/// The files that others among these read, so that they are no configurations of their own unless a command names them.
pub(super) fn bases<'t>(traces: impl Iterator<Item = &'t Trace>) -> BTreeSet<FileId> {
    traces.flat_map(|trace| trace.files.iter().skip(1).copied()).collect()
}

struct Calls<'a> {
    tree: &'static Tree,
    /// Whether what other files say is merged into it.
    is_merged: bool,
    events: Vec<CallEvent>,
    /// The same dictionary stands in several places.
    seen: BTreeSet<(Span, Arc<str>)>,
    overwritten: Vec<&'a str>,
}

impl Calls<'_> {
    fn walk(&mut self, value: &Value, root: &str, path: &str) {
        match value {
            Value::Dict(dict) => {
                for (key, item, _) in &dict.entries {
                    let Const::Str(key) = key else { continue };
                    let path = format!("{path}.{key}");
                    if dict.maybe.get(&Const::Str(Arc::clone(key))).is_none_or(|when| *when == Cond::TRUE) {
                        self.walk(&item.value, root, &path);
                    }
                }
                self.event(dict, root, path);
            }
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.walk(&item.value, root, &format!("{path}.{at}"));
                }
            }
            _ => {}
        }
    }

    fn event(&mut self, dict: &Dict, root: &str, path: &str) {
        let Some((callee, span)) = self.kind(dict) else { return };
        // Another type has other keys.
        if !self.seen.insert((span, Arc::clone(&callee))) || self.is_overwritten(&format!("{path}.{}", self.tree.kind))
        {
            return;
        }
        let object = self.object(dict, callee, span, (root, path), self.events.len());
        self.events.push(CallEvent {
            object: Arc::new(object),
            when: Cond::TRUE,
            caught: Vec::new(),
            handling: Vec::new(),
            open: dict.open || self.is_merged,
            through: None,
            stack: Vec::new(),
            uncalled: false,
            by: if self.tree.fills(path) { Caller::ProgramWithMore } else { Caller::Program },
        });
    }

    /// What a dictionary is handed to, and where it says so.
    fn kind(&self, dict: &Dict) -> Option<(Arc<str>, Span)> {
        let key = Const::Str(self.tree.kind.as_str().into());
        if dict.maybe.contains_key(&key) {
            return None;
        }
        let (_, item, whole) = dict.entries.iter().find(|(known, ..)| *known == key)?;
        match &item.value {
            Value::External(name) => Some((Arc::clone(name), whole.unwrap_or(item.span))),
            _ => None,
        }
    }

    fn object(&self, dict: &Dict, callee: Arc<str>, span: Span, (root, path): (&str, &str), number: usize) -> Object {
        let is_own = callee.split('.').next() == Some(&*self.tree.package);
        let argument = |(key, item, whole): &(Const, Traced, Option<Span>)| {
            let Const::Str(name) = key else { return None };
            if **name == *self.tree.kind || self.tree.is_apart(root, name) {
                return None;
            }
            let path = format!("{path}.{name}");
            let value =
                if self.is_overwritten(&path) { Value::Unknown } else { self.made(&item.value, is_own, root, &path) };
            Some(Argument {
                name: Some(Arc::clone(name)),
                value: Traced { value, span: item.span },
                span: whole.unwrap_or(item.span),
                unpacked: None,
                when: dict.maybe.get(key).cloned().unwrap_or(Cond::TRUE),
            })
        };
        Object {
            id: u32::MAX - u32::try_from(number).unwrap_or_default(),
            callee,
            span,
            args: dict.entries.iter().filter_map(argument).collect(),
            stored: Vec::new(),
            copy_of: None,
            receiver: None,
            parsed: None,
        }
    }

    /// An argument as the callee sees it: what is handed to another package is made before, the program's own classes get dictionaries.
    fn made(&self, value: &Value, is_own: bool, root: &str, path: &str) -> Value {
        let Value::Dict(dict) = value else { return value.clone() };
        match self.kind(dict).filter(|_| !is_own && !dict.open) {
            Some((callee, span)) => Value::Object(Arc::new(self.object(dict, callee, span, (root, path), usize::MAX))),
            None => value.clone(),
        }
    }

    /// Whether a command gives a key, or one below it, another value.
    fn is_overwritten(&self, path: &str) -> bool {
        let is_at_or_below = |one: &str, other: &str| {
            one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.overwritten.iter().any(|key| is_at_or_below(key, path) || is_at_or_below(path, key))
    }
}
