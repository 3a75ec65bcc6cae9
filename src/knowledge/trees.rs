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
    /// The environment variable that says how many processes it starts on each machine.
    pub processes: String,
    /// The key that names what a dictionary is handed to.
    pub kind: String,
    /// The names of the file that the program reads.
    pub roots: Vec<String>,
    /// How the names of files end that it copies out of its own.
    pub copied: String,
    /// Keys that it takes out of every dictionary.
    apart: Vec<String>,
    /// Keys that it takes out of those below a name, by that name.
    #[serde(default)]
    apart_below: Vec<(String, Vec<String>)>,
    /// Keys whose dictionaries the program hands on with arguments of its own.
    filled: Vec<String>,
    /// The name of the function in whose `with` a file reads others, and the name that lists them in another way.
    pub reads: [String; 2],
    /// The configurations of `DeepSpeed` that it brings along, by release.
    brought: Vec<Brought>,
    /// Those of them with stage 3.
    pub stage3: Vec<String>,
    /// What it refuses with stage 3, by what is made.
    pub refused_with_stage3: Vec<RefusedTree>,
}

/// Something that cannot be made with stage 3 of `DeepSpeed`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedTree {
    #[serde(rename = "in", default)]
    releases: String,
    /// The class.
    pub class: String,
    /// When, as an expression over its parameters.
    pub when: String,
    /// What it says then.
    pub says: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Brought {
    #[serde(rename = "in", default)]
    releases: String,
    names: Vec<String>,
}

impl RefusedTree {
    /// Whether it is about a release.
    pub fn is_in(&self, package: &Package, release: usize) -> bool {
        self.releases.is_empty() || package.releases_in(&self.releases).contains(release)
    }
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

    /// Whether a dictionary at a path (`train_dataloader.sampler`) gets arguments from the program, too.
    pub fn fills(&self, path: &str) -> bool {
        path.split('.').any(|part| self.filled.iter().any(|key| key == part))
    }

    /// Whether a file with this text may be such a configuration, or read one.
    pub fn may_be(&self, text: &str) -> bool {
        text.contains(&self.package) || self.reads.iter().any(|word| text.contains(word.as_str()))
    }

    /// Whether a release brings a configuration of `DeepSpeed` of this name; `None`: any release.
    pub fn brings(&self, name: &str, at: Option<(&Package, usize)>) -> bool {
        let counts = |one: &&Brought| match at {
            Some((package, release)) if !one.releases.is_empty() => {
                package.releases_in(&one.releases).contains(release)
            }
            _ => true,
        };
        self.brought.iter().filter(counts).any(|one| one.names.iter().any(|known| known == name))
    }

    /// The configurations of `DeepSpeed` that some release brings along, by name.
    pub fn brought(&self) -> impl Iterator<Item = &str> {
        self.brought.iter().flat_map(|one| &one.names).map(String::as_str)
    }
}
