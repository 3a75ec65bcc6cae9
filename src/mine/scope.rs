//! The names of one module.
//!
//! The static picture is what counts: both sides of an availability check, the `TYPE_CHECKING` branch of a lazily imported
//! package, and the lists handed to its lazy loader. A name that only exists when an optional dependency is installed is a
//! name of the module.

use std::collections::BTreeMap;

use ruff_python_ast::{self as ast, ExceptHandler, Expr, Stmt};

/// Statements nested deeper than this define no public names.
const MAX_DEPTH: u32 = 64;

/// The modules around one, as far as its names depend on them.
pub(super) trait Tree {
    /// The absolute dotted name that `level` dots and `module` mean inside `importer`.
    fn absolute(&self, importer: &str, module: &str, level: u32) -> String;
    /// Whether there is such a module.
    fn has(&self, module: &str) -> bool;
    /// Whether `functools.partial(f, ...)` is another name of `f`: it takes the same keywords, of which some have new defaults.
    fn follows_partials(&self) -> bool {
        false
    }
    /// The public names that the modules below `parent` say of themselves.
    fn names_below(&self, parent: &str) -> Vec<&str>;
}

/// What a name of a module stands for.
#[derive(Debug, Clone)]
pub(super) enum Binding<'a> {
    /// Anything that is neither imported nor a definition.
    Value,
    /// Another name of the same module (`Old = New`).
    Alias(&'a str),
    /// Imported; `name` is `None` for the module itself.
    Imported { module: String, name: Option<String> },
    /// A function.
    Function(&'a ast::StmtFunctionDef),
    /// A class.
    Class(&'a ast::StmtClassDef),
}

impl Binding<'_> {
    /// Of several bindings of one name the one that says most wins: `except ImportError: X = None` does not hide `X`.
    fn strength(&self) -> u8 {
        match self {
            Self::Value => 0,
            Self::Alias(_) => 1,
            Self::Imported { .. } => 2,
            Self::Function(_) | Self::Class(_) => 3,
        }
    }
}

/// The names of one module.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    /// By name.
    pub bindings: BTreeMap<String, Binding<'a>>,
    /// Modules of `from x import *`.
    pub stars: Vec<String>,
    /// Whether a module-level `__getattr__` may answer for any other name.
    pub dynamic: bool,
}

impl<'a> Scope<'a> {
    /// The names of `module`.
    pub fn of(modules: &dyn Tree, module: &'a str, body: &'a [Stmt]) -> Self {
        let mut reader = Reader { modules, module, scope: Self::default() };
        reader.block(body, 0);
        reader.scope
    }
}

struct Reader<'a, 'm> {
    modules: &'m dyn Tree,
    module: &'a str,
    scope: Scope<'a>,
}

