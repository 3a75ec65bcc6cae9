//! Edits become text.

use super::{Edit, EditError};

/// The text with all edits made. They may come in any order, must not share bytes and must not insert at one place.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, EditError> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    let mut previous: Option<&Edit> = None;
    for edit in sorted {
        let range = edit.span.range();
        let is_second_here = previous
            .is_some_and(|previous| previous.span.file != edit.span.file || previous.span.start == edit.span.start);
        if is_second_here || range.start < end {
            return Err(EditError::Overlap);
        }
        if text.get(range.clone()).is_none() {
            return Err(EditError::OutOfRange);
        }
        out.push_str(text.get(end..range.start).ok_or(EditError::OutOfRange)?);
        out.push_str(&edit.text);
        end = range.end;
        previous = Some(edit);
    }
    out.push_str(text.get(end..).ok_or(EditError::OutOfRange)?);
    Ok(out)
}
