//! Requirements: single ones as PEP 508 writes them, files of them as pip reads them, and commands that install them.

mod install;
mod pep508;

pub use install::{Installer, PipInstall, parse_pip_command};
pub use pep508::{
    normalize, parse_conda_requirement, parse_requirement, parse_requirement_text, parse_requirement_with_extras,
};

use std::ops::Range;

use pep440_rs::VersionSpecifiers;

use super::embedded::Embedded;
use super::{Document, Entry, Format, Key, Node, NodeKind, Scalar, SyntaxError};
use crate::source::{SourceFile, Span};
use pep508::{parse_located, trimmed};

/// A package that is asked for.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// The distribution's name as written; of a URL without `egg`, the name of its repository or file.
    pub name: String,
    /// Its place.
    pub name_span: Span,
    /// `[peft, vllm]`.
    pub extras: Vec<Text>,
    /// Which releases; `None` allows all.
    pub specifiers: Option<Specifiers>,
    /// What follows `;`.
    pub marker: Option<Text>,
    /// A source other than a registry: `name @ url`, `git+https://...`.
    pub url: Option<Text>,
    /// `-e`.
    pub is_editable: bool,
    /// `--hash=sha256:...` options.
    pub hashes: Vec<Text>,
    /// The requirement itself: name to marker.
    pub span: Span,
    /// In a requirements file its line or lines with options, comment and newline; elsewhere the same as `span`.
    pub line_span: Span,
}

impl Requirement {
    /// The name as PEP 503 compares it.
    pub fn package(&self) -> String {
        normalize(&self.name)
    }

    /// The releases it allows.
    pub fn allowed(&self) -> VersionSpecifiers {
        self.specifiers.as_ref().map_or_else(VersionSpecifiers::empty, |specifiers| specifiers.parsed.clone())
    }
}

/// A part of a requirement and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// Version specifiers and their place.
#[derive(Debug, Clone, PartialEq)]
pub struct Specifiers {
    /// As written, parentheses included.
    pub text: String,
    /// Where.
    pub span: Span,
    /// What they mean.
    pub parsed: VersionSpecifiers,
}

/// A requirements or constraints file.
#[derive(Debug, Clone)]
pub struct RequirementsFile {
    /// Its lines in order.
    pub items: Vec<Item>,
    /// Comments in order.
    pub comments: Vec<Span>,
    /// Lines that could not be read.
    pub errors: Vec<SyntaxError>,
}

/// A line of a requirements file.
#[derive(Debug, Clone)]
pub enum Item {
    /// A package.
    Requirement(Requirement),
    /// `-r other.txt`, `-c constraints.txt`.
    Include {
        /// The other file, relative to this one.
        path: Text,
        /// Whether it is `-c`: restricts versions, installs nothing.
        is_constraint: bool,
    },
    /// `.`, `./package[extra]`, `wheels/x.whl`, `-e .`: code of the project or a local file.
    Path {
        /// As written.
        path: Text,
        /// `-e`.
        is_editable: bool,
    },
    /// `--index-url https://...`, `--pre`.
    Setting {
        /// The option with its dashes, in its long form.
        name: String,
        /// Its value.
        value: Option<Text>,
        /// The whole option.
        span: Span,
    },
    /// A line whose meaning depends on the environment: `${PACKAGE}`.
    Unknown(Span),
}

impl RequirementsFile {
    /// The packages asked for.
    pub fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.items.iter().filter_map(|item| match item {
            Item::Requirement(requirement) => Some(requirement),
            _ => None,
        })
    }

    /// The files it includes.
    pub fn includes(&self) -> impl Iterator<Item = (&Text, bool)> {
        self.items.iter().filter_map(|item| match item {
            Item::Include { path, is_constraint } => Some((path, *is_constraint)),
            _ => None,
        })
    }
}

/// Parses a requirements or constraints file.
pub fn parse(source: &SourceFile) -> RequirementsFile {
    let mut file = RequirementsFile { items: Vec::new(), comments: Vec::new(), errors: Vec::new() };
    let text = source.text();
    let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    while at < text.len() {
        let start = at;
        let line = logical_line(source, &mut at, &mut file.comments);
        read_line(&line, source.span(start..at), &mut file);
    }
    file
}

