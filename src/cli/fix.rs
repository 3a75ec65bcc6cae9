//! `--fix`, `--diff`: what to do with the fixes of a report.

use super::Failure;
use super::args::CheckArgs;
use super::plan::Plan;
use super::terminal::Terminal;
use crate::diagnostic::Applicability;
use crate::engine::diff::diff;
use crate::engine::driver::{Report, sole_file};
use crate::engine::repair::{self, ChangedFile, Checked, Options, Recheck, Repaired};
use crate::source::{FileSystem, OsFileSystem, Sources};

/// A project after its fixes, nothing written yet.
pub(super) struct Fixed {
    pub files: Vec<ChangedFile>,
    /// What is left.
    pub report: Report,
    /// The files that the report speaks of.
    pub sources: Sources,
}

/// Applies the fixes that the command line asks for, in memory.
pub(super) fn apply(
    args: &CheckArgs,
    plan: &Plan,
    report: Report,
    sources: Sources,
    terminal: &mut Terminal,
) -> Result<Fixed, Failure> {
    let threshold = if args.unsafe_fixes { Applicability::Unsafe } else { Applicability::Safe };
    let recheck = Rechecker { plan };
    let problems = report.problems.len();
    // What the baseline knows is not in the report, and must be seen here.
    let (first, reported) = if plan.has_baseline() {
        (recheck.check(&plan.file_system()), Some(sources))
    } else {
        (recheck.checked(report.clone(), sources), None)
    };
    let options = Options { threshold, ..Options::default() };
    let Repaired { files, applied, remaining, rejected, is_cut_short } =
        repair::repair(&recheck, &plan.file_system(), first, options);
    let is_untouched = applied.is_empty() && rejected.is_empty();
    for fix in rejected {
        let (path, rule, title, reason) = (fix.path.display(), fix.rule, fix.title, fix.reason);
        terminal.warning_line(&format!("{path}: a fix of `{rule}` was not applied ({title}): {reason}"));
    }
    if is_cut_short {
        terminal.warning_line("there is more to fix; run dpo-lint again");
    }
    if is_untouched {
        // No round was played, so these are the files that the report was made from.
        return Ok(Fixed { files, report, sources: reported.unwrap_or(remaining.sources) });
    }
    let fixed = plan.file_system();
    for file in &files {
        fixed.insert(&file.path, file.after.as_bytes());
    }
    let sources = Sources::default();
    let mut report = plan.check(&fixed, &sources);
    if report.problems.len() > problems {
        terminal.problems(&report.problems);
        return Err(Failure::Message("nothing was fixed, since the result could not be checked".to_owned()));
    }
    report.fixed = applied.len();
    Ok(Fixed { files, report, sources })
}

/// Prints the changes, or makes them.
pub(super) fn conclude(
    args: &CheckArgs,
    plan: &Plan,
    files: &[ChangedFile],
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    if args.diff {
        let patch = diff(files);
        return Ok(terminal.out(|out| out.write_all(patch.as_bytes()))?);
    }
    let Some((path, content)) = &plan.stdin else {
        return repair::write(files, &OsFileSystem).map_err(|error| Failure::Message(error.to_string()));
    };
    // A filter prints its input even if there was nothing to do.
    let changed = files.iter().find(|file| file.path == *path).map(|file| file.after.as_bytes());
    Ok(terminal.out(|out| out.write_all(changed.unwrap_or(content)))?)
}

/// The plan, asked again and again.
struct Rechecker<'a> {
    plan: &'a Plan,
}

impl Rechecker<'_> {
    fn checked(&self, report: Report, sources: Sources) -> Checked {
        let mut findings = report.findings;
        if let Some((path, _)) = &self.plan.stdin {
            // Of standard input only the text itself can be changed: a fix of several files would be made by halves.
            for finding in &mut findings {
                finding.fixes.retain(|fix| sole_file(fix, &sources).as_ref() == Some(path));
            }
        }
        Checked { sources, findings }
    }
}

impl Recheck for Rechecker<'_> {
    fn check(&self, file_system: &dyn FileSystem) -> Checked {
        let sources = Sources::default();
        let report = self.plan.check_for_repair(file_system, &sources);
        self.checked(report, sources)
    }
}
