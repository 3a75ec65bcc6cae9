//! Modules, imports and names.

use std::sync::{Arc, LazyLock};

use ruff_python_ast as ast;
use rustc_hash::FxHashSet;

use super::interpreter::{Frame, Interpreter, ModuleState};
use super::store::{Owner, Slot};
use super::{Const, ImportEvent, Root, Symbol, Value};
use crate::source::FileId;
use crate::syntax::python::PythonModule;

impl Interpreter<'_> {
    /// Evaluates a module the first time it is imported, after so many dots; its scope. `None`: it is where the evaluation starts.
    pub(super) fn load(&mut self, module: &Arc<PythonModule>, level: Option<u32>) -> u32 {
        let is_entry = level.is_none();
        let file = module.file();
        if let Some(state) = self.modules.get(&file) {
            return state.scope;
        }
        let scope = self.new_scope(None, false, file);
        let name: Arc<str> = dotted_name(module).into();
        let state = ModuleState { scope, name: Arc::clone(&name), stars: Vec::new() };
        self.modules.insert(file, state);
        self.trace.files.push(file);
        let frame = Frame::of_module(module, scope, self.store.mark());
        let outer = std::mem::replace(&mut self.frame, frame);
        let path = self.path.clone();
        let mark = self.store.mark();
        self.assign("__name__", if is_entry { Value::str("__main__") } else { Value::str(&name) });
        self.assign("__file__", Value::str(&module.path().to_string_lossy()));
        if level.is_none_or(|level| self.host.enters_modules(level)) {
            self.block(module.body());
        }
        if !is_entry {
            // A module is imported once; what it defines stays, whatever becomes of the branch that imported it first.
            self.store.commit(mark);
            self.path = path;
        }
        self.frame = outer;
        scope
    }

    pub(super) fn import(&mut self, node: &ast::StmtImport) {
        for alias in &node.names {
            let dotted = alias.name.as_str();
            let first = dotted.split('.').next().unwrap_or(dotted);
            let found = self.project_module(dotted, 0);
            if found.is_none() {
                self.import_event(dotted, None, alias);
            }
            let value = match (&alias.asname, found) {
                (Some(_), Some(file)) => Value::Module(file),
                (Some(_), None) => Value::External(dotted.into()),
                (None, _) => match self.project_module(first, 0) {
                    Some(file) => Value::Module(file),
                    None => Value::External(first.into()),
                },
            };
            self.assign(alias.asname.as_ref().map_or(first, |name| name.as_str()), value);
        }
    }

    pub(super) fn import_from(&mut self, node: &ast::StmtImportFrom) {
        let dotted = node.module.as_ref().map_or("", |module| module.as_str());
        let found = self.project_module(dotted, node.level);
        for alias in &node.names {
            let name = alias.name.as_str();
            let bound = alias.asname.as_ref().map_or(name, |name| name.as_str());
            if name == "*" {
                self.import_star(dotted, found, alias);
                continue;
            }
            let value = match found {
                Some(file) => self.imported(file, dotted, node.level, name),
                None => self.submodule(dotted, node.level, name).map_or_else(
                    || {
                        self.import_event(dotted, Some(name), alias);
                        // A module of the project that was not found: nothing is known of what is in it.
                        if node.level > 0 { self.fresh_named(name) } else { self.external_attribute(dotted, name) }
                    },
                    Value::Module,
                ),
            };
            self.assign(bound, value);
        }
    }

    fn import_star(&mut self, dotted: &str, found: Option<FileId>, alias: &ast::Alias) {
        let Some(file) = found else {
            self.import_event(dotted, Some("*"), alias);
            let own = self.frame.module.file();
            if let Some(state) = self.modules.get_mut(&own) {
                state.stars.push(dotted.into());
            }
            return;
        };
        let Some(scope) = self.modules.get(&file).map(|state| state.scope) else { return };
        for (name, value) in self.store.variables(scope) {
            if !name.starts_with('_') {
                self.assign(&name, value);
            }
        }
        let stars = self.modules.get(&file).map(|state| state.stars.clone()).unwrap_or_default();
        let own = self.frame.module.file();
        if let Some(state) = self.modules.get_mut(&own) {
            state.stars.extend(stars);
        }
    }

    /// A name of a project module, as `from module import name` sees it.
    fn imported(&mut self, file: FileId, dotted: &str, level: u32, name: &str) -> Value {
        if let Some(value) = self.module_attribute(file, name) {
            return value;
        }
        match self.submodule(dotted, level, name) {
            Some(file) => Value::Module(file),
            None => self.fresh_named(name),
        }
    }

    fn submodule(&mut self, dotted: &str, level: u32, name: &str) -> Option<FileId> {
        let dotted = if dotted.is_empty() { name.to_owned() } else { format!("{dotted}.{name}") };
        self.project_module(&dotted, level)
    }

    /// The project's module of that name, evaluated.
    fn project_module(&mut self, dotted: &str, level: u32) -> Option<FileId> {
        let module = self.host.module(self.frame.module.file(), dotted, level)?;
        if self.enter() {
            self.load(&module, Some(level));
            self.leave();
        }
        if level == 0 {
            self.dotted.insert(dotted.to_owned(), module.file());
        }
        Some(module.file())
    }

    fn import_event(&mut self, module: &str, name: Option<&str>, alias: &ast::Alias) {
        let event = ImportEvent {
            module: module.into(),
            name: name.map(Into::into),
            span: self.span(alias),
            when: self.path.clone(),
            caught: self.caught.clone(),
            uncalled: self.uncalled,
        };
        self.trace.imports.push(event);
    }

    /// A name in a project module.
    pub(super) fn module_attribute(&mut self, file: FileId, name: &str) -> Option<Value> {
        let state = self.modules.get(&file)?;
        let slot = Slot::Variable(state.scope, name.into());
        if let Some(value) = self.store.get(&slot) {
            return Some(value.clone());
        }
        match &state.stars[..] {
            [only] => Some(self.external_attribute(&Arc::clone(only), name)),
            _ => None,
        }
    }

    /// The value of a name; a name that nothing binds is a builtin, comes from a star import, or is not known.
    pub(super) fn name(&mut self, name: &str) -> Value {
        if let Some(value) = self.lookup(name) {
            return value;
        }
        if is_builtin(name) {
            return Value::External(format!("builtins.{name}").into());
        }
        let (scope, stars) = match self.modules.get(&self.frame.module.file()) {
            Some(state) if !self.detached => (state.scope, state.stars.clone()),
            _ => (self.frame.scope, Vec::new()),
        };
        let value = match &stars[..] {
            [only] => self.external_attribute(only, name),
            _ => self.fresh_named(name),
        };
        // The same unknown name is the same unknown value.
        self.store.set(Slot::Variable(scope, name.into()), Some(value.clone()));
        value
    }

    /// `path.name` of something outside the project.
    pub(super) fn external_attribute(&mut self, path: &str, name: &str) -> Value {
        if let Some(value) = self.store.get(&Slot::Attribute(Owner::External(path.into()), name.into())) {
            return value.clone();
        }
        let full = format!("{path}.{name}");
        if let Some(file) = self.dotted.get(&full) {
            return Value::Module(*file);
        }
        match name {
            "__version__" => {
                let package = path.split('.').next().unwrap_or(path);
                let root = Root::Release(package.into());
                Value::Symbol(Arc::new(Symbol { root, path: Vec::new() }))
            }
            "TYPE_CHECKING" if matches!(path, "typing" | "typing_extensions") => Value::bool(false),
            "name" if path == "os" => Value::Const(Const::Str("posix".into())),
            _ => Value::External(full.into()),
        }
    }
}

