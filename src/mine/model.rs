//! Models of pydantic: classes whose fields are what a configuration may hold, and whose validators are its checks.
//!
//! A validator gets the configuration as a dictionary before defaults are filled in, as an object after that, or one value of it.
//! [`validators`] writes each as a function of `self` whose attributes are the fields, which is what the evaluator reads.

use std::fmt::Write;

use ruff_python_ast::{self as ast, Expr, Stmt, visitor};
use ruff_text_size::{Ranged, TextRange};

use super::library::{Library, Target};
use super::scope::Binding;
use crate::syntax::python::PythonModule;

/// Bases are followed this far; a longer chain is a cycle.
const MAX_BASES: u32 = 16;

/// Whether a class is a model.
pub(super) fn is_model(library: &Library<'_>, module: &str, class: &ast::StmtClassDef) -> bool {
    derives(library, module, class, 0)
}

fn derives(library: &Library<'_>, module: &str, class: &ast::StmtClassDef, depth: u32) -> bool {
    depth < MAX_BASES
        && class.bases().iter().any(|base| match library.resolve_expression(module, base) {
            Target::External(name) => matches!(&*name, "pydantic.BaseModel" | "pydantic.main.BaseModel"),
            Target::Definition(name) => match library.definition(&name) {
                Some((module, Binding::Class(class))) => derives(library, module, class, depth + 1),
                _ => false,
            },
            _ => false,
        })
}

/// When a validator runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It gets what was given: what was not is absent, whatever its default.
    Before,
    /// It gets the object, defaults filled in.
    After,
}

/// A validator as a function of `self`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validator {
    /// The function's name.
    pub name: String,
    /// When it runs.
    pub stage: Stage,
}

/// The validators that a class declares itself, as functions whose text [`write_validators`] writes.
pub(super) fn validators(class: &ast::StmtClassDef) -> Vec<Validator> {
    let declared = methods(class).into_iter().map(|(name, stage, ..)| Validator { name, stage });
    let bounds = super::bounds::has_any(class).then(|| Validator { name: bounds_name(class), stage: Stage::After });
    declared.chain(bounds).collect()
}

fn bounds_name(class: &ast::StmtClassDef) -> String {
    format!("stand_in_for_{}_bounds", class.name)
}

/// The other names by which a model takes the value of a field: `Field(alias="x")`, `Field(validation_alias=AliasChoices("x", "y"))`.
pub(super) fn aliases(field: &Expr) -> Vec<String> {
    let Expr::Call(call) = field else { return Vec::new() };
    let given = ["alias", "validation_alias"].into_iter().filter_map(|name| call.arguments.find_keyword(name));
    let words = given.flat_map(|keyword| match &keyword.value {
        Expr::Call(choices) => choices.arguments.args.iter().filter_map(word).collect(),
        one => word(one).into_iter().collect::<Vec<_>>(),
    });
    words.map(str::to_owned).collect()
}

/// Whether a model takes keys of which it has no field: `model_config = ConfigDict(extra="allow")`.
pub(super) fn takes_any(class: &ast::StmtClassDef) -> bool {
    class.body.iter().any(|statement| {
        let Stmt::Assign(assign) = statement else { return false };
        let is_config = |target: &Expr| matches!(target, Expr::Name(name) if name.id.as_str() == "model_config");
        assign.targets.iter().any(is_config)
            && match &*assign.value {
                Expr::Call(call) => {
                    let extra = call.arguments.find_keyword("extra");
                    extra.and_then(|keyword| word(&keyword.value)) == Some("allow")
                }
                Expr::Dict(dict) => dict.items.iter().any(|item| {
                    item.key.as_ref().and_then(word) == Some("extra") && word(&item.value) == Some("allow")
                }),
                _ => false,
            }
    })
}

/// Adds the text of the functions.
pub(super) fn write_validators(python: &PythonModule, class: &ast::StmtClassDef, text: &mut String) {
    for (name, _, method, kind) in methods(class) {
        let (Some(first), Some(last)) = (method.body.first(), method.body.last()) else { continue };
        let range = TextRange::new(first.start(), last.end());
        let indent = indentation(python.text(), first.start().to_usize());
        let mut body = String::new();
        _ = write!(body, "{indent}");
        match kind {
            Kind::Whole(data) => {
                if data != "self" {
                    _ = write!(body, "{data} = self\n{indent}");
                }
                body.push_str(&with_attributes(python, range, method, data));
            }
            Kind::Field { parameter, field } => {
                // It is not called for what was not given.
                _ = write!(
                    body,
                    "{parameter} = self.{field}\n{indent}if {parameter} is None:\n{indent}    return None\n"
                );
                _ = write!(body, "{indent}{}", &python.text()[std::ops::Range::<usize>::from(range)]);
            }
        }
        _ = writeln!(text, "def {name}(self):\n{body}");
    }
    if super::bounds::has_any(class) {
        _ = writeln!(text, "def {}(self):", bounds_name(class));
        super::bounds::write(python, class, text);
    }
}

