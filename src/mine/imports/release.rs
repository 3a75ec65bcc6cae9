//! One release, its modules parsed when they are asked for: of a large library few are reached.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use ruff_python_ast::{self as ast, Expr, Stmt};
use zip::ZipArchive;

use super::super::MineError;
use super::super::scope::{Binding, Scope, Tree};
use super::super::wheel::{dotted, metadata, public_names};
use crate::knowledge::Release;
use crate::source::Sources;
use crate::syntax::python::PythonModule;

/// Re-exports and stars are followed this far.
const MAX_HOPS: u32 = 24;

/// A parsed module.
pub(super) struct Parsed {
    pub(super) name: String,
    is_package: bool,
    pub(super) python: Arc<PythonModule>,
}

impl Parsed {
    /// The absolute name that `level` dots and `module` mean here.
    pub(super) fn absolute(&self, module: &str, level: u32) -> String {
        climb(&self.name, self.is_package, module, level)
    }

    /// Whether its names are loaded when they are asked for.
    fn is_lazy(&self) -> bool {
        self.python.text().contains("= _LazyModule(")
    }

    /// Whether its names are those that the modules below say of themselves.
    fn asks_below(&self) -> bool {
        self.is_lazy() && self.python.text().contains("define_import_structure(")
    }
}

fn climb(importer: &str, is_package: bool, module: &str, level: u32) -> String {
    let Some(climbs) = (level as usize).checked_sub(usize::from(is_package)).filter(|_| level > 0) else {
        return module.to_owned();
    };
    let base = (0..climbs).fold(importer, |base, _| base.rsplit_once('.').map_or("", |(parent, _)| parent));
    [base, module].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

/// What conditions of a module ask about names.
pub(super) trait Lookup<'a> {
    /// The value of a constant, and the module that has it.
    fn value(&self, module: &'a Parsed, name: &str) -> Option<(&'a Parsed, &'a Expr)>;
    /// A function, and the module that has it.
    fn function(&self, module: &'a Parsed, name: &str) -> Option<(&'a Parsed, &'a ast::StmtFunctionDef)>;
    /// The full name of something that comes from another package.
    fn foreign(&self, module: &'a Parsed, name: &str) -> Option<String>;
}

/// The files of one wheel.
pub(super) struct Archive {
    pub(super) release: Release,
    package: String,
    zip: RefCell<ZipArchive<BufReader<File>>>,
    modules: BTreeMap<String, Entry>,
    outlines: OnceCell<BTreeMap<String, Vec<String>>>,
    sources: Sources,
}

struct Entry {
    path: String,
    parsed: OnceCell<Parsed>,
}

impl Archive {
    /// Opens a wheel.
    pub(super) fn open(package: &str, path: &Path) -> Result<Self, MineError> {
        let failed = |source: std::io::Error| MineError::Read { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(failed)?;
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| failed(error.into()))?;
        let names: Vec<String> = zip.file_names().filter_map(Result::ok).map(Cow::into_owned).collect();
        let about = names.iter().find(|name| name.ends_with(".dist-info/METADATA"));
        let text = about.map(|name| read(&mut zip, name)).unwrap_or_default();
        let release = metadata(&text).ok_or_else(|| MineError::Content {
            path: path.to_path_buf(),
            what: "no version in its metadata".to_owned(),
        })?;
        let prefix = format!("{package}/");
        let is_module =
            |name: &&String| name.starts_with(&prefix) && Path::new(name).extension() == Some("py".as_ref());
        let modules = names.iter().filter(is_module);
        let modules =
            modules.map(|path| (dotted(path), Entry { path: path.clone(), parsed: OnceCell::new() })).collect();
        let (package, sources) = (package.to_owned(), Sources::default());
        Ok(Self { release, package, zip: RefCell::new(zip), modules, outlines: OnceCell::new(), sources })
    }

    /// The names of all modules.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.modules.keys().map(String::as_str)
    }

    fn get(&self, name: &str) -> Option<&Parsed> {
        let entry = self.modules.get(name)?;
        Some(entry.parsed.get_or_init(|| {
            let text = read(&mut self.zip.borrow_mut(), &entry.path);
            let source = self.sources.add(entry.path.clone().into(), text);
            let is_package = entry.path.ends_with("/__init__.py");
            Parsed { name: name.to_owned(), is_package, python: Arc::new(PythonModule::parse(&source)) }
        }))
    }

    /// The names in `__all__` of every module below one that may be asked for them, by module.
    fn outlines(&self) -> &BTreeMap<String, Vec<String>> {
        self.outlines.get_or_init(|| {
            let mut zip = self.zip.borrow_mut();
            let below = format!("{}.models.", self.package);
            let entries = self.modules.iter().filter(|(name, _)| name.starts_with(&below));
            entries
                .map(|(name, entry)| (name.clone(), public_names(&entry.path, &read(&mut zip, &entry.path))))
                .collect()
        })
    }
}

fn read(zip: &mut ZipArchive<BufReader<File>>, name: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut entry) = zip.by_name(name) {
        // What cannot be unpacked counts as empty, so that nothing is said of it.
        _ = entry.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Tree for Archive {
    fn absolute(&self, importer: &str, module: &str, level: u32) -> String {
        let is_package = self.modules.get(importer).is_some_and(|entry| entry.path.ends_with("/__init__.py"));
        climb(importer, is_package, module, level)
    }

    fn has(&self, module: &str) -> bool {
        self.modules.contains_key(module)
    }

    fn names_below(&self, _: &str) -> Vec<&str> {
        Vec::new()
    }
}

/// A release with its names followed.
pub(super) struct Linked<'a> {
    pub(super) archive: &'a Archive,
    scopes: BTreeMap<&'a str, OnceCell<Option<Scope<'a>>>>,
}

impl<'a> Linked<'a> {
    pub(super) fn new(archive: &'a Archive) -> Self {
        Self { archive, scopes: archive.names().map(|name| (name, OnceCell::new())).collect() }
    }

    pub(super) fn module(&self, name: &str) -> Option<&'a Parsed> {
        self.archive.get(name)
    }

    pub(super) fn is_own(&self, module: &str) -> bool {
        module.split('.').next() == Some(&self.archive.package)
    }

    fn scope(&self, name: &str) -> Option<&Scope<'a>> {
        let scope = self.scopes.get(name)?;
        let read = || {
            let parsed: &'a Parsed = self.archive.get(name)?;
            Some(Scope::of(self.archive, &parsed.name, parsed.python.body()))
        };
        scope.get_or_init(read).as_ref()
    }

    /// The names that a module has itself.
    pub(super) fn names(&self, module: &str) -> BTreeSet<String> {
        let Some(scope) = self.scope(module) else { return BTreeSet::new() };
        let mut names: BTreeSet<String> = scope.bindings.keys().cloned().collect();
        for star in scope.stars.iter().filter(|star| self.is_own(star) && star.as_str() != module) {
            names.extend(self.names(star).into_iter().filter(|name| !name.starts_with('_')));
        }
        names
    }

    /// Whether other names may exist.
    pub(super) fn is_dynamic(&self, module: &str) -> bool {
        let outside = |scope: &Scope<'_>| scope.stars.iter().any(|star| !self.is_own(star));
        self.scope(module).is_some_and(|scope| scope.dynamic || outside(scope))
    }

    /// The modules that are loaded, besides `module` itself, to get `name` from it; `None`: there is no such name.
    pub(super) fn route(&self, module: &str, name: &str) -> Option<Vec<String>> {
        self.route_within(module, name, 0)
    }

    fn route_within(&self, module: &str, name: &str, hops: u32) -> Option<Vec<String>> {
        let parsed = self.archive.get(module).filter(|_| hops < MAX_HOPS)?;
        let scope = self.scope(module)?;
        if parsed.is_lazy() {
            if let Some(Binding::Imported { module: from, name: Some(inner) }) = scope.bindings.get(name)
                && self.archive.has(from)
            {
                let mut route = vec![from.clone()];
                route.extend(self.route_within(from, inner, hops + 1).unwrap_or_default());
                return Some(route);
            }
            let prefix = format!("{module}.");
            if parsed.asks_below()
                && let Some((found, _)) = self
                    .archive
                    .outlines()
                    .range(prefix.clone()..)
                    .take_while(|(below, _)| below.starts_with(&prefix))
                    .find(|(_, names)| names.iter().any(|one| one == name))
            {
                return Some(vec![found.clone()]);
            }
        }
        let submodule = format!("{module}.{name}");
        if scope.bindings.contains_key(name) {
            // A module that the package loads itself and that has the name of the binding.
            let is_module = matches!(scope.bindings[name], Binding::Value) && self.archive.has(&submodule);
            return Some(if is_module { vec![submodule] } else { Vec::new() });
        }
        if self.archive.has(&submodule) {
            return Some(vec![submodule]);
        }
        let mut stars = scope.stars.iter().filter(|star| self.is_own(star));
        stars.find_map(|star| self.route_within(star, name, hops + 1))
    }

    /// Functions of a module each `return` of which is a tuple, which is true whatever it holds.
    pub(super) fn tuples(&self, module: &str) -> BTreeSet<String> {
        let Some(scope) = self.scope(module) else { return BTreeSet::new() };
        let is_tuple = |binding: &Binding<'_>| match binding {
            Binding::Function(function) => {
                let mut returns = Vec::new();
                collect_returns(&function.body, &mut returns);
                !returns.is_empty() && returns.iter().all(|value| matches!(value, Some(Expr::Tuple(_))))
            }
            _ => false,
        };
        scope.bindings.iter().filter(|(_, binding)| is_tuple(binding)).map(|(name, _)| name.clone()).collect()
    }

    /// Follows a name to the module that defines it.
    fn home(&self, module: &str, name: &str) -> Option<(String, String)> {
        let (mut module, mut name) = (module.to_owned(), name.to_owned());
        for _ in 0..MAX_HOPS {
            match self.scope(&module)?.bindings.get(&name) {
                Some(Binding::Imported { module: from, name: Some(inner) }) if self.is_own(from) => {
                    (module, name) = (from.clone(), inner.clone());
                }
                Some(_) => return Some((module, name)),
                None => return None,
            }
        }
        None
    }
}

