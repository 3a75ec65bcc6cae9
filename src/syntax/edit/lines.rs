//! Statements that have lines of their own: TOML, INI, YAML block collections.

use std::ops::Range;

use super::place::Place;
use super::{Change, EditError};
use crate::syntax::lines::{indent, line_end, line_start, newline};
use crate::syntax::{Entry, Format};

/// Takes whole lines away; comments in and behind `range` keep a line each.
pub(super) fn remove(text: &str, range: Range<usize>, comments: &[Range<usize>]) -> Result<Change, EditError> {
    let start = line_start(text, range.start);
    let indent = &text[start..range.start];
    let end = line_end(text, range.end);
    let kept: Vec<_> = comments.iter().filter(|it| it.start >= range.start && it.end <= end).collect();
    let behind = kept.last().filter(|comment| comment.start >= range.end).map_or(end, |comment| comment.start);
    if !indent.trim().is_empty() || !text[range.end..behind].trim().is_empty() {
        return Err(EditError::Unsupported("an entry that shares its line"));
    }
    if !kept.is_empty() {
        let lines: Vec<_> = kept.iter().map(|it| format!("{indent}{}", &text[(*it).clone()])).collect();
        return Ok((start..end, lines.join(newline(text))));
    }
    let line_break = text[end..].find('\n').map_or(0, |newline| newline + 1);
    if line_break == 0 {
        // The last line of a file without final line break: the one before it goes, so that there is still none.
        let before = text[..start].strip_suffix('\n').map_or(start, str::len);
        let before = text[..before].strip_suffix('\r').map_or(before, str::len);
        return Ok((before..end, String::new()));
    }
    Ok((start..end + line_break, String::new()))
}

/// A line behind the line of `at`.
pub(super) fn insert_line_after(text: &str, at: usize, line: &str) -> Change {
    let end = line_end(text, at);
    (end..end, format!("{}{line}", newline(text)))
}

/// A `key = value` line in a TOML table or INI section.
pub(super) fn insert_statement(place: &Place<'_>, statement: &str) -> Result<Change, EditError> {
    let (text, parent) = (place.source.text(), place.parent());
    let is_root = place.is_root();
    if is_root && place.document.format == Format::Ini {
        return Err(EditError::Unsupported("a file without its section"));
    }
    // A table written below a header of its own is no line to insert after.
    let is_statement =
        |entry: &&Entry| !text[line_start(text, entry.span.start as usize)..].trim_start().starts_with('[');
    let neighbour = match place.entry {
        Some(entry) => Some(entry).filter(is_statement),
        None => parent.entries().iter().rfind(is_statement),
    };
    if let Some(entry) = neighbour {
        // A sibling written as `a.b = 1` lends its `a.`.
        let start = entry.span.start as usize;
        let prefix = &text[start..entry.key.as_ref().map_or(start, |key| key.span.start as usize)];
        let indent = indent(text, start);
        return Ok(insert_line_after(text, entry.span.end as usize, &format!("{indent}{prefix}{statement}")));
    }
    if !is_root && has_header(place) {
        return Ok(insert_line_after(text, parent.span.start as usize, statement));
    }
    if !is_root || place.entry.is_some() {
        return Err(EditError::Unsupported("a table without a header"));
    }
    let newline = newline(text);
    match parent.entries().first() {
        // Statements of the root end where the first header begins.
        Some(table) => {
            let start = line_start(text, table.span.start as usize);
            Ok((start..start, format!("{statement}{newline}{newline}")))
        }
        None if text.is_empty() || text.ends_with('\n') => {
            Ok((text.len()..text.len(), format!("{statement}{newline}")))
        }
        None => Ok((text.len()..text.len(), format!("{newline}{statement}{newline}"))),
    }
}

/// Whether a TOML table or INI section has a header of its own: `[a.b]` is the header of `b`, not of `a`.
fn has_header(place: &Place<'_>) -> bool {
    let Some((node, index)) = place.grandparent() else { return false };
    let text = place.source.text();
    match &node.entries()[index].key {
        Some(key) => text[key.span.end as usize..].trim_start_matches([' ', '\t']).starts_with(']'),
        None => place.source.slice(place.parent().span).starts_with("[["),
    }
}
