//! `dpo-lint check`

use super::args::{CheckArgs, GlobalArgs};
use super::plan::Plan;
use super::progress::Progress;
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::engine::driver::Report;
use crate::engine::settings::OutputFormat;
use crate::output;
use crate::source::Sources;

pub(super) fn run(args: &CheckArgs, global: &GlobalArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let progress = Progress::start(!global.quiet);
    let plan = Plan::new(&args.project, &args.overrides(), global.verbose, &progress, terminal)?;
    let sources = Sources::default();
    let report = plan.check(&plan.file_system(), &sources);
    drop(progress);
    terminal.problems(&report.problems);
    if report.looked_at == 0 && report.problems.is_empty() && !global.quiet {
        terminal.warning_line("no files to check under the given paths");
    }
    Shown { args, quiet: global.quiet, plan: &plan, sources: &sources }.write(&report, terminal)?;
    Ok(match () {
        () if !report.problems.is_empty() => Exit::Failure,
        () if report.failed && !args.exit_zero => Exit::Findings,
        () => Exit::Clean,
    })
}

/// A report with all that it takes to write it.
struct Shown<'a> {
    args: &'a CheckArgs,
    quiet: bool,
    plan: &'a Plan,
    sources: &'a Sources,
}

impl Shown<'_> {
    fn write(&self, report: &Report, terminal: &mut Terminal) -> Result<(), Failure> {
        let folder = &self.plan.folder;
        let configured = self.plan.projects.first().map(|planned| planned.settings.output_format);
        let format = self.args.output_format.or(configured).unwrap_or_default();
        let mut style = terminal.out_style();
        style.colored &= self.args.output_file.is_none();
        let mut text = Vec::new();
        match format {
            OutputFormat::Json => output::write_json(&mut text, report, self.sources, folder)?,
            _ if self.args.statistics => output::write_statistics(&mut text, report)?,
            OutputFormat::Concise => output::write_concise(&mut text, report, self.sources, folder)?,
            OutputFormat::Text => output::write_text(&mut text, report, self.sources, folder, style)?,
        }
        let mut summary = Vec::new();
        if !self.quiet && format != OutputFormat::Json {
            output::write_summary(&mut summary, report, 0)?;
        }
        match &self.args.output_file {
            None => terminal.out(|out| out.write_all(&text))?,
            Some(path) => std::fs::write(path, text)
                .map_err(|error| Failure::Message(format!("cannot write {}: {error}", path.display())))?,
        }
        Ok(terminal.out(|out| out.write_all(&summary))?)
    }
}
