//! Argument files: which YAML or JSON file fills the flags of which script, and what it sets.

use std::path::Path;
use std::sync::Arc;

use super::{Request, Script};
use crate::eval::{Const, Flag, FlagId, FlagOwner, ParserKind, Traced, Value};
use crate::model::{Setting, Stray};
use crate::source::{SourceFile, Span};
use crate::syntax::{Document, Format, Node, NodeKind, Scalar};

/// An argument file: a mapping at the top.
#[derive(Debug)]
pub(super) struct ArgumentFile {
    pub(super) path: std::path::PathBuf,
    pub(super) source: Arc<SourceFile>,
    pub(super) document: Arc<Document>,
    /// The part of another file that it is written down in.
    pub(super) within: Option<Span>,
}

impl ArgumentFile {
    /// Reads a YAML, JSON or TOML file that has a mapping at the top.
    pub(super) fn read(request: &Request<'_>, path: &Path) -> Option<Self> {
        let is_read = |format: &Format| matches!(format, Format::Yaml | Format::Json | Format::Jsonc | Format::Toml);
        let format = Format::of(path).filter(is_read)?;
        let source = request.sources.read(request.file_system, path).ok()?;
        let document = crate::syntax::parse(format, &source);
        let is_mapping = matches!(document.root.kind, NodeKind::Map(_));
        is_mapping.then(|| Self { path: path.to_path_buf(), source, document: Arc::new(document), within: None })
    }

    /// Whether a place is one of the file's.
    pub(super) fn holds(&self, place: Span) -> bool {
        self.document.file == place.file && self.within.is_none_or(|part| part.contains(place))
    }

    /// What the file sets among the flags of a script.
    pub(super) fn settings(&self, script: &Script) -> Vec<Setting> {
        let entries = self.document.root.entries().iter();
        entries
            .flat_map(|entry| {
                let flags = flags_named(script, entry.name().unwrap_or_default());
                // What the shell still changes is not known.
                let mut written = entry.value.clone();
                if self.within.is_some() {
                    super::here::forget_expansions(&mut written);
                }
                flags.map(move |flag| {
                    let (value, items) = (constant(&written), items(&written, constant));
                    Setting { flag, value, items, origin: entry.span }
                })
            })
            .collect()
    }

    /// The keys that no flag of a script answers to.
    pub(super) fn strays(&self, script: &Script) -> Vec<Stray> {
        let entries = self.document.root.entries().iter();
        let named = entries.filter_map(|entry| Some((entry.name()?.to_owned(), entry.span)));
        named
            .filter(|(name, _)| flags_named(script, name).next().is_none())
            .map(|(name, origin)| Stray { name, is_key: true, origin })
            .collect()
    }

    /// Where a reader should look: the first entry, which stands for the file.
    pub(super) fn place(&self) -> Span {
        let root = self.document.root.span;
        self.document.root.entries().first().map_or(root, |entry| entry.span)
    }

    /// Whether this file may be meant for a script that no launch line joins it with: the script's parser reads files, the
    /// path speaks of the script's purpose (`recipes/x/dpo/config.yaml` of `dpo.py`), and it sets something that the script
    /// knows or that the script's own trainer configuration, and only it, has.
    pub(super) fn is_about(&self, script: &Script, own_fields: &dyn Fn(&str) -> bool) -> bool {
        let reads_files = script
            .trace
            .parsers
            .iter()
            .any(|parser| matches!(parser.kind, ParserKind::HfArgumentParser | ParserKind::TrlParser));
        let purpose = words(script.path.file_stem());
        let spoken: Vec<String> = self.path.iter().flat_map(|part| words(Some(part))).collect();
        let mut names = self.document.root.entries().iter().filter_map(|entry| entry.name());
        // What the parsers read without being told is YAML or JSON.
        reads_files
            && self.document.format != Format::Toml
            && purpose.iter().any(|word| !is_generic(word) && spoken.contains(word))
            && names.any(|name| own_fields(name) || flags_named(script, name).next().is_some())
    }

    /// How much of this file a script knows.
    pub(super) fn fit(&self, script: &Script) -> Fit {
        let names = self.document.root.entries().iter().filter_map(|entry| entry.name());
        let (known, unknown): (Vec<_>, Vec<_>) = names.partition(|name| flags_named(script, name).next().is_some());
        if unknown.is_empty() {
            Fit::Whole
        } else if script.trace.parsers.iter().any(|parser| parser.is_lenient) {
            Fit::Lenient
        } else if known.len() >= KNOWN_FOR_EACH_UNKNOWN * unknown.len() {
            Fit::Nearly
        } else {
            Fit::Foreign
        }
    }
}

