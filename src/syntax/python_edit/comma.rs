//! The items of a call, a dictionary or an import as a list with commas.

use std::ops::Range;

use super::Change;
use crate::syntax::edit::CommaList;

/// A list that owns its places.
pub(super) struct List<'a> {
    pub text: &'a str,
    /// Every comment of the text, in order.
    pub comments: Vec<Range<usize>>,
    /// Right after the opening bracket, up to the closing one.
    pub inner: Range<usize>,
    /// The items in order, without commas, parentheses of their own included.
    pub items: Vec<Range<usize>>,
}

impl List<'_> {
    /// What removes one item, and its comments that found no place yet: they go above the line that holds the item.
    pub(super) fn remove(&self, index: usize) -> (Vec<Change>, Vec<Range<usize>>) {
        let removal = self.view().removal(index);
        (removal.changes.into_iter().map(|(range, text)| Change::new(range, text)).collect(), removal.homeless)
    }

    /// The comma that follows an item.
    pub(super) fn comma_after(&self, index: usize) -> Option<usize> {
        self.view().comma_after(index)
    }

    fn view(&self) -> CommaList<'_> {
        CommaList { text: self.text, inside: self.inner.clone(), items: &self.items, comments: &self.comments }
    }
}
