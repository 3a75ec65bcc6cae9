//! The thread that checks: one project at a time, as it was when somebody asked. Whoever does not wait any longer says so, and the
//! check ends at the next chance.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::notebooks::Layout;
use super::readers::{self, Reader};
use crate::diagnostic::{Applicability, Problem};
use crate::engine::baseline::Baseline;
use crate::engine::collect::{Options, Project};
use crate::engine::config::{self, DiscoverError};
use crate::engine::driver::{self, Report, sole_file};
use crate::engine::planned::{Planned, With};
use crate::engine::repair::{self, Recheck};
use crate::engine::settings::{Overrides, Settings};
use crate::knowledge::Knowledge;
use crate::source::{FileSystem, OsFileSystem, Overlay, Sources};
use crate::syntax::Format;

/// Finds what is known beyond what is built in, with what is installed for an interpreter; `None` where that is nothing.
pub type Learn = Box<dyn FnMut(Option<&Path>) -> Option<Knowledge> + Send>;

/// What is to be done with a project.
pub(super) struct Task {
    pub project: Project,
    /// Whether files may have come or gone, or the configuration may be another one.
    pub is_stale: bool,
    /// The texts that are open, by absolute path.
    pub texts: Vec<(PathBuf, Arc<str>)>,
    /// The notebooks among them.
    pub notebooks: BTreeMap<PathBuf, Arc<Layout>>,
    /// What the editor says over the configuration file.
    pub overrides: Overrides,
    /// Set by whoever does not wait any more.
    pub stop: Arc<AtomicBool>,
    pub wanted: Wanted,
}

/// What is wanted of it.
pub(super) enum Wanted {
    /// What is wrong.
    Findings,
    /// A file (absolute path) with all safe fixes that concern it alone.
    Fixed(PathBuf),
}

/// What came of a task.
pub(super) enum Outcome {
    Checked(Box<Checked>),
    /// The file's text; `None`: there is nothing to fix.
    Fixed(Option<Arc<str>>),
    /// Nobody waits for it.
    Overtaken,
    /// The configuration has mistakes: nothing was checked.
    Misconfigured(DiscoverError),
    /// A mistake of ours.
    Failed(String),
}

/// A project as it was checked.
pub(super) struct Checked {
    /// The files, by path as it is shown.
    pub sources: Sources,
    pub report: Report,
    pub readers: BTreeMap<PathBuf, Reader>,
    /// The open notebooks as they were, by absolute path.
    pub notebooks: BTreeMap<PathBuf, Arc<Layout>>,
    pub known: Known,
}

/// What is known of the libraries.
#[derive(Clone)]
pub(super) enum Known {
    BuiltIn,
    Learnt(Arc<Knowledge>),
}

impl Known {
    pub fn get(&self) -> &Knowledge {
        match self {
            Self::BuiltIn => Knowledge::bundled(),
            Self::Learnt(knowledge) => knowledge,
        }
    }
}

/// Works until nobody sends tasks any more.
pub(super) fn work(tasks: &Receiver<Task>, done: &Sender<Outcome>, folder: PathBuf, learn: Learn) {
    let mut worker = Worker { folder, learn, known: None, plans: BTreeMap::new() };
    for task in tasks {
        let outcome = catch_unwind(AssertUnwindSafe(|| worker.outcome(&task))).unwrap_or_else(|_| {
            // It may have been left half made.
            worker.plans.remove(&task.project.root);
            let said = driver::take_last_panic();
            Outcome::Failed(driver::bug("the check", said.as_deref().unwrap_or("panic")))
        });
        if done.send(outcome).is_err() {
            return;
        }
    }
}

struct Worker {
    /// The working directory.
    folder: PathBuf,
    learn: Learn,
    /// What is known, and the interpreter that it was looked up for.
    known: Option<(Option<PathBuf>, Known)>,
    /// By root.
    plans: BTreeMap<PathBuf, Plan>,
}

struct Plan {
    planned: Planned,
    /// What cannot be read.
    problems: Vec<Problem>,
}

impl Worker {
    fn outcome(&mut self, task: &Task) -> Outcome {
        let root = &task.project.root;
        if task.is_stale || self.plans.get(root).is_none_or(|plan| plan.planned.project != task.project) {
            match self.plan(task) {
                Ok(plan) => _ = self.plans.insert(root.clone(), plan),
                Err(error) => {
                    self.plans.remove(root);
                    return Outcome::Misconfigured(error);
                }
            }
        }
        let Some(mut plan) = self.plans.remove(root) else { return Outcome::Overtaken };
        let overlay = Overlay::new(&OsFileSystem);
        for (path, text) in &task.texts {
            let is_read = Format::of(path).is_some() && path.starts_with(root);
            if is_read && !plan.planned.settings.excludes_with_parents(path) {
                overlay.insert(plan.planned.add(path, &self.folder), text.as_bytes());
            }
        }
        let known = self.known(plan.planned.settings.python.as_deref());
        let job = Job { plan: &plan, folder: &self.folder, known: &known, task };
        let outcome = match &task.wanted {
            Wanted::Findings => job.check(&overlay),
            Wanted::Fixed(path) => job.fix(&overlay, path),
        };
        self.plans.insert(root.clone(), plan);
        if task.stop.load(Ordering::Relaxed) { Outcome::Overtaken } else { outcome }
    }

