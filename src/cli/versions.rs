//! `dpo-lint versions`: which releases each script gets, and how that is known.

use std::collections::BTreeMap;
use std::io::Write;

use super::args::{GlobalArgs, ListFormat, VersionsArgs};
use super::plan::Plan;
use super::progress::Progress;
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::engine::driver::Report;
use crate::engine::settings::Overrides;
use crate::model::{Environment, PackageFacts};
use crate::output;
use crate::source::Sources;

pub(super) fn run(args: &VersionsArgs, global: &GlobalArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let progress = Progress::start(!global.quiet);
    let overrides = Overrides { targets: args.target.clone(), python: args.python.clone(), ..Overrides::default() };
    let plan = Plan::new(&args.project, &overrides, global.verbose, &progress, terminal)?;
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
    let mut groups: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (path, environment) in &report.environments {
        groups.entry(lines(environment, sources)).or_default().push(output::shown_path(&plan.folder, path));
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|left, right| left.1.cmp(&right.1));
    for (lines, scripts) in groups {
        for script in scripts {
            writeln!(out, "{script}")?;
        }
        for line in lines {
            writeln!(out, "  {line}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn lines(environment: &Environment, sources: &Sources) -> Vec<String> {
    // What is neither known nor declared is of no interest, and of what is not known only the declaration is.
    let interesting = |facts: &&PackageFacts| facts.known || !facts.declarations.is_empty();
    let python = environment.python.as_ref().map(|python| format!("python {python}"));
    let packages = environment.packages.values().filter(interesting).map(|facts| facts.describe(sources));
    python.into_iter().chain(packages).collect()
}