/// `scripts/dpo.py` is `scripts.dpo`.
fn dotted_name(module: &PythonModule) -> String {
    let path = module.path().with_extension("");
    let parts = path.components().filter_map(|part| match part {
        std::path::Component::Normal(part) => part.to_str(),
        _ => None,
    });
    let mut parts: Vec<&str> = parts.collect();
    if parts.len() > 1 && parts.last() == Some(&"__init__") {
        parts.pop();
    }
    parts.join(".")
}

fn is_builtin(name: &str) -> bool {
    const NAMES: &str = "
        ArithmeticError AssertionError AttributeError BaseException DeprecationWarning EOFError Exception
        FileExistsError FileNotFoundError FutureWarning IOError ImportError IndexError KeyError KeyboardInterrupt
        LookupError MemoryError ModuleNotFoundError NameError NotImplemented NotImplementedError OSError OverflowError
        PermissionError RuntimeError RuntimeWarning StopIteration SyntaxError SystemExit TimeoutError TypeError
        UnicodeDecodeError UserWarning ValueError Warning ZeroDivisionError abs all any bool breakpoint bytes callable
        chr classmethod delattr dict dir divmod enumerate eval exec exit filter float format frozenset getattr globals
        hasattr hash hex id input int isinstance issubclass iter len list locals map max min next object open ord pow
        print property quit range repr reversed round set setattr slice sorted staticmethod str sum super tuple type
        vars zip __import__
    ";
    static KNOWN: LazyLock<FxHashSet<&str>> = LazyLock::new(|| NAMES.split_whitespace().collect());
    KNOWN.contains(name)
}
