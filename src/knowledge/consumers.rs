//! Who reads a configuration: `schemas/consumers.json`.
//!
//! The same key means opposite things to two programs, so nothing is said of a file before it is known which program reads it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::parts::by_hand;
use super::runs::Runs;
use super::{Guard, Package, Tree};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    launcher_flags: Vec<String>,
    /// Old and new names of keys, by package.
    renamed: BTreeMap<String, Vec<(String, String)>>,
    runs: Vec<Runs>,
    consumers: Vec<Consumer>,
    trees: Vec<Tree>,
}

static FILE: LazyLock<File> =
    LazyLock::new(|| by_hand(include_bytes!(concat!(env!("OUT_DIR"), "/consumers.lz4"))).unwrap_or_default());

/// A program that reads configurations: `llamafactory-cli train`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct Consumer {
    /// Its name, as one would start it.
    pub name: String,
    /// What users call it: `LLaMA-Factory`.
    pub title: String,
    /// The distribution whose release decides.
    pub package: String,
    /// Commands that start it.
    pub commands: Vec<String>,
    /// Modules that start it.
    #[serde(default)]
    modules: Vec<String>,
    classes: Vec<Classes>,
    /// Functions that check what the classes were filled with.
    pub checks: Vec<String>,
    files: Vec<Files>,
    /// What happens to a key that none of the classes has; `None`: it is dropped without a word.
    #[serde(default)]
    pub unknown: Option<String>,
    /// Keys of a file that are for the program itself.
    #[serde(default)]
    apart: Vec<String>,
    /// A key that makes the program accept others.
    #[serde(default)]
    pub lenient: Option<String>,
    /// Environment variables that make it another program.
    #[serde(default)]
    pub unless: Vec<String>,
    /// Whether it takes over what a saved model was trained with: what is not given is not known then.
    #[serde(default)]
    pub restores: bool,
    /// Whether data sets are named in a list of the project's.
    #[serde(default)]
    pub lists_data: bool,
    /// Keys of another program that reads such files.
    #[serde(default)]
    pub elsewhere: Vec<String>,
    /// Keys that do nothing, and when.
    #[serde(default)]
    pub pointless: Vec<Pointless>,
    /// The key that names what the keys beside it are parameters of.
    #[serde(default)]
    pub component: Option<String>,
    /// The parameters of components that no known package has, by full name.
    #[serde(default)]
    pub outside: BTreeMap<String, Vec<String>>,
    /// Whether keys stand below keys: the fields of the classes hold classes.
    #[serde(default)]
    pub nested: bool,
    /// Which class an item of a list becomes, where the field takes several.
    #[serde(default)]
    picks: Vec<Pick>,
    /// Checks that no release shows as a condition over the keys.
    #[serde(default)]
    refused: Vec<Refused>,
    /// Keys whose values nobody looks at, by release.
    #[serde(default)]
    unread: Vec<Unread>,
    /// What keys are set to by the program itself before it checks the whole.
    #[serde(default)]
    pub implied: Vec<Implied>,
    /// Keys below which names may have a beginning that says nothing.
    #[serde(default)]
    prefixed: BTreeMap<String, String>,
    /// Kinds of data set, and keys of one, that it does not know any more.
    #[serde(default)]
    pub data_kinds: Vec<DataKind>,
    /// Scripts of its source that start it.
    #[serde(default)]
    scripts: Vec<String>,
    /// Whether options of the launcher may stand among the keys.
    #[serde(default)]
    launches: bool,
    /// Keys that count in some modes of it only.
    #[serde(default)]
    pub modes: Vec<Mode>,
    /// The option of its command that says how many processes it starts; those of one machine, unless `num_machines` is given.
    #[serde(default)]
    pub processes_option: Option<String>,
    /// Options with which that one says nothing: `cloud`, or `launcher=python` for a value.
    #[serde(default)]
    pub processes_unless: Vec<String>,
    marks: Vec<Marks>,
}

