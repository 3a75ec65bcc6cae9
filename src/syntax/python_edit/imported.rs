//! Changing where names are imported from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Stmt};

use super::imports::{aliases, remove_aliases, unused};
use super::layout::{bytes, comments_in, indent, line_end, newline, skip_blanks, starts_line};
use super::scopes::{MODULE, Scopes};
use super::statements::{remove, tidy};
use super::{Change, EditError, edits};
use crate::source::Span;
use crate::syntax::Edit;
use crate::syntax::python::PythonModule;

/// Imports names from other modules than before: pairs of an alias of a `from ... import ...` and the module it comes from now.
/// The other names of the statement stay where they are.
pub fn move_imports(module: &PythonModule, moved: &[(Span, &str)]) -> Result<Vec<Edit>, EditError> {
    let mut by_statement: BTreeMap<usize, (&Stmt, BTreeMap<&str, BTreeSet<usize>>)> = BTreeMap::new();
    for (alias, target) in moved {
        let (stmt, index) = find_alias(module, &bytes(module.range(*alias))).ok_or(EditError::NotFound)?;
        let entry = by_statement.entry(bytes(stmt).start).or_insert_with(|| (stmt, BTreeMap::new()));
        entry.1.entry(target).or_default().insert(index);
    }
    let mut changes = Vec::new();
    for (stmt, mut groups) in by_statement.into_values() {
        let Stmt::ImportFrom(import) = stmt else { return Err(EditError::NotFound) };
        let Some(name) = import.module.as_ref().filter(|_| import.level == 0) else { return Err(EditError::NotFound) };
        let leaving: usize = groups.values().map(BTreeSet::len).sum();
        if leaving == import.names.len() {
            // The statement itself follows the first of them.
            let Some((target, _)) = groups.pop_first() else { continue };
            changes.push(Change::new(bytes(name), target));
        }
        changes.extend(split(module, stmt, &groups)?);
    }
    Ok(edits(module, changes))
}

/// Takes names out of a statement and imports them below it.
fn split(
    module: &PythonModule,
    stmt: &Stmt,
    groups: &BTreeMap<&str, BTreeSet<usize>>,
) -> Result<Vec<Change>, EditError> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let text = module.text();
    let range = bytes(stmt);
    let gone: BTreeSet<usize> = groups.values().flatten().copied().collect();
    let line = |(target, indices): (&&str, &BTreeSet<usize>)| {
        let names: Vec<&str> = indices.iter().map(|index| module.slice(&aliases(stmt)[*index])).collect();
        format!("{}{}from {target} import {}", newline(text), indent(text, range.start), names.join(", "))
    };
    let below = end_of_line(module, &range)?;
    let lines: String = groups.iter().map(line).collect();
    Ok(vec![remove_aliases(module, stmt, &gone)?, Change::new(below..below, lines)])
}

/// The end of the line that a statement ends on, if it shares its lines with no other.
fn end_of_line(module: &PythonModule, range: &Range<usize>) -> Result<usize, EditError> {
    let text = module.text();
    let after = skip_blanks(text, range.end);
    let end = line_end(text, range.end);
    let is_comment = comments_in(module, &(after..end)).first().is_some_and(|comment| comment.start == after);
    let is_alone = starts_line(text, range.start) && (after == end || is_comment);
    if is_alone { Ok(end) } else { Err(EditError::NotFound) }
}

/// Names another class in the code at `inside`: every mention of `old` (`TrainingArguments`, `transformers.TrainingArguments`) in the
/// name of a call, or among the arguments of one, becomes `new` of the module `from`, which is imported. An import that nothing uses any more goes.
pub fn replace_class(
    module: &PythonModule,
    inside: Span,
    old: &str,
    from: &str,
    new: &str,
) -> Result<Vec<Edit>, EditError> {
    let range = bytes(module.range(inside));
    let places = mentions(module, &range, old);
    if places.is_empty() {
        return Err(EditError::NotFound);
    }
    let scopes = Scopes::of(module);
    let (written, mut changes) = import(module, &scopes, from, new, old)?;
    changes.extend(places.iter().map(|place| Change::new(place.clone(), written.clone())));
    let is_gone =
        |range: &Range<usize>| places.iter().any(|place| place.start <= range.start && range.end <= place.end);
    for (stmt, gone) in unused(module, &scopes, is_gone).into_values() {
        let whole = bytes(stmt);
        let below = end_of_line(module, &whole).unwrap_or(whole.end);
        if gone.len() < aliases(stmt).len() {
            changes.push(remove_aliases(module, stmt, &gone)?);
        } else if let Some(new) = changes.iter_mut().find(|change| change.range == (below..below)) {
            // The new import takes the place of the old one.
            *new = Change::new(whole, new.text.trim_start());
        } else {
            changes.extend(tidy(module.text(), remove(module, &whole, false)?));
        }
    }
    Ok(edits(module, changes))
}

