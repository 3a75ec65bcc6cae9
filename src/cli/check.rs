//! `dpo-lint check`

use super::args::{CheckArgs, GlobalArgs};
use super::fix::{self, Fixed};
use super::plan::{Plan, Updated};
use super::progress::Progress;
use super::show;
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::diagnostic::Diagnostic;
use crate::engine::baseline::Update;
use crate::engine::collect;
use crate::engine::driver::Report;
use crate::engine::repair;
use crate::engine::settings::OutputFormat;
use crate::engine::suppress;
use crate::output;
use crate::source::{OsFileSystem, Sources};

pub(super) fn run(args: &CheckArgs, global: &GlobalArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let progress = Progress::start(!global.quiet);
    let mut plan = Plan::new(&args.project, &args.overrides(), global, &progress, terminal)?;
    let configured = plan.projects.first().map(|planned| planned.settings.output_format);
    let format = args.output_format.or(configured).unwrap_or_default();
    if args.statistics && !format.is_for_people() && format != OutputFormat::Json {
        let message = "--statistics is written as text, concise or json; choose one of these with --output-format";
        return Err(Failure::Message(message.to_owned()));
    }
    if args.show_settings {
        drop(progress);
        terminal.out(|out| show::write_settings(out, &plan))?;
        return Ok(Exit::Clean);
    }
    let update = match () {
        () if args.write_baseline => Some(Update::Record),
        () if args.prune_baseline => Some(Update::Prune),
        () => None,
    };
    if let Some(update) = update {
        if args.baseline.is_none() {
            plan.check_baselines()?;
        }
        return update_baselines(&plan, update, global, progress, terminal);
    }
    plan.read_baselines()?;
    let sources = Sources::default();
    let report = plan.check(&plan.file_system(), &sources);
    drop(progress);
    terminal.problems(&report.problems);
    if report.looked_at == 0 && report.problems.is_empty() && !global.quiet {
        terminal.warning_line("no files to check under the given paths");
    }
    if report.outdated > 0 && !global.quiet {
        let entries = output::counted(report.outdated, "entry of the baseline does", "entries of the baseline do");
        terminal.note_line(&format!("{entries} not occur any more; --prune-baseline removes what is outdated"));
    }
    if let Some(reason) = &args.add_ignore {
        add_comments(&mut plan, &report, &sources, reason)?;
        let sources = Sources::default();
        let left = plan.check(&plan.file_system(), &sources);
        if !global.quiet {
            let gone = report.findings.len().saturating_sub(left.findings.len());
            terminal.note_line(&format!("suppressed {}", output::counted(gone, "finding", "findings")));
        }
        let shown = Shown { args, quiet: global.quiet, plan: &plan, format };
        shown.write(&left, &sources, terminal)?;
        return Ok(exit(args, &left));
    }
    let shown = Shown { args, quiet: global.quiet, plan: &plan, format };
    if args.fix || args.diff {
        return fix(&shown, report, sources, terminal);
    }
    if args.unsafe_fixes {
        terminal.warning_line("--unsafe-fixes does nothing without --fix or --diff");
    }
    shown.write(&report, &sources, terminal)?;
    Ok(exit(args, &report))
}

/// Says what is known from now on.
fn update_baselines(
    plan: &Plan,
    update: Update,
    global: &GlobalArgs,
    progress: Progress,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let Updated { problems, baselines } = plan.update_baselines(&plan.file_system(), &Sources::default(), update)?;
    drop(progress);
    if !problems.is_empty() {
        terminal.problems(&problems);
        return Err(Failure::Message("no baseline was written, since not everything could be checked".to_owned()));
    }
    if !global.quiet {
        for baseline in &baselines {
            let path = output::shown_path(&plan.folder, baseline.path());
            let known = output::counted(baseline.len(), "finding", "findings");
            terminal.out(|out| writeln!(out, "{path} knows {known}"))?;
        }
    }
    Ok(Exit::Clean)
}

