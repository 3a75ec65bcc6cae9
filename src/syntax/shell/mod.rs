//! Shell scripts: every simple command with its arguments, wherever it stands, with the variables of the script resolved.
//!
//! The root of the [`Document`] is a list. A command is a [`NodeKind::Call`] without a key; `VAR=x` on its own is an entry
//! with a key. Commands inside `if`, loops, functions, pipelines, subshells and substitutions are entries like the others.
//! The arguments of a call are
//!
//! - one leading entry whose value is a [`NodeKind::Map`] for `VAR=x command` ([`environment`]);
//! - words, without a key, as [`Scalar::Str`] when their text is known and [`NodeKind::Opaque`] when it is not (`$1`,
//!   `$(date)`);
//! - `--name=value` as one entry with a key;
//! - `NAME=value` after `export`, `declare`, `local`, ... as an entry with a key;
//! - redirections, whose key is the operator; the value of `<<` is the body of the here-document.
//!
//! [`flags`] puts the words after a command's name together to `--name value`. A word of an expanded array or of an unquoted
//! variable has the span of its definition; every other word has the span of the place where it is used.

mod command;
mod edit;
mod entries;
mod expand;
mod grammar;
mod lexer;
mod names;
mod splitting;

pub use edit::{quote, remove_flag, rename_flag, set_flag};

use std::ops::Range;

use super::embedded::Embedded;
use super::{Document, Entry, Format, Key, Node, NodeKind, Scalar, SyntaxError};
use crate::source::{SourceFile, Span};

/// Parses a script.
pub fn parse(source: &SourceFile) -> Document {
    parse_embedded(&Embedded::whole(source), Format::Shell)
}

/// Parses a script that stands in another file.
pub fn parse_embedded(text: &Embedded<'_>, format: Format) -> Document {
    let mut parser = grammar::Parser::new(text.text());
    parser.run();
    document(text, format, &parser)
}

/// A part of a text that holds several pieces of shell.
#[derive(Debug, Clone)]
pub(super) enum Region {
    /// Commands that run in a shell of their own: what they assign is not seen by later regions.
    Script(Range<usize>),
    /// A variable that later regions see: its name and its value, in which `$OTHER` is expanded.
    Variable { name: Range<usize>, value: Range<usize>, append: bool },
    /// A variable whose value is not known.
    Unknown(Range<usize>),
    /// No variable is set any more.
    Forget,
}

/// Parses the regions of a text in order.
pub(super) fn parse_regions(text: &Embedded<'_>, format: Format, regions: &[Region]) -> Document {
    let mut parser = grammar::Parser::new(text.text());
    for region in regions {
        parser.region(region);
    }
    document(text, format, &parser)
}

fn document(text: &Embedded<'_>, format: Format, parser: &grammar::Parser<'_>) -> Document {
    let reader = entries::Reader {
        embedded: text,
        text: text.text(),
        bodies: &parser.bodies,
        expander: expand::Expander::new(text.text(), &parser.events, &parser.bodies),
    };
    let entries = reader.read(&parser.events);
    let error = |(range, message): &(Range<usize>, &'static str)| SyntaxError {
        span: text.span(range.clone()),
        message: (*message).to_owned(),
    };
    let span = text.span(0..text.text().len());
    Document {
        file: text.file(),
        format,
        root: Node { span, kind: NodeKind::List(entries), anchor: None },
        comments: parser.comments.iter().map(|range| text.span(range.clone())).collect(),
        errors: parser.errors.iter().map(error).collect(),
    }
}

/// Every command of a document, also those inside the instructions of a Dockerfile.
pub fn commands(document: &Document) -> Vec<&Node> {
    let is_call = |node: &&Node| matches!(node.kind, NodeKind::Call { .. });
    let top = document.root.entries().iter().map(|entry| &entry.value).filter(is_call);
    if document.format != Format::Dockerfile {
        return top.collect();
    }
    top.flat_map(|instruction| instruction.entries().iter().map(|entry| &entry.value)).filter(is_call).collect()
}

/// The variables set for one command only: `CUDA_VISIBLE_DEVICES=0 python ...`.
pub fn environment(call: &Node) -> &[Entry] {
    match call.entries().first() {
        Some(Entry { value: Node { kind: NodeKind::Map(entries), .. }, .. }) => entries,
        _ => &[],
    }
}

