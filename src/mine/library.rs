//! The modules of one release with their names followed to where they are defined.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::Expr;

use super::scope::{Binding, Scope};
use super::wheel::Modules;

/// Re-exports are followed this far; a longer chain is a cycle.
const MAX_HOPS: u32 = 32;

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A class or function of the package, by full name.
    Definition(String),
    /// A module of the package.
    Module(String),
    /// Something of another package, by the name it is imported by.
    External(String),
    /// A value of the package: a constant, a type alias.
    Value,
    /// No such name.
    Missing,
}

/// One release, linked.
pub(super) struct Library<'a> {
    /// Its modules.
    pub modules: &'a Modules,
    scopes: BTreeMap<&'a str, Scope<'a>>,
}

/// The names of one module that are public.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ModuleExports {
    /// Whether any other name may exist.
    pub dynamic: bool,
    /// By name, with the full name of the definition where it is one of the package.
    pub names: BTreeMap<String, Option<String>>,
}

impl<'a> Library<'a> {
    /// Links the modules of a release.
    pub fn new(modules: &'a Modules) -> Self {
        let scopes = modules.iter().map(|(name, module)| (name, Scope::of(modules, name, module.python.body())));
        Self { modules, scopes: scopes.collect() }
    }

    /// The names of every module.
    pub fn scopes(&self) -> impl Iterator<Item = (&'a str, &Scope<'a>)> {
        self.scopes.iter().map(|(name, scope)| (*name, scope))
    }

    /// The binding of a definition's full name.
    pub fn definition(&self, full_name: &str) -> Option<(&str, &Binding<'a>)> {
        let (module, name) = full_name.rsplit_once('.')?;
        let (module, scope) = self.scopes.get_key_value(module)?;
        Some((module, scope.bindings.get(name)?))
    }

    /// Whether a full name is that of a variable: a parser of a program.
    pub fn is_variable(&self, full_name: &str) -> bool {
        !matches!(self.definition(full_name), Some((_, Binding::Class(_) | Binding::Function(_))))
    }

    /// What `name` means in `module`.
    pub fn resolve(&self, module: &str, name: &str) -> Target {
        self.follow(module, name, 0)
    }

    fn follow(&self, module: &str, name: &str, hops: u32) -> Target {
        let Some(scope) = self.scopes.get(module).filter(|_| hops < MAX_HOPS) else { return Target::Missing };
        match scope.bindings.get(name) {
            Some(Binding::Class(_) | Binding::Function(_)) => Target::Definition(format!("{module}.{name}")),
            Some(Binding::Value) => Target::Value,
            Some(Binding::Alias(other)) => match self.follow(module, other, hops + 1) {
                Target::Missing => Target::Value,
                found => found,
            },
            Some(Binding::Imported { module, name: Some(name) }) => self.imported(module, name, hops),
            Some(Binding::Imported { module, name: None }) => self.module(module),
            None => {
                let submodule = format!("{module}.{name}");
                if self.scopes.contains_key(submodule.as_str()) {
                    return Target::Module(submodule);
                }
                let stars = scope.stars.iter().filter(|star| self.is_own(star));
                let mut found = stars.map(|star| self.follow(star, name, hops + 1));
                found.find(|target| *target != Target::Missing).unwrap_or(Target::Missing)
            }
        }
    }

    fn imported(&self, module: &str, name: &str, hops: u32) -> Target {
        if !self.is_own(module) {
            return Target::External(format!("{module}.{name}"));
        }
        match self.follow(module, name, hops + 1) {
            // Imported from a module that the wheel does not hold, or that fills itself at run time.
            Target::Missing => Target::Value,
            found => found,
        }
    }

    fn module(&self, module: &str) -> Target {
        if self.scopes.contains_key(module) {
            Target::Module(module.to_owned())
        } else {
            Target::External(module.to_owned())
        }
    }

    /// Whether a dotted module name belongs to this package.
    fn is_own(&self, module: &str) -> bool {
        let root = module.split('.').next().unwrap_or(module);
        self.scopes.contains_key(root)
    }

    /// What a dotted expression (`nn.Module`, `Generic[T]`) means in `module`.
    pub fn resolve_expression(&self, module: &str, expression: &Expr) -> Target {
        match expression {
            Expr::Name(name) => match self.resolve(module, &name.id) {
                Target::Missing => Target::External(name.id.to_string()),
                found => found,
            },
            Expr::Attribute(attribute) => match self.resolve_expression(module, &attribute.value) {
                Target::Module(inner) => self.resolve(&inner, &attribute.attr),
                Target::External(outer) => Target::External(format!("{outer}.{}", attribute.attr)),
                _ => Target::Value,
            },
            Expr::Subscript(generic) => self.resolve_expression(module, &generic.value),
            _ => Target::Value,
        }
    }

