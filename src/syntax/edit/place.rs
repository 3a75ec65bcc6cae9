//! Where an entry stands: the way from the root to it, and what must hold before it may change.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{CommaList, EditError};
use crate::source::{SourceFile, Span};
use crate::syntax::{Document, Entry, Format, Node, NodeKind};

/// A parent node, and one of its entries if there is one to speak of.
pub(super) struct Place<'a> {
    pub(super) source: &'a SourceFile,
    pub(super) document: &'a Document,
    /// The nodes from the root to the parent.
    nodes: Vec<&'a Node>,
    /// Which entry leads from each node to the next.
    pub(super) path: Vec<usize>,
    /// The entry to edit, or to insert after.
    pub(super) entry: Option<&'a Entry>,
    pub(super) index: Option<usize>,
    comments: Vec<Range<usize>>,
}

impl<'a> Place<'a> {
    /// The place of an entry, found again by its span and key, so that a copy will do.
    pub(super) fn of_entry(source: &'a SourceFile, document: &'a Document, entry: &Entry) -> Result<Self, EditError> {
        let mut place = Self::new(source, document);
        let found = place.descend(entry.span, &|node| {
            node.entries().iter().position(|it| it.span == entry.span && it.key == entry.key)
        });
        place.select(found)?;
        place.finish()
    }

    /// The place of a collection.
    pub(super) fn of_parent(
        source: &'a SourceFile,
        document: &'a Document,
        parent: &Node,
        after: Option<&Entry>,
    ) -> Result<Self, EditError> {
        let mut place = Self::new(source, document);
        // In TOML, the maps of `a.b.c = 1` all have the same span; their entries differ.
        let first = |node: &Node| node.entries().first().and_then(|entry| entry.key.clone());
        let is_parent = |node: &Node| node.span == parent.span && first(node) == first(parent);
        if !place.descend_to(parent.span, &is_parent) {
            return Err(EditError::NotFound);
        }
        if let Some(after) = after {
            let index = place.parent().entries().iter().position(|it| it.span == after.span && it.key == after.key);
            place.select(index)?;
        }
        place.finish()
    }

    fn new(source: &'a SourceFile, document: &'a Document) -> Self {
        let comments = document.comments.iter().map(|span| span.range()).collect();
        let nodes = vec![&document.root];
        Self { source, document, nodes, path: Vec::new(), entry: None, index: None, comments }
    }

    fn select(&mut self, index: Option<usize>) -> Result<(), EditError> {
        let index = index.ok_or(EditError::NotFound)?;
        self.entry = self.parent().entries().get(index);
        self.index = Some(index);
        Ok(())
    }

    fn finish(self) -> Result<Self, EditError> {
        if matches!(self.parent().kind, NodeKind::Alias(_)) { Err(EditError::NotFound) } else { Ok(self) }
    }

    /// Walks down towards `span` until `wanted` finds its entry.
    fn descend(&mut self, span: Span, wanted: &dyn Fn(&Node) -> Option<usize>) -> Option<usize> {
        if let Some(found) = wanted(self.parent()) {
            return Some(found);
        }
        for (index, entry) in Self::children(self.parent(), span) {
            self.enter(index, entry);
            if let Some(found) = self.descend(span, wanted) {
                return Some(found);
            }
            self.leave();
        }
        None
    }

    fn descend_to(&mut self, span: Span, wanted: &dyn Fn(&Node) -> bool) -> bool {
        if wanted(self.parent()) {
            return true;
        }
        for (index, entry) in Self::children(self.parent(), span) {
            self.enter(index, entry);
            if self.descend_to(span, wanted) {
                return true;
            }
            self.leave();
        }
        false
    }

    fn children(node: &'a Node, span: Span) -> impl Iterator<Item = (usize, &'a Entry)> {
        let entries = if matches!(node.kind, NodeKind::Alias(_)) { &[] } else { node.entries() };
        entries.iter().enumerate().filter(move |(_, entry)| entry.value.span.contains(span))
    }

    fn enter(&mut self, index: usize, entry: &'a Entry) {
        self.path.push(index);
        self.nodes.push(&entry.value);
    }

    fn leave(&mut self) {
        self.path.pop();
        self.nodes.pop();
    }

