//! What the evaluator asks: where the modules of the project are, and what library calls mean.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::{Releases, Request};
use crate::eval::{self, Const, Flag, FlagId, Host, Object, ParserKind, Root, Summary, Symbol, Value};
use crate::knowledge::{Effect, Knowledge, Package, ParserName, Resolution, Returns};
use crate::source::FileId;
use crate::syntax::python::PythonModule;

/// Answers for the scripts of one project, independent of releases.
pub(super) struct ProjectHost<'a> {
    request: &'a Request<'a>,
    modules: Mutex<BTreeMap<PathBuf, Option<Arc<PythonModule>>>>,
    /// What is on the disk: the same modules are looked for again and again, and most of them are not the project's.
    seen: Mutex<FxHashMap<PathBuf, bool>>,
}

impl<'a> ProjectHost<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        Self { request, modules: Mutex::default(), seen: Mutex::default() }
    }

    /// The module of a file, read and parsed once; `None` if it cannot be read.
    pub(super) fn module_at(&self, path: &Path) -> Option<Arc<PythonModule>> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = modules.get(path) {
            return known.clone();
        }
        drop(modules);
        let source = self.request.sources.read(self.request.file_system, path).ok();
        let module = source.map(|source| {
            if path.extension().is_some_and(|extension| extension == "ipynb") {
                crate::syntax::notebook::parse(&source).module
            } else {
                Arc::new(PythonModule::parse(&source))
            }
        });
        modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        modules.entry(path.to_path_buf()).or_insert(module).clone()
    }

    /// Every module that was read.
    pub(super) fn into_modules(self) -> BTreeMap<FileId, Arc<PythonModule>> {
        let modules = self.modules.into_inner().unwrap_or_else(PoisonError::into_inner);
        modules.into_values().flatten().map(|module| (module.file(), module)).collect()
    }

    /// A file or package below `folder`.
    fn below(&self, folder: &Path, dotted: &str) -> Option<Arc<PythonModule>> {
        let base =
            dotted.split('.').filter(|part| !part.is_empty()).fold(folder.to_path_buf(), |path, part| path.join(part));
        let disk = self.request.file_system;
        let is_file = |path: &PathBuf| self.is_there(path, |path| disk.is_file(path));
        let is_dir = |path: &Path| self.is_there(path, |path| disk.is_dir(path));
        if !base.parent().is_none_or(is_dir) {
            return None;
        }
        let file = Some(base.with_extension("py")).filter(|_| !dotted.is_empty());
        let package = || Some(base.join("__init__.py")).filter(|_| is_dir(&base));
        let found = file.filter(is_file).or_else(|| package().filter(is_file))?;
        self.module_at(&found)
    }

    /// What the disk says of a path, asked once.
    fn is_there(&self, path: &Path, ask: impl Fn(&Path) -> bool) -> bool {
        let known = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied();
        known.unwrap_or_else(|| {
            let found = ask(path);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_path_buf(), found);
            found
        })
    }
}

impl Host for ProjectHost<'_> {
    fn module(&self, importer: FileId, dotted: &str, level: u32) -> Option<Arc<PythonModule>> {
        let importer = self.request.sources.get(importer);
        let folder = importer.path().parent().unwrap_or(Path::new(""));
        if level > 0 {
            let folder = (1..level).try_fold(folder, |folder, _| folder.parent())?;
            return self.below(folder, dotted);
        }
        if let Some(beside) = self.below(folder, dotted) {
            return Some(beside);
        }
        // A folder called `trl` higher up is the library's own repository, not what a script imports.
        let top = dotted.split('.').next().unwrap_or(dotted);
        if self.request.knowledge.is_library(top) || is_library(top) {
            return None;
        }
        let ancestors = folder.ancestors().skip(1).take_while(|path| !leaves_project(path));
        ancestors
            .flat_map(|folder| [folder.to_path_buf(), folder.join("src")])
            .chain([folder.join("src")])
            .find_map(|folder| self.below(&folder, dotted))
    }

    fn call(&self, callee: &str) -> Option<Summary> {
        summary(self.request.knowledge, callee)
    }

    fn attribute(&self, _: &Object, _: &str) -> Option<Value> {
        None
    }

    fn is_instance(&self, callee: &str, class: &str) -> Option<bool> {
        is_instance(self.request.knowledge, callee, class)
    }

    fn derives(&self, class: &str, base: &str) -> bool {
        derives(self.request.knowledge, class, base)
    }
}

