//! Configurations that programs read which the project only starts: files of training frameworks and their command lines.
//!
//! A file belongs to the program that a launch line starts with it, else to the only one whose keys it has. A file that no program is
//! known to read is left alone.

mod command;
mod value;

use std::path::{Path, PathBuf};

use super::Written;
use super::config::ArgumentFile;
use super::environment::Environments;
use super::launch::Launch;
use crate::knowledge::Consumer;
use crate::model::Environment;
use crate::source::{FileSystem, Span};
use crate::syntax::{Node, NodeKind};

use command::{Started, started};
pub(super) use value::number_of;
pub use value::{Kind, as_float, held, kind_of, kind_of_words, read};

/// What one run of a program is configured with.
#[derive(Debug)]
pub struct Configuration {
    /// The program.
    pub consumer: &'static Consumer,
    /// The file that counts for the releases: the configuration, or what starts the program.
    pub path: PathBuf,
    /// The keys, those of a file before those of the command line: the last of a name wins.
    pub keys: Vec<Key>,
    /// Whether there may be more keys than are known.
    pub is_open: bool,
    /// The releases that it gets.
    pub environment: Environment,
    /// The command that starts the program, if one does.
    pub launch: Option<Span>,
    /// Environment variables that the command gets from its file, by name.
    pub variables: Vec<String>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name, as the program sees it.
    pub name: String,
    /// Its value as its file's own reader understands it.
    pub value: Node,
    /// Key and value.
    pub span: Span,
    /// Whether it stands on a command line: the value is a word or several, and a flag without a value is one.
    pub on_command_line: bool,
}

impl Configuration {
    /// What counts for a key: the last of the name.
    pub fn get(&self, name: &str) -> Option<&Key> {
        self.keys.iter().rev().find(|key| key.name == name)
    }

    /// Where a reader should look for what is not there: the first key.
    pub fn place(&self) -> Option<Span> {
        self.keys.first().map(|key| key.span).or(self.launch)
    }
}

/// The configurations of a project, those that a command names first.
pub(super) fn collect(written: &Written, environments: &Environments<'_>, disk: &dyn FileSystem) -> Vec<Configuration> {
    let mut found = Vec::new();
    let mut named: Vec<&PathBuf> = Vec::new();
    for (source, launch) in &written.launches {
        let of_script = |script: &str| of_source(script, launch, source.path(), environments, disk);
        let Some(Started { consumer, configs, flags, is_open }) = started(launch, of_script) else { continue };
        let mut keys = Vec::new();
        let mut is_open = is_open;
        let mut path = source.path().to_path_buf();
        for config in &configs {
            let Some(file) = written.file_named(config.text.as_deref(), source.path()) else {
                is_open = true;
                continue;
            };
            named.push(&file.path);
            path.clone_from(&file.path);
            keys.extend(keys_of(file, consumer.nested));
        }
        keys.extend(flags);
        let environment = environments.of_configuration(&path, &consumer.package);
        let variables = variables(launch);
        found.push(Configuration { consumer, path, keys, is_open, environment, launch: Some(launch.span), variables });
    }
    for file in written.files.iter().filter(|file| !named.contains(&&file.path)) {
        let root = &file.document.root;
        let has = |path: &str| path.split('.').try_fold(root, |node, name| node.target().get(name)).is_some();
        if let Some(consumer) = Consumer::of_keys(&has) {
            let keys = keys_of(file, consumer.nested);
            let environment = environments.of_configuration(&file.path, &consumer.package);
            found.push(Configuration {
                consumer,
                path: file.path.clone(),
                keys,
                is_open: false,
                environment,
                launch: None,
                variables: Vec::new(),
            });
        }
    }
    found.sort_by(|one, other| (&one.path, one.launch).cmp(&(&other.path, other.launch)));
    found
}

/// The program that a script starts which lies in its source: `src/train.py` beside the package of LLaMA-Factory.
fn of_source(
    script: &str,
    launch: &Launch,
    from: &Path,
    environments: &Environments<'_>,
    disk: &dyn FileSystem,
) -> Option<&'static Consumer> {
    let consumer = Consumer::started_from(script)?;
    let inside = match &launch.directory {
        Some(word) => word.text.as_deref()?,
        None => "",
    };
    let around = from.parent()?.ancestors();
    let places = around.flat_map(|folder| [folder.join(inside), folder.to_path_buf()]);
    let mut places = places.map(|folder| folder.join(script.trim_start_matches("./")));
    let place = places.find(|place| disk.is_file(place))?;
    environments.has_source(&consumer.package, place.parent()?).then_some(consumer)
}

fn variables(launch: &Launch) -> Vec<String> {
    launch.environment.iter().filter_map(|entry| entry.name().map(str::to_owned)).collect()
}

/// Keys of one file beyond this many are not looked at: aliases of aliases are more than anyone wrote.
const MAX_KEYS: usize = 20_000;

/// The keys of a file, what merge keys bring in included; `below`: those that stand below others, too.
fn keys_of(file: &ArgumentFile, below: bool) -> Vec<Key> {
    let mut keys = Vec::new();
    add_keys(&file.document.root, "", below, &mut keys);
    if file.within.is_some() {
        keys.retain(|key| !key.name.contains(['$', '`']));
        for key in &mut keys {
            super::here::forget_expansions(&mut key.value);
        }
    }
    keys
}

fn add_keys(map: &Node, prefix: &str, below: bool, keys: &mut Vec<Key>) {
    let mut entries = map.effective_entries();
    entries.sort_by_key(|entry| entry.span);
    for entry in entries {
        let Some(name) = entry.name().filter(|_| keys.len() < MAX_KEYS) else { continue };
        let name = format!("{prefix}{name}");
        let key = Key { name, value: entry.value.clone(), span: entry.span, on_command_line: false };
        let path = key.name.clone();
        keys.push(key);
        if below {
            add_below(&entry.value, &path, keys);
        }
    }
}

/// The keys below a key; those of the items of a list have the number of the item before them.
fn add_below(value: &Node, path: &str, keys: &mut Vec<Key>) {
    let target = value.target();
    match &target.kind {
        NodeKind::Map(_) => add_keys(target, &format!("{path}."), true, keys),
        NodeKind::List(items) => {
            for (at, item) in items.iter().enumerate() {
                let item = item.value.target();
                if matches!(item.kind, NodeKind::Map(_)) {
                    add_keys(item, &format!("{path}.{at}."), true, keys);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
