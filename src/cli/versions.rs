//! `dpo-lint versions`: which releases each script gets, how that is known, and whether they work.

use super::args::{GlobalArgs, ListFormat, VersionsArgs};
use super::plan::Plan;
use super::progress::Progress;
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::engine::driver::Report;
use crate::engine::matrix;
use crate::knowledge::{Knowledge, Package};
use crate::output;
use crate::source::Sources;
use crate::syntax::requirements::normalize;

pub(super) fn run(args: &VersionsArgs, global: &GlobalArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if let Some([rows, columns]) = args.matrix.as_deref() {
        return show_matrix(rows, columns, args, terminal);
    }
    let progress = Progress::start(!global.quiet);
    let plan = Plan::new(&args.project, &args.environment.overrides(), global, &progress, terminal)?;
    let sources = Sources::default();
    let (report, outlooks) = plan.survey(&plan.file_system(), &sources);
    drop(progress);
    terminal.problems(&report.problems);
    let mut text = Vec::new();
    match args.output_format {
        ListFormat::Json => output::write_versions_json(&mut text, &report, &outlooks, &sources, &plan.folder)?,
        ListFormat::Text => {
            output::write_versions(&mut text, &report, &outlooks, plan.knowledge(), &sources, &plan.folder)?;
        }
    }
    if args.output_format == ListFormat::Text && report.environments.is_empty() && report.problems.is_empty() {
        terminal.warning_line("no script that uses a known library under the given paths");
    }
    terminal.out(|out| out.write_all(&text))?;
    Ok(exit(&report))
}

fn show_matrix(rows: &str, columns: &str, args: &VersionsArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let knowledge = Knowledge::bundled();
    let package = |name: &str| {
        let names = || knowledge.packages().map(Package::name).collect::<Vec<_>>().join(", ");
        let unknown = || Failure::Message(format!("`{name}` is no package that dpo-lint knows: {}", names()));
        knowledge.package(&normalize(name)).ok_or_else(unknown)
    };
    let (rows, columns) = (package(rows)?, package(columns)?);
    if rows.name() == columns.name() {
        return Err(Failure::Message("a matrix is about two packages".to_owned()));
    }
    let matrix = matrix::of(knowledge, rows, columns, &args.environment.choice());
    let mut text = Vec::new();
    match args.output_format {
        ListFormat::Json => output::write_matrix_json(&mut text, &matrix)?,
        ListFormat::Text => output::write_matrix(&mut text, &matrix)?,
    }
    terminal.out(|out| out.write_all(&text))?;
    Ok(Exit::Clean)
}

fn exit(report: &Report) -> Exit {
    if report.problems.is_empty() { Exit::Clean } else { Exit::Failure }
}