    /// The public names of every public module; `only`: just those that lead to one of these definitions.
    pub fn exports(&self, only: Option<&BTreeSet<String>>) -> BTreeMap<String, ModuleExports> {
        let mut exports = BTreeMap::new();
        for (module, scope) in self.scopes().filter(|(module, _)| is_public_path(module)) {
            let mut names = BTreeMap::new();
            let submodules = self.submodules(module);
            for name in scope.bindings.keys().map(String::as_str).chain(submodules).filter(|name| is_public(name)) {
                let at = match self.resolve(module, name) {
                    Target::Definition(full) => Some(full),
                    _ => None,
                };
                if only.is_none_or(|only| at.as_ref().is_some_and(|at| only.contains(at))) {
                    names.insert(name.to_owned(), at);
                }
            }
            for star in scope.stars.iter().filter(|star| only.is_none() && self.is_own(star)) {
                self.star_names(star, &mut names, 0);
            }
            let dynamic = scope.dynamic || scope.stars.iter().any(|star| !self.is_own(star));
            if only.is_none() || !names.is_empty() {
                exports.insert(module.to_owned(), ModuleExports { dynamic, names });
            }
        }
        exports
    }

    fn star_names(&self, module: &str, names: &mut BTreeMap<String, Option<String>>, hops: u32) {
        let Some(scope) = self.scopes.get(module).filter(|_| hops < MAX_HOPS) else { return };
        for name in scope.bindings.keys().filter(|name| is_public(name)) {
            let at = match self.resolve(module, name) {
                Target::Definition(full) => Some(full),
                _ => None,
            };
            names.entry(name.clone()).or_insert(at);
        }
        scope.stars.iter().for_each(|star| self.star_names(star, names, hops + 1));
    }

    fn submodules<'b>(&'b self, module: &'b str) -> impl Iterator<Item = &'b str> {
        let inside = self.scopes.range(module..).take_while(move |(name, _)| name.starts_with(module));
        inside.filter_map(move |(name, _)| {
            name.strip_prefix(module)?.strip_prefix('.').filter(|rest| !rest.contains('.'))
        })
    }
}

/// Whether users may rely on a name.
pub(super) fn is_public(name: &str) -> bool {
    !name.starts_with('_')
}

/// Whether no part of a dotted name is private.
pub(super) fn is_public_path(dotted: &str) -> bool {
    dotted.split('.').all(is_public)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(files: &[(&str, &str)]) -> Modules {
        Modules::parse(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
    }

    #[test]
    fn names_are_followed_to_their_definition() {
        let modules = modules(&[
            (
                "p/__init__.py",
                "from typing import TYPE_CHECKING\n_import_structure = {'sub': ['Lazy'], 'gone': ['Unfound']}\n\
                 try:\n    if not is_x_available():\n        raise OptionalDependencyNotAvailable()\n\
                 except OptionalDependencyNotAvailable:\n    pass\nelse:\n    _import_structure['sub'].extend(['Optional'])\n\
                 if TYPE_CHECKING:\n    from .sub import Lazy\nelse:\n    import sys\n",
            ),
            (
                "p/sub/__init__.py",
                "from .deep import Real as Lazy, Optional\nfrom ..moved import *\nimport torch.nn as nn\n\
                 try:\n    from peft import PeftModel\nexcept ImportError:\n    PeftModel = None\nOld = Lazy\nLIMIT = 1\n",
            ),
            ("p/sub/deep.py", "class Real: pass\ndef Optional(): pass\n_hidden = 1\n"),
            ("p/moved.py", "with quiet():\n    class Moved: pass\nfrom .loop import Cycle\n"),
            ("p/loop.py", "from .moved import Cycle\n"),
        ]);
        let library = Library::new(&modules);
        let definition = |name: &str| Target::Definition(name.to_owned());
        for (module, name, expected) in [
            ("p", "Lazy", definition("p.sub.deep.Real")),
            ("p", "Optional", definition("p.sub.deep.Optional")),
            ("p", "Unfound", Target::Value),
            ("p", "sub", Target::Module("p.sub".to_owned())),
            ("p", "Nothing", Target::Missing),
            ("p.sub", "Moved", definition("p.moved.Moved")),
            ("p.sub", "Old", definition("p.sub.deep.Real")),
            ("p.sub", "PeftModel", Target::External("peft.PeftModel".to_owned())),
            ("p.sub", "nn", Target::External("torch.nn".to_owned())),
            ("p.sub", "LIMIT", Target::Value),
            ("p.loop", "Cycle", Target::Value),
        ] {
            assert_eq!(library.resolve(module, name), expected, "{module}.{name}");
        }
        let exports = library.exports(None);
        assert_eq!(exports["p.sub"].names["Moved"].as_deref(), Some("p.moved.Moved"));
        assert!(exports["p.sub"].names.contains_key("deep"));
        assert!(!exports["p.sub.deep"].names.contains_key("_hidden"));
        let only = BTreeSet::from(["p.moved.Moved".to_owned()]);
        assert_eq!(library.exports(Some(&only)).len(), 1, "p.sub has it by a star only, p.moved defines it");
    }
}
