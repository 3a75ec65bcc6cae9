//! What a fix must leave intact in a file: that it can be read, and its comments.

use std::collections::BTreeMap;
use std::path::Path;

use super::Rejection;
use crate::source::Sources;
use crate::syntax::python::PythonModule;
use crate::syntax::{self, Format, notebook};

/// Compares a file before and after.
pub(in crate::engine) fn compare(path: &Path, before: &str, after: &str) -> Result<(), Rejection> {
    let (before, mut after) = (View::of(path, before), View::of(path, after));
    if after.errors > before.errors {
        return Err(Rejection::SyntaxError(path.to_path_buf()));
    }
    for (comment, amount) in before.comments {
        // To remove a suppression is a fix of its own (`unused-suppression`); whoever removes one that is used gets the
        // finding back, and is rejected for that.
        if comment.contains("dpo-lint:") {
            continue;
        }
        if after.comments.remove(&comment).unwrap_or(0) < amount {
            return Err(Rejection::CommentLost(comment));
        }
    }
    Ok(())
}

#[derive(Debug, Default)]
struct View {
    errors: usize,
    /// Each comment's text and how often it stands in the file.
    comments: BTreeMap<String, usize>,
}

impl View {
    fn of(path: &Path, text: &str) -> Self {
        let source = Sources::default().add(path.to_path_buf(), text);
        let (errors, comments) = match Format::of(path) {
            Some(Format::Python) => {
                let module = PythonModule::parse(&source);
                let comments = module.comments().iter().map(|comment| module.slice(*comment).to_owned()).collect();
                (module.errors().len(), comments)
            }
            Some(Format::Notebook) => {
                let notebook = notebook::parse(&source);
                let (module, documents) = (&notebook.module, notebook.documents());
                let python = module.comments().iter().map(|comment| module.slice(*comment));
                let shell = documents.iter().flat_map(|document| &document.comments).map(|span| source.slice(*span));
                (notebook.errors.len() + module.errors().len(), python.chain(shell).map(str::to_owned).collect())
            }
            Some(format) => {
                let document = syntax::parse(format, &source);
                let comments = document.comments.iter().map(|comment| source.slice(*comment).to_owned()).collect();
                (document.errors.len(), comments)
            }
            None => (0, Vec::new()),
        };
        let mut view = Self { errors, ..Self::default() };
        for comment in comments {
            *view.comments.entry(comment.trim_end().to_owned()).or_default() += 1;
        }
        view
    }
}
