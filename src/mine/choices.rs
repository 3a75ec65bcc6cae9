//! The only values that a field takes, where its annotation names an enumeration or a list of words that the package defines, or its
//! metadata lists them. What the annotation itself lists is left there.

use ruff_python_ast::{self as ast, Expr, Stmt};

use super::library::{Library, Target};
use super::scope::Binding;

/// The values; none where any other value may be meant, too.
pub(super) fn choices(
    library: &Library<'_>,
    module: &str,
    annotation: &Expr,
    value: Option<&Expr>,
    by_name: bool,
) -> Found {
    let mut found = Found { words: value.and_then(in_metadata).unwrap_or_default(), values: Vec::new(), by_name };
    if found.words.is_empty() && !collect(library, module, annotation, &mut found) {
        found.words.clear();
    }
    if found.values.len() != found.words.len() {
        found.values.clear();
    }
    found
}

/// The only values of a field.
pub(super) struct Found {
    /// The words that a user writes.
    pub words: Vec<String>,
    /// What they are in the program, where that is something else.
    pub values: Vec<String>,
    /// Whether the names of an enumeration count.
    by_name: bool,
}

/// `metadata={"choices": ["a", "b"]}`.
fn in_metadata(value: &Expr) -> Option<Vec<String>> {
    let Expr::Call(call) = value else { return None };
    let Expr::Dict(metadata) = &call.arguments.find_keyword("metadata")?.value else { return None };
    let is_choices =
        |key: &Option<Expr>| matches!(key, Some(Expr::StringLiteral(key)) if key.value.to_str() == "choices");
    let item = metadata.items.iter().find(|item| is_choices(&item.key))?;
    let Expr::List(list) = &item.value else { return None };
    list.elts.iter().map(|one| word(one).map(str::to_owned)).collect()
}

/// Adds the values of an annotation; false where others may be meant.
fn collect(library: &Library<'_>, module: &str, annotation: &Expr, found: &mut Found) -> bool {
    match annotation {
        Expr::NoneLiteral(_) => true,
        Expr::BinOp(either) if either.op == ast::Operator::BitOr => {
            collect(library, module, &either.left, found) && collect(library, module, &either.right, found)
        }
        Expr::Subscript(of) => match (last_name(&of.value), &*of.slice) {
            ("Optional", inner) => collect(library, module, inner, found),
            ("Union", Expr::Tuple(parts)) => parts.elts.iter().all(|part| collect(library, module, part, found)),
            // Without a name of the package it is in the annotation.
            ("Literal", words) => {
                let words = match words {
                    Expr::Tuple(words) => words.elts.as_slice(),
                    one => std::slice::from_ref(one),
                };
                words.iter().all(|one| word(one).map(|one| found.words.push(one.to_owned())).is_some())
            }
            _ => false,
        },
        Expr::Name(name) => match library.resolve(module, &name.id) {
            Target::Definition(full) => enumeration(library, &full, found),
            _ => false,
        },
        _ => false,
    }
}

/// Adds the values of an enumeration of words.
fn enumeration(library: &Library<'_>, full: &str, found: &mut Found) -> bool {
    let Some((_, Binding::Class(class))) = library.definition(full) else { return false };
    let is_enumeration = class.bases().iter().any(|base| matches!(last_name(base), "Enum" | "StrEnum"));
    let before = found.words.len();
    for statement in &class.body {
        match statement {
            Stmt::Assign(assign) => match (word(&assign.value), &assign.targets[..]) {
                (value, [Expr::Name(name)]) if found.by_name => {
                    found.words.push(name.id.to_string());
                    found.values.extend(value.map(str::to_owned));
                }
                (Some(value), _) => found.words.push(value.to_owned()),
                (None, _) => return false,
            },
            // `auto()`, methods that make values up.
            Stmt::FunctionDef(method) if method.name.as_str() == "_missing_" => return false,
            _ => {}
        }
    }
    is_enumeration && found.words.len() > before
}

fn word(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::StringLiteral(text) => Some(text.value.to_str()),
        _ => None,
    }
}

fn last_name(expression: &Expr) -> &str {
    match expression {
        Expr::Name(name) => &name.id,
        Expr::Attribute(attribute) => &attribute.attr,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::definition::definitions;
    use crate::mine::wheel::Modules;

    #[test]
    fn values_come_from_enumerations_and_metadata() {
        let text = "from dataclasses import dataclass, field\nfrom enum import Enum\nfrom other import Kind\nclass E(str, Enum):\n    A = 'a'\n    \
                    B = 'b'\n@dataclass\nclass C:\n    one: E | None = None\n    two: str = field(default='x', metadata={'choices': ['x', 'y']})\n    \
                    three: Kind = None\n    four: 'str' = 'z'\n    five: E | str = 'z'\n";
        let modules = Modules::parse([("p/__init__.py".to_owned(), text.to_owned())]);
        let found = definitions(&Library::new(&modules), &crate::mine::surface::Surface::default(), &|_, _| true);
        let choices = |name: &str| found["p.C"].parameters[name].choices.clone();
        assert_eq!((choices("one"), choices("two")), (vec!["a".into(), "b".into()], vec!["x".into(), "y".into()]));
        assert!(["three", "four", "five"].iter().all(|name| choices(name).is_empty()));
    }
}
