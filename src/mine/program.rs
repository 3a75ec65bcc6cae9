//! Modules that are programs of their own: what the `argparse` parser that they fill takes on a command line, and what they check
//! of it afterwards.
//!
//! Such a parser is a definition like a dataclass, named after its variable: `openrlhf.cli.train_dpo.parser`. Its fields are the long
//! options as they are spelled, and their annotations say what a word is made into.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use ruff_python_ast::{self as ast, Expr, Stmt, visitor};
use ruff_text_size::{Ranged, TextRange};

use super::definition::{Definition, last_name, source};
use super::library::{Library, Target};
use super::scope::Binding;
use crate::knowledge::{CallableKind, Parameter};
use crate::syntax::python::PythonModule;

/// Functions that add options are followed this far.
const MAX_CALLS: u32 = 8;

/// The parser of a module.
pub(super) struct Program {
    /// Its variable.
    pub name: String,
    /// What it takes.
    pub definition: Definition,
}

/// The parser that a module fills, where it makes one.
pub(super) fn program(library: &Library<'_>, module: &str) -> Option<Program> {
    let python = &library.modules.get(module)?.python;
    // Parsing a module for this costs more than looking at its text.
    if !python.text().contains("ArgumentParser(") {
        return None;
    }
    let mut reader = Reader {
        library,
        definition: Definition::new(CallableKind::Dataclass),
        parser: None,
        defaults: BTreeMap::new(),
    };
    reader
        .block(&mut Place { module, python, names: BTreeSet::new(), words: BTreeMap::new(), calls: 0 }, python.body());
    let name = reader.parser?;
    for (option, default) in reader.defaults {
        if let Some(parameter) = reader.definition.parameters.get_mut(&option) {
            parameter.default = Some(default);
        }
    }
    Some(Program { name, definition: reader.definition })
}

/// The name of the function of `self` that stands for what a module does with what its parser read.
pub(super) fn stand_in(parser: &str) -> String {
    format!("stand_in_for_{parser}")
}

struct Reader<'a> {
    library: &'a Library<'a>,
    definition: Definition,
    /// The variable of the first parser.
    parser: Option<String>,
    /// What `set_defaults` says.
    defaults: BTreeMap<String, String>,
}

/// Where statements are read.
struct Place<'a> {
    module: &'a str,
    python: &'a PythonModule,
    /// Variables that hold the parser or a group of it.
    names: BTreeSet<String>,
    /// Variables of loops over words.
    words: BTreeMap<String, String>,
    calls: u32,
}

