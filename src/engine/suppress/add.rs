//! Writes suppression comments for findings: where each is understood, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::view::View;
use super::{INVALID_SUPPRESSION, UNUSED_SUPPRESSION, suppressions};
use crate::diagnostic::Diagnostic;
use crate::engine::repair::{self, ChangedFile};
use crate::source::{FileId, Sources, Span};
use crate::syntax::Edit;

/// The files with comments for the findings in them. A finding whose file has no place for a comment is left as it is.
pub fn add_comments(findings: &[Diagnostic], sources: &Sources, reason: &str) -> Vec<ChangedFile> {
    let own = [UNUSED_SUPPRESSION.name, INVALID_SUPPRESSION.name];
    let mut by_file: BTreeMap<FileId, Vec<&Diagnostic>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| !own.contains(&finding.rule)) {
        by_file.entry(finding.primary.span.file).or_default().push(finding);
    }
    by_file.into_iter().filter_map(|(file, findings)| commented(file, &findings, sources, reason)).collect()
}

/// `None` where nothing could be added.
fn commented(file: FileId, findings: &[&Diagnostic], sources: &Sources, reason: &str) -> Option<ChangedFile> {
    let source = sources.get(file);
    let (path, before) = (source.path(), source.text());
    let views = View::all(path, &source);
    // Findings of the same line share a comment.
    let mut places: BTreeMap<(usize, Place), BTreeSet<&str>> = BTreeMap::new();
    for finding in findings {
        let place = |(index, view): (usize, &View)| {
            let is_understood = |place: &Place| is_understood(path, before, view, index, place);
            Some((index, Place::all(view, finding.primary.span).into_iter().find(is_understood)?))
        };
        if let Some(place) = views.iter().enumerate().find_map(place) {
            places.entry(place).or_default().insert(finding.rule);
        }
    }
    let edit = |((index, place), rules): (&(usize, Place), &BTreeSet<&str>)| {
        let rules = rules.iter().copied().collect::<Vec<_>>().join(", ");
        place.edit(&views[*index], &format!("# dpo-lint: ignore[{rules}] {reason}"))
    };
    let after = repair::splice(before, places.iter().map(edit).collect())?;
    let is_better = after != before && repair::compare(path, before, &after).is_ok();
    is_better.then(|| ChangedFile { path: path.to_path_buf(), before: before.into(), after: after.into() })
}

/// Where a comment may go, in bytes of a view's text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: usize,
    /// The line it then speaks of, from 0.
    line: usize,
    /// On a line of its own, indented like this; otherwise behind what is there.
    above: Option<String>,
}

impl Place {
    /// The best first: behind the line of the finding, behind another line of the statement, above the statement.
    fn all(view: &View, span: Span) -> Vec<Self> {
        let Some(range) = view.range(span) else { return Vec::new() };
        let own = view.line(range.start);
        let lines = view.lines_of(span);
        let ordered = std::iter::once(own).chain(lines.iter().copied().filter(|line| *line != own));
        let behind = ordered.filter_map(|line| {
            let text = view.nth_line(line);
            let kept = view.text[text.clone()].trim_end();
            // A blank behind a backslash would be what it escapes, and the command would end there.
            let is_joined = kept.ends_with('\\');
            (!is_joined).then_some(Self { at: text.start + kept.len(), line, above: None })
        });
        let above = lines.first().map(|first| {
            let text = view.nth_line(*first);
            let line = &view.text[text.clone()];
            let indent = line[..line.len() - line.trim_start_matches([' ', '\t']).len()].to_owned();
            Self { at: text.start, line: first + 1, above: Some(indent) }
        });
        behind.chain(above).collect()
    }

    fn edit(&self, view: &View, comment: &str) -> Edit {
        let text = match &self.above {
            Some(indent) => format!("{indent}{comment}\n"),
            None => format!("  {comment}"),
        };
        Edit { span: view.span(self.at..self.at), text: view.escape(&text) }
    }
}

/// Whether a comment there is a comment, and one that speaks of the finding's line.
fn is_understood(path: &Path, before: &str, view: &View, index: usize, place: &Place) -> bool {
    let edit = place.edit(view, "# dpo-lint: ignore");
    let Some(after) = repair::splice(before, vec![edit]) else { return false };
    if repair::compare(path, before, &after).is_err() {
        return false;
    }
    let source = Sources::default().add(path.to_path_buf(), after);
    let speaking = |view: &View| suppressions(view).iter().filter(|found| found.line == Some(place.line)).count();
    let views = View::all(path, &source);
    // A place above a line moves what spoke of that line before.
    let line_before = place.line - usize::from(place.above.is_some());
    let already = suppressions(view).iter().filter(|found| found.line == Some(line_before)).count();
    views.get(index).is_some_and(|view| speaking(view) == already + 1)
}
