//! Python, by ruff's error-recovering parser, wrapped here because its crates are declared unstable.
//!
//! A notebook is the same thing with a detour: its code cells are joined into one text, which the parser and the evaluator
//! see, and a [`PythonModule`] maps places in that text back to bytes of the `.ipynb`.

use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{self as ast, PySourceType};
use ruff_python_parser::{ParseError, ParseOptions, Parsed, parse_unchecked};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::SyntaxError;
use crate::source::{FileId, SourceFile, Span};

/// A parsed module and the way from its text to bytes of the file.
#[derive(Debug)]
pub struct PythonModule {
    file: FileId,
    path: PathBuf,
    text: Arc<str>,
    parsed: Parsed<ast::ModModule>,
    /// Whether the parser failed at the text; nothing of it is known then.
    is_given_up: bool,
    comments: Vec<TextRange>,
    /// For notebooks: where pieces of `text` stand in the file, in order. Empty: offsets are the file's own.
    pieces: Vec<Piece>,
    /// Code of the same program that is not in `text`.
    left_out: String,
}

/// A run of bytes of the module's text that stands unescaped in the file.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// Offset in the module's text.
    pub text: u32,
    /// Offset in the file.
    pub file: u32,
    /// Length of the run in the module's text; an escaped character (`\n`) is a run of one with `file_len` two or more.
    pub len: u32,
    /// Length in the file.
    pub file_len: u32,
}

impl PythonModule {
    /// Parses a `.py` file.
    pub fn parse(source: &SourceFile) -> Self {
        Self::new(source, source.text().into(), PySourceType::Python, Vec::new())
    }

    /// Parses text that was put together from pieces of a file (a notebook's cells).
    pub fn from_pieces(source: &SourceFile, text: Arc<str>, pieces: Vec<Piece>) -> Self {
        Self::new(source, text, PySourceType::Ipynb, pieces)
    }

    fn new(source: &SourceFile, text: Arc<str>, kind: PySourceType, pieces: Vec<Piece>) -> Self {
        let read = |text: &str| {
            let parsed = parse_unchecked(text, ParseOptions::from(kind)).try_into_module();
            parsed.unwrap_or_else(|| unreachable!("a module was asked for"))
        };
        // The parser promises to recover from everything, and yet panics at some texts (`{]`, then `;` in a notebook).
        let found = catch_unwind(|| read(&text));
        let is_given_up = found.is_err();
        let parsed = found.unwrap_or_else(|_| read(""));
        let comments =
            parsed.tokens().iter().filter(|token| token.kind() == TokenKind::Comment).map(Ranged::range).collect();
        Self {
            file: source.id(),
            path: source.path().to_path_buf(),
            text,
            parsed,
            is_given_up,
            comments,
            pieces,
            left_out: String::new(),
        }
    }

    /// Adds code that belongs to the program but is not read: a notebook's cells that do not parse, or whose magic is not known.
    #[must_use]
    pub fn with_left_out(self, left_out: String) -> Self {
        Self { left_out, ..self }
    }

    /// Code that may use names of this module although it is not part of it.
    pub fn left_out(&self) -> &str {
        &self.left_out
    }

    /// The file that spans point to.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// Path of the file.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The text that ranges of the tree index.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The statements.
    pub fn body(&self) -> &[ast::Stmt] {
        &self.parsed.syntax().body
    }

    /// The tokens, comments included.
    pub fn tokens(&self) -> &Tokens {
        self.parsed.tokens()
    }

    /// Comments in order.
    pub fn comments(&self) -> &[TextRange] {
        &self.comments
    }

    /// The text of a node.
    pub fn slice(&self, node: impl Ranged) -> &str {
        &self.text[node.range()]
    }

    /// What could not be parsed.
    pub fn errors(&self) -> Vec<SyntaxError> {
        let end = TextSize::of(&*self.text);
        let given_up = self.is_given_up.then(|| SyntaxError {
            span: self.span(TextRange::new(TextSize::default(), end)),
            message: String::from("the parser cannot read this at all"),
        });
        let error =
            |error: &ParseError| SyntaxError { span: self.span(error.location), message: error.error.to_string() };
        given_up.into_iter().chain(self.parsed.errors().iter().map(error)).collect()
    }

