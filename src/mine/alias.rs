//! Fields that a dataclass still takes under a former name.
//!
//! `if self.max_seq_length is not None: warnings.warn("... deprecated ..."); self.max_length = self.max_seq_length`: what such a
//! `__post_init__` says is that the one stands for the other, as a decorator says of a parameter.

use std::collections::BTreeMap;

use ruff_python_ast::{self as ast, Expr, Stmt, visitor};

/// The names of former fields, each with what it is called now.
pub(super) fn aliases(post_init: &ast::StmtFunctionDef) -> BTreeMap<String, String> {
    let mut found = Copies::default();
    visitor::walk_body(&mut found, &post_init.body);
    found.aliases
}

#[derive(Default)]
struct Copies {
    aliases: BTreeMap<String, String>,
}

impl<'a> visitor::Visitor<'a> for Copies {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::If(node) = statement
            && let Some(old) = given(&node.test)
            && warns_of_the_end(&node.body)
            && let Some(new) = copied(&node.body, old)
        {
            self.aliases.entry(old.to_owned()).or_insert_with(|| new.to_owned());
        }
        visitor::walk_stmt(self, statement);
    }
}

/// The field that a test asks for: `self.old`, `self.old is not None`, either with `and ...` behind it.
fn given(test: &Expr) -> Option<&str> {
    match test {
        Expr::BoolOp(node) if node.op == ast::BoolOp::And => given(node.values.first()?),
        Expr::Compare(node) if *node.ops == [ast::CmpOp::IsNot] && node.comparators[0].is_none_literal_expr() => {
            field(&node.left)
        }
        other => field(other),
    }
}

/// `self.name`.
fn field(expression: &Expr) -> Option<&str> {
    let Expr::Attribute(node) = expression else { return None };
    matches!(&*node.value, Expr::Name(name) if name.id.as_str() == "self").then_some(node.attr.as_str())
}

/// Whether a body warns, in so many words, that something is deprecated.
fn warns_of_the_end(body: &[Stmt]) -> bool {
    body.iter().any(|statement| {
        let Stmt::Expr(expression) = statement else { return false };
        let Expr::Call(call) = &*expression.value else { return false };
        let is_warning =
            matches!(&*call.func, Expr::Attribute(called) if matches!(called.attr.as_str(), "warn" | "warning"));
        let says = |argument: &Expr| {
            let mut words = Words::default();
            visitor::Visitor::visit_expr(&mut words, argument);
            words.0.contains("deprecated")
        };
        is_warning && call.arguments.args.first().is_some_and(says)
    })
}

/// The text of an expression's literals.
#[derive(Default)]
struct Words(String);

impl<'a> visitor::Visitor<'a> for Words {
    fn visit_string_literal(&mut self, literal: &'a ast::StringLiteral) {
        self.0.push_str(&literal.value);
    }

    fn visit_interpolated_string_element(&mut self, element: &'a ast::InterpolatedStringElement) {
        if let ast::InterpolatedStringElement::Literal(literal) = element {
            self.0.push_str(&literal.value);
        }
    }
}

/// `self.new = self.old`, perhaps where `new` was not given.
fn copied<'a>(body: &'a [Stmt], old: &str) -> Option<&'a str> {
    body.iter().find_map(|statement| match statement {
        Stmt::Assign(node) if field(&node.value) == Some(old) => match &node.targets[..] {
            [target] => field(target),
            _ => None,
        },
        Stmt::If(node) => copied(&node.body, old),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;
    use crate::syntax::python::PythonModule;

    fn of(body: &str) -> Vec<String> {
        let text = format!("def __post_init__(self):\n{body}");
        let module = PythonModule::parse(&Sources::default().add("p.py".into(), text.as_str()));
        let Some(Stmt::FunctionDef(method)) = module.body().first() else { return Vec::new() };
        aliases(method).into_iter().map(|(old, new)| format!("{old} -> {new}")).collect()
    }

    #[test]
    fn copies_with_a_warning_are_aliases() {
        for (body, expected) in [
            ("    if self.a is not None:\n        warnings.warn('a is deprecated')\n        self.b = self.a", "a -> b"),
            ("    if self.a:\n        logger.warning(f'`{x}` is deprecated')\n        self.b = self.a", "a -> b"),
            (
                "    if self.a and not self.b:\n        warnings.warn('deprecated ' 'now', X)\n        self.b = self.a",
                "a -> b",
            ),
            (
                "    if c:\n        if self.a is not None:\n            warnings.warn('deprecated')\n            if self.b is None:\n                self.b = self.a",
                "a -> b",
            ),
        ] {
            assert_eq!(of(body), [expected], "{body}");
        }
    }

    #[test]
    fn other_copies_are_none() {
        for body in [
            "    if self.a is not None:\n        self.b = self.a",
            "    if self.b is None:\n        warnings.warn('deprecated')\n        self.b = self.a",
            "    if self.a is not None:\n        warnings.warn('deprecated')\n        self.b = self.a + 1",
            "    if self.a is not None:\n        warnings.warn('is large')\n        self.b = self.a",
        ] {
            assert_eq!(of(body), Vec::<String>::new(), "{body}");
        }
    }
}
