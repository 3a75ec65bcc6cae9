//! Lines, indentation and the comments between tokens.

use std::ops::Range;

use ruff_python_ast::token::TokenKind;
use ruff_text_size::{Ranged, TextRange};

use super::{Change, EditError};
use crate::syntax::python::PythonModule;

/// A range as ruff writes it.
pub(super) fn text_range(range: &Range<usize>) -> TextRange {
    TextRange::new((range.start as u32).into(), (range.end as u32).into())
}

/// A range for slicing.
pub(super) fn bytes(node: impl Ranged) -> Range<usize> {
    node.range().start().to_usize()..node.range().end().to_usize()
}

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
fn is_continued(text: &str, start: usize) -> bool {
    text[..start].trim_end_matches(['\n', '\r']).ends_with('\\')
}

/// First byte at or after `at` that is no blank.
pub(super) fn skip_blanks(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches([' ', '\t', '\u{c}']).len()
}

/// The comments that lie in `range`.
pub(super) fn comments_in(module: &PythonModule, range: &Range<usize>) -> Vec<Range<usize>> {
    module
        .comments()
        .iter()
        .map(bytes)
        .filter(|comment| range.start <= comment.start && comment.end <= range.end)
        .collect()
}

/// Keeps comments of code that goes, each on a line of its own above the line that holds `at`.
pub(super) fn lift(module: &PythonModule, comments: &[Range<usize>], at: usize) -> Result<Option<Change>, EditError> {
    let Some(first) = comments.first() else { return Ok(None) };
    let text = module.text();
    let start = line_start(text, at);
    if is_continued(text, start) || is_inside_string(module, start) {
        return Err(EditError::Comment(text[first.clone()].to_owned()));
    }
    let (indent, newline) = (indent(text, at), newline(text));
    let lines: Vec<String> =
        comments.iter().map(|comment| format!("{indent}{}{newline}", &text[comment.clone()])).collect();
    Ok(Some(Change::new(start..start, lines.concat())))
}

/// Whether a byte lies in a string that runs over several lines, where a comment would become text.
fn is_inside_string(module: &PythonModule, at: usize) -> bool {
    let mut open = 0_usize;
    for token in module.tokens() {
        let range = bytes(token);
        if range.start >= at {
            break;
        }
        match token.kind() {
            TokenKind::FStringStart | TokenKind::TStringStart => open += 1,
            TokenKind::FStringEnd | TokenKind::TStringEnd => open = open.saturating_sub(1),
            _ if at < range.end => return true,
            _ => {}
        }
    }
    open > 0
}

/// The range of an expression with the parentheses around it that group and do not call.
pub(super) fn with_parentheses(module: &PythonModule, range: &Range<usize>) -> Range<usize> {
    let tokens = module.tokens();
    let significant = |kind: TokenKind| !kind.is_trivia();
    let split = tokens.partition_point(|token| bytes(token).start < range.start);
    let mut before = tokens[..split].iter().rev().filter(|token| significant(token.kind())).peekable();
    let split = tokens.partition_point(|token| bytes(token).end <= range.end);
    let mut after = tokens[split..].iter().filter(|token| significant(token.kind()));
    let mut outer = range.clone();
    while let (Some(open), Some(close)) = (before.next(), after.next()) {
        let groups = open.kind() == TokenKind::Lpar
            && close.kind() == TokenKind::Rpar
            && !before.peek().is_some_and(|token| is_callable_end(token.kind()));
        if !groups {
            break;
        }
        outer = bytes(open).start..bytes(close).end;
    }
    outer
}

/// Whether a parenthesis after such a token opens a call (or a list of parameters).
fn is_callable_end(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Name
            | TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::String
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd
    )
}