/// How code of a module can name `full` (`transformers.BitsAndBytesConfig`), and what must be edited for that: nothing, where the
/// module has it already, else an import grows or comes in.
pub fn bring(module: &PythonModule, full: &str) -> Result<(String, Vec<Edit>), EditError> {
    let (from, name) = full.rsplit_once('.').ok_or(EditError::NotFound)?;
    let (written, changes) = import(module, &Scopes::of(module), from, name, "")?;
    Ok((written, edits(module, changes)))
}

/// How `name` of the module `from` is written here, and the changes that make it known.
fn import(
    module: &PythonModule,
    scopes: &Scopes<'_>,
    from: &str,
    name: &str,
    beside: &str,
) -> Result<(String, Vec<Change>), EditError> {
    let top: Vec<&Stmt> = module.body().iter().collect();
    for stmt in &top {
        match stmt {
            Stmt::ImportFrom(import) if is_module(import, from) => {
                let known = import.names.iter().find(|alias| alias.name.as_str() == name);
                if let Some(alias) = known {
                    return Ok((alias.asname.as_ref().unwrap_or(&alias.name).to_string(), Vec::new()));
                }
            }
            Stmt::Import(import) => {
                if let Some(alias) = import.names.iter().find(|alias| alias.name.as_str() == from) {
                    return Ok((format!("{}.{name}", alias.asname.as_ref().unwrap_or(&alias.name)), Vec::new()));
                }
            }
            _ => {}
        }
    }
    // The name may mean something else here.
    if scopes.fixed((MODULE, name)) > 0 || scopes.is_assigned((MODULE, name)) {
        return Err(EditError::Duplicate(name.to_owned()));
    }
    let is_ours =
        |stmt: &&&Stmt| matches!(stmt, Stmt::ImportFrom(import) if is_module(import, from) && !is_star(import));
    if let Some(stmt) = top.iter().rev().find(is_ours) {
        return Ok((name.to_owned(), vec![insert_alias(module, stmt, name)?]));
    }
    let names = |stmt: &&&Stmt| matches!(stmt, Stmt::ImportFrom(import) if import.names.iter().any(|alias| alias.name.as_str() == beside));
    let is_import = |stmt: &&&Stmt| matches!(stmt, Stmt::ImportFrom(_) | Stmt::Import(_));
    let anchor = top.iter().find(names).or_else(|| top.iter().rfind(is_import));
    let anchor = anchor.ok_or(EditError::NotFound)?;
    let below = end_of_line(module, &bytes(*anchor))?;
    let line = format!("{}from {from} import {name}", newline(module.text()));
    Ok((name.to_owned(), vec![Change::new(below..below, line)]))
}

fn is_module(import: &ast::StmtImportFrom, from: &str) -> bool {
    import.level == 0 && import.module.as_ref().is_some_and(|module| module.as_str() == from)
}

fn is_star(import: &ast::StmtImportFrom) -> bool {
    import.names.iter().any(|alias| alias.name.as_str() == "*")
}

/// Adds a name to an import: in its place where the names are sorted, else as the last one.
fn insert_alias(module: &PythonModule, stmt: &Stmt, name: &str) -> Result<Change, EditError> {
    let text = module.text();
    let all = aliases(stmt);
    let key = |alias: &ast::Alias| alias.name.to_lowercase();
    let is_sorted = all.windows(2).all(|pair| key(&pair[0]) <= key(&pair[1]));
    let next = all.iter().find(|alias| key(alias) > name.to_lowercase()).filter(|_| is_sorted);
    let (last, first) = (all.last().ok_or(EditError::NotFound)?, all.first().ok_or(EditError::NotFound)?);
    // A line of its own where each name has one.
    let apart = |at: usize| {
        if starts_line(text, at) { format!("{}{}", newline(text), indent(text, at)) } else { " ".to_owned() }
    };
    if let Some(next) = next {
        let at = bytes(next).start;
        return Ok(Change::new(at..at, format!("{name},{}", apart(at))));
    }
    let at = bytes(last).end;
    let apart = if starts_line(text, bytes(first).start) { apart(bytes(last).start) } else { " ".to_owned() };
    Ok(Change::new(at..at, format!(",{apart}{name}")))
}

