//! Jupyter notebooks: the Python of the code cells as one module, their shell as documents.
//!
//! Cells are JSON strings. Their text is joined with the way back to the bytes of the file, so that everything that is found
//! in a notebook has its place in the `.ipynb`. A cell that does not parse is left out of the module: an unclosed string
//! would swallow every cell after it.

mod exported;

use std::ops::Range;
use std::sync::Arc;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, IpyEscapeKind};
use ruff_text_size::{Ranged, TextRange};

use super::embedded::Embedded;
use super::python::PythonModule;
use super::{Document, Format, Node, NodeKind, SyntaxError, json, shell};
use crate::source::{SourceFile, Span};

pub use exported::{exported_documents, is_exported};

/// A notebook, read.
#[derive(Debug)]
pub struct Notebook {
    /// The Python of all code cells, in order.
    pub module: Arc<PythonModule>,
    /// Cells that are shell as a whole: `%%bash`.
    pub shell: Vec<ShellCell>,
    /// Lines that run a command: `!python train.py`, `%pip install trl`; a document each.
    pub commands: Vec<Document>,
    /// What could not be read: the JSON, and cells that are no Python.
    pub errors: Vec<SyntaxError>,
    cells: Vec<Span>,
}

/// A cell that is shell as a whole.
#[derive(Debug)]
pub struct ShellCell {
    /// The script.
    pub text: Embedded<'static>,
    /// What it says.
    pub document: Document,
}

impl Notebook {
    /// The cell, of any kind, that holds a byte of the file; counted from 0 as in the file.
    pub fn cell_of(&self, offset: u32) -> Option<usize> {
        let at = self.cells.partition_point(|cell| cell.start <= offset).checked_sub(1)?;
        (offset < self.cells[at].end).then_some(at)
    }

    /// Every command of the notebook, in the order of the cells and lines.
    pub fn documents(&self) -> Vec<&Document> {
        let mut documents: Vec<&Document> =
            self.shell.iter().map(|cell| &cell.document).chain(&self.commands).collect();
        documents.sort_by_key(|document| document.root.span);
        documents
    }
}

/// Parses a notebook of format 3 or later.
pub fn parse(source: &SourceFile) -> Notebook {
    let document = json::parse(source, Format::Json);
    let root = &document.root;
    let worksheets = root.get("worksheets").map_or(&[][..], Node::entries).iter();
    let sheets = worksheets.filter_map(|sheet| sheet.value.get("cells")).chain(root.get("cells"));
    let cells: Vec<&Node> = sheets.flat_map(Node::entries).map(|entry| &entry.value).collect();
    let mut errors = document.errors;
    if errors.is_empty() && root.get("cells").is_none() && root.get("worksheets").is_none() {
        errors.push(SyntaxError { span: root.span, message: "a notebook has `cells`".to_owned() });
    }
    let mut python = Vec::new();
    let mut shell_cells = Vec::new();
    let mut left_out = String::new();
    for cell in cells.iter().filter(|cell| is_python(root, cell)) {
        let text = cell_text(source, cell);
        match kind_of(text.text()) {
            Kind::Python(range) => python.push(text.slice(range)),
            Kind::Shell(range) => shell_cells.push(text.slice(range)),
            Kind::Other => left_out = left_out + text.text() + "\n",
        }
    }
    let (text, module, broken) = join_modules(source, python, &mut errors);
    Notebook {
        commands: commands(&module, &text),
        shell: shell_cells.into_iter().map(shell_cell).collect(),
        module: Arc::new(module.with_left_out(left_out + &broken)),
        errors,
        cells: cells.iter().map(|cell| cell.span).collect(),
    }
}

fn shell_cell(text: Embedded<'_>) -> ShellCell {
    let document = shell::parse_embedded(&text, Format::Notebook);
    ShellCell { text: text.into_owned(), document }
}

