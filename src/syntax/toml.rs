//! TOML, read by the `toml` crate's recovering parser: spans on every key and value, and a partial tree of a broken file.
//!
//! Dotted keys and table headers become nested maps. The span of a leaf entry begins at the first part of its dotted
//! key, so that it is the whole statement; the span of a table is its header and the statements below it.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{Document, Entry, Format, Key, MAX_DEPTH, Node, NodeKind, Scalar, SyntaxError, strip_bom};
use crate::source::{SourceFile, Span};

/// Reads a TOML file.
pub fn parse(source: &SourceFile) -> Document {
    let (offset, text) = strip_bom(source.text());
    let survey = survey(text);
    let comments = survey.comments.iter().map(|range| source.span(range.start + offset..range.end + offset)).collect();
    let whole = source.span(offset..source.text().len());
    let mut document = Document {
        file: source.id(),
        format: Format::Toml,
        root: Node { span: whole, kind: NodeKind::Map(Vec::new()), anchor: None },
        comments,
        errors: Vec::new(),
    };
    if let Some(at) = survey.too_deep {
        let span = source.span(at + offset..at + offset + 1);
        document.errors.push(SyntaxError { span, message: "nested too deeply".into() });
        return document;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let builder = Builder { source, text, offset };
    document.root.kind = NodeKind::Map(builder.entries(table.get_ref(), false));
    document.errors = errors
        .iter()
        .map(|error| {
            let range = error.span().unwrap_or(text.len()..text.len());
            SyntaxError { span: builder.span(range), message: error.message().to_owned() }
        })
        .collect();
    document
}

struct Builder<'a> {
    source: &'a SourceFile,
    text: &'a str,
    offset: usize,
}

impl Builder<'_> {
    /// The entries of a table in file order.
    fn entries(&self, table: &DeTable<'_>, is_inline: bool) -> Vec<Entry> {
        let mut entries: Vec<Entry> = table.iter().map(|(key, value)| self.entry(key, value, is_inline)).collect();
        entries.sort_by_key(|entry| entry.key.as_ref().map(|key| key.span));
        entries
    }

    fn entry(&self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>, is_inline: bool) -> Entry {
        let key = Key { span: self.span(key.span()), name: key.get_ref().to_string() };
        let value = self.node(&key, value, is_inline);
        let start = self.start_of_statement(key.span.start as usize - self.offset) + self.offset;
        let span = self.source.span(start.min(value.span.start as usize)..value.span.end.max(key.span.end) as usize);
        Entry { span, key: Some(key), value }
    }

    fn node(&self, key: &Key, value: &Spanned<DeValue<'_>>, is_inline: bool) -> Node {
        let span = self.span(value.span());
        match value.get_ref() {
            DeValue::Table(table) => {
                let own = self.source.slice(span);
                let is_inline = is_inline || own.starts_with('{');
                let entries = self.entries(table, is_inline);
                // Of a table made by headers and dotted keys only the header is reported, or one key.
                let span = if own.starts_with('{') { span } else { cover(header(key, span, own), &entries) };
                Node { span, kind: NodeKind::Map(entries), anchor: None }
            }
            DeValue::Array(items) => {
                let entries: Vec<Entry> = items
                    .iter()
                    .map(|item| {
                        let value = self.node(key, item, true);
                        Entry { span: value.span, key: None, value }
                    })
                    .collect();
                Node { span: cover(span, &entries), kind: NodeKind::List(entries), anchor: None }
            }
            scalar => {
                let kind = self.scalar(scalar, span).map_or(NodeKind::Opaque, NodeKind::Scalar);
                Node { span, kind, anchor: None }
            }
        }
    }

    fn scalar(&self, value: &DeValue<'_>, span: Span) -> Option<Scalar> {
        Some(match value {
            DeValue::String(text) => Scalar::Str(text.to_string()),
            DeValue::Boolean(value) => Scalar::Bool(*value),
            DeValue::Datetime(_) => Scalar::Date(self.source.slice(span).to_owned()),
            DeValue::Float(float) => Scalar::Float(float.as_str().parse().ok()?),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(whole) => Scalar::Int(whole),
                Err(_) => Scalar::Float(integer.as_str().parse().ok()?),
            },
            DeValue::Array(_) | DeValue::Table(_) => return None,
        })
    }

    /// From a part of a dotted key back to its first part: `a . "b".c` from `c` to `a`.
    fn start_of_statement(&self, part: usize) -> usize {
        let mut start = part;
        while let Some(before) = self.text[..start].trim_end_matches([' ', '\t']).strip_suffix('.') {
            let before = before.trim_end_matches([' ', '\t']);
            let length = match before.chars().next_back() {
                Some(quote @ ('"' | '\'')) => {
                    let inside = &before[..before.len() - 1];
                    // A quote in a basic string is escaped, and none spans lines.
                    let open = inside.match_indices(quote).rev().find(|(at, _)| {
                        let escapes = inside[..*at].bytes().rev().take_while(|byte| *byte == b'\\').count();
                        quote == '\'' || escapes % 2 == 0
                    });
                    open.map_or(0, |(at, _)| before.len() - at)
                }
                _ => before.bytes().rev().take_while(|it| it.is_ascii_alphanumeric() || b"_-".contains(it)).count(),
            };
            if length == 0 {
                break;
            }
            start = before.len() - length;
        }
        start
    }

    fn span(&self, range: std::ops::Range<usize>) -> Span {
        let start = range.start.min(self.text.len());
        self.source.span(start + self.offset..range.end.clamp(start, self.text.len()) + self.offset)
    }
}

