//! The defaults list and what comes of it, as hydra 1.1 and later make it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::overrides::{Kind, Override, value};
use crate::lower::config::ArgumentFile;
use crate::source::Span;
use crate::syntax::{Node, NodeKind, Scalar};

/// A list of defaults below more lists than this is a cycle.
const MAX_DEPTH: u32 = 16;
/// More values than this are not looked at.
const MAX_LEAVES: usize = 20_000;

/// A composed configuration.
#[derive(Debug, Default)]
pub(super) struct Composed {
    /// What is no mapping, by path, with the entry that writes it.
    pub leaves: BTreeMap<String, (Node, Span)>,
    /// The paths of mappings.
    maps: Vec<String>,
}

/// Composes a configuration; `None` where not all of it is known, or where hydra refuses to.
pub(super) fn compose(files: &[ArgumentFile], folder: &Path, name: &str, overrides: &[Override]) -> Option<Composed> {
    let mut plan = Plan { files, folder, choices: BTreeMap::new(), deleted: Vec::new(), named: BTreeSet::new() };
    let mut values = Vec::new();
    let mut added = Vec::new();
    for one in overrides {
        let group = one.key.split('@').next().unwrap_or(&one.key);
        if plan.is_group(group) {
            match (one.kind, &one.value) {
                (Kind::Change, Some(choice)) => _ = plan.choices.insert(one.key.clone(), Choice::given(choice)?),
                (Kind::Add, Some(choice)) => added.push((one.key.clone(), Choice::given(choice)?)),
                (Kind::Delete, None) => plan.deleted.push(one.key.clone()),
                _ => return None,
            }
        } else if one.key.contains(['/', '@']) {
            return None;
        } else {
            values.push(one);
        }
    }
    let parts = plan.config(
        name,
        &At { group: String::new(), package: String::new(), is_named: false, is_optional: false },
        &added,
        0,
    )?;
    // A choice that answers to nothing is an error.
    if plan.choices.values().any(|choice| !choice.is_used) || !plan.deleted.is_empty() {
        return None;
    }
    let mut composed = Composed::default();
    for (at, (package, node)) in parts.iter().enumerate() {
        // Nothing may be there twice.
        if parts[..at].iter().any(|(other, known)| other == package && std::ptr::eq(*known, *node)) {
            return None;
        }
        composed.merge(package, node)?;
    }
    values.into_iter().try_for_each(|one| composed.change(one))?;
    Some(composed)
}

/// What is chosen of a group.
#[derive(Debug, Clone)]
struct Choice {
    /// The configurations; none: nothing.
    names: Vec<String>,
    is_used: bool,
}

impl Choice {
    /// `group=choice` on a command line.
    fn given(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
        let is_name = text != "null" && text.bytes().all(is_plain);
        is_name.then(|| Self { names: vec![text.to_owned()], is_used: false })
    }

    /// The value of an item in a list of defaults.
    fn written(node: &Node) -> Option<Self> {
        let name = |node: &Node| node.as_str().filter(|name| !name.contains(['$', '?'])).map(str::to_owned);
        let names = match &node.target().kind {
            NodeKind::Scalar(Scalar::Null) => Vec::new(),
            NodeKind::List(items) => items.iter().map(|item| name(&item.value)).collect::<Option<_>>()?,
            _ => vec![name(node)?],
        };
        Some(Self { names, is_used: true })
    }
}

/// Where a configuration stands.
struct At {
    /// The folder of its group, below that of all: `model`.
    group: String,
    /// Its package.
    package: String,
    /// Whether that was named, so that what the file says of it does not count.
    is_named: bool,
    is_optional: bool,
}

/// An item of a list of defaults.
struct Item<'a> {
    is_override: bool,
    is_optional: bool,
    /// The group as written, and the package behind its `@`; `None`: a configuration beside this one.
    group: Option<(&'a str, Option<&'a str>)>,
    value: &'a Node,
}

/// The package of a group, below that of what names it.
struct Own {
    package: String,
    is_named: bool,
}

impl Own {
    /// Of a group that is written, with the package behind its `@`.
    fn of(written: &str, named: Option<&str>) -> Self {
        let package = named.map_or_else(|| written.trim_start_matches('/').replace('/', "."), str::to_owned);
        Self { package, is_named: named.is_some() }
    }
}

struct Plan<'a> {
    files: &'a [ArgumentFile],
    folder: &'a Path,
    /// By group, and `@package` where one is named: what others say that is chosen.
    choices: BTreeMap<String, Choice>,
    deleted: Vec<String>,
    /// The groups that were named, as in `choices`.
    named: BTreeSet<String>,
}

/// What is merged, in order, with the package that it goes to.
type Parts<'a> = Vec<(String, &'a Node)>;

