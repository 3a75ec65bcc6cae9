//! `dpo-lint versions`: which releases each script gets, and how that is known.

use std::io::Write;

use super::args::{GlobalArgs, ListFormat, VersionsArgs};
use super::plan::Plan;
use super::progress::Progress;
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::engine::driver::Report;
use crate::engine::settings::Overrides;
use crate::model::EnvironmentReport;
use crate::output;
use crate::source::Sources;

pub(super) fn run(args: &VersionsArgs, global: &GlobalArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let progress = Progress::start(!global.quiet);
    let (targets, choice) = (args.target.clone(), args.choice.choice());
    let overrides = Overrides { targets, python: args.python.clone(), choice, ..Overrides::default() };
    let plan = Plan::new(&args.project, &overrides, global, &progress, terminal)?;
    let sources = Sources::default();
    let report = plan.check(&plan.file_system(), &sources);
    drop(progress);
    terminal.problems(&report.problems);
    let mut text = Vec::new();
    match args.output_format {
        ListFormat::Json => {
            let report = Report { findings: Vec::new(), ..report };
            output::write_json(&mut text, &report, &sources, &plan.folder)?;
            terminal.out(|out| out.write_all(&text))?;
            return Ok(exit(&report));
        }
        ListFormat::Text => write_text(&mut text, &report, &sources, &plan)?,
    }
    if report.environments.is_empty() && report.problems.is_empty() {
        terminal.warning_line("no script that uses a known library under the given paths");
    }
    terminal.out(|out| out.write_all(&text))?;
    Ok(exit(&report))
}

fn exit(report: &Report) -> Exit {
    if report.problems.is_empty() { Exit::Clean } else { Exit::Failure }
}

/// Scripts that get the same releases for the same reasons are listed together.
fn write_text(out: &mut dyn Write, report: &Report, sources: &Sources, plan: &Plan) -> std::io::Result<()> {
    let shown = output::shown_places(sources, &plan.folder);
    for environment in EnvironmentReport::of(&report.environments, plan.knowledge(), &shown) {
        for script in &environment.scripts {
            writeln!(out, "{}", output::shown_path(&plan.folder, script))?;
        }
        if let Some(python) = &environment.python {
            writeln!(out, "  python {python}")?;
        }
        // Of a package that the tool knows nothing of there is nothing to say.
        for package in environment.packages.iter().filter(|package| package.known) {
            let version = package.in_effect.as_deref().unwrap_or("no release");
            writeln!(out, "  {} {version} ({})", package.package, package.reason)?;
            if package.allowed.len() > 1
                || package.allowed.iter().any(|interval| Some(interval) != package.in_effect.as_ref())
            {
                writeln!(out, "    allowed: {}", package.allowed.join(", "))?;
            }
            for other in package.declared.iter().filter(|declared| !declared.decides) {
                writeln!(out, "    also declared: {} in {}", other.requirement, other.place)?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
