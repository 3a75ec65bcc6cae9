//! Imports that nothing needs any more.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{self as ast, Stmt};

use super::comma::List;
use super::layout::{bytes, comments_in, line_end};
use super::scopes::{Import, Scopes};
use super::{Change, EditError};
use crate::source::Sources;
use crate::syntax::python::PythonModule;

/// Words in a comment that say an import is wanted although nothing uses it.
const WANTED: &[&str] = &["noqa", "isort", "pylint", "type:", "pyright", "side effect", "side-effect"];

/// Import statements with the positions of their aliases that nothing needs, by the start of the statement. `is_gone` tells
/// which bytes of the module are removed.
pub(super) fn unused<'a>(
    module: &PythonModule,
    scopes: &Scopes<'a>,
    is_gone: impl Fn(&std::ops::Range<usize>) -> bool,
) -> BTreeMap<usize, (&'a Stmt, BTreeSet<usize>)> {
    let mut found: BTreeMap<usize, (&'a Stmt, BTreeSet<usize>)> = BTreeMap::new();
    if module.path().file_name().is_some_and(|name| name == "__init__.py") {
        return found;
    }
    for import in &scopes.imports {
        let variable = scopes.imported(import);
        let mut places = scopes.places(variable).peekable();
        let was_used = places.peek().is_some() && places.all(|place| is_gone(&place.range));
        let is_alone = scopes.fixed(variable) == 1 && !scopes.is_assigned(variable);
        let is_named = scopes.words.iter().any(|(word, range)| !is_gone(range) && names(word, import.name));
        let is_hidden = scopes.is_opaque || scopes.escapes.iter().any(|line| names(line, import.name));
        if was_used && is_alone && !is_named && !is_hidden && may_go(module, import) {
            let start = bytes(import.stmt).start;
            found.entry(start).or_insert_with(|| (import.stmt, BTreeSet::new())).1.insert(import.index);
        }
    }
    found
}

/// The number of aliases of an import.
pub(super) fn aliases(stmt: &Stmt) -> &[ast::Alias] {
    match stmt {
        Stmt::Import(import) => &import.names,
        Stmt::ImportFrom(import) => &import.names,
        _ => &[],
    }
}

/// Removes some, not all, aliases of an import.
pub(super) fn remove_aliases(module: &PythonModule, stmt: &Stmt, gone: &BTreeSet<usize>) -> Result<Change, EditError> {
    let range = bytes(stmt);
    let old = &module.text()[range.clone()];
    let mut new = old.to_owned();
    // One at a time, each time reading the statement again: removing two neighbours at once would fight for one comma.
    for index in gone.iter().rev() {
        new = remove_alias(new, *index)?;
    }
    let prefix = old.bytes().zip(new.bytes()).take_while(|(old, new)| old == new).count();
    let prefix = (0..=prefix).rev().find(|at| old.is_char_boundary(*at)).unwrap_or(0);
    let (old_rest, new_rest) = (&old[prefix..], &new[prefix..]);
    let suffix = old_rest.bytes().rev().zip(new_rest.bytes().rev()).take_while(|(old, new)| old == new).count();
    let suffix = (0..=suffix).rev().find(|back| old_rest.is_char_boundary(old_rest.len() - back)).unwrap_or(0);
    let end = range.end - suffix;
    Ok(Change::new(range.start + prefix..end, &new_rest[..new_rest.len() - suffix]))
}

fn remove_alias(statement: String, index: usize) -> Result<String, EditError> {
    let module = PythonModule::parse(&Sources::default().add("import.py".into(), statement));
    let stmt = module.body().first().ok_or(EditError::NotFound)?;
    let items: Vec<_> = aliases(stmt).iter().map(bytes).collect();
    let text = module.text();
    let open = module.tokens().iter().find(|token| token.kind() == TokenKind::Lpar).map(|token| bytes(token).end);
    let inner = match (open, &items[..]) {
        (Some(open), _) => open..text.trim_end().len().saturating_sub(1).max(open),
        (None, [first, .., last]) => first.start..last.end,
        _ => return Err(EditError::NotFound),
    };
    if index >= items.len() {
        return Err(EditError::NotFound);
    }
    let list = List { text, comments: comments_in(&module, &(0..text.len())), inner, items };
    let (changes, homeless) = list.remove(index);
    if let Some(comment) = homeless.first() {
        return Err(EditError::Comment(text[comment.clone()].to_owned()));
    }
    let mut edited = text.to_owned();
    for change in changes.iter().rev() {
        edited.replace_range(change.range.clone(), &change.text);
    }
    Ok(edited)
}

fn may_go(module: &PythonModule, import: &Import<'_>) -> bool {
    let is_future =
        matches!(import.stmt, Stmt::ImportFrom(from) if from.module.as_ref().is_some_and(|name| name == "__future__"));
    // `import a as a` is how a module says that it re-exports.
    let alias = &aliases(import.stmt)[import.index];
    let re_exports = alias.asname.as_ref().is_some_and(|name| name.as_str() == alias.name.as_str());
    // `import torch.nn` also makes `torch.nn` known to those who imported `torch`.
    let is_dotted = alias.asname.is_none() && alias.name.contains('.');
    let range = bytes(import.stmt);
    let comments = comments_in(module, &(range.start..line_end(module.text(), range.end)));
    let is_wanted = comments.into_iter().any(|comment| {
        let text = module.text()[comment].to_lowercase();
        WANTED.iter().any(|word| text.contains(word))
    });
    !is_future && !re_exports && !is_dotted && !is_wanted && alias.name.as_str() != "*"
}

/// Whether a string names `name`: in `__all__`, or as (a part of) a forward reference.
pub(super) fn names(word: &str, name: &str) -> bool {
    word.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|part| part == name)
}
