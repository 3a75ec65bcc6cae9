//! A simple command: its assignments, redirections and here-documents.

use std::ops::Range;

use super::grammar::Parser;
use super::lexer::{MAX_DEPTH, Part, Word, is_meta, is_name};

/// A simple command.
#[derive(Debug, Default)]
pub(super) struct Command<'a> {
    pub range: Range<usize>,
    /// `VAR=x` before the first word; the whole command if there is no word.
    pub assignments: Vec<Assignment<'a>>,
    pub items: Vec<Item<'a>>,
    /// Whether it runs only if another command succeeded or failed.
    pub guarded: bool,
}

/// What follows the assignments of a command.
#[derive(Debug)]
pub(super) enum Item<'a> {
    Word(Word<'a>),
    /// An argument of `export`, `declare`, ...
    Assignment(Assignment<'a>),
    Redirect(Redirect<'a>),
}

/// `NAME=value`, `NAME+=value`, `NAME=(a b)`.
#[derive(Debug)]
pub(super) struct Assignment<'a> {
    pub range: Range<usize>,
    pub name: &'a str,
    pub name_range: Range<usize>,
    /// What stands between the value so far and this one, if this one is added to it.
    pub append: Option<&'static str>,
    pub value: Assigned<'a>,
}

/// The right side of an assignment.
#[derive(Debug)]
pub(super) enum Assigned<'a> {
    Word(Word<'a>),
    Array(Range<usize>, Vec<Word<'a>>),
    /// One element of an array, or an array with keys.
    Unknown(Range<usize>),
}

/// A redirection.
#[derive(Debug)]
pub(super) struct Redirect<'a> {
    pub range: Range<usize>,
    pub operator: Range<usize>,
    pub target: Target<'a>,
}

/// Where a redirection leads.
#[derive(Debug)]
pub(super) enum Target<'a> {
    Word(Word<'a>),
    /// An index into the bodies.
    HereDocument(usize),
}

/// A here-document whose body is still to come.
pub(super) struct Pending {
    delimiter: String,
    strips_tabs: bool,
    literal: bool,
    body: usize,
}

impl Assigned<'_> {
    pub fn range(&self) -> Range<usize> {
        match self {
            Self::Word(word) => word.range.clone(),
            Self::Array(range, _) | Self::Unknown(range) => range.clone(),
        }
    }
}

