//! `environment.yml`: conda's match specifications, and pip's requirements under `pip:`.

use super::constraint;
use super::pyproject::constrained;
use super::statement::{Statements, Writer};
use crate::source::{SourceFile, Span};
use crate::syntax::{Document, Node};

/// Reads a conda environment; a YAML file without a list `dependencies` says nothing.
pub(super) fn read(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    let dependencies = document.root.get("dependencies").map(Node::entries).unwrap_or_default();
    if document.root.get("dependencies").is_some() {
        writer.syntax_errors(&document.errors);
    }
    for item in dependencies {
        if let Some(text) = item.value.as_str() {
            conda_line(&mut writer, text, item.value.span);
        }
        for requirement in item.value.get("pip").map(Node::entries).unwrap_or_default() {
            if let Some(text) = requirement.value.as_str() {
                pip_line(&mut writer, text, requirement.value.span);
            }
        }
    }
    writer.said
}

/// `conda-forge::trl=0.12.2=py310_0`, `trl >=0.9`, `trl[version='>=0.9']` (the brackets are left unread).
fn conda_line(writer: &mut Writer<'_>, text: &str, span: Span) {
    let text = text.rsplit("::").next().unwrap_or(text).trim();
    let end = text.find(|c: char| !(c.is_alphanumeric() || "._-".contains(c))).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.split('[').next().unwrap_or_default().trim();
    let (constraint, build) = without_build(rest);
    // With a build string, one `=` before the version is exact.
    let read =
        if build { constraint::conda(constraint.trim_start_matches('=')) } else { constraint::conda(constraint) };
    let name = if name == "pytorch" { "torch" } else { name };
    match (name, read) {
        ("", _) => {}
        ("python", Ok(mut alternatives)) => {
            let only = (alternatives.len() == 1).then(|| alternatives.remove(0));
            // `python=3.10` is every 3.10, `python==3.10` too in practice.
            writer.python(only);
        }
        (_, read) => constrained(writer, name, constraint, read, span, None),
    }
}

/// Splits a build string off: `=0.12.2=py310_0`, `0.12.2 py310_0`.
fn without_build(rest: &str) -> (&str, bool) {
    let operator = rest.find(|c: char| !"<>=!~ ".contains(c)).unwrap_or(rest.len());
    let version = &rest[operator..];
    match version.find('=').filter(|_| !version.contains([',', '|', '<', '>', '!'])) {
        Some(end) => (rest[..operator + end].trim(), true),
        None => match version.split_once(' ') {
            Some((first, build)) if !build.trim_start().starts_with(['<', '>', '=', '!', ',', '|']) => (first, true),
            _ => (rest, false),
        },
    }
}

/// A line under `pip:`: a line of a requirements file.
fn pip_line(writer: &mut Writer<'_>, text: &str, span: Span) {
    let text = text.split(" #").next().unwrap_or(text).trim();
    let option = |names: &[&str]| {
        names.iter().find_map(|name| text.strip_prefix(name)).map(|rest| rest.trim_start_matches(['=', ' ']).trim())
    };
    if let Some(file) = option(&["-r", "--requirement", "-c", "--constraint"]) {
        writer.include(file, span, true, None);
    } else if let Some(editable) = option(&["-e ", "--editable"]) {
        if editable.contains("://") {
            writer.requirement(editable, span, None);
        }
    } else if !text.starts_with(['-', '.', '/']) {
        writer.requirement(text.split(" --").next().unwrap_or(text), span, None);
    }
}
