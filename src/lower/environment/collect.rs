//! Reads declaring files and joins those that include each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pep440_rs::VersionSpecifiers;

use super::govern::{Joined, Reach};
use super::kind::{Kind, Standing, Tier, governed_folder, is_script_lock};
use super::statement::{Include, Requirement, Statements, specifiers_of};
use super::{
    Environments, commands, conda, inline, installed, lock, pixi, pyproject, requirements, setup_cfg, setup_py,
};
use crate::diagnostic::Problem;
use crate::lower::Request;
use crate::model::{Declaration, Evidence, Origin};
use crate::source::{FileId, SourceFile, Span};
use crate::syntax::notebook::is_exported;
use crate::syntax::requirements::parse_requirement;
use crate::syntax::{self, Format};

/// See [`Environments::collect`].
pub(super) fn collect<'a>(request: &Request<'a>) -> Environments<'a> {
    let mut collector = Collector::new(request);
    let mut joined = Vec::new();
    for path in request.files {
        if let Some(kind) = Kind::of(path) {
            let kind = collector.look_inside(path, kind);
            joined.extend(collector.join(path, kind));
        }
    }
    joined.extend(collector.interpreters());
    let mut given = collector.targets();
    if let Some(python) = request.python {
        given.extend(installed::read(request.file_system, python, &mut collector.problems));
    }
    let own = collector.own();
    let checkouts = super::checkout::checkouts(request);
    let Collector { repositories, problems, missing, .. } = collector;
    let choice = request.choice.clone();
    Environments {
        knowledge: request.knowledge,
        joined,
        repositories,
        own,
        checkouts,
        given,
        choice,
        problems,
        missing,
    }
}

struct Collector<'r, 'a> {
    request: &'r Request<'a>,
    /// Every file is read once, however often it is included.
    said: BTreeMap<PathBuf, Statements>,
    repositories: BTreeSet<PathBuf>,
    /// The folder that holds every file of the request.
    top: PathBuf,
    problems: Vec<Problem>,
    /// See [`Environments::problems_for`].
    missing: Vec<(PathBuf, Problem)>,
}

impl<'r, 'a> Collector<'r, 'a> {
    fn new(request: &'r Request<'a>) -> Self {
        let folders: BTreeSet<&Path> = request.files.iter().flat_map(|file| file.ancestors().skip(1)).collect();
        let has_git = |folder: &&Path| {
            let git = folder.join(".git");
            request.file_system.is_dir(&git) || request.file_system.is_file(&git)
        };
        let repositories = folders.into_iter().filter(has_git).map(Path::to_path_buf).collect();
        let top = common_folder(request.files);
        Self { request, said: BTreeMap::new(), repositories, top, problems: Vec::new(), missing: Vec::new() }
    }

    /// The kind of a file where its name does not tell: a header beats what a cell of the notebook installed.
    fn look_inside(&self, path: &Path, kind: Kind) -> Kind {
        if kind != Kind::Script {
            return kind;
        }
        match self.request.sources.read(self.request.file_system, path) {
            Ok(source) if is_exported(&source) && inline::read(&source).is_none() => Kind::Exported,
            _ => kind,
        }
    }

    /// What a file of the project says together with those it includes; `None` when that is nothing.
    fn join(&mut self, path: &Path, kind: Kind) -> Option<Joined> {
        let said = self.read(path, kind);
        let mut joined = Joined {
            tier: kind.tier(path),
            standing: kind.standing(path),
            is_sequence: kind.is_sequence(),
            reach: self.reach(path, kind, &said),
            declarations: Vec::new(),
            python: said.python.clone(),
            python_places: said.python_places.clone(),
        };
        let mut visited = BTreeSet::from([path.to_path_buf()]);
        self.gather(path, &said, None, &mut visited, &mut joined.declarations);
        (!joined.declarations.is_empty() || joined.python.is_some() || said.is_header).then_some(joined)
    }

    fn gather(
        &mut self,
        path: &Path,
        said: &Statements,
        condition: Option<&str>,
        visited: &mut BTreeSet<PathBuf>,
        declarations: &mut Vec<Declaration>,
    ) {
        declarations.extend(said.declarations.iter().map(|one| under(one, condition)));
        for include in &said.includes {
            let Some(target) = self.find(path, include) else { continue };
            if !visited.insert(target.clone()) {
                continue;
            }
            let included = self.read(&target, Kind::Requirements);
            let condition = include.condition.as_deref().or(condition).map(str::to_owned);
            self.gather(&target, &included, condition.as_deref(), visited, declarations);
        }
    }

