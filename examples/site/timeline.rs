//! What a rule says of its own example in every release of a library, as a picture.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dpo_lint::diagnostic::{Diagnostic, Severity};
use dpo_lint::engine::driver::{self, Job};
use dpo_lint::engine::settings::{Overrides, Settings};
use dpo_lint::knowledge::Knowledge;
use dpo_lint::rules::RuleMeta;
use dpo_lint::rules::page::{Example, examples};
use dpo_lint::source::{MemoryFileSystem, Sources};

/// Units of the picture; it is scaled to the width of the page.
const WIDTH: usize = 760;
const BAR: usize = 26;
const MARGIN: usize = 4;
/// Names of releases nearer to each other than this are left out.
const NEAREST: usize = 52;

/// Releases in a row of which the rule says the same.
struct Run {
    first: usize,
    count: usize,
    severity: Option<Severity>,
}

/// The picture as SVG; `None` where the releases of no library decide what the rule says.
pub(crate) fn of(meta: &RuleMeta) -> Option<String> {
    let example = examples(meta.page).into_iter().find(|example| example.kind == "bad")?;
    let found = lint(meta, &example, &[]);
    let names = found.iter().flat_map(|finding| &finding.versions).map(|scope| scope.package.clone());
    let package = names.into_iter().find_map(|name| Knowledge::bundled().package(&name))?;
    let said = |version: &str| {
        let target = format!("{}=={version}", package.name());
        lint(meta, &example, &[target]).iter().map(|finding| finding.severity).max()
    };
    let versions: Vec<String> = package.versions().iter().map(ToString::to_string).collect();
    let said: Vec<Option<Severity>> = versions.iter().map(|version| said(version)).collect();
    let runs = runs(&said);
    (runs.len() > 1).then(|| draw(package.name(), &versions, &runs))
}

fn runs(said: &[Option<Severity>]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (release, severity) in said.iter().enumerate() {
        match runs.last_mut().filter(|run| run.severity == *severity) {
            Some(run) => run.count += 1,
            None => runs.push(Run { first: release, count: 1, severity: *severity }),
        }
    }
    runs
}

/// What the rule alone finds in the example, with these releases in effect.
fn lint(meta: &RuleMeta, example: &Example<'_>, targets: &[String]) -> Vec<Diagnostic> {
    let folder = Path::new("/project");
    let disk = MemoryFileSystem::default();
    for (path, text) in &example.files {
        disk.insert(folder.join(path), text.as_str());
    }
    let mut files: Vec<PathBuf> = example.files.iter().map(|(path, _)| folder.join(path)).collect();
    files.sort();
    let overrides = Overrides {
        select: meta.name.parse().ok().map(|rule| vec![rule]),
        targets: targets.iter().filter_map(|target| target.parse().ok()).collect(),
        ..Overrides::default()
    };
    let sources = Sources::default();
    let report = driver::check(&Job {
        file_system: &disk,
        sources: &sources,
        knowledge: Knowledge::bundled(),
        settings: &Settings::new(folder, None, &overrides),
        files: &files,
        commented: &[],
        folder,
        is_given: &|_| true,
        is_own: &|_| true,
        is_stopped: &|| false,
    });
    report.findings.into_iter().filter(|finding| finding.rule == meta.name).collect()
}

fn draw(package: &str, versions: &[String], runs: &[Run]) -> String {
    let inner = WIDTH - 2 * MARGIN;
    let at = |release: usize| MARGIN + release * inner / versions.len();
    let mut bars = String::new();
    let mut names = String::new();
    let mut last_name = None;
    let mut spoken = Vec::new();
    for run in runs {
        let (left, right) = (at(run.first), at(run.first + run.count));
        let (first, last) = (&versions[run.first], &versions[run.first + run.count - 1]);
        let (class, word) = look(run.severity);
        let range = if first == last { first.clone() } else { format!("{first} to {last}") };
        let width = right - left;
        _ = write!(
            bars,
            r#"<rect class="{class}" x="{left}" y="18" width="{width}" height="{BAR}"><title>{package} {range}: {word}</title></rect>"#
        );
        if width > 9 * word.len() {
            let middle = left + width / 2;
            _ = write!(bars, r#"<text class="on" x="{middle}" y="35" text-anchor="middle">{word}</text>"#);
        }
        if last_name.is_none_or(|last| left >= last + NEAREST) {
            _ = write!(names, r#"<text x="{left}" y="60">{first}</text>"#);
            last_name = Some(left);
        }
        spoken.push(format!("{range}: {word}"));
    }
    let newest = versions.last().map_or("", String::as_str);
    let spoken = spoken.join("; ");
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 66" role="img" aria-label="{package} {spoken}">
<style>text{{font:12px sans-serif;fill:#666}}.on{{fill:#fff}}.silent{{fill:#2e7d4f}}.info{{fill:#3a6ea5}}.warning{{fill:#b26a00}}.error{{fill:#b3261e}}</style>
<text x="{MARGIN}" y="12">{package}, every release up to {newest}</text>{bars}{names}
</svg>
"#
    )
}

/// The class and the word of what a rule says.
fn look(severity: Option<Severity>) -> (&'static str, &'static str) {
    match severity {
        None => ("silent", "nothing"),
        Some(Severity::Info) => ("info", "info"),
        Some(Severity::Warning) => ("warning", "warning"),
        Some(Severity::Error) => ("error", "error"),
    }
}
