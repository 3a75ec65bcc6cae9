//! The ways in which a project starts a script: launch lines and argument files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::{ArgumentFile, Fit, converted, items};
use super::launch::{Launch, Program, Word, hosted, launches};
use super::{Request, Script, Written};
use crate::eval::{Const, Flag, FlagId, Value};
use crate::knowledge::{Knowledge, Resolution};
use crate::model::{Setting, Stray, Variant};
use crate::syntax::{Entry, Format, Node, NodeKind, Scalar};

/// Without one of these a file starts nothing that is looked at.
const STARTING: [&str; 11] = [
    ".py",
    " -m ",
    " --module ",
    "llamafactory-cli ",
    "lmf ",
    "swift ",
    "axolotl ",
    "trl ",
    "tune ",
    "oumi ",
    "xtuner ",
];

/// Everything in a project that may start a script or fill its flags.
impl Written {
    pub(super) fn collect(request: &Request<'_>) -> Self {
        let mut starts = Self::default();
        for path in request.files {
            match Format::of(path) {
                Some(format @ (Format::Shell | Format::Makefile | Format::Dockerfile)) => {
                    let Ok(source) = request.sources.read(request.file_system, path) else { continue };
                    if !STARTING.iter().any(|word| source.text().contains(word)) {
                        continue;
                    }
                    let document = crate::syntax::parse(format, &source);
                    let found = launches(&document, &source);
                    starts.here.extend(super::here::files(&document, &source, &found));
                    starts.launches.extend(found.into_iter().map(|launch| (Arc::clone(&source), launch)));
                }
                Some(Format::Notebook) => {
                    let Ok(source) = request.sources.read(request.file_system, path) else { continue };
                    let notebook = crate::syntax::notebook::parse(&source);
                    let found = notebook.documents().into_iter().flat_map(|document| launches(document, &source));
                    starts.launches.extend(found.map(|launch| (Arc::clone(&source), launch)));
                }
                Some(format @ (Format::Yaml | Format::Jsonc)) if hosted::is_host(path) => {
                    let Ok(source) = request.sources.read(request.file_system, path) else { continue };
                    // The folder of VS Code has a program in a place of its own.
                    if format == Format::Yaml && !STARTING.iter().any(|word| source.text().contains(word)) {
                        continue;
                    }
                    let found = hosted::launches(&crate::syntax::parse(format, &source), &source);
                    starts.launches.extend(found.into_iter().map(|launch| (Arc::clone(&source), launch)));
                }
                Some(Format::Yaml | Format::Json | Format::Jsonc | Format::Toml) => {
                    starts.files.extend(ArgumentFile::read(request, path));
                }
                _ => {}
            }
        }
        starts
    }

    /// The argument file that a path in another file means.
    pub(super) fn file_named(&self, written: Option<&str>, from: &Path) -> Option<&ArgumentFile> {
        let here = self.here.iter().find(|one| written.is_some_and(|text| one.is_called(text, from)));
        let of_project =
            || self.files.iter().find(|file| written.is_some_and(|text| is_same_file(text, from, &file.path)));
        here.map(|one| &one.file).or_else(of_project)
    }

    /// The ways in which one of the project's scripts is started; the defaults if there is none.
    pub(super) fn of(&self, script: &Script, scripts: &[Script], request: &Request<'_>) -> Vec<Variant> {
        let mut joined = Vec::new();
        let mut variants = Vec::new();
        for (source, launch) in &self.launches {
            let path = source.path();
            if !starts(launch, path, &script.path) {
                continue;
            }
            if super::hydra::fills(script) {
                variants.push(super::hydra::variant(self, script, Some(launch)));
                continue;
            }
            let (mut settings, mut strays) = (Vec::new(), Vec::new());
            let mut is_open = launch.is_open;
            for config in &launch.configs {
                let written = config.text.as_deref();
                let Some(file) = self.file_named(written, path) else {
                    is_open = true;
                    continue;
                };
                joined.push(file.path.clone());
                settings.extend(file.settings(script));
                strays.extend(file.strays(script));
            }
            settings.extend(launch.flags.iter().filter_map(|flag| setting(script, flag)));
            let unknown = launch.flags.iter().filter(|flag| source.slice(flag.span).starts_with("--"));
            let unknown = unknown.filter(|flag| setting(script, flag).is_none());
            strays
                .extend(unknown.filter_map(|flag| {
                    Some(Stray { name: flag.name()?.to_owned(), is_key: false, origin: flag.span })
                }));
            variants.push(Variant { origin: Some(launch.span), settings, strays, is_guessed: false, is_open });
        }
        if variants.is_empty() && super::hydra::fills(script) {
            return vec![super::hydra::variant(self, script, None)];
        }
        let own_fields = own_fields(script, request.knowledge);
        let is_meant = |file: &&ArgumentFile| {
            let is_anothers = || scripts.iter().any(|other| file.fit(other) == Fit::Whole);
            !joined.contains(&file.path)
                && file.is_about(script, &own_fields)
                && match file.fit(script) {
                    Fit::Whole | Fit::Lenient => true,
                    Fit::Nearly => !is_anothers(),
                    Fit::Foreign => false,
                }
        };
        variants.extend(self.files.iter().filter(is_meant).map(|file| Variant {
            origin: Some(file.place()),
            settings: file.settings(script),
            strays: file.strays(script),
            is_guessed: true,
            is_open: false,
        }));
        if variants.is_empty() { vec![Variant::default()] } else { variants }
    }
}

