//! Bringing a name into a module.

use ruff_python_ast::{self as ast, Stmt};
use ruff_text_size::Ranged;

use super::layout::{bytes, indent, newline};
use super::{Change, edits};
use crate::syntax::Edit;
use crate::syntax::python::PythonModule;

/// How code of a module can name `full` (`transformers.BitsAndBytesConfig`), and what must be edited for that: nothing, where the
/// module has it already, else an import from the same module grows. `None` where there is no such import.
pub fn bring(module: &PythonModule, full: &str) -> Option<(String, Vec<Edit>)> {
    let (home, name) = full.rsplit_once('.')?;
    let from: Vec<&ast::StmtImportFrom> = module
        .body()
        .iter()
        .filter_map(|statement| match statement {
            Stmt::ImportFrom(import) if import.level == 0 && import.module.as_deref() == Some(home) => Some(import),
            _ => None,
        })
        .collect();
    let known = from.iter().flat_map(|import| &import.names).find(|alias| &*alias.name == name);
    if let Some(alias) = known {
        return Some((alias.asname.as_ref().unwrap_or(&alias.name).to_string(), Vec::new()));
    }
    let is_star = |import: &&&ast::StmtImportFrom| import.names.iter().any(|alias| &*alias.name == "*");
    if let Some(import) = from.iter().find(|import| !is_star(import)) {
        let last = import.names.last()?;
        let first = import.names.first()?;
        let at = bytes(last.range()).end;
        let is_one_per_line = module.text()[bytes(first.range()).start..at].contains('\n');
        let text = if is_one_per_line {
            let line = format!("{}{}", newline(module.text()), indent(module.text(), bytes(last.range()).start));
            format!(",{line}{name}")
        } else {
            format!(", {name}")
        };
        return Some((name.to_owned(), edits(module, vec![Change::new(at..at, text)])));
    }
    let imports_home = |alias: &ast::Alias| &*alias.name == home;
    let plain = module.body().iter().find_map(|statement| match statement {
        Stmt::Import(import) => import.names.iter().find(|alias| imports_home(alias)),
        _ => None,
    })?;
    Some((format!("{}.{name}", plain.asname.as_ref().unwrap_or(&plain.name)), Vec::new()))
}
