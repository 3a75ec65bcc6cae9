//! What is YAML's own: block maps and block lists, empty values, tags.

use std::ops::Range;

use super::lines::{insert_line_after, remove};
use super::place::Place;
use super::{Change, EditError};
use crate::syntax::lines::{line_start, newline};
use crate::syntax::{Entry, Node, NodeKind};

/// Another value behind the colon or the dash.
pub(super) fn replace_value(place: &Place<'_>, raw: &str) -> Result<Change, EditError> {
    let entry = place.entry.ok_or(EditError::NotFound)?;
    replace_value_of(place, place.parent(), entry, place.index.unwrap_or(0), raw)
}

/// Takes a line, or the first entry of a list item, away.
pub(super) fn remove_entry(place: &Place<'_>) -> Result<Change, EditError> {
    if place.is_in_foreign_brackets() {
        return Err(EditError::Unsupported("a pair inside a flow list"));
    }
    let (entry, index) = place.entry.zip(place.index).ok_or(EditError::NotFound)?;
    let parent = place.parent();
    let text = place.source.text();
    if parent.entries().len() == 1 {
        return empty_collection(place);
    }
    let start_of = |index: usize| match parent.kind {
        NodeKind::List(_) => dash(place, parent, index).ok_or(EditError::Unsupported("a whole document")),
        _ => Ok(parent.entries()[index].span.start as usize),
    };
    let range = start_of(index)?..entry.span.end as usize;
    let before = &text[line_start(text, range.start)..range.start];
    if before.trim().is_empty() {
        return remove(text, range, &place.comments());
    }
    if !before.bytes().all(|byte| matches!(byte, b' ' | b'-')) || index + 1 == parent.entries().len() {
        return Err(EditError::Unsupported("an entry that shares its line"));
    }
    place.check_comments(&range)?;
    let next = start_of(index + 1)?;
    if text[range.end..next].trim().is_empty() {
        return Ok((range.start..next, String::new()));
    }
    // `- a: 1 # c` keeps its comment behind the dash.
    let blank = before.len() - before.trim_end().len();
    Ok((range.start - blank..range.end, String::new()))
}

/// A line behind its neighbour, as far in as the first entry.
pub(super) fn insert_entry(place: &Place<'_>, statement: &str) -> Result<Change, EditError> {
    let (text, parent) = (place.source.text(), place.parent());
    let Some(neighbour) = place.entry.or(parent.entries().last()) else {
        return insert_into_nothing(place, statement);
    };
    let first = parent.span.start as usize;
    let before = &text[line_start(text, first)..first];
    let indent = " ".repeat(before.chars().count());
    let dash = if matches!(parent.kind, NodeKind::List(_)) { "- " } else { "" };
    Ok(insert_line_after(text, neighbour.span.end as usize, &format!("{indent}{dash}{statement}")))
}

fn insert_into_nothing(place: &Place<'_>, statement: &str) -> Result<Change, EditError> {
    let text = place.source.text();
    if !place.is_root() || !place.parent().span.range().is_empty() {
        return Err(EditError::Unsupported("a value that is not a collection"));
    }
    let newline = newline(text);
    let separator = if text.is_empty() || text.ends_with('\n') { "" } else { newline };
    Ok((text.len()..text.len(), format!("{separator}{statement}{newline}")))
}

/// The last entry goes: `key: {}` stays, since nothing at all would read as null.
fn empty_collection(place: &Place<'_>) -> Result<Change, EditError> {
    let parent = place.parent();
    let raw = if matches!(parent.kind, NodeKind::List(_)) { "[]" } else { "{}" };
    let change = match place.grandparent() {
        Some((node, index)) => replace_value_of(place, node, &node.entries()[index], index, raw)?,
        None => (parent.span.range(), raw.to_owned()),
    };
    place.check_comments(&change.0)?;
    Ok(change)
}

fn replace_value_of(
    place: &Place<'_>,
    parent: &Node,
    entry: &Entry,
    index: usize,
    raw: &str,
) -> Result<Change, EditError> {
    let text = place.source.text();
    let value = entry.value.span.range();
    let Some(key) = &entry.key else {
        return match dash(place, parent, index) {
            Some(dash) => Ok(replace_node(place, dash, dash + 1, &entry.value, raw)),
            None => Ok((value, raw.to_owned())),
        };
    };
    match after_colon(text, key.span.end as usize) {
        Some(colon) => Ok(replace_node(place, key.span.start as usize, colon, &entry.value, raw)),
        None if value.is_empty() && place.is_bracketed(parent) => Ok((value, format!(": {raw}"))),
        None => Err(EditError::Unsupported("an explicit key")),
    }
}

/// Replaces a node that belongs to the key or dash at `owner` and stands behind `from`.
fn replace_node(place: &Place<'_>, owner: usize, from: usize, value: &Node, raw: &str) -> Change {
    let text = place.source.text();
    let range = value.span.range();
    let tag = tag_between(place, from..range.start);
    if range.is_empty() && tag.is_none() {
        return (range, format!(" {raw}"));
    }
    let start = tag.unwrap_or(range.start);
    let between = &text[from..start];
    let is_block = !value.entries().is_empty() && !place.is_bracketed(value);
    if is_block && between.trim().is_empty() && between.contains('\n') {
        return (from..range.end, format!(" {raw}"));
    }
    // A list may stand as far left as its key, a scalar may not.
    let column = |at: usize| text[line_start(text, at)..at].chars().count();
    let starts_line = text[line_start(text, start)..start].trim().is_empty();
    let missing = if is_block && starts_line { (column(owner) + 2).saturating_sub(column(start)) } else { 0 };
    (start..range.end, format!("{}{raw}", " ".repeat(missing)))
}

/// Where a tag begins: another value is of another type. An anchor stays.
fn tag_between(place: &Place<'_>, range: Range<usize>) -> Option<usize> {
    let text = place.source.text();
    let mut at = range.start;
    while at < range.end {
        at = place.skip(at);
        let word = text[at..].bytes().take_while(|byte| !byte.is_ascii_whitespace()).count();
        if at < range.end && text[at..].starts_with('!') {
            return Some(at);
        }
        at += word.max(1);
    }
    None
}

fn after_colon(text: &str, key_end: usize) -> Option<usize> {
    let rest = text[key_end..].trim_start_matches([' ', '\t']);
    rest.starts_with(':').then(|| text.len() - rest.len() + 1)
}

/// The `-` of an item of a block list; `None` in brackets and for the documents of a stream.
fn dash(place: &Place<'_>, parent: &Node, index: usize) -> Option<usize> {
    if place.is_bracketed(parent) {
        return None;
    }
    let from = match index.checked_sub(1) {
        Some(previous) => place.skip(parent.entries()[previous].span.end as usize),
        None => parent.span.start as usize,
    };
    let text = place.source.text();
    let is_dash = text[from..].starts_with('-') && !text[from..].starts_with("---");
    (is_dash && from < parent.entries()[index].span.start as usize).then_some(from)
}
