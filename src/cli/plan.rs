//! What every command that reads a project does first: find the projects, their settings and their files.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::args::{GlobalArgs, ProjectArgs};
use super::progress::Progress;
use super::terminal::Terminal;
use super::{Failure, learn};
use crate::diagnostic::Problem;
use crate::engine::baseline::{Baseline, BaselineError, Scope, Update};
use crate::engine::collect::{self, Options, Project, Stamps};
use crate::engine::config;
#[cfg(feature = "runner")]
use crate::engine::driver;
use crate::engine::driver::Report;
use crate::engine::migrate::{self, Goal, Migrated};
use crate::engine::outlook::{self, Outlook};
use crate::engine::planned::{Planned, With};
use crate::engine::settings::{Overrides, Settings};
use crate::knowledge::Knowledge;
#[cfg(feature = "runner")]
use crate::lower::Analysis;
use crate::source::{FileSystem, OsFileSystem, Overlay, Sources};
use crate::syntax::Format;

/// The projects of one command line.
pub(super) struct Plan {
    /// The working directory.
    pub folder: PathBuf,
    pub projects: Vec<Planned>,
    /// Arguments and files that cannot be read.
    pub problems: Vec<Problem>,
    /// The file that standard input stands for, as it is shown, and its content.
    pub stdin: Option<(PathBuf, Vec<u8>)>,
    /// Releases that were learnt, with what is built in; `None` where there are none.
    learnt: Option<Knowledge>,
}

/// What became of baselines that were to be written.
pub(super) struct Updated {
    /// Not empty: nothing was written, since not everything could be checked.
    pub problems: Vec<Problem>,
    pub baselines: Vec<Baseline>,
}

impl Plan {
    /// Reads the command line, the configuration and the trees.
    pub fn new(
        args: &ProjectArgs,
        overrides: &Overrides,
        global: &GlobalArgs,
        progress: &Progress,
        terminal: &mut Terminal,
    ) -> Result<Self, Failure> {
        // While this thread looks for the project the others have nothing to do.
        rayon::spawn(|| {
            // A panic here would end the process. Whoever needs what was not made ready makes it, and reports.
            let _ = std::panic::catch_unwind(|| {
                collect::prepare();
                Knowledge::bundled().read_common();
            });
        });
        let folder = working_directory()?;
        let (projects, problems) = projects(args, &folder)?;
        let mut plan = Self { folder, projects: Vec::new(), problems, stdin: None, learnt: None };
        for project in projects {
            let config = configuration(args, &plan.folder, &project)?;
            let settings = Settings::new(&plan.folder, config.as_ref(), overrides);
            let config = config.map(|config| config.path);
            plan.add(project, settings, config.clone(), args, progress);
            if let (true, Some(planned)) = (global.verbose, plan.projects.last()) {
                let config = config.map_or("none".to_owned(), |config| config.display().to_string());
                let (root, looked_at, read) = (planned.project.root.display(), planned.looked_at, planned.relevant());
                terminal
                    .note_line(&format!("project {root}, configuration {config}, {looked_at} files, {read} relevant"));
            }
        }
        if is_stdin(args) {
            plan.read_stdin()?;
        }
        let pythons = plan.projects.iter().filter_map(|planned| planned.settings.python.as_deref());
        plan.learnt = learn::knowledge(pythons, global.quiet, terminal);
        Ok(plan)
    }

    /// What is known of the libraries.
    pub fn knowledge(&self) -> &Knowledge {
        self.learnt.as_ref().unwrap_or_else(|| Knowledge::bundled())
    }

    fn add(
        &mut self,
        project: Project,
        settings: Settings,
        config: Option<PathBuf>,
        args: &ProjectArgs,
        progress: &Progress,
    ) {
        let seen = progress.seen();
        let (planned, problems) = Planned::new(project, settings, config, &self.folder, options(args), seen);
        self.problems.extend(problems);
        self.projects.push(planned);
    }

    /// Puts standard input in the place of the one argument; nothing if that is excluded.
    fn read_stdin(&mut self) -> Result<(), Failure> {
        let mut content = Vec::new();
        let wrong = |error| Failure::Message(format!("cannot read standard input: {error}"));
        std::io::stdin().lock().read_to_end(&mut content).map_err(wrong)?;
        let Some(planned) = self.projects.first_mut() else { return Ok(()) };
        let Some(path) = planned.project.given.first() else { return Ok(()) };
        if planned.excluded.contains(path) || Format::of(path).is_none() {
            return Ok(());
        }
        // The text decides, not what is on disk under its name.
        let path = planned.add(&path.clone(), &self.folder);
        self.stdin = Some((path, content));
        Ok(())
    }

