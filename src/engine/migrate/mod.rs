//! Takes a project to other releases: code, argument files, launch lines and declarations, in memory.
//!
//! The rules know what does not fit a release and how to mend it, so a migration is a check with the wanted releases in
//! effect, and a repair that applies their unsafe fixes, too. Around it stand three steps of its own: positional arguments are
//! named while the releases that they were written for are still in effect, declarations are rewritten at the end, and what is
//! left is listed together with the defaults that are others now.

mod goal;
mod pins;
mod residue;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::driver::{self, Job, Report};
use super::repair::{self, AppliedFix, ChangedFile, Checked, Options, Recheck, RejectedFix, Repaired};
use crate::diagnostic::{Applicability, Diagnostic, Problem, Severity};
use crate::lower::Analysis;
use crate::rules::{self, Before, Drift};
use crate::source::{FileSystem, Overlay, Sources};

pub use goal::Goal;
pub use pins::KeptPin;

/// Rules whose findings are what a change of release brings about, however bad they are.
const ABOUT_RELEASES: &[&str] = &[
    "import-missing",
    "import-moved",
    "moved-argument",
    "removed-argument",
    "renamed-argument",
    "training-arguments-for-trl-trainer",
    "unknown-argument",
];

/// A change of argument may bring the next one to light: more rounds than a `--fix` needs.
const MAX_ROUNDS: usize = 30;

/// A project after its migration, nothing written yet.
#[derive(Debug, Default)]
pub struct Migrated {
    /// The files that changed, by path.
    pub files: Vec<ChangedFile>,
    /// What was done.
    pub applied: Vec<AppliedFix>,
    /// What could not be done, and why.
    pub rejected: Vec<RejectedFix>,
    /// What is wrong with the wanted releases after that.
    pub left: Vec<Diagnostic>,
    /// Declarations that do not let the wanted releases in.
    pub pins: Vec<KeptPin>,
    /// Other things that a reader should know, each a sentence.
    pub notes: Vec<String>,
    /// Defaults that are others now.
    pub drift: Vec<Drift>,
    /// What the tool could not do.
    pub problems: Vec<Problem>,
    /// The files that `left`, `pins` and `drift` point to.
    pub sources: Sources,
}

/// Takes a project to other releases.
pub fn migrate(job: &Job<'_>, goals: &[Goal]) -> Migrated {
    let targets: Vec<String> = goals.iter().map(Goal::requirement).collect();
    let (before, after) = (job.settings.for_migration(&[]), job.settings.for_migration(&targets));
    let mut project = Project { files: BTreeMap::new(), applied: Vec::new(), rejected: Vec::new() };
    let first = Job { settings: &before, ..*job };
    let (report, seen) =
        driver::survey(&first, |analysis| (reordered(&first, analysis, goals), environments(&first, analysis)));
    if !report.problems.is_empty() {
        return Migrated { problems: report.problems, ..Migrated::default() };
    }
    let (misplaced, old) = seen.unwrap_or_default();
    if !misplaced.is_empty() {
        let positional = |job: &Job<'_>| {
            let now = Job { settings: &before, ..*job };
            driver::survey(&now, |analysis| reordered(&now, analysis, goals)).1.unwrap_or_default()
        };
        project.play(job, &positional);
    }
    let due = |job: &Job<'_>| {
        let report = driver::check(&Job { settings: &after, ..*job });
        report.findings.iter().filter(|finding| is_due(finding, job)).cloned().collect()
    };
    project.play(job, &due);
    let pins = pins::rewrite(&first, &old, goals, &mut project);
    conclude(&Job { settings: &after, ..*job }, project, pins, goals, &old)
}

/// What the scripts and configurations that were asked about have.
fn environments(job: &Job<'_>, analysis: &Analysis) -> Before {
    let mut all = Before::of(analysis);
    let is_given = |path: &PathBuf| (job.is_given)(&job.folder.join(path));
    all.scripts.retain(|path, _| is_given(path));
    all.configurations.retain(|(path, _), _| is_given(path));
    all
}

