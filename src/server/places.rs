//! What is known about a place in a text: hover and completion.
//!
//! The text is the one in the editor, however broken; which releases count is known from the last check.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::inform::{self, Choice};
use super::position::{Encoding, Lines};
use super::protocol::{CompletionItem, Hover, Markup, Position, Range, TextEdit};
use super::readers::{self, Reader};
use super::worker::Checked;
use super::yaml_place::YamlPlace;
use crate::engine::catalogue;
use crate::knowledge::{Knowledge, Parameter};
use crate::lower::{Releases, timelines};
use crate::model::Environment;
use crate::rules::RuleMeta;
use crate::source::Sources;
use crate::syntax::python::PythonModule;
use crate::syntax::python_call::{Part, call_at, full_name};
use crate::syntax::{self, Format, Key, Node, NodeKind};

const FIELD: u8 = 5;
const VALUE: u8 = 12;
const DEPRECATED: u8 = 1;

/// A text in the editor and the last check of its project.
pub(super) struct Place<'a> {
    pub path: &'a Path,
    /// The path as the check knows it.
    pub shown: PathBuf,
    pub text: Arc<str>,
    /// Whether the text is the Python of a notebook's cells, and the line of it on which the editor's text begins.
    pub is_cell: bool,
    pub first_line: u32,
    pub encoding: Encoding,
    pub checked: &'a Checked,
    /// Who reads the file, as the last check that could tell knows it.
    pub reader: Option<&'a Reader>,
}

impl<'a> Place<'a> {
    /// What each release does with the argument or key at a place.
    pub fn hover(&self, position: Position) -> Option<Hover> {
        let lines = Lines::new(&self.text, self.encoding);
        let offset = lines.offset(self.inside(position));
        let (text, range) = match self.format()? {
            Format::Python => self.python_argument(offset),
            format if readers::is_argument_file(self.path) => self.key(format, offset),
            _ => None,
        }?;
        Some(Hover { contents: Markup::markdown(text), range: self.outside(lines.range(range)) })
    }

    /// What may be written at a place.
    pub fn completion(&self, position: Position) -> Vec<CompletionItem> {
        let lines = Lines::new(&self.text, self.encoding);
        let offset = lines.offset(self.inside(position));
        let found = match self.format() {
            Some(Format::Python) => self.complete_python(offset),
            Some(Format::Yaml) => self.complete_yaml(offset),
            _ => None,
        };
        let Some((range, items)) = found else { return Vec::new() };
        let range = self.outside(lines.range(range));
        let item = |item: Item| CompletionItem {
            label: item.label,
            kind: if item.is_value { VALUE } else { FIELD },
            detail: item.detail,
            documentation: item.documentation,
            tags: if item.is_deprecated { vec![DEPRECATED] } else { Vec::new() },
            text_edit: TextEdit { range, new_text: item.text },
        };
        items.into_iter().map(item).collect()
    }

    fn format(&self) -> Option<Format> {
        if self.is_cell { Some(Format::Python) } else { Format::of(self.path) }
    }

    /// From the editor's text to this one.
    fn inside(&self, position: Position) -> Position {
        Position { line: position.line.saturating_add(self.first_line), ..position }
    }

    fn outside(&self, range: Range) -> Range {
        let back = |position: Position| Position { line: position.line.saturating_sub(self.first_line), ..position };
        Range { start: back(range.start), end: back(range.end) }
    }

