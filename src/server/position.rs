//! Between bytes and what editors count: UTF-16 units unless the client offers UTF-8.

use super::protocol::{Position, Range};

/// What a character of a [`Position`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Bytes.
    Utf8,
    /// What every client understands.
    Utf16,
}

impl Encoding {
    /// The best of those that the client offers.
    pub fn negotiated<'a>(mut offered: impl Iterator<Item = &'a str>) -> Self {
        if offered.any(|one| one == Self::Utf8.name()) { Self::Utf8 } else { Self::Utf16 }
    }

    /// As the protocol calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
        }
    }

    fn width(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            Self::Utf16 => text.chars().map(char::len_utf16).sum(),
        }
    }
}

/// A text with its lines.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    encoding: Encoding,
}

impl<'t> Lines<'t> {
    /// Lines end with `\n`, `\r\n` or `\r`, as the protocol says. A byte-order mark is no part of the first one: editors take it away
    /// before they show or send a text.
    pub fn new(text: &'t str, encoding: Encoding) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let first = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let starts = std::iter::once(first).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, starts, encoding }
    }

    /// Where a byte is; one inside a character is where that begins.
    pub fn position(&self, offset: usize) -> Position {
        let mut offset = offset.clamp(self.starts[0], self.text.len().max(self.starts[0]));
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let before = &self.text[self.starts[line]..offset];
        Position { line: line as u32, character: self.encoding.width(before) as u32 }
    }

    /// A range of bytes.
    pub fn range(&self, range: std::ops::Range<usize>) -> Range {
        Range { start: self.position(range.start), end: self.position(range.end) }
    }

    /// The byte of a place; past the end of a line that end, past the last line the end of the text.
    pub fn offset(&self, position: Position) -> usize {
        let Some(start) = self.starts.get(position.line as usize).copied() else { return self.text.len() };
        let end = self.starts.get(position.line as usize + 1).copied().unwrap_or(self.text.len());
        let line = self.text[start..end].trim_end_matches(['\r', '\n']);
        let wanted = position.character as usize;
        let mut width = 0;
        for (at, letter) in line.char_indices() {
            let next = width + self.encoding.width(letter.encode_utf8(&mut [0; 4]));
            if next > wanted {
                return start + at;
            }
            width = next;
        }
        start + line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}x = '中𝄞'  # 😀\r\n次\ry\n";

    #[test]
    fn places_are_counted_in_what_was_negotiated() {
        for (encoding, needle, line, character) in [
            (Encoding::Utf16, "x", 0, 0),
            (Encoding::Utf16, "𝄞", 0, 6),
            (Encoding::Utf16, "'  #", 0, 8),
            (Encoding::Utf8, "'  #", 0, 12),
            (Encoding::Utf16, "\r\n", 0, 15),
            (Encoding::Utf8, "\r\n", 0, 21),
            (Encoding::Utf16, "次", 1, 0),
            (Encoding::Utf16, "y", 2, 0),
        ] {
            let lines = Lines::new(TEXT, encoding);
            let offset = TEXT.find(needle).expect("it is there");
            let position = Position { line, character };
            assert_eq!(lines.position(offset), position, "{needle}");
            assert_eq!(lines.offset(position), offset, "{needle}");
        }
    }

    #[test]
    fn places_that_are_none_are_the_nearest() {
        let lines = Lines::new(TEXT, Encoding::Utf16);
        let at = |line, character| lines.offset(Position { line, character });
        assert_eq!(at(0, 7), TEXT.find('𝄞').expect("it is there"), "inside a pair of surrogates");
        assert_eq!(at(0, 99), TEXT.find('\r').expect("it is there"));
        assert_eq!(at(9, 0), TEXT.len());
        assert_eq!(lines.position(999), Position { line: 3, character: 0 });
        assert_eq!(lines.position(0), Position { line: 0, character: 0 }, "before the mark");
        assert_eq!(Encoding::negotiated(["utf-32", "utf-8"].into_iter()), Encoding::Utf8);
        assert_eq!(Encoding::negotiated(["utf-32"].into_iter()), Encoding::Utf16);
    }
}
