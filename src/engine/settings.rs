//! What the user decided: the configuration file and the command line, merged.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use pep440_rs::Version;

use super::catalogue::{Selector, catalogue};
use super::collect::absolute;
use super::config::Config;
use crate::diagnostic::Severity;
use crate::model::Choice;
use crate::rules::RuleMeta;

/// Folders that hold no code of the project.
pub const DEFAULT_EXCLUDE: &[&str] = &[
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".hg",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".pixi",
    ".pytest_cache",
    ".pytype",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    "__pycache__",
    "__pypackages__",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
    "wandb",
];

/// The mildest severity that is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOn {
    /// Errors fail.
    #[default]
    Error,
    /// Warnings and errors fail.
    Warning,
    /// Every finding fails.
    Info,
    /// No finding fails.
    Never,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputFormat {
    /// Snippets for people.
    #[default]
    Text,
    /// A line per finding.
    Concise,
    /// `schemas/report.schema.json`.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
    /// Code quality report of GitLab.
    Gitlab,
    /// Test results.
    Junit,
}

/// What the configuration makes of a rule's severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeverityOverride {
    /// Reported as this.
    As(Severity),
    /// Not reported.
    Off,
}

impl FailOn {
    /// Names in configuration files and on the command line.
    pub const NAMES: &[(&str, Self)] =
        &[("error", Self::Error), ("warning", Self::Warning), ("info", Self::Info), ("never", Self::Never)];

    /// Whether a finding of this severity is a failure.
    pub fn fails(self, severity: Severity) -> bool {
        match self {
            Self::Error => severity >= Severity::Error,
            Self::Warning => severity >= Severity::Warning,
            Self::Info => true,
            Self::Never => false,
        }
    }
}

impl OutputFormat {
    /// Names in configuration files and on the command line.
    pub const NAMES: &[(&str, Self)] = &[
        ("text", Self::Text),
        ("concise", Self::Concise),
        ("json", Self::Json),
        ("sarif", Self::Sarif),
        ("github", Self::Github),
        ("gitlab", Self::Gitlab),
        ("junit", Self::Junit),
    ];

    /// Whether a person reads it: only then is there a last line that sums up.
    pub fn is_for_people(self) -> bool {
        matches!(self, Self::Text | Self::Concise)
    }
}

impl SeverityOverride {
    /// Names in configuration files.
    pub const NAMES: &[(&str, Self)] = &[
        ("error", Self::As(Severity::Error)),
        ("warning", Self::As(Severity::Warning)),
        ("info", Self::As(Severity::Info)),
        ("off", Self::Off),
    ];
}

/// A release that the user asks for: `trl==0.12.2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(String);

impl Target {
    /// As written, blanks removed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not of the form `package==version`, for example `trl==0.12.2`");
        let (package, version) = text.split_once("==").ok_or_else(wrong)?;
        let (package, version) = (package.trim(), version.trim());
        let named = package.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && !package.is_empty();
        let parsed = Version::from_str(version).map_err(|error| format!("`{version}` is not a version: {error}"))?;
        if named { Ok(Self(format!("{package}=={parsed}"))) } else { Err(wrong()) }
    }
}

/// What the command line says over the configuration file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--select`
    pub select: Option<Vec<Selector>>,
    /// `--extend-select`
    pub extend_select: Vec<Selector>,
    /// `--ignore`
    pub ignore: Vec<Selector>,
    /// `--exclude`
    pub exclude: Option<Vec<String>>,
    /// `--extend-exclude`
    pub extend_exclude: Vec<String>,
    /// `--target`
    pub targets: Vec<Target>,
    /// `--python`
    pub python: Option<PathBuf>,
    /// `--resolution`, `--as-of`
    pub choice: Choice,
    /// `--baseline`
    pub baseline: Option<PathBuf>,
    /// `--fail-on`
    pub fail_on: Option<FailOn>,
    /// `--output-format`
    pub output_format: Option<OutputFormat>,
}

