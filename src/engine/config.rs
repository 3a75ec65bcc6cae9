//! The tool's own configuration: `dpo-lint.toml`, or `[tool.dpo-lint]` in `pyproject.toml`.
//!
//! Every mistake in it has a span, and all mistakes are reported at once.

mod schema;

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::catalogue::Selector;
use super::settings::{FailOn, OutputFormat, SeverityOverride, Target};
use crate::source::did_you_mean;

pub use schema::schema;

/// A configuration file, read.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// `select`
    pub select: Option<Vec<Selector>>,
    /// `extend-select`
    pub extend_select: Vec<Selector>,
    /// `ignore`
    pub ignore: Vec<Selector>,
    /// `per-file-ignores`, in file order: a pattern and what is ignored there.
    pub per_file_ignores: Vec<(String, Vec<Selector>)>,
    /// `exclude`: replaces the default.
    pub exclude: Option<Vec<String>>,
    /// `extend-exclude`
    pub extend_exclude: Vec<String>,
    /// `target`
    pub targets: Vec<Target>,
    /// `python`, relative to the file's folder.
    pub python: Option<PathBuf>,
    /// `baseline`, relative to the file's folder.
    pub baseline: Option<PathBuf>,
    /// `fail-on`
    pub fail_on: Option<FailOn>,
    /// `severity`
    pub severity: Vec<(Selector, SeverityOverride)>,
    /// `output-format`
    pub output_format: Option<OutputFormat>,
}

/// A mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Where.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Why there is no configuration although there should be one.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file has mistakes; at least one.
    #[error("invalid configuration")]
    Invalid(Vec<ConfigError>),
}

/// The nearest configuration from `folder` upward, never past a folder with `.git`.
pub fn discover(folder: &Path) -> Result<Option<Config>, DiscoverError> {
    for folder in folder.ancestors() {
        let own = folder.join("dpo-lint.toml");
        if own.is_file() {
            return load(&own);
        }
        let project = folder.join("pyproject.toml");
        if project.is_file()
            && let Some(config) = load(&project)?
        {
            return Ok(Some(config));
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Ok(None)
}

/// Reads one file; `None` for a `pyproject.toml` without our table.
pub fn load(path: &Path) -> Result<Option<Config>, DiscoverError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| DiscoverError::Io { path: path.to_path_buf(), source })?;
    parse(path, &text).map_err(DiscoverError::Invalid)
}

/// Reads a configuration; `None` for a `pyproject.toml` without our table.
pub fn parse(path: &Path, text: &str) -> Result<Option<Config>, Vec<ConfigError>> {
    let mut reader = Reader { path, text, errors: Vec::new() };
    let is_project = path.file_name().is_some_and(|name| name == "pyproject.toml");
    if is_project && !text.contains("dpo-lint") {
        return Ok(None);
    }
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            reader.fail(error.span().unwrap_or(0..0), error.message().to_owned(), None);
            return Err(reader.errors);
        }
    };
    let table = if is_project {
        let tool = table.get_ref().get("tool").and_then(|tool| tool.get_ref().get("dpo-lint"));
        match tool.map(|ours| (ours.span(), ours.get_ref())) {
            None => return Ok(None),
            Some((_, DeValue::Table(ours))) => ours,
            Some((span, other)) => {
                reader.fail(span, format!("`tool.dpo-lint` must be a table, found {}", kind(other)), None);
                return Err(reader.errors);
            }
        }
    } else {
        table.get_ref()
    };
    let config = reader.config(table);
    if reader.errors.is_empty() { Ok(Some(config)) } else { Err(reader.errors) }
}

/// A key of the configuration: how it is read, and what an editor is told about it.
struct Key {
    name: &'static str,
    about: &'static str,
    shape: Shape,
    read: fn(&mut Reader<'_>, &mut Config, &Item<'_>),
}