/// The header of a table that has one, else its key.
fn header(key: &Key, span: Span, own: &str) -> Span {
    if own.starts_with('[') { span } else { key.span }
}

fn cover(span: Span, entries: &[Entry]) -> Span {
    entries.iter().fold(span, |span, entry| span.to(entry.span))
}

/// What is found by looking at characters alone.
struct Survey {
    comments: Vec<std::ops::Range<usize>>,
    /// Where brackets and dotted keys together exceed what is read. The parser bounds brackets but not dots, and would
    /// overflow the stack when it drops such a table.
    too_deep: Option<usize>,
}

fn survey(text: &str) -> Survey {
    let bytes = text.as_bytes();
    let mut survey = Survey { comments: Vec::new(), too_deep: None };
    let (mut outer, mut dots, mut at) = (Vec::new(), 0_usize, 0);
    let mut depth = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => {
                let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |it| at + it);
                let end = if bytes[at..end].ends_with(b"\r") { end - 1 } else { end };
                survey.comments.push(at..end);
                at = end;
                continue;
            }
            b'"' | b'\'' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b'.' => dots += 1,
            b'{' | b'[' => {
                outer.push(dots);
                depth += dots + 1;
                dots = 0;
            }
            b'}' | b']' => {
                dots = outer.pop().unwrap_or(0);
                depth -= depth.min(dots + 1);
            }
            b'\n' | b',' => dots = 0,
            _ => {}
        }
        if depth + dots > MAX_DEPTH && survey.too_deep.is_none() {
            survey.too_deep = Some(at);
        }
        at += 1;
    }
    survey
}

/// The end of the string that begins at `at`.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let is_long = bytes[at..].starts_with(&[quote; 3]);
    let mut at = at + if is_long { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 2,
            b'\n' if !is_long => return at,
            _ if byte == quote && !is_long => return at + 1,
            _ if byte == quote && bytes[at..].starts_with(&[quote; 3]) => {
                // Up to two quotes may stand before the closing three.
                let run = bytes[at..].iter().take_while(|byte| **byte == quote).count();
                return at + run.min(5);
            }
            _ => at += 1,
        }
    }
    bytes.len()
}
