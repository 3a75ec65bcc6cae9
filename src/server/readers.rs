//! Who reads an argument file, and what its keys are there: the fields of a program's classes, or the flags of a script's parser.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::eval::FlagOwner;
use crate::knowledge::{Consumer, Knowledge, Package, Parameter};
use crate::lower::configuration::held;
use crate::lower::{Analysis, Releases, Timeline, fields, timelines};
use crate::model::Environment;
use crate::source::Sources;
use crate::syntax::Format;

/// The reader of a file.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    environment: Environment,
    by: By,
}

#[derive(Debug, Clone)]
enum By {
    Program(&'static Consumer),
    /// The flags of the script's parsers, and the library class that each is a field of.
    Script {
        path: PathBuf,
        flags: BTreeMap<String, Option<String>>,
    },
}

/// A key that a file may have.
pub(super) struct Key<'a> {
    pub name: String,
    /// `None`: the project itself declares it.
    pub parameter: Option<&'a Parameter>,
}

/// The readers of all argument files of a project, by path as it is shown.
pub(super) fn collect(analysis: &Analysis, sources: &Sources) -> BTreeMap<PathBuf, Reader> {
    let mut found = BTreeMap::new();
    for script in &analysis.scripts {
        for variant in script.variants.iter() {
            let places = variant.settings.iter().map(|setting| setting.origin).chain(variant.origin);
            for file in places.map(|place| place.file).collect::<std::collections::BTreeSet<_>>() {
                let path = sources.get(file).path().to_path_buf();
                if !is_argument_file(&path) || found.contains_key(&path) {
                    continue;
                }
                let owner = |owner: &FlagOwner| match owner {
                    FlagOwner::External(class) => Some(class.to_string()),
                    FlagOwner::Class(_) | FlagOwner::Parser => None,
                };
                let flags = script.trace.flags.iter().map(|flag| (flag.name.to_string(), owner(&flag.owner)));
                let by = By::Script { path: script.path.clone(), flags: flags.collect() };
                found.insert(path, Reader { environment: (*script.environment).clone(), by });
            }
        }
    }
    for configuration in analysis.configurations.iter().filter(|one| is_argument_file(&one.path)) {
        let environment = configuration.environment.clone();
        found.insert(configuration.path.clone(), Reader { environment, by: By::Program(configuration.consumer) });
    }
    found
}

/// Whether a file has keys that are completed and explained.
pub(super) fn is_argument_file(path: &Path) -> bool {
    matches!(Format::of(path), Some(Format::Yaml | Format::Json | Format::Jsonc))
}

impl Reader {
    /// The releases that it gets.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// What it is called: `LLaMA-Factory 0.9.3`, `train.py`.
    pub fn title(&self, knowledge: &Knowledge) -> String {
        match &self.by {
            By::Script { path, .. } => path.display().to_string(),
            By::Program(consumer) => match self.release(consumer, knowledge) {
                Some((package, release)) => format!("{} {}", consumer.title, package.brief()[release].version),
                None => consumer.title.clone(),
            },
        }
    }

    /// Every key that it knows below others, with the releases in effect.
    pub fn keys<'a>(&'a self, parents: &[&str], knowledge: &'a Knowledge) -> Vec<Key<'a>> {
        match &self.by {
            By::Script { .. } if !parents.is_empty() => Vec::new(),
            By::Script { flags, .. } => flags
                .iter()
                .filter_map(|(name, class)| {
                    let parameter = class.as_deref().map(|class| self.parameter(class, name, knowledge));
                    // A field that the release in effect lacks is none to write down.
                    (parameter != Some(None)).then(|| Key { name: name.clone(), parameter: parameter.flatten() })
                })
                .collect(),
            By::Program(consumer) => {
                let Some((package, release)) = self.release(consumer, knowledge) else { return Vec::new() };
                let at = Releases::new(knowledge, &self.environment, package, release);
                let classes = below(consumer.classes(package, release), parents, &at, package).into_iter();
                let signatures = classes.filter_map(|class| at.signature(class));
                let parameters = signatures.flat_map(|signature| signature.parameters);
                parameters.map(|(name, parameter)| Key { name: name.to_owned(), parameter: Some(parameter) }).collect()
            }
        }
    }

    /// What releases do with a key, and the class that it is a field of; `None` for one that no class of a library ever had.
    pub fn timelines<'a>(
        &'a self,
        parents: &[&str],
        key: &str,
        knowledge: &'a Knowledge,
    ) -> Option<(String, Vec<Timeline<'a>>)> {
        let classes: Vec<&str> = match &self.by {
            By::Script { .. } if !parents.is_empty() => Vec::new(),
            By::Script { flags, .. } => flags.get(key).and_then(Option::as_deref).into_iter().collect(),
            By::Program(consumer) if !parents.is_empty() => {
                let (package, release) = self.release(consumer, knowledge)?;
                let at = Releases::new(knowledge, &self.environment, package, release);
                below(consumer.classes(package, release), parents, &at, package)
            }
            By::Program(consumer) => {
                let now = self.release(consumer, knowledge);
                let now = now.map_or(&[][..], |(package, release)| consumer.classes(package, release));
                let all = consumer.all_classes().filter(|class| !now.iter().any(|one| one == class));
                now.iter().map(String::as_str).chain(all).collect()
            }
        };
        let class = classes.into_iter().find(|class| fields(class, knowledge).contains(key))?;
        Some((class.to_owned(), timelines(class, key, &self.environment, knowledge)))
    }

    fn release<'a>(&self, consumer: &Consumer, knowledge: &'a Knowledge) -> Option<(&'a Package, usize)> {
        let package = knowledge.package(&consumer.package)?;
        Some((package, self.environment.in_effect(package)?))
    }

    fn parameter<'a>(&'a self, class: &str, name: &str, knowledge: &'a Knowledge) -> Option<&'a Parameter> {
        let package = knowledge.package(class.split('.').next()?)?;
        let release = self.environment.in_effect(package)?;
        Releases::new(knowledge, &self.environment, package, release).parameter(class, name)
    }
}

/// The classes that are filled by what stands below keys.
fn below<'a>(classes: &'a [String], parents: &[&str], at: &Releases<'a>, package: &Package) -> Vec<&'a str> {
    let top = classes.iter().map(String::as_str).collect();
    parents.iter().fold(top, |classes: Vec<&str>, key| {
        let fields = classes.iter().filter_map(|class| at.parameter(class, key));
        fields.flat_map(|field| held(field, package)).collect()
    })
}
