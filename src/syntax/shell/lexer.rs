//! Words of a shell script: quotes, expansions and where each part stands.
//!
//! A word is kept in parts because its text is only known once the variables in it are: `--output_dir="$ROOT/dpo"`.

use std::borrow::Cow;
use std::ops::Range;

use super::grammar::{Event, Parser};

/// Substitutions nested deeper than this are not read; real scripts stay below five.
pub(super) const MAX_DEPTH: usize = 48;

/// A word as written.
#[derive(Debug, Clone)]
pub(super) struct Word<'a> {
    pub range: Range<usize>,
    pub parts: Vec<Part<'a>>,
}

/// A part of a word.
#[derive(Debug, Clone)]
pub(super) enum Part<'a> {
    /// Text with quotes and backslashes taken away; a borrowed text stands unchanged at `at`.
    Text { at: usize, text: Cow<'a, str>, quoted: bool },
    /// `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:=default}`.
    Variable { name: &'a str, default: Option<Vec<Part<'a>>>, assigns: bool, quoted: bool },
    /// `${NAME[@]}`, `${NAME[*]}`.
    Elements { name: &'a str, joined: bool },
    /// `$1`, `$(...)`, `${NAME%suffix}`, `$((...))`.
    Unknown,
}

impl Word<'_> {
    /// The text of a word without expansions.
    pub fn literal(&self) -> Option<Cow<'_, str>> {
        match self.parts.as_slice() {
            [] => Some(Cow::Borrowed("")),
            [Part::Text { text, .. }] => Some(Cow::Borrowed(text)),
            parts => parts
                .iter()
                .map(|part| if let Part::Text { text, .. } = part { Some(text.as_ref()) } else { None })
                .collect::<Option<String>>()
                .map(Cow::Owned),
        }
    }

    /// Whether any part of it is quoted or escaped.
    pub fn is_quoted(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Text { quoted: true, .. }))
    }
}

/// Bytes that end a word.
pub(super) fn is_meta(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>')
}