/// What the value of a key looks like.
enum Shape {
    /// A list of rules.
    Selectors,
    /// A list of patterns as in `.gitignore`.
    Patterns,
    /// `trl==0.12.2`, or a list of such.
    Targets,
    /// Any text: a path, a requirement.
    Text,
    /// One of some words.
    OneOf(fn() -> Vec<&'static str>),
    /// Patterns of files, and the rules that are ignored there.
    ByPattern,
    /// Rules, and one of some words for each.
    ByRule(fn() -> Vec<&'static str>),
}

/// Every key there is, in the order in which they are documented.
static KEYS: &[Key] = &[
    Key {
        name: "select",
        about: "Rules to run: names, codes, beginnings of codes, ALL. Without it all but those that run only if selected.",
        shape: Shape::Selectors,
        read: |reader, config, value| config.select = Some(reader.selectors(value)),
    },
    Key {
        name: "ignore",
        about: "Rules not to run.",
        shape: Shape::Selectors,
        read: |reader, config, value| config.ignore = reader.selectors(value),
    },
    Key {
        name: "extend-select",
        about: "Rules to run besides those selected.",
        shape: Shape::Selectors,
        read: |reader, config, value| config.extend_select = reader.selectors(value),
    },
    Key {
        name: "per-file-ignores",
        about: "Rules that are not reported in files that match a pattern.",
        shape: Shape::ByPattern,
        read: |reader, config, value| config.per_file_ignores = reader.per_file_ignores(value),
    },
    Key {
        name: "exclude",
        about: "Patterns of files and folders to leave out, instead of the default ones.",
        shape: Shape::Patterns,
        read: |reader, config, value| config.exclude = Some(reader.patterns(value)),
    },
    Key {
        name: "extend-exclude",
        about: "Patterns of files and folders to leave out as well.",
        shape: Shape::Patterns,
        read: |reader, config, value| config.extend_exclude = reader.patterns(value),
    },
    Key {
        name: "target",
        about: "Releases to judge by, whatever the project declares.",
        shape: Shape::Targets,
        read: |reader, config, value| config.targets = reader.targets(value),
    },
    Key {
        name: "python",
        about: "Judge by what is installed for this interpreter or in this virtual environment; relative to this file.",
        shape: Shape::Text,
        read: |reader, config, value| config.python = reader.path_beside(value),
    },
    Key {
        name: "baseline",
        about: "The file of findings that are known and not reported; relative to this file.",
        shape: Shape::Text,
        read: |reader, config, value| config.baseline = reader.path_beside(value),
    },
    Key {
        name: "fail-on",
        about: "The mildest severity that makes the exit code 1.",
        shape: Shape::OneOf(|| words(FailOn::NAMES)),
        read: |reader, config, value| config.fail_on = reader.one_of(value, FailOn::NAMES),
    },
    Key {
        name: "severity",
        about: "The severity with which rules are reported.",
        shape: Shape::ByRule(|| words(SeverityOverride::NAMES)),
        read: |reader, config, value| config.severity = reader.severity(value),
    },
    Key {
        name: "required-version",
        about: "The releases of dpo-lint that may check this project, as Cargo writes requirements.",
        shape: Shape::Text,
        read: |reader, _, value| reader.required_version(value),
    },
    Key {
        name: "output-format",
        about: "How findings are written.",
        shape: Shape::OneOf(|| words(OutputFormat::NAMES)),
        read: |reader, config, value| config.output_format = reader.one_of(value, OutputFormat::NAMES),
    },
];

fn words<T>(names: &[(&'static str, T)]) -> Vec<&'static str> {
    names.iter().map(|(name, _)| *name).collect()
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    errors: Vec<ConfigError>,
}

type Item<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn fail(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        let (path, text) = (self.path.to_path_buf(), self.text.to_owned());
        self.errors.push(ConfigError { path, text, span, message, help });
    }

    fn config(&mut self, table: &DeTable<'_>) -> Config {
        let mut config = Config { path: self.path.to_path_buf(), ..Config::default() };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            if let Some(known) = KEYS.iter().find(|known| known.name == name) {
                (known.read)(self, &mut config, value);
                continue;
            }
            let names = KEYS.iter().map(|known| known.name);
            let help = match did_you_mean(name, names.clone()) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => format!("the keys are {}", names.collect::<Vec<_>>().join(", ")),
            };
            self.fail(key.span(), format!("unknown key `{name}`"), Some(help));
        }
        config
    }

    fn string(&mut self, item: &Item<'_>) -> Option<String> {
        let found = item.get_ref().as_str().map(str::to_owned);
        if found.is_none() {
            self.fail(item.span(), format!("expected a string, found {}", kind(item.get_ref())), None);
        }
        found
    }

    /// A path that is relative to the folder of the configuration.
    fn path_beside(&mut self, item: &Item<'_>) -> Option<PathBuf> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        self.string(item).map(|path| folder.join(path))
    }

    /// A list of strings, each with its place.
    fn strings(&mut self, item: &Item<'_>) -> Vec<(Range<usize>, String)> {
        let Some(array) = item.get_ref().as_array() else {
            self.fail(item.span(), format!("expected a list of strings, found {}", kind(item.get_ref())), None);
            return Vec::new();
        };
        self.strings_of(array)
    }

    fn strings_of(&mut self, array: &DeArray<'_>) -> Vec<(Range<usize>, String)> {
        array.iter().filter_map(|item| self.string(item).map(|text| (item.span(), text))).collect()
    }

    fn selectors(&mut self, item: &Item<'_>) -> Vec<Selector> {
        let strings = self.strings(item);
        strings.into_iter().filter_map(|(span, text)| self.selector(span, &text)).collect()
    }

    fn selector(&mut self, span: Range<usize>, text: &str) -> Option<Selector> {
        let error = match text.parse::<Selector>() {
            Ok(selector) => return Some(selector),
            Err(error) => error,
        };
        let help = match error.similar {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => "`dpo-lint rules` lists them".to_owned(),
        };
        self.fail(span, error.to_string(), Some(help));
        None
    }

    fn patterns(&mut self, item: &Item<'_>) -> Vec<String> {
        let strings = self.strings(item);
        strings.into_iter().filter_map(|(span, text)| self.pattern(span, text)).collect()
    }

    fn pattern(&mut self, span: Range<usize>, text: String) -> Option<String> {
        match super::settings::check_pattern(&text) {
            Ok(()) => Some(text),
            Err(message) => {
                self.fail(span, format!("invalid pattern: {message}"), None);
                None
            }
        }
    }

    fn entries<'t>(&mut self, item: &'t Item<'_>, what: &str) -> Vec<(Range<usize>, String, &'t Item<'t>)> {
        let Some(table) = item.get_ref().as_table() else {
            self.fail(item.span(), format!("expected a table ({what}), found {}", kind(item.get_ref())), None);
            return Vec::new();
        };
        let entry = |(key, value): (&'t Spanned<_>, &'t Item<'t>)| {
            let key: &Spanned<std::borrow::Cow<'_, str>> = key;
            (key.span(), key.get_ref().to_string(), value)
        };
        let mut entries: Vec<_> = table.iter().map(entry).collect();
        entries.sort_by_key(|(span, ..)| span.start);
        entries
    }

    fn per_file_ignores(&mut self, item: &Item<'_>) -> Vec<(String, Vec<Selector>)> {
        let entries = self.entries(item, "pattern = rules");
        let mut ignores = Vec::new();
        for (span, key, value) in entries {
            let rules = self.selectors(value);
            ignores.extend(self.pattern(span, key).map(|pattern| (pattern, rules)));
        }
        ignores
    }

    fn severity(&mut self, item: &Item<'_>) -> Vec<(Selector, SeverityOverride)> {
        let entries = self.entries(item, "rule = severity");
        let mut overrides = Vec::new();
        for (span, key, value) in entries {
            let selector = self.selector(span, &key);
            overrides.extend(selector.zip(self.one_of(value, SeverityOverride::NAMES)));
        }
        overrides
    }

    fn targets(&mut self, item: &Item<'_>) -> Vec<Target> {
        let strings = match item.get_ref() {
            DeValue::String(text) => vec![(item.span(), text.to_string())],
            _ => self.strings(item),
        };
        let mut targets = Vec::new();
        for (span, text) in strings {
            match text.parse() {
                Ok(target) => targets.push(target),
                Err(error) => self.fail(span, error, None),
            }
        }
        targets
    }

    fn one_of<T: Copy>(&mut self, item: &Item<'_>, names: &[(&'static str, T)]) -> Option<T> {
        let text = self.string(item)?;
        if let Some((_, value)) = names.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let list = names.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let help = match did_you_mean(&text, names.iter().map(|(name, _)| *name)) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!("one of {list}"),
        };
        self.fail(item.span(), format!("unknown value `{text}`"), Some(help));
        None
    }

    fn required_version(&mut self, item: &Item<'_>) {
        let Some(text) = self.string(item) else { return };
        let ours = env!("CARGO_PKG_VERSION");
        match (semver::VersionReq::parse(&text), semver::Version::parse(ours)) {
            (Err(error), _) => self.fail(item.span(), format!("not a version requirement: {error}"), None),
            (Ok(required), Ok(ours)) if !required.matches(&ours) => {
                let help = "install a release of dpo-lint that the project accepts".to_owned();
                let message = format!("this project requires dpo-lint {required}, but this is dpo-lint {ours}");
                self.fail(item.span(), message, Some(help));
            }
            _ => {}
        }
    }
}

/// As a user of TOML calls it.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