impl<'a> Lookup<'a> for Linked<'a> {
    fn value(&self, module: &'a Parsed, name: &str) -> Option<(&'a Parsed, &'a Expr)> {
        let (home, name) = self.home(&module.name, name)?;
        let home: &'a Parsed = self.archive.get(&home)?;
        let mut values = home.python.body().iter().filter_map(|statement| assigned(statement, &name));
        // A name that is assigned twice may be either.
        let first = values.next()?;
        values.next().is_none().then_some((home, first))
    }

    fn function(&self, module: &'a Parsed, name: &str) -> Option<(&'a Parsed, &'a ast::StmtFunctionDef)> {
        let (home, name) = self.home(&module.name, name)?;
        let Some(Binding::Function(function)) = self.scope(&home)?.bindings.get(&name) else { return None };
        Some((self.archive.get(&home)?, function))
    }

    fn foreign(&self, module: &'a Parsed, name: &str) -> Option<String> {
        match self.scope(&module.name)?.bindings.get(name)? {
            Binding::Imported { module: from, name: Some(inner) } if !self.is_own(from) => {
                Some(format!("{from}.{inner}"))
            }
            _ => None,
        }
    }
}

fn assigned<'a>(statement: &'a Stmt, name: &str) -> Option<&'a Expr> {
    let is_it = |target: &Expr| matches!(target, Expr::Name(one) if one.id.as_str() == name);
    match statement {
        Stmt::Assign(assign) if assign.targets.iter().any(is_it) => Some(&assign.value),
        Stmt::AnnAssign(assign) if is_it(&assign.target) => assign.value.as_deref(),
        _ => None,
    }
}

fn collect_returns<'a>(body: &'a [Stmt], found: &mut Vec<Option<&'a Expr>>) {
    for statement in body {
        match statement {
            Stmt::Return(one) => found.push(one.value.as_deref()),
            Stmt::If(branch) => {
                collect_returns(&branch.body, found);
                branch.elif_else_clauses.iter().for_each(|clause| collect_returns(&clause.body, found));
            }
            Stmt::Try(attempt) => {
                collect_returns(&attempt.body, found);
                for ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    collect_returns(&handler.body, found);
                }
                collect_returns(&attempt.orelse, found);
            }
            Stmt::With(with) => collect_returns(&with.body, found),
            Stmt::For(each) => collect_returns(&each.body, found),
            _ => {}
        }
    }
}
