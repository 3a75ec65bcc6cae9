//! Edits become text.

use std::collections::BTreeMap;

use crate::source::FileId;
use crate::syntax::Edit;

/// The edits of each file.
pub(super) fn by_file(edits: impl Iterator<Item = Edit>) -> BTreeMap<FileId, Vec<Edit>> {
    let mut files: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    for edit in edits {
        files.entry(edit.span.file).or_default().push(edit);
    }
    files
}

/// The text with the edits made; line breaks they bring end as the text's own lines do. `None` when they overlap or do
/// not fit the text.
pub(super) fn splice(text: &str, edits: &[Edit]) -> Option<String> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort();
    let is_windows = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        let range = edit.span.range();
        text.get(range.clone())?;
        out.push_str(text.get(done..range.start)?);
        if is_windows {
            out.push_str(&edit.text.replace("\r\n", "\n").replace('\n', "\r\n"));
        } else {
            out.push_str(&edit.text);
        }
        done = range.end;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}
