//! The texts that are open in the editor, saved or not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::notebooks::{Layout, Notebook};
use super::position::{Encoding, Lines};
use super::protocol::{ChangeNotebookParams, ChangeParams, ContentChange, OpenNotebookParams, OpenedDocument};
use super::uri;

/// An open text.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// As the editor writes it.
    pub uri: String,
    pub version: i64,
    /// As the editor calls it.
    pub language: Option<String>,
    pub text: Arc<str>,
}

/// What the editor shows as one text: a file, or a cell of a notebook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TextId {
    /// Of the file.
    pub path: PathBuf,
    /// The URI of the cell.
    pub cell: Option<Arc<str>>,
}

/// All of them that are files, by absolute path.
#[derive(Debug, Default)]
pub(super) struct Documents {
    by_path: BTreeMap<PathBuf, Document>,
    notebooks: BTreeMap<PathBuf, Notebook>,
}

impl Document {
    pub fn new(opened: OpenedDocument) -> Self {
        let OpenedDocument { uri, version, language_id: language, text } = opened;
        Self { uri, version, language, text: text.into() }
    }

    pub fn change(&mut self, changes: Vec<ContentChange>, version: i64, encoding: Encoding) {
        let mut text = self.text.to_string();
        for part in changes {
            let Some(range) = part.range else {
                text = part.text;
                continue;
            };
            let lines = Lines::new(&text, encoding);
            let (start, end) = (lines.offset(range.start), lines.offset(range.end));
            text.replace_range(start..end.max(start), &part.text);
        }
        self.text = text.into();
        self.version = version;
    }
}

impl TextId {
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), cell: None }
    }
}

impl Documents {
    /// Returns the path.
    pub fn open(&mut self, opened: OpenedDocument) -> Option<PathBuf> {
        let path = uri::path_of(&opened.uri)?;
        self.by_path.insert(path.clone(), Document::new(opened));
        Some(path)
    }

    /// Returns the path, if the text is open.
    pub fn change(&mut self, change: ChangeParams, encoding: Encoding) -> Option<PathBuf> {
        let path = uri::path_of(&change.text_document.uri)?;
        let document = self.by_path.get_mut(&path)?;
        document.change(change.content_changes, change.text_document.version, encoding);
        Some(path)
    }

    /// Returns the path, if the text was open.
    pub fn close(&mut self, uri: &str) -> Option<PathBuf> {
        let path = uri::path_of(uri)?;
        self.by_path.remove(&path).map(|_| path)
    }

    /// Returns the path.
    pub fn open_notebook(&mut self, opened: OpenNotebookParams) -> Option<PathBuf> {
        let path = uri::path_of(&opened.notebook_document.uri)?;
        let notebook = Notebook::new(opened.notebook_document.cells, opened.cell_text_documents);
        self.notebooks.insert(path.clone(), notebook);
        Some(path)
    }

    /// Returns the path, if the notebook is open and has other cells now.
    pub fn change_notebook(&mut self, changed: ChangeNotebookParams, encoding: Encoding) -> Option<PathBuf> {
        let path = uri::path_of(&changed.notebook_document.uri)?;
        self.notebooks.get_mut(&path)?.change(changed.change.cells?, encoding);
        Some(path)
    }

    /// Returns the path, if the notebook was open.
    pub fn close_notebook(&mut self, uri: &str) -> Option<PathBuf> {
        let path = uri::path_of(uri)?;
        self.notebooks.remove(&path).map(|_| path)
    }

    /// What a URI of the editor stands for. `None` for what is no file and no part of one.
    pub fn id_of(&self, uri: &str) -> Option<TextId> {
        let owner = self.notebooks.iter().find(|(_, notebook)| notebook.cell(uri).is_some());
        match owner {
            Some((path, _)) => Some(TextId { path: path.clone(), cell: Some(uri.into()) }),
            None => uri::path_of(uri).map(TextId::file),
        }
    }