enum Kind<'a> {
    /// The whole configuration, by the name of the parameter.
    Whole(&'a str),
    /// One value of it.
    Field { parameter: &'a str, field: &'a str },
}

fn methods(class: &ast::StmtClassDef) -> Vec<(String, Stage, &ast::StmtFunctionDef, Kind<'_>)> {
    let mut found = Vec::new();
    for statement in &class.body {
        let Stmt::FunctionDef(method) = statement else { continue };
        for decorator in &method.decorator_list {
            let Expr::Call(call) = &decorator.expression else { continue };
            let Expr::Name(called) = &*call.func else { continue };
            let mode = call.arguments.find_keyword("mode").and_then(|keyword| word(&keyword.value));
            let stage = if mode == Some("before") { Stage::Before } else { Stage::After };
            let parameter = |index: usize| method.parameters.args.get(index).map(|one| one.parameter.name.as_str());
            let name = |field: &str| format!("stand_in_for_{}_{}{field}", class.name, method.name);
            match called.id.as_str() {
                "model_validator" if mode != Some("wrap") => {
                    let data = if stage == Stage::Before { parameter(1) } else { parameter(0) };
                    found.extend(data.map(|data| (name(""), stage, method, Kind::Whole(data))));
                }
                "field_validator" if mode != Some("wrap") => {
                    for field in call.arguments.args.iter().filter_map(word) {
                        let Some(parameter) = parameter(1) else { continue };
                        let kind = Kind::Field { parameter, field };
                        found.push((name(&format!("_{field}")), Stage::Before, method, kind));
                    }
                }
                _ => {}
            }
        }
    }
    found
}

pub(super) fn word(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::StringLiteral(text) => Some(text.value.to_str()),
        _ => None,
    }
}

/// The blanks before a place on its line.
fn indentation(text: &str, at: usize) -> &str {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    &text[line..at]
}

/// The text of a method with `data["key"]` and `data.get("key")` written as `self.key`.
fn with_attributes(python: &PythonModule, range: TextRange, method: &ast::StmtFunctionDef, data: &str) -> String {
    let mut lookups = Lookups { data, found: Vec::new() };
    visitor::walk_body(&mut lookups, &method.body);
    lookups.found.sort_by_key(|(range, _)| (range.start(), std::cmp::Reverse(range.end())));
    let (mut text, mut at) = (String::new(), range.start());
    for (place, attribute) in lookups.found.iter().filter(|(place, _)| range.contains_range(*place)) {
        if place.start() < at {
            continue;
        }
        text.push_str(&python.text()[at.to_usize()..place.start().to_usize()]);
        text.push_str(attribute);
        at = place.end();
    }
    text.push_str(&python.text()[at.to_usize()..range.end().to_usize()]);
    text
}

struct Lookups<'d> {
    data: &'d str,
    found: Vec<(TextRange, String)>,
}

impl Lookups<'_> {
    /// The attribute of `self` that an expression looks up, where it does: `self.a.b` of `data.get("a", {}).get("b")`.
    fn path(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::Name(name) if name.id.as_str() == self.data => Some("self".to_owned()),
            Expr::Call(call) => {
                let Expr::Attribute(called) = &*call.func else { return None };
                let key = match &*call.arguments.args {
                    [key] => key,
                    // What is not there is nothing.
                    [key, default] if is_nothing(default) => key,
                    _ => return None,
                };
                let key = word(key).filter(|key| called.attr.as_str() == "get" && is_identifier(key))?;
                Some(format!("{}.{key}", self.path(&called.value)?))
            }
            Expr::Subscript(place) => {
                let key = word(&place.slice).filter(|key| is_identifier(key))?;
                Some(format!("{}.{key}", self.path(&place.value)?))
            }
            // `(data.get("a") or {})`
            Expr::BoolOp(either) if either.op == ast::BoolOp::Or => match &either.values[..] {
                [value, default] if is_nothing(default) => self.path(value).filter(|path| path != "self"),
                _ => None,
            },
            _ => None,
        }
    }
}

