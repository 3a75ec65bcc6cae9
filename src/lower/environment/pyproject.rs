//! `pyproject.toml`: PEP 621, dependency groups, poetry, uv, pdm, hatch and setuptools' dynamic fields.

use super::poetry;
use super::statement::{Requirement, Statements, Writer, release_of_tag, specifiers_of};
use crate::source::{SourceFile, Span};
use crate::syntax::requirements::normalize;
use crate::syntax::{Document, Node};

/// Reads a `pyproject.toml`.
pub(super) fn read(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    writer.syntax_errors(&document.errors);
    let root = &document.root;
    if let Some(project) = root.get("project") {
        own_name(&mut writer, project);
        table(&mut writer, project);
        groups(&mut writer, project.get("optional-dependencies"), "extra");
    }
    groups(&mut writer, root.get("dependency-groups"), "group");
    if let Some(tool) = root.get("tool") {
        tools(&mut writer, tool);
    }
    sources(&mut writer, root);
    writer.said
}

/// Reads the header of a script (PEP 723): the same keys at the top.
pub(super) fn read_header(source: &SourceFile, document: &Document) -> Statements {
    let mut writer = Writer::new(source);
    writer.said.is_header = true;
    writer.syntax_errors(&document.errors);
    table(&mut writer, &document.root);
    if let Some(uv) = document.root.get("tool").and_then(|tool| tool.get("uv")) {
        uv_settings(&mut writer, uv);
    }
    sources(&mut writer, &document.root);
    writer.said
}

/// `dependencies` and `requires-python` of a table.
fn table(writer: &mut Writer<'_>, project: &Node) {
    list(writer, project.get("dependencies"), None);
    let python = project.get("requires-python");
    if let Some((python, span)) = python.and_then(|node| Some((node.as_str()?, node.span))) {
        writer.python(specifiers_of(python).ok(), span);
    }
}

fn tools(writer: &mut Writer<'_>, tool: &Node) {
    if let Some(poetry) = tool.get("poetry") {
        own_name(writer, poetry);
        poetry_table(writer, poetry.get("dependencies"), None);
        poetry_table(writer, poetry.get("dev-dependencies"), Some("group: dev"));
        for group in poetry.get("group").map(Node::entries).unwrap_or_default() {
            let condition = format!("group: {}", group.name().unwrap_or_default());
            poetry_table(writer, group.value.get("dependencies"), Some(&condition));
        }
    }
    if let Some(uv) = tool.get("uv") {
        uv_settings(writer, uv);
    }
    if let Some(pixi) = tool.get("pixi") {
        super::pixi::workspace(writer, pixi);
    }
    groups(writer, tool.get("pdm").and_then(|pdm| pdm.get("dev-dependencies")), "group");
    for env in tool.get("hatch").and_then(|hatch| hatch.get("envs")).map(Node::entries).unwrap_or_default() {
        let condition = format!("environment: {}", env.name().unwrap_or_default());
        list(writer, env.value.get("dependencies"), Some(&condition));
        list(writer, env.value.get("extra-dependencies"), Some(&condition));
    }
    if let Some(dynamic) = tool.get("setuptools").and_then(|setuptools| setuptools.get("dynamic")) {
        dynamic_files(writer, dynamic.get("dependencies"), None);
        for extra in dynamic.get("optional-dependencies").map(Node::entries).unwrap_or_default() {
            dynamic_files(writer, Some(&extra.value), Some(&format!("extra: {}", extra.name().unwrap_or_default())));
        }
    }
}

fn uv_settings(writer: &mut Writer<'_>, uv: &Node) {
    list(writer, uv.get("dev-dependencies"), Some("group: dev"));
    list(writer, uv.get("constraint-dependencies"), None);
    // An override replaces what is said elsewhere, so that goes first.
    let before = writer.said.declarations.len();
    list(writer, uv.get("override-dependencies"), None);
    let overridden: Vec<String> =
        writer.said.declarations[before..].iter().map(|declaration| declaration.package.clone()).collect();
    let mut at = 0;
    writer.said.declarations.retain(|declaration| {
        at += 1;
        at > before || !overridden.contains(&declaration.package)
    });
}

fn own_name(writer: &mut Writer<'_>, project: &Node) {
    if let Some(name) = project.get("name").and_then(|node| Some((node.as_str()?, node.span))) {
        writer.own_name(name.0, name.1);
    }
}

/// A list of requirements; what is no string (`{include-group = ...}`) names another list that is read anyway.
fn list(writer: &mut Writer<'_>, list: Option<&Node>, condition: Option<&str>) {
    for item in list.map(Node::entries).unwrap_or_default() {
        if let Some(text) = item.value.as_str() {
            let text = text.trim().strip_prefix("-e ").unwrap_or(text);
            writer.requirement(text, item.value.span, condition);
        }
    }
}

/// A table of lists of requirements.
fn groups(writer: &mut Writer<'_>, table: Option<&Node>, what: &str) {
    for group in table.map(Node::entries).unwrap_or_default() {
        list(writer, Some(&group.value), Some(&format!("{what}: {}", group.name().unwrap_or_default())));
    }
}

/// `{file = "requirements.txt"}` or a list of such names.
fn dynamic_files(writer: &mut Writer<'_>, node: Option<&Node>, condition: Option<&str>) {
    let Some(file) = node.and_then(|node| node.get("file")) else { return };
    let names = file.entries().iter().map(|entry| &entry.value).chain([file]);
    for (name, span) in names.filter_map(|node| Some((node.as_str()?, node.span))) {
        writer.include(name, span, true, condition);
    }
}

