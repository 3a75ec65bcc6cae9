//! A file as its comments see it: of a notebook the text of its cells, of everything else the file.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ruff_text_size::{TextRange, TextSize};

use crate::source::{SourceFile, Span};
use crate::syntax::python::PythonModule;
use crate::syntax::{self, Format};

/// The text that comments stand in, and the way back to the file.
pub(super) struct View {
    pub text: Arc<str>,
    /// In `text`, in order.
    pub comments: Vec<Range<usize>>,
    format: Format,
    source: Arc<SourceFile>,
    module: Option<Arc<PythonModule>>,
}

impl View {
    /// `None` for a file of no format.
    pub fn new(path: &Path, source: &Arc<SourceFile>) -> Option<Self> {
        let format = Format::of(path)?;
        let module = match format {
            Format::Python => Some(Arc::new(PythonModule::parse(source))),
            Format::Notebook => Some(syntax::notebook::parse(source).module),
            _ => None,
        };
        let (text, comments) = if let Some(module) = &module {
            let range = |range: &TextRange| usize::from(range.start())..usize::from(range.end());
            (Arc::from(module.text()), module.comments().iter().map(range).collect())
        } else {
            let document = syntax::parse(format, source);
            (Arc::from(source.text()), document.comments.iter().map(|span| span.range()).collect())
        };
        Some(Self { text, comments, format, source: Arc::clone(source), module })
    }

    /// A range of the text as a place in the file.
    pub fn span(&self, range: Range<usize>) -> Span {
        match &self.module {
            Some(module) => module.span(python_range(&range)),
            None => self.source.span(range),
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        let range = match &self.module {
            Some(module) => {
                let range = module.range(span);
                usize::from(range.start())..usize::from(range.end())
            }
            None => span.range(),
        };
        range.start.min(self.text.len())..range.end.min(self.text.len())
    }

    /// The number of the line that a byte of the text is on, from 0.
    fn line(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count()
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
        let range = self.range(span);
        let statement = match (&self.module, self.format) {
            (Some(module), _) => {
                module.statement_lines(python_range(&range)).map(|range| range.start().into()..range.end().into())
            }
            (None, Format::Shell | Format::Dockerfile | Format::Makefile | Format::Requirements) => {
                Some(self.continued(&range))
            }
            (None, _) => None,
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
