//! What an environment on disk has installed, read from its metadata. Nothing is run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pep440_rs::Version;

use super::statement::exactly;
use crate::diagnostic::Problem;
use crate::model::{Declaration, Evidence, Origin};
use crate::source::FileSystem;
use crate::syntax::requirements::normalize;

/// The distributions of an interpreter, a virtual environment or a `site-packages` folder.
pub(super) fn read(disk: &dyn FileSystem, python: &Path, problems: &mut Vec<Problem>) -> Vec<Declaration> {
    let folders = site_packages(disk, python);
    if folders.is_empty() {
        let message = format!("{}: no interpreter, virtual environment or site-packages folder", python.display());
        problems.push(Problem { message, span: None });
    }
    let mut found: Vec<Declaration> = Vec::new();
    for folder in folders {
        for entry in disk.read_dir(&folder).unwrap_or_default() {
            let Some(one) = distribution(disk, &entry.path, &folder) else { continue };
            // The first folder on the path shadows the others.
            if found.iter().all(|before| before.package != one.package) {
                found.push(one);
            }
        }
    }
    found
}

/// The distributions of an interpreter, a virtual environment or a `site-packages` folder, by normalised name: version and folder.
pub fn installed(disk: &dyn FileSystem, python: &Path) -> BTreeMap<String, (Version, PathBuf)> {
    let found = read(disk, python, &mut Vec::new()).into_iter();
    let known = found.filter_map(|one| match &one.origin {
        Origin::Installed(folder) => Some((one.package.clone(), (one.pinned()?.clone(), PathBuf::from(folder)))),
        Origin::File(_) | Origin::CommandLine(_) => None,
    });
    known.collect()
}

/// Whether a virtual environment sees nothing but what is installed in it.
pub(super) fn is_isolated(disk: &dyn FileSystem, python: &Path) -> bool {
    let settings = python.ancestors().take(5).map(|folder| folder.join("pyvenv.cfg")).find(|path| disk.is_file(path));
    let Some(bytes) = settings.and_then(|path| disk.read(&path).ok()) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().filter_map(|line| line.split_once('='));
    lines.any(|(key, value)| key.trim() == "include-system-site-packages" && value.trim() == "false")
}

/// The folders with installed packages that belong to `python`.
fn site_packages(disk: &dyn FileSystem, python: &Path) -> Vec<PathBuf> {
    if !disk.is_dir(python) {
        // An interpreter: `<root>/bin/python` or `<root>\Scripts\python.exe`.
        let root = python.parent().and_then(Path::parent);
        return root.filter(|_| disk.is_file(python)).map(|root| of_root(disk, root)).unwrap_or_default();
    }
    let entries = disk.read_dir(python).unwrap_or_default();
    if entries.iter().any(|entry| entry.is_dir && extension(&entry.path) == "dist-info") {
        return vec![python.to_path_buf()];
    }
    of_root(disk, python)
}

fn of_root(disk: &dyn FileSystem, root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.join("Lib").join("site-packages")];
    for lib in ["lib", "lib64", "local/lib"] {
        for entry in disk.read_dir(&root.join(lib)).unwrap_or_default() {
            let is_python =
                entry.path.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.starts_with("python"));
            if entry.is_dir && is_python {
                folders.push(entry.path.join("site-packages"));
                folders.push(entry.path.join("dist-packages"));
            }
        }
    }
    folders.retain(|folder| disk.is_dir(folder));
    folders
}

/// Name and version of a `*.dist-info/METADATA` or `*.egg-info/PKG-INFO`.
fn distribution(disk: &dyn FileSystem, path: &Path, folder: &Path) -> Option<Declaration> {
    let metadata = match extension(path) {
        "dist-info" => path.join("METADATA"),
        "egg-info" if disk.is_dir(path) => path.join("PKG-INFO"),
        _ => return None,
    };
    let bytes = disk.read(&metadata).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let header = |name: &str| {
        let mut lines = text.lines().take_while(|line| !line.is_empty());
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    Some(Declaration {
        package: normalize(header("Name")?),
        specifiers: exactly(header("Version")?).ok()?,
        evidence: Evidence::Installed,
        origin: Origin::Installed(folder.display().to_string()),
        condition: None,
        direct: None,
        extras: BTreeSet::new(),
    })
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemoryFileSystem;

    #[test]
    fn a_virtual_environment_sees_only_itself_where_it_says_so() {
        for (settings, expected) in [
            ("home = /usr/bin\ninclude-system-site-packages = false\n", true),
            ("home = /usr/bin\ninclude-system-site-packages = true\n", false),
            ("", false),
        ] {
            let disk = MemoryFileSystem::default();
            if !settings.is_empty() {
                disk.insert("venv/pyvenv.cfg", settings);
            }
            disk.insert("venv/bin/python", "");
            for python in ["venv", "venv/bin/python", "venv/lib/python3.11/site-packages"] {
                assert_eq!(is_isolated(&disk, Path::new(python)), expected, "{python} {settings}");
            }
        }
    }
}
