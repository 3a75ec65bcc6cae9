//! `dpo-lint check`

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::args::{CheckArgs, GlobalArgs};
use super::progress::Progress;
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::engine::collect::{self, Options, Project};
use crate::engine::config::{self, Config};
use crate::engine::driver::{self, Job, Report};
use crate::engine::settings::{OutputFormat, Settings};
use crate::knowledge::Knowledge;
use crate::output;
use crate::source::{FileSystem, OsFileSystem, Sources};

pub(super) fn run(args: &CheckArgs, global: &GlobalArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let folder = std::env::current_dir().map_err(|error| Failure::Message(format!("no working directory: {error}")))?;
    let run = Run { args, global, folder };
    let (projects, problems) = run.projects()?;
    let mut report = Report { problems, ..Report::default() };
    let sources = Sources::default();
    let mut format = None;
    {
        let progress = Progress::start(!global.quiet);
        for project in &projects {
            let settings = run.settings(project)?;
            format = format.or(Some(settings.output_format));
            report.append(run.check(project, &settings, &sources, &progress), &sources);
        }
    }
    for problem in &report.problems {
        terminal.error_line(&problem.message);
    }
    if report.looked_at == 0 && report.problems.is_empty() && !global.quiet {
        terminal.warning_line("no files to check under the given paths");
    }
    run.write(&report, &sources, format.or(args.output_format).unwrap_or_default(), terminal)?;
    Ok(match () {
        () if !report.problems.is_empty() => Exit::Failure,
        () if report.failed && !args.exit_zero => Exit::Findings,
        () => Exit::Clean,
    })
}

struct Run<'a> {
    args: &'a CheckArgs,
    global: &'a GlobalArgs,
    /// The working directory.
    folder: PathBuf,
}

impl Run<'_> {
    fn projects(&self) -> Result<(Vec<Project>, Vec<crate::diagnostic::Problem>), Failure> {
        let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
        if !self.args.paths.iter().any(is_stdin) {
            return Ok(collect::projects(&self.folder, &self.args.paths));
        }
        if self.args.paths.len() > 1 {
            return Err(Failure::Message("`-` cannot be mixed with other paths".to_owned()));
        }
        let Some(name) = &self.args.stdin_filename else {
            return Err(Failure::Message("`-` needs --stdin-filename, which says how the text is read".to_owned()));
        };
        Ok((vec![collect::project_of_stdin(&self.folder, name)], Vec::new()))
    }

    fn settings(&self, project: &Project) -> Result<Settings, Failure> {
        let found: Option<Config> = match &self.args.config {
            Some(path) => {
                let path = collect::absolute(&self.folder, path);
                let config = config::load(&path)?;
                let missing = || Failure::Message(format!("{} has no table `tool.dpo-lint`", path.display()));
                Some(config.ok_or_else(missing)?)
            }
            None if self.args.isolated => None,
            None => config::discover(project.config_folder())?,
        };
        let base = found.as_ref().map_or(&self.folder, |_| &self.folder);
        Ok(Settings::new(base, found.as_ref(), &self.args.overrides()))
    }

    fn check(&self, project: &Project, settings: &Settings, sources: &Sources, progress: &Progress) -> Report {
        let options =
            Options { force_exclude: self.args.force_exclude, respect_gitignore: !self.args.no_respect_gitignore };
        let found = project.files(settings, options, progress.seen());
        let is_excluded = |path: &Path| found.excluded.iter().any(|excluded| path.starts_with(excluded));
        let is_given = |path: &Path| project.is_given(path) && !is_excluded(path);
        let files: Vec<PathBuf> = found.relevant.iter().map(|path| self.shown(project, path)).collect();
        let commented: Vec<PathBuf> = found.commented.iter().map(|path| self.shown(project, path)).collect();
        let job = Job {
            file_system: &OsFileSystem as &dyn FileSystem,
            sources,
            knowledge: &Knowledge::default(),
            settings,
            files: &files,
            commented: &commented,
            folder: &self.folder,
            is_given: &is_given,
        };
        let mut report = driver::check(&job);
        report.looked_at = found.looked_at;
        report.problems.extend(found.problems);
        report
    }

    /// A path as the layers below see it: relative to the working directory if the whole project lies below it.
    fn shown(&self, project: &Project, path: &Path) -> PathBuf {
        let is_below = project.root.starts_with(&self.folder);
        let relative = path.strip_prefix(&self.folder).ok().filter(|_| is_below);
        relative.unwrap_or(path).to_path_buf()
    }

    fn write(
        &self,
        report: &Report,
        sources: &Sources,
        format: OutputFormat,
        terminal: &mut Terminal,
    ) -> Result<(), Failure> {
        let mut text = Vec::new();
        let style = match self.args.output_file {
            Some(_) => output::Style { colored: false, ..terminal.out_style() },
            None => terminal.out_style(),
        };
        match format {
            _ if self.args.statistics => output::write_statistics(&mut text, report)?,
            OutputFormat::Json => output::write_json(&mut text, report, sources, &self.folder)?,
            OutputFormat::Concise => output::write_concise(&mut text, report, sources, &self.folder)?,
            OutputFormat::Text => output::write_text(&mut text, report, sources, &self.folder, style)?,
        }
        let mut summary = Vec::new();
        if !self.global.quiet && format != OutputFormat::Json {
            output::write_summary(&mut summary, report, 0)?;
        }
        let mut out = terminal.out();
        match &self.args.output_file {
            None => {
                text.append(&mut summary);
                out.write_all(&text)?;
            }
            Some(path) => {
                let wrong = |error| Failure::Message(format!("cannot write {}: {error}", path.display()));
                std::fs::write(path, text).map_err(wrong)?;
                out.write_all(&summary)?;
            }
        }
        out.flush()?;
        Ok(())
    }
}

#[expect(dead_code, reason = "lands with --stdin-filename")]
fn read_stdin() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
