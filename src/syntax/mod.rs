//! One parser per format, one [`Document`] shape for all of them, and edits at the level of entries.
//!
//! Parsing never fails: a document comes back with what could be read and with [`SyntaxError`]s. This layer knows
//! nothing of training. Python is kept as its syntax tree ([`python::PythonModule`]), since the evaluator walks it;
//! its calls and dictionaries are shown as [`Entry`] lists to the edits, like every other format.

use crate::source::SourceFile;

#[cfg(test)]
mod data_tests;
pub mod dockerfile;
mod document;
pub mod edit;
pub mod embedded;
mod format;
pub mod ini;
pub mod json;
mod lines;
pub mod makefile;
pub mod notebook;
pub mod python;
pub mod python_call;
pub mod python_edit;
pub mod requirements;
pub mod shell;
#[cfg(test)]
pub(crate) mod testing;
pub mod toml;
pub mod yaml;

pub use document::{Document, Edit, Entry, Format, Key, Node, NodeKind, Scalar, SyntaxError};

/// How deeply collections may nest before a parser stops and says so. Trees are walked by recursion everywhere.
pub const MAX_DEPTH: usize = 255;

/// Reads a file of a format that has a [`Document`]. Python and notebooks have a syntax tree of their own
/// ([`python::PythonModule`]) and come back as an opaque root.
pub fn parse(format: Format, source: &SourceFile) -> Document {
    match format {
        Format::Yaml => yaml::parse(source),
        Format::Json | Format::Jsonc => json::parse(source, format),
        Format::Toml => toml::parse(source),
        Format::Ini => ini::parse(source),
        Format::Shell => shell::parse(source),
        Format::Requirements => requirements::parse_document(source),
        Format::Dockerfile => dockerfile::parse(source),
        Format::Makefile => makefile::parse(source),
        Format::Python | Format::Notebook => unread(format, source),
    }
}

fn unread(format: Format, source: &SourceFile) -> Document {
    let root = Node { span: source.span(0..source.text().len()), kind: NodeKind::Opaque, anchor: None };
    Document { file: source.id(), format, root, comments: Vec::new(), errors: Vec::new() }
}

/// The text after a byte-order mark, and the mark's length.
fn strip_bom(text: &str) -> (usize, &str) {
    text.strip_prefix('\u{feff}').map_or((0, text), |rest| ('\u{feff}'.len_utf8(), rest))
}
