//! Files that a launch line or a configuration names and that are not there.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::data_files::{DataFile, data_files};
use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::report::plain;
use super::tree::unknown_names;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Severity};
use crate::lower::launch::{Launch, Program};
use crate::lower::{Analysis, trees};
use crate::source::{DirEntry, Span, did_you_mean, slashed};
use crate::syntax::{Format, Node};

declare_rule! {
    /// ## What it does
    ///
    /// Reports scripts, argument files, and configurations of accelerate and `DeepSpeed` that a launch script or another configuration
    /// names and that do not exist, where their folder is part of the project; data that a trainer gets from `load_dataset` (by a path in
    /// the script, on the launch line or in an argument file) and that is called almost so; and names of `DeepSpeed` configurations that
    /// `xtuner train` does not bring along.
    ///
    /// ## Why it matters
    ///
    /// The command ends with `FileNotFoundError`, for what the launcher reads at once, for a `DeepSpeed` file only when the trainer is
    /// configured, on every machine that the job was given.
    ///
    /// ## Example
    ///
    /// ```json,beside:configs/zero2.json
    /// {"zero_optimization": {"stage": 2}}
    /// ```
    ///
    /// ```python,beside
    /// from trl import DPOTrainer
    /// ```
    ///
    /// ```sh,bad
    /// torchrun --nproc_per_node 8 train.py --deepspeed configs/zero3.json
    /// ```
    ///
    /// ```sh,good
    /// torchrun --nproc_per_node 8 train.py --deepspeed configs/zero2.json
    /// ```
    ///
    /// ```sh,good
    /// sed s/2/3/ configs/zero2.json > configs/zero3.json
    /// torchrun --nproc_per_node 8 train.py --deepspeed configs/zero3.json
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix; a file of a similar name in the same folder is mentioned.
    ///
    /// ## Versions
    ///
    /// All releases. Nothing is said about paths with variables and absolute paths, about files that a script or a Makefile of the project
    /// names elsewhere (it may make them), and about those that git ignores. A script that is named without a folder is a warning: the
    /// launch script may be meant for another folder.
    ///
    /// ## References
    ///
    /// - `open` in the documentation of Python
    MissingFile = "missing-file", "DPL807", Error, "a launch line names a file that does not exist"
}

/// A file that is named.
struct Named<'a> {
    path: &'a str,
    span: Span,
    /// What it is to the program.
    what: &'static str,
    /// The file that names it.
    from: &'a Path,
    /// The folder of a `cd` before it.
    inside: Option<&'a str>,
}

impl Rule for MissingFile {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let mut missing: Vec<Named<'_>> = Vec::new();
        for (source, launch) in analysis.written.launches() {
            // What a container or a rented machine has is not known.
            if matches!(Format::of(source.path()), Some(Format::Shell | Format::Makefile)) {
                missing.extend(of_launch(launch, source.path()).filter(|named| !exists(named, context)));
            }
        }
        for (path, document) in analysis.written.documents() {
            missing.extend(of_document(&document.root, path).filter(|named| !exists(named, context)));
        }
        found.extend(unknown_names(analysis, context, &Self::META));
        for call in analysis.calls.iter().filter(|call| call.trains) {
            let files = data_files(analysis, call, context.knowledge);
            push_new(found, files.iter().filter_map(|file| misspelt_data(file, context)));
        }
        if missing.is_empty() {
            return;
        }
        let folders: BTreeSet<&Path> = context.files.iter().filter_map(|file| file.parent()).collect();
        for named in &missing {
            push_new(found, judge(named, &missing, &folders, context));
        }
    }
}

/// Data that is not there, beside a file whose name is almost the same. Other data may be brought later.
fn misspelt_data(file: &DataFile<'_>, context: &Context<'_>) -> Option<Diagnostic> {
    let bases = || file.from.ancestors().map(|folder| clean(&folder.join(&file.path)));
    if is_open(&file.path) || bases().any(|path| context.disk.is_file(&path) || context.disk.is_dir(&path)) {
        return None;
    }
    let name = Path::new(&file.path).file_name()?.to_str()?;
    let mut folders = bases().filter_map(|path| path.parent().map(Path::to_path_buf));
    let folder = folders.find(|folder| context.disk.is_dir(folder))?;
    let beside: Vec<String> = context.disk.read_dir(&folder).ok()?.iter().filter_map(file_name).collect();
    let beside = beside.iter().map(String::as_str).filter(|other| is_alike(other, name));
    let meant = did_you_mean(name, beside).filter(|_| !is_ignored(&folder, name, context))?;
    let message = format!("the data file `{}` does not exist", file.path);
    let mut finding = plain(&MissingFile::META, Severity::Warning, message, label(file.place, "FileNotFoundError"));
    finding.confidence = Confidence::Medium;
    finding.related.push(label(file.argument.span, "this trains on it"));
    finding.help = Some(format!("did you mean `{}`?", slashed(&Path::new(&file.path).with_file_name(meant))));
    Some(finding)
}