    /// The collection that holds the entry.
    pub(super) fn parent(&self) -> &'a Node {
        self.nodes[self.nodes.len() - 1]
    }

    /// The entry whose value is the parent, and the node that one stands in.
    pub(super) fn grandparent(&self) -> Option<(&'a Node, usize)> {
        let above = self.nodes.len().checked_sub(2)?;
        Some((self.nodes[above], self.path[above]))
    }

    pub(super) fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    pub(super) fn comments(&self) -> Vec<Range<usize>> {
        self.comments.clone()
    }

    /// Refuses to change what a used anchor covers: every alias would change with it.
    pub(super) fn check_shared(&self, value_changes: bool) -> Result<(), EditError> {
        let mut used = BTreeSet::new();
        collect_used_anchors(&self.document.root, &mut used);
        let above = self.nodes.iter().any(|node| node.anchor.is_some_and(|anchor| used.contains(&anchor)));
        let below = value_changes && self.entry.is_some_and(|entry| has_anchor(&entry.value, &used));
        if above || below { Err(EditError::Anchored) } else { Ok(()) }
    }

    pub(super) fn is_last_of_its_name(&self) -> bool {
        let Some((entry, index)) = self.entry.zip(self.index) else { return true };
        entry.key.is_none() || !self.parent().entries()[index + 1..].iter().any(|it| it.name() == entry.name())
    }

    pub(super) fn check_only_of_its_name(&self) -> Result<(), EditError> {
        let name = self.entry.and_then(Entry::name).unwrap_or_default();
        match self.parent().entries().iter().filter(|it| it.name() == Some(name)).count() {
            0 | 1 => Ok(()),
            _ => Err(EditError::Duplicate(name.to_owned())),
        }
    }

    /// Refuses to replace a range that holds a comment.
    pub(super) fn check_comments(&self, range: &Range<usize>) -> Result<(), EditError> {
        let lost = self.comments.iter().any(|comment| comment.start < range.end && comment.end > range.start);
        if lost { Err(EditError::Comment) } else { Ok(()) }
    }

    /// Whether commas separate the parent's entries.
    pub(super) fn is_comma_list(&self) -> bool {
        match self.document.format {
            Format::Json | Format::Jsonc => true,
            Format::Yaml => self.is_bracketed(self.parent()),
            Format::Toml => self.nodes.iter().any(|node| self.is_bracketed(node)),
            _ => false,
        }
    }

    /// Whether the node is written in brackets of its own.
    pub(super) fn is_bracketed(&self, node: &Node) -> bool {
        let text = self.source.slice(node.span);
        match node.kind {
            NodeKind::Map(_) => text.starts_with('{') && text.ends_with('}'),
            NodeKind::List(_) => text.starts_with('[') && !is_spread_table(self.source, node),
            _ => false,
        }
    }

    /// Whether brackets stand around the parent but are not its own: `[a: 1]` in YAML, `{a.b = 1}` in TOML.
    pub(super) fn is_in_foreign_brackets(&self) -> bool {
        !self.is_bracketed(self.parent()) && self.nodes.iter().any(|node| self.is_bracketed(node))
    }

    /// The items between the brackets around the entry, each from its anchor or tag to its end.
    pub(super) fn items(&self) -> Vec<Range<usize>> {
        let mut items = Vec::new();
        collect_items(self.source, self.document.format, self.bracketed(), &mut items);
        items.sort_by_key(|item: &Range<usize>| item.start);
        if self.document.format == Format::Yaml {
            let mut at = self.inside().start;
            for item in &mut items {
                item.start = self.skip(at).min(item.start);
                at = item.end;
            }
        }
        items
    }

    /// The node whose brackets count: in TOML, `{a.b = 1}` has a map `a` without any.
    fn bracketed(&self) -> &'a Node {
        let own = self.nodes.iter().rev().find(|node| self.is_bracketed(node));
        own.copied().unwrap_or(self.parent())
    }

    pub(super) fn comma_list<'b>(&'b self, items: &'b [Range<usize>]) -> CommaList<'b> {
        CommaList { text: self.source.text(), inside: self.inside(), items, comments: &self.comments }
    }

    /// What stands between the brackets around the entry.
    fn inside(&self) -> Range<usize> {
        let span = self.bracketed().span.range();
        span.start + 1..span.end.saturating_sub(1).max(span.start + 1)
    }

    /// Over blanks, line breaks, commas and comments.
    pub(super) fn skip(&self, from: usize) -> usize {
        let bytes = self.source.text().as_bytes();
        let mut at = from;
        loop {
            match bytes.get(at) {
                Some(b' ' | b'\t' | b'\n' | b'\r' | b',') => at += 1,
                Some(b'#') => match self.comments.iter().find(|comment| comment.start == at) {
                    Some(comment) => at = comment.end,
                    None => return at,
                },
                _ => return at,
            }
        }
    }
}

/// Whether a TOML table or array is made by headers or dotted keys, not by brackets.
pub(super) fn is_spread_table(source: &SourceFile, node: &Node) -> bool {
    match &node.kind {
        NodeKind::Map(_) => !source.slice(node.span).starts_with('{'),
        NodeKind::List(items) => items.first().is_some_and(|item| {
            matches!(item.value.kind, NodeKind::Map(_)) && source.slice(item.value.span).starts_with('[')
        }),
        _ => false,
    }
}

/// In TOML, `{a.b = 1, a.c = 2}` has one entry and two items.
fn collect_items(source: &SourceFile, format: Format, node: &Node, items: &mut Vec<Range<usize>>) {
    for entry in node.entries() {
        if format == Format::Toml && is_spread_table(source, &entry.value) {
            collect_items(source, format, &entry.value, items);
        } else {
            items.push(entry.span.range());
        }
    }
}

fn collect_used_anchors(node: &Node, used: &mut BTreeSet<Span>) {
    match &node.kind {
        NodeKind::Alias(target) => used.extend(target.anchor),
        _ => node.entries().iter().for_each(|entry| collect_used_anchors(&entry.value, used)),
    }
}

fn has_anchor(node: &Node, used: &BTreeSet<Span>) -> bool {
    if node.anchor.is_some_and(|anchor| used.contains(&anchor)) {
        return true;
    }
    !matches!(node.kind, NodeKind::Alias(_)) && node.entries().iter().any(|entry| has_anchor(&entry.value, used))
}
