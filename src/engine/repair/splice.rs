//! The edits of a fix, sorted by file and made.

use std::collections::BTreeMap;

use crate::source::FileId;
use crate::syntax::{Edit, edit};

/// The edits of each file.
pub fn by_file(edits: impl Iterator<Item = Edit>) -> BTreeMap<FileId, Vec<Edit>> {
    let mut files: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    for edit in edits {
        files.entry(edit.span.file).or_default().push(edit);
    }
    files
}

/// The text with the edits made; line breaks they bring end as the text's own lines do. `None` when they overlap or do
/// not fit the text.
pub fn splice(text: &str, mut edits: Vec<Edit>) -> Option<String> {
    for edit in &mut edits {
        edit.text = as_its_lines_end(text, &edit.text);
    }
    edit::apply(text, &edits).ok()
}

/// What an edit brings, with line breaks as the text's own lines end.
pub fn as_its_lines_end(text: &str, brought: &str) -> String {
    let is_crlf = || text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    if brought.contains('\n') && is_crlf() {
        return brought.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    brought.to_owned()
}