    /// Where a node stands in the file.
    pub fn span(&self, node: impl Ranged) -> Span {
        let range = node.range();
        let start = self.file_offset(range.start(), false);
        let end = if range.is_empty() { start } else { self.file_offset(range.end(), true) };
        Span { file: self.file, start, end: end.max(start) }
    }

    /// Where a byte of the text stands in the file. The end of a range belongs to the piece before it.
    fn file_offset(&self, offset: TextSize, is_end: bool) -> u32 {
        let offset = u32::from(offset);
        let after = |piece: &Piece| if is_end { piece.text < offset } else { piece.text <= offset };
        match self.pieces.partition_point(after).checked_sub(1).map(|at| self.pieces[at]) {
            None => self.pieces.first().map_or(offset, |first| first.file),
            Some(piece) if offset - piece.text >= piece.len => piece.file + piece.file_len,
            Some(piece) => piece.file + (offset - piece.text),
        }
    }

    /// The range of the text that a span of the file stands for: the inverse of [`Self::span`].
    pub fn range(&self, span: Span) -> TextRange {
        debug_assert_eq!(span.file, self.file);
        let back = |offset: u32| {
            if self.pieces.is_empty() {
                return offset;
            }
            match self.pieces.partition_point(|piece| piece.file <= offset).checked_sub(1).map(|at| self.pieces[at]) {
                None => 0,
                Some(piece) => piece.text + (offset - piece.file).min(piece.len),
            }
        };
        let start = back(span.start);
        TextRange::new(start.into(), back(span.end).max(start).into())
    }

    /// The innermost statement around a range of the text; of one that has a body (`if`, `def`) only its first line's start.
    pub fn statement_lines(&self, range: TextRange) -> Option<TextRange> {
        let mut search = StatementSearch { range, found: None };
        search.visit_body(self.body());
        search.found
    }

    /// Python text as it must be written into the file: a notebook's cells are JSON strings.
    pub fn escape(&self, python: &str) -> String {
        if self.pieces.is_empty() {
            return python.to_owned();
        }
        let quoted = serde_json::Value::from(python).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    }
}

/// Walks down to a range. Statements that do not hold it are not entered.
struct StatementSearch {
    range: TextRange,
    found: Option<TextRange>,
}

impl<'a> Visitor<'a> for StatementSearch {
    fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
        if statement.range().contains_range(self.range) {
            let is_compound = ast::helpers::is_compound_statement(statement);
            let whole = statement.range();
            self.found = Some(if is_compound { TextRange::empty(whole.start()) } else { whole });
            if is_compound {
                walk_stmt(self, statement);
            }
        }
    }

    fn visit_expr(&mut self, _: &'a ast::Expr) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn broken_code_still_has_a_tree() {
        let sources = Sources::default();
        let module = PythonModule::parse(&sources.add("a.py".into(), "x = f(a=, b=1)\n)\ny = 2 # end\n"));
        assert!(!module.errors().is_empty());
        assert!(module.body().len() >= 2);
        assert_eq!(module.slice(module.comments()[0]), "# end");
    }

    #[test]
    fn pieces_map_back_to_the_file_and_forth() {
        let sources = Sources::default();
        // `x = "a"\ny` as a JSON string.
        let source = sources.add("a.ipynb".into(), r#"["x = \"a\"\ny"]"#);
        let pieces = vec![
            Piece { text: 0, file: 2, len: 4, file_len: 4 },
            Piece { text: 4, file: 6, len: 1, file_len: 2 },
            Piece { text: 5, file: 8, len: 1, file_len: 1 },
            Piece { text: 6, file: 9, len: 1, file_len: 2 },
            Piece { text: 7, file: 11, len: 1, file_len: 2 },
            Piece { text: 8, file: 13, len: 1, file_len: 1 },
        ];
        let module = PythonModule::from_pieces(&source, "x = \"a\"\ny".into(), pieces);
        let ast::Stmt::Assign(assign) = &module.body()[0] else { panic!("an assignment") };
        let span = module.span(&*assign.value);
        assert_eq!(source.slice(span), r#"\"a\""#);
        assert_eq!(module.range(span), assign.value.range());
        assert_eq!(source.slice(module.span(&module.body()[1])), "y");
        assert_eq!(module.escape("b = 'x'\n\"q\""), r#"b = 'x'\n\"q\""#);
    }
}
