//! Programs whose configuration is a Python file: its names hold trees of dictionaries, each of which says what it becomes.

use serde::Deserialize;

use super::Package;

/// A program that reads such files: `trees` of `schemas/consumers.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The distribution whose release decides.
    pub package: String,
    /// The commands that start it: `xtuner train`.
    commands: Vec<String>,
    /// The end of the path of a script that does the same.
    script: String,
    /// The key that names what a dictionary is handed to.
    pub kind: String,
    /// The names of the file that the program reads.
    pub roots: Vec<String>,
    /// Keys that it takes out of every dictionary.
    apart: Vec<String>,
    /// Keys that it takes out of those below a name, by that name.
    #[serde(default)]
    apart_below: Vec<(String, Vec<String>)>,
    /// The name of the function in whose `with` a file reads others, and the name that lists them in another way.
    pub reads: [String; 2],
    /// The configurations of `DeepSpeed` that it brings along, by release.
    brought: Vec<Brought>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Brought {
    #[serde(rename = "in", default)]
    releases: String,
    names: Vec<String>,
}

impl Tree {
    /// Whether a command starts it.
    pub fn is_started_by(&self, tool: &str, command: &str) -> bool {
        self.commands.iter().any(|known| known.split_once(' ') == Some((tool, command)))
    }

    /// Whether a script, by the end of its path, is the program.
    pub fn is_script(&self, path: &str) -> bool {
        path.strip_suffix(&*self.script).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    }

    /// Whether a key of a dictionary below a name is for the program itself.
    pub fn is_apart(&self, root: &str, key: &str) -> bool {
        let below = self.apart_below.iter().filter(|(name, _)| name == root).flat_map(|(_, keys)| keys);
        self.apart.iter().chain(below).any(|known| known == key)
    }

    /// Whether a file with this text may be such a configuration, or read one.
    pub fn may_be(&self, text: &str) -> bool {
        text.contains(&self.package) || self.reads.iter().any(|word| text.contains(word.as_str()))
    }

    /// The configurations of `DeepSpeed` that a release brings along, by name.
    pub fn brought(&self, package: &Package, release: usize) -> impl Iterator<Item = &str> {
        let is_there =
            move |one: &&Brought| one.releases.is_empty() || package.releases_in(&one.releases).contains(release);
        self.brought.iter().filter(is_there).flat_map(|one| &one.names).map(String::as_str)
    }
}
