//! Lock files: uv, poetry, pdm, PEP 751, and pipenv's two files.

use std::path::PathBuf;

use super::poetry;
use super::pyproject::{constrained, direct, poetry_version, tagged};
use super::statement::{Requirement, Statements, Writer, specifiers_of};
use crate::source::SourceFile;
use crate::syntax::{Document, Entry, Node, Scalar};

/// Reads a `uv.lock`.
pub(super) fn read_uv(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    writer.syntax_errors(&document.errors);
    requires_python(&mut writer, document.root.get("requires-python"));
    for package in list(&document.root, "package") {
        let place = package.get("source");
        let text = |key| place.and_then(|place| place.get(key)).and_then(Node::as_str);
        // A member of the workspace: the lock governs its folder too.
        if let Some(folder) = text("editable").or_else(|| text("virtual")) {
            writer.said.members.push(PathBuf::from(folder));
            continue;
        }
        let elsewhere = ["git", "url", "path", "directory"].iter().find_map(|key| text(key)).map(str::to_owned);
        let markers: Vec<&str> = list(package, "resolution-markers").filter_map(Node::as_str).collect();
        let condition = Some(markers.join(" or ")).filter(|text| !text.is_empty());
        locked(&mut writer, package, elsewhere, condition.as_deref());
    }
    writer.said
}

/// Reads a `poetry.lock`, a `pdm.lock` or a `pylock.toml`.
pub(super) fn read(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    writer.syntax_errors(&document.errors);
    let metadata = document.root.get("metadata");
    requires_python(&mut writer, document.root.get("requires-python"));
    requires_python(&mut writer, metadata.and_then(|table| table.get("requires_python")));
    // Poetry 1 keeps its own notation for Pythons.
    if let Some(python) = metadata.and_then(|table| table.get("python-versions")) {
        let alternatives = poetry::specifiers(python.as_str().unwrap_or_default()).unwrap_or_default();
        writer.python((alternatives.len() == 1).then(|| alternatives[0].clone()), python.span);
    }
    for package in list(&document.root, "package").chain(list(&document.root, "packages")) {
        let source = package.get("source").and_then(|source| source.get("url")).and_then(Node::as_str);
        let is_git = |table: &Node| table.get("type").and_then(Node::as_str).is_some_and(|kind| kind != "legacy");
        let poetry = source.filter(|_| package.get("source").is_some_and(is_git));
        let vcs = ["vcs", "directory", "archive"].iter().find_map(|key| package.get(key));
        let pylock = vcs.and_then(|table| table.get("url").or_else(|| table.get("path"))).and_then(Node::as_str);
        let pdm = package.get("git").and_then(Node::as_str);
        let elsewhere = poetry.or(pylock).or(pdm).map(str::to_owned);
        let condition = package.get("marker").and_then(Node::as_str);
        locked(&mut writer, package, elsewhere, condition);
    }
    writer.said
}

/// Reads a `Pipfile`.
pub(super) fn read_pipfile(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    writer.syntax_errors(&document.errors);
    for (section, condition) in [("packages", None), ("dev-packages", Some("group: dev"))] {
        for entry in document.root.get(section).map(Node::entries).unwrap_or_default() {
            let Some(name) = entry.name() else { continue };
            let table = &entry.value;
            if let Some((url, revision)) = direct(table) {
                writer.declare(tagged(name, &url, revision), entry.span, condition);
            } else if let Some(text) = table.as_str() {
                constrained(&mut writer, name, text, specifiers_of(text).map(|one| vec![one]), table.span, condition);
            } else if let Some(version) = table.get("version") {
                let markers = table.get("markers").and_then(Node::as_str);
                poetry_version(&mut writer, name, version, markers.or(condition));
            } else {
                writer.declare(Requirement::any(name), entry.span, condition);
            }
        }
    }
    let python = document.root.get("requires").and_then(|requires| requires.get("python_version"));
    if let Some((version, span)) = python.and_then(|node| Some((node.as_str()?, node.span))) {
        writer.python(specifiers_of(&format!("=={version}.*")).ok(), span);
    }
    writer.said
}

/// Reads a `Pipfile.lock`.
pub(super) fn read_pipfile_lock(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    writer.syntax_errors(&document.errors);
    for (section, group) in [("default", None), ("develop", Some("group: dev"))] {
        for entry in document.root.get(section).map(Node::entries).unwrap_or_default() {
            let Some(name) = entry.name() else { continue };
            let condition = entry.value.get("markers").and_then(Node::as_str).or(group);
            let elsewhere = direct(&entry.value).map(|(url, _)| url);
            let version = entry.value.get("version");
            match version.and_then(|node| Some((node.as_str()?, node.span))) {
                Some((text, span)) => writer.locked(name, text.trim_start_matches('='), elsewhere, span, condition),
                None => writer.declare(from_lock(name, elsewhere), entry.span, condition),
            }
        }
    }
    writer.said
}

/// A locked package without a version: it comes from elsewhere.
fn from_lock(name: &str, elsewhere: Option<String>) -> Requirement {
    elsewhere.map_or_else(|| Requirement::any(name), |url| Requirement::direct(name, &url))
}

fn locked(writer: &mut Writer<'_>, package: &Node, elsewhere: Option<String>, condition: Option<&str>) {
    let Some(name) = package.get("name") else { return };
    let Some(text) = name.as_str() else { return };
    match package.get("version").and_then(|node| Some((version_text(node)?, node.span))) {
        Some((version, span)) => writer.locked(text, &version, elsewhere, span, condition),
        None => writer.declare(from_lock(text, elsewhere), name.span, condition),
    }
}

/// A version is a string in every lock; a hand-written one may be a number.
fn version_text(node: &Node) -> Option<String> {
    match node.scalar()? {
        Scalar::Str(text) => Some(text.clone()),
        Scalar::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

fn requires_python(writer: &mut Writer<'_>, node: Option<&Node>) {
    if let Some((text, span)) = node.and_then(|node| Some((node.as_str()?, node.span))) {
        writer.python(specifiers_of(text).ok(), span);
    }
}

fn list<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = &'a Node> {
    let entries: &[Entry] = node.get(key).map(Node::entries).unwrap_or_default();
    entries.iter().map(|entry| &entry.value)
}
