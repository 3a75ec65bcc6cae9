//! Which files take part: arguments become projects, a project becomes a sorted list of files worth reading.
//!
//! A partial list of files (a pre-commit hook, an editor) must lead to the findings of a whole run, restricted to those
//! files. So every argument is first traced to the project around it, and the whole project is read.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use ignore::{ParallelVisitor, ParallelVisitorBuilder, WalkBuilder, WalkState};

use super::needles;
use super::settings::Settings;
use crate::diagnostic::Problem;
use crate::source::LONGEST;
use crate::syntax::Format;

/// Without anything that marks a project, this many folders below a file's own may belong to it: enough for
/// `configs/model/dpo.yaml`, not enough to read a whole home folder.
const UNMARKED_DEPTH: usize = 3;

/// Data files beyond this size are data, not arguments. The longest argument file seen in the wild has 60 KB.
const CONFIG_LIMIT: u64 = 1 << 20;

/// A tree with more entries is walked again by several threads. They sleep for a millisecond whenever they wait for each
/// other, which is longer than all that a small project takes.
const FEW: usize = 256;

/// What makes a folder a project.
const MARKERS: &[&str] = &[".git", "pyproject.toml", "dpo-lint.toml", "setup.py"];

/// What makes a folder a project when the user names that very folder.
const WEAK_MARKERS: &[&str] = &["setup.cfg", "requirements.txt", "uv.lock", "environment.yml", "environment.yaml"];

/// One project and what the user wants to hear about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its top folder, absolute.
    pub root: PathBuf,
    /// The arguments that led to it, absolute and sorted: folders and files.
    pub given: Vec<PathBuf>,
    /// How many folders deep it is read.
    depth: Option<usize>,
}

/// What of the command line decides which files are read.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Excludes hold for files that are named, too.
    pub force_exclude: bool,
    /// Files that git ignores are left out.
    pub respect_gitignore: bool,
}

/// The files of one project.
#[derive(Debug, Default)]
pub struct Files {
    /// Files worth reading, absolute and sorted.
    pub relevant: Vec<PathBuf>,
    /// Those of them that hold a comment for this tool.
    pub commented: BTreeSet<PathBuf>,
    /// How many files of a known format the arguments cover, relevant or not.
    pub looked_at: usize,
    /// Arguments, as given, that are left out because they are excluded.
    pub excluded: Vec<PathBuf>,
    /// Folders and files that cannot be read.
    pub problems: Vec<Problem>,
}

/// Makes ready what reading any tree asks for.
pub fn prepare() {
    needles::prepare();
}

/// Traces arguments to projects. `folder` is the working directory, absolute; without arguments it is the argument.
pub fn projects(folder: &Path, arguments: &[PathBuf]) -> (Vec<Project>, Vec<Problem>) {
    let here = [PathBuf::from(".")];
    let arguments = if arguments.is_empty() { &here } else { arguments };
    let mut problems = Vec::new();
    let mut by_root: BTreeMap<PathBuf, (Vec<PathBuf>, Option<usize>)> = BTreeMap::new();
    for argument in arguments {
        let path = absolute(folder, argument);
        match std::fs::metadata(&path) {
            Ok(metadata) => {
                let (root, depth) = root_of(&path, metadata.is_dir());
                let project = by_root.entry(root).or_insert_with(|| (Vec::new(), depth));
                project.0.push(path);
            }
            Err(error) => {
                let message = format!("cannot read {}: {}", argument.display(), lower_first(&error));
                problems.push(Problem { message, span: None });
            }
        }
    }
    // Roots come sorted, so an enclosing root precedes what it encloses.
    let mut projects: Vec<Project> = Vec::new();
    for (root, (given, depth)) in by_root {
        match projects.iter_mut().find(|outer| outer.depth.is_none() && root.starts_with(&outer.root)) {
            Some(outer) => outer.given.extend(given),
            None => projects.push(Project { root, given, depth }),
        }
    }
    for project in &mut projects {
        project.given.sort_unstable();
        project.given.dedup();
    }
    (projects, problems)
}

