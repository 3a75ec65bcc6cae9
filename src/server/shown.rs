//! What the editor shows of a check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lsp_server::Notification;

use super::diagnostics;
use super::documents::TextId;
use super::protocol::{Diagnostic, PublishParams};
use super::session::{Session, mirror};
use super::worker::Checked;
use crate::engine::config::DiscoverError;

impl Session {
    /// Takes what was found.
    pub fn show(&mut self, root: &Path, checked: Box<Checked>) {
        let Some(state) = self.projects.get_mut(root) else { return };
        state.readers.extend(checked.readers.iter().map(|(path, reader)| (path.clone(), reader.clone())));
        let problems: BTreeSet<String> =
            checked.report.problems.iter().map(|problem| problem.message.clone()).collect();
        let new: Vec<String> = problems.difference(&state.problems).cloned().collect();
        state.problems = problems;
        let mirror = mirror(&self.client, &self.documents, &self.folder, &checked);
        let texts = diagnostics::by_text(&checked, &mirror);
        state.checked = Some(checked);
        for problem in &new {
            self.log(2, problem);
        }
        self.show_texts(root, texts);
    }

    /// Nothing was checked, so nothing is known.
    pub fn misconfigured(&mut self, root: &Path, error: &DiscoverError) {
        let texts = match error {
            DiscoverError::Invalid(errors) => diagnostics::of_configuration(errors, &self.client),
            DiscoverError::Io { .. } => BTreeMap::new(),
        };
        self.log(1, &format!("{}: {error}", root.display()));
        if let Some(state) = self.projects.get_mut(root) {
            state.checked = None;
        }
        self.show_texts(root, texts);
    }

    /// Shows the diagnostics of a project, and takes away those of texts that have none any more. An open text is told always: its
    /// reader wants to know that it was checked.
    fn show_texts(&mut self, root: &Path, mut texts: BTreeMap<TextId, Vec<Diagnostic>>) {
        let Some(state) = self.projects.get_mut(root) else { return };
        let before = std::mem::take(&mut state.shown);
        for text in before.keys().cloned().chain(self.documents.open_below(root)) {
            texts.entry(text).or_default();
        }
        let mut told = Vec::new();
        for (text, found) in texts {
            let version = self.documents.version(&text);
            let now = (version, found.clone());
            if version.is_some() || before.get(&text).is_none_or(|shown| shown.1 != now.1) {
                told.push((text.clone(), found));
            }
            if version.is_some() || !now.1.is_empty() {
                state.shown.insert(text, now);
            }
        }
        for (text, found) in told {
            self.publish(&text, found);
        }
    }

    /// Tells the editor what it is to show.
    pub fn publish(&self, text: &TextId, diagnostics: Vec<Diagnostic>) {
        let version = self.documents.version(text);
        let params = PublishParams { uri: self.documents.uri(text), version, diagnostics };
        self.send(Notification::new("textDocument/publishDiagnostics".to_owned(), params));
    }
}
