//! Flags that a script does not read itself.
//!
//! The evaluator makes a flag of every attribute that a script reads from what a parser filled. A library reads more: the whole
//! configuration is handed to a trainer. So the fields of library classes that a parser fills become flags, too, and an
//! argument file or a launch line that sets one is understood.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::eval::{Flag, FlagOwner, ParserId, Trace, Value};
use crate::knowledge::{Knowledge, Resolution};

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
                        declared: None,
                    });
                }
            }
        }
    }
}

/// The library class that a class is or derives from.
pub(super) fn library_class(class: &Value) -> Option<Arc<str>> {
    match class {
        Value::External(name) => Some(Arc::clone(name)),
        Value::Class(class) => class.bases.iter().find_map(library_class),
        _ => None,
    }
}

/// The fields that a class has in any known release.
fn fields(class: &str, knowledge: &Knowledge) -> BTreeSet<String> {
    let Some(package) = class.split('.').next().and_then(|top| knowledge.package(top)) else { return BTreeSet::new() };
    let definitions: BTreeSet<&str> = package
        .all()
        .iter()
        .filter_map(|release| match package.resolve(class, release) {
            Resolution::Definition(definition) => Some(definition),
            _ => None,
        })
        .collect();
    let callables = definitions.into_iter().filter_map(|definition| package.callable(definition));
    callables.flat_map(|callable| callable.parameters.keys().cloned()).collect()
}
