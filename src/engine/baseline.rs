//! A baseline: the findings that a project had when it took up the tool, which are not reported again.
//!
//! Entries are told by content ([`Content`]), never by line numbers, so that a baseline does not age when lines move. A line that
//! changes is a new finding: whoever touches it is asked to mend it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::catalogue;
use super::collect::{Project, absolute};
use super::content::{Content, Contents};
use super::driver::Report;
use super::settings::Settings;
use crate::source::{FileSystem, OsFileSystem, Sources};

const VERSION: u32 = 1;

/// How often each content is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    path: PathBuf,
    entries: BTreeMap<Content, usize>,
    /// What is on the disk.
    text: Option<String>,
}

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The system said no.
    #[error("cannot read the baseline {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("{path} is no baseline: {message}; `--write-baseline` writes one", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// It cannot be written.
    #[error("cannot write the baseline {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a run can say about the entries of a baseline: those of files and rules that it looked at.
pub struct Scope<'a> {
    /// The files of the report.
    pub sources: &'a Sources,
    /// What their paths are relative to; absolute.
    pub folder: &'a Path,
    /// What the user decided.
    pub settings: &'a Settings,
    /// What the user asked about.
    pub project: &'a Project,
}

/// How a baseline is rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Everything that is found is known from now on.
    Record,
    /// What is not found any more is forgotten.
    Prune,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    findings: Vec<StoredEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEntry {
    path: String,
    rule: String,
    text: String,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    count: usize,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

impl Baseline {
    /// Reads the file. Rules that were renamed since then are found under their present names.
    pub fn read(path: &Path) -> Result<Self, BaselineError> {
        let failed = |source| BaselineError::Read { path: path.to_path_buf(), source };
        let bytes = OsFileSystem.read(path).map_err(failed)?;
        let text = String::from_utf8(bytes).map_err(|_| failed(io::ErrorKind::InvalidData.into()))?;
        Self::parse(path, text)
    }

    /// The same, or an empty one where there is no file yet.
    pub fn read_or_new(path: &Path) -> Result<Self, BaselineError> {
        match Self::read(path) {
            Err(BaselineError::Read { source, path }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Self { path, ..Self::default() })
            }
            other => other,
        }
    }

    fn parse(path: &Path, text: String) -> Result<Self, BaselineError> {
        let invalid = |message: String| BaselineError::Invalid { path: path.to_path_buf(), message };
        let stored: Stored = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        if stored.version != VERSION {
            return Err(invalid(format!("its version is {}, this dpo-lint reads {VERSION}", stored.version)));
        }
        let mut entries = BTreeMap::new();
        for StoredEntry { path, rule, text, count } in stored.findings {
            let rule = catalogue::find(&rule).map_or(rule, |meta| meta.name.to_owned());
            *entries.entry(Content { path, rule, text }).or_default() += count;
        }
        Ok(Self { path: path.to_path_buf(), entries, text: Some(text) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many findings it knows.
    pub fn len(&self) -> usize {
        self.entries.values().sum()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Leaves out what is known, and counts it and the entries that no longer occur.
    pub fn leave_out(&self, report: &mut Report, scope: &Scope<'_>) {
        let (is_known, unused) = self.compare(report, scope);
        report.known = is_known.iter().filter(|known| **known).count();
        // What could not be read may hold what seems to be gone.
        if report.problems.is_empty() {
            report.outdated = unused.iter().filter(|(content, _)| self.is_seen(content, scope)).map(|(_, n)| n).sum();
        }
        let mut is_known = is_known.into_iter();
        report.findings.retain(|_| !is_known.next().unwrap_or(false));
        report.failed = report.findings.iter().any(|finding| scope.settings.fail_on.fails(finding.severity));
    }

    /// Takes the fixes from what is known: nobody asked to mend it.
    pub fn leave_unfixed(&self, report: &mut Report, scope: &Scope<'_>) {
        let (is_known, _) = self.compare(report, scope);
        for (finding, _) in report.findings.iter_mut().zip(is_known).filter(|(_, known)| *known) {
            finding.fixes.clear();
        }
    }

    /// The baseline after a run that left nothing out. Entries that the run could not see are kept.
    #[must_use]
    pub fn updated(&self, report: &Report, scope: &Scope<'_>, update: Update) -> Self {
        let mut found: BTreeMap<Content, usize> = BTreeMap::new();
        for (content, _) in self.contents(report, scope) {
            *found.entry(content).or_default() += 1;
        }
        let unseen = self.entries.iter().filter(|(content, _)| !self.is_seen(content, scope));
        let mut entries: BTreeMap<Content, usize> = unseen.map(|(content, count)| (content.clone(), *count)).collect();
        for (content, count) in found {
            let known = self.entries.get(&content).copied().unwrap_or_default();
            let count = if update == Update::Record { count } else { count.min(known) };
            if count > 0 {
                entries.insert(content, count);
            }
        }
        Self { path: self.path.clone(), entries, text: self.text.clone() }
    }

    /// Writes the file in one step.
    pub fn write(&self) -> Result<(), BaselineError> {
        let findings = self.entries.iter().map(|(content, count)| {
            let Content { path, rule, text } = content.clone();
            StoredEntry { path, rule, text, count: *count }
        });
        let stored = Stored { version: VERSION, findings: findings.collect() };
        let failed = |source| BaselineError::Write { path: self.path.clone(), source };
        let text = serde_json::to_string_pretty(&stored).map_err(|error| failed(error.into()))? + "\n";
        match &self.text {
            Some(before) => OsFileSystem.replace(&self.path, before.as_bytes(), text.as_bytes()).map_err(failed),
            // Of a link that leads nowhere nobody said that it may lead to a new file.
            None => File::create_new(&self.path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed),
        }
    }

    /// Which findings are known, and which entries are left over. Of equal findings the first ones are the known ones.
    fn compare(&self, report: &Report, scope: &Scope<'_>) -> (Vec<bool>, Vec<(Content, usize)>) {
        let mut left = self.entries.clone();
        let take = |(content, _): (Content, usize)| match left.get_mut(&content) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        };
        let is_known = self.contents(report, scope).into_iter().map(take).collect();
        (is_known, left.into_iter().filter(|(_, count)| *count > 0).collect())
    }

    fn contents(&self, report: &Report, scope: &Scope<'_>) -> Vec<(Content, usize)> {
        Contents::new(scope.sources, scope.folder, self.folder()).numbered(&report.findings)
    }

    /// Whether the run would have found it.
    fn is_seen(&self, content: &Content, scope: &Scope<'_>) -> bool {
        let path = absolute(self.folder(), Path::new(&content.path));
        // A rule that is gone finds nothing any more.
        let has_run = catalogue::find(&content.rule).is_none_or(|meta| scope.settings.is_enabled(meta.name));
        has_run && scope.project.is_given(&path)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}