    fn knowledge(&self) -> &'a Knowledge {
        self.checked.known.get()
    }

    /// The releases that a script gets; where it was not seen yet, those of another one of the project.
    fn environment(&self) -> Option<&'a Environment> {
        let all = &self.checked.report.environments;
        let own = all.iter().find(|(path, _)| *path == self.shown);
        own.or_else(|| all.first()).map(|(_, environment)| environment)
    }

    fn module(&self) -> PythonModule {
        let source = Sources::default().add(self.path.to_path_buf(), &*self.text);
        if self.is_cell {
            // Commands and magics are read as in a notebook.
            return PythonModule::from_pieces(&source, Arc::clone(&self.text), Vec::new());
        }
        PythonModule::parse(&source)
    }

    fn python_argument(&self, offset: usize) -> Option<(String, std::ops::Range<usize>)> {
        let module = self.module();
        let place = call_at(&module, offset)?;
        let Part::Name { range, is_named: true } = place.part else { return None };
        let callee = full_name(&module, &place.callee)?;
        let argument = &self.text[range.clone()];
        let none = Environment::default();
        let environment = self.environment().unwrap_or(&none);
        let timelines = timelines(&callee, argument, environment, self.knowledge());
        Some((inform::argument(&callee, argument, &timelines, environment, self.knowledge())?, range))
    }

    fn key(&self, format: Format, offset: usize) -> Option<(String, std::ops::Range<usize>)> {
        let source = Sources::default().add(self.path.to_path_buf(), &*self.text);
        let document = syntax::parse(format, &source);
        let mut parents = Vec::new();
        let key = key_at(&document.root, offset, &mut parents)?;
        let reader = self.reader?;
        let (class, timelines) = reader.timelines(&parents, &key.name, self.knowledge())?;
        let text = inform::argument(&class, &key.name, &timelines, reader.environment(), self.knowledge())?;
        let title = reader.title(self.knowledge());
        Some((format!("{text}\nread by {title}"), key.span.range()))
    }

    fn complete_python(&self, offset: usize) -> Option<(std::ops::Range<usize>, Vec<Item>)> {
        let module = self.module();
        let place = call_at(&module, offset)?;
        let callee = full_name(&module, &place.callee)?;
        let none = Environment::default();
        let environment = self.environment().unwrap_or(&none);
        let knowledge = self.knowledge();
        let package = knowledge.package(callee.split('.').next()?)?;
        let release = environment.in_effect(package)?;
        let at = Releases::new(knowledge, environment, package, release);
        let relocated = || at.relocated(&callee).map(|(module, name)| format!("{module}.{name}"));
        let name = if at.resolve(&callee).is_some() { callee.clone() } else { relocated()? };
        let version = format!("{} {}", package.name(), package.brief()[release].version);
        match place.part {
            Part::Name { range, is_named } => {
                let end = if is_named { "" } else { "=" };
                let parameters = at.signature(&name)?.parameters.into_iter();
                let fresh = parameters.filter(|(name, _)| !place.given.iter().any(|given| given == name));
                let item = |(name, parameter)| Item::name(name, &format!("{name}{end}"), Some(parameter), &version);
                Some((range, fresh.map(item).collect()))
            }
            Part::Value { name: argument, range, quote } => {
                let parameter = at.parameter(&name, &argument)?;
                let choices = inform::choices(&name, &argument, parameter, environment, knowledge).into_iter();
                let text = |choice: Choice| match quote {
                    Some(_) => choice.word().map(str::to_owned),
                    None => Some(choice.in_python()),
                };
                Some((range, choices.filter_map(text).map(|text| Item::value(text, &version)).collect()))
            }
        }
    }

    fn complete_yaml(&self, offset: usize) -> Option<(std::ops::Range<usize>, Vec<Item>)> {
        let reader = self.reader?;
        let YamlPlace { part, parents, beside } = YamlPlace::at(&self.text, offset)?;
        let keys = reader.keys(&parents, self.knowledge());
        let title = reader.title(self.knowledge());
        match part {
            Part::Name { range, is_named } => {
                let end = if is_named { "" } else { ": " };
                let fresh = keys.into_iter().filter(|key| !beside.contains(&key.name.as_str()));
                let item =
                    |key: readers::Key<'_>| Item::name(&key.name, &format!("{}{end}", key.name), key.parameter, &title);
                Some((range, fresh.map(item).collect()))
            }
            Part::Value { name, range, quote } => {
                let (class, _) = reader.timelines(&parents, &name, self.knowledge())?;
                let parameter = keys.iter().find(|key| key.name == name)?.parameter?;
                let choices = inform::choices(&class, &name, parameter, reader.environment(), self.knowledge());
                let blank = if self.text[..range.start].ends_with(':') { " " } else { "" };
                let text = |choice: Choice| match quote {
                    Some(_) => choice.word().map(str::to_owned),
                    None => Some(format!("{blank}{}", choice.in_yaml())),
                };
                let items = choices.into_iter().filter_map(text).map(|text| Item::value(text, &title));
                Some((range, items.collect()))
            }
        }
    }
}

/// The key at a place; `parents` gets those that it stands below, outermost first.
fn key_at<'d>(node: &'d Node, offset: usize, parents: &mut Vec<&'d str>) -> Option<&'d Key> {
    for entry in node.entries() {
        if let Some(key) = &entry.key
            && (key.span.range().contains(&offset) || key.span.end as usize == offset)
        {
            return Some(key);
        }
        // What an alias stands for is elsewhere.
        if entry.value.span.range().contains(&offset) && !matches!(entry.value.kind, NodeKind::Alias(_)) {
            parents.extend(entry.key.as_ref().map(|key| key.name.as_str()));
            return key_at(&entry.value, offset, parents);
        }
    }
    None
}

/// The page of the rule of each finding at a place.
pub(super) fn pages<'a>(rules: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<&str> = rules.collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(catalogue::find).map(page).collect()
}

fn page(meta: &RuleMeta) -> String {
    // What follows the language in a fence is for the tests of the examples.
    let line = |line: &str| {
        let line = line.strip_prefix(' ').unwrap_or(line);
        let end = if line.starts_with("```") { line.find(',') } else { None };
        format!("{}\n", &line[..end.unwrap_or(line.len())])
    };
    let page: String = meta.page.trim_matches('\n').lines().map(line).collect();
    format!("# {} ({})\n\n{}.\n\n{page}", meta.name, meta.code, meta.summary)
}

/// Something that may be written.
struct Item {
    label: String,
    text: String,
    detail: Option<String>,
    documentation: Option<String>,
    is_value: bool,
    is_deprecated: bool,
}

impl Item {
    fn name(name: &str, text: &str, parameter: Option<&Parameter>, reader: &str) -> Self {
        let alias = parameter.and_then(|parameter| parameter.alias_of.as_deref());
        let kind =
            parameter.and_then(|parameter| parameter.annotation.clone()).filter(|annotation| annotation != "...");
        let default = parameter.map(|parameter| match &parameter.default {
            Some(default) => format!(" = {default}"),
            None => " (required)".to_owned(),
        });
        let detail = kind.unwrap_or_default() + default.as_deref().unwrap_or_default();
        let documentation =
            alias.map_or_else(|| reader.to_owned(), |alias| format!("{reader}: a deprecated name of `{alias}`"));
        Self {
            label: name.to_owned(),
            text: text.to_owned(),
            detail: Some(detail.trim_start().to_owned()).filter(|detail| !detail.is_empty()),
            documentation: Some(documentation),
            is_value: false,
            is_deprecated: alias.is_some() || parameter.is_some_and(|parameter| parameter.deprecated),
        }
    }

    fn value(text: String, reader: &str) -> Self {
        let label = text.trim_start().to_owned();
        let documentation = Some(reader.to_owned());
        Self { label, text, detail: None, documentation, is_value: true, is_deprecated: false }
    }
}
