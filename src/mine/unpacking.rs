//! Functions that take apart what a parser filled and check it as a whole: `model_args, data_args = parse(args)`.
//!
//! Each is written once more as a function of `self`, an object with the fields of all of them: a configuration file has one key for each.

use std::collections::BTreeSet;
use std::fmt::Write;

use ruff_python_ast::{self as ast, Expr, Stmt, visitor};
use ruff_text_size::{Ranged, TextRange};

use crate::syntax::python::PythonModule;

/// The name of the function of `self`.
pub(super) fn stand_in(function: &str) -> String {
    format!("stand_in_for_{function}")
}

/// Adds its text; nothing where the function takes nothing apart. `made` are the classes (module and name) whose objects change
/// themselves when they are made: what is taken apart is changed by those first that its variables are named after.
pub(super) fn write_unpacked(
    python: &PythonModule,
    function: &ast::StmtFunctionDef,
    made: &[(&str, &str)],
    text: &mut String,
) {
    let mut unpacked = Unpacked::default();
    visitor::walk_body(&mut unpacked, &function.body);
    let (Some(first), Some(last)) = (function.body.first(), function.body.last()) else { return };
    if unpacked.names.is_empty() {
        return;
    }
    let mut uses = Uses { names: &unpacked.names, found: Vec::new() };
    visitor::walk_body(&mut uses, &function.body);
    let within = |range: &TextRange| unpacked.statements.iter().any(|statement| statement.contains_range(*range));
    let uses = uses.found.into_iter().filter(|range| !within(range)).map(|range| (range, "self"));
    let mut edits: Vec<(TextRange, &str)> = unpacked.statements.iter().map(|range| (*range, "pass")).collect();
    edits.extend(uses);
    edits.sort_by_key(|(range, _)| range.start());
    let source = python.text();
    let line = source[..first.start().to_usize()].rfind('\n').map_or(0, |end| end + 1);
    let indent = &source[line..first.start().to_usize()];
    _ = writeln!(text, "def {}(self):", stand_in(&function.name));
    for (module, class) in
        made.iter().filter(|(_, class)| unpacked.names.iter().any(|name| is_named_after(name, class)))
    {
        let changes = super::host::stand_in(class);
        _ = write!(text, "{indent}from {module} import {changes}\n{indent}{changes}(self)\n");
    }
    text.push_str(indent);
    let mut at = first.start();
    for (range, new) in edits {
        text.push_str(&source[at.to_usize()..range.start().to_usize()]);
        text.push_str(new);
        at = range.end();
    }
    text.push_str(&source[at.to_usize()..last.end().to_usize()]);
    text.push('\n');
}

/// `model_args` is named after `ModelArguments`.
fn is_named_after(variable: &str, class: &str) -> bool {
    let words = variable.strip_suffix("_args").map(|start| format!("{}arguments", start.replace('_', "")));
    words.is_some_and(|words| words == class.to_lowercase())
}

/// What is taken apart, and by which statements.
#[derive(Default)]
struct Unpacked {
    names: BTreeSet<String>,
    statements: Vec<TextRange>,
}

impl<'a> visitor::Visitor<'a> for Unpacked {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Assign(assign) = statement
            && let [Expr::Tuple(targets)] = &*assign.targets
            && let Expr::Call(call) = &*assign.value
            && let Expr::Name(called) = &*call.func
            && called.id.contains("parse")
        {
            let names = targets.elts.iter().filter_map(|target| match target {
                Expr::Name(name) => Some(name.id.to_string()),
                _ => None,
            });
            self.names.extend(names);
            self.statements.push(statement.range());
        }
        visitor::walk_stmt(self, statement);
    }
}

struct Uses<'n> {
    names: &'n BTreeSet<String>,
    found: Vec<TextRange>,
}

impl<'a> visitor::Visitor<'a> for Uses<'_> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression
            && self.names.contains(name.id.as_str())
        {
            self.found.push(name.range());
        }
        visitor::walk_expr(self, expression);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn what_is_taken_apart_is_one_object() {
        let text = "def get(args=None):\n    if env():\n        a, data_args = _parse_other(args)\n    else:\n        a, data_args = _parse(args)\n    \
                    if a.x and data_args.y:\n        raise ValueError('no')\n    check(a, data_args)\n    return a\n";
        let source = Sources::default().add("p.py".into(), text);
        let python = PythonModule::parse(&source);
        let Some(Stmt::FunctionDef(function)) = python.body().first() else { panic!("a function") };
        let mut written = String::new();
        write_unpacked(&python, function, &[("p.q", "DataArguments"), ("p.q", "Other")], &mut written);
        let expected = "def stand_in_for_get(self):\n    from p.q import stand_in_for_DataArguments\n    \
                        stand_in_for_DataArguments(self)\n    if env():\n        pass\n    else:\n        pass\n    if self.x and self.y:\n        \
                        raise ValueError('no')\n    check(self, self)\n    return self\n";
        assert_eq!(written, expected);
    }
}