/// `{}`, `None`, `False`.
fn is_nothing(expression: &Expr) -> bool {
    match expression {
        Expr::NoneLiteral(_) => true,
        Expr::BooleanLiteral(literal) => !literal.value,
        Expr::Dict(dict) => dict.items.is_empty(),
        _ => false,
    }
}

impl<'a> visitor::Visitor<'a> for Lookups<'_> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(_) | Expr::Subscript(_) => {
                if let Some(path) = self.path(expression) {
                    self.found.push((expression.range(), path));
                }
            }
            Expr::Compare(compare) if compare.ops.len() == 1 => {
                let is = match compare.ops[0] {
                    ast::CmpOp::In => "is not None",
                    ast::CmpOp::NotIn => "is None",
                    _ => "",
                };
                if let Some(key) = word(&compare.left).filter(|key| is_identifier(key) && !is.is_empty())
                    && let Some(path) = self.path(&compare.comparators[0])
                {
                    self.found.push((compare.range(), format!("({path}.{key} {is})")));
                }
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

fn is_identifier(key: &str) -> bool {
    !key.is_empty()
        && !key.starts_with(|first: char| first.is_ascii_digit())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::wheel::Modules;

    #[test]
    fn validators_become_functions_of_the_fields() {
        let text = "from pydantic import BaseModel, field_validator, model_validator\n\nclass A(BaseModel):\n    pass\n\nclass B(A):\n    \
                    @model_validator(mode=\"before\")\n    @classmethod\n    def check(cls, data):\n        \
                    if data.get(\"x\") and \"y\" not in data:\n            raise ValueError(data[\"z\"])\n        return data\n\n    \
                    @model_validator(mode=\"after\")\n    def late(self):\n        return self\n\n    @field_validator(\"x\")\n    \
                    def one(cls, v):\n        return v\n";
        let modules = Modules::parse([("p/__init__.py".to_owned(), text.to_owned())]);
        let library = Library::new(&modules);
        let Some((module, Binding::Class(class))) = library.definition("p.B") else { panic!("it is there") };
        assert!(is_model(&library, module, class));
        let names: Vec<_> = validators(class).into_iter().map(|one| (one.name, one.stage)).collect();
        let expected = [
            ("stand_in_for_B_check".to_owned(), Stage::Before),
            ("stand_in_for_B_late".to_owned(), Stage::After),
            ("stand_in_for_B_one_x".to_owned(), Stage::Before),
        ];
        assert_eq!(names, expected);
        let mut written = String::new();
        write_validators(&library.modules.get("p").expect("it is there").python, class, &mut written);
        assert!(written.contains("if self.x and (self.y is None):\n            raise ValueError(self.z)"), "{written}");
        let text = "from pydantic import BaseModel, ConfigDict, Field, model_validator\nclass C(BaseModel):\n    \
                    model_config = ConfigDict(extra=\"allow\")\n    one: int = Field(1, validation_alias=AliasChoices(\"one\", \"uno\"))\n    \
                    @model_validator(mode=\"before\")\n    @classmethod\n    def check(cls, data):\n        \
                    if data.get(\"a\", {}).get(\"b\") and (data.get(\"c\") or {}).get(\"d\") and \"e\" in data[\"f\"]:\n            \
                    raise ValueError(data.get(\"g\", 5))\n";
        let modules = Modules::parse([("p/__init__.py".to_owned(), text.to_owned())]);
        let library = Library::new(&modules);
        let found =
            crate::mine::definition::definitions(&library, &crate::mine::surface::Surface::default(), &|_, _| true);
        assert!(found["p.C"].any_keyword && found["p.C"].parameters.contains_key("uno"));
        let Some((module, Binding::Class(class))) = library.definition("p.C") else { panic!("it is there") };
        let mut below = String::new();
        write_validators(&library.modules.get(module).expect("it is there").python, class, &mut below);
        assert!(below.contains("if self.a.b and self.c.d and (self.f.e is not None):"), "{below}");
        assert!(below.contains("raise ValueError(data.get(\"g\", 5))"), "{below}");
        assert!(
            written.contains("v = self.x\n        if v is None:\n            return None\n        return v"),
            "{written}"
        );
    }
}
