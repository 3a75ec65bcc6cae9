//! Runs the analysis and the rules over one project and decides what is reported.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::settings::Settings;
use super::suppress;
use crate::diagnostic::{Diagnostic, Fix, Problem, Severity};
use crate::knowledge::Knowledge;
use crate::lower::{self, Analysis, Request};
use crate::model::{Environment, LibraryCall};
use crate::rules;
use crate::source::{FileSystem, Sources};
use crate::syntax::Edit;

/// What to check.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The disk.
    pub file_system: &'a dyn FileSystem,
    /// Where read files are kept.
    pub sources: &'a Sources,
    /// What is known of the libraries.
    pub knowledge: &'a Knowledge,
    /// What the user decided.
    pub settings: &'a Settings,
    /// The files of the project, sorted, as they are to be shown.
    pub files: &'a [PathBuf],
    /// Those of them that may hold suppression comments.
    pub commented: &'a [PathBuf],
    /// What relative paths are relative to; absolute.
    pub folder: &'a Path,
    /// Whether the user asked about a file (absolute path).
    pub is_given: &'a dyn Fn(&Path) -> bool,
    /// Whether a file (as it is shown) really stands in the project, where alone anything is changed: a link may lead anywhere, and
    /// a declaration may include what other projects use.
    pub is_own: &'a dyn Fn(&Path) -> bool,
    /// Whether nobody waits for the report any more: it may end early then, and is worth nothing.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What is wrong, sorted by path, place and rule.
    pub findings: Vec<Diagnostic>,
    /// The environment of each script that was asked about.
    pub environments: Vec<(PathBuf, Environment)>,
    /// What the tool could not do.
    pub problems: Vec<Problem>,
    /// How many files of a known format were looked at.
    pub looked_at: usize,
    /// How many fixes were applied before these findings were left.
    pub fixed: usize,
    /// How many findings were left out because the baseline knows them.
    pub known: usize,
    /// How many entries of the baseline no longer occur.
    pub outdated: usize,
    /// Whether a finding is bad enough to fail.
    pub failed: bool,
}

impl Report {
    /// Joins the reports of two projects; both must speak of the same [`Sources`].
    pub fn append(&mut self, mut other: Self, sources: &Sources) {
        self.findings.append(&mut other.findings);
        self.environments.append(&mut other.environments);
        self.problems.append(&mut other.problems);
        self.looked_at += other.looked_at;
        self.fixed += other.fixed;
        self.known += other.known;
        self.outdated += other.outdated;
        self.failed |= other.failed;
        sort(&mut self.findings, sources);
        self.environments.sort_by(|left, right| left.0.cmp(&right.0));
    }

