//! The shape that every format shares.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::source::{FileId, Span};

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Python source.
    Python,
    /// Jupyter notebook.
    Notebook,
    /// YAML as `PyYAML` reads it.
    Yaml,
    /// JSON; comments and trailing commas are read but are syntax errors.
    Json,
    /// JSON with comments and trailing commas.
    Jsonc,
    /// TOML.
    Toml,
    /// Shell script.
    Shell,
    /// pip requirements or constraints.
    Requirements,
    /// Dockerfile.
    Dockerfile,
    /// Makefile.
    Makefile,
    /// INI-like (`setup.cfg`).
    Ini,
}

/// One file, read.
#[derive(Debug, Clone)]
pub struct Document {
    /// Where the spans point.
    pub file: FileId,
    /// How it was read.
    pub format: Format,
    /// The content. A YAML stream of several documents is a [`NodeKind::List`] with one entry per document; one
    /// document is that document itself.
    pub root: Node,
    /// Comments in file order, each from its marker to the end of its line (newline excluded).
    pub comments: Vec<Span>,
    /// What could not be read.
    pub errors: Vec<SyntaxError>,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value's own bytes: quotes and brackets included, tag, anchor and comments excluded. An empty YAML value
    /// (`key:`) has an empty span right after the colon.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
    /// Span of a YAML anchor (`&name`) on this node. Replacing an anchored value changes every alias.
    pub anchor: Option<Span>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// A single value.
    Scalar(Scalar),
    /// Keys and values in file order, duplicates kept.
    Map(Vec<Entry>),
    /// Items in file order; their keys are `None`.
    List(Vec<Entry>),
    /// A command line, a Python call, a requirement: something named, with arguments.
    Call {
        /// The name as written: `accelerate`, `DPOTrainer`, `trl`.
        callee: String,
        /// Its place.
        callee_span: Span,
        /// Arguments in order, positional ones without a key.
        args: Vec<Entry>,
    },
    /// A YAML alias: `target` is what it stands for (already resolved), the node's span is the `*name` itself.
    /// Shared, since aliases of aliases would grow exponentially as copies.
    Alias(Arc<Node>),
    /// Present, but its meaning is not known here.
    Opaque,
}

/// A scalar as the format's own reader understands it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `null`, `~`, empty.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number; those beyond 64 bits are [`Scalar::Float`].
    Int(i64),
    /// A number.
    Float(f64),
    /// A string, unescaped.
    Str(String),
    /// A date or time, as written (`PyYAML` makes a `datetime`, TOML too).
    Date(String),
}

/// YAML pair, JSON member, TOML key, Python keyword, `--flag value`, requirement line: one shape, so that rename, set,
/// remove and insert exist once per format.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Key, separator and value; no surrounding comma, blank or newline. Of a YAML list item: the value only.
    pub span: Span,
    /// The name, if there is one.
    pub key: Option<Key>,
    /// The value; a flag without value has `Opaque` with an empty span at its end.
    pub value: Node,
}

/// The name of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its place, quotes included.
    pub span: Span,
    /// Its meaning, unquoted; of a shell flag the words after the dashes (`use_peft` of `--use_peft`).
    pub name: String,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub span: Span,
    /// What, as the format's own tools would say it; no full stop.
    pub message: String,
}

/// Replaces the bytes of `span` by `text`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// What goes. Empty for an insertion.
    pub span: Span,
    /// What comes, already escaped for the file's format.
    pub text: String,
}

impl Entry {
    /// The key's name, if there is a key.
    pub fn name(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.name.as_str())
    }

    /// Whether this is a YAML merge key. Quoted, it would be a key like any other, and no other format has it bare.
    pub fn is_merge(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.name == "<<" && key.span.end - key.span.start == 2)
    }
}

impl Node {
    /// The entries of a map, list or call; none for the rest. Looks through aliases.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            NodeKind::Map(entries) | NodeKind::List(entries) => entries,
            NodeKind::Call { args, .. } => args,
            NodeKind::Alias(target) => target.entries(),
            NodeKind::Scalar(_) | NodeKind::Opaque => &[],
        }
    }

    /// The value of `name`: of the last entry called so (readers keep the last of duplicates), else of what YAML merge
    /// keys (`<<: *defaults`) bring in.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|entry| &entry.value).or_else(|| self.merged(name))
    }

    /// The last entry called `name` that stands in this node itself. What a merge key brings in is not an entry here:
    /// editing it would edit another map.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|entry| entry.name() == Some(name))
    }

    fn merged(&self, name: &str) -> Option<&Node> {
        // A later `<<` beats an earlier one, in a list of maps the earlier map wins: as PyYAML flattens them.
        self.entries().iter().rev().filter(|entry| entry.is_merge()).find_map(|entry| match &entry.value.kind {
            NodeKind::List(maps) => maps.iter().find_map(|map| map.value.get(name)),
            _ => entry.value.get(name),
        })
    }

    /// The entries of a map as its reader sees them: of duplicates the last, and what merge keys bring in. Sorted by
    /// name.
    pub fn effective_entries(&self) -> Vec<&Entry> {
        let mut found = BTreeMap::new();
        self.collect_effective(&mut found);
        found.into_values().collect()
    }

    fn collect_effective<'a>(&'a self, found: &mut BTreeMap<&'a str, &'a Entry>) {
        let own = self.entries().iter().rev().filter(|entry| !entry.is_merge());
        for entry in own {
            if let Some(name) = entry.name() {
                found.entry(name).or_insert(entry);
            }
        }
        for entry in self.entries().iter().rev().filter(|entry| entry.is_merge()) {
            match &entry.value.kind {
                NodeKind::List(maps) => maps.iter().for_each(|map| map.value.collect_effective(found)),
                _ => entry.value.collect_effective(found),
            }
        }
    }

    /// What an alias stands for; of anything else itself.
    pub fn target(&self) -> &Self {
        match &self.kind {
            NodeKind::Alias(target) => target.target(),
            _ => self,
        }
    }

    /// The scalar, looking through aliases.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            NodeKind::Scalar(scalar) => Some(scalar),
            NodeKind::Alias(target) => target.scalar(),
            _ => None,
        }
    }

    /// The text of a string scalar.
    pub fn as_str(&self) -> Option<&str> {
        match self.scalar() {
            Some(Scalar::Str(text)) => Some(text),
            _ => None,
        }
    }
}
