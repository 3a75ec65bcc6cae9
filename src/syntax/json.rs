//! JSON, from `jsonc-parser`'s tokens.
//!
//! The crate's own tree builder stops at the first error; this one keeps what was read, so that a file with a trailing
//! comma is still a file. Comments and trailing commas are read in both dialects and are errors in JSON proper.
//! `NaN` and the infinities are values, as they are for Python's `json`.

use std::ops::Range;

use jsonc_parser::tokens::Token;
use jsonc_parser::{Scanner, ScannerOptions};

use super::{Document, Entry, Format, Key, MAX_DEPTH, Node, NodeKind, Scalar, SyntaxError, strip_bom};
use crate::source::{SourceFile, Span};

/// Reads JSON; `format` says whether comments and trailing commas are errors.
pub fn parse(source: &SourceFile, format: Format) -> Document {
    let (offset, text) = strip_bom(source.text());
    let mut reader = Reader {
        source,
        offset,
        scanner: Scanner::new(text, &scanner_options()),
        is_strict: format == Format::Json,
        open: Vec::new(),
        root: None,
        comments: Vec::new(),
        errors: Vec::new(),
    };
    reader.run();
    let Reader { root, comments, errors, .. } = reader;
    let at = source.span(offset..offset);
    let root = root.unwrap_or(Node { span: at, kind: NodeKind::Opaque, anchor: None });
    Document { file: source.id(), format, root, comments, errors }
}

/// The strings of `["a", "b"]`, with their ranges, quotes included; `None` for anything else.
pub(super) fn strings(text: &str) -> Option<Vec<(Range<usize>, String)>> {
    let mut scanner = Scanner::new(text, &scanner_options());
    let mut strings = Vec::new();
    let mut next = || scanner.scan().ok().flatten().map(|token| (token, scanner.token_start()..scanner.token_end()));
    let (Token::OpenBracket, _) = next()? else { return None };
    loop {
        match next()? {
            (Token::String(text), range) => strings.push((range, text.into_owned())),
            (Token::CloseBracket, _) if strings.is_empty() => break,
            _ => return None,
        }
        match next()? {
            (Token::Comma, _) => {}
            (Token::CloseBracket, _) => break,
            _ => return None,
        }
    }
    next().is_none().then_some(strings)
}

fn scanner_options() -> ScannerOptions {
    ScannerOptions {
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: true,
        allow_extended_string_escapes: false,
    }
}

struct Reader<'a> {
    source: &'a SourceFile,
    /// Length of the byte-order mark, which the scanner does not see.
    offset: usize,
    scanner: Scanner<'a>,
    is_strict: bool,
    /// Collections that have not ended, outermost first.
    open: Vec<Collection>,
    root: Option<Node>,
    comments: Vec<Span>,
    errors: Vec<SyntaxError>,
}

struct Collection {
    is_map: bool,
    start: usize,
    entries: Vec<Entry>,
    key: Option<Key>,
    expects: Expects,
}

/// What may come next in a collection.
#[derive(Clone, Copy, PartialEq)]
enum Expects {
    /// A key or an item, or the end where no comma came before.
    Item,
    Colon,
    Value,
    /// A comma or the end.
    Comma,
    /// As [`Expects::Item`], after the comma at this place.
    AfterComma(Span),
}

impl<'a> Reader<'a> {
    fn run(&mut self) {
        loop {
            let token = match self.scanner.scan() {
                Ok(Some(token)) => token,
                Ok(None) => break,
                Err(error) => {
                    let range = error.range();
                    let end = range.end.max(range.start) + self.offset;
                    self.error(
                        self.source.span(range.start + self.offset..end),
                        lower_first(&error.kind().to_string()),
                    );
                    break self.close_all();
                }
            };
            if !self.token(token) {
                break self.close_all();
            }
        }
        if let Some(it) = self.open.last() {
            let span = self.source.span(it.start..it.start + 1);
            let what = if it.is_map { "object" } else { "array" };
            self.error(span, format!("unterminated {what}"));
            self.close_all();
        } else if self.root.is_none() && self.errors.is_empty() {
            self.error(self.source.span(self.offset..self.offset), "expected a value".into());
        }
    }

    /// Takes one token; false where reading on makes no sense.
    fn token(&mut self, token: Token<'a>) -> bool {
        let span = self.source.span(self.scanner.token_start() + self.offset..self.scanner.token_end() + self.offset);
        match token {
            Token::CommentLine(_) | Token::CommentBlock(_) => {
                if self.is_strict {
                    self.error(span, "comments are not allowed in JSON".into());
                }
                self.comments.push(span);
                true
            }
            Token::OpenBrace => self.begin(true, span),
            Token::OpenBracket => self.begin(false, span),
            Token::CloseBrace => self.close(true, span),
            Token::CloseBracket => self.close(false, span),
            Token::Colon => self.punctuation(span, Expects::Colon, Expects::Value, "unexpected colon"),
            Token::Comma => self.punctuation(span, Expects::Comma, Expects::AfterComma(span), "unexpected comma"),
            Token::String(text) if self.expects_key() => {
                self.key(Key { span, name: text.into_owned() });
                true
            }
            Token::String(text) => self.scalar(span, Scalar::Str(text.into_owned())),
            Token::Boolean(value) => self.scalar(span, Scalar::Bool(value)),
            Token::Null => self.scalar(span, Scalar::Null),
            Token::Number(text) => self.scalar(span, number(text)),
            Token::Word(word) => {
                self.error(span, format!("unexpected word `{word}`"));
                false
            }
        }
    }