    /// How many findings are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Checks one project.
pub fn check(job: &Job<'_>) -> Report {
    check_and(job, |_| ()).0
}

/// Reads a project and has a look at it; the report has environments and problems only.
pub fn survey<T>(job: &Job<'_>, look: impl FnOnce(&Analysis) -> T) -> (Report, Option<T>) {
    let mut report = Report::default();
    let Some(analysis) = guarded(&mut report.problems, "reading the project", || analyse(job)) else {
        return (report, None);
    };
    let seen = guarded(&mut report.problems, "looking at the project", || look(&analysis));
    report.problems.extend(analysis.problems);
    report.environments = analysis.environments;
    report.environments.retain(|(path, _)| (job.is_given)(&job.folder.join(path)));
    (report, seen)
}

/// Checks one project, and has a look at what was read for that.
pub fn check_and<T>(job: &Job<'_>, look: impl FnOnce(&Analysis) -> T) -> (Report, Option<T>) {
    let mut report = Report::default();
    let Some(analysis) = guarded(&mut report.problems, "reading the project", || analyse(job)) else {
        return (report, None);
    };
    let context = rules::Context::new(&request(job));
    let found = findings(job, &analysis, &context, &mut report.problems);
    let settled = found.into_iter().filter_map(|finding| settle(finding, job)).collect();
    report.findings = rules::without_consequences(settled);
    let seen = guarded(&mut report.problems, "looking at the project", || look(&analysis));
    report.problems.extend(analysis.problems);
    suppress_findings(job, &mut report);
    sort(&mut report.findings, job.sources);
    report.failed = report.findings.iter().any(|finding| job.settings.fail_on.fails(finding.severity));
    report.environments = analysis.environments;
    report.environments.retain(|(path, _)| (job.is_given)(&job.folder.join(path)));
    (report, seen)
}

/// What the rules find: about each call on its own, and about files. A place that is reached on several ways is reported once, at
/// its worst.
fn findings(
    job: &Job<'_>,
    analysis: &Analysis,
    context: &rules::Context<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Diagnostic> {
    type Found = Vec<Result<Vec<Diagnostic>, Problem>>;
    let enabled: Vec<_> = rules::all().iter().filter(|rule| job.settings.is_enabled(rule.meta().name)).collect();
    let each = |check: &dyn Fn(&dyn rules::Rule) -> Vec<Diagnostic>| -> Found {
        let what = |rule: &dyn rules::Rule| format!("the rule `{}`", rule.meta().name);
        enabled.iter().map(|rule| attempt(&what(**rule), || check(**rule))).collect()
    };
    let judged = rules::judged(analysis, context);
    let about_call = |call: &&LibraryCall| {
        let calls = rules::Call::about_each(call, context);
        if (job.is_stopped)() { Vec::new() } else { each(&|rule| rules::check_calls(rule, analysis, &calls)) }
    };
    let check_files = |rule: &dyn rules::Rule| {
        if (job.is_stopped)() { Vec::new() } else { rules::check_files(rule, analysis, context) }
    };
    let about_files = || each(&check_files);
    let about_calls = || lower::in_parallel(&judged, about_call);
    let (files, calls) =
        if judged.len() < 2 { (about_files(), about_calls()) } else { rayon::join(about_files, about_calls) };
    let mut by_rule = vec![Vec::new(); enabled.len()];
    for found in std::iter::once(files).chain(calls) {
        for (all, found) in by_rule.iter_mut().zip(found) {
            match found {
                Ok(found) => all.extend(found),
                Err(problem) if problems.contains(&problem) => {}
                Err(problem) => problems.push(problem),
            }
        }
    }
    by_rule.into_iter().flat_map(rules::join).collect()
}

/// Applies the comments. What they are wrong about is settled like every other finding.
fn suppress_findings(job: &Job<'_>, report: &mut Report) {
    // A file that cannot be read was reported by the analysis, if it matters.
    let read = |path: &PathBuf| job.sources.read(job.file_system, path).ok().map(|file| (path.clone(), file.id()));
    let files: Vec<_> = job.commented.iter().filter_map(read).collect();
    let is_complete = report.problems.is_empty();
    let mut findings = std::mem::take(&mut report.findings);
    let comments = guarded(&mut report.problems, "reading suppression comments", || {
        suppress::apply(&mut findings, job.sources, &files, job.settings, is_complete)
    });
    findings.extend(comments.into_iter().flatten().filter_map(|finding| settle(finding, job)));
    report.findings = findings;
}

/// The one file that a fix edits; `None` if there are several or none.
pub fn sole_file(fix: &Fix, sources: &Sources) -> Option<PathBuf> {
    let first = fix.edits.first()?.span.file;
    let is_sole = fix.edits.iter().all(|edit| edit.span.file == first);
    is_sole.then(|| sources.get(first).path().to_path_buf())
}

/// What the lowering layer finds in a project.
pub fn analyse(job: &Job<'_>) -> Analysis {
    lower::analyse(&request(job))
}

/// What a job asks the lowering layer and the rules to look at.
pub fn request<'a>(job: &Job<'a>) -> Request<'a> {
    Request {
        file_system: job.file_system,
        sources: job.sources,
        knowledge: job.knowledge,
        files: job.files,
        targets: &job.settings.targets,
        python: job.settings.python.as_deref(),
        choice: &job.settings.choice,
        is_stopped: job.is_stopped,
    }
}

