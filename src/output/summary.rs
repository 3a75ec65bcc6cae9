//! The last line, and counts per rule.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::diagnostic::{Applicability, Diagnostic, Severity};
use crate::engine::driver::Report;

/// Numbers of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files of a known format that were looked at.
    pub files: usize,
    /// Findings of severity error.
    pub errors: usize,
    /// Findings of severity warning.
    pub warnings: usize,
    /// Findings of severity info.
    pub infos: usize,
    /// Fixes that were applied before.
    pub fixed: usize,
    /// Findings that `--fix` mends.
    pub fixable: usize,
    /// Findings that only `--fix --unsafe-fixes` mends.
    pub unsafely_fixable: usize,
    /// Findings that are left out because the baseline knows them.
    pub in_baseline: usize,
}

impl Summary {
    /// Counts.
    pub fn of(report: &Report) -> Self {
        let with = |applicability| report.findings.iter().filter(|finding| best_fix(finding) == applicability).count();
        Self {
            files: report.looked_at,
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            infos: report.count(Severity::Info),
            fixed: report.fixed,
            fixable: with(Some(Applicability::Safe)),
            unsafely_fixable: with(Some(Applicability::Unsafe)),
            in_baseline: report.known,
        }
    }
}

fn best_fix(finding: &Diagnostic) -> Option<Applicability> {
    finding.fixes.iter().map(|fix| fix.applicability).max()
}

/// `Found 1 error, 2 warnings; 1 fixable with --fix`, or that all is well.
pub fn write_summary(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let summary = Summary::of(report);
    let fixed = match report.fixed {
        0 => String::new(),
        some => format!("Fixed {}. ", counted(some, "finding", "findings")),
    };
    let known = match summary.in_baseline {
        0 => String::new(),
        some => format!(" ({} in the baseline)", counted(some, "more finding is", "more findings are")),
    };
    if report.findings.is_empty() {
        return match (report.problems.is_empty(), fixed.as_str()) {
            (true, _) => writeln!(out, "{fixed}All checks passed!{known}"),
            (false, "") => Ok(()),
            (false, _) => writeln!(out, "{}", fixed.trim_end()),
        };
    }
    let counts = [
        (summary.errors, "error", "errors"),
        (summary.warnings, "warning", "warnings"),
        (summary.infos, "note", "notes"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(*count, one, many)).collect();
    write!(out, "{fixed}Found {}", counts.join(", "))?;
    match (summary.fixable, summary.unsafely_fixable) {
        (0, 0) => Ok(()),
        (safe, 0) => write!(out, "; {safe} fixable with --fix"),
        (0, more) => write!(out, "; {more} fixable with --fix --unsafe-fixes"),
        (safe, more) => write!(out, "; {safe} fixable with --fix, {more} more with --unsafe-fixes"),
    }?;
    writeln!(out, "{known}")
}

/// `1 finding`, `2 findings`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How often a rule found something.
#[derive(Serialize)]
struct Counted {
    rule: &'static str,
    code: &'static str,
    count: usize,
    /// Of these, what `--fix` mends.
    fixable: usize,
}

/// The most frequent rule first.
fn counts(report: &Report) -> Vec<Counted> {
    let mut counts: BTreeMap<&str, Counted> = BTreeMap::new();
    for finding in &report.findings {
        let Diagnostic { rule, code, .. } = *finding;
        let entry = counts.entry(code).or_insert(Counted { rule, code, count: 0, fixable: 0 });
        entry.count += 1;
        entry.fixable += usize::from(best_fix(finding) == Some(Applicability::Safe));
    }
    let mut counts: Vec<_> = counts.into_values().collect();
    counts.sort_by_key(|count| (std::cmp::Reverse(count.count), count.code));
    counts
}

/// A line per rule: how often, which.
pub fn write_statistics(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    for Counted { rule, code, count, .. } in counts(report) {
        writeln!(out, "{count:>5}  {code}  {rule}")?;
    }
    Ok(())
}

/// The same for programs.
pub fn write_json_statistics(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &counts(report))?;
    writeln!(out)
}