impl Reader<'_> {
    fn block(&mut self, place: &mut Place<'_>, body: &[Stmt]) {
        for statement in body {
            self.statement(place, statement);
        }
    }

    fn statement(&mut self, place: &mut Place<'_>, statement: &Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                let Expr::Call(call) = &*assign.value else { return };
                let target = match assign.targets.as_slice() {
                    [Expr::Name(name)] => Some(name.id.as_str()),
                    _ => None,
                };
                self.call(place, call, target);
            }
            Stmt::Expr(expression) => {
                if let Expr::Call(call) = &*expression.value {
                    self.call(place, call, None);
                }
            }
            Stmt::If(branches) => {
                self.block(place, &branches.body);
                branches.elif_else_clauses.iter().for_each(|clause| self.block(place, &clause.body));
            }
            Stmt::With(with) => self.block(place, &with.body),
            Stmt::Try(attempt) => self.block(place, &attempt.body),
            Stmt::For(each) => self.each(place, each),
            // A parser is often made in `main` or `parse_args`.
            Stmt::FunctionDef(function) if self.parser.is_none() => self.block(place, &function.body),
            _ => {}
        }
    }

    /// `for prefix in ("actor", "critic"):`.
    fn each(&mut self, place: &mut Place<'_>, each: &ast::StmtFor) {
        let words = match &*each.iter {
            Expr::Tuple(tuple) => words(&tuple.elts),
            Expr::List(list) => words(&list.elts),
            _ => None,
        };
        let (Expr::Name(name), Some(words)) = (&*each.target, words) else {
            self.definition.any_keyword |= speaks_of(&each.body, &place.names);
            return;
        };
        for word in words {
            place.words.insert(name.id.to_string(), word);
            self.block(place, &each.body);
        }
        place.words.remove(name.id.as_str());
    }

    fn call(&mut self, place: &mut Place<'_>, call: &ast::ExprCall, target: Option<&str>) {
        let is_known =
            |expression: &Expr| matches!(expression, Expr::Name(name) if place.names.contains(name.id.as_str()));
        if let Expr::Attribute(method) = &*call.func
            && is_known(&method.value)
        {
            match method.attr.as_str() {
                "add_argument" => self.option(place, call),
                "add_argument_group" | "add_mutually_exclusive_group" => place.names.extend(target.map(str::to_owned)),
                "set_defaults" => {
                    let given = call.arguments.keywords.iter();
                    let given =
                        given.filter_map(|one| Some((one.arg.as_ref()?.to_string(), source(place.python, &one.value))));
                    self.defaults.extend(given);
                }
                "parse_args" | "print_help" | "error" => {}
                // Options that are not known are left to others, or come from a command of its own.
                _ => self.definition.any_keyword = true,
            }
            return;
        }
        if last_name(&call.func) == "ArgumentParser" {
            if self.parser.is_none() {
                self.parser = target.map(str::to_owned);
                place.names.extend(target.map(str::to_owned));
            }
            return;
        }
        let Some(at) = call.arguments.args.iter().position(is_known) else {
            self.definition.any_keyword |= call.arguments.keywords.iter().any(|one| is_known(&one.value));
            return;
        };
        self.helper(place, call, at, target);
    }

    /// `parser = add_data_options(parser)`.
    fn helper(&mut self, place: &mut Place<'_>, call: &ast::ExprCall, at: usize, target: Option<&str>) {
        let found = match self.library.resolve_expression(place.module, &call.func) {
            Target::Definition(full) if place.calls < MAX_CALLS => self.library.definition(&full),
            _ => None,
        };
        let Some((module, Binding::Function(function))) = found else {
            self.definition.any_keyword = true;
            return;
        };
        let parameter = function.parameters.args.get(at).map(|one| one.parameter.name.to_string());
        let (Some(parameter), Some(inner)) = (parameter, self.library.modules.get(module)) else { return };
        let names = BTreeSet::from([parameter]);
        let mut inner = Place { module, python: &inner.python, names, words: BTreeMap::new(), calls: place.calls + 1 };
        self.block(&mut inner, &function.body);
        place.names.extend(target.map(str::to_owned));
    }

    /// `parser.add_argument("--name", type=int, default=1)`.
    fn option(&mut self, place: &Place<'_>, call: &ast::ExprCall) {
        let keyword = |name: &str| call.arguments.find_keyword(name).map(|keyword| &keyword.value);
        let is_spread = call.arguments.keywords.iter().any(|one| one.arg.is_none());
        let spelled: Option<Vec<String>> = call.arguments.args.iter().map(|one| place.text(one)).collect();
        let Some(spelled) = spelled.filter(|spelled| !is_spread && !spelled.is_empty()) else {
            self.definition.any_keyword = true;
            return;
        };
        let action = keyword("action").map(|action| match action {
            Expr::StringLiteral(action) => action.value.to_str(),
            other => last_name(other),
        });
        let is_required = matches!(keyword("required"), Some(Expr::BooleanLiteral(literal)) if literal.value);
        let implied = match action {
            Some("store_true") => "False",
            Some("store_false") => "True",
            _ => "None",
        };
        let default = keyword("default").map_or_else(|| implied.to_owned(), |value| source(place.python, value));
        let choices = match keyword("choices") {
            Some(Expr::List(list)) => words(&list.elts).unwrap_or_default(),
            Some(Expr::Tuple(tuple)) => words(&tuple.elts).unwrap_or_default(),
            _ => Vec::new(),
        };
        let parameter = Parameter {
            default: (!is_required).then_some(default),
            annotation: annotation(action, keyword("type"), keyword("nargs")),
            choices,
            ..Parameter::default()
        };
        let dest = keyword("dest").and_then(|dest| place.text(dest));
        let long: Vec<&str> = spelled.iter().filter_map(|one| one.strip_prefix("--")).collect();
        let short = spelled.iter().filter_map(|one| one.strip_prefix('-').filter(|one| !one.starts_with('-')));
        let names: Vec<&str> = long.iter().copied().chain(short).collect();
        for name in &names {
            let first = dest.as_deref().unwrap_or(long.first().copied().unwrap_or(name));
            let alias_of = (*name != first && name.replace('-', "_") != first).then(|| first.to_owned());
            let one = Parameter { alias_of, ..parameter.clone() };
            self.definition.parameters.insert((*name).to_owned(), one.clone());
            if action == Some("BooleanOptionalAction") {
                self.definition.parameters.insert(format!("no-{name}"), one);
            }
        }
        self.definition.any_positional |= names.is_empty();
    }
}

