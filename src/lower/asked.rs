//! What scripts import of the known libraries, whatever happens.

use super::Script;
use crate::eval::{Cond, ImportEvent, Trace};
use crate::knowledge::{Asked, Knowledge};

/// Exceptions that are caught around an import which may fail.
const CAUGHT: [&str; 4] = ["ImportError", "ModuleNotFoundError", "Exception", "*"];

/// The names that scripts need of the known libraries whenever they run, in order and each once: those that they import,
/// and those that they call by way of a module (`trl.DPOTrainer(...)`).
pub fn asked<'s>(scripts: impl IntoIterator<Item = &'s Script>, knowledge: &Knowledge) -> Vec<Asked> {
    let mut found: Vec<Asked> = Vec::new();
    for script in scripts {
        let imports = script.trace.imports.iter().filter(|import| is_certain(import));
        let imported = imports.map(|import| Asked {
            module: import.module.to_string(),
            name: import.name.as_deref().filter(|name| *name != "*").unwrap_or_default().to_owned(),
        });
        for one in imported.chain(called(&script.trace)) {
            let root = one.module.split('.').next().unwrap_or_default();
            if knowledge.imports(root).is_some() && !found.contains(&one) {
                found.push(one);
            }
        }
    }
    found
}

/// Whether an import happens whenever the file is loaded, and stops it when it fails.
fn is_certain(import: &ImportEvent) -> bool {
    import.when == Cond::TRUE && !import.caught.iter().any(|caught| CAUGHT.contains(&&**caught))
}

fn called(trace: &Trace) -> impl Iterator<Item = Asked> {
    let certain = trace.calls.iter().filter(|call| call.when == Cond::TRUE && call.caught.is_empty());
    certain.filter_map(|call| {
        let (module, name) = call.object.callee.rsplit_once('.')?;
        Some(Asked { module: module.to_owned(), name: name.to_owned() })
    })
}