fn file_name(entry: &DirEntry) -> Option<String> {
    entry.path.file_name()?.to_str().map(str::to_owned)
}

/// Whether a path is decided elsewhere, or by nothing that is known.
fn is_open(text: &str) -> bool {
    text.contains(['$', '{', '}', '<', '>', '*', '?', '[', ' ', '`', '%', ':', '\\']) || text.starts_with(['~', '/'])
}

/// The files that a command names, where the path is known.
fn of_launch<'a>(launch: &'a Launch, from: &'a Path) -> impl Iterator<Item = Named<'a>> {
    let inside = launch.directory.as_ref().map(|word| word.text.as_deref().unwrap_or("$"));
    let named = move |path: &'a str, span, what| Named { path, span, what, from, inside };
    let script = match &launch.program {
        Program::Script { path, .. } => path.text.as_deref().map(|text| named(text, path.span, "script")),
        Program::Module(_) | Program::Command { .. } => None,
    };
    // `torchrun train.py` and nothing else is a sketch, in a book or a tutorial.
    let is_meant = |path: &str| has_ending(path, &["py"]) && (path.contains('/') || !launch.flags.is_empty());
    let script = script.filter(|named| is_meant(named.path));
    let configs = launch.configs.iter().filter_map(move |word| {
        let text = word.text.as_deref().filter(|text| is_configuration(text))?;
        Some(named(text, word.span, "argument file"))
    });
    let flags = |flags: &'a [crate::syntax::Entry], name: &'static str, what| {
        let flags = flags.iter().filter(move |flag| flag.name().is_some_and(|found| found.replace('-', "_") == name));
        flags.filter_map(move |flag| {
            let text = flag.value.as_str().filter(|text| is_configuration(text))?;
            Some(named(text, flag.value.span, what))
        })
    };
    let accelerate = launch.launcher("accelerate launch").map_or(&[][..], |launcher| &launcher.flags);
    let launchers = flags(accelerate, "config_file", "configuration of accelerate");
    let deepspeed = flags(&launch.flags, "deepspeed", "DeepSpeed configuration");
    let deepspeed = deepspeed.chain(flags(&launch.flags, "deepspeed_config", "DeepSpeed configuration"));
    let tree = trees::start(launch).and_then(|start| start.named_file());
    let tree = tree.map(|(text, span)| named(text, span, "configuration"));
    script.into_iter().chain(tree).chain(configs).chain(launchers).chain(deepspeed)
}

/// The files that an argument file or a configuration of accelerate names.
fn of_document<'a>(root: &'a Node, from: &'a Path) -> impl Iterator<Item = Named<'a>> {
    let direct = root.entry("deepspeed");
    let nested = root.entry("deepspeed_config").and_then(|entry| entry.value.entry("deepspeed_config_file"));
    direct.into_iter().chain(nested).filter_map(move |entry| {
        let path = entry.value.as_str().filter(|path| has_ending(path, &["json"]))?;
        Some(Named { path, span: entry.value.span, what: "DeepSpeed configuration", from, inside: None })
    })
}

fn is_configuration(path: &str) -> bool {
    has_ending(path, &["yaml", "yml", "json", "toml"])
}

fn has_ending(path: &str, endings: &[&str]) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
}

/// Whether a path is there, seen from the folder of the file that names it or from one above; what cannot be looked up is taken to be.
fn exists(named: &Named<'_>, context: &Context<'_>) -> bool {
    if is_open(named.path) || named.inside.is_some_and(is_open) {
        return true;
    }
    bases(named).any(|base| {
        let path = clean(&base.join(named.path));
        context.files.binary_search(&path).is_ok() || context.disk.is_file(&path)
    })
}