    /// Files hold comments now that held none when the tree was read.
    pub fn has_comments_in(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        for path in files {
            self.projects.iter_mut().for_each(|planned| planned.has_comments_in(&path));
        }
    }

    /// The disk as this command line sees it.
    pub fn file_system(&self) -> Overlay<'static> {
        let overlay = Overlay::new(&OsFileSystem);
        if let Some((path, content)) = &self.stdin {
            overlay.insert(path, content.clone());
        }
        overlay
    }

    /// Reads the baselines; from then on what they know is left out.
    pub fn read_baselines(&mut self) -> Result<(), BaselineError> {
        for planned in &mut self.projects {
            planned.baseline = planned.settings.baseline.as_deref().map(Baseline::read).transpose()?;
        }
        Ok(())
    }

    /// Refuses to write a baseline that a configuration puts elsewhere: who checks a project lets it write into itself and no further.
    pub fn check_baselines(&self) -> Result<(), Failure> {
        let elsewhere = |planned: &Planned| {
            let path = planned.settings.baseline.clone()?;
            (!planned.is_own(&path, &self.folder)).then_some(path)
        };
        self.projects.iter().find_map(elsewhere).map_or(Ok(()), |path| {
            let what = "the configuration names a baseline outside of the project, or behind a link";
            Err(Failure::Message(format!("{}: {what}; say it with --baseline to write it", path.display())))
        })
    }

    /// Whether a file stands in one of the projects, where alone anything is changed.
    pub fn is_own(&self, path: &Path) -> bool {
        self.projects.iter().any(|planned| planned.is_own(path, &self.folder))
    }

    /// Whether anything may be left out.
    pub fn has_baseline(&self) -> bool {
        self.projects.iter().any(|planned| planned.baseline.is_some())
    }

    /// Writes each project's baseline, from a check that left nothing out.
    pub fn update_baselines(
        &self,
        file_system: &dyn FileSystem,
        sources: &Sources,
        update: Update,
    ) -> Result<Updated, Failure> {
        let mut problems = self.problems.clone();
        let mut files: BTreeMap<&Path, Baseline> = BTreeMap::new();
        for planned in &self.projects {
            let path = planned.settings.baseline.as_deref().ok_or_else(|| {
                Failure::Message(
                    "which file? say it with --baseline FILE, or `baseline` in the configuration".to_owned(),
                )
            })?;
            let baseline = match files.remove(path) {
                Some(baseline) => baseline,
                None if update == Update::Record => Baseline::read_or_new(path)?,
                None => Baseline::read(path)?,
            };
            let report = planned.check_all(self.with(file_system, sources));
            let scope = planned.scope(&self.folder, sources);
            files.insert(path, baseline.updated(&report, &scope, update));
            problems.extend(report.problems);
        }
        if problems.is_empty() {
            files.values().try_for_each(Baseline::write)?;
        }
        Ok(Updated { problems, baselines: files.into_values().collect() })
    }

    /// Checks every project, and leaves out what its baseline knows.
    pub fn check(&self, file_system: &dyn FileSystem, sources: &Sources) -> Report {
        self.check_and(file_system, sources, Baseline::leave_out)
    }

    /// The same for a repair: what the baselines know is there and has no fixes. If it were left out, a fix of something else
    /// on its line would seem to bring it.
    pub fn check_for_repair(&self, file_system: &dyn FileSystem, sources: &Sources) -> Report {
        self.check_and(file_system, sources, Baseline::leave_unfixed)
    }

    fn check_and(
        &self,
        file_system: &dyn FileSystem,
        sources: &Sources,
        then: fn(&Baseline, &mut Report, &Scope<'_>),
    ) -> Report {
        let mut report = Report { problems: self.problems.clone(), ..Report::default() };
        for planned in &self.projects {
            let mut of_project = planned.check_all(self.with(file_system, sources));
            if let Some(baseline) = &planned.baseline {
                then(baseline, &mut of_project, &planned.scope(&self.folder, sources));
            }
            report.append(of_project, sources);
        }
        report
    }

    /// Reads every project and says what an install of it comes to.
    pub fn survey(&self, file_system: &dyn FileSystem, sources: &Sources) -> (Report, Vec<Outlook>) {
        let mut report = Report { problems: self.problems.clone(), ..Report::default() };
        let mut outlooks = Vec::new();
        for planned in &self.projects {
            let (read, seen) = planned.with_job(self.with(file_system, sources), outlook::survey);
            report.append(Report { looked_at: planned.looked_at, ..read }, sources);
            outlooks.extend(seen);
        }
        (report, outlooks)
    }

    /// Checks every project, and has a look at what was read for that.
    #[cfg(feature = "runner")]
    pub fn look<T>(
        &self,
        file_system: &dyn FileSystem,
        sources: &Sources,
        look: impl Fn(&Analysis) -> T,
    ) -> (Report, Vec<T>) {
        let mut report = Report { problems: self.problems.clone(), ..Report::default() };
        let mut all = Vec::new();
        for planned in &self.projects {
            let (read, seen) = planned
                .with_job(self.with(file_system, sources), |job| driver::check_and(job, |analysis| look(analysis)));
            report.append(Report { looked_at: planned.looked_at, ..read }, sources);
            all.extend(seen);
        }
        (report, all)
    }

    /// Takes every project to other releases, in memory.
    pub fn migrate(&self, goals: &[Goal], file_system: &dyn FileSystem) -> Vec<Migrated> {
        let sources = Sources::default();
        let migrated =
            |planned: &Planned| planned.with_job(self.with(file_system, &sources), |job| migrate::migrate(job, goals));
        self.projects.iter().map(migrated).collect()
    }

    /// What every project is checked with.
    fn with<'a>(&'a self, file_system: &'a dyn FileSystem, sources: &'a Sources) -> With<'a> {
        With { folder: &self.folder, file_system, sources, knowledge: self.knowledge(), is_stopped: &|| false }
    }
}

