//! Notebooks that are open in the editor: their cells as one `.ipynb`, which is checked like one on the disk, and the way back from a
//! place in it to a cell.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::documents::Document;
use super::position::{Encoding, Lines};
use super::protocol::{CellsChange, NotebookCell, OpenedDocument};
use crate::source::Sources;
use crate::syntax::notebook;
use crate::syntax::python::PythonModule;

/// As the protocol counts the kinds of cells.
const CODE: u8 = 2;

/// An open notebook.
#[derive(Debug)]
pub(super) struct Notebook {
    /// In their order.
    cells: Vec<NotebookCell>,
    /// By URI, as the editor writes it. A cell that the editor keeps to itself has none.
    texts: BTreeMap<String, Document>,
    /// What is checked.
    pub layout: Arc<Layout>,
}

/// The cells of a notebook as they were at some time.
#[derive(Debug)]
pub(super) struct Layout {
    /// The `.ipynb`.
    pub text: Arc<str>,
    pub cells: Vec<Cell>,
}

/// A cell, and where its text stands.
#[derive(Debug)]
pub(super) struct Cell {
    pub uri: Arc<str>,
    pub text: Arc<str>,
    is_code: bool,
    /// The inside of the JSON string.
    range: Range<usize>,
}

impl Notebook {
    pub fn new(cells: Vec<NotebookCell>, texts: Vec<OpenedDocument>) -> Self {
        let texts = texts.into_iter().map(|text| (text.uri.clone(), Document::new(text))).collect();
        let layout = Arc::new(Layout::new(&cells, &texts));
        Self { cells, texts, layout }
    }

    /// Cells that come and go before what is written in them, as the protocol says.
    pub fn change(&mut self, change: CellsChange, encoding: Encoding) {
        if let Some(structure) = change.structure {
            let all = self.cells.len();
            let start = structure.array.start.min(all);
            let end = start.saturating_add(structure.array.delete_count).min(all);
            self.cells.splice(start..end, structure.array.cells);
            // A cell that moves is closed and opened.
            for closed in structure.did_close {
                self.texts.remove(&closed.uri);
            }
            for opened in structure.did_open {
                self.texts.insert(opened.uri.clone(), Document::new(opened));
            }
        }
        for cell in change.data {
            if let Some(own) = self.cells.iter_mut().find(|own| own.document == cell.document) {
                *own = cell;
            }
        }
        for content in change.text_content {
            if let Some(text) = self.texts.get_mut(&content.document.uri) {
                text.change(content.changes, content.document.version, encoding);
            }
        }
        self.layout = Arc::new(Layout::new(&self.cells, &self.texts));
    }

    /// The text of a cell.
    pub fn cell(&self, uri: &str) -> Option<&Document> {
        self.texts.get(uri)
    }
}

impl Layout {
    fn new(cells: &[NotebookCell], texts: &BTreeMap<String, Document>) -> Self {
        let mut text = String::from("{\"cells\": [");
        let mut placed = Vec::with_capacity(cells.len());
        for cell in cells {
            let Some(document) = texts.get(&cell.document) else { continue };
            let is_code = cell.kind == CODE;
            if !placed.is_empty() {
                text.push_str(",\n");
            }
            text.push_str("{\"cell_type\": \"");
            text.push_str(if is_code { "code\", " } else { "markdown\", " });
            // Some editors give a cell that a magic makes shell another language, though the kernel is Python's.
            let language = document.language.as_deref().filter(|_| !document.text.trim_start().starts_with("%%"));
            if let Some(language) = language {
                text.push_str("\"language\": \"");
                push_escaped(&mut text, language);
                text.push_str("\", ");
            }
            text.push_str("\"source\": \"");
            let start = text.len();
            push_escaped(&mut text, &document.text);
            let range = start..text.len();
            text.push_str("\"}");
            let (uri, own) = (document.uri.as_str().into(), Arc::clone(&document.text));
            placed.push(Cell { uri, text: own, is_code, range });
        }
        text.push_str("], \"metadata\": {}, \"nbformat\": 4}\n");
        Self { text: text.into(), cells: placed }
    }