impl Place<'_> {
    /// A text, with the variables of loops filled in.
    fn text(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::StringLiteral(text) => Some(text.value.to_str().to_owned()),
            Expr::FString(text) => {
                let mut whole = String::new();
                for element in text.value.elements() {
                    match element {
                        ast::InterpolatedStringElement::Literal(literal) => whole.push_str(&literal.value),
                        ast::InterpolatedStringElement::Interpolation(inner) => match &*inner.expression {
                            Expr::Name(name) => whole.push_str(self.words.get(name.id.as_str())?),
                            _ => return None,
                        },
                    }
                }
                Some(whole)
            }
            _ => None,
        }
    }
}

/// What a word becomes: `int`, `list[float]`, `tuple[float, float]`, `switch` for an option without a value; nothing where a function of
/// the program's own decides.
fn annotation(action: Option<&str>, of: Option<&Expr>, count: Option<&Expr>) -> Option<String> {
    match action {
        Some("store_true" | "store_false" | "store_const" | "count" | "BooleanOptionalAction") => {
            return Some("switch".to_owned());
        }
        None | Some("store") => {}
        Some(_) => return None,
    }
    let word = match of.map(last_name) {
        None => "str",
        Some(word @ ("int" | "float" | "str")) => word,
        Some(_) => return None,
    };
    Some(match count {
        None => word.to_owned(),
        Some(Expr::StringLiteral(count)) if matches!(count.value.to_str(), "*" | "+") => format!("list[{word}]"),
        Some(Expr::NumberLiteral(ast::ExprNumberLiteral { value: ast::Number::Int(count), .. })) => {
            let count = count.as_usize().filter(|count| *count < 8)?;
            format!("tuple[{}]", vec![word; count].join(", "))
        }
        Some(_) => return None,
    })
}

fn words(elements: &[Expr]) -> Option<Vec<String>> {
    let word = |one: &Expr| match one {
        Expr::StringLiteral(text) => Some(text.value.to_str().to_owned()),
        _ => None,
    };
    elements.iter().map(word).collect()
}

/// Whether statements use one of these variables.
fn speaks_of(body: &[Stmt], names: &BTreeSet<String>) -> bool {
    let mut uses = Uses { is_name: &|name| names.contains(name), found: Vec::new() };
    visitor::walk_body(&mut uses, body);
    !uses.found.is_empty()
}

struct Uses<'n> {
    is_name: &'n dyn Fn(&str) -> bool,
    found: Vec<TextRange>,
}

impl<'a> visitor::Visitor<'a> for Uses<'_> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression
            && (self.is_name)(&name.id)
        {
            self.found.push(name.range());
        }
        visitor::walk_expr(self, expression);
    }
}

/// Statements that change a value in place, `threshold.insert(0, 0.0)`, after which it is not known.
#[derive(Default)]
struct Changes {
    found: Vec<(TextRange, String)>,
}

impl<'a> visitor::Visitor<'a> for Changes {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        const METHODS: [&str; 8] = ["append", "clear", "extend", "insert", "pop", "remove", "sort", "update"];
        if let Stmt::Expr(expression) = statement
            && let Expr::Call(call) = &*expression.value
            && let Expr::Attribute(method) = &*call.func
            && let Expr::Name(changed) = &*method.value
            && METHODS.contains(&method.attr.as_str())
        {
            self.found.push((statement.range(), format!("{} = not_known()", changed.id)));
        }
        visitor::walk_stmt(self, statement);
    }
}