    /// Reads configuration and tree.
    fn plan(&self, task: &Task) -> Result<Plan, DiscoverError> {
        let config = config::discover(task.project.config_folder())?;
        let settings = Settings::new(&self.folder, config.as_ref(), &task.overrides);
        let options = Options { force_exclude: true, respect_gitignore: true };
        let config = config.map(|config| config.path);
        let (mut planned, mut problems) =
            Planned::new(task.project.clone(), settings, config, &self.folder, options, &AtomicUsize::new(0));
        match planned.settings.baseline.as_deref().map(Baseline::read).transpose() {
            Ok(baseline) => planned.baseline = baseline,
            Err(error) => problems.push(Problem { message: error.to_string(), span: None }),
        }
        Ok(Plan { planned, problems })
    }

    /// What is known, looked up once for each interpreter.
    fn known(&mut self, python: Option<&Path>) -> Known {
        if let Some((of, known)) = &self.known
            && of.as_deref() == python
        {
            return known.clone();
        }
        let learnt = (self.learn)(python).map(Arc::new);
        let known = learnt.map_or(Known::BuiltIn, Known::Learnt);
        self.known = Some((python.map(Path::to_path_buf), known.clone()));
        known
    }
}

/// One task, ready to be done.
struct Job<'a> {
    plan: &'a Plan,
    folder: &'a Path,
    known: &'a Known,
    task: &'a Task,
}

impl Job<'_> {
    fn check(&self, file_system: &dyn FileSystem) -> Outcome {
        let sources = Sources::default();
        let (mut report, readers) = self.with_job(file_system, &sources, |job| {
            driver::check_and(job, |analysis| readers::collect(analysis, &sources))
        });
        if let Some(baseline) = &self.plan.planned.baseline {
            baseline.leave_out(&mut report, &self.plan.planned.scope(self.folder, &sources));
        }
        report.problems.extend(self.plan.problems.iter().cloned());
        let readers = readers.unwrap_or_default();
        let (notebooks, known) = (self.task.notebooks.clone(), self.known.clone());
        Outcome::Checked(Box::new(Checked { sources, report, readers, notebooks, known }))
    }

    /// Applies what is safe and concerns one file alone, in rounds, as `--fix` does.
    fn fix(&self, file_system: &dyn FileSystem, path: &Path) -> Outcome {
        let recheck = FixOne { job: self, path };
        let options = repair::Options { threshold: Applicability::Safe, ..repair::Options::default() };
        let repaired = repair::repair(&recheck, file_system, recheck.check(file_system), options);
        let fixed = repaired.files.into_iter().find(|file| self.folder.join(&file.path) == path);
        Outcome::Fixed(fixed.map(|file| file.after))
    }

    fn with_job<T>(
        &self,
        file_system: &dyn FileSystem,
        sources: &Sources,
        work: impl FnOnce(&driver::Job<'_>) -> T,
    ) -> T {
        let is_stopped = || self.task.stop.load(Ordering::Relaxed);
        let with =
            With { folder: self.folder, file_system, sources, knowledge: self.known.get(), is_stopped: &is_stopped };
        self.plan.planned.with_job(with, work)
    }
}

/// The findings of a project with the fixes of one file.
struct FixOne<'a> {
    job: &'a Job<'a>,
    path: &'a Path,
}

impl Recheck for FixOne<'_> {
    fn check(&self, file_system: &dyn FileSystem) -> repair::Checked {
        let sources = Sources::default();
        let mut report = self.job.with_job(file_system, &sources, driver::check);
        let planned = &self.job.plan.planned;
        if let Some(baseline) = &planned.baseline {
            baseline.leave_unfixed(&mut report, &planned.scope(self.job.folder, &sources));
        }
        let is_own = |fix: &crate::diagnostic::Fix| {
            sole_file(fix, &sources).is_some_and(|path| self.job.folder.join(path) == self.path)
        };
        report.findings.iter_mut().for_each(|finding| finding.fixes.retain(is_own));
        repair::Checked { sources, findings: report.findings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::collect;

    #[test]
    fn a_panic_is_said_and_the_next_check_fares_better() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("train.py"), "import trl\n").expect("a file");
        let project = collect::projects(folder.path(), &[]).0.remove(0);
        let (task_sender, tasks) = crossbeam_channel::unbounded();
        let (done_sender, done) = crossbeam_channel::unbounded();
        let send = |is_stopped| {
            let stop = Arc::new(AtomicBool::new(is_stopped));
            let (project, overrides) = (project.clone(), Overrides::default());
            let (texts, notebooks, wanted) = (Vec::new(), BTreeMap::new(), Wanted::Findings);
            let task = Task { project, is_stale: true, texts, notebooks, overrides, stop, wanted };
            task_sender.send(task).expect("somebody listens");
        };
        [false, false, true].into_iter().for_each(send);
        drop(task_sender);
        let mut calls = 0;
        let learn = move |_: Option<&Path>| {
            calls += 1;
            assert!(calls > 1, "the first time it fails");
            None
        };
        let here = std::env::current_dir().expect("a folder");
        work(&tasks, &done_sender, here, Box::new(learn));
        let outcomes: Vec<Outcome> = done.try_iter().collect();
        let [Outcome::Failed(bug), Outcome::Checked(checked), Outcome::Overtaken] = &outcomes[..] else {
            panic!("{} outcomes", outcomes.len());
        };
        assert!(bug.starts_with("bug in dpo-lint"), "{bug}");
        assert_eq!(checked.report.environments.len(), 1);
    }
}
