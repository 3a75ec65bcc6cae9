//! One line per finding, the form that editors and `grep` read: `path:line:column: error[DPL001] message`.

use std::io::{self, Write};
use std::path::Path;

use super::shown_path;
use crate::engine::driver::Report;
use crate::source::Sources;

/// Writes a line per finding. `folder` is what shown paths are relative to.
pub fn write_concise(out: &mut dyn Write, report: &Report, sources: &Sources, folder: &Path) -> io::Result<()> {
    for finding in &report.findings {
        let file = sources.get(finding.primary.span.file);
        let at = file.position(finding.primary.span.start);
        let path = shown_path(folder, file.path());
        let (severity, code, message) = (finding.severity.as_str(), finding.code, &finding.message);
        writeln!(out, "{path}:{}:{}: {severity}[{code}] {message}", at.line, at.column)?;
    }
    Ok(())
}