/// Everything that a run obeys.
#[derive(Debug, Clone)]
pub struct Settings {
    enabled: Vec<&'static RuleMeta>,
    /// What the configuration makes of severities.
    pub severity: Vec<(Selector, SeverityOverride)>,
    /// Patterns as written, and what is ignored there.
    pub per_file_ignores: Vec<(String, Gitignore, Vec<Selector>)>,
    /// All patterns of files and folders that are left out, as written.
    pub excluded: Vec<String>,
    exclude: Gitignore,
    extend_exclude: Vec<Gitignore>,
    /// Whether a pattern of these can match anything but a folder.
    excludes_files: bool,
    /// Releases the user asked for: `trl==0.12.2`.
    pub targets: Vec<String>,
    /// The interpreter or environment whose releases count.
    pub python: Option<PathBuf>,
    /// Which releases an installer is taken to choose.
    pub choice: Choice,
    /// The file of findings that are known; absolute.
    pub baseline: Option<PathBuf>,
    /// What fails.
    pub fail_on: FailOn,
    /// How findings are written.
    pub output_format: OutputFormat,
}

/// Whether a pattern can be used; the reason why not.
pub fn check_pattern(pattern: &str) -> Result<(), String> {
    GitignoreBuilder::new("").add_line(None, pattern).map(|_| ()).map_err(|error| error.to_string())
}

impl Settings {
    /// Merges a configuration with the command line, which wins. `folder` is what patterns of the command line are
    /// relative to.
    pub fn new(folder: &Path, config: Option<&Config>, overrides: &Overrides) -> Self {
        let empty = Config::default();
        let found = config.unwrap_or(&empty);
        let config_folder = match config {
            Some(config) => config.path.parent().unwrap_or(folder),
            None => folder,
        };
        let defaults = || DEFAULT_EXCLUDE.iter().map(|name| format!("{name}/")).collect::<Vec<_>>();
        let (exclude_folder, exclude) = match (&overrides.exclude, &found.exclude) {
            (Some(patterns), _) => (folder, patterns.clone()),
            (None, Some(patterns)) => (config_folder, patterns.clone()),
            (None, None) => (folder, defaults()),
        };
        let ignores = |(pattern, rules): &(String, Vec<Selector>)| {
            (pattern.clone(), matcher(config_folder, std::slice::from_ref(pattern)), rules.clone())
        };
        let patterns = exclude.iter().chain(&found.extend_exclude).chain(&overrides.extend_exclude);
        let excluded: Vec<String> = patterns.cloned().collect();
        let excludes_files = excluded.iter().any(|pattern| !pattern.ends_with('/'));
        let targets = if overrides.targets.is_empty() { &found.targets } else { &overrides.targets };
        Self {
            enabled: enabled(found, overrides),
            severity: found.severity.clone(),
            per_file_ignores: found.per_file_ignores.iter().map(ignores).collect(),
            excluded,
            exclude: matcher(exclude_folder, &exclude),
            extend_exclude: vec![
                matcher(config_folder, &found.extend_exclude),
                matcher(folder, &overrides.extend_exclude),
            ],
            excludes_files,
            targets: targets.iter().map(|target| target.as_str().to_owned()).collect(),
            python: overrides.python.clone().or_else(|| found.python.clone()),
            choice: overrides.choice.clone(),
            baseline: overrides.baseline.as_ref().or(found.baseline.as_ref()).map(|path| absolute(folder, path)),
            fail_on: overrides.fail_on.or(found.fail_on).unwrap_or_default(),
            output_format: overrides.output_format.or(found.output_format).unwrap_or_default(),
        }
    }

    /// The same with every rule at its own severity, and these releases asked for: what a project is rewritten by.
    #[must_use]
    pub fn for_migration(&self, targets: &[String]) -> Self {
        let given = |target: &String| {
            let package = target.split("==").next();
            targets.iter().any(|goal| goal.split("==").next() == package)
        };
        let kept = self.targets.iter().filter(|target| !given(target)).cloned();
        let targets = kept.chain(targets.iter().cloned()).collect();
        let enabled = catalogue().into_iter().filter(|meta| !meta.is_opt_in).collect();
        Self { enabled, severity: Vec::new(), targets, ..self.clone() }
    }