impl<'a> Plan<'a> {
    /// Whether a path is a folder with configurations.
    fn is_group(&self, path: &str) -> bool {
        let folder = self.folder.join(path);
        !path.is_empty() && self.files.iter().any(|file| file.path.starts_with(&folder) && file.path != folder)
    }

    /// A configuration and all that its defaults name; `name` is relative to its group. A list is read from its end: what an item says
    /// that is chosen counts for the items before it.
    fn config(&mut self, name: &str, at: &At, added: &[(String, Choice)], depth: u32) -> Option<Parts<'a>> {
        let name = name.trim_end_matches(".yaml");
        let path = self.folder.join(&at.group).join(format!("{name}.yaml"));
        let files = self.files;
        let Some(file) = files.iter().find(|file| file.path == path && file.within.is_none()) else {
            return at.is_optional.then(Vec::new);
        };
        if depth > MAX_DEPTH || !file.document.errors.is_empty() {
            return None;
        }
        let root = &file.document.root;
        // `model/small` of the group of all stands in the group `model`.
        let group = match name.rsplit_once('/') {
            Some((folder, _)) => below(&at.group, folder, '/'),
            None => at.group.clone(),
        };
        let package = match header(file) {
            _ if at.is_named => at.package.clone(),
            Header::Own => at.package.clone(),
            Header::Global => String::new(),
            Header::Unknown => return None,
        };
        let list = match root.get("defaults").map(Node::target) {
            None => Vec::new(),
            Some(Node { kind: NodeKind::List(items), .. }) => {
                items.iter().map(|item| read(&item.value)).collect::<Option<Vec<_>>>()?
            }
            Some(_) => return None,
        };
        for item in list.iter().filter(|item| item.is_override) {
            let (written, named) = item.group?;
            // What is chosen for hydra itself is no part of the configuration.
            if written.starts_with("/hydra") || written.starts_with("hydra/") {
                continue;
            }
            let key = key(&absolute(written, &group), named);
            let choice = Choice { is_used: false, ..Choice::written(item.value)? };
            self.choices.entry(key).or_insert(choice);
        }
        let mut parts: Vec<Parts<'a>> = Vec::new();
        for (key, choice) in added.iter().rev() {
            let (written, named) =
                key.split_once('@').map_or((&**key, None), |(group, package)| (group, Some(package)));
            self.name(key)?;
            parts.push(self.group(written, &Own::of(written, named), choice, &package, false, depth)?);
        }
        let own = || vec![(package.clone(), root)];
        let is_self = |item: &Item<'_>| item.group.is_none() && item.value.as_str() == Some("_self_");
        if !list.iter().any(is_self) {
            parts.push(own());
        }
        for item in list.iter().rev().filter(|item| !item.is_override) {
            parts.push(if is_self(item) { own() } else { self.item(item, &group, &package, depth)? });
        }
        Some(parts.into_iter().rev().flatten().collect())
    }

    /// Notes that a group is named, which happens once.
    fn name(&mut self, key: &str) -> Option<()> {
        self.named.insert(key.to_owned()).then_some(())
    }

    /// An item of a list.
    fn item(&mut self, item: &Item<'_>, group: &str, package: &str, depth: u32) -> Option<Parts<'a>> {
        let Some((written, named)) = item.group else {
            let name = item.value.as_str()?;
            // What is named from the root goes to the package of its own group.
            if name.contains(['@', '$']) || name.starts_with('/') {
                return None;
            }
            let package = self::place(package, name);
            let at = At { group: group.to_owned(), package, is_named: false, is_optional: item.is_optional };
            return self.config(name, &at, &[], depth + 1);
        };
        let absolute = absolute(written, group);
        let key = key(&absolute, named);
        if let Some(at) = self.deleted.iter().position(|deleted| *deleted == key) {
            self.deleted.remove(at);
            return Some(Vec::new());
        }
        self.name(&key)?;
        let choice = match self.choices.get_mut(&key) {
            Some(given) => {
                given.is_used = true;
                given.clone()
            }
            None => Choice::written(item.value)?,
        };
        self.group(&absolute, &Own::of(written, named), &choice, package, item.is_optional, depth)
    }

    /// What is chosen of a group.
    fn group(
        &mut self,
        group: &str,
        own: &Own,
        choice: &Choice,
        package: &str,
        is_optional: bool,
        depth: u32,
    ) -> Option<Parts<'a>> {
        let package = match &*own.package {
            "_global_" => String::new(),
            "_here_" => package.to_owned(),
            own if own.split('.').any(|part| part.starts_with('_') && part.ends_with('_')) => return None,
            own => below(package, own, '.'),
        };
        let at = At { group: group.to_owned(), package, is_named: own.is_named, is_optional };
        let parts: Option<Vec<Parts<'a>>> =
            choice.names.iter().map(|name| self.config(name, &at, &[], depth + 1)).collect();
        Some(parts?.into_iter().flatten().collect())
    }
}

