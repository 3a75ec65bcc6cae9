//! Wheels and installed copies: metadata and parsed modules.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::MineError;
use super::surface::Surface;
use crate::knowledge::Release;
use crate::source::{FileId, Sources};
use crate::syntax::python::PythonModule;

/// One release, read.
pub(super) struct Wheel {
    /// Its metadata; day and withdrawal are not in a wheel.
    pub release: Release,
    /// Its modules.
    pub modules: Modules,
}

/// The parsed modules of one release, by dotted name.
#[derive(Default)]
pub(super) struct Modules {
    by_name: BTreeMap<String, Module>,
    by_file: BTreeMap<FileId, String>,
    outlined: Vec<Outline>,
}

/// A module of which only this is known.
struct Outline {
    module: String,
    /// The names in its `__all__`.
    names: Vec<String>,
}

/// A parsed module.
pub(super) struct Module {
    /// Its tree.
    pub python: Arc<PythonModule>,
    /// Whether it is a package (`__init__.py`), which decides what a leading dot means.
    pub is_package: bool,
}

impl Modules {
    /// Parses `(path inside the wheel, text)` pairs.
    pub fn parse(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let sources = Sources::default();
        let mut modules = Self::default();
        for (path, text) in files {
            let Some(stem) = path.strip_suffix(".py") else { continue };
            let package = stem.strip_suffix("/__init__");
            let (name, is_package) = (package.unwrap_or(stem).replace('/', "."), package.is_some());
            let source = sources.add(path.into(), text);
            modules.by_file.insert(source.id(), name.clone());
            let python = Arc::new(PythonModule::parse(&source));
            modules.by_name.insert(name, Module { python, is_package });
        }
        modules
    }

    /// The public names of the modules below `parent` that were read in outline.
    pub fn outlined_below<'a>(&'a self, parent: &'a str) -> impl Iterator<Item = &'a str> {
        let is_below = move |module: &str| module.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.'));
        let modules = self.outlined.iter().filter(move |outline| is_below(&outline.module));
        modules.flat_map(|outline| outline.names.iter().map(String::as_str))
    }

    /// A module.
    pub fn get(&self, name: &str) -> Option<&Module> {
        self.by_name.get(name)
    }

    /// All modules by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Module)> {
        self.by_name.iter().map(|(name, module)| (name.as_str(), module))
    }

    /// The dotted name of the module that a file became.
    pub fn name_of(&self, file: FileId) -> Option<&str> {
        self.by_file.get(&file).map(String::as_str)
    }

    /// The absolute dotted name that `level` dots and `module` mean inside `importer`.
    pub fn absolute(&self, importer: &str, module: &str, level: u32) -> String {
        if level == 0 {
            return module.to_owned();
        }
        let is_package = self.get(importer).is_some_and(|importer| importer.is_package);
        let climbs = level as usize - usize::from(is_package);
        let mut base = importer;
        for _ in 0..climbs {
            base = base.rsplit_once('.').map_or("", |(parent, _)| parent);
        }
        match (base.is_empty(), module.is_empty()) {
            (true, _) => module.to_owned(),
            (false, true) => base.to_owned(),
            (false, false) => format!("{base}.{module}"),
        }
    }
}

/// `schemas/index/<package>.json`.
#[derive(Default)]
pub(super) struct Index(BTreeMap<String, IndexEntry>);

#[derive(Deserialize)]
struct IndexEntry {
    date: Option<String>,
    #[serde(default)]
    yanked: bool,
    requires_python: Option<String>,
}

impl Index {
    /// Reads the file's text.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json).map(Self)
    }

    /// Adds what only the index knows.
    pub fn complete(&self, mut release: Release) -> Release {
        if let Some(entry) = self.0.get(&release.version) {
            release.date.clone_from(&entry.date);
            release.yanked = entry.yanked;
            if release.requires_python.is_none() {
                release.requires_python.clone_from(&entry.requires_python);
            }
        }
        release
    }
}

/// Reads a wheel, or the copy of `package` installed in a `site-packages` folder.
pub(super) fn read(package: &str, surface: &Surface, path: &Path) -> Result<Wheel, MineError> {
    let import_name = package.replace('-', "_").to_lowercase();
    let failed = |source| MineError::Read { path: path.to_path_buf(), source };
    let files =
        if path.is_dir() { installed(&import_name, path) } else { archived(&import_name, path) }.map_err(failed)?;
    let content = |what: &str| MineError::Content { path: path.to_path_buf(), what: what.to_owned() };
    let release = metadata(&files.metadata).ok_or_else(|| content("no version in its metadata"))?;
    if files.modules.is_empty() {
        return Err(content(&format!("holds no package `{import_name}`")));
    }
    let (outlined, whole): (Vec<_>, Vec<_>) =
        files.modules.into_iter().partition(|(path, _)| surface.outlines(&dotted(path)));
    let mut modules = Modules::parse(whole);
    modules.outlined =
        outlined.iter().map(|(path, text)| Outline { module: dotted(path), names: public_names(path, text) }).collect();
    Ok(Wheel { release, modules })
}

