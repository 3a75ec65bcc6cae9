//! `environment.yml`: conda's match specifications, and pip's requirements under `pip:`.

use super::statement::{Requirement, Statements, Writer};
use crate::source::{SourceFile, Span};
use crate::syntax::requirements::parse_conda_requirement;
use crate::syntax::{Document, Node};

/// Reads a conda environment; a YAML file without a list `dependencies` says nothing.
pub(super) fn read(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    let Some(dependencies) = document.root.get("dependencies") else { return writer.said };
    writer.syntax_errors(&document.errors);
    for item in dependencies.entries() {
        if let Some(text) = item.value.as_str() {
            specification(&mut writer, text, item.value.span, None);
        }
        for requirement in item.value.get("pip").map(Node::entries).unwrap_or_default() {
            if let Some(text) = requirement.value.as_str() {
                pip_line(&mut writer, text, requirement.value.span);
            }
        }
    }
    writer.said
}

/// `conda-forge::trl=0.12.2=py310_0`, `trl >=0.9`, `trl 0.9|0.10`.
pub(super) fn specification(writer: &mut Writer<'_>, text: &str, span: Span, outer: Option<&str>) {
    // `_libgcc_mutex=0.1=main`: conda's own bookkeeping in an exported environment.
    if text.starts_with('_') {
        return;
    }
    let alternatives: Vec<&str> = text.split('|').collect();
    let name = alternatives[0].trim_end_matches(|c: char| !c.is_alphabetic());
    for (at, one) in alternatives.iter().enumerate() {
        let one = if at == 0 { (*one).to_owned() } else { format!("{name} {one}") };
        // `trl *` is any release.
        let one = one.strip_suffix(" *").map_or(one.as_str(), str::trim_end).to_owned();
        let span = writer.inner(span);
        let Ok(read) = parse_conda_requirement(&one, span) else {
            return writer.problem(span, &format!("`{text}` is no match specification"));
        };
        let own = (alternatives.len() > 1).then(|| format!("{one} of {text}"));
        let conditions: Vec<&str> = outer.into_iter().chain(own.as_deref()).collect();
        let condition = Some(conditions.join("; ")).filter(|text| !text.is_empty());
        match read.package().as_str() {
            "python" if condition.is_none() => writer.python(Some(read.allowed()), span),
            // The one package of this trade that has another name there.
            "pytorch" => {
                let torch = Requirement { package: "torch".into(), ..Requirement::of(&read) };
                writer.declare(torch, span, condition.as_deref());
            }
            _ => writer.declare(Requirement::of(&read), read.span, condition.as_deref()),
        }
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
