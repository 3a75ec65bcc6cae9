//! Every edit is tried before it is handed out: the edited text must parse to the old tree with the wanted change, keep
//! every comment and have no new syntax error.

use super::place::Place;
use super::{Change, EditError, apply};
use crate::source::{SourceFile, Sources};
use crate::syntax::{Document, Edit, Entry, Format, Key, Node, NodeKind, Scalar, parse};

/// The change an edit is meant to make.
pub(super) enum Wanted<'a> {
    /// The entry has this value.
    Value(&'a str),
    /// The entry has this name.
    Name(&'a str),
    /// The entry is gone.
    Gone,
    /// There is one more entry.
    New {
        /// Its name.
        key: Option<&'a str>,
        /// Its value as written.
        raw: &'a str,
    },
}

/// The edit, if it does what is wanted and nothing else.
pub(super) fn prove(place: &Place<'_>, change: Change, wanted: &Wanted<'_>) -> Result<Edit, EditError> {
    let (before, format) = (place.document, place.document.format);
    let (range, text) = change;
    let edit = Edit { span: place.source.span(range), text };
    let edited = file(&apply(place.source.text(), std::slice::from_ref(&edit))?);
    let after = parse(format, &edited);
    let mut expected = before.root.clone();
    make(place, &mut expected, wanted).ok_or(EditError::Unproven)?;
    let is_proved = after.errors.len() <= before.errors.len()
        && comments(place.source, before) == comments(&edited, &after)
        && same(format, &expected, &after.root);
    if is_proved { Ok(edit) } else { Err(EditError::Unproven) }
}

fn file(text: &str) -> std::sync::Arc<SourceFile> {
    Sources::default().add(std::path::PathBuf::new(), text)
}

fn comments<'a>(source: &'a SourceFile, document: &Document) -> Vec<&'a str> {
    document.comments.iter().map(|span| source.slice(*span).trim_end()).collect()
}

/// Makes the wanted change in a copy of the tree.
fn make(place: &Place<'_>, root: &mut Node, wanted: &Wanted<'_>) -> Option<()> {
    let format = place.document.format;
    let parent = place.path.iter().try_fold(&mut *root, |node, index| {
        entries_mut(node).and_then(|entries| entries.get_mut(*index)).map(|entry| &mut entry.value)
    })?;
    let index = place.index;
    if let (Wanted::New { .. }, true) = (wanted, entries_mut(parent).is_none()) {
        parent.kind = NodeKind::Map(Vec::new());
    }
    let span = parent.span;
    let entries = entries_mut(parent)?;
    match wanted {
        Wanted::Value(raw) => entries.get_mut(index?)?.value = value(format, raw)?,
        Wanted::Name(name) => entries.get_mut(index?)?.key.as_mut()?.name = String::from(*name),
        Wanted::Gone => {
            entries.remove(index?);
            if format == Format::Toml && entries.is_empty() {
                remove_dotted_parents(place, root);
            }
        }
        Wanted::New { key, raw } => {
            let value = value(format, raw)?;
            let key = key.map(|name| Key { span, name: name.to_owned() });
            entries.insert(index.map_or(entries.len(), |index| index + 1), Entry { span, key, value });
        }
    }
    Some(())
}

/// `a.b = 1` was all there was of `a`: without it there is no `a`.
fn remove_dotted_parents(place: &Place<'_>, root: &mut Node) {
    let mut path = place.path.clone();
    while let Some(index) = path.pop() {
        let parent = path.iter().try_fold(&mut *root, |node, index| {
            entries_mut(node).and_then(|entries| entries.get_mut(*index)).map(|entry| &mut entry.value)
        });
        let Some(entries) = parent.and_then(entries_mut) else { return };
        let Some(node) = entries.get(index).map(|entry| &entry.value) else { return };
        let has_own_text = place.source.slice(node.span).starts_with(['{', '[']);
        if has_own_text || !node.entries().is_empty() {
            return;
        }
        entries.remove(index);
    }
}

fn entries_mut(node: &mut Node) -> Option<&mut Vec<Entry>> {
    match &mut node.kind {
        NodeKind::Map(entries) | NodeKind::List(entries) => Some(entries),
        _ => None,
    }
}

/// What a raw value reads as.
fn value(format: Format, raw: &str) -> Option<Node> {
    let text = match format {
        Format::Toml => format!("k = {raw}"),
        Format::Ini => format!("[s]\nk = {raw}"),
        _ => raw.to_owned(),
    };
    let document = parse(format, &file(&text));
    let root = document.root;
    let value = match format {
        Format::Toml => root.get("k").cloned(),
        Format::Ini => root.get("s").and_then(|section| section.get("k")).cloned(),
        _ => Some(root),
    };
    value.filter(|_| document.errors.is_empty())
}

/// Whether two trees mean the same, places aside.
pub(super) fn same(format: Format, one: &Node, other: &Node) -> bool {
    match (&one.kind, &other.kind) {
        (NodeKind::Scalar(Scalar::Float(one)), NodeKind::Scalar(Scalar::Float(other))) => {
            one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan()
        }
        (NodeKind::Scalar(one), NodeKind::Scalar(other)) => one == other,
        (NodeKind::Map(one), NodeKind::Map(other)) => {
            let (mut one, mut other) = (one.iter().collect::<Vec<_>>(), other.iter().collect::<Vec<_>>());
            if format == Format::Toml {
                // Tables may be spread over the file, so that order says nothing; and names are unique.
                one.sort_by_key(|entry| entry.name());
                other.sort_by_key(|entry| entry.name());
            }
            same_entries(format, &one, &other)
        }
        (NodeKind::List(one), NodeKind::List(other)) => {
            same_entries(format, &one.iter().collect::<Vec<_>>(), &other.iter().collect::<Vec<_>>())
        }
        (NodeKind::Alias(one), NodeKind::Alias(other)) => same(format, one, other),
        (NodeKind::Opaque, NodeKind::Opaque) => true,
        _ => false,
    }
}

fn same_entries(format: Format, one: &[&Entry], other: &[&Entry]) -> bool {
    let pairs = || one.iter().zip(other);
    one.len() == other.len()
        && pairs().all(|(one, other)| one.name() == other.name() && same(format, &one.value, &other.value))
}
