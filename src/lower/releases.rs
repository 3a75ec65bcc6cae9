//! One release of each package, chosen to ask what a call would do with them.

use crate::knowledge::{Knowledge, Package, Parameter, Resolution, Signature, Takes};
use crate::model::Environment;

/// One release of the package that is asked about; of every other package the one in effect.
#[derive(Clone, Copy)]
pub struct Releases<'a> {
    knowledge: &'a Knowledge,
    environment: &'a Environment,
    package: &'a Package,
    release: usize,
}

impl<'a> Releases<'a> {
    /// These releases.
    pub fn new(knowledge: &'a Knowledge, environment: &'a Environment, package: &'a Package, release: usize) -> Self {
        Self { knowledge, environment, package, release }
    }

    /// What is known of the libraries.
    pub fn knowledge(&self) -> &'a Knowledge {
        self.knowledge
    }

    /// The releases of the other packages.
    pub fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// The release of a package, by normalised name; `None` where that cannot be told.
    pub fn of(&self, package: &str) -> Option<usize> {
        if package == self.package.name() {
            return Some(self.release);
        }
        self.environment.in_effect(self.knowledge.package(package)?)
    }

    /// The class or function that a full name stands for, and the package that defines it.
    pub fn resolve(&self, name: &str) -> Option<(&'a Package, &'a str)> {
        let package = self.knowledge.package(name.split('.').next()?)?;
        match package.resolve(name, self.of(package.name())?) {
            Resolution::Definition(definition) => Some((package, definition)),
            Resolution::Other | Resolution::NotExported | Resolution::Unknown => None,
        }
    }

    /// The module and name under which a release exports what other releases have under this full name; `None` where it has it
    /// there, too, or nothing of that name, or several things.
    pub fn relocated(&self, name: &str) -> Option<(&'a str, String)> {
        let package = self.knowledge.package(name.split('.').next()?)?;
        package.relocated(name, self.of(package.name())?)
    }

    /// What the callable of this full name accepts.
    pub fn signature(&self, name: &str) -> Option<Signature<'a>> {
        let (package, definition) = self.resolve(name)?;
        self.knowledge.signature(package, definition, &|package| self.of(package))
    }

    /// What the callable of this full name does with a keyword argument.
    pub fn takes(&self, name: &str, keyword: &str) -> Takes<'a> {
        let Some((package, definition)) = self.resolve(name) else { return Takes::Unknown };
        self.knowledge.takes(package, definition, keyword, &|package| self.of(package))
    }

    /// The parameter or field of the callable of this full name, wherever it is declared.
    pub fn parameter(&self, name: &str, parameter: &str) -> Option<&'a Parameter> {
        match self.takes(name, parameter) {
            Takes::Parameter(found) => Some(found),
            Takes::AnyKeyword | Takes::Nothing | Takes::Unknown => None,
        }
    }

    /// Classes of other packages whose constructors run, too, when the class of this full name is constructed.
    pub fn outside_bases(&self, name: &str) -> Vec<(&'a Package, &'a str)> {
        let Some((package, definition)) = self.resolve(name) else { return Vec::new() };
        self.knowledge.outside_bases(package, definition, &|package| self.of(package))
    }

    /// The other packages whose classes have a say in what the class of this full name takes, each once.
    pub fn outside_packages(&self, name: &str) -> Vec<&'a Package> {
        let mut packages: Vec<&'a Package> = Vec::new();
        for (package, _) in self.outside_bases(name) {
            if !packages.iter().any(|known| known.name() == package.name()) {
                packages.push(package);
            }
        }
        packages
    }
}
