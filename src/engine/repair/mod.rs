//! Applies fixes until nothing is left to fix, and never leaves a project worse than it found it.
//!
//! Nothing is written here: every round works on files in memory, and [`write()`] puts the result on the disk at the end.
//! A round takes whole fixes that neither overlap nor touch, applies them, and checks the project again. A fix is taken
//! back if it adds a syntax error, loses a comment, brings a finding as bad as the one it mends (unless that is the next step
//! of the same repair), or does not mend it.

mod guard;
mod splice;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::{Applicability, Diagnostic, Fix, Severity};
use crate::source::{FileSystem, Overlay, Sources};

pub(in crate::engine) use guard::compare;
pub use splice::{as_its_lines_end, by_file, splice};
pub use write::{WriteError, write};

/// Checks the project as a file system shows it; given by the driver.
pub trait Recheck {
    /// The findings, and the files that their spans point to. The files must be read anew.
    fn check(&self, file_system: &dyn FileSystem) -> Checked;
}

/// Findings and what they point to.
#[derive(Debug, Default)]
pub struct Checked {
    /// The files that were read.
    pub sources: Sources,
    /// What is wrong.
    pub findings: Vec<Diagnostic>,
}

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The least safe fix to apply.
    pub threshold: Applicability,
    /// When to stop although there is more to fix.
    pub max_rounds: usize,
    /// Whether a fix may bring findings that were not there before: what a call is judged by changes step by step when it is
    /// taken to another release.
    pub may_reveal: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { threshold: Applicability::Safe, max_rounds: 10, may_reveal: false }
    }
}

/// A file before and after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedFile {
    /// Its path.
    pub path: PathBuf,
    /// The text that was read.
    pub before: Arc<str>,
    /// The text to write.
    pub after: Arc<str>,
}

/// A fix that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedFix {
    /// The rule of the finding.
    pub rule: &'static str,
    /// The file of the finding.
    pub path: PathBuf,
    /// What the fix did.
    pub title: String,
    /// How safe it was.
    pub applicability: Applicability,
}

/// A fix that was tried and taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedFix {
    /// The rule of the finding.
    pub rule: &'static str,
    /// The file of the finding.
    pub path: PathBuf,
    /// What the fix would have done.
    pub title: String,
    /// Why it was not kept.
    pub reason: Rejection,
}

/// Why a fix is not kept. Each says so in words that stand after "not applied:".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Its edits overlap, or lie outside the file.
    #[error("its edits do not fit together")]
    Malformed,
    /// The file could be parsed better before.
    #[error("{} could not be parsed afterwards", .0.display())]
    SyntaxError(PathBuf),
    /// A comment would be gone.
    #[error("the comment `{0}` would be lost")]
    CommentLost(String),
    /// Something as bad would be wrong afterwards.
    #[error("it would bring another finding: {0}")]
    NewFinding(String),
    /// The finding would still be there.
    #[error("it does not mend the finding")]
    NoEffect,
    /// Fixes that are good each alone are not good together.
    #[error("it does not go together with another fix")]
    Conflict,
}

/// What came of it.
#[derive(Debug)]
pub struct Repaired {
    /// The files that changed, by path.
    pub files: Vec<ChangedFile>,
    /// The fixes that made the changes, in the order they were applied.
    pub applied: Vec<AppliedFix>,
    /// What is left, with the changed files.
    pub remaining: Checked,
    /// Fixes that were taken back.
    pub rejected: Vec<RejectedFix>,
    /// Whether the rounds ran out while there was something left to fix.
    pub is_cut_short: bool,
}

/// Applies the fixes of a project. `file_system` is the disk that `first` was found on; it is only read.
pub fn repair(recheck: &dyn Recheck, file_system: &dyn FileSystem, first: Checked, options: Options) -> Repaired {
    let mut state = State {
        recheck,
        file_system,
        may_reveal: options.may_reveal,
        files: BTreeMap::new(),
        rejected: BTreeMap::new(),
        checked: first,
    };
    let mut applied = Vec::new();
    let mut is_cut_short = false;
    for round in 0.. {
        let batch = choose(&state, options.threshold);
        if batch.is_empty() {
            break;
        }
        if round == options.max_rounds {
            is_cut_short = true;
            break;
        }
        applied.extend(state.play(&batch));
    }
    let files = state.files.into_iter().map(|(path, (before, after))| ChangedFile { path, before, after });
    Repaired {
        files: files.filter(|file| file.before != file.after).collect(),
        applied,
        remaining: state.checked,
        rejected: state.rejected.into_values().collect(),
        is_cut_short,
    }
}

