//! A file as its comments see it: of a notebook the Python of its cells and each shell cell, of everything else the file.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ruff_text_size::{TextRange, TextSize};

use crate::source::{SourceFile, Span};
use crate::syntax::embedded::Embedded;
use crate::syntax::notebook::ShellCell;
use crate::syntax::python::PythonModule;
use crate::syntax::{self, Document, Format};

/// A text that comments stand in, and the way back to the file.
pub(super) struct View {
    pub text: Arc<str>,
    /// In `text`, in order.
    pub comments: Vec<Range<usize>>,
    format: Format,
    origin: Origin,
}

/// What the text is.
enum Origin {
    /// The file as it is, of a format other than Python.
    File(Arc<SourceFile>),
    /// A script, or the Python of a notebook's cells.
    Python(Arc<PythonModule>),
    /// A notebook's cell that is shell as a whole.
    Cell(Embedded<'static>),
}

impl View {
    /// None for a file of no format, several for a notebook.
    pub fn all(path: &Path, source: &Arc<SourceFile>) -> Vec<Self> {
        let Some(format) = Format::of(path) else { return Vec::new() };
        match format {
            Format::Python => vec![Self::python(format, Arc::new(PythonModule::parse(source)), &[])],
            Format::Notebook => {
                let notebook = syntax::notebook::parse(source);
                let python = Self::python(format, notebook.module, &notebook.commands);
                std::iter::once(python).chain(notebook.shell.into_iter().map(Self::cell)).collect()
            }
            _ => {
                let comments = syntax::parse(format, source).comments.iter().map(|span| span.range()).collect();
                vec![Self { text: source.text().into(), comments, format, origin: Origin::File(Arc::clone(source)) }]
            }
        }
    }

    /// The comments of Python, and those of the lines in it that run a command.
    fn python(format: Format, module: Arc<PythonModule>, commands: &[Document]) -> Self {
        let of_commands = commands.iter().flat_map(|command| &command.comments).map(|span| module.range(*span));
        let ranges = module.comments().iter().copied().chain(of_commands);
        let mut comments: Vec<Range<usize>> =
            ranges.map(|range| usize::from(range.start())..usize::from(range.end())).collect();
        comments.sort_by_key(|comment| comment.start);
        Self { text: module.text().into(), comments, format, origin: Origin::Python(module) }
    }

    fn cell(cell: ShellCell) -> Self {
        let comments = cell.document.comments.iter().filter_map(|span| cell.text.range(*span)).collect();
        Self { text: cell.text.text().into(), comments, format: Format::Notebook, origin: Origin::Cell(cell.text) }
    }

    /// A range of the text as a place in the file.
    pub fn span(&self, range: Range<usize>) -> Span {
        match &self.origin {
            Origin::File(source) => source.span(range),
            Origin::Python(module) => module.span(python_range(&range)),
            Origin::Cell(text) => text.span(range),
        }
    }

    /// `None` for a place that is not in this text.
    pub fn range(&self, span: Span) -> Option<Range<usize>> {
        let range = match &self.origin {
            Origin::File(_) => span.range(),
            Origin::Python(module) => {
                let range = module.range(span);
                if self.format == Format::Notebook && module.span(range) != span {
                    return None;
                }
                range.start().into()..range.end().into()
            }
            Origin::Cell(text) => text.range(span)?,
        };
        Some(range.start.min(self.text.len())..range.end.min(self.text.len()))
    }

    /// The number of the line that a byte of the text is on, from 0.
    pub fn line(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count()
    }

    /// The bytes of a line, with its end; of one past the last line the end of the text.
    pub fn nth_line(&self, line: usize) -> Range<usize> {
        let newlines = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let start = std::iter::once(0).chain(newlines).nth(line).unwrap_or(self.text.len());
        start..self.line_end(start)
    }

    /// Text as it must be written into the file: cells of a notebook are JSON strings.
    pub fn escape(&self, text: &str) -> String {
        match &self.origin {
            Origin::File(_) => text.to_owned(),
            Origin::Python(module) => module.escape(text),
            Origin::Cell(_) => {
                let quoted = serde_json::Value::from(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
        }
    }

    fn line_start(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
    }

    /// One past the line's newline.
    fn line_end(&self, offset: usize) -> usize {
        self.text.as_bytes()[offset..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(self.text.len(), |at| offset + at + 1)
    }

    fn is_alone(&self, comment: &Range<usize>) -> bool {
        let before = &self.text[self.line_start(comment.start)..comment.start];
        before.trim_start_matches('\u{feff}').trim().is_empty()
    }

    /// The line that a comment speaks of: its own, or the next one that is no comment.
    pub fn line_spoken_of(&self, comment: &Range<usize>) -> usize {
        if !self.is_alone(comment) {
            return self.line(comment.start);
        }
        let mut at = self.line_end(comment.end);
        while let Some(next) = self.comments.iter().find(|next| next.start >= at && next.start < self.line_end(at)) {
            if !self.is_alone(next) {
                break;
            }
            at = self.line_end(next.end);
        }
        self.line(at)
    }

    /// The lines on which a finding may be suppressed.
    pub fn lines_of(&self, span: Span) -> BTreeSet<usize> {
        let Some(range) = self.range(span) else { return BTreeSet::new() };
        let statement = match (&self.origin, self.format) {
            (Origin::Python(module), _) => {
                module.statement_lines(python_range(&range)).map(|range| range.start().into()..range.end().into())
            }
            (Origin::Cell(_), _)
            | (_, Format::Shell | Format::Dockerfile | Format::Makefile | Format::Requirements) => {
                Some(self.continued(&range))
            }
            (Origin::File(_), _) => None,
        };
        // The end is one past the last byte, which may be the next line's first.
        let ends = [Some(range), statement].into_iter().flatten();
        ends.flat_map(|range: Range<usize>| [range.start, range.end.saturating_sub(1).max(range.start)])
            .map(|offset| self.line(offset))
            .collect()
    }

    /// The lines around a range that backslashes join.
    fn continued(&self, range: &Range<usize>) -> Range<usize> {
        let joins = |line: &str| line.trim_end_matches(['\r', '\n']).ends_with('\\');
        let mut start = self.line_start(range.start);
        while start > 0 && joins(&self.text[self.line_start(start - 1)..start]) {
            start = self.line_start(start - 1);
        }
        start..range.end.max(start)
    }

    /// What goes when a comment goes: the blanks before it, or its whole line.
    pub fn removable(&self, comment: &Range<usize>) -> Range<usize> {
        let line_start = self.line_start(comment.start);
        let before = &self.text[line_start..comment.start];
        let rest = &self.text[comment.end..self.line_end(comment.end)];
        let is_cell = self.format == Format::Notebook;
        if before.trim().is_empty() && rest.trim().is_empty() && !is_cell {
            return line_start..self.line_end(comment.end);
        }
        let start = comment.start - (before.len() - before.trim_end_matches([' ', '\t']).len());
        start..comment.end
    }
}

fn python_range(range: &Range<usize>) -> TextRange {
    let at = |offset: usize| TextSize::new(offset as u32);
    TextRange::new(at(range.start), at(range.end))
}