    /// The file that an include means: next to the including file, or for a command anywhere above it.
    fn find(&mut self, from: &Path, include: &Include) -> Option<PathBuf> {
        let disk = self.request.file_system;
        let folder = from.parent().unwrap_or(Path::new(""));
        let exists = |path: &PathBuf| disk.is_file(path);
        let beside = normal(&folder.join(&include.path));
        if exists(&beside) {
            return Some(beside);
        }
        if !include.required {
            // A Dockerfile copies the file under some name into some folder; the project has one like it above.
            let above = folder.ancestors().skip(1).take_while(|one| one.starts_with(&self.top));
            return above.map(|one| normal(&one.join(&include.path))).find(exists);
        }
        // What is computed or fetched cannot be looked up.
        if !include.path.contains("://") && !include.path.contains('$') {
            let (file, line) = self.line_of(from, include);
            let message = format!("{file}:{line}: cannot read {}: no such file", beside.display());
            let problem = Problem { message, span: Some(include.span) };
            self.missing.push((governed_folder(from, |folder| self.is_top(folder)), problem));
        }
        None
    }

    fn line_of(&self, from: &Path, include: &Include) -> (String, usize) {
        let file = self.request.sources.get(include.span.file);
        (from.display().to_string(), file.position(include.span.start).line)
    }

    fn read(&mut self, path: &Path, kind: Kind) -> Statements {
        if let Some(said) = self.said.get(path) {
            return said.clone();
        }
        let said = match self.request.sources.read(self.request.file_system, path) {
            Ok(source) => read(&source, kind),
            Err(error) => {
                self.problems.push(Problem { message: error.to_string(), span: None });
                Statements::default()
            }
        };
        self.problems.extend(said.problems.iter().cloned());
        self.said.insert(path.to_path_buf(), said.clone());
        said
    }

    fn reach(&self, path: &Path, kind: Kind, said: &Statements) -> Reach {
        if is_script_lock(path) {
            return Reach { folders: Vec::new(), scripts: vec![path.with_extension("")] };
        }
        let folder = governed_folder(path, |folder| self.is_top(folder));
        let members = said.members.iter().map(|member| normal(&folder.join(member)));
        // A script or a notebook speaks for itself alone, and for what it starts.
        let is_alone = matches!(kind, Kind::Script | Kind::Notebook | Kind::Exported);
        let folders = if is_alone { Vec::new() } else { members.chain([folder.clone()]).collect() };
        // `trl dpo ...` has no other script than the file it stands in.
        let is_own = is_alone || matches!(kind, Kind::Shell | Kind::Makefile);
        let launched = said.launched.iter().filter_map(|script| self.script(&folder, script));
        let scripts = launched.chain(is_own.then(|| path.to_path_buf())).collect();
        Reach { folders, scripts }
    }

    fn is_top(&self, folder: &Path) -> bool {
        folder == self.top || self.repositories.contains(folder)
    }

    /// The script that a launch line names, relative to its file or to a folder above.
    fn script(&self, folder: &Path, written: &str) -> Option<PathBuf> {
        let candidates = folder.ancestors().map(|folder| normal(&folder.join(written)));
        candidates.into_iter().find(|path| self.request.files.binary_search(path).is_ok())
    }

    /// What `.python-version` files beside declaring files say: which Python is installed for the project.
    fn interpreters(&self) -> Vec<Joined> {
        let declaring = self.request.files.iter().filter(|path| Kind::of(path).is_some_and(Kind::is_list));
        let folders: BTreeSet<&Path> = declaring.filter_map(|path| path.parent()).collect();
        let read = |folder: &Path| {
            let path = folder.join(".python-version");
            let disk = self.request.file_system;
            let source = disk.is_file(&path).then(|| self.request.sources.read(disk, &path).ok()).flatten()?;
            let (python, place) = interpreter(&source)?;
            Some(Joined {
                tier: Tier::Project,
                standing: Standing::Canonical,
                is_sequence: false,
                reach: Reach { folders: vec![folder.to_path_buf()], scripts: Vec::new() },
                declarations: Vec::new(),
                python: Some(python),
                python_places: vec![place],
            })
        };
        folders.into_iter().filter_map(read).collect()
    }