/// The project of a text that is not on disk.
pub fn project_of_stdin(folder: &Path, name: &Path) -> Project {
    let path = absolute(folder, name);
    let (root, depth) = root_of(&path, false);
    Project { root, given: vec![path], depth }
}

impl Project {
    /// Whether the user asked about this file (absolute path).
    pub fn is_given(&self, path: &Path) -> bool {
        self.given.iter().any(|given| path.starts_with(given))
    }

    /// The folder from which the configuration is looked for: the innermost one that holds every argument.
    pub fn config_folder(&self) -> &Path {
        let folders = self.given.iter().map(|path| if path.is_dir() { path } else { path.parent().unwrap_or(path) });
        let common =
            folders.reduce(|left, right| left.ancestors().find(|ancestor| right.starts_with(ancestor)).unwrap_or(left));
        common.unwrap_or(&self.root)
    }

    /// Finds the files. `seen` counts them, for a progress line.
    pub fn files(&self, settings: &Settings, options: Options, seen: &AtomicUsize) -> Files {
        let mut found = walk(&self.root, self.depth, settings, options, seen);
        let is_excluded = |given: &&PathBuf| options.force_exclude && settings.excludes_with_parents(given);
        let (excluded, given): (Vec<_>, Vec<_>) = self.given.iter().partition(is_excluded);
        let (folders, files): (Vec<_>, Vec<_>) = given.into_iter().partition(|given| given.is_dir());
        for folder in folders {
            // An ignored or excluded folder that the user names is read all the same.
            if !found.known.iter().any(|path| path.starts_with(folder)) {
                found.append(walk(folder, None, settings, options, seen));
            }
        }
        let files = unseen(files, &found.known);
        for file in files.into_iter().filter(|file| Format::of(file).is_some()) {
            found.known.push(file.clone());
            found.relevant.push(file.clone());
            found.commented.insert(file);
        }
        found.relevant.sort_unstable();
        found.relevant.dedup();
        found.problems.sort_unstable();
        let excluded: Vec<PathBuf> = excluded.into_iter().cloned().collect();
        let is_excluded = |path: &Path| excluded.iter().any(|excluded| path.starts_with(excluded));
        let looked_at = found.known.iter().filter(|path| self.is_given(path) && !is_excluded(path)).count();
        Files { relevant: found.relevant, commented: found.commented, looked_at, excluded, problems: found.problems }
    }
}

/// What tells one state of a project's files from another: when each was written, and how long it is.
pub type Stamps = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Project {
    /// The present state of every file of a known format, and of these others.
    pub fn stamps(&self, settings: &Settings, options: Options, others: &[PathBuf]) -> Stamps {
        let folders = self.given.iter().filter(|given| given.is_dir() && !given.starts_with(&self.root));
        let trees = std::iter::once((&self.root, self.depth)).chain(folders.map(|folder| (folder, None)));
        let walked = trees.flat_map(|(top, depth)| tree(top, depth, settings, options, &Endless::default()).build());
        // What cannot be read now is looked at again the next time.
        let walked = walked.filter_map(|entry| Some(entry.ok()?.into_path())).filter(|path| Format::of(path).is_some());
        let named = self.given.iter().chain(others).filter(|path| path.is_file()).cloned();
        let stamp = |path: PathBuf| {
            let metadata = std::fs::metadata(&path).ok()?;
            metadata.is_file().then(|| (path, (metadata.modified().ok(), metadata.len())))
        };
        walked.chain(named).filter_map(stamp).collect()
    }
}

/// Those of the files that are not among the known ones.
fn unseen(mut files: Vec<&PathBuf>, known: &[PathBuf]) -> Vec<PathBuf> {
    if !files.is_empty() {
        // A pre-commit hook names a thousand of them.
        let known: HashSet<&OsStr> = known.iter().map(|path| path.as_os_str()).collect();
        files.retain(|file| !known.contains(file.as_os_str()));
    }
    files.into_iter().cloned().collect()
}

