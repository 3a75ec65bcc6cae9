//! Text that stands inside another file, and the way back to its bytes.
//!
//! A shell command in a notebook is a JSON string, in a Makefile it has `$$` for `$`, in a Dockerfile it is interrupted by
//! comment lines. Each of these is copied into one text that the parsers read, together with the pieces it came from.

use std::borrow::Cow;
use std::ops::Range;

use super::python::Piece;
use crate::source::{FileId, SourceFile, Span};

/// A text and where its parts stand in a file.
#[derive(Debug, Clone)]
pub struct Embedded<'a> {
    file: FileId,
    text: Cow<'a, str>,
    /// In order of `text`. Empty: offsets are the file's own.
    pieces: Vec<Piece>,
    /// Where an empty text stands.
    start: u32,
}

impl<'a> Embedded<'a> {
    /// A file as it is.
    pub fn whole(source: &'a SourceFile) -> Self {
        Self { file: source.id(), text: Cow::Borrowed(source.text()), pieces: Vec::new(), start: 0 }
    }

    /// Text that stands unchanged at `start` of a file.
    pub fn verbatim(file: FileId, text: &'a str, start: usize) -> Self {
        let len = text.len() as u32;
        let piece = Piece { text: 0, file: start as u32, len, file_len: len };
        Self { file, text: Cow::Borrowed(text), pieces: vec![piece], start: start as u32 }
    }

    /// An empty text that will be filled from `start` of a file on.
    pub fn empty(file: FileId, start: usize) -> Self {
        let piece = Piece { text: 0, file: start as u32, len: 0, file_len: 0 };
        Self { file, text: Cow::Borrowed(""), pieces: vec![piece], start: start as u32 }
    }

    /// Adds text that stands unchanged at `at` of the file.
    pub fn push(&mut self, text: &str, at: usize) {
        self.push_as(text, at..at + text.len());
    }

    /// Adds text that the bytes `range` of the file stand for.
    pub fn push_as(&mut self, text: &str, range: Range<usize>) {
        let (at, len) = (self.text.len() as u32, text.len() as u32);
        let (file, file_len) = (range.start as u32, (range.end - range.start) as u32);
        self.text.to_mut().push_str(text);
        if let Some(last) = self.pieces.last_mut() {
            let both_verbatim = last.len == last.file_len && len == file_len;
            if last.len == 0 && last.file_len == 0 {
                *last = Piece { text: at, file, len, file_len };
                return;
            }
            if both_verbatim && last.file + last.len == file {
                last.len += len;
                last.file_len += len;
                return;
            }
        }
        self.pieces.push(Piece { text: at, file, len, file_len });
    }

    /// Adds another text of the same file.
    pub fn append(&mut self, other: &Embedded<'_>) {
        let text = other.text();
        for (range, file) in other.places(0..text.len()) {
            self.push_as(&text[range], file);
        }
    }

    /// A part of the text.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let mut slice = Embedded::empty(self.file, self.span(range.start..range.start).start as usize);
        for (part, file) in self.places(range) {
            slice.push_as(&self.text[part], file);
        }
        slice
    }

    /// Where the text ends in the file.
    pub fn end(&self) -> usize {
        self.offset(self.text.len(), true) as usize
    }

    /// The pieces of a range: bytes of the text, bytes of the file.
    fn places(&self, range: Range<usize>) -> Vec<(Range<usize>, Range<usize>)> {
        if self.pieces.is_empty() {
            return vec![(range.clone(), range)];
        }
        let first = self.pieces.partition_point(|piece| (piece.text + piece.len) as usize <= range.start);
        let inside = self.pieces[first..].iter().take_while(|piece| (piece.text as usize) < range.end);
        inside
            .filter(|piece| piece.len > 0)
            .map(|piece| {
                let (from, to) = (piece.text as usize, (piece.text + piece.len) as usize);
                let part = from.max(range.start)..to.min(range.end);
                let file = piece.file as usize;
                let place = if piece.len == piece.file_len {
                    file + part.start - from..file + part.end - from
                } else {
                    file..file + piece.file_len as usize
                };
                (part, place)
            })
            .collect()
    }

    /// The file.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text and its pieces, as [`super::python::PythonModule::from_pieces`] takes them.
    pub fn into_parts(self) -> (String, Vec<Piece>) {
        (self.text.into_owned(), self.pieces)
    }

    /// The same text, independent of the file's.
    pub fn into_owned(self) -> Embedded<'static> {
        let Self { file, text, pieces, start } = self;
        Embedded { file, text: Cow::Owned(text.into_owned()), pieces, start }
    }

    /// The range of the text that a place in the file stands for, if it stands in this text: the inverse of [`Self::span`].
    pub fn range(&self, span: Span) -> Option<Range<usize>> {
        let back = |offset: u32| {
            let at = self.pieces.partition_point(|piece| piece.file <= offset).checked_sub(1)?;
            let piece = self.pieces[at];
            let into = offset - piece.file;
            Some(piece.text + if into >= piece.file_len { piece.len } else { into.min(piece.len) })
        };
        let range =
            if self.pieces.is_empty() { span.range() } else { back(span.start)? as usize..back(span.end)? as usize };
        (span.file == self.file && self.span(range.clone()) == span).then_some(range)
    }

    /// Where a range of the text stands in the file.
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.offset(range.start, false);
        let end = if range.is_empty() { start } else { self.offset(range.end, true).max(start) };
        Span { file: self.file, start, end }
    }

    /// Where a byte stands in the file; the end of a range belongs to the piece before it.
    fn offset(&self, offset: usize, is_end: bool) -> u32 {
        let offset = offset as u32;
        let after = |piece: &Piece| if is_end { piece.text < offset } else { piece.text <= offset };
        let Some(at) = self.pieces.partition_point(after).checked_sub(1) else {
            return if self.pieces.is_empty() { offset } else { self.start };
        };
        let piece = self.pieces[at];
        let into = offset - piece.text;
        if into >= piece.len {
            piece.file + piece.file_len
        } else if piece.len == piece.file_len {
            piece.file + into
        } else if is_end {
            piece.file + piece.file_len
        } else {
            piece.file
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn ranges_find_their_bytes() {
        let source = Sources::default().add("Makefile".into(), "run:\n\techo $$HOME x\n");
        let mut text = Embedded::empty(source.id(), 6);
        text.push("echo ", 6);
        text.push_as("$", 11..13);
        text.push("HOME", 13);
        text.push(" x", 17);
        assert_eq!(text.text(), "echo $HOME x");
        for (range, expected) in [(0..4, "echo"), (5..10, "$$HOME"), (5..6, "$$"), (11..12, "x"), (6..10, "HOME")] {
            assert_eq!(source.slice(text.span(range)), expected);
        }
        assert_eq!(text.span(12..12).start, 19);
        for range in [0..4, 5..10, 11..12, 6..10, 12..12] {
            assert_eq!(text.range(text.span(range.clone())), Some(range));
        }
        for elsewhere in [0..3, 4..8, 30..31] {
            assert_eq!(text.range(source.span(elsewhere)), None);
        }
        // What stands for other bytes has no inside.
        text.push_as("abc", 0..4);
        assert_eq!(source.slice(text.span(13..14)), "run:");
        assert_eq!(source.slice(text.slice(5..9).span(0..2)), "$$H");
    }
}