/// Adds the text of the function of `self`: what stands behind `args = parser.parse_args()` in the same block. What is handed to
/// another function as a whole is not followed.
pub(super) fn write_checks(python: &PythonModule, text: &mut String) {
    let Some((parser, namespace, rest)) = behind(python.body()) else { return };
    let is_namespace = |expression: &Expr| matches!(expression, Expr::Name(name) if name.id.as_str() == namespace);
    let hands_over = |call: &Expr| matches!(call, Expr::Call(call) if call.arguments.args.iter().any(is_namespace));
    let counts = |statement: &&Stmt| match statement {
        Stmt::Assign(assign) => !hands_over(&assign.value),
        Stmt::Expr(expression) => !hands_over(&expression.value),
        Stmt::ImportFrom(_) | Stmt::Import(_) => false,
        _ => true,
    };
    _ = write!(text, "def {}(self):\n    pass\n", stand_in(parser));
    for statement in rest.iter().filter(counts) {
        let mut uses = Uses { is_name: &|name| name == namespace, found: Vec::new() };
        visitor::Visitor::visit_stmt(&mut uses, statement);
        let mut changes = Changes::default();
        visitor::Visitor::visit_stmt(&mut changes, statement);
        let mut edits: Vec<(TextRange, String)> =
            uses.found.into_iter().map(|range| (range, "self".to_owned())).collect();
        edits.extend(changes.found);
        edits.sort_by_key(|(range, _)| (range.start(), std::cmp::Reverse(range.end())));
        let (mut at, mut body) = (statement.start(), String::new());
        for (range, new) in edits.into_iter().filter(|(range, _)| range.start() >= statement.start()) {
            if range.start() < at {
                continue;
            }
            body.push_str(&python.text()[at.to_usize()..range.start().to_usize()]);
            body.push_str(&new);
            at = range.end();
        }
        body.push_str(&python.text()[at.to_usize()..statement.end().to_usize()]);
        let before = &python.text()[..statement.start().to_usize()];
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        // A block keeps its indentation, one level below the function.
        let indent = &before[line..];
        let shift = 4usize.saturating_sub(indent.len());
        for (number, line) in body.lines().enumerate() {
            let lead = if number == 0 { indent } else { "" };
            let lead = if line.trim().is_empty() { String::new() } else { format!("{}{lead}", " ".repeat(shift)) };
            _ = writeln!(text, "{lead}{line}");
        }
    }
}

/// The variables of a parser and of what it read, and the statements after it.
fn behind(body: &[Stmt]) -> Option<(&str, &str, &[Stmt])> {
    for (at, statement) in body.iter().enumerate() {
        let inner = match statement {
            Stmt::Assign(assign) => match (&assign.targets[..], &*assign.value) {
                ([Expr::Name(target)], Expr::Call(call)) => match &*call.func {
                    Expr::Attribute(method) if method.attr.as_str() == "parse_args" => match &*method.value {
                        Expr::Name(parser) => return Some((&parser.id, &target.id, &body[at + 1..])),
                        _ => None,
                    },
                    _ => None,
                },
                _ => None,
            },
            Stmt::If(branches) => behind(&branches.body),
            Stmt::FunctionDef(function) => behind(&function.body),
            _ => None,
        };
        if inner.is_some() {
            return inner;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::wheel::Modules;

    #[test]
    fn a_parser_is_read_with_its_loops_groups_and_helpers() {
        let text = "import argparse\nfrom .more import add\n\nif __name__ == '__main__':\n    parser = argparse.ArgumentParser()\n    \
                    group = parser.add_argument_group('g')\n    group.add_argument('--a.b', type=int, default=3)\n    \
                    for prefix in ('x', 'y'):\n        parser.add_argument(f'--{prefix}.on', action='store_true')\n    \
                    parser.add_argument('--two', type=float, nargs=2, default=(0, 1))\n    \
                    parser.add_argument('--kind', choices=['k', 'l'], required=True)\n    \
                    parser.add_argument('--no_kind', dest='x.on', action='store_false')\n    parser = add(parser)\n    \
                    args = parser.parse_args()\n    args = nest(args)\n    if args.two:\n        words = args.words\n        words.append(1)\n        assert args.a.b > 1, 'no'\n    train(args)\n";
        let more = "def add(p):\n    p.add_argument('--words', '-w', nargs='*', type=make)\n";
        let modules = Modules::parse(
            [("p/__init__.py", ""), ("p/run.py", text), ("p/more.py", more)]
                .map(|(path, text)| (path.to_owned(), text.to_owned())),
        );
        let library = Library::new(&modules);
        let Program { name, definition } = program(&library, "p.run").expect("it is a program");
        assert!(program(&library, "p.more").is_none());
        assert_eq!(name, "parser");
        let shown: Vec<String> = definition
            .parameters
            .iter()
            .map(|(name, one)| {
                let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                format!(
                    "{name}: {} = {} {:?} {}",
                    part(&one.annotation),
                    part(&one.default),
                    one.choices,
                    part(&one.alias_of)
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "a.b: int = 3 [] -",
                "kind: str = - [\"k\", \"l\"] -",
                "no_kind: switch = True [] x.on",
                "two: tuple[float, float] = (0, 1) [] -",
                "w: - = None [] words",
                "words: - = None [] -",
                "x.on: switch = False [] -",
                "y.on: switch = False [] -",
            ]
        );
        assert!(!definition.any_keyword);
        let mut written = String::new();
        write_checks(&library.modules.get("p.run").expect("it is there").python, &mut written);
        assert_eq!(
            written,
            "def stand_in_for_parser(self):\n    pass\n    if self.two:\n        words = self.words\n        words = not_known()\n        assert self.a.b > 1, 'no'\n"
        );
    }
}