    /// Whether the rule runs at all.
    pub fn is_enabled(&self, name: &str) -> bool {
        self.enabled.iter().any(|meta| meta.name == name)
    }

    /// The severity that a finding of this rule is reported with in this file (absolute path); `None`: not at all.
    pub fn severity(&self, name: &str, severity: Severity, path: &Path) -> Option<Severity> {
        let meta = *self.enabled.iter().find(|meta| meta.name == name)?;
        let ignored = |(_, matcher, rules): &(String, Gitignore, Vec<Selector>)| {
            is_match(matcher, path, false) && rules.iter().any(|rule| rule.matches(meta))
        };
        if self.per_file_ignores.iter().any(ignored) {
            return None;
        }
        let matching = self.severity.iter().filter(|(selector, _)| selector.matches(meta));
        match matching.max_by_key(|(selector, _)| selector.specificity()) {
            None => Some(severity),
            Some((_, SeverityOverride::As(severity))) => Some(*severity),
            Some((_, SeverityOverride::Off)) => None,
        }
    }

    /// Whether the file or folder itself (absolute path) matches a pattern of `exclude` or `extend-exclude`.
    pub fn excludes(&self, path: &Path, is_dir: bool) -> bool {
        if !is_dir && !self.excludes_files {
            return false;
        }
        std::iter::once(&self.exclude).chain(&self.extend_exclude).any(|matcher| {
            !matcher.is_empty() && path.starts_with(matcher.path()) && matcher.matched(path, is_dir).is_ignore()
        })
    }

    /// Whether the path or a folder above it is excluded.
    pub fn excludes_with_parents(&self, path: &Path) -> bool {
        std::iter::once(&self.exclude).chain(&self.extend_exclude).any(|matcher| is_match(matcher, path, false))
    }
}

fn matcher(folder: &Path, patterns: &[String]) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    for pattern in patterns {
        // Patterns were checked by `check_pattern` when they were read.
        let _ = builder.add_line(None, pattern);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn is_match(matcher: &Gitignore, path: &Path, is_dir: bool) -> bool {
    !matcher.is_empty()
        && path.starts_with(matcher.path())
        && matcher.matched_path_or_any_parents(path, is_dir).is_ignore()
}

/// The rules that run. Of all selectors that match a rule the most specific one decides; among equals the command line
/// beats the file, then `ignore` beats `select`.
fn enabled(config: &Config, overrides: &Overrides) -> Vec<&'static RuleMeta> {
    const FILE: u8 = 0;
    const COMMAND_LINE: u8 = 1;
    let mut votes: Vec<(&Selector, u8, bool)> = Vec::new();
    match (&overrides.select, &config.select) {
        (Some(select), _) => votes.extend(select.iter().map(|selector| (selector, COMMAND_LINE, false))),
        (None, Some(select)) => votes.extend(select.iter().map(|selector| (selector, FILE, false))),
        (None, None) => votes.push((&Selector::All, FILE, false)),
    }
    votes.extend(config.extend_select.iter().map(|selector| (selector, FILE, false)));
    votes.extend(overrides.extend_select.iter().map(|selector| (selector, COMMAND_LINE, false)));
    votes.extend(config.ignore.iter().map(|selector| (selector, FILE, true)));
    votes.extend(overrides.ignore.iter().map(|selector| (selector, COMMAND_LINE, true)));
    let runs = |meta: &&'static RuleMeta| {
        let matching = votes.iter().filter(|(selector, ..)| selector.matches(meta));
        let decisive = matching.max_by_key(|(selector, layer, ignore)| (selector.specificity(), *layer, *ignore));
        // Nobody has selected what stands in no list.
        let is_default = overrides.select.is_none() && config.select.is_none();
        let by_default = |selector: &Selector| is_default && *selector == Selector::All && meta.is_opt_in;
        decisive.is_some_and(|(selector, _, ignore)| !ignore && !by_default(selector))
    };
    catalogue().into_iter().filter(runs).collect()
}