/// Writes a suppression comment for every finding whose file has a place for it.
fn add_comments(plan: &mut Plan, report: &Report, sources: &Sources, reason: &str) -> Result<(), Failure> {
    if plan.stdin.is_some() {
        return Err(Failure::Message("--add-ignore writes files, and standard input is none".to_owned()));
    }
    let is_own = |finding: &&Diagnostic| plan.is_own(sources.get(finding.primary.span.file).path());
    let findings: Vec<Diagnostic> = report.findings.iter().filter(is_own).cloned().collect();
    let files = suppress::add_comments(&findings, sources, reason);
    repair::write(&files, &OsFileSystem).map_err(|error| Failure::Message(error.to_string()))?;
    plan.has_comments_in(files.into_iter().map(|file| file.path));
    Ok(())
}

/// With `--diff` only the patch is printed; with `--fix` what is left, and standard input goes to standard output.
fn fix(shown: &Shown<'_>, report: Report, sources: Sources, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Shown { args, quiet, plan, .. } = *shown;
    let Fixed { files, report, sources } = fix::apply(args, plan, report, sources, terminal)?;
    fix::conclude(args, plan, &files, terminal)?;
    if args.diff {
        if !quiet && report.fixed > 0 {
            terminal.error(&format!("Would fix {}.\n", output::counted(report.fixed, "finding", "findings")));
        }
        return Ok(match () {
            () if !report.problems.is_empty() => Exit::Failure,
            () if !files.is_empty() && !args.exit_zero => Exit::Findings,
            () => Exit::Clean,
        });
    }
    // Standard output is taken by the text itself.
    if plan.stdin.is_none() || args.output_file.is_some() {
        shown.write(&report, &sources, terminal)?;
    }
    Ok(exit(args, &report))
}

fn exit(args: &CheckArgs, report: &Report) -> Exit {
    match () {
        () if !report.problems.is_empty() => Exit::Failure,
        () if report.failed && !args.exit_zero => Exit::Findings,
        () => Exit::Clean,
    }
}

/// A report with all that it takes to write it.
struct Shown<'a> {
    args: &'a CheckArgs,
    quiet: bool,
    plan: &'a Plan,
    format: OutputFormat,
}

impl Shown<'_> {
    fn write(&self, report: &Report, sources: &Sources, terminal: &mut Terminal) -> Result<(), Failure> {
        let folder = &self.plan.folder;
        let format = self.format;
        let mut style = terminal.out_style();
        style.colored &= self.args.output_file.is_none();
        let mut text = Vec::new();
        let rooted = output::Rooted { sources, folder, root: collect::repository_root(folder) };
        match format {
            OutputFormat::Json if self.args.statistics => output::write_json_statistics(&mut text, report)?,
            _ if self.args.statistics => output::write_statistics(&mut text, report)?,
            OutputFormat::Json => output::write_json(&mut text, report, sources, folder)?,
            OutputFormat::Concise => output::write_concise(&mut text, report, sources, folder)?,
            OutputFormat::Text => output::write_text(&mut text, report, sources, folder, style)?,
            OutputFormat::Sarif => output::write_sarif(&mut text, report, rooted)?,
            OutputFormat::Github => output::write_github(&mut text, report, rooted)?,
            OutputFormat::Gitlab => output::write_gitlab(&mut text, report, rooted)?,
            OutputFormat::Junit => output::write_junit(&mut text, report, rooted)?,
        }
        let mut summary = Vec::new();
        if !self.quiet && format.is_for_people() {
            output::write_summary(&mut summary, report)?;
        }
        match &self.args.output_file {
            None => terminal.out(|out| out.write_all(&text))?,
            Some(path) => std::fs::write(path, text)
                .map_err(|error| Failure::Message(format!("cannot write {}: {error}", path.display())))?,
        }
        Ok(terminal.out(|out| out.write_all(&summary))?)
    }
}