/// Whether a finding is to be mended: an error with the wanted releases, or something that a change of release brings about.
fn is_due(finding: &Diagnostic, job: &Job<'_>) -> bool {
    let is_in_effect = finding.versions.iter().all(|scope| {
        let Some(package) = job.knowledge.package(&scope.package) else { return true };
        let release = scope.in_effect.as_ref().and_then(|version| package.index_of(&version.parse().ok()?));
        release.is_some_and(|release| package.releases_in(&scope.affected.join(", ")).contains(release))
    });
    is_in_effect && (finding.severity == Severity::Error || ABOUT_RELEASES.contains(&finding.rule))
}

/// Positional arguments whose parameters stand in another order with the wanted releases, as findings with fixes.
fn reordered(job: &Job<'_>, analysis: &Analysis, goals: &[Goal]) -> Vec<Diagnostic> {
    let context = rules::Context::new(&driver::request(job));
    let calls = rules::calls(analysis, &context);
    let target = |package: &str| goals.iter().find(|goal| goal.package() == package).and_then(Goal::release);
    let found = rules::reordered(analysis, &calls, &target);
    found.into_iter().filter(|finding| is_given(finding, job)).collect()
}

fn is_given(finding: &Diagnostic, job: &Job<'_>) -> bool {
    (job.is_given)(&job.folder.join(job.sources.get(finding.primary.span.file).path()))
}

/// What is left, and what a reader should know of the result.
fn conclude(job: &Job<'_>, project: Project, pins: Vec<KeptPin>, goals: &[Goal], before: &Before) -> Migrated {
    let overlay = project.overlay(job.file_system);
    let sources = Sources::default();
    let last = Job { file_system: &overlay, sources: &sources, ..*job };
    let (report, seen) = driver::check_and(&last, |analysis| {
        let notes = residue::notes(&last, goals, environments(&last, analysis).all());
        (residue::drift(&last, analysis, before), notes)
    });
    let Report { findings, problems, .. } = report;
    let mut left: Vec<Diagnostic> = findings.into_iter().filter(|finding| is_due(finding, &last)).collect();
    let ((drift, changed), notes) = seen.unwrap_or_default();
    left.extend(changed);
    let files = project.files.into_iter().map(|(path, (before, after))| ChangedFile { path, before, after });
    Migrated {
        files: files.filter(|file| file.before != file.after).collect(),
        applied: project.applied,
        rejected: project.rejected,
        left,
        pins,
        notes,
        drift,
        problems,
        sources,
    }
}

/// The project between two steps.
struct Project {
    /// Changed files: as they were on the disk, and as they are now.
    files: BTreeMap<PathBuf, (Arc<str>, Arc<str>)>,
    applied: Vec<AppliedFix>,
    rejected: Vec<RejectedFix>,
}

impl Project {
    /// The disk with the changes so far.
    fn overlay<'a>(&self, disk: &'a dyn FileSystem) -> Overlay<'a> {
        let overlay = Overlay::new(disk);
        for (path, (_, after)) in &self.files {
            overlay.insert(path, after.as_bytes());
        }
        overlay
    }

    /// Repairs what `find` finds until nothing is left that can be repaired.
    fn play(&mut self, job: &Job<'_>, find: &dyn Fn(&Job<'_>) -> Vec<Diagnostic>) {
        let overlay = self.overlay(job.file_system);
        let step = Step { job, find };
        let options = Options { threshold: Applicability::Unsafe, max_rounds: MAX_ROUNDS, may_reveal: true };
        let first = step.check(&overlay);
        let Repaired { files, applied, rejected, .. } = repair::repair(&step, &overlay, first, options);
        self.applied.extend(applied);
        self.rejected.extend(rejected);
        for file in files {
            self.change(file.path, file.before, file.after);
        }
    }

    fn change(&mut self, path: PathBuf, before: Arc<str>, after: Arc<str>) {
        let entry = self.files.entry(path).or_insert_with(|| (Arc::clone(&before), before));
        entry.1 = after;
    }
}

/// One step of a migration, asked again after every round.
struct Step<'a> {
    job: &'a Job<'a>,
    find: &'a dyn Fn(&Job<'_>) -> Vec<Diagnostic>,
}

impl Recheck for Step<'_> {
    fn check(&self, file_system: &dyn FileSystem) -> Checked {
        let sources = Sources::default();
        let findings = (self.find)(&Job { file_system, sources: &sources, ..*self.job });
        Checked { sources, findings }
    }
}