/// Whether a launch line starts a script: the path is the script's, seen from the launching file's folder or from any
/// folder above it.
fn starts(launch: &Launch, launcher: &Path, script: &Path) -> bool {
    match &launch.program {
        Program::Script { path, known_end } => match &path.text {
            Some(text) => is_same_file(text, launcher, script),
            None => !known_end.is_empty() && script.ends_with(known_end.trim_start_matches('/')),
        },
        Program::Module(Word { text: Some(module), .. }) => {
            script.with_extension("").ends_with(module.split('.').collect::<PathBuf>())
        }
        Program::Module(_) | Program::Command { .. } => false,
    }
}

fn is_same_file(written: &str, from: &Path, file: &Path) -> bool {
    let written = Path::new(written.trim_start_matches("./"));
    let folders = from.parent().into_iter().flat_map(Path::ancestors);
    let up = |path: &Path| {
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                std::path::Component::ParentDir => _ = clean.pop(),
                std::path::Component::CurDir => {}
                other => clean.push(other),
            }
        }
        clean
    };
    let file = up(file);
    !written.is_absolute() && folders.chain([Path::new("")]).any(|folder| up(&folder.join(written)) == file)
}

/// What one word or pair of words on a launch line sets.
fn setting(script: &Script, entry: &Entry) -> Option<Setting> {
    let name = entry.name()?.replace('-', "_");
    let (index, flag) = script.trace.flags.iter().enumerate().find(|(_, flag)| is_called(flag, &name))?;
    let kind = script.trace.parsers.get(flag.parser.0 as usize)?.kind;
    let value = match &entry.value.kind {
        NodeKind::Scalar(Scalar::Str(word)) => converted(flag, kind, word),
        NodeKind::Opaque if entry.value.span.start == entry.value.span.end => {
            let bare = flag.bare.clone().unwrap_or(Const::Bool(true));
            Some(if is_negation(flag, &name) { Const::Bool(false) } else { bare })
        }
        _ => None,
    };
    let word = |node: &Node| match node.scalar()? {
        Scalar::Str(word) => converted(flag, kind, word),
        _ => None,
    };
    Some(Setting { flag: FlagId(index as u32), value, items: items(&entry.value, word), origin: entry.span })
}

fn is_called(flag: &Flag, name: &str) -> bool {
    let named = |option: &String| option.trim_start_matches('-').replace('-', "_") == name;
    *flag.name == *name || flag.options.iter().any(named) || is_negation(flag, name)
}

/// `--no_use_peft`: the parsers of Hugging Face make one for a truth value that is true by default.
fn is_negation(flag: &Flag, name: &str) -> bool {
    matches!(&flag.default, Value::Const(Const::Bool(true))) && name.strip_prefix("no_") == Some(&*flag.name)
}

/// Whether a name is a field that the configuration class of the script's trainer declares itself.
fn own_fields<'a>(script: &'a Script, knowledge: &'a Knowledge) -> impl Fn(&str) -> bool + 'a {
    let callees = script.trace.calls.iter().map(|call| call.object.callee.clone());
    let configs: Vec<String> = callees
        .filter(|callee| callee.ends_with("Trainer"))
        .map(|callee| callee.replace("Trainer", "Config"))
        .collect();
    move |name| {
        configs.iter().any(|config| {
            let package = config.split('.').next().and_then(|top| knowledge.package(top));
            package.is_some_and(|package| {
                package.all().iter().any(|release| match package.resolve(config, release) {
                    Resolution::Definition(definition) => package
                        .callable_at(definition, release)
                        .is_some_and(|found| found.parameters.contains_key(name)),
                    _ => false,
                })
            })
        })
    }
}
