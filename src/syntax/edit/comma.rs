//! Items between brackets with commas between them: JSON, YAML flow collections, TOML arrays and inline tables, Python
//! calls. Knows nothing of the format but where items and comments stand.

use std::ops::Range;

use super::removal::Removal;
use super::{Change, EditError};
use crate::syntax::lines::{indent, line_end, line_start, newline};

/// The items of one pair of brackets.
#[derive(Debug, Clone)]
pub struct CommaList<'a> {
    /// The whole text.
    pub text: &'a str,
    /// What stands between the brackets.
    pub inside: Range<usize>,
    /// The items in order, without commas and blanks.
    pub items: &'a [Range<usize>],
    /// Every comment of the text in order, each without its line break.
    pub comments: &'a [Range<usize>],
}

impl CommaList<'_> {
    /// Takes an item away, with one of the commas beside it.
    pub fn remove(&self, index: usize) -> Result<Change, EditError> {
        let item = self.items.get(index).ok_or(EditError::NotFound)?;
        let Removal { changes, homeless } = self.removal(index);
        if homeless.iter().any(|comment| comment.start < item.end) {
            return Err(EditError::Comment);
        }
        if let (Some(comma), false) = (self.comma_after(index), homeless.is_empty()) {
            // Comments between the item and its comma stand well where they are.
            let between = self.text[item.end..comma].trim_start_matches([' ', '\t']);
            return Ok((item.start..comma + 1, between.to_owned()));
        }
        let joined = changes.into_iter().reduce(|(range, text), (next, more)| {
            (range.start..next.end, text + &self.text[range.end..next.start] + &more)
        });
        joined.ok_or(EditError::NotFound)
    }

    /// Puts an item at `index`, laid out as its neighbour is.
    pub fn insert(&self, index: usize, item: &str) -> Result<Change, EditError> {
        let newline = newline(self.text);
        let Some(previous) = index.checked_sub(1).map(|previous| self.items.get(previous)) else {
            return Ok(self.insert_first(item, newline));
        };
        let previous = previous.ok_or(EditError::NotFound)?;
        let comma = self.comma_after(index - 1);
        let behind = comma.map_or(previous.end, |comma| comma + 1);
        let end_of_line = line_end(self.text, behind);
        let is_last_on_line = self.text[behind..end_of_line].trim().is_empty()
            || self.comments.iter().any(|it| it.start == self.blank_after(behind) && it.end >= end_of_line);
        let has_own_line = self.blank_before(previous.start) == line_start(self.text, previous.start);
        if has_own_line && is_last_on_line {
            let indent = indent(self.text, previous.start);
            let rest = &self.text[behind..end_of_line];
            return Ok(match comma {
                Some(_) => (end_of_line..end_of_line, format!("{newline}{indent}{item},")),
                None => (previous.end..end_of_line, format!(",{rest}{newline}{indent}{item}")),
            });
        }
        Ok(match comma {
            Some(_) if index < self.items.len() => (behind..behind, format!(" {item},")),
            Some(_) => (behind..behind, format!(" {item}")),
            None => (previous.end..previous.end, format!(", {item}")),
        })
    }

    fn insert_first(&self, item: &str, newline: &str) -> Change {
        if let Some(first) = self.items.first() {
            let has_own_line = self.blank_before(first.start) == line_start(self.text, first.start);
            let separator =
                if has_own_line { format!(",{newline}{}", indent(self.text, first.start)) } else { ", ".to_owned() };
            return (first.start..first.start, format!("{item}{separator}"));
        }
        let is_multi_line = self.text[self.inside.clone()].contains('\n');
        if !is_multi_line && !self.has_comment(&self.inside) {
            return (self.inside.clone(), item.to_owned());
        }
        // After the last comment, on a line of its own.
        let outer = indent(self.text, self.inside.start);
        let start = self.comments.iter().rfind(|it| it.start >= self.inside.start && it.end <= self.inside.end);
        let start = start.map_or(self.inside.start, |comment| comment.end);
        (start..self.inside.end, format!("{newline}{outer}  {item}{newline}{outer}"))
    }

    fn has_comment(&self, range: &Range<usize>) -> bool {
        self.comments.iter().any(|comment| comment.start < range.end && comment.end > range.start)
    }

    fn blank_before(&self, at: usize) -> usize {
        self.text[self.inside.start..at].trim_end_matches([' ', '\t']).len() + self.inside.start
    }

    fn blank_after(&self, at: usize) -> usize {
        at + self.text[at..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }
}
