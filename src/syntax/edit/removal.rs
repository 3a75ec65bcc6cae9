//! Taking one item out of a list with commas, whatever its layout.

use std::ops::Range;

use super::{Change, CommaList};
use crate::syntax::lines::{indent, line_end, line_start, newline, next_line, skip_blanks, starts_line};

/// What removing an item asks for.
pub(crate) struct Removal {
    pub(crate) changes: Vec<Change>,
    /// Comments of the item that found no place yet; they go above the line that holds the item.
    pub(crate) homeless: Vec<Range<usize>>,
}

impl CommaList<'_> {
    /// What removes one item.
    pub(crate) fn removal(&self, index: usize) -> Removal {
        let item = &self.items[index];
        let tail = self.comma_after(index).map_or(item.end, |comma| comma + 1);
        if self.items.len() == 1 && self.comments_in(&self.inside).is_empty() {
            return Removal { changes: vec![delete(self.inside.clone())], homeless: Vec::new() };
        }
        let own = self.comments_in(&(item.start..tail));
        let rest = skip_blanks(self.text, tail);
        let line_ends = rest == line_end(self.text, tail) || self.comments.iter().any(|comment| comment.start == rest);
        if line_ends && starts_line(self.text, item.start) {
            Removal { changes: self.remove_lines(index, tail, &own), homeless: Vec::new() }
        } else {
            Removal { changes: self.remove_inline(index, tail), homeless: own }
        }
    }

    /// The item has its lines for itself; a comment beside it stays where it is.
    fn remove_lines(&self, index: usize, tail: usize, own: &[Range<usize>]) -> Vec<Change> {
        let (text, item) = (self.text, &self.items[index]);
        let rest = skip_blanks(text, tail);
        let beside = self.comments.iter().find(|comment| comment.start == rest);
        let kept: Vec<&str> = own.iter().chain(beside).map(|comment| &text[comment.clone()]).collect();
        let mut changes = if kept.is_empty() {
            vec![delete(line_start(text, item.start)..next_line(text, tail))]
        } else {
            let separator = format!("{}{}", newline(text), indent(text, item.start));
            vec![(item.start..line_end(text, tail), kept.join(&separator))]
        };
        // The list had no comma after its last item; it gets none now.
        let last = index + 1 == self.items.len();
        let before = index.checked_sub(1).and_then(|before| self.comma_after(before));
        if let (true, None, Some(comma)) = (last, self.comma_after(index), before) {
            changes.insert(0, delete(comma..comma + 1));
        }
        changes
    }

    /// The item shares a line with a bracket or with other items.
    fn remove_inline(&self, index: usize, tail: usize) -> Vec<Change> {
        let item = &self.items[index];
        let before = index.checked_sub(1).and_then(|before| self.comma_after(before));
        if let Some(next) = self.items.get(index + 1) {
            let to_next = item.start..next.start;
            let leads = starts_line(self.text, item.start) || before.is_none();
            let same_line = !self.text[tail..next.start].contains(['\n', '\r']);
            return match before {
                _ if same_line || leads && self.comments_in(&(tail..next.start)).is_empty() => {
                    vec![delete(to_next)]
                }
                Some(comma) if !starts_line(self.text, item.start) => vec![delete(comma + 1..tail)],
                _ => vec![delete(item.start..tail)],
            };
        }
        let Some(comma) = before else { return vec![delete(item.start..tail)] };
        let keeps_comment = !self.comments_in(&(comma + 1..item.start)).is_empty();
        match (self.comma_after(index).is_some(), keeps_comment) {
            (true, false) => vec![delete(comma + 1..tail)],
            (true, true) => vec![delete(item.start..tail)],
            (false, false) => vec![delete(comma..item.end)],
            (false, true) => vec![delete(comma..comma + 1), delete(item.clone())],
        }
    }

    /// The comma that follows an item.
    pub(crate) fn comma_after(&self, index: usize) -> Option<usize> {
        let end = self.items.get(index + 1).map_or(self.inside.end, |next| next.start);
        let mut at = self.items[index].end;
        while at < end {
            if let Some(comment) = self.comments.iter().find(|comment| comment.start == at) {
                at = comment.end;
            } else if self.text[at..].starts_with(',') {
                return Some(at);
            } else {
                at += self.text[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
        None
    }

    fn comments_in(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        self.comments
            .iter()
            .filter(|comment| range.start <= comment.start && comment.end <= range.end)
            .cloned()
            .collect()
    }
}

fn delete(range: Range<usize>) -> Change {
    (range, String::new())
}