    /// The cell in which a range of the file begins, and the part of its text that the range stands for. What lies between cells belongs
    /// to the one before. `None`: there are no cells.
    pub fn place(&self, range: &Range<usize>) -> Option<(&Cell, Range<usize>)> {
        let after = self.cells.partition_point(|cell| cell.range.start <= range.start);
        let cell = self.cells.get(after.saturating_sub(1))?;
        let start = cell.offset(range.start);
        Some((cell, start..cell.offset(range.end).max(start)))
    }

    /// The texts of the cells in an `.ipynb` that edits made of this one. `None`: the cells are others.
    pub fn texts_in(&self, after: &str) -> Option<Vec<String>> {
        let after: serde_json::Value = serde_json::from_str(after).ok()?;
        let cells = after.get("cells")?.as_array().filter(|cells| cells.len() == self.cells.len())?;
        cells.iter().map(|cell| Some(cell.get("source")?.as_str()?.to_owned())).collect()
    }

    /// The Python of all cells as a module that a cell (by URI) is part of, and the line of it on which that cell begins. Other cells that
    /// are no Python, or not yet, are left out.
    pub fn python_around(&self, uri: &str) -> Option<(String, u32)> {
        let mut joined = String::new();
        let mut first_line = None;
        for cell in self.cells.iter().filter(|cell| cell.is_code) {
            let is_asked = &*cell.uri == uri;
            let Some(part) = notebook::python_part(&cell.text) else { continue };
            if !is_asked && !is_python(&cell.text[part.clone()]) {
                continue;
            }
            if is_asked {
                first_line = Some(line_count(&joined));
            }
            // Magics above the Python keep their lines.
            joined.extend(cell.text[..part.start].matches('\n'));
            joined.push_str(&cell.text[part]);
            joined.push('\n');
        }
        first_line.map(|line| (joined, line))
    }
}

impl Cell {
    /// A place in the file as one in the text; what is outside is the nearest end.
    fn offset(&self, in_file: usize) -> usize {
        let mut at = self.range.start;
        for (offset, letter) in self.text.char_indices() {
            at += escape(letter).map_or(letter.len_utf8(), |escaped| escaped.len());
            if at > in_file {
                return offset;
            }
        }
        self.text.len()
    }
}

/// How many lines come before what is added next.
fn line_count(text: &str) -> u32 {
    Lines::new(text, Encoding::Utf8).position(text.len()).line
}

fn is_python(text: &str) -> bool {
    let source = Sources::default().add("cell.ipynb".into(), text);
    PythonModule::from_pieces(&source, text.into(), Vec::new()).errors().is_empty()
}

fn push_escaped(out: &mut String, text: &str) {
    for letter in text.chars() {
        match escape(letter) {
            Some(escaped) => out.push_str(&escaped),
            None => out.push(letter),
        }
    }
}