/// Reads one tree.
fn walk(top: &Path, depth: Option<usize>, settings: &Settings, options: Options, seen: &AtomicUsize) -> Found {
    let endless = Endless::default();
    if options.respect_gitignore && top.ancestors().skip(1).any(|folder| is_endless(folder, &endless)) {
        return Found { problems: endless.problems(), ..Found::default() };
    }
    let walk = tree(top, depth, settings, options, &endless);
    let found = Mutex::new(Found::default());
    let mut builder = Builder { found: &found, seen };
    let few: Vec<_> = walk.build().take(FEW + 1).collect();
    if few.len() <= FEW && few.iter().all(Result::is_ok) {
        let mut visitor = builder.build();
        for entry in few {
            _ = visitor.visit(entry);
        }
    } else {
        walk.build_parallel().visit(&mut builder);
    }
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.problems.append(&mut endless.problems());
    found
}

/// Files that say what git ignores and that nobody can read to the end: a link to a device, a pipe.
#[derive(Debug, Clone, Default)]
struct Endless(Arc<Mutex<Vec<PathBuf>>>);

impl Endless {
    fn problems(&self) -> Vec<Problem> {
        let paths = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let message = |path: PathBuf| format!("cannot read {}: not a regular file", path.display());
        paths.into_iter().map(|path| Problem { message: message(path), span: None }).collect()
    }
}

/// Whether a folder cannot be walked, since what it ignores cannot be read.
fn is_endless(folder: &Path, endless: &Endless) -> bool {
    let is_odd = |path: &PathBuf| path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    let odd = [".gitignore", ".ignore"].into_iter().map(|name| folder.join(name)).find(is_odd);
    let is_found = odd.is_some();
    endless.0.lock().unwrap_or_else(PoisonError::into_inner).extend(odd);
    is_found
}

/// What of a tree is looked at. Folders that cannot be walked are left out and noted.
fn tree(top: &Path, depth: Option<usize>, settings: &Settings, options: Options, endless: &Endless) -> WalkBuilder {
    let keep = {
        let (settings, top, endless) = (settings.clone(), top.to_path_buf(), endless.clone());
        move |entry: &ignore::DirEntry| {
            let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
            (entry.path() == top || !settings.excludes(entry.path(), is_dir))
                && !(is_dir && options.respect_gitignore && is_endless(entry.path(), &endless))
        }
    };
    let mut walk = WalkBuilder::new(top);
    // Hidden folders matter: `.github`, `.ci`. `.git` and its like are excluded by name.
    walk.standard_filters(options.respect_gitignore).hidden(false).max_depth(depth).filter_entry(keep);
    walk
}

/// What one walk sees.
#[derive(Debug, Default)]
struct Found {
    /// Every file of a known format, in no order: there may be very many.
    known: Vec<PathBuf>,
    relevant: Vec<PathBuf>,
    commented: BTreeSet<PathBuf>,
    problems: Vec<Problem>,
}

impl Found {
    fn append(&mut self, mut other: Self) {
        self.known.append(&mut other.known);
        self.relevant.append(&mut other.relevant);
        self.commented.append(&mut other.commented);
        self.problems.append(&mut other.problems);
    }
}

#[derive(Clone, Copy)]
struct Builder<'a> {
    found: &'a Mutex<Found>,
    seen: &'a AtomicUsize,
}

/// One thread's share; joined when the thread ends, so that no file waits for a lock.
struct Visitor<'a> {
    own: Found,
    buffer: Vec<u8>,
    shared: Builder<'a>,
}

impl<'a> ParallelVisitorBuilder<'a> for Builder<'a> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 'a> {
        Box::new(Visitor { own: Found::default(), buffer: Vec::new(), shared: *self })
    }
}

impl ParallelVisitor for Visitor<'_> {
    fn visit(&mut self, entry: Result<ignore::DirEntry, ignore::Error>) -> WalkState {
        match entry {
            Ok(entry) if is_file(&entry) => self.file(entry.into_path()),
            Ok(_) => {}
            Err(error) => self.own.problems.push(Problem { message: error.to_string(), span: None }),
        }
        WalkState::Continue
    }
}

