//! One project, ready to be checked: its settings, its files, and what is known of it already.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use super::baseline::{Baseline, Scope};
use super::collect::{Options, Project, shown};
use super::driver::{self, Job, Report};
use super::settings::Settings;
use crate::diagnostic::Problem;
use crate::knowledge::Knowledge;
use crate::source::{FileSystem, Sources, stands_below};

/// A project and what decides how it is checked.
pub struct Planned {
    /// What the user decided.
    pub settings: Settings,
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// What is known of it already: left out by [`Self::check`].
    pub baseline: Option<Baseline>,
    /// What the user asked about.
    pub project: Project,
    /// Paths as they are shown, sorted.
    files: Vec<PathBuf>,
    commented: Vec<PathBuf>,
    /// Arguments that are left out because they are excluded; absolute.
    pub excluded: Vec<PathBuf>,
    /// How many files of a known format the arguments cover.
    pub looked_at: usize,
}

/// What a project is checked with.
#[derive(Clone, Copy)]
pub struct With<'a> {
    /// What relative paths are relative to; absolute.
    pub folder: &'a Path,
    /// The disk.
    pub file_system: &'a dyn FileSystem,
    /// Where read files are kept.
    pub sources: &'a Sources,
    /// What is known of the libraries.
    pub knowledge: &'a Knowledge,
    /// Whether nobody waits for the report any more.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

impl Planned {
    /// Finds the files of a project, and what cannot be read.
    pub fn new(
        project: Project,
        settings: Settings,
        config: Option<PathBuf>,
        folder: &Path,
        options: Options,
        seen: &AtomicUsize,
    ) -> (Self, Vec<Problem>) {
        let found = project.files(&settings, options, seen);
        let shown = |path: &PathBuf| shown(folder, &project, path);
        let planned = Self {
            files: found.relevant.iter().map(shown).collect(),
            commented: found.commented.iter().map(shown).collect(),
            excluded: found.excluded,
            looked_at: found.looked_at,
            project,
            settings,
            config,
            baseline: None,
        };
        (planned, found.problems)
    }

    /// The top folder.
    pub fn root(&self) -> &Path {
        &self.project.root
    }

    /// How many files are worth reading.
    pub fn relevant(&self) -> usize {
        self.files.len()
    }

    /// Takes a text (absolute path) for worth reading that is not what the disk has: it decides itself. Returns the path as it is
    /// shown.
    pub fn add(&mut self, path: &Path, folder: &Path) -> PathBuf {
        let path = shown(folder, &self.project, path);
        for list in [&mut self.files, &mut self.commented] {
            if let Err(at) = list.binary_search(&path) {
                list.insert(at, path.clone());
            }
        }
        path
    }

    /// A file of the project (as it is shown) holds comments now that held none when the tree was read.
    pub fn has_comments_in(&mut self, path: &Path) {
        if self.files.iter().any(|file| file == path)
            && let Err(at) = self.commented.binary_search_by(|file| file.as_path().cmp(path))
        {
            self.commented.insert(at, path.to_path_buf());
        }
    }

    /// Whether a file stands in the project, where alone anything is changed; `folder` is what relative paths are relative to.
    pub fn is_own(&self, path: &Path, folder: &Path) -> bool {
        stands_below(&self.project.root, &folder.join(path))
    }

    /// What a run can say about a baseline.
    pub fn scope<'a>(&'a self, folder: &'a Path, sources: &'a Sources) -> Scope<'a> {
        Scope { sources, folder, settings: &self.settings, project: &self.project }
    }

    /// Checks the project; nothing is left out.
    pub fn check_all(&self, with: With<'_>) -> Report {
        let report = self.with_job(with, driver::check);
        Report { looked_at: self.looked_at, ..report }
    }

    /// Does something with the project.
    pub fn with_job<T>(&self, with: With<'_>, work: impl FnOnce(&Job<'_>) -> T) -> T {
        let is_excluded = |path: &Path| self.excluded.iter().any(|excluded| path.starts_with(excluded));
        let is_given = |path: &Path| self.project.is_given(path) && !is_excluded(path);
        work(&Job {
            file_system: with.file_system,
            sources: with.sources,
            knowledge: with.knowledge,
            settings: &self.settings,
            files: &self.files,
            commented: &self.commented,
            folder: with.folder,
            is_given: &is_given,
            is_own: &|path| self.is_own(path, with.folder),
            is_stopped: with.is_stopped,
        })
    }
}