/// Answers for a file of which only its own imports are of interest: modules of the project are found, and not entered.
pub(super) struct Alone<'a>(pub(super) &'a ProjectHost<'a>);

impl Host for Alone<'_> {
    fn module(&self, importer: FileId, dotted: &str, level: u32) -> Option<Arc<PythonModule>> {
        self.0.module(importer, dotted, level)
    }

    fn enters_modules(&self, _: u32) -> bool {
        false
    }

    fn call(&self, callee: &str) -> Option<Summary> {
        self.0.call(callee)
    }

    fn attribute(&self, object: &Object, attribute: &str) -> Option<Value> {
        self.0.attribute(object, attribute)
    }

    fn is_instance(&self, callee: &str, class: &str) -> Option<bool> {
        self.0.is_instance(callee, class)
    }

    fn derives(&self, class: &str, base: &str) -> bool {
        self.0.derives(class, base)
    }
}

/// Answers for a configuration: of the modules of the project those are entered that it names by their place beside it.
pub(super) struct Beside<'a>(pub(super) &'a ProjectHost<'a>);

impl Host for Beside<'_> {
    fn module(&self, importer: FileId, dotted: &str, level: u32) -> Option<Arc<PythonModule>> {
        self.0.module(importer, dotted, level)
    }

    fn enters_modules(&self, level: u32) -> bool {
        level > 0
    }

    fn call(&self, callee: &str) -> Option<Summary> {
        self.0.call(callee)
    }

    fn attribute(&self, object: &Object, attribute: &str) -> Option<Value> {
        self.0.attribute(object, attribute)
    }

    fn is_instance(&self, callee: &str, class: &str) -> Option<bool> {
        self.0.is_instance(callee, class)
    }

    fn derives(&self, class: &str, base: &str) -> bool {
        self.0.derives(class, base)
    }
}

fn leaves_project(path: &Path) -> bool {
    path.components().any(|component| component == Component::ParentDir)
}

/// Libraries whose names projects like to use for folders.
fn is_library(name: &str) -> bool {
    matches!(
        name,
        "trl"
            | "peft"
            | "transformers"
            | "accelerate"
            | "datasets"
            | "torch"
            | "deepspeed"
            | "bitsandbytes"
            | "unsloth"
    )
}

/// What a library call means, whatever the release.
fn summary(knowledge: &Knowledge, callee: &str) -> Option<Summary> {
    let curated = knowledge.curated();
    if let Some(parser) = curated.parser(callee) {
        return Some(Summary::Parser(match parser {
            ParserName::Argparse => ParserKind::Argparse,
            ParserName::Hf => ParserKind::HfArgumentParser,
            ParserName::Trl => ParserKind::TrlParser,
        }));
    }
    match curated.effect(callee) {
        Some(Effect::Copy(position, name)) => Some(Summary::Copy(position, name.into())),
        Some(Effect::Same(position, name)) => Some(Summary::Same(position, name.into())),
        Some(Effect::AdapterModel | Effect::Object) => Some(Summary::Object),
        Some(Effect::Receiver) | None => returned(knowledge, callee).map(Summary::Cases),
    }
}

/// What a library function returns, in the newest release that has it.
fn returned(knowledge: &Knowledge, callee: &str) -> Option<Vec<(String, Option<Arc<str>>)>> {
    let (package, release, definition) = newest(knowledge, callee)?;
    let cases = package.returns(definition, release);
    let known = !cases.is_empty() && cases.iter().all(|case| case.value != "...");
    let case = |case: &Returns| (case.when.clone(), (case.value != "None").then(|| case.value.as_str().into()));
    known.then(|| cases.into_iter().map(case).collect())
}

/// The definition of a name in the newest release that has it.
fn newest<'k>(knowledge: &'k Knowledge, name: &str) -> Option<(&'k Package, usize, &'k str)> {
    let package = knowledge.package(name.split('.').next()?)?;
    package.all().iter().rev().find_map(|release| match package.resolve(name, release) {
        Resolution::Definition(definition) => Some((package, release, definition)),
        _ => None,
    })
}

