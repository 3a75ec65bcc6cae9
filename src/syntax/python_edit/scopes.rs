//! Which name means which variable: the scopes of a module and every place that reads or writes a name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, walk_except_handler, walk_expr, walk_pattern, walk_stmt,
};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};

use super::layout::bytes;
use crate::syntax::python::PythonModule;

/// A variable: the scope that owns it (an index into [`Scopes::all`]) and its name.
pub(super) type Variable<'a> = (usize, &'a str);

/// The module's own scope.
pub(super) const MODULE: usize = 0;

/// A place where a name is read, written or deleted as an expression.
#[derive(Debug)]
pub(super) struct Occurrence<'a> {
    pub name: &'a str,
    pub range: Range<usize>,
    pub is_read: bool,
    scope: usize,
}

/// One alias of an import.
#[derive(Debug)]
pub(super) struct Import<'a> {
    /// The statement.
    pub stmt: &'a Stmt,
    /// The position among the statement's aliases.
    pub index: usize,
    /// The name it binds.
    pub name: &'a str,
    scope: usize,
}

/// A module, a function, a class, a lambda or a comprehension.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    /// The statements, of a module or a function.
    pub body: &'a [Stmt],
    parent: Option<usize>,
    is_class: bool,
    /// Names bound by assignment (loops and `with` included).
    assigned: BTreeSet<&'a str>,
    /// Names bound by anything else, and how often: parameters, imports, definitions, handlers, patterns.
    fixed: BTreeMap<&'a str, usize>,
    /// Names declared `global` (`true`) or `nonlocal`.
    declared: BTreeMap<&'a str, bool>,
}

