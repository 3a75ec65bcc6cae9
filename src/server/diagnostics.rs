//! Findings as the editor shows them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::client::Client;
use super::documents::{Documents, TextId};
use super::notebooks::Layout;
use super::position::Lines;
use super::protocol::{Diagnostic, Location, Range, RelatedInformation};
use super::worker::Checked;
use crate::diagnostic::{self, Label, Severity};
use crate::engine::config::ConfigError;
use crate::source::{FileId, Sources, Span};

const SOURCE: &str = "dpo-lint";
const UNNECESSARY: u8 = 1;
const DEPRECATED: u8 = 2;

/// Makes diagnostics of the findings of one check.
pub(super) struct Mirror<'a> {
    pub client: &'a Client,
    pub documents: &'a Documents,
    /// The working directory.
    pub folder: &'a Path,
    pub sources: &'a Sources,
    /// As they were checked.
    pub notebooks: &'a BTreeMap<PathBuf, Arc<Layout>>,
}

impl Mirror<'_> {
    /// The absolute path of a file.
    pub fn path(&self, file: FileId) -> PathBuf {
        self.folder.join(self.sources.get(file).path())
    }

    /// Where the editor shows a place.
    pub fn place(&self, span: Span) -> (TextId, Range) {
        let (file, path) = (self.sources.get(span.file), self.path(span.file));
        let lines = |text: &str, range| Lines::new(text, self.client.encoding).range(range);
        match self.notebooks.get(&path).and_then(|notebook| notebook.place(&span.range())) {
            Some((cell, range)) => (TextId { path, cell: Some(Arc::clone(&cell.uri)) }, lines(&cell.text, range)),
            None => (TextId::file(path), lines(file.text(), span.range())),
        }
    }

    /// One finding. What an editor has no place for stands in the message.
    pub fn diagnostic(&self, finding: &diagnostic::Diagnostic) -> Diagnostic {
        let mut message = finding.message.clone();
        let label = Some(&finding.primary.message).filter(|label| !label.is_empty());
        let notes = finding.notes.iter().map(|note| format!("note: {note}"));
        let help = finding.help.iter().map(|help| format!("help: {help}"));
        for line in label.cloned().into_iter().chain(notes).chain(help) {
            message = message + "\n" + &line;
        }
        Diagnostic {
            range: self.place(finding.primary.span).1,
            severity: severity(finding.severity),
            code: Some(finding.rule.to_owned()),
            source: SOURCE,
            message,
            tags: if self.client.has_tags { tags(finding.rule) } else { Vec::new() },
            related_information: if self.client.has_related {
                finding.related.iter().map(|label| self.related(label)).collect()
            } else {
                Vec::new()
            },
        }
    }

    fn related(&self, label: &Label) -> RelatedInformation {
        let (text, range) = self.place(label.span);
        let location = Location { uri: self.documents.uri(&text), range };
        RelatedInformation { location, message: label.message.clone() }
    }
}

/// The diagnostics of each text that has some.
pub(super) fn by_text(checked: &Checked, mirror: &Mirror<'_>) -> BTreeMap<TextId, Vec<Diagnostic>> {
    let mut texts: BTreeMap<TextId, Vec<Diagnostic>> = BTreeMap::new();
    for finding in &checked.report.findings {
        texts.entry(mirror.place(finding.primary.span).0).or_default().push(mirror.diagnostic(finding));
    }
    texts
}

/// Mistakes in the configuration, in its file.
pub(super) fn of_configuration(errors: &[ConfigError], client: &Client) -> BTreeMap<TextId, Vec<Diagnostic>> {
    let mut files: BTreeMap<TextId, Vec<Diagnostic>> = BTreeMap::new();
    for error in errors {
        let help = error.help.as_ref().map_or(String::new(), |help| format!("\nhelp: {help}"));
        files.entry(TextId::file(&error.path)).or_default().push(Diagnostic {
            range: Lines::new(&error.text, client.encoding).range(error.span.clone()),
            severity: severity(Severity::Error),
            code: None,
            source: SOURCE,
            message: format!("invalid configuration, nothing is checked: {}{help}", error.message),
            tags: Vec::new(),
            related_information: Vec::new(),
        });
    }
    files
}

fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Info => 3,
    }
}

/// Editors strike out what is deprecated, and fade what does nothing.
fn tags(rule: &str) -> Vec<u8> {
    match rule {
        "deprecated-argument" => vec![DEPRECATED],
        "unused-suppression" | "unused-reference-model" => vec![UNNECESSARY],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalogue;

    #[test]
    fn only_rules_that_exist_have_tags() {
        let tagged = catalogue::catalogue().into_iter().filter(|meta| !tags(meta.name).is_empty()).count();
        assert_eq!(tagged, 3);
    }
}