/// A key that a program sets itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Implied {
    /// The key.
    pub key: String,
    /// Its value, as a Python expression.
    pub value: String,
    /// When, as an expression over the keys.
    pub when: String,
}

/// Keys that count only where something holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// When, as an expression over the keys.
    pub when: String,
    /// Classes whose fields they are.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Others.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// A kind of data set, or a key of one, that some releases refuse or do not look at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataKind {
    #[serde(rename = "in", default)]
    releases: String,
    /// The key of a data set.
    pub key: String,
    /// How the kind of the data set begins.
    #[serde(default)]
    begins: Option<String>,
    /// How it does not.
    #[serde(default)]
    except: Option<String>,
    /// What the program raises; `None`: it does not look at the key.
    #[serde(default)]
    pub raises: Option<String>,
    /// What it says then.
    #[serde(default)]
    pub says: Option<String>,
    /// What to write instead.
    pub instead: String,
}

impl DataKind {
    /// Whether it is so in a release.
    pub fn is_in(&self, package: &Package, release: usize) -> bool {
        is_in(&self.releases, package, release)
    }

    /// Whether it is about data sets of a kind.
    pub fn is_meant(&self, kind: &str) -> bool {
        let begins = |with: &Option<String>| with.as_ref().map(|with| kind.starts_with(with.as_str()));
        begins(&self.begins) != Some(false) && begins(&self.except) != Some(true)
    }
}

/// A key that does nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointless {
    /// The key.
    pub key: String,
    /// When, as an expression over the keys.
    pub when: String,
    /// Why.
    pub why: String,
}

/// A check of what is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    #[serde(rename = "in", default)]
    releases: String,
    guard: Guard,
}

/// Keys whose values nobody looks at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unread {
    #[serde(rename = "in", default)]
    releases: String,
    keys: Vec<String>,
}

/// The class that the items of a list become.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    #[serde(rename = "in", default)]
    releases: String,
    /// The key of the list.
    pub key: String,
    /// When, as an expression over the keys.
    pub when: String,
    /// A key of an item and its value, which no item may have.
    #[serde(default)]
    pub without: Option<(String, String)>,
    /// The class, by its own name.
    pub class: String,
}

/// The classes that are filled, by release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Classes {
    #[serde(rename = "in", default)]
    releases: String,
    names: Vec<String>,
}

/// How files are read, by release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    #[serde(rename = "in", default)]
    releases: String,
    #[serde(rename = "as")]
    by: Reading,
}

/// What becomes of the values of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// As `yaml.safe_load` makes them, whatever the type of the field: `1e-5` is a string.
    SafeYaml,
    /// The same, but `1e-5` is a number.
    Omegaconf,
    /// pydantic converts them to the type of the field, or refuses them.
    Pydantic,
    /// They are words of a command line, which are converted to the type of the field, or refused.
    Words,
    /// As `TrlParser` makes them: a string becomes a number where the field is one.
    Trl,
    /// As `OmegaConf` merges them into dataclasses: they are converted to the type of the field, or refused, and `None` is refused where
    /// the type does not name it.
    Structured,
    /// There are no files: a parser of the program's own reads the words of its command line, whose options have one spelling each.
    Argparse,
}

/// Keys by which a file is known that no command names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marks {
    /// All of these.
    all: Vec<String>,
    /// At least `least` of these.
    any: Vec<String>,
    least: usize,
    /// At least one of these.
    one: Vec<String>,
    /// None of these.
    none: Vec<String>,
}

