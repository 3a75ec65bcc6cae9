//! `dpo-lint migrate`

use std::fmt::Write as _;

use super::args::{GlobalArgs, MigrateArgs};
use super::plan::Plan;
use super::progress::Progress;
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::diagnostic::Applicability;
use crate::engine::diff::diff;
use crate::engine::migrate::{Goal, Migrated};
use crate::engine::repair::{self, AppliedFix};
use crate::engine::settings::Overrides;
use crate::output;
use crate::source::OsFileSystem;

pub(super) fn run(args: &MigrateArgs, global: &GlobalArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let progress = Progress::start(!global.quiet);
    let plan = Plan::new(&args.project, &Overrides::default(), global, &progress, terminal)?;
    let goal = |target| Goal::resolve(target, plan.knowledge()).map_err(Failure::Message);
    let goals = args.to.iter().map(goal).collect::<Result<Vec<Goal>, Failure>>()?;
    if plan.stdin.is_some() {
        return Err(Failure::Message("a project cannot be migrated from standard input".to_owned()));
    }
    let migrated = plan.migrate(&goals, &plan.file_system());
    drop(progress);
    let problems: Vec<_> = plan.problems.iter().chain(migrated.iter().flat_map(|one| &one.problems)).cloned().collect();
    terminal.problems(&problems);
    if !problems.is_empty() {
        return Err(Failure::Message(
            "nothing was migrated, since the project could not be checked as a whole".to_owned(),
        ));
    }
    let is_changed = migrated.iter().any(|one| !one.files.is_empty());
    let is_left = migrated.iter().any(|one| !one.left.is_empty() || !one.pins.is_empty());
    for one in &migrated {
        if args.write {
            repair::write(&one.files, &OsFileSystem).map_err(|error| Failure::Message(error.to_string()))?;
        } else {
            terminal.out(|out| out.write_all(diff(&one.files).as_bytes()))?;
        }
    }
    if !global.quiet {
        let report = report(&migrated, &plan, args.write);
        // The patch alone is on standard output.
        if args.write {
            terminal.out(|out| out.write_all(report.as_bytes()))?;
        } else {
            terminal.error(&report);
        }
    }
    Ok(if is_left || is_changed && !args.write { Exit::Findings } else { Exit::Clean })
}

/// What was done, what is left to do by hand, and which defaults are others now.
fn report(migrated: &[Migrated], plan: &Plan, is_written: bool) -> String {
    let mut text = String::new();
    let files = migrated.iter().map(|one| one.files.len()).sum();
    let changes = migrated.iter().map(|one| one.applied.len()).sum();
    let (made, made_in) = (output::counted(changes, "change", "changes"), output::counted(files, "file", "files"));
    let would = if is_written { "Made" } else { "Would make" };
    _ = writeln!(text, "{would} {made} in {made_in}.");
    section(&mut text, "Left to do by hand:", &migrated.iter().flat_map(|one| left(one, plan)).collect::<Vec<_>>());
    section(&mut text, "Left out, since the release has nothing like it:", &dropped(migrated, plan));
    section(&mut text, "Defaults that change:", &migrated.iter().flat_map(|one| drift(one, plan)).collect::<Vec<_>>());
    text
}

fn section(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    _ = writeln!(text, "\n{title}");
    for line in lines {
        _ = writeln!(text, "  {line}");
    }
}

/// What could not be done, where, and why.
fn left(migrated: &Migrated, plan: &Plan) -> Vec<String> {
    let shown = output::shown_places(&migrated.sources, &plan.folder);
    let mut lines = Vec::new();
    for finding in &migrated.left {
        let place = shown(finding.primary.span);
        let why = migrated
            .rejected
            .iter()
            .find(|fix| fix.rule == finding.rule && fix.path == migrated.sources.get(finding.primary.span.file).path());
        let why = why.map(|fix| format!(" ({}: {})", fix.title, fix.reason)).unwrap_or_default();
        let help = finding.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        lines.push(format!("{place}: {} [{}]{help}{why}", finding.message, finding.rule));
    }
    for pin in &migrated.pins {
        let (path, line) = &pin.place;
        lines.push(format!("{}:{line}: `{}`: {}", output::shown_path(&plan.folder, path), pin.requirement, pin.why));
    }
    lines.extend(migrated.notes.iter().cloned());
    lines
}

/// Arguments that asked for something and are gone.
fn dropped(migrated: &[Migrated], plan: &Plan) -> Vec<String> {
    let all = migrated.iter().flat_map(|one| &one.applied);
    let is_loss = |fix: &&AppliedFix| fix.rule == "removed-argument" && fix.applicability < Applicability::Safe;
    let losses = all.filter(is_loss).filter_map(|fix| Some((fix, fix.title.strip_prefix("remove ")?)));
    losses.map(|(fix, names)| format!("{}: {names}", output::shown_path(&plan.folder, &fix.path))).collect()
}

fn drift(migrated: &Migrated, plan: &Plan) -> Vec<String> {
    let shown = output::shown_places(&migrated.sources, &plan.folder);
    let line = |drift: &crate::rules::Drift| {
        let (place, owner) = (shown(drift.span), &drift.owner);
        let (before, after) = (&drift.before, &drift.after);
        let since = drift.since.as_ref().map(|release| format!(" (changed by {release})")).unwrap_or_default();
        format!("{place}: `{owner}` now has `{after}`; `{before}` keeps what it was{since}")
    };
    migrated.drift.iter().map(line).collect()
}
