//! Items between brackets with commas between them: JSON, YAML flow collections, TOML arrays and inline tables, Python
//! calls. Knows nothing of the format but where items and comments stand.

use std::ops::Range;

use super::lines::{indent_of, line_break, line_end, line_start};
use super::{Change, EditError};

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
        if self.has_comment(item) {
            return Err(EditError::Comment);
        }
        let until = self.items.get(index + 1).map_or(self.inside.end, |next| next.start);
        let comma = self.comma(item.end, until);
        if self.items.len() == 1 && !self.has_comment(&self.inside) {
            return Ok((self.inside.clone(), String::new()));
        }
        match (comma, index.checked_sub(1)) {
            (Some(comma), _) => Ok(self.remove_with_comma_after(item, comma)),
            (None, None) => Ok((item.clone(), String::new())),
            (None, Some(previous)) => {
                let comma = self.comma(self.items[previous].end, item.start);
                Ok(self.remove_with_comma_before(item, comma.ok_or(EditError::Unsupported("items without commas"))?))
            }
        }
    }

    fn remove_with_comma_after(&self, item: &Range<usize>, comma: usize) -> Change {
        let between = item.end..comma;
        if self.has_comment(&between) {
            return (item.start..comma + 1, self.text[between].trim_start_matches([' ', '\t']).to_owned());
        }
        let before = self.blank_before(item.start);
        let after = self.blank_after(comma + 1);
        let starts_line = before == line_start(self.text, item.start);
        let ends_line = after == line_end(self.text, after);
        if starts_line && ends_line {
            let line_break = self.text[after..].bytes().take_while(|it| matches!(it, b'\r')).count();
            let newline = usize::from(self.text[after + line_break..].starts_with('\n'));
            return (before..after + line_break + newline, String::new());
        }
        (if ends_line { before } else { item.start }..after, String::new())
    }

    /// The last item, without a comma of its own: the one before it goes.
    fn remove_with_comma_before(&self, item: &Range<usize>, comma: usize) -> Change {
        let gap = comma + 1..item.start;
        let after = self.blank_after(item.end);
        let ends_line = after == line_end(self.text, after);
        let has_comment_after = self.comments.iter().any(|comment| comment.start == after);
        let has_line_break = self.text[gap.clone()].contains('\n');
        let has_comment_before = self.has_comment(&gap);
        let gap = &self.text[gap];
        if has_comment_after && has_line_break {
            return (comma..after, gap.to_owned());
        }
        match (has_comment_before, ends_line) {
            (false, _) => (comma..item.end, String::new()),
            (true, true) => (comma..after, gap.trim_end().to_owned()),
            // The bracket follows: it must not end up in the comment.
            (true, false) => (comma..item.end, gap.to_owned()),
        }
    }

    /// Puts an item at `index`, laid out as its neighbour is.
    pub fn insert(&self, index: usize, item: &str) -> Result<Change, EditError> {
        let newline = line_break(self.text);
        let Some(previous) = index.checked_sub(1).map(|previous| self.items.get(previous)) else {
            return Ok(self.insert_first(item, newline));
        };
        let previous = previous.ok_or(EditError::NotFound)?;
        let until = self.items.get(index).map_or(self.inside.end, |next| next.start);
        let comma = self.comma(previous.end, until);
        let behind = comma.map_or(previous.end, |comma| comma + 1);
        let end_of_line = line_end(self.text, behind);
        let is_last_on_line = self.text[behind..end_of_line].trim().is_empty()
            || self.comments.iter().any(|it| it.start == self.blank_after(behind) && it.end >= end_of_line);
        let has_own_line = self.blank_before(previous.start) == line_start(self.text, previous.start);
        if has_own_line && is_last_on_line {
            let indent = indent_of(self.text, previous.start);
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
                if has_own_line { format!(",{newline}{}", indent_of(self.text, first.start)) } else { ", ".to_owned() };
            return (first.start..first.start, format!("{item}{separator}"));
        }
        let is_multi_line = self.text[self.inside.clone()].contains('\n');
        if !is_multi_line && !self.has_comment(&self.inside) {
            return (self.inside.clone(), item.to_owned());
        }
        // After the last comment, on a line of its own.
        let outer = indent_of(self.text, self.inside.start);
        let start = self.comments.iter().rfind(|it| it.start >= self.inside.start && it.end <= self.inside.end);
        let start = start.map_or(self.inside.start, |comment| comment.end);
        (start..self.inside.end, format!("{newline}{outer}  {item}{newline}{outer}"))
    }

    /// The comma between two places, comments skipped.
    fn comma(&self, from: usize, until: usize) -> Option<usize> {
        let mut at = from;
        while at < until {
            if let Some(comment) = self.comments.iter().find(|comment| comment.start == at) {
                at = comment.end;
                continue;
            }
            if self.text.as_bytes().get(at) == Some(&b',') {
                return Some(at);
            }
            at += 1;
        }
        None
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