/// A finding with the fix to try.
#[derive(Debug, Clone)]
struct Candidate {
    rule: &'static str,
    path: PathBuf,
    message: String,
    severity: Severity,
    fix: Fix,
}

/// What tells a finding from others when lines move: its rule, file and message.
type Identity = (&'static str, PathBuf, String);

/// What tells a fix from others when lines move.
type FixKey = (Identity, String, Vec<(PathBuf, String, String)>);

impl Candidate {
    fn identity(&self) -> Identity {
        (self.rule, self.path.clone(), self.message.clone())
    }

    fn key(&self, sources: &Sources) -> FixKey {
        let edit = |edit: &crate::syntax::Edit| {
            let source = sources.get(edit.span.file);
            (source.path().to_path_buf(), source.slice(edit.span).to_owned(), edit.text.clone())
        };
        (self.identity(), self.fix.title.clone(), self.fix.edits.iter().map(edit).collect())
    }
}

/// The project between two rounds.
struct State<'a> {
    recheck: &'a dyn Recheck,
    file_system: &'a dyn FileSystem,
    /// See [`Options::may_reveal`].
    may_reveal: bool,
    /// Changed files: as they were on the disk, and as they are now.
    files: BTreeMap<PathBuf, (Arc<str>, Arc<str>)>,
    rejected: BTreeMap<FixKey, RejectedFix>,
    checked: Checked,
}

/// A round that went well: the texts of the files it changed, and what is found then.
type Played = (BTreeMap<PathBuf, Arc<str>>, Checked);

/// The fixes of a round: the best acceptable one of each finding, by path, place and rule, those left out that overlap or
/// touch an earlier one.
fn choose(state: &State<'_>, threshold: Applicability) -> Vec<Candidate> {
    let sources = &state.checked.sources;
    let mut findings: Vec<&Diagnostic> = state.checked.findings.iter().collect();
    findings.sort_by_cached_key(|finding| {
        let span = finding.primary.span;
        (sources.get(span.file).path().to_path_buf(), span.start, span.end, finding.rule)
    });
    let mut batch: Vec<Candidate> = Vec::new();
    for finding in findings {
        let candidate = |fix: &Fix| Candidate {
            rule: finding.rule,
            path: sources.get(finding.primary.span.file).path().to_path_buf(),
            message: finding.message.clone(),
            severity: finding.severity,
            fix: fix.clone(),
        };
        let acceptable = finding.fixes.iter().filter(|fix| fix.applicability >= threshold && !fix.edits.is_empty());
        let fresh = acceptable.map(candidate).find(|candidate| !state.rejected.contains_key(&candidate.key(sources)));
        let Some(candidate) = fresh else { continue };
        let taken = batch.iter().flat_map(|earlier| &earlier.fix.edits);
        if !taken.clone().any(|old| candidate.fix.edits.iter().any(|new| old.span.touches(new.span))) {
            batch.push(candidate);
        }
    }
    batch
}