/// Joins cells; if the whole does not parse, only those that parse alone. The text of the others comes last.
fn join_modules<'a>(
    source: &SourceFile,
    mut cells: Vec<Embedded<'a>>,
    errors: &mut Vec<SyntaxError>,
) -> (Embedded<'a>, PythonModule, String) {
    let module_of = |text: &Embedded<'_>| {
        let (text, pieces) = text.clone().into_parts();
        PythonModule::from_pieces(source, text.into(), pieces)
    };
    let join = |cells: &[Embedded<'a>]| {
        let mut joined = Embedded::empty(source.id(), 0);
        for cell in cells {
            joined.append(cell);
            joined.push_as("\n", joined.end()..joined.end());
        }
        joined
    };
    let joined = join(&cells);
    let module = module_of(&joined);
    if module.errors().is_empty() {
        return (joined, module, String::new());
    }
    let mut broken = String::new();
    cells.retain(|cell| {
        let found = module_of(cell).errors();
        let parses = found.is_empty();
        if !parses {
            broken = std::mem::take(&mut broken) + cell.text() + "\n";
        }
        errors.extend(found);
        parses
    });
    let joined = join(&cells);
    let module = module_of(&joined);
    (joined, module, broken)
}

/// Whether a cell holds code of a Python kernel.
fn is_python(root: &Node, cell: &Node) -> bool {
    let text = |node: Option<&Node>| node.and_then(Node::as_str).map(str::to_ascii_lowercase);
    let metadata = root.get("metadata");
    let language = |section: &str, key: &str| text(metadata.and_then(|found| found.get(section)?.get(key)));
    let kernel = language("kernelspec", "language").or_else(|| language("language_info", "name"));
    let of_cell = text(cell.get("language")).or(kernel);
    cell.get("cell_type").and_then(Node::as_str) == Some("code")
        && of_cell.is_none_or(|language| language.contains("python"))
}

/// The text of a cell: one string or a list of them; `input` in format 3.
fn cell_text<'a>(source: &'a SourceFile, cell: &Node) -> Embedded<'a> {
    let Some(node) = cell.get("source").or_else(|| cell.get("input")) else {
        return Embedded::empty(source.id(), cell.span.start as usize);
    };
    let mut text = Embedded::empty(source.id(), node.span.start as usize);
    match &node.kind {
        NodeKind::List(lines) => lines.iter().for_each(|line| push_string(&mut text, source, &line.value)),
        _ => push_string(&mut text, source, node),
    }
    text
}

/// Adds the content of a JSON string.
fn push_string(text: &mut Embedded<'_>, source: &SourceFile, node: &Node) {
    if node.as_str().is_none() {
        return;
    }
    let start = node.span.start as usize + 1;
    let raw = source.text().get(start..(node.span.end as usize).saturating_sub(1));
    push_escaped(text, raw.unwrap_or_default(), start);
}

/// Adds the content of a string, which stands at `start`, without its escapes.
fn push_escaped(text: &mut Embedded<'_>, raw: &str, start: usize) {
    let mut at = 0;
    while at < raw.len() {
        let plain = raw[at..].find('\\').unwrap_or(raw.len() - at);
        text.push(&raw[at..at + plain], start + at);
        at += plain;
        if at < raw.len() {
            let (letter, length) = escape(&raw[at..]);
            text.push_as(letter.encode_utf8(&mut [0; 4]), start + at..start + at + length);
            at += length;
        }
    }
}

