//! Installations by command: shell scripts, Dockerfiles, Makefiles, notebooks.

use super::statement::{Requirement, Statements, Writer, specifiers_of};
use crate::source::{SourceFile, Span};
use crate::syntax::requirements::{PipInstall, parse_pip_command, parse_requirement};
use crate::syntax::{Document, Entry, Node, NodeKind, notebook, shell};

/// Reads the commands of a file, wherever they stand in it. What cannot be read says nothing: these files run somewhere
/// else, with variables that are not known here.
pub(super) fn read(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    walk(&mut writer, &document.root);
    writer.said
}

/// Reads the commands of a notebook.
pub(super) fn read_notebook(source: &SourceFile) -> Statements {
    let mut writer = Writer::new(source);
    // Most notebooks install nothing, and they are large.
    if source.text().contains("install") || source.text().contains("uv ") {
        for document in notebook::parse(source).documents() {
            walk(&mut writer, &document.root);
        }
    }
    writer.said
}

/// Reads the commands of a notebook that was exported as a script.
pub(super) fn read_exported(source: &SourceFile) -> Statements {
    let mut writer = Writer::new(source);
    for document in notebook::exported_documents(source) {
        walk(&mut writer, &document.root);
    }
    writer.said
}

/// Reads a node and what stands inside it.
fn walk(writer: &mut Writer<'_>, node: &Node) {
    if let NodeKind::Call { callee, .. } = &node.kind {
        command(writer, callee, node);
    }
    for entry in node.entries() {
        walk(writer, &entry.value);
    }
}

fn command(writer: &mut Writer<'_>, callee: &str, call: &Node) {
    if let Some(install) = parse_pip_command(call, writer.source) {
        return installation(writer, &install);
    }
    let words: Vec<&Entry> = shell::words(call).collect();
    let text = |at: usize| words.get(at).and_then(|word| word.value.as_str());
    match (callee, text(0)) {
        ("FROM", Some(image)) => return base_image(writer, image, words[0].value.span),
        ("uv", Some("run")) => with_requirements(writer, &words),
        _ => {}
    }
    for (at, word) in words.iter().enumerate() {
        let Some(text) = word.value.as_str() else { continue };
        if is_python_file(text) {
            writer.said.launched.push(text.to_owned());
        }
        let module = words.get(at + 1).and_then(|word| word.value.as_str()).filter(|_| text == "-m");
        writer.said.launched.extend(module.map(|module| format!("{}.py", module.replace('.', "/"))));
    }
    if is_python_file(callee) {
        writer.said.launched.push(callee.to_owned());
    }
}

fn installation(writer: &mut Writer<'_>, install: &PipInstall) {
    for read in &install.requirements {
        // `conda install python=3.10`.
        if read.package() == "python" {
            writer.python(Some(read.allowed()), read.span);
        }
        writer.declare(Requirement::of(read), read.span, None);
    }
    for file in install.files.iter().chain(&install.constraints) {
        writer.include(&file.text, file.span, false, None);
    }
}

/// `uv run --with trl==0.12.2 train.py`.
fn with_requirements(writer: &mut Writer<'_>, words: &[&Entry]) {
    let mut is_value = false;
    for word in words {
        let named = word.name() == Some("with");
        if let Some(text) = word.value.as_str() {
            if is_value || named {
                with_requirement(writer, text, word.value.span);
            }
            is_value = !named && text == "--with";
        }
    }
}

fn with_requirement(writer: &mut Writer<'_>, text: &str, span: Span) {
    for one in text.split(',') {
        if let Ok(read) = parse_requirement(one, span) {
            writer.declare(Requirement::of(&read), span, None);
        }
    }
}

/// `FROM python:3.10-slim`; the last stage is the one that stays.
fn base_image(writer: &mut Writer<'_>, image: &str, span: Span) {
    writer.said.python = None;
    writer.said.python_places.clear();
    let tag = image.rsplit('/').next().and_then(|name| name.strip_prefix("python:"));
    let version = tag.and_then(|tag| tag.split('-').next()).filter(|version| version.contains('.'));
    let exact = |version: &str| if version.matches('.').count() > 1 { "" } else { ".*" };
    writer.python(version.and_then(|version| specifiers_of(&format!("=={version}{}", exact(version))).ok()), span);
}

fn is_python_file(word: &str) -> bool {
    std::path::Path::new(word).extension().is_some_and(|extension| extension == "py")
}
