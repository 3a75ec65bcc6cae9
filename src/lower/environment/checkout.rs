//! Frameworks whose source the project holds: a clone, or a copy in a folder. What is configured beside it is read by it, whatever a
//! package index offers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pep440_rs::{Version, VersionSpecifier};

use crate::knowledge::Knowledge;
use crate::lower::Request;
use crate::model::{Declaration, Evidence, Origin};

/// Files in which frameworks say their version, in the folder of the code or in the one above.
const IN_CODE: [&str; 3] = ["extras/env.py", "version.py", "__init__.py"];
const ABOVE: [&str; 3] = ["VERSION", "version.txt", "pyproject.toml"];

/// A framework's source.
#[derive(Debug)]
pub(super) struct Checkout {
    /// The framework.
    pub(super) package: String,
    /// The folder of its code.
    pub(super) folder: PathBuf,
    /// The release that it says it is; `None` where it says none or one that has not been released.
    pub(super) release: Option<Declaration>,
}

/// The frameworks whose source is among the files of a project.
pub(super) fn checkouts(request: &Request<'_>) -> Vec<Checkout> {
    let mut found = Vec::new();
    for framework in request.knowledge.frameworks() {
        let import = Knowledge::imported_as(framework.name());
        let folders: BTreeSet<PathBuf> = request.files.iter().filter_map(|file| folder_of(file, import)).collect();
        let is_package = |folder: &&PathBuf| request.file_system.is_file(&folder.join("__init__.py"));
        for folder in folders.iter().filter(is_package) {
            let release = version(request, folder, framework.name());
            let release = release.filter(|one| one.pinned().is_some_and(|pin| framework.index_of(pin).is_some()));
            found.push(Checkout { package: framework.name().to_owned(), folder: folder.clone(), release });
        }
    }
    found
}

/// The folder of this name that holds a file, however deep.
fn folder_of(file: &Path, name: &str) -> Option<PathBuf> {
    file.ancestors()
        .skip(1)
        .filter(|folder| folder.file_name().is_some_and(|last| last == name))
        .last()
        .map(Path::to_path_buf)
}

fn version(request: &Request<'_>, folder: &Path, package: &str) -> Option<Declaration> {
    let mut top = folder.parent()?;
    if top.file_name().is_some_and(|name| name == "src") {
        top = top.parent()?;
    }
    let candidates = IN_CODE.iter().map(|name| folder.join(name)).chain(ABOVE.iter().map(|name| top.join(name)));
    candidates.filter(|path| request.file_system.is_file(path)).find_map(|path| {
        let source = request.sources.read(request.file_system, &path).ok()?;
        let (at, text) = written(source.text())?;
        let version: Version = text.parse().ok()?;
        Some(Declaration {
            package: package.to_owned(),
            specifiers: VersionSpecifier::equals_version(version).into(),
            evidence: Evidence::Pin,
            origin: Origin::File(source.span(at..at + text.len())),
            condition: None,
            direct: None,
            extras: BTreeSet::new(),
        })
    })
}

/// A version and where it stands: `__version__ = "1.2"`, or all that there is.
fn written(text: &str) -> Option<(usize, &str)> {
    if text.len() < 32 && text.trim().parse::<Version>().is_ok() {
        return Some((text.len() - text.trim_start().len(), text.trim()));
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let named = ["__version__", "VERSION", "version"].iter().find_map(|name| line.strip_prefix(name));
        if let Some(value) = named.and_then(|rest| rest.trim_start().strip_prefix('=')) {
            let quoted = value.split(['"', '\'']).nth(1)?;
            return Some((start + line.find(quoted)?, quoted));
        }
        start += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_where_it_is_written() {
        assert_eq!(written("0.9.5\n"), Some((0, "0.9.5")));
        assert_eq!(written("import os\n\nVERSION = \"0.9.6.dev0\"\n"), Some((22, "0.9.6.dev0")));
        assert_eq!(written("[project]\ndynamic = ['version']\n"), None);
    }
}