impl<'a> Reader<'a, '_> {
    fn bind(&mut self, name: &str, binding: Binding<'a>) {
        let weaker = self.scope.bindings.get(name).is_some_and(|old| old.strength() > binding.strength());
        if !weaker {
            self.scope.bindings.insert(name.to_owned(), binding);
        }
    }

    fn block(&mut self, body: &'a [Stmt], depth: u32) {
        if depth < MAX_DEPTH {
            for statement in body {
                self.statement(statement, depth + 1);
            }
        }
    }

    fn statement(&mut self, statement: &'a Stmt, depth: u32) {
        match statement {
            Stmt::ClassDef(class) => self.bind(&class.name, Binding::Class(class)),
            Stmt::FunctionDef(function) if function.name.as_str() == "__getattr__" => self.scope.dynamic = true,
            Stmt::FunctionDef(function) => self.bind(&function.name, Binding::Function(function)),
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.import(alias)),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Assign(assign) => assign.targets.iter().for_each(|target| self.assign(target, &assign.value)),
            Stmt::AnnAssign(assign) => match &assign.value {
                Some(value) => self.assign(&assign.target, value),
                None => self.target(&assign.target, Binding::Value),
            },
            Stmt::TypeAlias(alias) => self.target(&alias.name, Binding::Value),
            Stmt::Expr(expression) => self.extend_lazy(&expression.value),
            Stmt::If(branch) => {
                self.block(&branch.body, depth);
                branch.elif_else_clauses.iter().for_each(|clause| self.block(&clause.body, depth));
            }
            Stmt::Try(attempt) => {
                self.block(&attempt.body, depth);
                for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    self.block(&handler.body, depth);
                }
                self.block(&attempt.orelse, depth);
                self.block(&attempt.finalbody, depth);
            }
            Stmt::With(with) => {
                let targets = with.items.iter().filter_map(|item| item.optional_vars.as_deref());
                targets.for_each(|target| self.target(target, Binding::Value));
                self.block(&with.body, depth);
            }
            Stmt::For(each) => {
                self.target(&each.target, Binding::Value);
                self.block(&each.body, depth);
                self.block(&each.orelse, depth);
            }
            Stmt::While(each) => self.block(&each.body, depth),
            Stmt::Match(choice) => choice.cases.iter().for_each(|case| self.block(&case.body, depth)),
            _ => {}
        }
    }

    fn import(&mut self, alias: &ast::Alias) {
        let module = alias.name.as_str();
        // `import a.b` binds `a`, `import a.b as c` binds the inner module.
        let first = module.split('.').next().unwrap_or(module);
        let (name, module) = alias.asname.as_ref().map_or((first, first), |name| (name.as_str(), module));
        self.bind(name, Binding::Imported { module: module.to_owned(), name: None });
    }

    fn import_from(&mut self, import: &ast::StmtImportFrom) {
        let written = import.module.as_ref().map_or("", |module| module.as_str());
        let module = self.modules.absolute(self.module, written, import.level);
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                self.scope.stars.push(module.clone());
                continue;
            }
            let name = alias.asname.as_ref().unwrap_or(&alias.name);
            self.bind(name, Binding::Imported { module: module.clone(), name: Some(alias.name.to_string()) });
        }
    }

    fn assign(&mut self, target: &'a Expr, value: &'a Expr) {
        match (target, value) {
            (Expr::Name(name), Expr::Dict(dict)) if name.id.as_str() == "_import_structure" => self.lazy(dict),
            // `_import_structure["trainer"] = ["DPOTrainer"]`
            (Expr::Subscript(place), Expr::List(names)) => {
                if let Some(module) = lazy_key(place) {
                    self.lazy_names(module, &names.elts);
                }
            }
            (Expr::Name(_), Expr::Name(other)) => self.target(target, Binding::Alias(other.id.as_str())),
            (Expr::Name(_), Expr::Call(call)) if self.modules.follows_partials() && is_partial(call) => {
                let binding = match call.arguments.args.first() {
                    Some(Expr::Name(function)) if call.arguments.args.len() == 1 => {
                        Binding::Alias(function.id.as_str())
                    }
                    _ => Binding::Value,
                };
                self.target(target, binding);
            }
            (_, Expr::Call(call)) => {
                self.define_lazy(call);
                self.target(target, Binding::Value);
            }
            _ => self.target(target, Binding::Value),
        }
    }

    fn target(&mut self, target: &'a Expr, binding: Binding<'a>) {
        match target {
            Expr::Name(name) => self.bind(&name.id, binding),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|each| self.target(each, Binding::Value)),
            Expr::List(list) => list.elts.iter().for_each(|each| self.target(each, Binding::Value)),
            Expr::Starred(starred) => self.target(&starred.value, Binding::Value),
            _ => {}
        }
    }

    /// `_import_structure = {"trainer": ["DPOTrainer"]}`: what transformers' lazy modules offer.
    fn lazy(&mut self, dict: &ast::ExprDict) {
        for item in &dict.items {
            let (Some(Expr::StringLiteral(key)), Expr::List(names)) = (&item.key, &item.value) else { continue };
            let key = key.value.to_str();
            // A module that only exists under this name because the lazy loader says so.
            if names.elts.is_empty() && !self.modules.has(&self.modules.absolute(self.module, key, 1)) {
                self.bind(key, Binding::Value);
            }
            self.lazy_names(key, &names.elts);
        }
    }

    /// `define_import_structure(Path(__file__).parent / "models", prefix="models")`: what the modules below say of themselves.
    fn define_lazy(&mut self, call: &ast::ExprCall) {
        let is_called = matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "define_import_structure");
        let prefix = call.arguments.find_keyword("prefix").filter(|_| is_called).map(|keyword| &keyword.value);
        let Some(Expr::StringLiteral(prefix)) = prefix else { return };
        let parent = format!("{}.{}", self.module, prefix.value.to_str());
        let modules = self.modules;
        modules.names_below(&parent).into_iter().for_each(|name| self.bind(name, Binding::Value));
    }

    fn lazy_names(&mut self, module: &str, names: &[Expr]) {
        let module = self.modules.absolute(self.module, module, 1);
        for name in names {
            let Expr::StringLiteral(name) = name else { continue };
            let name = name.value.to_str();
            self.bind(name, Binding::Imported { module: module.clone(), name: Some(name.to_owned()) });
        }
    }

    /// `_import_structure["models"].extend(["DDPOPipelineOutput"])`, and `append`.
    fn extend_lazy(&mut self, expression: &Expr) {
        let Expr::Call(call) = expression else { return };
        let Expr::Attribute(method) = &*call.func else { return };
        let Expr::Subscript(place) = &*method.value else { return };
        let Some(module) = lazy_key(place) else { return };
        match (method.attr.as_str(), &*call.arguments.args) {
            ("extend", [Expr::List(names)]) => self.lazy_names(module, &names.elts),
            ("append", names @ [Expr::StringLiteral(_)]) => self.lazy_names(module, names),
            _ => {}
        }
    }
}

fn lazy_key(place: &ast::ExprSubscript) -> Option<&str> {
    match (&*place.value, &*place.slice) {
        (Expr::Name(name), Expr::StringLiteral(key)) if name.id.as_str() == "_import_structure" => {
            Some(key.value.to_str())
        }
        _ => None,
    }
}

fn is_partial(call: &ast::ExprCall) -> bool {
    match &*call.func {
        Expr::Name(name) => name.id.as_str() == "partial",
        Expr::Attribute(attribute) => attribute.attr.as_str() == "partial",
        _ => false,
    }
}
