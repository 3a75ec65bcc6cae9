//! `setup.cfg`: `install_requires`, `python_requires` and extras.

use super::statement::{Statements, Writer, specifiers_of};
use crate::source::{SourceFile, Span};
use crate::syntax::{Document, Node};

/// Reads a `setup.cfg`.
pub(super) fn read(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    let name = document.root.get("metadata").and_then(|metadata| metadata.get("name"));
    if let Some((name, span)) = name.and_then(|node| Some((node.as_str()?, node.span))) {
        writer.own_name(name, span);
    }
    let options = document.root.get("options");
    requirements(&mut writer, options.and_then(|options| options.get("install_requires")), None);
    let python = options.and_then(|options| options.get("python_requires"));
    if let Some((python, span)) = python.and_then(|node| Some((node.as_str()?, node.span))) {
        writer.python(specifiers_of(python).ok(), span);
    }
    for extra in document.root.get("options.extras_require").map(Node::entries).unwrap_or_default() {
        requirements(&mut writer, Some(&extra.value), Some(&format!("extra: {}", extra.name().unwrap_or_default())));
    }
    writer.said
}

/// A value of one requirement per line.
fn requirements(writer: &mut Writer<'_>, value: Option<&Node>, condition: Option<&str>) {
    let Some(value) = value else { return };
    let Some(text) = value.as_str() else { return };
    let whole = writer.source.slice(value.span).to_owned();
    let mut from = 0;
    for line in text.lines().map(|line| line.split(" #").next().unwrap_or(line).trim()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The reader takes indentation away; each line still stands in the file as it is.
        let Some(at) = whole[from..].find(line).map(|at| from + at) else { continue };
        from = at + line.len();
        let start = value.span.start as usize + at;
        let span = Span::new(value.span.file, start, start + line.len());
        match line.strip_prefix("file:") {
            Some(file) => writer.include(file.trim(), span, true, condition),
            None => writer.requirement(line, span, condition),
        }
    }
}