/// The file in the shape of all formats: a list with a call per requirement, its parts as keyed arguments.
pub fn parse_document(source: &SourceFile) -> Document {
    let file = parse(source);
    let text = |key: &str, text: &Text| Entry {
        span: text.span,
        key: Some(Key { span: text.span, name: key.to_owned() }),
        value: Node { span: text.span, kind: NodeKind::Scalar(Scalar::Str(text.text.clone())), anchor: None },
    };
    let call = |requirement: &Requirement| {
        let specifiers = requirement
            .specifiers
            .as_ref()
            .map(|specifiers| Text { text: specifiers.text.clone(), span: specifiers.span });
        let mut args: Vec<Entry> = requirement.extras.iter().map(|extra| text("extra", extra)).collect();
        args.extend(specifiers.iter().map(|specifiers| text("specifiers", specifiers)));
        args.extend(requirement.url.iter().map(|url| text("url", url)));
        args.extend(requirement.marker.iter().map(|marker| text("marker", marker)));
        args.extend(requirement.hashes.iter().map(|hash| text("hash", hash)));
        let kind = NodeKind::Call { callee: requirement.name.clone(), callee_span: requirement.name_span, args };
        Entry { span: requirement.span, key: None, value: Node { span: requirement.span, kind, anchor: None } }
    };
    let entries = file
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Requirement(requirement) => Some(call(requirement)),
            Item::Include { path, is_constraint: false } => Some(text("requirement", path)),
            Item::Include { path, is_constraint: true } => Some(text("constraint", path)),
            Item::Path { path, .. } => Some(text("path", path)),
            Item::Setting { name, value, .. } => value.as_ref().map(|value| text(name.trim_start_matches('-'), value)),
            Item::Unknown(_) => None,
        })
        .collect();
    let span = source.span(0..source.text().len());
    let root = Node { span, kind: NodeKind::List(entries), anchor: None };
    Document { file: source.id(), format: Format::Requirements, root, comments: file.comments, errors: file.errors }
}

/// Reads physical lines up to one that does not end in a backslash; comments are left out.
fn logical_line<'a>(source: &'a SourceFile, at: &mut usize, comments: &mut Vec<Span>) -> Embedded<'a> {
    let text = source.text();
    let mut line = Embedded::empty(source.id(), *at);
    while *at < text.len() {
        let start = *at;
        let length = text[start..].find('\n').map_or(text.len() - start, |length| length + 1);
        *at += length;
        let content = text[start..*at].trim_end_matches(['\n', '\r']);
        if let Some(hash) = comment_start(content) {
            comments.push(source.span(start + hash..start + content.len()));
            line.push(&content[..hash], start);
            break;
        }
        let Some(continued) = content.strip_suffix('\\') else {
            line.push(content, start);
            break;
        };
        line.push(continued, start);
    }
    line
}

/// A `#` at the start or after a blank; elsewhere it belongs to a URL.
fn comment_start(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    (0..bytes.len()).find(|at| bytes[*at] == b'#' && (*at == 0 || bytes[at - 1].is_ascii_whitespace()))
}

fn read_line(line: &Embedded<'_>, line_span: Span, file: &mut RequirementsFile) {
    let text = line.text();
    let range = trimmed(text, 0..text.len());
    if range.is_empty() {
        return;
    }
    let locate = |range: Range<usize>| line.span(range);
    if text[range.clone()].starts_with('-') {
        return read_option(line, range, line_span, file);
    }
    // Options of one requirement follow it after a blank: ` --hash=...`, ` -C key=value`.
    let is_option = |at: &usize| *at > range.start && text[..*at].ends_with([' ', '\t']);
    let options = text.match_indices('-').map(|(at, _)| at).find(is_option).unwrap_or(text.len());
    let hashes = hashes(line, options);
    read_requirement(&text[..options], &locate, line_span, false, hashes, file);
}

