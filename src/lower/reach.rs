//! Which files can come to build a trainer, told from their names alone.
//!
//! To evaluate a file is to evaluate what it imports. In the repository of a framework hundreds of files import each other, and
//! few of them have anything to do with training; of the others only their own imports are of interest. A name leads to what it
//! stands for in its file: a function, a class, or something of another module. What is called through anything else than its
//! name (a registry, a string) is not followed here, and would not be by the evaluator either.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Stmt};

use super::host::ProjectHost;
use super::script::is_trainer;
use crate::eval::Host;
use crate::knowledge::Knowledge;
use crate::source::FileId;
use crate::syntax::python::PythonModule;

/// A name of a module; `None`: its statements outside of functions and classes.
type Place = (FileId, Option<String>);

/// The names of a project, as far as they were asked for.
pub(super) struct Reach<'a> {
    host: &'a ProjectHost<'a>,
    knowledge: &'a Knowledge,
    outlines: BTreeMap<FileId, Outline>,
    /// Whether a bare name is that of a trainer.
    trainers: BTreeMap<String, bool>,
}

/// What a module defines, and the names in it.
#[derive(Default)]
struct Outline {
    /// By function and class; `None`: everything else.
    names: BTreeMap<Option<String>, BTreeSet<String>>,
    /// By the name they bind; `import a.b` and `import a.c` bind the same one.
    imports: BTreeMap<String, Vec<Import>>,
    stars: Vec<Import>,
}

#[derive(Clone)]
struct Import {
    module: String,
    level: u32,
    /// `None` for a module as a whole.
    name: Option<String>,
}

impl<'a> Reach<'a> {
    pub(super) fn new(host: &'a ProjectHost<'a>, knowledge: &'a Knowledge) -> Self {
        Self { host, knowledge, outlines: BTreeMap::new(), trainers: BTreeMap::new() }
    }

    /// The files among these that can come to build a trainer of a known package.
    pub(super) fn files(&mut self, modules: &[Arc<PythonModule>]) -> BTreeSet<FileId> {
        let mut seen: BTreeSet<Place> = BTreeSet::new();
        let mut leading: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        let mut builders: Vec<Place> = Vec::new();
        let mut open: Vec<Place> = Vec::new();
        for module in modules {
            self.read(module);
            let own = self.outlines[&module.file()].names.keys();
            open.extend(own.map(|name| (module.file(), name.clone())));
        }
        while let Some(place) = open.pop() {
            if !seen.insert(place.clone()) {
                continue;
            }
            let (next, builds) = self.step(&place);
            if builds {
                builders.push(place.clone());
            }
            for next in next {
                leading.entry(next.clone()).or_default().push(place.clone());
                open.push(next);
            }
        }
        let mut reaching: BTreeSet<Place> = BTreeSet::new();
        while let Some(place) = builders.pop() {
            builders.extend(leading.get(&place).into_iter().flatten().filter(|one| !reaching.contains(*one)).cloned());
            reaching.insert(place);
        }
        reaching.into_iter().map(|(file, _)| file).collect()
    }

    fn read(&mut self, module: &PythonModule) {
        self.outlines.entry(module.file()).or_insert_with(|| Outline::of(module));
    }

    /// Where the names of a place lead, and whether one of them is a trainer.
    fn step(&mut self, (file, name): &Place) -> (Vec<Place>, bool) {
        let outline = &self.outlines[file];
        let Some(names) = outline.names.get(name).cloned() else {
            // A name that the module only passes on.
            return name.as_ref().map_or_else(Default::default, |name| self.look_up(*file, name, &BTreeSet::new()));
        };
        let mut next = Vec::new();
        let mut builds = false;
        for mentioned in &names {
            let (found, is_trainer) = self.look_up(*file, mentioned, &names);
            next.extend(found);
            builds |= is_trainer;
        }
        (next, builds)
    }