/// Whether a class of one package derives from one of another.
fn derives(knowledge: &Knowledge, class: &str, base: &str) -> bool {
    let package_of = |name: &str| name.split('.').next().map(str::to_owned);
    if package_of(class) == package_of(base) {
        return false;
    }
    let Some((package, release, definition)) = newest(knowledge, class) else { return false };
    let in_effect = |name: &str| match knowledge.package(name)? {
        owner if owner.name() == package.name() => Some(release),
        other => other.all().iter().next_back(),
    };
    let bases = knowledge.outside_bases(package, definition, &in_effect);
    let short = |name: &str| name.rsplit('.').next().map(str::to_owned);
    bases
        .iter()
        .any(|(owner, outside)| package_of(base).as_deref() == Some(owner.name()) && short(outside) == short(base))
}

fn is_instance(knowledge: &Knowledge, callee: &str, class: &str) -> Option<bool> {
    knowledge.curated().is_instance(callee, class)
}

/// Answers for conditions that are evaluated for one release of each package.
pub struct ReleaseHost<'a> {
    releases: Releases<'a>,
    flags: &'a [Flag],
    /// See [`Self::for_filled_fields`].
    are_fields_filled: bool,
}

impl<'a> ReleaseHost<'a> {
    /// Answers for these releases, in a script with these flags.
    pub fn new(releases: Releases<'a>, flags: &'a [Flag]) -> Self {
        Self { releases, flags, are_fields_filled: false }
    }

    /// Takes a field that is `None` by default for unknown: a configuration fills many of them when it is made, and the constructor
    /// that asks for them relies on it.
    #[must_use]
    pub fn for_filled_fields(self) -> Self {
        Self { are_fields_filled: true, ..self }
    }

    /// A configuration that is an instance of a class of the project, as the library sees it: an object of the library class
    /// that the project's class derives from.
    pub fn as_library_object(value: &Value) -> Value {
        let Value::Instance(instance) = value else { return value.clone() };
        match (&instance.object, super::flags::library_class(&Value::Class(Arc::clone(&instance.class)))) {
            (Some(object), _) => Value::Object(Arc::clone(object)),
            (None, Some(callee)) => Value::Object(Arc::new(Object {
                id: instance.id,
                callee,
                span: instance.class.span,
                args: Vec::new(),
                stored: instance.stored.clone(),
                copy_of: None,
                receiver: None,
                parsed: instance.parsed,
            })),
            (None, None) => value.clone(),
        }
    }

    /// The default of a field of a library class.
    pub fn field_default(&self, class: &str, field: &str) -> Option<Value> {
        let default = self.releases.parameter(class, field)?.default.as_deref()?;
        Some(eval::expression(default, self))
    }
}

impl Host for ReleaseHost<'_> {
    fn module(&self, _: FileId, _: &str, _: u32) -> Option<Arc<PythonModule>> {
        None
    }

    fn call(&self, callee: &str) -> Option<Summary> {
        summary(self.releases.knowledge(), callee)
    }

    fn attribute(&self, object: &Object, attribute: &str) -> Option<Value> {
        let given = object.args.iter().find(|argument| argument.name.as_deref() == Some(attribute));
        if let Some(argument) = given {
            return Some(argument.value.value.clone());
        }
        let Some(parser) = object.parsed else {
            let default = self.field_default(&object.callee, attribute)?;
            let is_filled = self.are_fields_filled && matches!(default, Value::Const(Const::None));
            return (!is_filled).then_some(default);
        };
        let is_meant = |flag: &Flag| flag.parser == parser && &*flag.name == attribute;
        let index = self.flags.iter().position(is_meant)?;
        // A field that this release does not have cannot be set either.
        self.field_default(&object.callee, attribute)?;
        let root = Root::Flag(FlagId(index as u32));
        Some(Value::Symbol(Arc::new(Symbol { root, path: Vec::new() })))
    }

    fn is_instance(&self, callee: &str, class: &str) -> Option<bool> {
        is_instance(self.releases.knowledge(), callee, class)
    }
}