/// Everything known of a module's names.
#[derive(Debug)]
pub(super) struct Scopes<'a> {
    pub all: Vec<Scope<'a>>,
    pub occurrences: Vec<Occurrence<'a>>,
    pub imports: Vec<Import<'a>>,
    /// String literals without blanks: a forward reference may hide there, and `__all__` lists names so.
    pub words: Vec<(&'a str, Range<usize>)>,
    /// The names that `for` statements set, each with the range of its loop.
    loops: Vec<(&'a str, Range<usize>)>,
    /// Shell and magic lines of a notebook, and its cells that are not read.
    pub escapes: Vec<&'a str>,
    /// Whether names may be read in ways the tree does not show (`locals()`, `eval`).
    pub is_opaque: bool,
}

impl<'a> Scopes<'a> {
    pub(super) fn of(module: &'a PythonModule) -> Self {
        let root = Scope { body: module.body(), ..Scope::default() };
        let scopes = Self {
            all: vec![root],
            occurrences: Vec::new(),
            imports: Vec::new(),
            words: Vec::new(),
            loops: Vec::new(),
            escapes: vec![module.left_out()],
            // Where the parser had to recover, a name may have been lost.
            is_opaque: !module.errors().is_empty(),
        };
        let mut collector = Collector { scopes, current: MODULE };
        collector.visit_body(module.body());
        collector.scopes
    }

    /// The variable that a name means where it stands.
    pub(super) fn variable(&self, occurrence: &Occurrence<'a>) -> Variable<'a> {
        (self.owner(occurrence.scope, occurrence.name), occurrence.name)
    }

    /// The variable that an import binds.
    pub(super) fn imported(&self, import: &Import<'a>) -> Variable<'a> {
        (self.owner(import.scope, import.name), import.name)
    }

    /// Every place that means `variable`.
    pub(super) fn places(&self, variable: Variable<'a>) -> impl Iterator<Item = &Occurrence<'a>> {
        self.occurrences.iter().filter(move |place| place.name == variable.1 && self.variable(place) == variable)
    }

    /// How often a variable is bound by something that is no assignment.
    pub(super) fn fixed(&self, (owner, name): Variable<'_>) -> usize {
        self.all[owner].fixed.get(name).copied().unwrap_or(0)
    }

    /// Whether a variable is assigned anywhere.
    pub(super) fn is_assigned(&self, (owner, name): Variable<'_>) -> bool {
        self.all[owner].assigned.contains(name)
    }

    /// Whether a variable is read outside `range` where no loop or comprehension sets it anew.
    pub(super) fn reads_outside_loops(&self, variable: (usize, &str), range: &Range<usize>) -> bool {
        let is_outside = |place: &&Occurrence<'_>| place.range.start < range.start || range.end < place.range.end;
        let mut outside = self.occurrences.iter().filter(|place| place.name == variable.1).filter(is_outside);
        outside.any(|place| {
            let is_ours = self.owner(place.scope, place.name) == variable.0;
            is_ours
                && place.is_read
                && !self.loops.iter().any(|(name, each)| {
                    *name == place.name && each.start <= place.range.start && place.range.end <= each.end
                })
        })
    }

    /// Python's lookup: the scope itself, then the functions around it, never the classes around it, then the module.
    fn owner(&self, start: usize, name: &str) -> usize {
        let mut at = start;
        loop {
            let scope = &self.all[at];
            let declared = scope.declared.get(name);
            if declared == Some(&true) {
                return MODULE;
            }
            let binds = scope.assigned.contains(name) || scope.fixed.contains_key(name);
            if binds && declared.is_none() && (at == start || !scope.is_class) {
                return at;
            }
            match scope.parent {
                Some(parent) => at = parent,
                None => return MODULE,
            }
        }
    }
}

struct Collector<'a> {
    scopes: Scopes<'a>,
    current: usize,
}

impl<'a> Collector<'a> {
    fn bind(&mut self, name: &'a str) {
        *self.scopes.all[self.current].fixed.entry(name).or_default() += 1;
    }

    fn within(&mut self, scope: Scope<'a>, visit: impl FnOnce(&mut Self)) {
        let outer = self.current;
        self.current = self.scopes.all.len();
        self.scopes.all.push(Scope { parent: Some(outer), ..scope });
        visit(self);
        self.current = outer;
    }

    /// Defaults and annotations belong to the scope outside.
    fn visit_signature(&mut self, parameters: &'a ast::Parameters) {
        for parameter in parameters {
            parameter.default().into_iter().chain(parameter.annotation()).for_each(|expr| self.visit_expr(expr));
        }
    }

    fn bind_parameters(&mut self, parameters: &'a ast::Parameters) {
        for parameter in parameters {
            self.bind(parameter.name().as_str());
        }
    }

    fn visit_function(&mut self, function: &'a ast::StmtFunctionDef) {
        self.bind(function.name.as_str());
        function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
        self.visit_signature(&function.parameters);
        function.returns.iter().for_each(|expr| self.visit_expr(expr));
        let scope = Scope { body: &function.body, ..Scope::default() };
        self.within(scope, |inner| {
            inner.bind_parameters(&function.parameters);
            inner.visit_body(&function.body);
        });
    }

    fn visit_class(&mut self, class: &'a ast::StmtClassDef) {
        self.bind(class.name.as_str());
        class.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
        class.arguments.iter().for_each(|arguments| self.visit_arguments(arguments));
        self.within(Scope { is_class: true, ..Scope::default() }, |inner| inner.visit_body(&class.body));
    }

    fn visit_import(&mut self, stmt: &'a Stmt, names: &'a [ast::Alias]) {
        for (index, alias) in names.iter().enumerate() {
            let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
            let name = name.split('.').next().unwrap_or(name);
            self.bind(name);
            self.scopes.imports.push(Import { stmt, index, name, scope: self.current });
        }
    }

    /// The first iterable belongs to the scope outside.
    fn visit_comprehension_of(&mut self, generators: &'a [ast::Comprehension], results: &[Option<&'a Expr>]) {
        generators.first().into_iter().for_each(|first| self.visit_expr(&first.iter));
        self.within(Scope::default(), |inner| {
            for (index, generator) in generators.iter().enumerate() {
                inner.visit_expr(&generator.target);
                if index > 0 {
                    inner.visit_expr(&generator.iter);
                }
                generator.ifs.iter().for_each(|test| inner.visit_expr(test));
            }
            results.iter().copied().flatten().for_each(|expr| inner.visit_expr(expr));
        });
    }

    fn visit_name(&mut self, name: &'a ast::ExprName) {
        let is_read = matches!(name.ctx, ExprContext::Load | ExprContext::Invalid);
        let text = name.id.as_str();
        if !is_read {
            self.scopes.all[self.current].assigned.insert(text);
        }
        self.scopes.is_opaque |= matches!(text, "locals" | "globals" | "vars" | "eval" | "exec");
        self.scopes.occurrences.push(Occurrence { name: text, range: bytes(name), is_read, scope: self.current });
    }
}

impl<'a> SourceOrderVisitor<'a> for Collector<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => self.visit_function(function),
            Stmt::ClassDef(class) => self.visit_class(class),
            Stmt::Import(import) => self.visit_import(stmt, &import.names),
            Stmt::ImportFrom(import) => self.visit_import(stmt, &import.names),
            Stmt::Global(global) => {
                let names = global.names.iter().map(|name| (name.as_str(), true));
                self.scopes.all[self.current].declared.extend(names);
            }
            Stmt::Nonlocal(nonlocal) => {
                let names = nonlocal.names.iter().map(|name| (name.as_str(), false));
                self.scopes.all[self.current].declared.extend(names);
            }
            Stmt::IpyEscapeCommand(command) => self.scopes.escapes.push(&command.value),
            Stmt::For(each) => {
                let first = self.scopes.occurrences.len();
                self.visit_expr(&each.target);
                let names: Vec<_> = self.scopes.occurrences.drain(first..).filter(|name| !name.is_read).collect();
                self.scopes.loops.extend(names.iter().map(|name| (name.name, bytes(each))));
                walk_stmt(self, stmt);
            }
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => self.visit_name(name),
            Expr::Lambda(lambda) => {
                lambda.parameters.iter().for_each(|parameters| self.visit_signature(parameters));
                self.within(Scope::default(), |inner| {
                    lambda.parameters.iter().for_each(|parameters| inner.bind_parameters(parameters));
                    inner.visit_expr(&lambda.body);
                });
            }
            Expr::ListComp(comp) => self.visit_comprehension_of(&comp.generators, &[Some(&comp.elt)]),
            Expr::SetComp(comp) => self.visit_comprehension_of(&comp.generators, &[Some(&comp.elt)]),
            Expr::Generator(comp) => self.visit_comprehension_of(&comp.generators, &[Some(&comp.elt)]),
            Expr::DictComp(comp) => {
                self.visit_comprehension_of(&comp.generators, &[comp.key.as_deref(), Some(&comp.value)]);
            }
            Expr::StringLiteral(text) => {
                if !text.value.to_str().contains(char::is_whitespace) {
                    self.scopes.words.push((text.value.to_str(), bytes(text)));
                }
            }
            Expr::IpyEscapeCommand(command) => self.scopes.escapes.push(&command.value),
            _ => walk_expr(self, expr),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(caught) = handler;
        caught.name.iter().for_each(|name| self.bind(name.as_str()));
        walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        let name = match pattern {
            ast::Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            ast::Pattern::MatchStar(pattern) => pattern.name.as_ref(),
            ast::Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.bind(name.as_str());
        }
        walk_pattern(self, pattern);
    }
}
