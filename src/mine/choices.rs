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
    let listed = value.and_then(|value| in_metadata(library, module, value)).unwrap_or_default();
    let mut found = Found { is_listed: !listed.is_empty(), words: listed, values: Vec::new(), by_name };
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
    /// Whether the field's metadata lists them: only a parser of a command line looks there.
    pub is_listed: bool,
    /// Whether the names of an enumeration count.
    by_name: bool,
}

/// `metadata={"choices": ["a", "b"]}`.
fn in_metadata(library: &Library<'_>, module: &str, value: &Expr) -> Option<Vec<String>> {
    let Expr::Call(call) = value else { return None };
    let Expr::Dict(metadata) = &call.arguments.find_keyword("metadata")?.value else { return None };
    let is_choices =
        |key: &Option<Expr>| matches!(key, Some(Expr::StringLiteral(key)) if key.value.to_str() == "choices");
    let item = metadata.items.iter().find(|item| is_choices(&item.key))?;
    let words = match &item.value {
        Expr::List(list) => &list.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        mapping => return keys(library, module, mapping, MAX_STEPS),
    };
    words.iter().map(|one| word(one).map(str::to_owned)).collect()
}

/// A mapping is made in fewer steps than this.
const MAX_STEPS: usize = 16;

/// The keys of a mapping that the package makes: `levels.keys()`, where `levels = dict(**get_levels(), passive=-1)`.
fn keys(library: &Library<'_>, module: &str, mapping: &Expr, steps: usize) -> Option<Vec<String>> {
    let steps = steps.checked_sub(1)?;
    let keys_of = |one: &Expr| keys(library, module, one, steps);
    let parts: Vec<Vec<String>> = match mapping {
        Expr::Dict(dict) => {
            let key = |key| word(key).map(|key| vec![key.to_owned()]);
            dict.items
                .iter()
                .map(|item| item.key.as_ref().map_or_else(|| keys_of(&item.value), key))
                .collect::<Option<_>>()?
        }
        Expr::Name(name) => vec![keys_of(assigned(library, module, &name.id)?)?],
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(of) if call.arguments.is_empty() && matches!(of.attr.as_str(), "keys" | "copy") => {
                vec![keys_of(&of.value)?]
            }
            Expr::Name(name) if name.id.as_str() == "dict" && call.arguments.args.is_empty() => {
                let key = |keyword: &ast::Keyword| match &keyword.arg {
                    Some(name) => Some(vec![name.to_string()]),
                    None => keys_of(&keyword.value),
                };
                call.arguments.keywords.iter().map(key).collect::<Option<_>>()?
            }
            callee => {
                let Target::Definition(full) = library.resolve_expression(module, callee) else { return None };
                let Some((home, Binding::Function(function))) = library.definition(&full) else { return None };
                let Some(Stmt::Return(result)) = function.body.last() else { return None };
                vec![keys(library, home, result.value.as_deref()?, steps)?]
            }
        },
        _ => return None,
    };
    Some(parts.concat())
}

/// What a module gives to a name, where it does so once.
fn assigned<'a>(library: &'a Library<'_>, module: &str, name: &str) -> Option<&'a Expr> {
    let is_it = |target: &Expr| matches!(target, Expr::Name(target) if target.id.as_str() == name);
    let body = library.modules.get(module)?.python.body();
    let mut values = body.iter().filter_map(|statement| match statement {
        Stmt::Assign(assign) if assign.targets.iter().any(is_it) => Some(&*assign.value),
        _ => None,
    });
    values.next().filter(|_| values.next().is_none())
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
        let words = |name: &str| found["p.C"].parameters[name].words.len();
        assert_eq!((words("one"), words("two")), (0, 2), "a script may say anything else");
    }

    #[test]
    fn words_may_be_the_keys_of_what_a_module_makes() {
        let logging = "levels = {'debug': 1, 'info': 2}\ndef get():\n    return levels\n";
        let text = "from dataclasses import dataclass, field\nfrom .utils import logging\nplain = logging.get().copy()\n\
                    full = dict(**plain, passive=-1)\nopen = dict(**other)\n@dataclass\nclass C:\n    \
                    one: str = field(default='x', metadata={'choices': full.keys()})\n    \
                    two: str = field(default='x', metadata={'choices': ('a', 'b')})\n    \
                    three: str = field(default='x', metadata={'choices': open.keys()})\n";
        let files =
            [("p/__init__.py", ""), ("p/args.py", text), ("p/utils/__init__.py", ""), ("p/utils/logging.py", logging)];
        let modules = Modules::parse(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
        let found = definitions(&Library::new(&modules), &crate::mine::surface::Surface::default(), &|_, _| true);
        let words = |name: &str| found["p.args.C"].parameters[name].words.join(" ");
        assert_eq!([words("one"), words("two"), words("three")], ["debug info passive", "a b", ""]);
    }
}
