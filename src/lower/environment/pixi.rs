//! `pixi.toml`, `[tool.pixi]` of `pyproject.toml`, and `pixi.lock`.

use super::conda;
use super::pyproject::{direct, tagged};
use super::statement::{Requirement, Statements, Writer, exactly, specifiers_of};
use crate::source::{SourceFile, Span};
use crate::syntax::{Document, Node};

/// Reads a `pixi.toml`.
pub(super) fn read(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    writer.syntax_errors(&document.errors);
    workspace(&mut writer, &document.root);
    writer.said
}

/// The tables of a workspace: its own, those of features, and those of platforms.
pub(super) fn workspace(writer: &mut Writer<'_>, root: &Node) {
    tables(writer, root, None);
    for feature in root.get("feature").map(Node::entries).unwrap_or_default() {
        let condition = format!("feature: {}", feature.name().unwrap_or_default());
        tables(writer, &feature.value, Some(&condition));
    }
}

fn tables(writer: &mut Writer<'_>, root: &Node, condition: Option<&str>) {
    packages(writer, root, condition);
    for target in root.get("target").map(Node::entries).unwrap_or_default() {
        let own = format!("platform: {}", target.name().unwrap_or_default());
        let condition = condition.map_or_else(|| own.clone(), |outer| format!("{outer}; {own}"));
        packages(writer, &target.value, Some(&condition));
    }
}

fn packages(writer: &mut Writer<'_>, table: &Node, condition: Option<&str>) {
    for entry in table.get("dependencies").map(Node::entries).unwrap_or_default() {
        let Some(name) = entry.name() else { continue };
        match version(&entry.value) {
            Some((text, span)) => conda::specification(writer, &format!("{name} {text}"), span, condition),
            None => writer.declare(Requirement::any(name), entry.span, condition),
        }
    }
    for entry in table.get("pypi-dependencies").map(Node::entries).unwrap_or_default() {
        let Some(name) = entry.name() else { continue };
        match (direct(&entry.value), version(&entry.value)) {
            (Some((url, tag)), _) => writer.declare(tagged(name, &url, tag), entry.span, condition),
            (None, Some((text, span))) => match specifiers_of(text) {
                Ok(specifiers) => {
                    writer.declare(Requirement { specifiers, ..Requirement::any(name) }, span, condition);
                }
                Err(why) => writer.problem(span, &format!("{name}: {why}")),
            },
            (None, None) => writer.declare(Requirement::any(name), entry.span, condition),
        }
    }
}

/// `trl = ">=0.9"`, `trl = { version = ">=0.9", extras = ["peft"] }`.
fn version(node: &Node) -> Option<(&str, Span)> {
    let node = if node.as_str().is_some() { node } else { node.get("version")? };
    Some((node.as_str()?, node.span))
}

/// Reads a `pixi.lock`. Packages have a name and a version, or their address says both.
pub(super) fn read_lock(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    writer.syntax_errors(&document.errors);
    for package in document.root.get("packages").map(Node::entries).unwrap_or_default() {
        let text = |key| package.value.get(key).and_then(Node::as_str);
        let address = package.value.get("conda").and_then(|node| Some((node.as_str()?, node.span)));
        let named = text("name").and_then(|name| {
            let version = package.value.get("version")?;
            Some((name, version.as_str()?, version.span))
        });
        let of_address = || {
            let (address, span) = address?;
            let file = address.rsplit('/').next()?;
            let stem = file.strip_suffix(".conda").or_else(|| file.strip_suffix(".tar.bz2"))?;
            // name-version-build
            let (rest, _) = stem.rsplit_once('-')?;
            let (name, version) = rest.rsplit_once('-')?;
            Some((name, version, span))
        };
        // What conda has beside Python's packages has versions of its own kind (`tzdata 2024a`).
        let readable = |(_, version, _): &(&str, &str, Span)| exactly(version).is_ok();
        if let Some((name, version, span)) = named.or_else(of_address).filter(readable) {
            let name = if name == "pytorch" { "torch" } else { name };
            writer.locked(name, version, None, span, None);
        }
    }
    writer.said
}
