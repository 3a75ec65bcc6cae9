//! Lines of a text: where they begin and end, and how far they are indented.

/// The line ending of a text: that of its first line.
pub(super) fn newline(text: &str) -> &'static str {
    match text.find(['\n', '\r']) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}

/// First byte of the line that holds `at`; a byte order mark belongs to no line.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    match text[..at].rfind(['\n', '\r']) {
        Some(newline) => newline + 1,
        None if text.starts_with('\u{feff}') => '\u{feff}'.len_utf8().min(at),
        None => 0,
    }
}

/// End of the line that holds `at`, its line ending excluded.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find(['\n', '\r']).map_or(text.len(), |found| at + found)
}

/// Start of the next line.
pub(super) fn next_line(text: &str, at: usize) -> usize {
    let end = line_end(text, at);
    end + if text[end..].starts_with("\r\n") { 2 } else { usize::from(end < text.len()) }
}

/// The blanks at the start of a line.
pub(super) fn indent(text: &str, at: usize) -> &str {
    let start = line_start(text, at);
    let rest = &text[start..];
    &rest[..rest.len() - rest.trim_start_matches([' ', '\t', '\u{c}']).len()]
}

/// Whether only blanks stand before `at` on its line, and the line is not joined to the one above by a backslash.
pub(super) fn starts_line(text: &str, at: usize) -> bool {
    let start = line_start(text, at);
    text[start..at].trim_start_matches([' ', '\t', '\u{c}']).is_empty() && !is_continued(text, start)
}

/// Whether the line that starts at `start` goes on with the line above.
pub(super) fn is_continued(text: &str, start: usize) -> bool {
    text[..start].trim_end_matches(['\n', '\r']).ends_with('\\')
}

/// First byte at or after `at` that is no blank.
pub(super) fn skip_blanks(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches([' ', '\t', '\u{c}']).len()
}