/// The words after a command's name, in order: no environment, no redirections.
pub fn words(call: &Node) -> impl Iterator<Item = &Entry> {
    call.entries().iter().filter(|entry| !matches!(entry.value.kind, NodeKind::Map(_)) && !is_redirect(entry))
}

/// An argument that stands quoted at `span`, as a JSON string does; `--name=value` gets a key.
pub(crate) fn word_entry(text: &str, span: Span) -> Entry {
    let value = |text: &str, span| Node { span, kind: NodeKind::Scalar(Scalar::Str(text.to_owned())), anchor: None };
    let unescaped = (span.end - span.start) as usize == text.len() + 2;
    let split = text.find('=').filter(|_| text.starts_with('-') && unescaped);
    let Some(equals) = split else { return Entry { span, key: None, value: value(text, span) } };
    let place = span.start + 1 + equals as u32;
    let name = text[..equals].trim_start_matches('-').to_owned();
    let key = Key { span: Span { start: span.start + 1, end: place, ..span }, name };
    let value = value(&text[equals + 1..], Span { start: place + 1, end: span.end - 1, ..span });
    Entry { span, key: Some(key), value }
}

/// The redirections of a command.
pub fn redirects(call: &Node) -> impl Iterator<Item = &Entry> {
    call.entries().iter().filter(|entry| is_redirect(entry))
}

fn is_redirect(entry: &Entry) -> bool {
    entry.name().is_some_and(|name| name.starts_with(['<', '>']) || name.starts_with("&>"))
}

/// The arguments of a command, flags put together with their values; see [`group`].
pub fn flags(call: &Node) -> Vec<Entry> {
    group(words(call))
}

/// Puts words together: `--name value`, `--name=value`, `-x v`, `--name a b c` (a [`NodeKind::List`]), `--name` alone
/// ([`NodeKind::Opaque`] with an empty span). Words before the first flag, and all after `--`, have no key.
pub fn group<'a>(words: impl Iterator<Item = &'a Entry>) -> Vec<Entry> {
    let mut grouped: Vec<Entry> = Vec::new();
    // The flag that the next plain word belongs to.
    let mut open: Option<(Entry, Vec<Entry>)> = None;
    let mut options_ended = false;
    for word in words {
        let text = if word.key.is_none() { word.value.as_str() } else { None };
        if options_ended {
            grouped.push(word.clone());
        } else if text == Some("--") {
            grouped.extend(open.take().map(close_flag));
            options_ended = true;
        } else if word.key.is_some() {
            grouped.extend(open.take().map(close_flag));
            grouped.push(word.clone());
        } else if let Some(text) = text.filter(|text| is_flag(text)) {
            grouped.extend(open.take().map(close_flag));
            let end = Span { start: word.span.end, ..word.span };
            // `$FLAG`, which holds `--name=value`: the value does not stand here.
            if let Some((name, _)) = text.split_once('=') {
                let key = Key { span: word.span, name: name.trim_start_matches('-').to_owned() };
                grouped.push(Entry { span: word.span, key: Some(key), value: entries::opaque(word.span) });
                continue;
            }
            let key = Key { span: word.span, name: text.trim_start_matches('-').to_owned() };
            open = Some((Entry { span: word.span, key: Some(key), value: entries::opaque(end) }, Vec::new()));
        } else if let Some((_, values)) = &mut open {
            values.push(word.clone());
        } else {
            grouped.push(word.clone());
        }
    }
    grouped.extend(open.map(close_flag));
    grouped
}

/// Whether a word is a flag, as `argparse` sees it: a negative number is a value.
pub fn is_flag(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-') && word[1..].parse::<f64>().is_err()
}

fn close_flag((mut flag, mut values): (Entry, Vec<Entry>)) -> Entry {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return flag };
    // A value from another place (an array's last word is the flag) has no span in common with it.
    let follows = |entry: &Entry| entry.span.start >= flag.span.end;
    let span = if follows(first) && follows(last) { flag.span.to(last.span) } else { flag.span };
    let values_span = if last.span.start >= first.span.start { first.span.to(last.span) } else { first.span };
    flag.value = if values.len() == 1 {
        values.remove(0).value
    } else {
        Node { span: values_span, kind: NodeKind::List(values), anchor: None }
    };
    flag.span = span;
    flag
}

#[cfg(test)]
pub(crate) mod tests;