impl<'a> Parser<'a> {
    /// Reads an assignment if one starts here.
    pub fn assignment(&mut self) -> Option<Assignment<'a>> {
        let start = self.pos;
        let name = self.name_at(start);
        if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
            return None;
        }
        let bytes = &self.text.as_bytes()[..self.end];
        let mut at = start + name.len();
        let element = bytes.get(at) == Some(&b'[');
        if element {
            // The index may hold brackets of its own: `A[${#A[@]}]=x`.
            let word = bytes[at..].iter().position(|byte| is_meta(*byte)).unwrap_or(bytes.len() - at);
            let ends = |pair: &[u8]| pair == b"]=" || pair == b"]+";
            at += bytes[at..at + word].windows(2).position(ends)? + 1;
        }
        let append = bytes.get(at) == Some(&b'+');
        at += usize::from(append);
        if bytes.get(at) != Some(&b'=') {
            return None;
        }
        self.pos = at + 1;
        let value = if self.at(0) == b'(' { self.array() } else { Assigned::Word(self.word()) };
        let value_range = value.range();
        let value = if element { Assigned::Unknown(value_range.clone()) } else { value };
        let range = start..value_range.end.max(at + 1);
        Some(Assignment { range, name, name_range: start..start + name.len(), append: append.then_some(""), value })
    }

    fn array(&mut self) -> Assigned<'a> {
        let start = self.pos;
        let mut words = Vec::new();
        self.pos += 1;
        loop {
            self.blanks();
            match self.at(0) {
                _ if self.done() => {
                    self.error(start..start + 1, "this array is not closed");
                    break;
                }
                b')' => {
                    self.pos += 1;
                    break;
                }
                b'\n' => self.newline(),
                b'#' => self.comment(),
                _ => {
                    let before = self.pos;
                    let word = self.word();
                    if self.pos == before {
                        self.error(before..before + 1, "this character is not expected here");
                        self.pos += 1;
                    } else {
                        words.push(word);
                    }
                }
            }
        }
        let range = start..self.pos;
        let keyed = |word: &Word<'_>| {
            let text = &self.text[word.range.clone()];
            text.starts_with('[') && text.contains("]=")
        };
        if words.iter().any(keyed) { Assigned::Unknown(range) } else { Assigned::Array(range, words) }
    }

    /// Length of the digits before a redirection (`2>`).
    pub fn descriptor(&self) -> usize {
        // More than a few digits are no file descriptor; the limit keeps long numbers from being read twice.
        let digits = (0..4).take_while(|ahead| self.at(*ahead).is_ascii_digit()).count();
        if matches!(self.at(digits), b'<' | b'>') && self.at(digits + 1) != b'(' { digits } else { 0 }
    }

    /// Length of a `<placeholder>` here. A shell would read and write files of such names; a reader knows better.
    pub fn placeholder(&self) -> usize {
        if self.at(0) != b'<' || !(self.at(1).is_ascii_alphabetic() || self.at(1) == b'_') {
            return 0;
        }
        let name = (1..64)
            .take_while(|ahead| is_name(self.at(*ahead)) || matches!(self.at(*ahead), b'-' | b'.' | b'/' | b':'))
            .count();
        if self.at(name + 1) == b'>' && self.at(name + 2) != b'>' { name + 2 } else { 0 }
    }

    /// Reads a redirection whose operator is here and which starts at `start`.
    pub fn redirect(&mut self, start: usize) -> Redirect<'a> {
        let rest = &self.text[self.pos..self.end];
        let operators = ["<<<", "<<-", "<<", "<&", "<>", "&>>", "&>", ">>", ">&", ">|", "<", ">"];
        let operator = operators.into_iter().find(|operator| rest.starts_with(operator)).unwrap_or("<");
        let operator_range = self.pos..self.pos + operator.len();
        self.pos += operator.len();
        self.blanks();
        let word = self.word();
        let end = word.range.end.max(operator_range.end);
        let target = if matches!(operator, "<<" | "<<-") {
            let raw = &self.text[word.range.clone()];
            let body = self.bodies.len();
            self.bodies.push(Word { range: end..end, parts: Vec::new() });
            self.pending.push(Pending {
                delimiter: word.literal().map_or_else(|| raw.to_owned(), std::borrow::Cow::into_owned),
                strips_tabs: operator == "<<-",
                literal: word.is_quoted(),
                body,
            });
            Target::HereDocument(body)
        } else {
            Target::Word(word)
        };
        Redirect { range: start..end, operator: operator_range, target }
    }

    pub fn comment(&mut self) {
        let start = self.pos;
        let rest = &self.text.as_bytes()[start..self.end];
        self.pos += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let comment = self.text[start..self.pos].trim_end_matches('\r');
        self.comments.push(start..start + comment.len());
    }

    /// Moves past a newline and the here-documents that start after it.
    pub fn newline(&mut self) {
        self.pos += 1;
        if !self.pending.is_empty() {
            self.here_documents();
        }
    }

    pub fn here_documents(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            let start = self.pos;
            let (stop, next, closed) = self.here_document_end(&pending);
            if !closed {
                self.error(start..start, "this here-document is not closed");
            }
            let mut parts = Vec::new();
            if pending.literal {
                parts.push(Part::Text { at: start, text: self.text[start..stop].into(), quoted: true });
            } else if self.depth < MAX_DEPTH {
                self.depth += 1;
                let outer = std::mem::replace(&mut self.end, stop);
                self.double_quotes(&mut parts, false);
                self.end = outer;
                self.depth -= 1;
            }
            self.bodies[pending.body] = Word { range: start..stop, parts };
            self.pos = next;
        }
    }

    /// End of the body, start of what follows, whether the delimiter was found.
    fn here_document_end(&self, pending: &Pending) -> (usize, usize, bool) {
        let mut line_start = self.pos;
        while line_start < self.end {
            let rest = &self.text[line_start..self.end];
            let (line, length) = rest.find('\n').map_or((rest, rest.len()), |at| (&rest[..at], at + 1));
            let line = line.strip_suffix('\r').unwrap_or(line);
            let line = if pending.strips_tabs { line.trim_start_matches('\t') } else { line };
            if line == pending.delimiter {
                return (line_start, line_start + length, true);
            }
            line_start += length;
        }
        (self.end, self.end, false)
    }
}