/// The package of a configuration that is named by its path: `model/small` goes to `model`.
fn place(package: &str, name: &str) -> String {
    name.rsplit_once('/')
        .map_or_else(|| package.to_owned(), |(folder, _)| below(package, &folder.replace('/', "."), '.'))
}

/// What the first comments of a file say about its package.
enum Header {
    /// That of its group.
    Own,
    Global,
    Unknown,
}

fn header(file: &ArgumentFile) -> Header {
    for line in file.source.text().lines() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            break;
        }
        if let Some(package) = line.trim_start_matches('#').trim().strip_prefix("@package") {
            return match package.trim() {
                "_global_" => Header::Global,
                _ => Header::Unknown,
            };
        }
    }
    Header::Own
}

fn read(node: &Node) -> Option<Item<'_>> {
    let node = node.target();
    let NodeKind::Map(entries) = &node.kind else {
        let name = node.as_str()?;
        // `optional x` without a group is rare.
        let is_plain = !name.contains(char::is_whitespace);
        return is_plain.then_some(Item { is_override: false, is_optional: false, group: None, value: node });
    };
    let [entry] = &entries[..] else { return None };
    let mut group = entry.name()?;
    let (mut is_override, mut is_optional) = (false, false);
    loop {
        match group.split_once(char::is_whitespace) {
            Some(("override", rest)) => (is_override, group) = (true, rest.trim()),
            Some(("optional", rest)) => (is_optional, group) = (true, rest.trim()),
            Some(_) => return None,
            None => break,
        }
    }
    let (group, package) = group.split_once('@').map_or((group, None), |(group, package)| (group, Some(package)));
    let is_plain = !group.contains(['$', ':']) && package.is_none_or(|package| !package.contains([':', '$']));
    is_plain.then_some(Item { is_override, is_optional, group: Some((group, package)), value: &entry.value })
}

/// A group as seen from the folder of all.
fn absolute(written: &str, group: &str) -> String {
    written.strip_prefix('/').map_or_else(|| below(group, written, '/'), str::to_owned)
}

fn key(group: &str, package: Option<&str>) -> String {
    package.map_or_else(|| group.to_owned(), |package| format!("{group}@{package}"))
}

fn below(parent: &str, name: &str, separator: char) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}{separator}{name}") }
}

impl Composed {
    /// Merges a mapping into a package.
    fn merge(&mut self, package: &str, node: &Node) -> Option<()> {
        let mut path = String::new();
        for part in package.split('.').filter(|part| !part.is_empty()) {
            path = below(&path, part, '.');
            self.open(&path);
        }
        self.merge_map(&path, node, 0)
    }

    fn merge_map(&mut self, path: &str, node: &Node, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH * 2 || self.leaves.len() > MAX_LEAVES {
            return None;
        }
        for entry in node.effective_entries() {
            let name = entry.name()?;
            // The list of defaults is no part of the configuration, nor is what is for hydra itself.
            if depth == 0 && (name == "defaults" || (path.is_empty() && name == "hydra")) {
                continue;
            }
            let path = below(path, name, '.');
            let value = entry.value.target();
            if matches!(value.kind, NodeKind::Map(_)) {
                self.open(&path);
                self.merge_map(&path, value, depth + 1)?;
            } else {
                self.close(&path);
                self.leaves.insert(path, (value.clone(), entry.span));
            }
        }
        Some(())
    }

    /// Makes a path a mapping.
    fn open(&mut self, path: &str) {
        self.leaves.remove(path);
        if !self.maps.iter().any(|known| known == path) {
            self.maps.push(path.to_owned());
        }
    }

    /// Forgets the mapping that was at a path.
    fn close(&mut self, path: &str) {
        let is_below = |known: &str| known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        self.leaves.retain(|known, _| !is_below(known));
        self.maps.retain(|known| known != path && !is_below(known));
    }

    /// Changes a value as a command line says; `None` where hydra refuses to, or where that is not known.
    fn change(&mut self, one: &Override) -> Option<()> {
        let is_there = self.leaves.contains_key(&one.key) || self.maps.contains(&one.key);
        match (one.kind, &one.value) {
            (Kind::Delete, None) if is_there => {
                self.close(&one.key);
                self.leaves.remove(&one.key);
            }
            (Kind::Change, Some(_)) if !is_there => return None,
            (Kind::Add, Some(_)) if is_there => return None,
            (Kind::Change | Kind::Add | Kind::Force, Some(text)) => {
                let parents = one.key.match_indices('.').map(|(at, _)| one.key[..at].to_owned());
                parents.for_each(|parent| self.open(&parent));
                self.close(&one.key);
                self.leaves.insert(one.key.clone(), (value(text, one.span), one.span));
            }
            _ => return None,
        }
        Some(())
    }
}