impl Consumer {
    /// All that are known.
    pub fn all() -> &'static [Self] {
        &FILE.consumers
    }

    /// The programs whose configuration is a Python file.
    pub fn trees() -> &'static [Tree] {
        &FILE.trees
    }

    /// The one that a command starts: `llamafactory-cli`, `train`.
    pub fn started_by(tool: &str, command: &str) -> Option<&'static Self> {
        let is_it = |written: &String| written.split_once(' ') == Some((tool, command));
        Self::all().iter().find(|consumer| consumer.commands.iter().any(is_it))
    }

    /// The one that `python -m MODULE` starts.
    pub fn started_as(module: &str) -> Option<&'static Self> {
        Self::all().iter().find(|consumer| consumer.modules.iter().any(|known| known == module))
    }

    /// The one that a script of its source starts: `src/train.py`.
    pub fn started_from(script: &str) -> Option<&'static Self> {
        let is_it = |known: &String| {
            script.strip_suffix(known.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        Self::all().iter().find(|consumer| consumer.scripts.iter().any(is_it))
    }

    /// The one whose file has keys like these, where no other one's may; a key below another has its name before it: `model.path`.
    pub fn of_keys(has: &dyn Fn(&str) -> bool) -> Option<&'static Self> {
        let mut found = Self::all().iter().filter(|consumer| consumer.marks.iter().any(|marks| marks.fit(has)));
        found.next().filter(|_| found.next().is_none())
    }

    /// The classes that a release fills; none where that is not known.
    pub fn classes(&self, package: &Package, release: usize) -> &[String] {
        let is_there = |one: &&Classes| is_in(&one.releases, package, release);
        self.classes.iter().find(is_there).map_or(&[], |one| &one.names)
    }

    /// The classes of every release.
    pub fn all_classes(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().flat_map(|one| &one.names).map(String::as_str)
    }

    /// What decides about the class of the items of a list.
    pub fn picks<'s>(&'s self, key: &'s str, package: &'s Package, release: usize) -> impl Iterator<Item = &'s Pick> {
        self.picks.iter().filter(move |pick| pick.key == key && is_in(&pick.releases, package, release))
    }

    /// The checks of what is given that are not mined.
    pub fn refused<'s>(&'s self, package: &'s Package, release: usize) -> impl Iterator<Item = &'s Guard> {
        let is_there = move |one: &&Refused| is_in(&one.releases, package, release);
        self.refused.iter().filter(is_there).map(|one| &one.guard)
    }

    /// Whether a release does not look at the value of a key.
    pub fn is_unread(&self, key: &str, package: &Package, release: usize) -> bool {
        let mut unread = self.unread.iter().filter(|one| is_in(&one.releases, package, release));
        unread.any(|one| one.keys.iter().any(|known| known == key))
    }

    /// The name that is meant below a key: `offload_params` for `fsdp_offload_params`.
    pub fn meant_below<'n>(&self, key: &str, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&**self.prefixed.get(key)?)
    }

    /// How a release reads a file.
    pub fn reading(&self, package: &Package, release: usize) -> Option<Reading> {
        let is_there = |one: &&Files| is_in(&one.releases, package, release);
        self.files.iter().find(is_there).map(|one| one.by)
    }

    /// Whether a parser of the program's own reads its command line, and nothing else.
    pub fn is_command_line(&self) -> bool {
        self.files.iter().all(|one| one.by == Reading::Argparse)
    }

    /// Whether options without a dot are for the program itself.
    pub fn keeps_plain_options(&self) -> bool {
        self.nested && !self.files.iter().any(|one| one.by == Reading::Pydantic)
    }

    /// Whether `${key}` may stand for any value of its files.
    pub fn interpolates(&self) -> bool {
        self.files.iter().any(|one| one.by == Reading::Structured)
    }

    /// The names that a key has in other releases, the next ones first.
    pub fn other_names<'s>(&'s self, key: &'s str) -> impl Iterator<Item = &'s str> {
        let renamed = FILE.renamed.get(&self.package).map_or(&[][..], Vec::as_slice);
        let new = renamed.iter().filter(move |(old, _)| old == key).map(|(_, new)| new.as_str());
        let old = renamed.iter().filter(move |(_, new)| new == key).map(|(old, _)| old.as_str());
        new.chain(old)
    }

    /// What is known of the runs that it starts.
    pub fn runs(&self) -> Option<&'static Runs> {
        FILE.runs.iter().find(|runs| runs.of.contains(&self.name))
    }

    /// Whether a key is for the program itself, or for its launcher.
    pub fn is_apart(&self, key: &str) -> bool {
        let launches = || self.launches && FILE.launcher_flags.iter().any(|flag| flag == key);
        self.apart.iter().any(|one| one == key) || launches()
    }
}