/// The dotted name of a module by its path.
fn dotted(path: &str) -> String {
    let stem = path.strip_suffix(".py").unwrap_or(path);
    stem.strip_suffix("/__init__").unwrap_or(stem).replace('/', ".")
}

/// What transformers' `define_import_structure` finds in a module: the names in a literal `__all__`.
fn public_names(path: &str, text: &str) -> Vec<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_skipped = name == "__init__.py" || name.starts_with("convert_") || name.starts_with("modular_");
    let list = text.split_once("\n__all__ = [").and_then(|(_, rest)| rest.split_once(']')).map(|(list, _)| list);
    let Some(list) = list.filter(|_| !is_skipped) else { return Vec::new() };
    list.split(['"', '\'']).skip(1).step_by(2).map(str::to_owned).collect()
}

#[derive(Default)]
struct Files {
    metadata: String,
    modules: Vec<(String, String)>,
}

fn archived(import_name: &str, path: &Path) -> io::Result<Files> {
    let mut archive = zip::ZipArchive::new(io::BufReader::new(std::fs::File::open(path)?))?;
    let mut files = Files::default();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at)?;
        let name = entry.name()?.into_owned();
        let is_metadata = name.ends_with(".dist-info/METADATA");
        if !is_metadata && !is_module(import_name, &name) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if is_metadata {
            files.metadata = text;
        } else {
            files.modules.push((name, text));
        }
    }
    Ok(files)
}

fn installed(import_name: &str, folder: &Path) -> io::Result<Files> {
    let mut files = Files::default();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let Some(distribution) = name.strip_suffix(".dist-info") else { continue };
        if distribution.split('-').next().is_some_and(|found| found.replace('.', "_") == import_name) {
            files.metadata = String::from_utf8_lossy(&std::fs::read(path.join("METADATA"))?).into_owned();
        }
    }
    let mut folders = vec![import_name.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            let name = format!("{inner}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else if is_module(import_name, &name) {
                let text = String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned();
                files.modules.push((name, text));
            }
        }
    }
    files.modules.sort();
    Ok(files)
}

fn is_module(import_name: &str, path: &str) -> bool {
    let is_python = Path::new(path).extension().is_some_and(|extension| extension == "py");
    is_python && path.strip_prefix(import_name).is_some_and(|rest| rest.starts_with('/'))
}

/// Extras that only the library's own developers install.
const DEVELOPER_EXTRAS: [&str; 8] =
    ["dev", "test", "tests", "testing", "docs", "quality", "benchmark", "dev-dependencies"];

fn metadata(text: &str) -> Option<Release> {
    let mut version = None;
    let (mut requires, mut requires_python) = (Vec::new(), None);
    for line in text.lines().take_while(|line| !line.is_empty()) {
        let Some((field, value)) = line.split_once(": ") else { continue };
        let value = value.trim();
        match field {
            "Version" => version = Some(value.to_owned()),
            "Requires-Python" => requires_python = Some(value.to_owned()),
            "Requires-Dist" if !is_for_developers(value) => requires.push(value.to_owned()),
            _ => {}
        }
    }
    Some(Release { version: version?, date: None, requires_python, requires, yanked: false })
}

fn is_for_developers(requirement: &str) -> bool {
    let Some((_, marker)) = requirement.split_once("extra ==") else { return false };
    let extra = marker.trim_start().trim_start_matches(['"', '\'']);
    DEVELOPER_EXTRAS.iter().any(|name| extra.strip_prefix(name).is_some_and(|rest| rest.starts_with(['"', '\''])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_up_to_the_description() {
        let text = "Name: trl\nVersion: 1.2\nRequires-Dist: peft>=0.8; extra == \"peft\"\nRequires-Dist: pytest; extra == 'dev'\n\
                    Requires-Dist: torch (>=1.4)\nRequires-Python: >=3.9\n\nVersion: 9\n";
        let release = metadata(text).expect("it has a version");
        assert_eq!(release.version, "1.2");
        assert_eq!(release.requires, ["peft>=0.8; extra == \"peft\"", "torch (>=1.4)"]);
        assert_eq!(release.requires_python.as_deref(), Some(">=3.9"));
        assert!(metadata("Name: trl\n").is_none());
    }

    #[test]
    fn dots_climb() {
        let modules = Modules::parse([
            ("p/__init__.py".to_owned(), String::new()),
            ("p/a/__init__.py".to_owned(), String::new()),
            ("p/a/b.py".to_owned(), String::new()),
        ]);
        for (importer, module, level, expected) in [
            ("p.a.b", "c", 1, "p.a.c"),
            ("p.a.b", "c", 2, "p.c"),
            ("p.a", "c", 1, "p.a.c"),
            ("p.a", "", 2, "p"),
            ("p.a.b", "os.path", 0, "os.path"),
            ("p", "x", 9, "x"),
        ] {
            assert_eq!(modules.absolute(importer, module, level), expected, "{importer} {level} {module}");
        }
    }
}
