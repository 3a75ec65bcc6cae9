//! INI as `configparser` reads it (`setup.cfg`): sections of keys, values that go on over indented lines.

use super::{Document, Entry, Format, Key, Node, NodeKind, Scalar, SyntaxError, strip_bom};
use crate::source::{SourceFile, Span};

/// Reads an INI file into a map of maps. The span of a section is its header and its lines; keys are lower-case, as
/// `configparser` makes them, with the spelling left in their span.
pub fn parse(source: &SourceFile) -> Document {
    let mut reader = Reader { source, sections: Vec::new(), value: None, comments: Vec::new(), errors: Vec::new() };
    let (mut start, text) = strip_bom(source.text());
    for line in text.split_inclusive('\n') {
        reader.line(start, line.trim_end_matches(['\n', '\r']));
        start += line.len();
    }
    reader.finish()
}

struct Reader<'a> {
    source: &'a SourceFile,
    sections: Vec<Entry>,
    /// The value that indented lines would continue.
    value: Option<Pending>,
    comments: Vec<Span>,
    errors: Vec<SyntaxError>,
}

struct Pending {
    key: Key,
    indent: usize,
    start: usize,
    end: usize,
    lines: Vec<String>,
}

impl Reader<'_> {
    fn line(&mut self, start: usize, line: &str) {
        let content = line.trim();
        let at = start + (line.len() - line.trim_start().len());
        let indent = at - start;
        if content.starts_with(['#', ';']) {
            self.comments.push(self.source.span(at..at + content.len()));
        } else if let Some(value) = self.value.as_mut().filter(|value| content.is_empty() || indent > value.indent) {
            value.lines.push(content.to_owned());
            if !content.is_empty() {
                if value.start == value.end {
                    value.start = at;
                }
                value.end = at + content.len();
            }
        } else if content.is_empty() {
        } else if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            self.end_value();
            self.section(name.0, at);
        } else {
            self.end_value();
            self.option(at, indent, content);
        }
    }

    fn section(&mut self, name: &str, at: usize) {
        let span = self.source.span(at..at + name.len() + 2);
        let key = Key { span: self.source.span(at + 1..at + 1 + name.len()), name: name.to_owned() };
        let value = Node { span, kind: NodeKind::Map(Vec::new()), anchor: None };
        self.sections.push(Entry { span, key: Some(key), value });
    }

    fn option(&mut self, at: usize, indent: usize, content: &str) {
        if self.sections.is_empty() {
            let span = self.source.span(at..at + content.len());
            self.errors.push(SyntaxError { span, message: "file contains no section header".into() });
            return;
        }
        let (name, value_at) = match content.find(['=', ':']) {
            Some(delimiter) => (content[..delimiter].trim_end(), delimiter + 1),
            None => (content, content.len()),
        };
        if name.is_empty() || value_at == content.len() && !content.ends_with(['=', ':']) {
            let span = self.source.span(at..at + content.len());
            self.errors.push(SyntaxError { span, message: "expected `key = value`".into() });
            return;
        }
        let key = Key { span: self.source.span(at..at + name.len()), name: name.to_lowercase() };
        let value = content[value_at..].trim_start();
        let start = at + content.len() - value.len();
        // An empty value stands right after its delimiter.
        let start = if value.is_empty() { at + value_at } else { start };
        let lines = vec![value.to_owned()];
        self.value = Some(Pending { key, indent, start, end: start + value.len(), lines });
    }

    fn end_value(&mut self) {
        let (Some(mut value), Some(section)) = (self.value.take(), self.sections.last_mut()) else { return };
        while value.lines.last().is_some_and(String::is_empty) && value.lines.len() > 1 {
            value.lines.pop();
        }
        let span = self.source.span(value.start..value.end);
        let kind = NodeKind::Scalar(Scalar::Str(value.lines.join("\n")));
        let entry_span = value.key.span.to(span);
        if let NodeKind::Map(entries) = &mut section.value.kind {
            entries.push(Entry { span: entry_span, key: Some(value.key), value: Node { span, kind, anchor: None } });
        }
        section.span = section.span.to(span);
        section.value.span = section.span;
    }

    fn finish(mut self) -> Document {
        self.end_value();
        let root = Node {
            span: self.source.span(0..self.source.text().len()),
            kind: NodeKind::Map(self.sections),
            anchor: None,
        };
        Document { file: self.source.id(), format: Format::Ini, root, comments: self.comments, errors: self.errors }
    }
}