/// Whether an entry is a file or a link to one. Links that go in circles or nowhere, and links to pipes, are nothing to read.
fn is_file(entry: &ignore::DirEntry) -> bool {
    match entry.file_type() {
        Some(kind) if kind.is_symlink() => match entry.path().metadata() {
            Ok(metadata) => metadata.is_file(),
            Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
        },
        kind => kind.is_some_and(|kind| kind.is_file()),
    }
}

impl Drop for Visitor<'_> {
    fn drop(&mut self) {
        let mut found = self.shared.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.append(std::mem::take(&mut self.own));
    }
}

impl Visitor<'_> {
    fn file(&mut self, path: PathBuf) {
        let Some(format) = Format::of(&path) else { return };
        self.shared.seen.fetch_add(1, Ordering::Relaxed);
        match self.is_relevant(&path, format) {
            Ok(None) => return,
            Ok(Some(false)) => {}
            Ok(Some(true)) => {
                self.own.relevant.push(path.clone());
                if needles::mentions_us(&self.buffer) {
                    self.own.commented.insert(path.clone());
                }
            }
            Err(error) => {
                let message = format!("cannot read {}: {}", path.display(), lower_first(&error));
                self.own.problems.push(Problem { message, span: None });
            }
        }
        self.own.known.push(path);
    }

    /// Whether the file is worth parsing; `None` when it is no file at all (a link to a folder, a broken link).
    fn is_relevant(&mut self, path: &Path, format: Format) -> std::io::Result<Option<bool>> {
        self.buffer.clear();
        let file = match std::fs::File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        if metadata.len() > LONGEST {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        // Lock files are long, and TOML holds no data sets.
        let is_lock = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains("lock"));
        if matches!(format, Format::Yaml | Format::Json | Format::Jsonc) && !is_lock && metadata.len() > CONFIG_LIMIT {
            return Ok(Some(false));
        }
        // The length is known: without it, each file costs three more calls of the system.
        self.buffer.reserve(metadata.len() as usize + 1);
        file.take(metadata.len()).read_to_end(&mut self.buffer)?;
        // The first two may name nothing themselves and read a file that does; the list of the data sets is short, and names of
        // the project are all that it holds.
        let is_named = |name: &str| path.file_name().is_some_and(|own| own == name);
        if format == Format::Requirements || is_named("setup.py") || is_named("dataset_info.json") {
            return Ok(Some(true));
        }
        let is_script = matches!(format, Format::Python | Format::Notebook);
        let found = if is_script { needles::in_script(&self.buffer) } else { needles::in_config(&self.buffer) };
        Ok(Some(found))
    }
}

/// The top folder of the project around an argument, and how deep it may be read.
fn root_of(path: &Path, is_dir: bool) -> (PathBuf, Option<usize>) {
    let start = if is_dir { path } else { path.parent().unwrap_or(path) };
    let has = |folder: &Path, markers: &[&str]| markers.iter().any(|marker| folder.join(marker).exists());
    if is_dir && has(path, WEAK_MARKERS) {
        return (path.to_path_buf(), None);
    }
    match start.ancestors().find(|folder| has(folder, MARKERS)) {
        Some(root) => (root.to_path_buf(), None),
        None if is_dir => (path.to_path_buf(), None),
        None => (start.to_path_buf(), Some(UNMARKED_DEPTH)),
    }
}

/// The top of the repository around a folder (absolute): services write paths from there. Outside of one the folder itself.
pub fn repository_root(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(folder)
}

/// An absolute path without `.` and `..`. Links are kept: a path is shown as the user wrote it.
pub fn absolute(folder: &Path, path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in folder.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => _ = clean.pop(),
            other => clean.push(other),
        }
    }
    clean
}

/// A path as the layers below see it: relative to the working directory, unless the project reaches beyond that: its paths
/// must have parents.
pub fn shown(folder: &Path, project: &Project, path: &Path) -> PathBuf {
    let relative = path.strip_prefix(folder).ok().filter(|_| project.root.starts_with(folder));
    relative.unwrap_or(path).to_path_buf()
}

/// System errors begin with a capital and end with a code in brackets; neither fits into a sentence.
fn lower_first(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
