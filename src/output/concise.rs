//! One line per finding, the form that editors and `grep` read: `path:line:column: error[DPL001] message`.

use std::io::{self, Write};
use std::path::Path;

use super::place::{Place, Places};
use super::printable;
use crate::engine::driver::Report;
use crate::source::Sources;

/// Writes a line per finding. `folder` is what shown paths are relative to.
pub fn write_concise(out: &mut dyn Write, report: &Report, sources: &Sources, folder: &Path) -> io::Result<()> {
    let places = Places::new(sources, folder);
    for finding in &report.findings {
        let Place { name, line, column, .. } = places.of(finding.primary.span);
        let (severity, code, message) = (finding.severity.as_str(), finding.code, &finding.message);
        let (name, message) = (printable(&name), printable(message));
        writeln!(out, "{name}:{line}:{column}: {severity}[{code}] {message}")?;
    }
    Ok(())
}
