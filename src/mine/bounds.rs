//! Bounds that the field of a model declares: `Field(ge=1)`, `Annotated[list[str], MinLen(1)]`. They are written as the checks that
//! pydantic makes of them.

use std::fmt::Write;

use ruff_python_ast::{self as ast, Expr, Stmt, visitor};

use super::definition::last_name;
use crate::syntax::python::PythonModule;

/// The keyword, what breaks it, and what pydantic says then.
const BOUNDS: [(&str, &str, &str); 4] = [
    ("ge", "<", "greater than or equal to"),
    ("gt", "<=", "greater than"),
    ("le", ">", "less than or equal to"),
    ("lt", ">=", "less than"),
];

/// Whether a field of a class has a bound.
pub(super) fn has_any(class: &ast::StmtClassDef) -> bool {
    fields(class).any(|(_, calls)| calls.iter().any(|call| bounded(call).next().is_some() || is_never_empty(call)))
}

/// Adds the checks, as the body of a function of `self`.
pub(super) fn write(python: &PythonModule, class: &ast::StmtClassDef, text: &mut String) {
    for (name, calls) in fields(class) {
        for call in calls {
            for (bound, breaks, says) in bounded(call) {
                let bound = python.slice(bound);
                _ = write!(
                    text,
                    "    if self.{name} is not None and self.{name} {breaks} {bound}:\n        \
                     raise ValidationError('Input should be {says} {bound}')\n"
                );
            }
            if is_never_empty(call) {
                _ = write!(
                    text,
                    "    if self.{name} is not None and not self.{name}:\n        \
                     raise ValidationError('it should have at least 1 item')\n"
                );
            }
        }
    }
}

/// The bounds of a call that are numbers.
fn bounded(call: &ast::ExprCall) -> impl Iterator<Item = (&Expr, &'static str, &'static str)> {
    BOUNDS.into_iter().filter_map(|(name, breaks, says)| {
        let bound = &call.arguments.find_keyword(name)?.value;
        let is_number = match bound {
            Expr::UnaryOp(signed) => signed.operand.is_number_literal_expr(),
            other => other.is_number_literal_expr(),
        };
        is_number.then_some((bound, breaks, says))
    })
}

/// `MinLen(1)`, `Field(min_length=1)`.
fn is_never_empty(call: &ast::ExprCall) -> bool {
    let given = match last_name(&call.func) {
        "MinLen" => call.arguments.args.first(),
        _ => call.arguments.find_keyword("min_length").map(|keyword| &keyword.value),
    };
    matches!(given, Some(Expr::NumberLiteral(number)) if matches!(&number.value, ast::Number::Int(one) if one.as_u8() == Some(1)))
}

/// The fields of a class, each with the calls that say something about the whole of its value.
fn fields(class: &ast::StmtClassDef) -> impl Iterator<Item = (&str, Vec<&ast::ExprCall>)> {
    class.body.iter().filter_map(|statement| {
        let Stmt::AnnAssign(assign) = statement else { return None };
        let Expr::Name(name) = &*assign.target else { return None };
        let mut calls = Calls { found: Vec::new(), depth: 0 };
        visitor::Visitor::visit_expr(&mut calls, &assign.annotation);
        if let Some(Expr::Call(call)) = assign.value.as_deref() {
            calls.found.push(call);
        }
        Some((name.id.as_str(), calls.found))
    })
}

/// The calls within `Annotated[...]`, where that does not stand within a list or a mapping.
struct Calls<'a> {
    found: Vec<&'a ast::ExprCall>,
    depth: u32,
}

impl<'a> visitor::Visitor<'a> for Calls<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Subscript(of) => {
                let is_inner = !matches!(last_name(&of.value), "Annotated" | "Optional" | "Union");
                self.depth += u32::from(is_inner);
                visitor::walk_expr(self, expression);
                self.depth -= u32::from(is_inner);
            }
            Expr::Call(call) if self.depth == 0 => self.found.push(call),
            Expr::Call(_) => {}
            _ => visitor::walk_expr(self, expression),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::mine::surface::Surface;
    use crate::mine::wheel::Modules;
    use crate::mine::{behaviour::describe, definition::definitions, library::Library};

    #[test]
    fn bounds_are_checks() {
        let text = "from pydantic import BaseModel, Field\nfrom annotated_types import MinLen\nclass A(BaseModel):\n    \
                    one: int = Field(default=2, ge=1, le=8)\n    two: Annotated[list[str], MinLen(1)] | None = None\n    \
                    three: list[Annotated[int, Field(gt=0)]] = []\n    four: float = Field(default=0.5, gt=-1.0)\n    five: int = 1\n";
        let modules = Modules::parse([("p/__init__.py".to_owned(), text.to_owned())]);
        let library = Library::new(&modules);
        let mut found = definitions(&library, &Surface::default(), &|_, _| true);
        describe(&library, &Surface::default(), &mut found);
        let guards: Vec<String> =
            found["p.A"].guards.iter().map(|guard| format!("{}: {}", guard.when, guard.raises)).collect();
        assert_eq!(
            guards,
            [
                "one < 1: ValidationError",
                "one > 8: ValidationError",
                "not two and two is not None: ValidationError",
                "four <= -1.0: ValidationError",
            ]
        );
    }
}