/// The import statement with the alias at `range`, and the alias's position.
fn find_alias<'a>(module: &'a PythonModule, range: &Range<usize>) -> Option<(&'a Stmt, usize)> {
    struct Finder<'a, 'r> {
        range: &'r Range<usize>,
        found: Option<(&'a Stmt, usize)>,
    }
    impl<'a> SourceOrderVisitor<'a> for Finder<'a, '_> {
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            if let Some(index) = aliases(stmt).iter().position(|alias| bytes(alias) == *self.range) {
                self.found = Some((stmt, index));
            }
            walk_stmt(self, stmt);
        }

        fn visit_expr(&mut self, _: &'a Expr) {}
    }
    let mut finder = Finder { range, found: None };
    finder.visit_body(module.body());
    finder.found
}

/// Where a class is named in the call at `range`: as what is called, or in its arguments.
fn mentions(module: &PythonModule, range: &Range<usize>, class: &str) -> Vec<Range<usize>> {
    struct Finder<'r> {
        range: &'r Range<usize>,
        class: &'r str,
        found: Vec<Range<usize>>,
    }
    impl<'a> SourceOrderVisitor<'a> for Finder<'_> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            let place = bytes(expr);
            if place.end <= self.range.start || self.range.end <= place.start {
                return;
            }
            let is_inside = self.range.start <= place.start && place.end <= self.range.end;
            match expr {
                Expr::Name(name) if is_inside && name.id.as_str() == self.class => return self.found.push(place),
                Expr::Attribute(owner)
                    if is_inside && owner.attr.as_str() == self.class && owner.value.is_name_expr() =>
                {
                    return self.found.push(place);
                }
                // What a call is about is its name and its own arguments, not what those are made of.
                Expr::Call(call) if place == *self.range => {
                    self.visit_expr(&call.func);
                    for argument in
                        call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|one| &one.value))
                    {
                        if matches!(argument, Expr::Name(_) | Expr::Attribute(_) | Expr::Tuple(_) | Expr::List(_)) {
                            self.visit_expr(argument);
                        }
                    }
                    return;
                }
                _ => {}
            }
            walk_expr(self, expr);
        }
    }
    let mut finder = Finder { range, class, found: Vec::new() };
    finder.visit_body(module.body());
    finder.found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;
    use crate::syntax::edit::apply;

    fn module(text: &str) -> PythonModule {
        PythonModule::parse(&Sources::default().add("a.py".into(), text))
    }

    /// The text after the names are imported from elsewhere.
    fn moved(text: &str, names: &[(&str, &str)]) -> String {
        let module = module(text);
        let span = |name: &str| {
            let at = text.find(name).expect("the name");
            module.span(ruff_text_size::TextRange::new((at as u32).into(), ((at + name.len()) as u32).into()))
        };
        let moved: Vec<(Span, &str)> = names.iter().map(|(name, target)| (span(name), *target)).collect();
        match move_imports(&module, &moved) {
            Ok(edits) => apply(text, &edits).expect("edits that fit"),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn names_are_imported_from_where_they_live() {
        for (text, names, expected) in [
            ("from a import X\n", &[("X", "b")][..], "from b import X\n"),
            ("from a import X as Y  # why\n", &[("X as Y", "b")], "from b import X as Y  # why\n"),
            ("from a import X, Z\n", &[("X", "b")], "from a import Z\nfrom b import X\n"),
            ("from a import X, Z\n", &[("X", "b"), ("Z", "c")], "from b import X\nfrom c import Z\n"),
            (
                "from a import X, Y, Z  # all\n",
                &[("X", "b"), ("Z", "b")],
                "from a import Y  # all\nfrom b import X, Z\n",
            ),
            (
                "try:\n    from a import (\n        X,  # one\n        Z,\n    )\nexcept E:\n    pass\n",
                &[("Z", "b")],
                "try:\n    from a import (\n        X,  # one\n    )\n    from b import Z\nexcept E:\n    pass\n",
            ),
            ("from a import X, Z; f()\n", &[("X", "b")], "! there is no such code"),
            ("from .a import X\n", &[("X", "b")], "! there is no such code"),
        ] {
            assert_eq!(moved(text, names), expected, "{text}");
        }
    }

    fn replaced(text: &str) -> String {
        let module = module(text);
        let at = text.find("TA(").or_else(|| text.find("P(")).expect("a call");
        let start = text[..at].rfind([' ', '=']).map_or(0, |blank| blank + 1);
        let end = at + text[at..].find(")\n").expect("its end") + 1;
        let span = module.span(ruff_text_size::TextRange::new((start as u32).into(), (end as u32).into()));
        match replace_class(&module, span, "TA", "trl", "DC") {
            Ok(edits) => apply(text, &edits).expect("edits that fit"),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn another_class_is_named_and_imported() {
        for (text, expected) in [
            ("from t import TA\nfrom trl import DT\nx = TA(1)\n", "from trl import DC, DT\nx = DC(1)\n"),
            (
                "from t import A, TA\nfrom trl import DA\nx = TA(1)\n",
                "from t import A\nfrom trl import DA, DC\nx = DC(1)\n",
            ),
            ("from t import TA\nx = TA(1)\n", "from trl import DC\nx = DC(1)\n"),
            (
                "from t import TA\nimport trl\nx = TA(1)\ny: TA = x\n",
                "from t import TA\nimport trl\nx = trl.DC(1)\ny: TA = x\n",
            ),
            ("import t\nx = t.TA(1)\n", "from trl import DC\nx = DC(1)\n"),
            (
                "from t import TA\nfrom trl import (\n    DT,\n)\nx = TA(1)\n",
                "from trl import (\n    DC,\n    DT,\n)\nx = DC(1)\n",
            ),
            ("from t import TA\nfrom trl import DT\nx = P((A, TA))\n", "from trl import DC, DT\nx = P((A, DC))\n"),
            ("from t import TA\nfrom trl import DC as C\nx = TA(1)\n", "from trl import DC as C\nx = C(1)\n"),
            ("from t import TA\nDC = 1\nx = TA(1)\n", "! `DC` is passed already"),
        ] {
            assert_eq!(replaced(text), expected, "{text}");
        }
    }
}