    /// What a name stands for in a file; `beside` are the names around it.
    fn look_up(&mut self, file: FileId, name: &str, beside: &BTreeSet<String>) -> (Vec<Place>, bool) {
        let outline = &self.outlines[&file];
        let own = Some(name.to_owned());
        if outline.names.contains_key(&own) {
            return (vec![(file, own)], false);
        }
        let (imports, stars) = (outline.imports.get(name).cloned(), outline.stars.clone());
        if let Some(imports) = imports {
            let (mut found, mut is_trainer) = (Vec::new(), false);
            for import in imports {
                let (places, names_trainer) = self.imported(file, &import, beside);
                found.extend(places);
                is_trainer |= names_trainer;
            }
            return (found, is_trainer);
        }
        let mut found = Vec::new();
        for star in stars {
            let Some(target) = self.module(file, &star.module, star.level) else { continue };
            if self.outlines[&target].has(name) {
                found.push((target, own.clone()));
            }
        }
        (found, self.is_named_trainer(name))
    }

    fn imported(&mut self, file: FileId, import: &Import, beside: &BTreeSet<String>) -> (Vec<Place>, bool) {
        let target = match &import.name {
            None => self.module(file, &import.module, import.level),
            Some(name) => {
                if let Some(target) = self.module(file, &import.module, import.level)
                    && self.outlines[&target].has(name)
                {
                    return (vec![(target, Some(name.clone()))], false);
                }
                let full = if import.module.is_empty() { name.clone() } else { format!("{}.{name}", import.module) };
                let Some(submodule) = self.module(file, &full, import.level) else {
                    return (Vec::new(), is_trainer(&full, self.knowledge) || self.is_named_trainer(name));
                };
                Some(submodule)
            }
        };
        let Some(target) = target else { return (Vec::new(), false) };
        // `module.function()`: the names next to it say which.
        let outline = &self.outlines[&target];
        let used = beside.iter().filter(|name| outline.has(name));
        (used.map(|name| (target, Some(name.clone()))).collect(), false)
    }

    fn module(&mut self, importer: FileId, dotted: &str, level: u32) -> Option<FileId> {
        let module = self.host.module(importer, dotted, level)?;
        self.read(&module);
        Some(module.file())
    }

    /// Whether some release of a known package exports a trainer of this name.
    fn is_named_trainer(&mut self, name: &str) -> bool {
        if !name.ends_with("Trainer") {
            return false;
        }
        let knowledge = self.knowledge;
        let named = || knowledge.packages().any(|package| is_trainer(&format!("{}.{name}", package.name()), knowledge));
        *self.trainers.entry(name.to_owned()).or_insert_with(named)
    }
}

impl Outline {
    fn of(module: &PythonModule) -> Self {
        let mut outline = Self::default();
        outline.names.insert(None, BTreeSet::new());
        Reader { outline: &mut outline, within: None }.visit_body(module.body());
        outline
    }

    /// Whether a name can be asked of the module.
    fn has(&self, name: &str) -> bool {
        self.imports.contains_key(name) || self.names.contains_key(&Some(name.to_owned())) || !self.stars.is_empty()
    }
}

struct Reader<'o> {
    outline: &'o mut Outline,
    /// The function or class at the top of the module that is being read.
    within: Option<String>,
}

impl Reader<'_> {
    fn mention(&mut self, name: &str) {
        self.outline.names.entry(self.within.clone()).or_default().insert(name.to_owned());
    }

    fn import(&mut self, bound: &str, import: Import) {
        self.outline.imports.entry(bound.to_owned()).or_default().push(import);
    }

    fn import_from(&mut self, node: &ast::StmtImportFrom) {
        let module = node.module.as_ref().map_or_else(String::new, ToString::to_string);
        for alias in &node.names {
            let import = Import { module: module.clone(), level: node.level, name: Some(alias.name.to_string()) };
            if alias.name.as_str() == "*" {
                self.outline.stars.push(import);
            } else {
                self.import(alias.asname.as_ref().unwrap_or(&alias.name), import);
            }
        }
    }
}

