//! Configurations that programs read which the project only starts: files of training frameworks and their command lines.
//!
//! A file belongs to the program that a launch line starts with it, else to the only one whose keys it has. A file that no program is
//! known to read is left alone.

mod command;
mod value;

use std::path::PathBuf;

use super::Written;
use super::config::ArgumentFile;
use super::environment::Environments;
use super::launch::Launch;
use crate::knowledge::Consumer;
use crate::model::Environment;
use crate::source::Span;
use crate::syntax::Node;

use command::{Started, started};
pub use value::{Kind, as_float, kind_of, read};

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
pub(super) fn collect(written: &Written, environments: &Environments<'_>) -> Vec<Configuration> {
    let mut found = Vec::new();
    let mut named: Vec<&PathBuf> = Vec::new();
    for (source, launch) in &written.launches {
        let Some(Started { consumer, configs, flags, is_open }) = started(launch) else { continue };
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
            keys.extend(keys_of(file));
        }
        keys.extend(flags);
        let environment = environments.of_configuration(&path, &consumer.package);
        let variables = variables(launch);
        found.push(Configuration { consumer, path, keys, is_open, environment, launch: Some(launch.span), variables });
    }
    for file in written.files.iter().filter(|file| !named.contains(&&file.path)) {
        let keys: Vec<Key> = keys_of(file).collect();
        let spelled: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        if let Some(consumer) = Consumer::of_keys(&spelled) {
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

fn variables(launch: &Launch) -> Vec<String> {
    launch.environment.iter().filter_map(|entry| entry.name().map(str::to_owned)).collect()
}

/// The keys of a file, what merge keys bring in included.
fn keys_of(file: &ArgumentFile) -> impl Iterator<Item = Key> {
    let mut entries = file.document.root.effective_entries();
    entries.sort_by_key(|entry| entry.span);
    let key = |entry: &crate::syntax::Entry| {
        let (name, value) = (entry.name()?.to_owned(), entry.value.clone());
        Some(Key { name, value, span: entry.span, on_command_line: false })
    };
    entries.into_iter().filter_map(key)
}

#[cfg(test)]
mod tests;
