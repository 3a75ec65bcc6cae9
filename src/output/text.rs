//! Findings for people: the source with labels from every file that takes part, then why, then what to do.

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::shown_path;
use crate::diagnostic::{Applicability, Diagnostic, Label, Severity, VersionScope};
use crate::engine::driver::Report;
use crate::source::{SourceFile, Sources};

/// How the terminal wants it.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Escape codes for colour.
    pub colored: bool,
    /// Columns.
    pub width: usize,
}

/// Writes every finding, an empty line after each. `folder` is what shown paths are relative to.
pub fn write_text(
    out: &mut dyn Write,
    report: &Report,
    sources: &Sources,
    folder: &Path,
    style: Style,
) -> io::Result<()> {
    let renderer = if style.colored { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(style.width.max(40));
    for finding in &report.findings {
        let text = render(finding, sources, folder, &renderer);
        writeln!(out, "{text}\n")?;
    }
    Ok(())
}

fn render(finding: &Diagnostic, sources: &Sources, folder: &Path, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let id = format!("{} {}", finding.code, finding.rule);
    let excerpts = excerpts(finding, sources);
    let footers = footers(finding, sources, folder);
    let mut group = Group::with_title(level.primary_title(finding.message.as_str()).id(id));
    for excerpt in &excerpts {
        let mut snippet = Snippet::source(excerpt.text())
            .path(shown_path(folder, excerpt.file.path()))
            .line_start(excerpt.first_line);
        for (range, label, is_primary) in &excerpt.labels {
            let kind = if *is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let label = (!label.is_empty()).then_some(*label);
            snippet = snippet.annotation(kind.span(range.clone()).label(label));
        }
        group = group.element(snippet);
    }
    for (name, text) in footers {
        let level = match name {
            "note" => Level::NOTE,
            "help" => Level::HELP,
            fix => Level::HELP.with_name(fix),
        };
        group = group.element(level.message(text));
    }
    renderer.render(&[group])
}

/// The lines of one file that carry labels.
struct Excerpt<'a> {
    file: std::sync::Arc<SourceFile>,
    window: Range<usize>,
    first_line: usize,
    /// Ranges in the window, what to see there, and whether it is the primary place.
    labels: Vec<(Range<usize>, &'a str, bool)>,
}

impl Excerpt<'_> {
    fn text(&self) -> &str {
        self.file.text().get(self.window.clone()).unwrap_or("")
    }
}

/// One excerpt per file, that of the primary label first, the others as they come.
fn excerpts<'a>(finding: &'a Diagnostic, sources: &Sources) -> Vec<Excerpt<'a>> {
    let mut files: Vec<(crate::source::FileId, Vec<(&Label, bool)>)> = Vec::new();
    let labels = std::iter::once((&finding.primary, true)).chain(finding.related.iter().map(|label| (label, false)));
    for (label, is_primary) in labels {
        match files.iter_mut().find(|(file, _)| *file == label.span.file) {
            Some((_, labels)) => labels.push((label, is_primary)),
            None => files.push((label.span.file, vec![(label, is_primary)])),
        }
    }
    files.into_iter().map(|(file, labels)| excerpt(sources.get(file), &labels)).collect()
}

/// Cuts the labelled lines out of a file: a renderer that is handed ten megabytes would index all of them.
fn excerpt<'a>(file: std::sync::Arc<SourceFile>, labels: &[(&'a Label, bool)]) -> Excerpt<'a> {
    let text = file.text();
    let clamp = |offset: u32| floor_char_boundary(text, offset as usize);
    let ranges: Vec<Range<usize>> = labels
        .iter()
        .map(|(label, _)| {
            let start = clamp(label.span.start);
            start..clamp(label.span.end).max(start)
        })
        .collect();
    let start = ranges.iter().map(|range| range.start).min().unwrap_or(0);
    let end = ranges.iter().map(|range| range.end).max().unwrap_or(0);
    let mut line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let first_line = file.position(line_start as u32).line;
    if line_start == 0 && text.starts_with('\u{feff}') {
        line_start = '\u{feff}'.len_utf8().min(start);
    }
    let line_end = text[end..].find('\n').map_or(text.len(), |at| end + at);
    // Without its newline the carriage return of a line would be shown.
    let line_end = if text[line_start..line_end].ends_with('\r') { line_end - 1 } else { line_end };
    let labels = labels.iter().zip(ranges).map(|((label, is_primary), range)| {
        let shift = |offset: usize| offset.min(line_end) - line_start;
        (shift(range.start)..shift(range.end), label.message.as_str(), *is_primary)
    });
    let labels = labels.collect();
    Excerpt { window: line_start..line_end, first_line, labels, file }
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// The lines under the source: why, which releases, what to do.
fn footers(finding: &Diagnostic, sources: &Sources, folder: &Path) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&str, String)> = finding.notes.iter().map(|note| ("note", note.clone())).collect();
    lines.extend(finding.versions.iter().map(|scope| ("note", describe(scope, sources, folder))));
    lines.extend(finding.help.iter().map(|help| ("help", help.clone())));
    lines.extend(finding.fixes.iter().map(|fix| {
        let name = match fix.applicability {
            Applicability::Safe => "safe fix",
            Applicability::Unsafe => "unsafe fix",
            Applicability::Display => "possible fix",
        };
        (name, fix.title.clone())
    }));
    lines
}

/// `trl 0.12.2 is in effect (pin, requirements.txt:4); affected: 0.7.11 - 0.27.2`
fn describe(scope: &VersionScope, sources: &Sources, folder: &Path) -> String {
    let mut known = scope.evidence.clone();
    if let Some(origin) = scope.origin {
        let file = sources.get(origin.file);
        let line = file.position(origin.start).line;
        known = format!("{known}, {}:{line}", shown_path(folder, file.path()));
    }
    let in_effect = match &scope.in_effect {
        Some(version) => format!("{} {version} is in effect ({known})", scope.package),
        None => format!("no release of {} is certain ({known})", scope.package),
    };
    match scope.affected.as_slice() {
        [] => in_effect,
        affected => format!("{in_effect}; affected: {}", affected.join(", ")),
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
