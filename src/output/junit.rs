//! XML of `JUnit`, which most CI services show as test results: a suite per file, a failed test per finding.

use std::io::{self, Write};

use super::rooted::Rooted;
use crate::diagnostic::Diagnostic;
use crate::engine::driver::Report;

/// Writes the report. A problem is a test that could not run.
pub fn write_junit(out: &mut dyn Write, report: &Report, files: Rooted<'_>) -> io::Result<()> {
    let (failures, errors) = (report.findings.len(), report.problems.len());
    // Services take a file without a test for a job that did not run.
    let is_clean = failures + errors == 0;
    let tests = failures + errors + usize::from(is_clean);
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuites name="dpo-lint" tests="{tests}" failures="{failures}" errors="{errors}">"#)?;
    if is_clean {
        writeln!(out, r#"  <testsuite name="dpo-lint" tests="1" failures="0" errors="0">"#)?;
        writeln!(out, r#"    <testcase name="no findings" classname="dpo-lint"/>"#)?;
        writeln!(out, "  </testsuite>")?;
    }
    if errors > 0 {
        writeln!(out, r#"  <testsuite name="dpo-lint" tests="{errors}" failures="0" errors="{errors}">"#)?;
        for problem in &report.problems {
            let message = attribute(&problem.message);
            writeln!(
                out,
                r#"    <testcase name="dpo-lint" classname="dpo-lint"><error message="{message}"/></testcase>"#
            )?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    for of_file in report.findings.chunk_by(|left, right| left.primary.span.file == right.primary.span.file) {
        write_suite(out, of_file, files)?;
    }
    writeln!(out, "</testsuites>")
}

fn write_suite(out: &mut dyn Write, findings: &[Diagnostic], files: Rooted<'_>) -> io::Result<()> {
    let path = files.path(findings[0].primary.span.file);
    let (name, count) = (attribute(&path), findings.len());
    writeln!(out, r#"  <testsuite name="{name}" tests="{count}" failures="{count}" errors="0">"#)?;
    for finding in findings {
        let (start, _) = files.ends(finding.primary.span);
        let (line, column) = (start.line, start.column);
        let case = attribute(&format!("{} ({line}:{column})", finding.rule));
        writeln!(out, r#"    <testcase name="{case}" classname="{name}" file="{name}" line="{line}">"#)?;
        let (kind, message) = (finding.severity.as_str(), files.headline(finding));
        let body = escape(&format!("{path}:{line}:{column}: {kind}[{}] {}", finding.code, files.text(finding)));
        writeln!(out, r#"      <failure type="{kind}" message="{}">{body}</failure>"#, attribute(&message))?;
        writeln!(out, "    </testcase>")?;
    }
    writeln!(out, "  </testsuite>")
}

/// Text of an element. What XML 1.0 cannot say at all becomes the replacement character.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' => escaped.push(c),
            // A bare one would be read as a line feed.
            '\r' => escaped.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text of an attribute, where readers turn blanks of every kind into spaces.
fn attribute(text: &str) -> String {
    escape(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{full, rooted, written};
    use crate::source::Sources;

    #[test]
    fn what_is_xml_in_a_message_stays_text() {
        let sources = Sources::default();
        let mut report = full(&sources);
        report.findings[0].message = "<a b=\"c\"> & ]]>\u{7}\nd".to_owned();
        report.problems.truncate(1);
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="dpo-lint" tests="2" failures="1" errors="1">
  <testsuite name="dpo-lint" tests="1" failures="0" errors="1">
    <testcase name="dpo-lint" classname="dpo-lint"><error message="cannot read"/></testcase>
  </testsuite>
  <testsuite name="a,b:/träin 1.py" tests="1" failures="1" errors="0">
    <testcase name="ref-model-with-peft-config (2:5)" classname="a,b:/träin 1.py" file="a,b:/träin 1.py" line="2">
      <failure type="warning" message="&lt;a b=&quot;c&quot;&gt; &amp; ]]&gt;�&#10;d">a,b:/träin 1.py:2:5: warning[DPL001] &lt;a b="c"&gt; &amp; ]]&gt;�
d
why
help: what to do</failure>
    </testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(written(|out| write_junit(out, &report, rooted(&sources))), expected);
    }

    #[test]
    fn a_clean_report_is_a_passed_test() {
        let sources = Sources::default();
        let text = written(|out| write_junit(out, &Report::default(), rooted(&sources)));
        assert!(
            text.contains(r#"tests="1" failures="0" errors="0""#) && text.contains("<testcase name=\"no findings\"")
        );
    }
}
