//! Wheels and installed copies: metadata and parsed modules.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::MineError;
use super::scope::Tree;
use super::surface::Surface;
use crate::knowledge::Release;
use crate::source::{FileId, Sources};
use crate::syntax::python::PythonModule;

/// One release, read.
pub(super) struct Wheel {
    /// Its metadata; day and withdrawal are not in a wheel.
    pub release: Release,
    /// A mark of its files: the same in a wheel and in an installed copy of it, another one where a file differs.
    pub mark: String,
    /// Its modules.
    pub modules: Modules,
}

/// The parsed modules of one release, by dotted name.
#[derive(Default)]
pub(super) struct Modules {
    by_name: BTreeMap<String, Module>,
    by_file: BTreeMap<FileId, String>,
    outlined: Vec<Outline>,
    /// See [`Tree::follows_partials`].
    follows_partials: bool,
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
}

impl Tree for Modules {
    fn absolute(&self, importer: &str, module: &str, level: u32) -> String {
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

    fn has(&self, module: &str) -> bool {
        self.by_name.contains_key(module)
    }

    fn follows_partials(&self) -> bool {
        self.follows_partials
    }

    fn names_below(&self, parent: &str) -> Vec<&str> {
        let is_below = |module: &str| module.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.'));
        let modules = self.outlined.iter().filter(|outline| is_below(&outline.module));
        modules.flat_map(|outline| outline.names.iter().map(String::as_str)).collect()
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
    because: Option<String>,
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
            release.because.clone_from(&entry.because);
            if release.requires_python.is_none() {
                release.requires_python.clone_from(&entry.requires_python);
            }
        }
        release
    }
}

/// Reads a wheel, or the copy of `package` installed in a `site-packages` folder.
pub(super) fn read(package: &str, surface: &Surface, path: &Path) -> Result<Wheel, MineError> {
    let import_name = surface.import_name(package);
    let failed = |source| MineError::Read { path: path.to_path_buf(), source };
    let files = if path.is_dir() { installed(package, &import_name, path) } else { archived(&import_name, path) }
        .map_err(failed)?;
    let content = |what: &str| MineError::Content { path: path.to_path_buf(), what: what.to_owned() };
    let release = metadata(&files.metadata).ok_or_else(|| content("no version in its metadata"))?;
    if files.modules.is_empty() {
        return Err(content(&format!("holds no package `{import_name}`")));
    }
    let mark = mark(&import_name, &files);
    let (outlined, whole): (Vec<_>, Vec<_>) =
        files.modules.into_iter().partition(|(path, _)| surface.outlines(&dotted(path)));
    let mut modules = Modules::parse(whole);
    modules.follows_partials = surface.is_bare();
    modules.outlined =
        outlined.iter().map(|(path, text)| Outline { module: dotted(path), names: public_names(path, text) }).collect();
    Ok(Wheel { release, mark, modules })
}

/// The name and version of the distribution in a wheel.
pub(super) fn distribution(path: &Path) -> Result<(String, String), MineError> {
    let failed = |source| MineError::Read { path: path.to_path_buf(), source };
    let files = archived("", path).map_err(failed)?;
    let header = |name: &str| {
        let mut lines = files.metadata.lines().take_while(|line| !line.is_empty());
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(|value| value.trim().to_owned())
    };
    let both = header("Name").zip(header("Version"));
    both.ok_or_else(|| MineError::Content {
        path: path.to_path_buf(),
        what: "no name and version in its metadata".to_owned(),
    })
}

/// The mark of the copy of `package` that is installed in a folder; see [`Wheel::mark`].
pub(super) fn installed_mark(package: &str, folder: &Path) -> Result<String, MineError> {
    let import_name = Surface::of(package).import_name(package);
    let failed = |source| MineError::Read { path: folder.to_path_buf(), source };
    let metadata = metadata_folder(package, folder).map_err(failed)?;
    let record = metadata.and_then(|metadata| std::fs::read_to_string(metadata.join("RECORD")).ok());
    let recorded = record.and_then(|record| recorded_mark(&import_name, &record));
    let read = || installed(package, &import_name, folder).map(|files| mark(&import_name, &files)).map_err(failed);
    recorded.map_or_else(read, Ok)
}

fn mark(import_name: &str, files: &Files) -> String {
    recorded_mark(import_name, &files.record).unwrap_or_else(|| {
        let texts = files.modules.iter().flat_map(|(name, text)| [name.as_str(), text.as_str()]);
        check_sum("files", texts)
    })
}

/// By the check sums that an installer writes down; `None` where it lists no module, as for an editable install.
fn recorded_mark(import_name: &str, record: &str) -> Option<String> {
    let is_own = |line: &&str| line.split(',').next().is_some_and(|path| is_module(import_name, path));
    let mut lines: Vec<&str> = record.lines().map(unpacked).filter(is_own).collect();
    lines.sort_unstable();
    (!lines.is_empty()).then(|| check_sum("record", lines))
}

