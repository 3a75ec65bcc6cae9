//! What a command line says to hydra: `key=value`, `+key=value`, `~key`, `group=choice`.

use crate::source::Span;
use crate::syntax::{Node, NodeKind, Scalar};

/// One word of the command line.
#[derive(Debug, Clone)]
pub(super) struct Override {
    /// What it does.
    pub kind: Kind,
    /// The key, dots or slashes included, with the package behind an `@`.
    pub key: String,
    /// The value as a word; `None` for `~key`.
    pub value: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// What an override does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `key=value`: the key must be there.
    Change,
    /// `+key=value`: it must not.
    Add,
    /// `++key=value`.
    Force,
    /// `~key`.
    Delete,
}

/// A word as hydra reads it; `None` where that is not known.
pub(super) fn word(text: &str, span: Span) -> Option<Override> {
    let (kind, rest) = match text {
        _ if text.starts_with("++") => (Kind::Force, &text[2..]),
        _ if text.starts_with('+') => (Kind::Add, &text[1..]),
        _ if text.starts_with('~') => (Kind::Delete, &text[1..]),
        _ => (Kind::Change, text),
    };
    let (key, value) = match rest.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None if kind == Kind::Delete => (rest, None),
        None => return None,
    };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'@' | b'-');
    let is_key = !key.is_empty() && key.bytes().all(is_part);
    is_key.then(|| Override { kind, key: key.to_owned(), value, span })
}

/// The value of a word. What may mean more than a plain value (a sweep, a list, a mapping, a quoted text) is not known: `Opaque`.
pub(super) fn value(text: &str, span: Span) -> Node {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@+%\\?|".contains(&byte);
    let lower = text.to_ascii_lowercase();
    let kind = match lower.as_str() {
        "null" => NodeKind::Scalar(Scalar::Null),
        "true" => NodeKind::Scalar(Scalar::Bool(true)),
        "false" => NodeKind::Scalar(Scalar::Bool(false)),
        // Infinities, and numbers with underscores.
        "inf" | "-inf" | "+inf" | "nan" | "" => NodeKind::Opaque,
        _ if !text.bytes().all(is_plain) => NodeKind::Opaque,
        _ if text.contains('_') && text.replace('_', "").parse::<f64>().is_ok() => NodeKind::Opaque,
        _ => NodeKind::Scalar(match (text.parse(), text.parse()) {
            (Ok(number), _) => Scalar::Int(number),
            (_, Ok(number)) => Scalar::Float(number),
            _ => Scalar::Str(text.to_owned()),
        }),
    };
    Node { span, kind, anchor: None }
}