    /// Packages whose source the project is, with the folder that holds it: `trl/trl/__init__.py` next to `trl/setup.py`.
    fn own(&self) -> Vec<(String, PathBuf)> {
        let disk = self.request.file_system;
        let tops: BTreeSet<&PathBuf> = self.repositories.iter().chain([&self.top]).collect();
        let holds = |top: &Path, package: &str| {
            let is_package = |folder: PathBuf| disk.is_file(&folder.join(package).join("__init__.py"));
            let is_built = ["setup.py", "pyproject.toml"].iter().any(|name| disk.is_file(&top.join(name)));
            is_built && (is_package(top.to_path_buf()) || is_package(top.join("src")))
        };
        let packages = self.request.knowledge.packages().map(crate::knowledge::Package::name);
        let all = packages.flat_map(|package| tops.iter().map(move |top| (package, top)));
        all.filter(|(package, top)| holds(top, package))
            .map(|(package, top)| (package.to_owned(), (*top).clone()))
            .collect()
    }

    /// What `--target` asks for.
    fn targets(&mut self) -> Vec<Declaration> {
        let mut targets = Vec::new();
        // The places in a requirement of the command line are never looked at.
        let nowhere = Span::new(FileId(0), 0, 0);
        for written in self.request.targets {
            let declared = parse_requirement(written, nowhere).map(|read| Requirement::of(&read));
            match declared {
                Ok(Requirement { package, specifiers, condition, direct, extras }) => targets.push(Declaration {
                    package,
                    specifiers,
                    evidence: Evidence::Target,
                    origin: Origin::CommandLine(written.clone()),
                    condition,
                    direct,
                    extras,
                }),
                Err(error) => self
                    .problems
                    .push(Problem { message: format!("--target {written}: {}", error.message), span: None }),
            }
        }
        targets
    }
}

/// `3.10` or `3.10.4` on the first line; a name (`pypy3.9`, `miniconda3`) says nothing.
fn interpreter(source: &SourceFile) -> Option<(VersionSpecifiers, Span)> {
    let line = source.text().lines().next()?.trim();
    let is_number = line.contains('.') && line.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    let open = if line.matches('.').count() > 1 { "" } else { ".*" };
    let python = specifiers_of(&format!("=={line}{open}")).ok().filter(|_| is_number)?;
    Some((python, source.span(0..line.len())))
}

fn read(source: &SourceFile, kind: Kind) -> Statements {
    match kind {
        Kind::Requirements | Kind::Constraints => requirements::read(source),
        Kind::Pyproject => pyproject::read(source, &syntax::parse(Format::Toml, source)),
        Kind::SetupCfg => setup_cfg::read(source, &syntax::parse(Format::Ini, source)),
        Kind::Conda => conda::read(source, &syntax::parse(Format::Yaml, source)),
        Kind::UvLock => lock::read_uv(source, &syntax::parse(Format::Toml, source)),
        Kind::Lock => lock::read(source, &syntax::parse(Format::Toml, source)),
        Kind::Pipfile => lock::read_pipfile(source, &syntax::parse(Format::Toml, source)),
        Kind::PipfileLock => lock::read_pipfile_lock(source, &syntax::parse(Format::Json, source)),
        Kind::Pixi => pixi::read(source, &syntax::parse(Format::Toml, source)),
        Kind::PixiLock => pixi::read_lock(source, &syntax::parse(Format::Yaml, source)),
        Kind::Script => inline::read(source).unwrap_or_default(),
        Kind::SetupPy => setup_py::read(source),
        Kind::Dockerfile => commands::read(source, &syntax::parse(Format::Dockerfile, source)),
        Kind::Shell => commands::read(source, &syntax::parse(Format::Shell, source)),
        Kind::Makefile => commands::read(source, &syntax::parse(Format::Makefile, source)),
        Kind::Notebook => commands::read_notebook(source),
        Kind::Exported => commands::read_exported(source),
    }
}

fn under(declaration: &Declaration, condition: Option<&str>) -> Declaration {
    let Some(condition) = condition else { return declaration.clone() };
    let own = declaration.condition.as_deref().map(|own| format!("{condition}; {own}"));
    Declaration { condition: Some(own.unwrap_or_else(|| condition.to_owned())), ..declaration.clone() }
}

/// The path without `.` and `..`, as far as that is possible without asking the disk.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => _ = out.pop(),
            other => out.push(other),
        }
    }
    out
}

fn common_folder(files: &[PathBuf]) -> PathBuf {
    let mut folders = files.iter().map(|file| file.parent().unwrap_or(Path::new("")).to_path_buf());
    let first = folders.next().unwrap_or_default();
    folders.fold(first, |common, folder| {
        common.ancestors().find(|ancestor| folder.starts_with(ancestor)).unwrap_or(Path::new("")).to_path_buf()
    })
}