/// What stands for a letter in a JSON string; `None`: itself.
fn escape(letter: char) -> Option<std::borrow::Cow<'static, str>> {
    Some(match letter {
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        control if control < ' ' => format!("\\u{:04x}", u32::from(control)).into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn notebook(texts: &[(&str, u8, &str, &str)]) -> Notebook {
        let cells = texts.iter().map(|(uri, kind, ..)| json!({"kind": kind, "document": uri}));
        let documents = texts
            .iter()
            .map(|(uri, _, language, text)| json!({"uri": uri, "languageId": language, "version": 1, "text": text}));
        let read = |list: Vec<serde_json::Value>| serde_json::Value::from(list);
        Notebook::new(
            serde_json::from_value(read(cells.collect())).expect("cells"),
            serde_json::from_value(read(documents.collect())).expect("texts"),
        )
    }

    #[test]
    fn places_in_the_file_are_places_in_cells() {
        let odd = "a = \"\\\\\t中𝄞\"\r\n\u{1}b = 1";
        let notebook = notebook(&[("c:0", 1, "markdown", "# x"), ("c:1", 2, "python", odd), ("c:2", 2, "python", "")]);
        let layout = &notebook.layout;
        assert_eq!(layout.texts_in(&layout.text).expect("JSON"), ["# x", odd, ""]);
        for (offset, letter) in odd.char_indices() {
            let (cell, place) = layout
                .place(&{
                    let start = layout.cells[1].range.start;
                    let before: usize =
                        odd[..offset].chars().map(|one| escape(one).map_or(one.len_utf8(), |text| text.len())).sum();
                    start + before..start + before + escape(letter).map_or(letter.len_utf8(), |text| text.len())
                })
                .expect("cells");
            assert_eq!((&*cell.uri, &odd[place]), ("c:1", letter.encode_utf8(&mut [0; 4]) as &str));
        }
        // Outside of all cells the nearest one counts.
        let places = [0..1, layout.text.len() - 1..layout.text.len()].map(|range| {
            let (cell, place) = layout.place(&range).expect("cells");
            (cell.uri.to_string(), place)
        });
        assert_eq!(places, [("c:0".to_owned(), 0..0), ("c:2".to_owned(), 0..0)]);
        assert!(notebook.layout.texts_in("{}").is_none() && notebook.layout.texts_in("{\"cells\": []}").is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_from_the_file_as_it_was_written(one in ".*", other in "[ -~\\n\\r\\t\u{0}-\u{1f}𝄞]*") {
            let notebook = notebook(&[("c:0", 2, "python", &one), ("c:1", 2, "python", &other)]);
            let layout = &notebook.layout;
            proptest::prop_assert_eq!(layout.texts_in(&layout.text), Some(vec![one, other]));
            let source = Sources::default().add("a.ipynb".into(), &*layout.text);
            let read = notebook::parse(&source);
            for error in &read.errors {
                proptest::prop_assert!(layout.cells.iter().any(|cell| cell.range.start <= error.span.start as usize
                    && error.span.end as usize <= cell.range.end), "the JSON is sound: {error:?}");
            }
        }
    }

    #[test]
    fn cells_come_go_and_change_in_the_order_of_the_protocol() {
        let mut notebook = notebook(&[("c:0", 2, "python", "a"), ("c:1", 2, "python", "b"), ("c:2", 2, "r", "c")]);
        let change = |notebook: &mut Notebook, change: serde_json::Value| {
            notebook.change(serde_json::from_value(change).expect("a change"), Encoding::Utf16);
            let cells = notebook.layout.cells.iter().map(|cell| cell.text.to_string());
            cells.collect::<Vec<_>>()
        };
        let moved = json!({"structure": {"array": {"start": 0, "deleteCount": 2, "cells": [
            {"kind": 2, "document": "c:1"}, {"kind": 2, "document": "c:0"}, {"kind": 2, "document": "c:3"}]},
            "didOpen": [{"uri": "c:3", "languageId": "python", "version": 1, "text": "new"}]},
            "textContent": [{"document": {"uri": "c:3", "version": 2}, "changes": [{"text": "newer"}]}]});
        assert_eq!(change(&mut notebook, moved), ["b", "a", "newer", "c"]);
        let gone = json!({"structure": {"array": {"start": 1, "deleteCount": 99}, "didClose": [{"uri": "c:0"}]}});
        assert_eq!(change(&mut notebook, gone), ["b"]);
        assert!(notebook.cell("c:0").is_none());
        let beyond = json!({"structure": {"array": {"start": 9, "deleteCount": 1}}});
        assert_eq!(change(&mut notebook, beyond), ["b"]);
        assert!(notebook.layout.text.contains("\"code\""));
        let markup = json!({"data": [{"kind": 1, "document": "c:1"}]});
        change(&mut notebook, markup);
        assert!(notebook.layout.text.contains("\"markdown\""));
    }

    #[test]
    fn a_cell_is_part_of_the_python_around_it() {
        let notebook = notebook(&[
            ("c:0", 2, "python", "import trl"),
            ("c:1", 1, "markdown", "text"),
            ("c:2", 2, "python", "x = ("),
            ("c:3", 2, "shellscript", "%%bash\nls"),
            ("c:4", 2, "python", "%%time\n!ls\nf("),
        ]);
        let around = |uri| notebook.layout.python_around(uri);
        assert_eq!(around("c:4"), Some(("import trl\n\n!ls\nf(\n".to_owned(), 1)));
        assert_eq!(around("c:2"), Some(("import trl\nx = (\n".to_owned(), 1)));
        assert_eq!(around("c:3"), None);
        assert!(!notebook.layout.text.contains("shellscript"), "the kernel's language counts");
    }
}
