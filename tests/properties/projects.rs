//! A whole project is read, evaluated, judged, shown and mended, whatever is in it.
//!
//! A project is one text: each file begins after a line `=== path`, what stands before the first is `train.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dpo_lint::diagnostic::Applicability;
use dpo_lint::engine::driver::{self, Job, Report};
use dpo_lint::engine::repair::{self, Checked, Options, Recheck};
use dpo_lint::engine::settings::{Overrides, Settings};
use dpo_lint::engine::suppress;
use dpo_lint::knowledge::Knowledge;
use dpo_lint::output::{self, Rooted, Style};
use dpo_lint::source::{FileSystem, MemoryFileSystem, Sources};
use dpo_lint::syntax::{Format, edit};

use super::parsers::errors_and_comments;

/// Begins the line that names a file.
pub const HEADER: &str = "=== ";

/// Files beyond these are left out: a project is small so that many are tried.
const MOST_FILES: usize = 8;

/// More rounds than fixes of a small project could need.
const ROUNDS: usize = 60;

/// Evaluation, lowering and every rule: no panic, the same findings twice, each in a place that can be shown in every format.
pub fn checks(text: &str) {
    let project = Project::of(text);
    let (sources, report) = project.check(&project.disk());
    let (again, second) = project.check(&project.disk());
    assert_eq!(shown(&sources, &report), shown(&again, &second), "two checks of {text:?}");
    for finding in &report.findings {
        let labels = std::iter::once(&finding.primary).chain(&finding.related);
        for span in labels.map(|label| label.span) {
            let source = sources.get(span.file);
            assert!(source.text().get(span.range()).is_some(), "{}: {span:?} of {text:?}", finding.rule);
        }
        for fix in &finding.fixes {
            let mut by_file: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for edit in &fix.edits {
                by_file.entry(edit.span.file).or_default().push(edit.clone());
            }
            for (file, edits) in by_file {
                let source = sources.get(file);
                let result = edit::apply(source.text(), &edits);
                assert!(result.is_ok(), "{}: {result:?}: {edits:?} of {text:?}", finding.rule);
            }
        }
    }
    let folder = Path::new("/project");
    let rooted = Rooted { sources: &sources, folder, root: folder };
    let style = Style { colored: true, width: 80 };
    let mut out = Vec::new();
    output::write_text(&mut out, &report, &sources, folder, style).expect("text");
    output::write_sarif(&mut out, &report, rooted).expect("SARIF");
    output::write_json(&mut out, &report, &sources, folder).expect("JSON");
    output::write_github(&mut out, &report, rooted).expect("annotations");
}

/// Fixes, safe ones and all: they come to an end, break no file, lose no comment, and there is nothing left to do the second time. The
/// comments that `--add-ignore` writes break no file either.
pub fn repairs(text: &str) {
    let project = Project::of(text);
    for threshold in [Applicability::Safe, Applicability::Unsafe] {
        let disk = project.disk();
        let first = project.repair(&disk, threshold);
        assert!(!first.is_cut_short, "no end after {ROUNDS} rounds: {text:?}");
        for file in &first.files {
            unbroken(&file.path, &file.before, &file.after, text);
            disk.replace(&file.path, file.before.as_bytes(), file.after.as_bytes()).expect("as it was read");
        }
        let second = project.repair(&disk, threshold);
        let changed: Vec<_> = second.files.iter().map(|file| (&file.before, &file.after)).collect();
        assert!(changed.is_empty(), "fixed again: {changed:?} of {text:?}");
    }
    let (sources, report) = project.check(&project.disk());
    for file in suppress::add_comments(&report.findings, &sources, "known") {
        let errors = |text: &str| {
            let source = Sources::default().add(file.path.clone(), text);
            Format::of(&file.path).map_or(0, |format| errors_and_comments(&source, format).0)
        };
        assert!(errors(&file.after) <= errors(&file.before), "a comment breaks {:?}: {:?}", file.before, file.after);
    }
}

/// A file after its fixes has no syntax error that it did not have, and every comment except those for this tool.
fn unbroken(path: &Path, before: &str, after: &str, text: &str) {
    let Some(format) = Format::of(path) else { return };
    let view = |text: &str| errors_and_comments(&Sources::default().add(path.to_path_buf(), text), format);
    let ((errors, comments), (errors_after, mut left)) = (view(before), view(after));
    assert!(errors_after <= errors, "{} is broken by fixes: {after:?} of {text:?}", path.display());
    for comment in comments.iter().filter(|comment| !comment.contains("dpo-lint:")) {
        let at = left.iter().position(|other| other == comment);
        let at = at.unwrap_or_else(|| panic!("fixes lose {comment:?}: {after:?} of {text:?}"));
        left.swap_remove(at);
    }
}

struct Project {
    files: BTreeMap<PathBuf, String>,
    paths: Vec<PathBuf>,
    settings: Settings,
}

impl Project {
    fn of(text: &str) -> Self {
        let mut files = BTreeMap::new();
        let (mut path, mut body) = (PathBuf::from("train.py"), String::new());
        for line in text.split_inclusive('\n') {
            let Some(name) = line.strip_prefix(HEADER) else {
                body.push_str(line);
                continue;
            };
            keep(&mut files, std::mem::replace(&mut path, PathBuf::from(name.trim())), std::mem::take(&mut body));
        }
        keep(&mut files, path, body);
        let paths = files.keys().filter(|path| Format::of(path).is_some()).cloned().collect();
        Self { files, paths, settings: Settings::new(Path::new("/project"), None, &Overrides::default()) }
    }

    fn disk(&self) -> MemoryFileSystem {
        let disk = MemoryFileSystem::default();
        for (path, text) in &self.files {
            disk.insert(path, text.as_str());
        }
        disk
    }

    /// What the driver says, in which no bug of ours may be.
    fn check(&self, disk: &dyn FileSystem) -> (Sources, Report) {
        let sources = Sources::default();
        let report = driver::check(&Job {
            file_system: disk,
            sources: &sources,
            knowledge: Knowledge::bundled(),
            settings: &self.settings,
            files: &self.paths,
            commented: &self.paths,
            folder: Path::new("/project"),
            is_given: &|_| true,
            is_own: &|_| true,
            is_stopped: &|| false,
        });
        let bug = report.problems.iter().find(|problem| problem.message.starts_with("bug in dpo-lint"));
        assert!(bug.is_none(), "{bug:?} in {:?}", self.files);
        (sources, report)
    }

    fn repair(&self, disk: &dyn FileSystem, threshold: Applicability) -> repair::Repaired {
        let first = Recheck::check(self, disk);
        repair::repair(self, disk, first, Options { threshold, max_rounds: ROUNDS, ..Options::default() })
    }
}

impl Recheck for Project {
    fn check(&self, file_system: &dyn FileSystem) -> Checked {
        let (sources, report) = self.check(file_system);
        Checked { sources, findings: report.findings }
    }
}

/// Adds a file whose name is one.
fn keep(files: &mut BTreeMap<PathBuf, String>, path: PathBuf, body: String) {
    let is_name = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if is_name && !path.as_os_str().is_empty() && files.len() < MOST_FILES && !body.is_empty() {
        files.insert(path, body);
    }
}

/// The findings as they are told apart.
fn shown(sources: &Sources, report: &Report) -> Vec<String> {
    let mut out = Vec::new();
    output::write_concise(&mut out, report, sources, Path::new("/project")).expect("in memory");
    String::from_utf8_lossy(&out).lines().map(str::to_owned).collect()
}
