//! What scripts import of the known libraries, whatever happens.

use super::Script;
use crate::eval::{CallEvent, Cond, Trace, Value};
use crate::knowledge::{Asked, Knowledge};
use crate::source::Span;

/// The names that scripts need of the known libraries whenever they run, in order and each once: those that they import,
/// and those that they call by way of a module (`trl.DPOTrainer(...)`).
pub fn asked<'s>(scripts: impl IntoIterator<Item = &'s Script>, knowledge: &Knowledge) -> Vec<Asked> {
    let mut found: Vec<Asked> = Vec::new();
    for script in scripts {
        let imports = script.trace.imports.iter().filter(|import| import.is_certain());
        let imported = imports.map(|import| Asked {
            module: import.module.to_string(),
            name: import.name.as_deref().filter(|name| *name != "*").unwrap_or_default().to_owned(),
            trains: false,
        });
        let trained = trained(&script.trace).map(|(one, _)| one);
        for one in imported.chain(called(&script.trace)).chain(trained) {
            let root = one.module.split('.').next().unwrap_or_default();
            if knowledge.imports(root).is_some() && !found.contains(&one) {
                found.push(one);
            }
        }
    }
    found
}

fn called(trace: &Trace) -> impl Iterator<Item = Asked> {
    let certain = trace.calls.iter().filter(|call| call.when == Cond::TRUE && call.caught.is_empty());
    certain.filter_map(|call| {
        let (module, name) = call.object.callee.rsplit_once('.')?;
        Some(Asked { module: module.to_owned(), name: name.to_owned(), trains: false })
    })
}

/// The trainers of libraries, taken as they are, that a script trains with, and where it does.
pub fn trained(trace: &Trace) -> impl Iterator<Item = (Asked, Span)> {
    let is_plain = |event: &&CallEvent| event.caught.is_empty() && event.handling.is_empty() && !event.uncalled;
    let trainings = trace.calls.iter().filter(is_plain).filter(|event| event.object.callee.ends_with(".train"));
    trainings.filter_map(|event| {
        let Some(Value::Object(trainer)) = &event.object.receiver else { return None };
        // A class of the project may mend what it derives from.
        let made = trace.calls.iter().find(|made| made.object.id == trainer.id && made.through.is_none())?;
        let (module, name) = made.object.callee.rsplit_once('.')?;
        Some((Asked { module: module.to_owned(), name: name.to_owned(), trains: true }, event.object.span))
    })
}
