//! What a finding is about, told by content instead of by line numbers: the rule, the file and the text of the lines.
//!
//! Lines above a finding come and go without making it another one; a change of its own lines makes it a new one. Baselines
//! and the fingerprints of reports are made of this.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources, Span, relative, slashed};
use crate::syntax::Format;
use crate::syntax::notebook::{self, Notebook};

/// A finding without its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// The file, seen from some folder, with forward slashes.
    pub path: String,
    /// The rule's name.
    pub rule: String,
    /// The lines of the primary label, without indentation and line ends.
    pub text: String,
}

impl Content {
    /// A name for it that is the same in every release of this tool and on every system. `number` tells findings of the same
    /// content apart, in the order of their places.
    pub fn fingerprint(&self, number: usize) -> String {
        let number = number.to_string();
        let parts = [&self.rule, &self.path, &self.text, number.as_str()];
        // FNV-1a: the hashes of the standard library promise no stability. No part can hold the separator.
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
        let hash =
            bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{hash:016x}")
    }
}

/// Tells contents of the findings of one run.
pub struct Contents<'a> {
    sources: &'a Sources,
    /// What the paths of sources are relative to.
    folder: &'a Path,
    /// What paths are seen from.
    root: &'a Path,
    /// Each is parsed once.
    notebooks: BTreeMap<FileId, Arc<Notebook>>,
}

impl<'a> Contents<'a> {
    /// Paths are seen from `root`; those of `sources` are relative to `folder`. Both are absolute.
    pub fn new(sources: &'a Sources, folder: &'a Path, root: &'a Path) -> Self {
        Self { sources, folder, root, notebooks: BTreeMap::new() }
    }

    /// The content of one finding.
    pub fn of(&mut self, finding: &Diagnostic) -> Content {
        let span = finding.primary.span;
        let path = self.folder.join(self.sources.get(span.file).path());
        Content { path: slashed(&relative(self.root, &path)), rule: finding.rule.to_owned(), text: self.text(span) }
    }

    /// The content of each finding, with its number among those of the same content.
    pub fn numbered(&mut self, findings: &[Diagnostic]) -> Vec<(Content, usize)> {
        let mut seen: BTreeMap<Content, usize> = BTreeMap::new();
        let number = |finding| {
            let content = self.of(finding);
            let count = seen.entry(content.clone()).or_default();
            *count += 1;
            (content, *count - 1)
        };
        findings.iter().map(number).collect()
    }

    fn text(&mut self, span: Span) -> String {
        let file = self.sources.get(span.file);
        if Format::of(file.path()) == Some(Format::Notebook) {
            let notebook = self.notebooks.entry(span.file).or_insert_with(|| Arc::new(notebook::parse(&file)));
            let module = &notebook.module;
            let range = module.range(span);
            if module.span(range) == span {
                // The lines of the cell: a notebook may be written as one line of JSON.
                return lines(module.text(), range.start().into()..range.end().into());
            }
            return file.slice(span).trim().to_owned();
        }
        lines(file.text(), span.range())
    }
}

/// The lines that a range touches, each trimmed.
fn lines(text: &str, range: std::ops::Range<usize>) -> String {
    let start = text.get(..range.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    // The end is one past the last byte, which may be the next line's first.
    let last = range.end.saturating_sub(1).max(range.start);
    let end = text.get(last..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| last + at);
    let touched = text.get(start..end).unwrap_or_default().trim_start_matches('\u{feff}');
    touched.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Confidence, Label, Severity};

    fn contents(name: &str, text: &str) -> Vec<(Content, usize)> {
        let sources = Sources::default();
        let file = sources.add(name.into(), text);
        let finding = |(at, word): (usize, &str)| Diagnostic {
            rule: "ref-model-with-peft-config",
            code: "DPL001",
            severity: Severity::Error,
            confidence: Confidence::High,
            message: String::new(),
            primary: Label { span: file.span(at..at + word.len()), message: String::new() },
            related: Vec::new(),
            notes: Vec::new(),
            help: None,
            versions: Vec::new(),
            fixes: Vec::new(),
            follows: None,
        };
        let findings: Vec<Diagnostic> = text.match_indices("HERE").map(finding).collect();
        Contents::new(&sources, Path::new("/repo/sub"), Path::new("/repo")).numbered(&findings)
    }

    fn fingerprints(name: &str, text: &str) -> Vec<String> {
        contents(name, text).iter().map(|(content, number)| content.fingerprint(*number)).collect()
    }

    #[test]
    fn lines_may_move_and_may_not_change() {
        let before = fingerprints("a.py", "f(\n  HERE,\n)\n");
        for (same, text) in [
            (true, "import x\r\n\r\nf(\r\n    HERE,\r\n)\r\n"),
            (true, "\u{feff}HERE,"),
            (false, "f(\n  HERE, b=1,\n)\n"),
            (false, "f(HERE,\n)\n"),
        ] {
            assert_eq!(fingerprints("a.py", text) == before, same, "{text:?}");
        }
        assert_ne!(fingerprints("b.py", "f(\n  HERE,\n)\n"), before);
        assert_eq!(before, ["1cdf002e670179cd"], "a fingerprint is kept by services for years");
    }

    #[test]
    fn equal_lines_are_told_apart_by_number() {
        let found = contents("a.py", "x = HERE\ny\nx = HERE\n");
        assert_eq!(found[0].0, found[1].0);
        assert_eq!((found[0].1, found[1].1), (0, 1));
        assert_eq!((found[0].0.path.as_str(), found[0].0.text.as_str()), ("sub/a.py", "x = HERE"));
        let prints = fingerprints("a.py", "x = HERE\ny\nx = HERE\n");
        assert_ne!(prints[0], prints[1]);
    }

    #[test]
    fn of_a_notebook_the_line_of_the_cell_counts() {
        let cell =
            |source: &str| format!(r#"{{"cells": [{{"cell_type": "code", "source": {source}}}], "nbformat": 4}}"#);
        let one = contents("a.ipynb", &cell(r#""if a:\n  x = HERE\nb""#));
        let other = contents("a.ipynb", &cell("[\n\"if a:\\n\",\n\"  x = HERE\\n\", \"c\"]"));
        assert_eq!(one[0].0.text, "x = HERE");
        assert_eq!(one, other);
    }
}