/// What the escape at the start of `raw` stands for, and its length.
fn escape(raw: &str) -> (char, usize) {
    let unit = |from: usize| raw.get(from..from + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match raw[1..].chars().next() {
        Some('u') => match unit(2) {
            Some(high @ 0xD800..=0xDBFF) if raw.get(6..8) == Some("\\u") => match unit(8) {
                Some(low @ 0xDC00..=0xDFFF) => {
                    let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                    (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
                }
                _ => (char::REPLACEMENT_CHARACTER, 6),
            },
            Some(code) => (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
            None => (char::REPLACEMENT_CHARACTER, 2),
        },
        Some('n') => ('\n', 2),
        Some('t') => ('\t', 2),
        Some('r') => ('\r', 2),
        Some('b') => ('\u{8}', 2),
        Some('f') => ('\u{c}', 2),
        Some(letter) => (letter, 1 + letter.len_utf8()),
        None => ('\\', 1),
    }
}

/// What a cell is, and the part of its text that says so no more.
enum Kind {
    Python(Range<usize>),
    Shell(Range<usize>),
    Other,
}

/// Cell magics whose body is still Python.
const PYTHON_MAGICS: [&str; 8] = ["capture", "time", "timeit", "prun", "python", "python3", "pypy", "memit"];

const SHELL_MAGICS: [&str; 6] = ["bash", "sh", "shell", "system", "sx", "!"];

/// The part of a cell of a Python kernel that is Python: what stands below its magics. `None`: they make something else of it.
pub fn python_part(cell: &str) -> Option<Range<usize>> {
    match kind_of(cell) {
        Kind::Python(range) => Some(range),
        Kind::Shell(_) | Kind::Other => None,
    }
}

fn kind_of(text: &str) -> Kind {
    let mut start = text.len() - text.trim_start().len();
    loop {
        let Some(magic) = text[start..].strip_prefix("%%") else { return Kind::Python(start..text.len()) };
        let line = magic.split('\n').next().unwrap_or(magic);
        let mut words = line.split_whitespace();
        let mut name = words.next().unwrap_or("");
        let next = (start + 2 + line.len() + 1).min(text.len());
        if name == "script" {
            name = words.next().unwrap_or("").rsplit('/').next().unwrap_or("");
        }
        if SHELL_MAGICS.contains(&name) {
            return Kind::Shell(next..text.len());
        }
        if !PYTHON_MAGICS.contains(&name) {
            return Kind::Other;
        }
        // Magics may be stacked: `%%time` above `%%bash`.
        start = next + text[next..].len() - text[next..].trim_start().len();
    }
}

/// The lines that run a command.
fn commands(module: &PythonModule, text: &Embedded<'_>) -> Vec<Document> {
    let mut escapes = Escapes(Vec::new());
    module.body().iter().for_each(|statement| escapes.visit_stmt(statement));
    let document = |(kind, range): &(IpyEscapeKind, TextRange)| {
        let from = usize::from(range.start());
        let written = text.text().get(from..usize::from(range.end()))?;
        let body = written.trim_start_matches(['!', '%']);
        let first = body.split_whitespace().next()?;
        let skipped = match kind {
            IpyEscapeKind::Shell | IpyEscapeKind::ShCap => written.len() - body.len(),
            IpyEscapeKind::Magic if matches!(first, "pip" | "conda" | "mamba" | "uv") => written.len() - body.len(),
            IpyEscapeKind::Magic if matches!(first, "sx" | "system") => {
                written.len() - body.trim_start()[first.len()..].len()
            }
            // Kept with its `%`: it runs a script, but not by a shell.
            IpyEscapeKind::Magic if first == "run" => 0,
            _ => return None,
        };
        let command = text.slice(from + skipped..usize::from(range.end()));
        Some(shell::parse_embedded(&without_python(&command), Format::Notebook))
    };
    escapes.0.iter().filter_map(document).collect()
}

/// Puts something unknown where `IPython` puts the value of a Python expression: `{model}`.
fn without_python<'a>(command: &Embedded<'a>) -> Embedded<'a> {
    let text = command.text();
    let mut out = Embedded::empty(command.file(), command.span(0..0).start as usize);
    let (mut from, mut at) = (0, 0);
    while let Some(open) = text[at..].find('{').map(|found| at + found) {
        let inside = text[open + 1..].split('}').next().unwrap_or("");
        let is_first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_.[]()'+-*/ ".contains(letter);
        let is_expression = inside.starts_with(is_first) && inside.chars().all(is_part);
        let end = open + 1 + inside.len();
        if is_expression && text.as_bytes().get(end) == Some(&b'}') && !text[..open].ends_with('$') {
            out.append(&command.slice(from..open));
            let span = command.span(open..end + 1);
            out.push_as("$?", span.range());
            from = end + 1;
        }
        at = if inside.contains('{') || !is_expression { open + 1 } else { (end + 1).min(text.len()) };
    }
    out.append(&command.slice(from..text.len()));
    out
}

struct Escapes(Vec<(IpyEscapeKind, TextRange)>);

impl<'a> Visitor<'a> for Escapes {
    fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
        if let ast::Stmt::IpyEscapeCommand(command) = statement {
            self.0.push((command.kind, command.range()));
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a ast::Expr) {
        if let ast::Expr::IpyEscapeCommand(command) = expression {
            self.0.push((command.kind, command.range()));
        }
        walk_expr(self, expression);
    }
}

#[cfg(test)]
mod tests;