    /// What is checked in place of a file. A notebook counts by its cells, even where its JSON is open, too.
    pub fn text(&self, path: &Path) -> Option<&Arc<str>> {
        let notebook = self.notebooks.get(path).map(|notebook| &notebook.layout.text);
        notebook.or_else(|| self.by_path.get(path).map(|document| &document.text))
    }

    /// Everything that is checked in place of a file.
    pub fn texts(&self) -> impl Iterator<Item = (&Path, &Arc<str>)> {
        let only_text = self.by_path.iter().filter(|(path, _)| !self.notebooks.contains_key(*path));
        let texts = only_text.map(|(path, document)| (path.as_path(), &document.text));
        let notebooks = self.notebooks.iter();
        texts.chain(notebooks.map(|(path, notebook)| (path.as_path(), &notebook.layout.text)))
    }

    /// The notebooks as they are now.
    pub fn layouts(&self) -> BTreeMap<PathBuf, Arc<Layout>> {
        let layouts = self.notebooks.iter().map(|(path, notebook)| (path.clone(), Arc::clone(&notebook.layout)));
        layouts.collect()
    }

    /// A notebook as it is now.
    pub fn layout(&self, path: &Path) -> Option<&Layout> {
        self.notebooks.get(path).map(|notebook| &*notebook.layout)
    }

    /// The texts that the editor shows below a folder.
    pub fn open_below(&self, root: &Path) -> Vec<TextId> {
        let files = self.by_path.keys().filter(|path| path.starts_with(root)).map(TextId::file);
        let notebooks = self.notebooks.iter().filter(|(path, _)| path.starts_with(root));
        let cells = notebooks.flat_map(|(path, notebook)| {
            let cells = notebook.layout.cells.iter();
            cells.map(|cell| TextId { path: path.clone(), cell: Some(Arc::clone(&cell.uri)) })
        });
        files.chain(cells).collect()
    }

    /// The version of a text; `None`: it is not open.
    pub fn version(&self, id: &TextId) -> Option<i64> {
        self.document(id).map(|document| document.version)
    }

    /// The URI of a text: as the editor writes it, if it is open.
    pub fn uri(&self, id: &TextId) -> String {
        match &id.cell {
            Some(cell) => cell.to_string(),
            None => self.document(id).map_or_else(|| uri::uri_of(&id.path), |document| document.uri.clone()),
        }
    }

    fn document(&self, id: &TextId) -> Option<&Document> {
        match &id.cell {
            Some(cell) => self.notebooks.get(&id.path)?.cell(cell),
            None => self.by_path.get(&id.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_made_in_their_order() {
        let mut documents = Documents::default();
        let opened = json!({"uri": "file:///a.py", "version": 1, "text": "x = '😀'\ny = 2\n"});
        let path = documents.open(serde_json::from_value(opened).expect("valid")).expect("a file");
        let at = |line: u32, character: u32| json!({"line": line, "character": character});
        let change = json!({"textDocument": {"uri": "file:///a.py", "version": 2}, "contentChanges": [
            {"range": {"start": at(0, 7), "end": at(0, 8)}, "text": "' + \"𝄞\""},
            {"range": {"start": at(1, 0), "end": at(2, 0)}, "text": ""},
            {"range": {"start": at(0, 15), "end": at(0, 15)}, "text": "!"},
        ]});
        documents.change(serde_json::from_value(change).expect("valid"), Encoding::Utf16).expect("it is open");
        let text = documents.text(&path).expect("it is open");
        assert_eq!((&**text, documents.version(&TextId::file(&path))), ("x = '😀' + \"𝄞\"!\n", Some(2)));
        let whole = json!({"textDocument": {"uri": "file:///a.py", "version": 3}, "contentChanges": [{"text": "z"}]});
        documents.change(serde_json::from_value(whole).expect("valid"), Encoding::Utf8).expect("it is open");
        assert_eq!(documents.text(&path).map(|text| &**text), Some("z"));
        assert!(documents.close("file:///a.py").is_some() && documents.text(&path).is_none());
    }
}