/// The finding as it is reported: in a file that was asked about, with the severity that the user wants and fixes of the project
/// itself.
fn settle(mut finding: Diagnostic, job: &Job<'_>) -> Option<Diagnostic> {
    let path = |label: &crate::diagnostic::Label| job.folder.join(job.sources.get(label.span.file).path());
    let is_given = std::iter::once(&finding.primary).chain(&finding.related).any(|label| (job.is_given)(&path(label)));
    if !is_given {
        return None;
    }
    finding.severity = job.settings.severity(finding.rule, finding.severity, &path(&finding.primary))?;
    let is_own = |edit: &Edit| (job.is_own)(job.sources.get(edit.span.file).path());
    finding.fixes.retain(|fix| fix.edits.iter().all(is_own));
    Some(finding)
}

fn sort(findings: &mut [Diagnostic], sources: &Sources) {
    findings.sort_by_cached_key(|finding| {
        let span = finding.primary.span;
        (sources.get(span.file).path().to_path_buf(), span.start, span.end, finding.rule, finding.message.clone())
    });
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the place of a panic for [`check`]'s report instead of printing it. To be installed once, by the program.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        let text = format!("{}{place}", info.payload_as_str().unwrap_or("panic"));
        LAST_PANIC.with_borrow_mut(|last| *last = Some(text));
    }));
}

/// What the last panic on this thread said and where, once.
pub fn take_last_panic() -> Option<String> {
    LAST_PANIC.with_borrow_mut(Option::take)
}

/// Runs one part of the work. A panic in it is a mistake of ours: it becomes a problem, and the rest goes on.
fn guarded<T>(problems: &mut Vec<Problem>, what: &str, work: impl FnOnce() -> T) -> Option<T> {
    attempt(what, work).map_err(|problem| problems.push(problem)).ok()
}

fn attempt<T>(what: &str, work: impl FnOnce() -> T) -> Result<T, Problem> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let said = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = take_last_panic().or(said).or_else(|| payload.downcast_ref::<String>().cloned());
        Problem { message: bug(what, said.as_deref().unwrap_or("panic")), span: None }
    })
}

/// How a mistake of ours is reported.
pub fn bug(what: &str, said: &str) -> String {
    format!("bug in dpo-lint, not in your code: {what} failed ({said}); please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_nobody_waits_for_ends_before_scripts_are_evaluated() {
        let disk = crate::source::MemoryFileSystem::default();
        disk.insert("requirements.txt", "trl==0.16.0\n");
        disk.insert("train.py", "from trl import DPOTrainer\n\nDPOTrainer('model', no_such=1)\n");
        let files = [PathBuf::from("requirements.txt"), PathBuf::from("train.py")];
        let settings = Settings::new(Path::new("/"), None, &crate::engine::settings::Overrides::default());
        let check = |is_stopped: bool| {
            let job = Job {
                file_system: &disk,
                sources: &Sources::default(),
                knowledge: Knowledge::bundled(),
                settings: &settings,
                files: &files,
                commented: &[],
                folder: Path::new("/"),
                is_given: &|_| true,
                is_own: &|_| true,
                is_stopped: &|| is_stopped,
            };
            let calls = |analysis: &Analysis| analysis.calls.len();
            let (report, calls) = check_and(&job, calls);
            (report.findings.len(), calls)
        };
        assert_eq!(check(false), (1, Some(1)));
        assert_eq!(check(true), (0, Some(0)));
    }

    #[test]
    fn a_panic_is_our_bug_and_ends_only_its_part() {
        let mut problems = Vec::new();
        assert_eq!(guarded(&mut problems, "counting", || 1), Some(1));
        assert_eq!(guarded::<()>(&mut problems, "the rule `x`", || panic!("no such {}", "thing")), None);
        let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(
            messages,
            ["bug in dpo-lint, not in your code: the rule `x` failed (no such thing); please report it"]
        );
    }
}
