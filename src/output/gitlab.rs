//! The code quality report of GitLab.

use std::io::{self, Write};

use serde::Serialize;

use super::rooted::Rooted;
use crate::diagnostic::Severity;
use crate::engine::content::Contents;
use crate::engine::driver::Report;

/// Writes a list of findings; the format has no place for problems.
pub fn write_gitlab(out: &mut dyn Write, report: &Report, files: Rooted<'_>) -> io::Result<()> {
    let contents = Contents::new(files.sources, files.folder, files.root).numbered(&report.findings);
    let issue = |(finding, (content, number)): (&crate::diagnostic::Diagnostic, &(_, usize))| {
        let content: &crate::engine::content::Content = content;
        let (start, end) = files.ends(finding.primary.span);
        GitlabIssue {
            description: files.headline(finding),
            check_name: finding.rule,
            fingerprint: content.fingerprint(*number),
            severity: severity(finding.severity),
            location: GitlabLocation {
                path: content.path.clone(),
                lines: GitlabLines { begin: start.line, end: end.line },
            },
        }
    };
    let issues: Vec<GitlabIssue<'_>> = report.findings.iter().zip(&contents).map(issue).collect();
    serde_json::to_writer_pretty(&mut *out, &issues)?;
    writeln!(out)
}

#[derive(Serialize)]
struct GitlabIssue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: GitlabLocation,
}

#[derive(Serialize)]
struct GitlabLocation {
    path: String,
    lines: GitlabLines,
}

#[derive(Serialize)]
struct GitlabLines {
    begin: usize,
    end: usize,
}

/// GitLab has five: `info`, `minor`, `major`, `critical`, `blocker`.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "critical",
        Severity::Warning => "major",
        Severity::Info => "info",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::output::testing::{full, rooted, written};
    use crate::source::Sources;

    fn issues(report: &Report, sources: &Sources) -> Value {
        serde_json::from_str(&written(|out| write_gitlab(out, report, rooted(sources)))).expect("JSON")
    }

    #[test]
    fn an_issue_has_the_documented_fields() {
        let sources = Sources::default();
        let issues = issues(&full(&sources), &sources);
        let expected = json!([{
            "description": "both are given",
            "check_name": "ref-model-with-peft-config",
            "fingerprint": "58de60acef697155",
            "severity": "major",
            "location": {"path": "a,b:/träin 1.py", "lines": {"begin": 2, "end": 2}},
        }]);
        assert_eq!(issues, expected);
    }

    #[test]
    fn no_two_fingerprints_are_alike() {
        let sources = Sources::default();
        let mut report = full(&sources);
        report.findings.push(report.findings[0].clone());
        let issues = issues(&report, &sources);
        assert_ne!(issues[0]["fingerprint"], issues[1]["fingerprint"]);
        assert_eq!(self::issues(&Report::default(), &sources), json!([]));
    }
}