fn check_sum<'a>(kind: &str, texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut sum = flate2::Crc::new();
    for text in texts {
        sum.update(text.as_bytes());
        sum.update(b"\n");
    }
    format!("{kind}-{:08x}-{}", sum.sum(), sum.amount())
}

/// The dotted name of a module by its path.
pub(super) fn dotted(path: &str) -> String {
    let stem = path.strip_suffix(".py").unwrap_or(path);
    stem.strip_suffix("/__init__").unwrap_or(stem).replace('/', ".")
}

/// What transformers' `define_import_structure` finds in a module: the names in a literal `__all__`.
pub(super) fn public_names(path: &str, text: &str) -> Vec<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_skipped = name == "__init__.py" || name.starts_with("convert_") || name.starts_with("modular_");
    let list = text.split_once("\n__all__ = [").and_then(|(_, rest)| rest.split_once(']')).map(|(list, _)| list);
    let Some(list) = list.filter(|_| !is_skipped) else { return Vec::new() };
    list.split(['"', '\'']).skip(1).step_by(2).map(str::to_owned).collect()
}

#[derive(Default)]
struct Files {
    metadata: String,
    /// Names and check sums of all files.
    record: String,
    modules: Vec<(String, String)>,
}

fn archived(import_name: &str, path: &Path) -> io::Result<Files> {
    let mut archive = zip::ZipArchive::new(io::BufReader::new(std::fs::File::open(path)?))?;
    let mut files = Files::default();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at)?;
        let name = unpacked(&entry.name()?).to_owned();
        let meta = name.rsplit_once(".dist-info/").map(|(_, name)| name);
        if !matches!(meta, Some("METADATA" | "RECORD")) && !is_module(import_name, &name) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match meta {
            Some("METADATA") => files.metadata = text,
            Some(_) => files.record = text,
            None => files.modules.push((name, text)),
        }
    }
    Ok(files)
}

fn installed(package: &str, import_name: &str, folder: &Path) -> io::Result<Files> {
    let mut files = Files::default();
    let mut root = folder.to_path_buf();
    if let Some(metadata) = metadata_folder(package, folder)? {
        let text =
            |name: &str| std::fs::read(metadata.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        files.metadata = text("METADATA").or_else(|_| text("PKG-INFO"))?;
        files.record = text("RECORD").unwrap_or_default();
        // An editable install: the code is in a folder of the user's.
        let source = text("direct_url.json").ok().and_then(|text| source_folder(import_name, &text));
        root = source.filter(|_| !folder.join(import_name).is_dir()).unwrap_or(root);
    }
    let mut folders = vec![import_name.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&inner))? {
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
    files.modules.sort_unstable();
    Ok(files)
}

/// `trl-1.16.0.dist-info` in a `site-packages` folder.
fn metadata_folder(package: &str, folder: &Path) -> io::Result<Option<PathBuf>> {
    let package = package.replace('-', "_").to_lowercase();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let distribution = name.strip_suffix(".dist-info").or_else(|| name.strip_suffix(".egg-info"));
        let distribution = distribution.and_then(|name| name.split('-').next());
        if distribution.is_some_and(|found| found.replace('.', "_") == package) && path.is_dir() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The folder that holds the package of an editable install, by its `direct_url.json`.
fn source_folder(import_name: &str, direct_url: &str) -> Option<PathBuf> {
    let direct: serde_json::Value = serde_json::from_str(direct_url).ok()?;
    let path = direct.get("url")?.as_str()?.strip_prefix("file://")?.replace("%20", " ");
    let roots = [PathBuf::from(&path), Path::new(&path).join("src")];
    roots.into_iter().find(|root| root.join(import_name).is_dir())
}

/// Where an installer puts a file: `x-1.0.data/purelib/x/a.py` becomes `x/a.py`.
fn unpacked(path: &str) -> &str {
    let inside = path.split_once(".data/").filter(|(name, _)| !name.contains('/')).map(|(_, inside)| inside);
    let library = inside.and_then(|inside| inside.strip_prefix("purelib/").or_else(|| inside.strip_prefix("platlib/")));
    library.unwrap_or(path)
}

fn is_module(import_name: &str, path: &str) -> bool {
    let is_python = Path::new(path).extension().is_some_and(|extension| extension == "py");
    is_python && path.strip_prefix(import_name).is_some_and(|rest| rest.starts_with('/'))
}

/// Extras that only the library's own developers install.
const DEVELOPER_EXTRAS: [&str; 8] =
    ["dev", "test", "tests", "testing", "docs", "quality", "benchmark", "dev-dependencies"];

pub(super) fn metadata(text: &str) -> Option<Release> {
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
    Some(Release { version: version?, date: None, requires_python, requires, yanked: false, because: None })
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
