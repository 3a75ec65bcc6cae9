//! Flags that a script does not read itself.
//!
//! The evaluator makes a flag of every attribute that a script reads from what a parser filled. A library reads more: the whole
//! configuration is handed to a trainer. So the fields of library classes that a parser fills become flags, too, and an
//! argument file or a launch line that sets one is understood.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::eval::{Flag, FlagOwner, ParserId, Trace, Value};
use crate::knowledge::Knowledge;

/// Adds a flag for every field of the library classes that the parsers of a script fill.
pub(super) fn complete(trace: &mut Trace, knowledge: &Knowledge) {
    for index in 0..trace.parsers.len() {
        let parser = ParserId(index as u32);
        let classes: Vec<Arc<str>> = trace.parsers[index].classes.iter().filter_map(library_class).collect();
        for class in classes {
            for field in fields(&class, knowledge) {
                let is_known = |flag: &Flag| flag.parser == parser && *flag.name == *field;
                if !trace.flags.iter().any(is_known) {
                    trace.flags.push(Flag {
                        parser,
                        options: vec![format!("--{field}"), format!("--{}", field.replace('_', "-"))],
                        name: field.into(),
                        owner: FlagOwner::External(Arc::clone(&class)),
                        default: Value::Unknown,
                        bare: None,
                        converter: None,
                        declared: None,
                    });
                }
            }
        }
    }
}

/// The library class that a class is or derives from.
pub fn library_class(class: &Value) -> Option<Arc<str>> {
    match class {
        Value::External(name) => Some(Arc::clone(name)),
        Value::Class(class) => class.bases.iter().find_map(library_class),
        _ => None,
    }
}

/// The fields that a class has in any known release, those of its bases included.
pub fn fields(class: &str, knowledge: &Knowledge) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = definitions(class, knowledge);
    while let Some(name) = open.pop() {
        let callable = name.split('.').next().and_then(|top| knowledge.package(top)?.callable(name));
        let Some(callable) = callable.filter(|_| seen.insert(name)) else { continue };
        fields.extend(callable.parameters.keys().cloned());
        for base in callable.bases.iter().flat_map(|fact| fact.fact.iter()) {
            open.push(base);
            open.extend(definitions(base, knowledge));
        }
    }
    fields
}

/// What a full name leads to, in any release.
fn definitions<'a>(name: &str, knowledge: &'a Knowledge) -> Vec<&'a str> {
    let Some((module, short)) = name.rsplit_once('.') else { return Vec::new() };
    let package = name.split('.').next().and_then(|top| knowledge.package(top));
    let exports = package.and_then(|package| package.module(module, short)?.definitions.get(short));
    exports.into_iter().flatten().map(|fact| fact.fact.at.as_str()).collect()
}
