//! Lines, indentation and the comments between tokens.

use std::ops::Range;

use ruff_python_ast::token::TokenKind;
use ruff_text_size::{Ranged, TextRange};

use super::{Change, EditError};
pub(super) use crate::syntax::lines::{
    indent, is_continued, line_end, line_start, newline, next_line, skip_blanks, starts_line,
};
use crate::syntax::python::PythonModule;

/// A range as ruff writes it.
pub(super) fn text_range(range: &Range<usize>) -> TextRange {
    TextRange::new((range.start as u32).into(), (range.end as u32).into())
}

/// A range for slicing.
pub(super) fn bytes(node: impl Ranged) -> Range<usize> {
    node.range().start().to_usize()..node.range().end().to_usize()
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