/// Where a program may be started that reads a path: in a folder around the file that names it, or where a `cd` leads from there.
fn bases<'a>(named: &'a Named<'_>) -> impl Iterator<Item = PathBuf> + 'a {
    let around = named.from.parent().into_iter().flat_map(Path::ancestors);
    around.flat_map(|folder| {
        let inside = named.inside.map(|inside| folder.join(inside));
        std::iter::once(folder.to_path_buf()).chain(inside)
    })
}

/// The path without `.` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = clean.pop(),
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

fn judge(
    named: &Named<'_>,
    missing: &[Named<'_>],
    folders: &BTreeSet<&Path>,
    context: &Context<'_>,
) -> Option<Diagnostic> {
    let written = Path::new(named.path);
    let name = written.file_name()?.to_str()?;
    // The folder is part of the project: a file that was read lies in it. So must be the one that a `cd` leads to.
    let around = named.from.parent()?.ancestors();
    let mut starts =
        around.map(|folder| named.inside.map_or(folder.to_path_buf(), |inside| clean(&folder.join(inside))));
    let folder = starts.find_map(|start| {
        let folder = clean(start.join(written).parent()?);
        (folders.contains(&*folder) && (named.inside.is_none() || context.disk.is_dir(&start))).then_some(folder)
    })?;
    let is_elsewhere = || folders.iter().any(|folder| context.disk.is_file(&clean(&folder.join(named.path))));
    if is_elsewhere() || is_ignored(&folder, name, context) || may_be_made(named, name, missing, context) {
        return None;
    }
    let beside = context.files.iter().filter(|file| file.parent() == Some(&folder));
    let beside = beside.filter_map(|file| file.file_name()?.to_str()).filter(|other| is_alike(other, name));
    let help =
        did_you_mean(name, beside).map(|meant| format!("did you mean `{}`?", slashed(&written.with_file_name(meant))));
    let message = format!("the {} `{}` does not exist", named.what, named.path);
    let mut finding = plain(&MissingFile::META, Severity::Error, message, label(named.span, "FileNotFoundError"));
    // A script without a folder may lie where the user copies this file to.
    if written.parent() == Some(Path::new("")) && has_ending(name, &["py"]) {
        (finding.severity, finding.confidence) = (Severity::Warning, Confidence::Medium);
    }
    finding.help = help;
    Some(finding)
}

/// Whether two names have the same ending.
fn is_alike(one: &str, other: &str) -> bool {
    Path::new(one).extension() == Path::new(other).extension()
}

/// Whether git is told to leave a file out, so that it is on the machines that need it and not in the repository.
fn is_ignored(folder: &Path, name: &str, context: &Context<'_>) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    folder.ancestors().any(|above| {
        let Ok(bytes) = context.disk.read(&above.join(".gitignore")) else { return false };
        let inner = folder.file_name().and_then(|inner| inner.to_str()).unwrap_or(name);
        String::from_utf8_lossy(&bytes).lines().map(str::trim).any(|line| {
            let last = line.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            last == name || last == inner || last.strip_prefix("*.") == Some(ending)
        })
    })
}

/// Whether some code of the project speaks of a file in any other way than by reading it: it may write, download or move it.
fn may_be_made(named: &Named<'_>, name: &str, missing: &[Named<'_>], context: &Context<'_>) -> bool {
    let is_code = |format| {
        matches!(format, Format::Python | Format::Notebook | Format::Shell | Format::Makefile | Format::Dockerfile)
    };
    let code = context.files.iter().filter(|file| Format::of(file).is_some_and(is_code));
    let read = code.filter_map(|file| context.sources.find(file));
    let mut mentions = read.flat_map(|source| {
        let places: Vec<usize> = source.text().match_indices(name).map(|(at, _)| at).collect();
        places.into_iter().map(move |at| (std::sync::Arc::clone(&source), at))
    });
    mentions.any(|(source, at)| {
        let is_named = |other: &Named<'_>| {
            other.span.file == source.id() && other.span.range().contains(&at) && other.path.ends_with(name)
        };
        !missing.iter().any(is_named) && !is_defined(source.text(), at, named.path)
    })
}

/// Whether a mention is the value of a variable: `CONFIG=configs/zero3.yaml`.
fn is_defined(text: &str, at: usize, path: &str) -> bool {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    let written = text[line..end].trim().trim_start_matches("export ");
    let Some((name, value)) = written.split_once('=') else { return false };
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name && value.trim_matches(['"', '\'']) == path
}
