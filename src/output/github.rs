//! Annotations of GitHub Actions: workflow commands, which the runner reads from the log.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::rooted::Rooted;
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine::driver::Report;

/// Writes a command per finding and problem.
pub fn write_github(out: &mut dyn Write, report: &Report, files: Rooted<'_>) -> io::Result<()> {
    for problem in &report.problems {
        writeln!(out, "::error title={}::{}", property("dpo-lint"), message(&problem.message))?;
    }
    for finding in &report.findings {
        write_finding(out, finding, files)?;
    }
    Ok(())
}

fn write_finding(out: &mut dyn Write, finding: &Diagnostic, files: Rooted<'_>) -> io::Result<()> {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let path = files.path(finding.primary.span.file);
    let (start, end) = files.ends(finding.primary.span);
    let title = property(&format!("{} {}", finding.code, finding.rule));
    let mut place = format!("file={},line={},endLine={}", property(&path), start.line, end.line);
    // Columns are an error where the annotation has several lines.
    if start.line == end.line {
        let _ = write!(place, ",col={},endColumn={}", start.column, end.column);
    }
    // The log shows the text alone, so the place is in it as well.
    let text = format!("{path}:{}:{}: {}", start.line, start.column, files.text(finding));
    writeln!(out, "::{command} title={title},{place}::{}", message(&text))
}

/// What ends a command, or begins an escape.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What ends a property as well.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{full, rooted, written};
    use crate::source::Sources;

    #[test]
    fn a_finding_is_one_line_that_nothing_in_it_can_end() {
        let sources = Sources::default();
        let mut report = full(&sources);
        report.findings[0].message = "100% a::b, c\r\nd".to_owned();
        let text = written(|out| write_github(out, &report, rooted(&sources)));
        let expected = "::error title=dpo-lint::cannot read\n\
            ::error title=dpo-lint::bug\n\
            ::warning title=DPL001 ref-model-with-peft-config,file=a%2Cb%3A/träin 1.py,line=2,endLine=2,col=5,endColumn=8::\
            a,b:/träin 1.py:2:5: 100%25 a::b, c%0D%0Ad%0Awhy%0Ahelp: what to do\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_annotation_of_several_lines_has_no_columns() {
        let sources = Sources::default();
        let mut report = full(&sources);
        report.findings[0].primary.span.start = 3;
        report.problems.clear();
        let text = written(|out| write_github(out, &report, rooted(&sources)));
        assert!(text.contains(",line=1,endLine=2::a,b"), "{text}");
    }
}
