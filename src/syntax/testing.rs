//! Helpers for the tests of parsers and edits.

use std::fmt::Write;
use std::sync::Arc;

use super::{Document, Format, Node, NodeKind, Scalar, parse};
use crate::source::{SourceFile, Sources};

/// A text as a file of its own.
pub(crate) fn file(text: &str) -> Arc<SourceFile> {
    Sources::default().add("test".into(), text)
}

/// Parses a text.
pub(crate) fn read(format: Format, text: &str) -> Document {
    parse(format, &file(text))
}

/// Parses a text and writes its tree and errors on one line.
pub(crate) fn shown(format: Format, text: &str) -> String {
    let document = read(format, text);
    let mut out = show(&document.root);
    for error in &document.errors {
        let _ = write!(out, " !{}", error.message);
    }
    out
}

/// The tree without places: `{a: 1, b: ['x', null]}`.
pub(crate) fn show(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar(Scalar::Null) => "null".into(),
        NodeKind::Scalar(Scalar::Bool(value)) => value.to_string(),
        NodeKind::Scalar(Scalar::Int(value)) => value.to_string(),
        NodeKind::Scalar(Scalar::Float(value)) => format!("{value:?}"),
        NodeKind::Scalar(Scalar::Str(text)) => format!("{text:?}"),
        NodeKind::Scalar(Scalar::Date(text)) => format!("@{text}"),
        NodeKind::Map(entries) => {
            let pair = |entry: &super::Entry| format!("{}: {}", entry.name().unwrap_or("-"), show(&entry.value));
            format!("{{{}}}", entries.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        NodeKind::List(items) => {
            format!("[{}]", items.iter().map(|item| show(&item.value)).collect::<Vec<_>>().join(", "))
        }
        NodeKind::Alias(target) => format!("*{}", show(target)),
        NodeKind::Call { .. } | NodeKind::Opaque => "?".into(),
    }
}

/// The text of every entry and of every value, in file order: `a: 1`|`1`.
pub(crate) fn slices(format: Format, text: &str) -> Vec<String> {
    fn walk(source: &SourceFile, node: &Node, out: &mut Vec<String>) {
        for entry in node.entries() {
            if entry.key.is_some() {
                out.push(format!("{}|{}", source.slice(entry.span), source.slice(entry.value.span)));
            } else {
                out.push(source.slice(entry.span).to_owned());
            }
            if !matches!(entry.value.kind, NodeKind::Alias(_)) {
                walk(source, &entry.value, out);
            }
        }
    }
    let source = file(text);
    let mut out = Vec::new();
    walk(&source, &parse(format, &source).root, &mut out);
    out
}