/// Bytes of a variable's name.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl<'a> Parser<'a> {
    /// The byte `ahead` of the current one; 0 past the end, which no rule gives a meaning.
    pub(super) fn at(&self, ahead: usize) -> u8 {
        self.text.as_bytes()[..self.end].get(self.pos + ahead).copied().unwrap_or(0)
    }

    pub(super) fn done(&self) -> bool {
        self.pos >= self.end
    }

    /// Length of a line continuation here. A carriage return before the newline counts as part of it: such scripts come
    /// from Windows checkouts and are meant as if it were not there.
    pub(super) fn continuation(&self) -> usize {
        match (self.at(0), self.at(1), self.at(2)) {
            (b'\\', b'\n', _) => 2,
            (b'\\', b'\r', b'\n') => 3,
            _ => 0,
        }
    }

    /// Skips blanks and continuations, not newlines.
    pub(super) fn blanks(&mut self) {
        loop {
            let skipped = match self.at(0) {
                b' ' | b'\t' => 1,
                b'\r' if self.at(1) == b'\n' || self.pos + 1 == self.end => 1,
                _ => self.continuation(),
            };
            if skipped == 0 {
                return;
            }
            self.pos += skipped;
        }
    }

    /// Moves past the character here, whatever its length.
    fn skip_char(&mut self) {
        let length = self.text[self.pos..self.end].chars().next().map_or(1, char::len_utf8);
        self.pos = (self.pos + length).min(self.end);
    }

    /// Reads a word; empty (and nothing consumed) where none starts.
    pub(super) fn word(&mut self) -> Word<'a> {
        let start = self.pos;
        let mut parts = Vec::new();
        let mut end = start;
        while !self.done() {
            match self.at(0) {
                b'\\' if self.continuation() > 0 => {
                    self.pos += self.continuation();
                    // Glued to what follows; if nothing does, the word ended before it.
                    continue;
                }
                b'\r' if self.at(1) == b'\n' || self.pos + 1 == self.end => break,
                b'<' | b'>' if self.at(1) == b'(' && self.pos == start => {
                    self.pos += 2;
                    self.substitution(b')');
                    parts.push(Part::Unknown);
                }
                b'<' if self.placeholder() > 0 => {
                    self.pos += self.placeholder();
                    parts.push(Part::Unknown);
                }
                byte if is_meta(byte) => break,
                _ => self.word_part(&mut parts),
            }
            end = self.pos;
        }
        Word { range: start..end, parts }
    }

    /// Reads one part outside double quotes.
    fn word_part(&mut self, parts: &mut Vec<Part<'a>>) {
        match self.at(0) {
            b'\'' => self.single_quotes(parts),
            b'"' => {
                self.pos += 1;
                self.double_quotes(parts, true);
            }
            b'$' => self.dollar(parts, false),
            b'`' => self.backticks(parts),
            b'\\' => {
                self.pos += 1;
                let at = self.pos;
                self.skip_char();
                parts.push(Part::Text { at, text: Cow::Borrowed(&self.text[at..self.pos]), quoted: true });
            }
            _ => {
                let at = self.pos;
                let stop = |byte: u8| is_meta(byte) || matches!(byte, b'\'' | b'"' | b'$' | b'`' | b'\\' | b'\r');
                let rest = &self.text.as_bytes()[at..self.end];
                // A lone carriage return is part of the word: take at least one byte.
                let length = rest.iter().skip(1).position(|byte| stop(*byte)).map_or(rest.len(), |length| length + 1);
                self.pos += length;
                parts.push(Part::Text { at, text: Cow::Borrowed(&self.text[at..self.pos]), quoted: false });
            }
        }
    }

    fn single_quotes(&mut self, parts: &mut Vec<Part<'a>>) {
        let open = self.pos;
        let at = open + 1;
        let length = memchr(b'\'', &self.text.as_bytes()[at..self.end]);
        if length.is_none() {
            self.error(open..at, "this quote is not closed");
        }
        let close = length.map_or(self.end, |length| at + length);
        parts.push(Part::Text { at, text: Cow::Borrowed(&self.text[at..close]), quoted: true });
        self.pos = (close + 1).min(self.end);
    }

    /// Reads up to the closing double quote, or to the end where `closed` is false (a here-document).
    pub(super) fn double_quotes(&mut self, parts: &mut Vec<Part<'a>>, closed: bool) {
        let open = self.pos.saturating_sub(1);
        let first = parts.len();
        while !self.done() {
            match self.at(0) {
                b'"' if closed => {
                    if parts.len() == first {
                        parts.push(Part::Text { at: self.pos, text: Cow::Borrowed(""), quoted: true });
                    }
                    self.pos += 1;
                    return;
                }
                b'$' => self.dollar(parts, true),
                b'`' => self.backticks(parts),
                b'\\' if self.continuation() > 0 => self.pos += self.continuation(),
                byte => {
                    let escaped = byte == b'\\' && matches!(self.at(1), b'"' | b'$' | b'`' | b'\\');
                    self.pos += usize::from(escaped);
                    let at = self.pos;
                    let stop = |byte: u8| matches!(byte, b'$' | b'`' | b'\\') || (closed && byte == b'"');
                    let rest = &self.text.as_bytes()[at..self.end];
                    let length = rest.iter().skip(1).position(|byte| stop(*byte)).map_or(rest.len(), |at| at + 1);
                    self.pos += length;
                    parts.push(Part::Text { at, text: Cow::Borrowed(&self.text[at..self.pos]), quoted: true });
                }
            }
        }
        if closed {
            self.error(open..open + 1, "this quote is not closed");
        }
    }

    /// Reads what follows a `$`.
    fn dollar(&mut self, parts: &mut Vec<Part<'a>>, quoted: bool) {
        let at = self.pos;
        match self.at(1) {
            b'(' if self.at(2) == b'(' => {
                self.pos += 3;
                self.arithmetic();
                parts.push(Part::Unknown);
            }
            b'(' => {
                self.pos += 2;
                self.substitution(b')');
                parts.push(Part::Unknown);
            }
            b'{' => {
                self.pos += 2;
                let part = self.braces(quoted);
                parts.push(part);
            }
            b'\'' if !quoted => {
                self.pos += 1;
                self.ansi_quotes(parts);
            }
            b'"' if !quoted => self.pos += 1,
            byte if is_name(byte) && !byte.is_ascii_digit() => {
                let name = self.name_at(at + 1);
                self.pos = at + 1 + name.len();
                parts.push(Part::Variable { name, default: None, assigns: false, quoted });
            }
            b'@' | b'*' | b'#' | b'?' | b'$' | b'!' | b'-' | b'0'..=b'9' => {
                self.pos += 2;
                parts.push(Part::Unknown);
            }
            _ => {
                self.pos += 1;
                parts.push(Part::Text { at, text: Cow::Borrowed("$"), quoted });
            }
        }
    }

    /// The longest name at `from`.
    pub(super) fn name_at(&self, from: usize) -> &'a str {
        let rest = &self.text.as_bytes()[from.min(self.end)..self.end];
        let length = rest.iter().position(|byte| !is_name(*byte)).unwrap_or(rest.len());
        &self.text[from.min(self.end)..from.min(self.end) + length]
    }

    /// Reads `NAME...}` after `${`.
    fn braces(&mut self, quoted: bool) -> Part<'a> {
        let open = self.pos - 2;
        let name = self.name_at(self.pos);
        let after = self.pos + name.len();
        let rest = &self.text[after..self.end];
        let usable = !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit());
        let simple = |part, length: usize| (part, after + length);
        let known = if !usable {
            None
        } else if rest.starts_with('}') {
            Some(simple(Part::Variable { name, default: None, assigns: false, quoted }, 1))
        } else if rest.starts_with("[@]}") || rest.starts_with("[*]}") {
            Some(simple(Part::Elements { name, joined: rest.starts_with("[*") }, 4))
        } else {
            None
        };
        if let Some((part, end)) = known {
            self.pos = end;
            return part;
        }
        let has_default = usable && [":-", ":=", "-", "="].iter().any(|operator| rest.starts_with(operator));
        self.pos = after + if rest.starts_with(':') { 2 } else { 1 };
        self.pos = if has_default { self.pos } else { after };
        let default = self.brace_rest(quoted, open);
        if !has_default {
            return Part::Unknown;
        }
        let assigns = rest.starts_with(":=") || rest.starts_with('=');
        Part::Variable { name, default: Some(default), assigns, quoted }
    }

    /// Reads to the closing brace; the parts matter to a default value only.
    fn brace_rest(&mut self, quoted: bool, open: usize) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        if !self.descend(open) {
            return parts;
        }
        let mut plain_braces = 0usize;
        while !self.done() {
            match self.at(0) {
                b'}' if plain_braces == 0 => break,
                byte @ (b'{' | b'}') => {
                    plain_braces = if byte == b'{' { plain_braces + 1 } else { plain_braces - 1 };
                    parts.push(self.one_byte(quoted));
                }
                b'\'' if quoted => parts.push(self.one_byte(true)),
                b'\'' | b'"' | b'\\' | b'`' => self.word_part(&mut parts),
                b'$' => self.dollar(&mut parts, quoted),
                _ => {
                    let at = self.pos;
                    let stop = |byte: u8| matches!(byte, b'{' | b'}' | b'\'' | b'"' | b'\\' | b'`' | b'$');
                    let rest = &self.text.as_bytes()[at..self.end];
                    self.pos += rest.iter().position(|byte| stop(*byte)).unwrap_or(rest.len());
                    parts.push(Part::Text { at, text: Cow::Borrowed(&self.text[at..self.pos]), quoted });
                }
            }
        }
        self.depth -= 1;
        if self.done() {
            self.error(open..open + 2, "this expansion is not closed");
        } else {
            self.pos += 1;
        }
        parts
    }

    fn one_byte(&mut self, quoted: bool) -> Part<'a> {
        let at = self.pos;
        self.pos += 1;
        Part::Text { at, text: Cow::Borrowed(&self.text[at..self.pos]), quoted }
    }

    /// Reads `'...'` after the `$` of ANSI-C quoting.
    fn ansi_quotes(&mut self, parts: &mut Vec<Part<'a>>) {
        let open = self.pos;
        self.pos += 1;
        let at = self.pos;
        let mut text = String::new();
        while !self.done() && self.at(0) != b'\'' {
            let escaped = self.at(0) == b'\\';
            self.pos += usize::from(escaped);
            let from = self.pos.min(self.end);
            self.skip_char();
            match &self.text[from..self.pos] {
                "n" if escaped => text.push('\n'),
                "t" if escaped => text.push('\t'),
                "r" if escaped => text.push('\r'),
                other => text.push_str(other),
            }
        }
        if self.done() {
            self.error(open..open + 1, "this quote is not closed");
        }
        self.pos = (self.pos + 1).min(self.end);
        parts.push(Part::Text { at, text: Cow::Owned(text), quoted: true });
    }

    /// Reads to the closing parentheses of `$((` or `((`, two of which are open.
    pub(super) fn arithmetic(&mut self) {
        let start = self.pos;
        let mut open = 2usize;
        while !self.done() && open > 0 {
            match self.at(0) {
                b'(' => open += 1,
                b')' => open -= 1,
                _ => {}
            }
            self.pos += 1;
        }
        let stop = self.pos;
        self.events.push(Event::Arithmetic(start..stop));
    }

    /// Reads commands up to `close`, which run in a shell of their own.
    fn substitution(&mut self, close: u8) {
        let open = self.pos.saturating_sub(2);
        if !self.descend(open) {
            return;
        }
        self.subshell(Some(close), open);
        self.depth -= 1;
    }

    fn backticks(&mut self, parts: &mut Vec<Part<'a>>) {
        parts.push(Part::Unknown);
        let open = self.pos;
        let mut close = open + 1;
        let bytes = &self.text.as_bytes()[..self.end];
        while close < self.end && bytes[close] != b'`' {
            close += if bytes[close] == b'\\' { 2 } else { 1 };
        }
        if close >= self.end {
            self.error(open..open + 1, "this substitution is not closed");
            self.pos = self.end;
            return;
        }
        self.pos = open + 1;
        if self.descend(open) {
            let outer = std::mem::replace(&mut self.end, close);
            self.subshell(None, open);
            self.end = outer;
            self.depth -= 1;
            self.pos = close + 1;
        }
    }

    /// Enters a nested construct; too deep, the rest of the text is given up.
    fn descend(&mut self, open: usize) -> bool {
        if self.depth >= MAX_DEPTH {
            self.error(open..open + 1, "nested too deeply to be read");
            self.pos = self.end;
            return false;
        }
        self.depth += 1;
        true
    }
}

fn memchr(needle: u8, haystack: &[u8]) -> Option<usize> {
    haystack.iter().position(|byte| *byte == needle)
}
