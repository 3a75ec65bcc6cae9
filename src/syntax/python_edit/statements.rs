//! Taking statements out of their blocks.

use std::ops::Range;

use super::layout::{
    bytes, comments_in, indent, lift, line_end, line_start, newline, next_line, skip_blanks, starts_line,
};
use super::{Change, EditError, edits};
use crate::source::Span;
use crate::syntax::Edit;
use crate::syntax::python::PythonModule;

/// Removes a statement. Comments above it stay; those in or beside it get lines of their own. `needs_pass` keeps a block
/// from being empty.
pub(super) fn remove(module: &PythonModule, range: &Range<usize>, needs_pass: bool) -> Result<Vec<Change>, EditError> {
    let text = module.text();
    let (end, ends_line) = end_of_statement(module, range.end);
    if !starts_line(text, range.start) || !ends_line {
        return remove_inline(module, range, needs_pass);
    }
    let (indent, newline) = (indent(text, range.start), newline(text));
    let mut kept: Vec<&str> =
        comments_in(module, &(range.start..line_end(text, end))).into_iter().map(|comment| &text[comment]).collect();
    kept.extend(needs_pass.then_some("pass"));
    Ok(vec![if kept.is_empty() {
        Change::delete(line_start(text, range.start)..next_line(text, end))
    } else {
        Change::new(range.start..line_end(text, end), kept.join(&format!("{newline}{indent}")))
    }])
}

/// Adds lines above the statement that holds the code at `inside`, as statements of the same block.
pub fn insert_before(module: &PythonModule, inside: Span, lines: &[String]) -> Result<Vec<Edit>, EditError> {
    let text = module.text();
    let statement = module.statement_lines(module.range(inside)).filter(|range| !range.is_empty());
    let start = bytes(statement.ok_or(EditError::NotFound)?).start;
    if !starts_line(text, start) {
        return Err(EditError::NotFound);
    }
    let (indent, newline) = (indent(text, start), newline(text));
    let new: Vec<String> = lines.iter().map(|line| format!("{line}{newline}{indent}")).collect();
    Ok(edits(module, vec![Change::new(start..start, new.concat())]))
}

/// A statement that shares its line: `if x: a = 1`, `a = 1; b = 2`.
fn remove_inline(module: &PythonModule, range: &Range<usize>, needs_pass: bool) -> Result<Vec<Change>, EditError> {
    let text = module.text();
    let lifted = lift(module, &comments_in(module, range), range.start)?;
    let after = skip_blanks(text, range.end);
    let before = text[..range.start].trim_end_matches([' ', '\t']).len();
    let change = if needs_pass {
        Change::new(range.clone(), "pass")
    } else if text[after..].starts_with(';') && !end_of_statement(module, after).1 {
        Change::delete(range.start..skip_blanks(text, after + 1))
    } else if text[..before].ends_with(';') {
        Change::delete(before - 1..range.end)
    } else {
        // Nothing to lean on: an `else` clause on the line of another statement, say.
        return Err(EditError::NotFound);
    };
    Ok(lifted.into_iter().chain([change]).collect())
}

/// Where a statement that ends at `end` ends with its semicolon, and whether nothing but a comment follows on the line.
fn end_of_statement(module: &PythonModule, end: usize) -> (usize, bool) {
    let text = module.text();
    let mut at = skip_blanks(text, end);
    let mut last = end;
    if text[at..].starts_with(';') {
        last = at + 1;
        at = skip_blanks(text, last);
    }
    let is_comment = module.comments().iter().map(bytes).any(|comment| comment.start == at);
    (last, is_comment || at == line_end(text, at))
}

/// Joins removed lines and takes away the blank lines that would stand double where they were.
pub(super) fn tidy(text: &str, mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(|change| change.range.start);
    let mut joined: Vec<Change> = Vec::new();
    for change in changes {
        match joined.last_mut() {
            Some(last) if last.text.is_empty() && change.text.is_empty() && last.range.end == change.range.start => {
                last.range.end = change.range.end;
            }
            _ => joined.push(change),
        }
    }
    for change in &mut joined {
        let whole_lines = change.text.is_empty()
            && change.range.start == line_start(text, change.range.start)
            && change.range.end == line_start(text, change.range.end);
        if whole_lines {
            let above = text[..change.range.start].lines().rev().take_while(|line| line.trim().is_empty()).count();
            let opens_block = !text[..change.range.start].contains(['\n', '\r'])
                || text[..change.range.start].trim_end_matches(['\n', '\r', ' ', '\t']).ends_with(':') && above == 0;
            let limit = if opens_block { usize::MAX } else { above };
            for _ in 0..limit {
                let end = change.range.end;
                if end >= text.len() || !text[end..line_end(text, end)].trim().is_empty() {
                    break;
                }
                change.range.end = next_line(text, end);
            }
        }
    }
    joined
}