/// `trl = "^0.9"`, `trl = {version = "^0.9", optional = true}`, `trl = [{...}, {...}]`.
fn poetry_table(writer: &mut Writer<'_>, table: Option<&Node>, condition: Option<&str>) {
    for entry in table.map(Node::entries).unwrap_or_default() {
        let Some(name) = entry.name() else { continue };
        if name.eq_ignore_ascii_case("python") {
            let python = entry.value.as_str().and_then(|text| poetry::specifiers(text).ok());
            // Alternatives cannot be said in one set of specifiers.
            writer.python(python.filter(|all| all.len() == 1).and_then(|mut all| all.pop()), entry.value.span);
            continue;
        }
        if entry.value.as_str().is_some() {
            poetry_version(writer, name, &entry.value, condition);
            continue;
        }
        let several: Vec<&Node> =
            entry.value.entries().iter().filter(|item| item.key.is_none()).map(|i| &i.value).collect();
        if several.is_empty() {
            poetry_inline(writer, name, &entry.value, entry.span, condition);
        }
        for one in several {
            poetry_inline(writer, name, one, one.span, condition);
        }
    }
}

fn poetry_inline(writer: &mut Writer<'_>, name: &str, table: &Node, span: Span, condition: Option<&str>) {
    let text = |key| table.get(key).and_then(Node::as_str);
    let mut conditions: Vec<String> = condition.map(str::to_owned).into_iter().collect();
    conditions.extend(text("markers").map(str::to_owned));
    conditions.extend(text("python").map(|python| format!("python: {python}")));
    if table.get("optional").is_some() {
        conditions.push("optional".into());
    }
    let condition = Some(conditions.join("; ")).filter(|text| !text.is_empty());
    let before = writer.said.declarations.len();
    match (direct(table), table.get("version")) {
        (Some((url, tag)), _) => writer.declare(tagged(name, &url, tag), span, condition.as_deref()),
        (None, Some(version)) => poetry_version(writer, name, version, condition.as_deref()),
        (None, None) => writer.declare(Requirement::any(name), span, condition.as_deref()),
    }
    let extras = table.get("extras").map(Node::entries).unwrap_or_default();
    let extras = extras.iter().filter_map(|extra| extra.value.as_str()).map(normalize).collect();
    for one in &mut writer.said.declarations[before..] {
        one.extras.clone_from(&extras);
    }
}

/// A constraint in poetry's language; alternatives become declarations under conditions of their own.
pub(super) fn poetry_version(writer: &mut Writer<'_>, name: &str, node: &Node, condition: Option<&str>) {
    let text = node.as_str().unwrap_or("*");
    constrained(writer, name, text, poetry::specifiers(text), node.span, condition);
}

/// Declares each alternative of a constraint.
pub(super) fn constrained(
    writer: &mut Writer<'_>,
    name: &str,
    written: &str,
    read: Result<Vec<pep440_rs::VersionSpecifiers>, String>,
    span: Span,
    condition: Option<&str>,
) {
    let alternatives = read.unwrap_or_else(|why| {
        writer.problem(span, &format!("{name}: {why}"));
        Vec::new()
    });
    if alternatives.is_empty() {
        writer.declare(Requirement::any(name), span, condition);
    }
    let several = alternatives.len() > 1;
    for specifiers in alternatives {
        let own = several.then(|| format!("{specifiers} of {written}"));
        let requirement = Requirement { specifiers, condition: own, ..Requirement::any(name) };
        writer.declare(requirement, span, condition);
    }
}

/// `git`, `url` or `path` of a table, and its `tag` or `rev`.
pub(super) fn direct(table: &Node) -> Option<(String, Option<&str>)> {
    let text = |key| table.get(key).and_then(Node::as_str);
    let revision = text("tag").or_else(|| text("rev")).or_else(|| text("ref")).or_else(|| text("branch"));
    if let Some(git) = text("git") {
        let url = if git.contains("://") { format!("git+{git}") } else { git.to_owned() };
        let url = revision.map_or_else(|| url.clone(), |revision| format!("{url}@{revision}"));
        return Some((url, text("tag").or_else(|| text("rev"))));
    }
    let workspace = table.get("workspace").map(|_| "workspace");
    text("url").or_else(|| text("path")).or_else(|| text("file")).or(workspace).map(|place| (place.to_owned(), None))
}

/// A requirement from elsewhere, with the release that a tag names.
pub(super) fn tagged(name: &str, url: &str, tag: Option<&str>) -> Requirement {
    let mut requirement = Requirement::direct(name, url);
    if let Some(version) = tag.and_then(release_of_tag) {
        requirement.specifiers = [pep440_rs::VersionSpecifier::equals_version(version)].into_iter().collect();
    }
    requirement
}

/// `[tool.uv.sources]`: where the packages declared above come from instead of a registry.
fn sources(writer: &mut Writer<'_>, root: &Node) {
    let table = root.get("tool").and_then(|tool| tool.get("uv")).and_then(|uv| uv.get("sources"));
    for entry in table.map(Node::entries).unwrap_or_default() {
        let name = normalize(entry.name().unwrap_or_default());
        let listed = entry.value.entries().iter().filter(|item| item.key.is_none()).map(|item| &item.value);
        // Several sources hold under markers; the first one stands for them.
        let first = listed.chain([&entry.value]).find_map(direct);
        let Some((url, tag)) = first else { continue };
        let tagged = tagged(&name, &url, tag);
        for declaration in writer.said.declarations.iter_mut().filter(|one| one.package == name) {
            declaration.direct.clone_from(&tagged.direct);
            declaration.specifiers = tagged.specifiers.clone();
            declaration.evidence = tagged.evidence();
        }
    }
}
