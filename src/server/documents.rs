//! The texts that are open in the editor, saved or not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::position::{Encoding, Lines};
use super::protocol::{ChangeParams, OpenedDocument};
use super::uri;

/// An open text.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// As the editor writes it.
    pub uri: String,
    pub version: i64,
    pub text: Arc<str>,
}

/// All of them that are files, by absolute path.
#[derive(Debug, Default)]
pub(super) struct Documents {
    by_path: BTreeMap<PathBuf, Document>,
}

impl Documents {
    /// Returns the path.
    pub fn open(&mut self, opened: OpenedDocument) -> Option<PathBuf> {
        let path = uri::path_of(&opened.uri)?;
        let document = Document { uri: opened.uri, version: opened.version, text: opened.text.into() };
        self.by_path.insert(path.clone(), document);
        Some(path)
    }

    /// Returns the path, if the text is open.
    pub fn change(&mut self, change: ChangeParams, encoding: Encoding) -> Option<PathBuf> {
        let path = uri::path_of(&change.text_document.uri)?;
        let document = self.by_path.get_mut(&path)?;
        let mut text = document.text.to_string();
        for part in change.content_changes {
            let Some(range) = part.range else {
                text = part.text;
                continue;
            };
            let lines = Lines::new(&text, encoding);
            let (start, end) = (lines.offset(range.start), lines.offset(range.end));
            text.replace_range(start..end.max(start), &part.text);
        }
        document.text = text.into();
        document.version = change.text_document.version;
        Some(path)
    }

    /// Returns the path, if the text was open.
    pub fn close(&mut self, uri: &str) -> Option<PathBuf> {
        let path = uri::path_of(uri)?;
        self.by_path.remove(&path).map(|_| path)
    }

    pub fn get(&self, path: &Path) -> Option<&Document> {
        self.by_path.get(path)
    }

    /// The URI of a file: as the editor writes it, if it is open.
    pub fn uri(&self, path: &Path) -> String {
        self.get(path).map_or_else(|| uri::uri_of(path), |document| document.uri.clone())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Document)> {
        self.by_path.iter().map(|(path, document)| (path.as_path(), document))
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
        let document = documents.get(&path).expect("it is open");
        assert_eq!((&*document.text, document.version), ("x = '😀' + \"𝄞\"!\n", 2));
        let whole = json!({"textDocument": {"uri": "file:///a.py", "version": 3}, "contentChanges": [{"text": "z"}]});
        documents.change(serde_json::from_value(whole).expect("valid"), Encoding::Utf8).expect("it is open");
        assert_eq!(documents.get(&path).map(|one| &*one.text), Some("z"));
        assert!(documents.close("file:///a.py").is_some() && documents.get(&path).is_none());
    }
}