fn is_in(releases: &str, package: &Package, release: usize) -> bool {
    releases.is_empty() || package.releases_in(releases).contains(release)
}

impl Marks {
    fn fit(&self, has: &dyn Fn(&str) -> bool) -> bool {
        let has = |mark: &String| has(mark);
        self.all.iter().all(has)
            && self.one.iter().any(has)
            && !self.none.iter().any(has)
            && self.any.iter().filter(|mark| has(mark)).count() >= self.least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::{Knowledge, Takes};

    #[test]
    fn the_file_is_valid_and_names_what_is_known() {
        let file: File = serde_json::from_str(include_str!("../../schemas/consumers.json")).expect("the file is valid");
        assert_eq!(format!("{:?}", *FILE), format!("{file:?}"));
        let knowledge = Knowledge::bundled();
        for consumer in &file.consumers {
            let package = knowledge.package(&consumer.package).expect("its package is known");
            let newest = package.versions().len() - 1;
            let is_there = |release| !consumer.classes(package, release).is_empty();
            assert!(consumer.component.is_some() || package.all().iter().any(is_there), "{}", consumer.name);
            for release in package.all().iter() {
                let in_effect = |other: &str| {
                    let other = knowledge.package(other)?;
                    Some(if other.name() == package.name() { release } else { other.versions().len() - 1 })
                };
                for class in consumer.classes(package, release) {
                    let owner = knowledge.package(class.split('.').next().unwrap_or_default()).expect("it is known");
                    let at = in_effect(owner.name()).expect("it is known");
                    let crate::knowledge::Resolution::Definition(definition) = owner.resolve(class, at) else {
                        panic!("{} of {}: {class} is there", consumer.name, package.brief()[release].version);
                    };
                    let takes = knowledge.takes(owner, definition, "no_such_key", &in_effect);
                    assert_eq!(takes, Takes::Nothing, "{class} of {}", package.brief()[release].version);
                }
            }
            for mode in &consumer.modes {
                assert!(mode.classes.iter().all(|class| package.defines(class)), "{:?}", mode.classes);
                let has = |key: &str| {
                    let fills = |release: usize, class: &String| {
                        let signature = package.signature(class, release);
                        signature.is_some_and(|signature| signature.parameters.contains_key(key))
                    };
                    package.all().iter().any(|at| consumer.classes(package, at).iter().any(|class| fills(at, class)))
                };
                assert!(mode.keys.iter().all(|key| has(key)), "{:?}", mode.keys);
            }
            for check in &consumer.checks {
                assert!(!package.guards(check, newest).is_empty(), "{check}");
            }
        }
        let names: Vec<&String> = file.consumers.iter().map(|consumer| &consumer.name).collect();
        for runs in &file.runs {
            assert!(runs.of.iter().all(|name| names.contains(&name)), "{:?}", runs.of);
        }
    }

    #[test]
    fn a_file_is_known_by_its_keys_or_by_none() {
        let of = |keys: &[&str]| Consumer::of_keys(&|key| keys.contains(&key)).map(|consumer| consumer.name.as_str());
        assert_eq!(
            of(&["model_name_or_path", "stage", "finetuning_type", "output_dir"]),
            Some("llamafactory-cli train")
        );
        assert_eq!(of(&["base_model", "datasets", "adapter", "sequence_len", "micro_batch_size"]), Some("axolotl"));
        assert_eq!(of(&["model_name_or_path", "output_dir", "use_peft", "stage", "template"]), None);
        assert_eq!(of(&["model_name_or_path", "output_dir", "beta"]), None, "a recipe of anyone");
        assert_eq!(Consumer::started_by("swift", "rlhf").map(|one| one.title.as_str()), Some("ms-swift"));
    }
}