impl State<'_> {
    /// Plays a round and returns what was applied. If the fixes do not go well together, those that go well alone are
    /// kept; if even these do not, the first of them.
    fn play(&mut self, batch: &[Candidate]) -> Vec<AppliedFix> {
        let everything: Vec<&Candidate> = batch.iter().collect();
        if let Ok(played) = self.attempt(&everything) {
            return self.keep(&everything, played);
        }
        let mut good = Vec::new();
        let mut alone = None;
        for candidate in batch {
            match self.attempt(&[candidate]) {
                Ok(played) => {
                    good.push(candidate);
                    alone.get_or_insert((candidate, played));
                }
                Err(reason) => self.reject(candidate, reason),
            }
        }
        if good.len() > 1
            && let Ok(played) = self.attempt(&good)
        {
            return self.keep(&good, played);
        }
        match alone {
            // The others are tried again in the next round, on top of this one.
            Some((candidate, played)) => self.keep(&[candidate], played),
            None => Vec::new(),
        }
    }

    fn keep(&mut self, fixes: &[&Candidate], (texts, checked): Played) -> Vec<AppliedFix> {
        for (path, text) in texts {
            if let Some((_, after)) = self.files.get_mut(&path) {
                *after = text;
                continue;
            }
            let before = self.checked.sources.find(&path).map_or_else(|| "".into(), |file| file.text().into());
            self.files.insert(path, (before, text));
        }
        self.checked = checked;
        let applied = |fix: &&Candidate| AppliedFix {
            rule: fix.rule,
            path: fix.path.clone(),
            title: fix.fix.title.clone(),
            applicability: fix.fix.applicability,
        };
        fixes.iter().map(applied).collect()
    }

    fn reject(&mut self, fix: &Candidate, reason: Rejection) {
        let key = fix.key(&self.checked.sources);
        let rejected = RejectedFix { rule: fix.rule, path: fix.path.clone(), title: fix.fix.title.clone(), reason };
        self.rejected.insert(key, rejected);
    }

    /// Applies fixes to the project in memory and looks whether all is well.
    fn attempt(&self, fixes: &[&Candidate]) -> Result<Played, Rejection> {
        let sources = &self.checked.sources;
        let edits = fixes.iter().flat_map(|candidate| candidate.fix.edits.iter().cloned());
        let mut texts: BTreeMap<PathBuf, Arc<str>> = BTreeMap::new();
        for (file, edits) in splice::by_file(edits) {
            let source = sources.get(file);
            let after: Arc<str> = splice::splice(source.text(), edits).ok_or(Rejection::Malformed)?.into();
            guard::compare(source.path(), source.text(), &after)?;
            texts.insert(source.path().to_path_buf(), after);
        }
        let overlay = Overlay::new(self.file_system);
        let earlier = self.files.iter().map(|(path, (_, after))| (path, after));
        for (path, text) in earlier.chain(&texts) {
            overlay.insert(path, text.as_bytes());
        }
        let checked = self.recheck.check(&overlay);
        compare_findings(&self.checked, &checked, fixes, self.may_reveal)?;
        Ok((texts, checked))
    }
}

/// Whether the findings that were to go are gone, and no finding as bad as the mildest of them is new.
fn compare_findings(
    before: &Checked,
    after: &Checked,
    fixes: &[&Candidate],
    may_reveal: bool,
) -> Result<(), Rejection> {
    let mildest = fixes.iter().map(|fix| fix.severity).min().unwrap_or(Severity::Info);
    let (old, new) = (count(before), count(after));
    for (identity, (amount, severity)) in &new {
        let had = old.get(identity).map_or(0, |(amount, _)| *amount);
        if *amount > had && *severity >= mildest && !may_reveal && !is_left_by(identity.0, fixes) {
            return Err(Rejection::NewFinding(identity.2.clone()));
        }
    }
    let identities: BTreeSet<Identity> = fixes.iter().map(|fix| fix.identity()).collect();
    for identity in identities {
        let had = old.get(&identity).map_or(0, |(amount, _)| *amount);
        let has = new.get(&identity).map_or(0, |(amount, _)| *amount);
        let mended = fixes.iter().filter(|fix| fix.identity() == identity).count();
        if has + mended > had {
            return Err(Rejection::NoEffect);
        }
    }
    Ok(())
}

/// Whether a finding is one that these fixes are known to leave for the next round.
fn is_left_by(rule: &str, fixes: &[&Candidate]) -> bool {
    super::catalogue::find(rule).is_some_and(|meta| fixes.iter().any(|fix| meta.left_by.contains(&fix.rule)))
}

fn count(checked: &Checked) -> BTreeMap<Identity, (usize, Severity)> {
    let mut counts: BTreeMap<Identity, (usize, Severity)> = BTreeMap::new();
    for finding in &checked.findings {
        let file = checked.sources.get(finding.primary.span.file);
        let identity = (finding.rule, file.path().to_path_buf(), finding.message.clone());
        let entry = counts.entry(identity).or_insert((0, finding.severity));
        *entry = (entry.0 + 1, entry.1.max(finding.severity));
    }
    counts
}

#[cfg(test)]
mod tests;
