//! Data sets that a script loads from files and hands on as they are.

use std::collections::BTreeMap;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_parameter, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::source::Span;
use crate::syntax::python::PythonModule;

/// What keeps the columns of a data set.
const KEEPING: [&str; 3] = ["select", "shuffle", "train_test_split"];

/// What of `load_dataset` says nothing about columns.
const HARMLESS: [&str; 7] = ["path", "data_files", "split", "cache_dir", "num_proc", "streaming", "keep_in_memory"];

/// Steps from a variable to its value beyond this many are not followed.
const MAX_STEPS: usize = 8;

/// A data set that comes from files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// `json` or `csv`.
    pub format: String,
    /// The call that loads it.
    pub call: Span,
    /// The part of it that is taken: `train` of `data["train"]`.
    pub part: Option<String>,
    /// The files as written, and where; `None`: the script does not write them.
    pub files: Option<Vec<(String, Span)>>,
}

/// The data set of an argument, where nothing but files decides its columns: `load_dataset("json", data_files=...)`, perhaps through
/// variables that are set once, a split, a shuffle.
pub fn loaded(module: &PythonModule, argument: Span) -> Option<Loaded> {
    let mut names = Names { wanted: module.range(argument), ..Names::default() };
    module.body().iter().for_each(|statement| names.visit_stmt(statement));
    names.resolve(names.found?, module, None, MAX_STEPS)
}

/// What the names of a module stand for.
#[derive(Default)]
struct Names<'a> {
    wanted: TextRange,
    /// The expression at the wanted place.
    found: Option<&'a Expr>,
    /// By name, every value that it gets; `None`: one that is not known.
    values: BTreeMap<&'a str, Vec<Option<&'a Expr>>>,
    /// Modules that names are imported from.
    imports: BTreeMap<&'a str, &'a str>,
}

impl<'a> Names<'a> {
    fn bind(&mut self, target: &'a Expr, value: Option<&'a Expr>) {
        if let Expr::Name(name) = target {
            self.values.entry(name.id.as_str()).or_default().push(value);
        } else {
            // `data["train"] = ...` changes `data`.
            let mut inner = Mentioned(Vec::new());
            inner.visit_expr(target);
            inner.0.into_iter().for_each(|name| self.values.entry(name).or_default().push(None));
        }
    }

    fn resolve(&self, expr: &'a Expr, module: &PythonModule, part: Option<&'a str>, steps: usize) -> Option<Loaded> {
        let steps = steps.checked_sub(1)?;
        match expr {
            Expr::Name(name) => match self.values.get(name.id.as_str())?.as_slice() {
                [Some(value)] => self.resolve(value, module, part, steps),
                _ => None,
            },
            Expr::Subscript(node) => {
                let part = node.slice.as_string_literal_expr()?.value.to_str();
                self.resolve(&node.value, module, Some(part), steps)
            }
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method) if KEEPING.contains(&method.attr.as_str()) => {
                    // Its parts are others.
                    let part = part.filter(|_| method.attr.as_str() != "train_test_split");
                    self.resolve(&method.value, module, part, steps)
                }
                function if self.loads(function) => files(call, module, part),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether an expression is `load_dataset` of the library.
    fn loads(&self, function: &Expr) -> bool {
        match function {
            Expr::Name(name) => {
                name.id == "load_dataset"
                    && self.imports.get("load_dataset") == Some(&"datasets")
                    && !self.values.contains_key("load_dataset")
            }
            Expr::Attribute(node) => {
                node.attr.as_str() == "load_dataset"
                    && node.value.as_name_expr().is_some_and(|owner| owner.id == "datasets")
            }
            _ => false,
        }
    }
}

fn files(call: &ast::ExprCall, module: &PythonModule, part: Option<&str>) -> Option<Loaded> {
    let keyword = |wanted: &str| call.arguments.find_keyword(wanted).map(|keyword| &keyword.value);
    let is_harmless =
        |keyword: &ast::Keyword| keyword.arg.as_ref().is_some_and(|name| HARMLESS.contains(&name.as_str()));
    let format = call.arguments.args.first().or_else(|| keyword("path"))?.as_string_literal_expr()?.value.to_str();
    let is_plain = call.arguments.args.len() <= 1 && call.arguments.keywords.iter().all(is_harmless);
    if !matches!(format, "json" | "csv") || !is_plain {
        return None;
    }
    // `train[:10%]`
    let split = keyword("split").and_then(|split| split.as_string_literal_expr()?.value.to_str().split('[').next());
    let part = part.or(split);
    let file = |expr: &Expr| {
        let text = expr.as_string_literal_expr()?;
        Some((text.value.to_str().to_owned(), module.span(text)))
    };
    let is_taken = |item: &&ast::DictItem| {
        let key = item.key.as_ref().and_then(Expr::as_string_literal_expr).map(|key| key.value.to_str());
        key.zip(part).is_none_or(|(key, part)| key == part)
    };
    let files = match keyword("data_files")? {
        Expr::List(list) => list.elts.iter().map(file).collect(),
        Expr::Dict(dict) => dict.items.iter().filter(is_taken).map(|item| file(&item.value)).collect(),
        one => file(one).map(|one| vec![one]),
    };
    Some(Loaded { format: format.to_owned(), call: module.span(call), part: part.map(str::to_owned), files })
}

impl<'a> Visitor<'a> for Names<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(node) => match node.targets.as_slice() {
                [target] => self.bind(target, Some(&node.value)),
                targets => targets.iter().for_each(|target| self.bind(target, None)),
            },
            Stmt::AnnAssign(node) => self.bind(&node.target, node.value.as_deref()),
            Stmt::AugAssign(node) => self.bind(&node.target, None),
            Stmt::For(node) => self.bind(&node.target, None),
            Stmt::With(node) => {
                let targets = node.items.iter().filter_map(|item| item.optional_vars.as_deref());
                targets.for_each(|target| self.bind(target, None));
            }
            Stmt::FunctionDef(node) => self.values.entry(node.name.as_str()).or_default().push(None),
            Stmt::ImportFrom(node) => {
                let module = node.module.as_ref().map_or("", |module| module.as_str());
                node.names.iter().filter(|alias| alias.asname.is_none()).for_each(|alias| {
                    self.imports.insert(alias.name.as_str(), module);
                });
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if expr.range() == self.wanted {
            self.found = Some(expr);
        }
        match expr {
            Expr::Named(node) => self.bind(&node.target, None),
            Expr::Call(call) => {
                // Methods that change the data set itself: `set_format`, and old ones such as `rename_column_`.
                if let Expr::Attribute(method) = &*call.func
                    && (method.attr.starts_with("set_") || method.attr.ends_with('_'))
                {
                    self.bind(&method.value, None);
                }
                let wanted = call.arguments.keywords.iter().find(|keyword| keyword.range() == self.wanted);
                self.found = wanted.map(|keyword| &keyword.value).or(self.found);
            }
            _ => {}
        }
        walk_expr(self, expr);
    }

    fn visit_parameter(&mut self, parameter: &'a ast::Parameter) {
        self.values.entry(parameter.name.as_str()).or_default().push(None);
        walk_parameter(self, parameter);
    }
}

/// The names in an expression.
struct Mentioned<'a>(Vec<&'a str>);

impl<'a> Visitor<'a> for Mentioned<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Name(name) = expr {
            self.0.push(name.id.as_str());
        }
        walk_expr(self, expr);
    }
}
