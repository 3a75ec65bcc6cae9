//! Findings for people: the source with labels from every file that takes part, then why, then what to do.

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use unicode_width::UnicodeWidthStr;

use super::place::{Place, Places, Text};
use super::{printable, printable_lines};
use crate::diagnostic::{Applicability, Diagnostic, Severity, VersionScope};
use crate::engine::driver::Report;
use crate::source::Sources;

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
    let width = style.width.max(40);
    let renderer = renderer.term_width(width);
    let places = Places::new(sources, folder);
    for finding in &report.findings {
        let text = render(finding, &places, &renderer, width);
        writeln!(out, "{text}\n")?;
    }
    Ok(())
}

fn render(finding: &Diagnostic, places: &Places<'_>, renderer: &Renderer, width: usize) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let id = format!("{} {}", finding.code, finding.rule);
    let excerpts = excerpts(finding, places);
    let last_line = excerpts.iter().map(Excerpt::last_line).max().unwrap_or_default();
    // `NN = note: text`
    let margin = last_line.to_string().len() + " = : ".len();
    let footers = footers(finding)
        .into_iter()
        .map(|(name, text)| (name, printable_lines(&text)))
        .map(|(name, text)| (name, wrap(&text, width.saturating_sub(margin + name.len()))));
    let mut group = Group::with_title(level.primary_title(finding.message.as_str()).id(id));
    for excerpt in &excerpts {
        let name = printable(&excerpt.name).into_owned();
        let mut snippet = Snippet::source(excerpt.text()).path(name).line_start(excerpt.first_line);
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

/// A place, what to see there, and whether it is the primary one.
type Labelled<'a> = (Place, &'a str, bool);

/// The lines of one file, or of one cell of a notebook, that carry labels.
struct Excerpt<'a> {
    name: String,
    text: Text,
    window: Range<usize>,
    first_line: usize,
    /// Ranges in the window, what to see there, and whether it is the primary place.
    labels: Vec<(Range<usize>, &'a str, bool)>,
}

impl Excerpt<'_> {
    fn last_line(&self) -> usize {
        self.first_line + self.text().matches('\n').count()
    }

    fn text(&self) -> &str {
        self.text.get(self.window.clone()).unwrap_or("")
    }
}

/// One excerpt per file, that of the primary label first, the others as they come.
fn excerpts<'a>(finding: &'a Diagnostic, places: &Places<'_>) -> Vec<Excerpt<'a>> {
    let mut files: Vec<(String, Vec<Labelled<'_>>)> = Vec::new();
    let labels = std::iter::once((&finding.primary, true)).chain(finding.related.iter().map(|label| (label, false)));
    for (label, is_primary) in labels {
        let place = places.of(label.span);
        match files.iter_mut().find(|(name, _)| *name == place.name) {
            Some((_, labels)) => labels.push((place, &label.message, is_primary)),
            None => files.push((place.name.clone(), vec![(place, &label.message, is_primary)])),
        }
    }
    files.into_iter().filter_map(|(name, labels)| excerpt(name, labels)).collect()
}

/// Cuts the labelled lines out of a file: a renderer that is handed ten megabytes would index all of them.
fn excerpt(name: String, labels: Vec<Labelled<'_>>) -> Option<Excerpt<'_>> {
    let text = labels.first()?.0.text.clone();
    let first_line = labels.iter().map(|(place, ..)| place.line).min()?;
    let start = labels.iter().map(|(place, ..)| place.range.start).min()?;
    let end = labels.iter().map(|(place, ..)| place.range.end).max()?;
    let mut line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    if line_start == 0 && text.starts_with('\u{feff}') {
        line_start = '\u{feff}'.len_utf8().min(start);
    }
    let line_end = text[end..].find('\n').map_or(text.len(), |at| end + at);
    // Without its newline the carriage return of a line would be shown.
    let line_end = if text[line_start..line_end].ends_with('\r') { line_end - 1 } else { line_end };
    let shift = |offset: usize| offset.min(line_end) - line_start;
    let labels = labels
        .into_iter()
        .map(|(place, message, is_primary)| (shift(place.range.start)..shift(place.range.end), message, is_primary));
    Some(Excerpt { labels: labels.collect(), window: line_start..line_end, name, text, first_line })
}

/// The lines under the source: what, why, what to do.
fn footers(finding: &Diagnostic) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&str, String)> = finding
        .versions
        .iter()
        .filter_map(describe)
        .chain(finding.notes.iter().cloned())
        .map(|line| ("note", line))
        .collect();
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

/// `trl 0.7.11 - 0.27.2 raises ValueError`. Which release is in effect, the labels or the notes say.
fn describe(scope: &VersionScope) -> Option<String> {
    let affected = scope.affected.join(", ");
    match &scope.effect {
        _ if affected.is_empty() => None,
        Some(effect) => Some(format!("{} {affected} {effect}", scope.package)),
        None => Some(format!("affected: {} {affected}", scope.package)),
    }
}

/// Breaks a line at spaces, so that no piece is wider than `width` columns if it can be helped.
fn wrap(text: &str, width: usize) -> String {
    let mut wrapped = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let wide = word.width();
        if column > 0 && column + 1 + wide > width {
            wrapped.push('\n');
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += wide;
    }
    wrapped
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