fn read_requirement(
    text: &str,
    locate: pep508::Locate<'_>,
    line_span: Span,
    is_editable: bool,
    hashes: Vec<Text>,
    file: &mut RequirementsFile,
) {
    let range = trimmed(text, 0..text.len());
    let written = &text[range.clone()];
    if is_path(written) {
        let path = Text { text: written.to_owned(), span: locate(range) };
        file.items.push(Item::Path { path, is_editable });
        return;
    }
    match parse_located(text, locate) {
        Ok(requirement) => {
            file.items.push(Item::Requirement(Requirement { is_editable, hashes, line_span, ..requirement }));
        }
        Err(_) if written.contains("${") => file.items.push(Item::Unknown(locate(range))),
        Err(error) => file.errors.push(error),
    }
}

/// Whether pip takes it for a file or folder.
pub(super) fn is_path(written: &str) -> bool {
    let plain = written.split(['[', ';', ' ']).next().unwrap_or(written);
    if plain.contains("://") || written.contains('@') {
        return false;
    }
    let ending = [".whl", ".tar.gz", ".zip"].iter().any(|ending| plain.ends_with(ending));
    plain.starts_with('.') || plain.starts_with('/') || plain.starts_with('~') || plain.contains('/') || ending
}

fn hashes(line: &Embedded<'_>, from: usize) -> Vec<Text> {
    let text = line.text();
    let starts = text[from..].match_indices("--hash").map(|(at, _)| from + at + "--hash".len());
    starts
        .filter_map(|at| {
            let rest = &text[at..];
            let skipped = rest.len() - rest.trim_start_matches(['=', ' ']).len();
            let value = rest[skipped..].split_whitespace().next()?;
            let range = at + skipped..at + skipped + value.len();
            Some(Text { text: value.to_owned(), span: line.span(range) })
        })
        .collect()
}

/// Options of a requirements file that take a value, short and long.
const VALUED: [(&str, &str); 12] = [
    ("-r", "--requirement"),
    ("-c", "--constraint"),
    ("-e", "--editable"),
    ("-i", "--index-url"),
    ("-f", "--find-links"),
    ("", "--pypi-url"),
    ("", "--extra-index-url"),
    ("", "--no-binary"),
    ("", "--only-binary"),
    ("", "--trusted-host"),
    ("", "--use-feature"),
    ("", "--hash"),
];

const BARE: [&str; 5] = ["--no-index", "--pre", "--prefer-binary", "--require-hashes", "--always-unzip"];

fn read_option(line: &Embedded<'_>, range: Range<usize>, line_span: Span, file: &mut RequirementsFile) {
    let written = &line.text()[range.clone()];
    let end = written.find(|next: char| next == '=' || next.is_whitespace()).unwrap_or(written.len());
    let name = &written[..end];
    let valued = VALUED.iter().find_map(|(short, long)| {
        if name == *long || name == *short {
            return Some((*long, end));
        }
        // `-rbase.txt`
        let glued = !short.is_empty() && name.starts_with(short) && !name.starts_with("--");
        glued.then_some((*long, short.len()))
    });
    let Some((long, end)) = valued else {
        if BARE.contains(&name) {
            file.items.push(Item::Setting { name: name.to_owned(), value: None, span: line.span(range) });
        } else {
            let message = format!("`{name}` is no option of a requirements file");
            file.errors.push(SyntaxError { span: line.span(range.start..range.start + end), message });
        }
        return;
    };
    let from = range.start + end;
    let value = &line.text()[from..range.end];
    let skipped = value.len() - value.trim_start().trim_start_matches('=').trim_start().len();
    let value_range = trimmed(line.text(), from + skipped..range.end);
    let value = Text { text: line.text()[value_range.clone()].to_owned(), span: line.span(value_range.clone()) };
    if value.text.is_empty() {
        file.errors.push(SyntaxError { span: line.span(range), message: format!("`{name}` needs a value") });
        return;
    }
    match long {
        "--requirement" | "--constraint" => {
            file.items.push(Item::Include { path: value, is_constraint: long == "--constraint" });
        }
        "--editable" => {
            let locate = |part: Range<usize>| line.span(value_range.start + part.start..value_range.start + part.end);
            read_requirement(&value.text, &locate, line_span, true, Vec::new(), file);
        }
        _ => file.items.push(Item::Setting { name: long.to_owned(), value: Some(value), span: line.span(range) }),
    }
}

#[cfg(test)]
mod tests;