impl<'s> Visitor<'s> for Reader<'_> {
    fn visit_stmt(&mut self, stmt: &'s Stmt) {
        let name = match stmt {
            Stmt::FunctionDef(node) => &node.name,
            Stmt::ClassDef(node) => &node.name,
            Stmt::ImportFrom(node) => return self.import_from(node),
            Stmt::Import(node) => {
                for alias in &node.names {
                    let import = |module: &str| Import { module: module.to_owned(), level: 0, name: None };
                    match &alias.asname {
                        Some(bound) => self.import(bound, import(&alias.name)),
                        // `import a.b` binds `a`; what is used is in `a.b`.
                        None => self.import(alias.name.split('.').next().unwrap_or_default(), import(&alias.name)),
                    }
                }
                return;
            }
            _ => return walk_stmt(self, stmt),
        };
        if self.within.is_some() {
            return walk_stmt(self, stmt);
        }
        self.within = Some(name.to_string());
        self.outline.names.entry(self.within.clone()).or_default();
        walk_stmt(self, stmt);
        self.within = None;
    }

    fn visit_expr(&mut self, expr: &'s Expr) {
        match expr {
            Expr::Name(node) => self.mention(&node.id),
            Expr::Attribute(node) => self.mention(&node.attr),
            _ => {}
        }
        walk_expr(self, expr);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::lower::Request;
    use crate::source::{MemoryFileSystem, Sources};

    /// The files that can build a trainer, among all of them.
    fn reaching(files: &[(&str, &str)]) -> Vec<String> {
        let disk = MemoryFileSystem::default();
        for (path, text) in files {
            disk.insert(*path, *text);
        }
        let paths: Vec<PathBuf> = files.iter().map(|(path, _)| PathBuf::from(path)).collect();
        let (sources, knowledge) = (Sources::default(), Knowledge::bundled());
        let request = Request {
            file_system: &disk,
            sources: &sources,
            knowledge,
            files: &paths,
            targets: &[],
            python: None,
            choice: &crate::model::Choice::default(),
            is_stopped: &|| false,
        };
        let host = ProjectHost::new(&request);
        let modules: Vec<_> = paths.iter().filter_map(|path| host.module_at(path)).collect();
        let found = Reach::new(&host, knowledge).files(&modules);
        found.into_iter().map(|file| sources.get(file).path().display().to_string()).collect()
    }

    #[test]
    fn a_trainer_is_reached_by_its_names() {
        const BUILDER: &str = "from trl import DPOTrainer as T\ndef build(): return T()\ndef other(): pass\n";
        for (script, expected) in [
            ("from trl import DPOTrainer\nDPOTrainer()\n", true),
            ("import trl\ntrl.DPOTrainer()\n", true),
            ("from trl import *\nDPOTrainer()\n", true),
            ("import trl.trainer.dpo_trainer as d\nd.DPOTrainer()\n", true),
            ("from builder import build\nbuild()\n", true),
            ("import builder\nbuilder.build()\n", true),
            ("from builder import *\nbuild()\n", true),
            ("from package import build as make\ndef main():\n    make()\n", true),
            ("import tools.a\nimport tools.b\ntools.a.build()\n", true),
            ("import tools.a\nimport tools.b\ntools.b.build()\n", true),
            ("import tools.b\ntools.b.other()\n", false),
            ("class Mine(__import__('trl').DPOTrainer): pass\n", true),
            ("from builder import other\nother()\n", false),
            ("from builder import build\n", false),
            ("import builder\nbuilder.other()\n", false),
            ("import trl\ntrl.DPOConfig()\n", false),
            ("class MyTrainer: pass\nMyTrainer()\n", false),
        ] {
            let files = [
                ("builder.py", BUILDER),
                ("package/__init__.py", "from builder import build\n"),
                ("tools/__init__.py", ""),
                ("tools/a.py", BUILDER),
                ("tools/b.py", "def other(): pass\n"),
                ("script.py", script),
            ];
            let found = reaching(&files);
            assert_eq!(found.contains(&"script.py".to_owned()), expected, "{script}: {found:?}");
            assert!(found.contains(&"builder.py".to_owned()));
        }
    }

    #[test]
    fn files_that_import_each_other_come_to_an_end() {
        let files = [("a.py", "from b import f\ndef g(): f()\n"), ("b.py", "from a import g\ndef f(): g()\n")];
        assert_eq!(reaching(&files), [""; 0]);
    }
}