/// A file is nearly a script's own with this many known keys for each that is not: one or two that outlived a change of the script.
const KNOWN_FOR_EACH_UNKNOWN: usize = 10;

/// How much of an argument file a script knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Every key.
    Whole,
    /// Not every key, and its parser does not mind.
    Lenient,
    /// All but a few keys.
    Nearly,
    /// Too little: it is another program's.
    Foreign,
}

/// The flags of a script that a key of an argument file sets.
fn flags_named<'a>(script: &'a Script, name: &'a str) -> impl Iterator<Item = FlagId> + 'a {
    let flags = script.trace.flags.iter().enumerate();
    flags.filter(move |(_, flag)| &*flag.name == name).map(|(index, _)| FlagId(index as u32))
}

/// The value of a node as the parser stores it in a field.
fn constant(node: &Node) -> Option<Const> {
    Some(match node.scalar()? {
        Scalar::Null => Const::None,
        Scalar::Bool(value) => Const::Bool(*value),
        Scalar::Int(value) => Const::Int(*value),
        Scalar::Float(value) => Const::float(*value),
        Scalar::Str(text) => Const::Str(text.as_str().into()),
        Scalar::Date(_) => return None,
    })
}

/// The items of a list, where each can be told.
pub(super) fn items(node: &Node, item: impl Fn(&Node) -> Option<Const>) -> Option<Vec<Const>> {
    match &node.kind {
        NodeKind::List(entries) => entries.iter().map(|entry| item(&entry.value)).collect(),
        _ => None,
    }
}

/// The value of a word on a command line as the parser converts it; `None` when that cannot be told.
pub(super) fn converted(flag: &Flag, kind: ParserKind, word: &str) -> Option<Const> {
    if reads_any_word_as_true(flag, kind) {
        return Some(Const::Bool(!word.is_empty()));
    }
    let lower = word.to_ascii_lowercase();
    let truth = match lower.as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    };
    let default = match &flag.default {
        Value::Const(constant) => Some(constant),
        _ => None,
    };
    let hugging_face = matches!(kind, ParserKind::HfArgumentParser | ParserKind::TrlParser);
    match default {
        Some(Const::Bool(_)) if hugging_face => truth.map(Const::Bool),
        // A converter of the project may read the word, or may not: only `True` is the same to both.
        Some(Const::Bool(_)) => truth.filter(|value| *value).map(Const::Bool),
        Some(Const::Int(_) | Const::Float(_)) => number(word),
        Some(Const::Str(_)) => Some(Const::Str(word.into())),
        _ if matches!(lower.as_str(), "true" | "false") && hugging_face => truth.map(Const::Bool),
        _ if matches!(flag.owner, FlagOwner::External(_)) => number(word).or_else(|| Some(Const::Str(word.into()))),
        _ => Some(Const::Str(word.into())),
    }
}

/// Whether the flag is declared with `type=bool`: `bool` calls every word but the empty one true. The parsers of click and typer mean
/// something else by it.
pub fn reads_any_word_as_true(flag: &Flag, kind: ParserKind) -> bool {
    let is_bool = |given: &Traced| matches!(&given.value, Value::External(path) if &**path == "builtins.bool");
    kind != ParserKind::Function && flag.converter.as_ref().is_some_and(is_bool)
}

fn number(word: &str) -> Option<Const> {
    word.parse().map(Const::Int).ok().or_else(|| word.parse().map(Const::float).ok())
}

/// The words of a path component: `config_qlora.yaml` has `config`, `qlora`, `yaml`.
fn words(part: Option<&std::ffi::OsStr>) -> Vec<String> {
    let text = part.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Words that say nothing about the purpose of a script.
fn is_generic(word: &str) -> bool {
    matches!(
        word,
        "run"
            | "train"
            | "trainer"
            | "training"
            | "finetune"
            | "finetuning"
            | "tune"
            | "script"
            | "main"
            | "model"
            | "py"
            | "yaml"
            | "config"
            | "lora"
            | "qlora"
    ) || word.bytes().all(|byte| byte.is_ascii_digit())
}