    fn expects_key(&mut self) -> bool {
        self.open.last().is_some_and(|it| it.is_map && matches!(it.expects, Expects::Item | Expects::AfterComma(_)))
    }

    fn key(&mut self, key: Key) {
        if let Some(it) = self.open.last_mut() {
            it.key = Some(key);
            it.expects = Expects::Colon;
        }
    }

    fn punctuation(&mut self, span: Span, expected: Expects, next: Expects, message: &str) -> bool {
        match self.open.last_mut() {
            Some(it) if it.expects == expected => {
                it.expects = next;
                true
            }
            _ => {
                self.error(span, message.into());
                false
            }
        }
    }

    /// Checks that a value may stand at `span`.
    fn expects_value(&mut self, span: Span) -> bool {
        let expects = match self.open.last() {
            None if self.root.is_some() => {
                self.error(span, "text cannot contain more than one JSON value".into());
                return false;
            }
            None => return true,
            Some(it) => it.expects,
        };
        let in_map = self.open.last().is_some_and(|it| it.is_map);
        match expects {
            Expects::Value => true,
            Expects::Item | Expects::AfterComma(_) if !in_map => true,
            Expects::Comma => {
                self.error(span, "expected a comma".into());
                false
            }
            Expects::Colon => {
                self.error(span, "expected a colon".into());
                false
            }
            Expects::Item | Expects::AfterComma(_) => {
                self.error(span, "expected a string as the key".into());
                false
            }
        }
    }

    fn scalar(&mut self, span: Span, scalar: Scalar) -> bool {
        let expected = self.expects_value(span);
        if expected {
            self.place(Node { span, kind: NodeKind::Scalar(scalar), anchor: None });
        }
        expected
    }

    fn begin(&mut self, is_map: bool, span: Span) -> bool {
        if !self.expects_value(span) {
            return false;
        }
        if self.open.len() == MAX_DEPTH {
            self.error(span, "nested too deeply".into());
            return false;
        }
        let start = span.start as usize;
        self.open.push(Collection { is_map, start, entries: Vec::new(), key: None, expects: Expects::Item });
        true
    }

    fn close(&mut self, is_map: bool, span: Span) -> bool {
        match self.open.last().map(|it| (it.is_map, it.expects)) {
            Some((kind, Expects::Item | Expects::Comma)) if kind == is_map => {}
            Some((kind, Expects::AfterComma(comma))) if kind == is_map => {
                if self.is_strict {
                    self.error(comma, "trailing commas are not allowed in JSON".into());
                }
            }
            _ => {
                self.error(span, format!("unexpected {}", if is_map { "`}`" } else { "`]`" }));
                return false;
            }
        }
        self.end(span.end as usize);
        true
    }

    fn end(&mut self, end: usize) {
        let Some(it) = self.open.pop() else { return };
        let kind = if it.is_map { NodeKind::Map(it.entries) } else { NodeKind::List(it.entries) };
        self.place(Node { span: self.source.span(it.start..end), kind, anchor: None });
    }

    /// Keeps what was read of collections that do not end.
    fn close_all(&mut self) {
        while let Some(it) = self.open.last_mut() {
            if let Some(key) = it.key.take() {
                let at = self.source.span(key.span.end as usize..key.span.end as usize);
                let value = Node { span: at, kind: NodeKind::Opaque, anchor: None };
                it.entries.push(Entry { span: key.span, key: Some(key), value });
            }
            let end = it.entries.last().map_or(it.start + 1, |entry| entry.span.end as usize);
            self.end(end);
        }
    }

    fn place(&mut self, value: Node) {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(value);
            return;
        };
        parent.expects = Expects::Comma;
        let key = parent.key.take();
        let span = key.as_ref().map_or(value.span, |key| key.span.to(value.span));
        parent.entries.push(Entry { span, key, value });
    }

    fn error(&mut self, span: Span, message: String) {
        self.errors.push(SyntaxError { span, message });
    }
}

fn number(text: &str) -> Scalar {
    match text {
        "NaN" => return Scalar::Float(f64::NAN),
        "Infinity" => return Scalar::Float(f64::INFINITY),
        "-Infinity" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.parse() {
        Ok(whole) => Scalar::Int(whole),
        Err(_) => Scalar::Float(text.parse().unwrap_or(f64::NAN)),
    }
}

fn lower_first(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
