//! Paths and places as a reader wants them: relative paths, and cells of a notebook instead of its JSON.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::source::{FileId, SourceFile, Sources, Span, relative, slashed};
use crate::syntax::Format;
use crate::syntax::notebook::{self, Notebook};

/// A path as it is shown: relative to `folder` (absolute) where that is shorter to read, with forward slashes.
pub fn shown_path(folder: &Path, path: &Path) -> String {
    let shown = if path.is_absolute() { relative(folder, path) } else { path.to_path_buf() };
    if shown.as_os_str().is_empty() {
        return ".".to_owned();
    }
    slashed(&shown)
}

/// Writes places as `train.py:12`, `train.ipynb:cell 3:1`; paths are relative to `folder`.
pub fn shown_places<'a>(sources: &'a Sources, folder: &'a Path) -> impl Fn(Span) -> String + 'a {
    let places = Places::new(sources, folder);
    move |span| {
        let Place { name, line, .. } = places.of(span);
        format!("{name}:{line}")
    }
}

/// Finds places. Notebooks are parsed once each.
pub(super) struct Places<'a> {
    pub sources: &'a Sources,
    /// What shown paths are relative to.
    pub folder: &'a Path,
    notebooks: RefCell<BTreeMap<FileId, Arc<Notebook>>>,
}

/// Where something is, for a reader.
pub(super) struct Place {
    /// `train.py`, `train.ipynb:cell 3`.
    pub name: String,
    /// The text that `range` is a part of: the file or the cell.
    pub text: Text,
    /// In bytes of `text`, clamped to it and to whole characters.
    pub range: Range<usize>,
    /// Of `text`, from 1.
    pub line: usize,
    /// In Unicode scalar values, from 1.
    pub column: usize,
    /// Of a notebook: which cell, from 1.
    pub cell: Option<usize>,
}

/// What a reader sees of a file.
#[derive(Clone)]
pub(super) enum Text {
    File(Arc<SourceFile>),
    Cell(Arc<str>),
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::File(file) => file.text(),
            Self::Cell(text) => text,
        }
    }
}

impl<'a> Places<'a> {
    pub fn new(sources: &'a Sources, folder: &'a Path) -> Self {
        Self { sources, folder, notebooks: RefCell::default() }
    }

    /// The path of a file, without a cell.
    pub fn path(&self, file: FileId) -> String {
        shown_path(self.folder, self.sources.get(file).path())
    }

    pub fn of(&self, span: Span) -> Place {
        let file = self.sources.get(span.file);
        if Format::of(file.path()) == Some(Format::Notebook)
            && let Some(place) = self.in_cell(&file, span)
        {
            return place;
        }
        let at = file.position(span.start);
        let start = floor_char_boundary(file.text(), span.start as usize);
        let end = floor_char_boundary(file.text(), span.end as usize).max(start);
        let name = self.path(span.file);
        Place { name, text: Text::File(file), range: start..end, line: at.line, column: at.column, cell: None }
    }

    /// `None` for what does not stand in the Python of a cell.
    fn in_cell(&self, file: &SourceFile, span: Span) -> Option<Place> {
        let mut notebooks = self.notebooks.borrow_mut();
        let notebook = notebooks.entry(span.file).or_insert_with(|| Arc::new(notebook::parse(file)));
        let module = &notebook.module;
        let range = module.range(span);
        let cell = notebook.cell_of(span.start)?;
        if module.span(range) != span {
            return None;
        }
        let text = module.text();
        let range = usize::from(range.start())..usize::from(range.end());
        let of = |offset: usize| {
            let at = ruff_text_size::TextSize::new(offset as u32);
            notebook.cell_of(module.span(ruff_text_size::TextRange::empty(at)).start)
        };
        // The lines of the module that stand in the same cell, up and down from this one.
        let line_start = |offset: usize| text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let mut start = line_start(range.start);
        while start > 0 && of(line_start(start - 1)) == Some(cell) {
            start = line_start(start - 1);
        }
        let mut end = range.end;
        loop {
            end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
            if end == text.len() || of(end) != Some(cell) {
                break;
            }
        }
        let before = &text[start..range.start];
        Some(Place {
            name: format!("{}:cell {}", self.path(span.file), cell + 1),
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
            cell: Some(cell + 1),
            text: Text::Cell(text[start..end].into()),
            range: range.start - start..range.end - start,
        })
    }
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_working_folder() {
        for (path, expected) in [
            ("train.py", "train.py"),
            ("/home/me/project/a/train.py", "a/train.py"),
            ("/home/me/other.py", "../other.py"),
            ("/home/me/project", "."),
            ("/tmp/x.py", "/tmp/x.py"),
        ] {
            assert_eq!(shown_path(Path::new("/home/me/project"), Path::new(path)), expected);
        }
    }

    #[test]
    fn of_a_notebook_the_cell_is_shown() {
        let sources = Sources::default();
        let notebook = r##"{"cells": [
            {"cell_type": "markdown", "source": ["# title"]},
            {"cell_type": "code", "source": "a = 1\nb = \"中\"; HERE()"},
            {"cell_type": "code", "source": ["x = 2\n", "y = [\n", "  HERE,\n", "]"]},
            {"cell_type": "code", "source": "%%bash\nrun HERE"}
        ], "metadata": {}, "nbformat": 4}"##;
        let file = sources.add("a.ipynb".into(), notebook);
        let places = Places::new(&sources, Path::new("/"));
        let found: Vec<_> = notebook
            .match_indices("HERE")
            .map(|(at, word)| places.of(file.span(at..at + word.len())))
            .map(|place| {
                (
                    place.name.clone(),
                    place.line,
                    place.column,
                    (*place.text).to_owned(),
                    place.text[place.range].to_owned(),
                )
            })
            .collect();
        let expected = [
            ("a.ipynb:cell 2", 2, 10, "a = 1\nb = \"中\"; HERE()\n"),
            ("a.ipynb:cell 3", 3, 3, "x = 2\ny = [\n  HERE,\n]\n"),
            ("a.ipynb", 5, 58, notebook),
        ];
        let expected = expected
            .map(|(name, line, column, text)| (name.to_owned(), line, column, text.to_owned(), "HERE".to_owned()));
        assert_eq!(found, expected);
    }
}
