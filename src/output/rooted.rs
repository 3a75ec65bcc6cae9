//! Places for services that show a repository: paths from its top, lines of the files themselves, also in notebooks.

use std::path::Path;

use super::place::Places;
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Position, Sources, Span, relative, slashed};

/// The files of a report, and the two folders that their paths are about. Both are absolute.
#[derive(Clone, Copy)]
pub struct Rooted<'a> {
    /// The files.
    pub sources: &'a Sources,
    /// What their paths are relative to: the working directory.
    pub folder: &'a Path,
    /// What paths are written from: the top of the repository.
    pub root: &'a Path,
}

impl Rooted<'_> {
    /// The path from the top, with forward slashes; of a file outside the repository it begins with `..` or `/`.
    pub(super) fn path(&self, file: FileId) -> String {
        slashed(&relative(self.root, &self.folder.join(self.sources.get(file).path())))
    }

    /// Where a span begins and ends.
    pub(super) fn ends(&self, span: Span) -> (Position, Position) {
        let file = self.sources.get(span.file);
        (file.position(span.start), file.position(span.end))
    }

    /// The headline; of a finding in a notebook with the place as a reader of the notebook sees it.
    pub(super) fn headline(&self, finding: &Diagnostic) -> String {
        let place = Places::new(self.sources, self.folder).of(finding.primary.span);
        match place.cell {
            Some(cell) => format!("{} (cell {cell}, line {})", finding.message, place.line),
            None => finding.message.clone(),
        }
    }

    /// The headline, then why and what to do: a line each.
    pub(super) fn text(&self, finding: &Diagnostic) -> String {
        let help = finding.help.as_ref().map(|help| format!("help: {help}"));
        let lines = std::iter::once(self.headline(finding)).chain(finding.notes.iter().cloned()).chain(help);
        lines.collect::<Vec<_>>().join("\n")
    }
}