/// A project and what is looked at in it.
pub(super) struct Watched {
    project: Project,
    settings: Settings,
    options: Options,
    /// Files that may lie outside of the project: its configuration, its baseline.
    others: Vec<PathBuf>,
}

impl Watched {
    /// The projects of a command line. A configuration with mistakes is looked at like every other file.
    pub fn all(args: &ProjectArgs, overrides: &Overrides) -> Result<Vec<Self>, Failure> {
        if is_stdin(args) {
            return Err(Failure::Message("--watch looks at files, and standard input is none".to_owned()));
        }
        let folder = working_directory()?;
        let (projects, _) = projects(args, &folder)?;
        let watched = |project: Project| {
            let config = configuration(args, &folder, &project).ok().flatten();
            let settings = Settings::new(&folder, config.as_ref(), overrides);
            let named = args.config.as_ref().map(|path| collect::absolute(&folder, path));
            let own = config.map(|config| config.path).or(named);
            let others = own.into_iter().chain(settings.baseline.clone()).collect();
            Self { project, settings, options: options(args), others }
        };
        Ok(projects.into_iter().map(watched).collect())
    }

    /// The present state of its files.
    pub fn stamps(&self) -> Stamps {
        self.project.stamps(&self.settings, self.options, &self.others)
    }
}

fn working_directory() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::Message(format!("cannot tell the working directory: {error}")))
}

fn options(args: &ProjectArgs) -> Options {
    Options { force_exclude: args.force_exclude, respect_gitignore: !args.no_respect_gitignore }
}

fn is_stdin(args: &ProjectArgs) -> bool {
    args.paths.iter().any(|path| path.as_os_str() == "-")
}

fn projects(args: &ProjectArgs, folder: &Path) -> Result<(Vec<Project>, Vec<Problem>), Failure> {
    if !is_stdin(args) {
        return Ok(collect::projects(folder, &args.paths));
    }
    if args.paths.len() > 1 {
        return Err(Failure::Message("`-` cannot be mixed with other paths".to_owned()));
    }
    let Some(name) = &args.stdin_filename else {
        return Err(Failure::Message("`-` needs --stdin-filename, which tells how the text is to be read".to_owned()));
    };
    Ok((vec![collect::project_of_stdin(folder, name)], Vec::new()))
}

fn configuration(args: &ProjectArgs, folder: &Path, project: &Project) -> Result<Option<config::Config>, Failure> {
    match &args.config {
        Some(path) => {
            let missing = || Failure::Message(format!("{} has no table `tool.dpo-lint`", path.display()));
            config::load(&collect::absolute(folder, path))?.ok_or_else(missing).map(Some)
        }
        None if args.isolated => Ok(None),
        None => Ok(config::discover(project.config_folder())?),
    }
}
